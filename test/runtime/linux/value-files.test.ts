import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { largestValueFile, mostValueFiles } from '../../../src/model/service/value-sources.ts';
import { readValueFiles } from '../../../src/runtime/linux/value-files.ts';

const isRoot = process.getuid?.() === 0;
const scratch = mkdtempSync(join(tmpdir(), 'chaperone-values-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const at = (...names: readonly string[]): string => join(scratch, ...names);

async function read(kind: 'file' | 'folder' | 'place', path: string) {
  const [result] = await readValueFiles([{ kind, path }]);
  return result;
}

const text = (content: string) => ({ ok: true, texts: [['', content]] });

describe('the files of a start', () => {
  it('are read as a whole, in their order, with bytes that are no text', async () => {
    writeFileSync(at('a'), 'A=1\n');
    writeFileSync(at('b'), Buffer.from([0x41, 0x3d, 0xff, 0x0a]));
    expect(
      await readValueFiles([
        { kind: 'file', path: at('b') },
        { kind: 'file', path: at('a') },
        { kind: 'place', path: at('a') },
      ]),
    ).toEqual([text('A=\udcff\n'), text('A=1\n'), { ok: true, texts: [] }]);
    expect(await read('file', '/proc/self/comm')).toMatchObject({ ok: true });
  });

  it('have a bound', async () => {
    writeFileSync(at('full'), 'x'.repeat(largestValueFile));
    expect(await read('file', at('full'))).toMatchObject({ ok: true });
    writeFileSync(at('large'), 'x'.repeat(5 * 1024 * 1024));
    expect(await read('file', at('large'))).toEqual({ ok: false, code: 'EFBIG' });
  });

  it('are files and nothing else: nobody waits for a FIFO', async () => {
    spawnSync('mkfifo', [at('fifo')]);
    const server = createServer().listen(at('socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    expect(await read('file', at('missing'))).toEqual({ ok: false, code: 'ENOENT' });
    expect(await read('file', at('a', 'x'))).toMatchObject({ ok: false, code: 'ENOTDIR' });
    expect(await read('file', scratch)).toMatchObject({ ok: false, code: 'EISDIR' });
    for (const kind of ['file', 'place'] as const) {
      expect(await read(kind, at('fifo'))).toMatchObject({ ok: false, reason: 'it is a FIFO, and no regular file' });
      expect(await read(kind, '/dev/zero')).toMatchObject({ ok: false, reason: 'it is a device, and no regular file' });
    }
    expect(await read('file', at('socket'))).toMatchObject({ ok: false, code: 'ENXIO' });
    server.close();
  });

  it('may stand in a folder, whose hidden names are left out', async () => {
    mkdirSync(at('folder'));
    mkdirSync(at('folder', '..2026'));
    writeFileSync(at('folder', '..2026', 'KEY'), 'value\n');
    symlinkSync('..2026', at('folder', '..data'));
    symlinkSync('..data/KEY', at('folder', 'KEY'));
    writeFileSync(at('folder', 'A'), 'a');
    expect(await read('folder', at('folder'))).toEqual({
      ok: true,
      texts: [
        ['A', 'a'],
        ['KEY', 'value\n'],
      ],
    });
    mkdirSync(at('folder', 'inner'));
    expect(await read('folder', at('folder'))).toEqual({
      ok: false,
      code: 'EISDIR',
      path: at('folder', 'inner'),
      reason: 'it is a directory',
    });
    expect(await read('folder', at('a'))).toMatchObject({ ok: false, code: 'ENOTDIR' });
    expect(await read('folder', at('missing'))).toMatchObject({ ok: false, code: 'ENOENT' });
  });

  it('of a folder have a bound together, in number and in size', async () => {
    mkdirSync(at('many'));
    for (let i = 0; i <= mostValueFiles; i += 1) writeFileSync(at('many', `F${i}`), '');
    expect(await read('folder', at('many'))).toMatchObject({
      ok: false,
      code: 'EFBIG',
      reason: 'it holds more than 1000 files',
    });
    mkdirSync(at('heavy'));
    for (const name of ['A', 'B']) writeFileSync(at('heavy', name), 'x'.repeat(largestValueFile / 2 + 1));
    expect(await read('folder', at('heavy'))).toMatchObject({ ok: false, code: 'EFBIG', path: at('heavy', 'B') });
  });

  it('are closed again, however many starts read at a time', async () => {
    const before = readdirSync('/proc/self/fd').length;
    const all = Array.from({ length: 200 }, () =>
      readValueFiles([
        { kind: 'file', path: at('a') },
        { kind: 'file', path: at('gone') },
      ]),
    );
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, readdirSync('/proc/self/fd').length);
    }, 0);
    for (const results of await Promise.all(all))
      expect(results).toEqual([text('A=1\n'), { ok: false, code: 'ENOENT' }]);
    clearInterval(watch);
    expect(readdirSync('/proc/self/fd').length).toBe(before);
    // Eight readers, each with a file and the folders on the way to it.
    expect(most).toBeLessThan(before + 100);
  });

  it.runIf(isRoot)('are not those that another account has linked', async () => {
    mkdirSync(at('theirs'));
    writeFileSync(at('roots'), 'K=root');
    chmodSync(at('roots'), 0o600);
    symlinkSync(at('roots'), at('theirs', 'link'));
    linkSync(at('roots'), at('theirs', 'hard'));
    writeFileSync(at('theirs', 'own'), 'A=own');
    chownSync(at('theirs', 'own'), 1234, 1234);
    chownSync(at('theirs'), 1234, 1234);
    expect(await read('file', at('theirs', 'link'))).toMatchObject({ ok: false, code: 'FOREIGN_LINK' });
    expect(await read('file', at('theirs', 'hard'))).toMatchObject({ ok: false, code: 'FOREIGN_HARD_LINK' });
    expect(await read('file', at('theirs', 'own'))).toEqual(text('A=own'));
  });

  it('are read while a writer holds a FIFO of that name open', async () => {
    const fd = openSync(at('fifo'), 'r+');
    expect(await read('file', at('fifo'))).toMatchObject({ ok: false, code: 'EINVAL' });
    closeSync(fd);
  });
});
