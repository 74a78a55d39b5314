import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { LogFileRequest } from '../../../src/runtime/kernel.ts';
import { FileSink } from '../../../src/runtime/linux/file-sink.ts';
import { VirtualClock } from '../../../src/runtime/simulated/virtual-clock.ts';
import { isRoot, scene, stranger, swap, tryOften } from './swapping.ts';

let folder: string;
let clock: VirtualClock;
let troubles: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'chaperone-file-'));
  clock = new VirtualClock();
  troubles = [];
  const { path } = { path: folder };
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
});

const at = (name: string): string => join(folder, name);
const text = (name: string): string => readFileSync(at(name), 'utf8');
const modeOf = (name: string): string => (statSync(at(name)).mode & 0o7777).toString(8);

function open(name: string, more: Partial<LogFileRequest> = {}): FileSink {
  return new FileSink({ path: at(name), overwrite: false, ...more }, clock, (code) => troubles.push(code));
}

/** Resolves with the error's code; undefined where the line was written. */
function write(sink: FileSink, line: string): Promise<string | undefined> {
  return new Promise((resolve) => sink.write(Buffer.from(line), (errorCode) => resolve(errorCode)));
}

/** Lets virtual time pass. */
function pass(ms: number): void {
  clock.run(clock.now() + ms);
}

describe('a log file', () => {
  it('is made with its directories, 0640 and 0755 whatever the umask', async () => {
    const umask = process.umask(0o077);
    try {
      expect(await write(open('a/b/x.log'), 'line\n')).toBeUndefined();
    } finally {
      process.umask(umask);
    }
    expect(text('a/b/x.log')).toBe('line\n');
    expect([modeOf('a'), modeOf('a/b'), modeOf('a/b/x.log')]).toEqual(['755', '755', '640']);
  });

  it.runIf(isRoot)('belongs to its owner, and its group may write where one was given', async () => {
    await write(open('own/x.log', { owner: { uid: 1234, gid: 4321, gidGiven: true } }), 'line\n');
    for (const name of ['own', 'own/x.log']) {
      const { uid, gid } = statSync(at(name));
      expect([uid, gid]).toEqual([1234, 4321]);
    }
    expect([modeOf('own'), modeOf('own/x.log')]).toEqual(['775', '660']);
  });

  it('has the mode that is given, and its directories have theirs', async () => {
    await write(open('a/x.log', { mode: 0o604 }), 'line\n');
    expect([modeOf('a'), modeOf('a/x.log')]).toEqual(['755', '604']);
  });

  it('is made at once where that is asked for, and written to', async () => {
    const sink = open('a/x.log');
    expect(sink.open()).toBeUndefined();
    expect([text('a/x.log'), modeOf('a/x.log')]).toEqual(['', '640']);
    await write(sink, 'line\n');
    expect(text('a/x.log')).toBe('line\n');
  });

  it('is not made at once where its name changes with time, but the directories are whose names do not', async () => {
    expect(open('a%%/b/%Y/c/x.log').open()).toBeUndefined();
    expect(readdirSync(at('a%/b'))).toEqual([]);
    expect(open('100%%.log').open()).toBeUndefined();
    expect(existsSync(at('100%.log'))).toBe(true);
  });

  it.each([
    ['a directory', 'mkdir x.log', 'EISDIR'],
    ['below a file', 'touch a && ln -s a/y x.log', 'ENOTDIR'],
    ['a FIFO that nobody reads yet', 'mkfifo x.log', undefined],
  ])('tells at once why it cannot be made where it is %s', (_what, make, code) => {
    spawnSync('sh', ['-c', make], { cwd: folder });
    expect(open('x.log').open()).toBe(code);
  });

  it('is emptied by overwrite when it is made at once, and not again', async () => {
    writeFileSync(at('x.log'), 'before\n');
    const sink = open('x.log', { overwrite: true });
    sink.open();
    expect(text('x.log')).toBe('');
    await write(sink, 'one\n');
    await write(sink, 'two\n');
    expect(text('x.log')).toBe('one\ntwo\n');
  });

  it('that is there is left as it is, and written to at its end', async () => {
    writeFileSync(at('x.log'), 'before\n', { mode: 0o600 });
    await write(open('x.log'), 'line\n');
    expect(text('x.log')).toBe('before\nline\n');
    expect(modeOf('x.log')).toBe('600');
  });

  it('has a name by the time, and another one when that has changed', async () => {
    const sink = open('%Y-%m-%d-%H.log');
    await write(sink, 'one\n');
    pass(3_600_000);
    await write(sink, 'two\n');
    const names = readdirSync(folder).sort();
    expect(names).toHaveLength(2);
    expect(names.map((name) => text(name)).sort()).toEqual(['one\n', 'two\n']);
  });

  it('is opened anew where another one has its name, but not looked at more than once a second', async () => {
    const sink = open('x.log');
    await write(sink, 'one\n');
    renameSync(at('x.log'), at('x.log.1'));
    pass(999);
    await write(sink, 'two\n');
    expect(existsSync(at('x.log'))).toBe(false);
    pass(1);
    await write(sink, 'three\n');
    expect(text('x.log.1')).toBe('one\ntwo\n');
    expect(text('x.log')).toBe('three\n');
  });

  it('goes on at its new end where it was truncated', async () => {
    const sink = open('x.log');
    await write(sink, 'one\n');
    truncateSync(at('x.log'));
    await write(sink, 'two\n');
    expect(text('x.log')).toBe('two\n');
  });

  it('is made again where it was removed, with its directory', async () => {
    const sink = open('a/x.log');
    await write(sink, 'one\n');
    rmSync(at('a'), { recursive: true });
    pass(1_000);
    await write(sink, 'two\n');
    expect(text('a/x.log')).toBe('two\n');
  });

  it('is truncated by overwrite at the first opening only', async () => {
    writeFileSync(at('x.log'), 'before\n');
    const sink = open('x.log', { overwrite: true });
    await write(sink, 'one\n');
    renameSync(at('x.log'), at('x.log.1'));
    writeFileSync(at('x.log'), 'of another\n');
    pass(1_000);
    await write(sink, 'two\n');
    expect(text('x.log.1')).toBe('one\n');
    expect(text('x.log')).toBe('of another\ntwo\n');
  });

  it('may be a link', async () => {
    writeFileSync(at('target'), '');
    symlinkSync(at('target'), at('x.log'));
    expect(await write(open('x.log'), 'line\n')).toBeUndefined();
    expect(text('target')).toBe('line\n');
  });

  it.each([
    ['a directory', 'mkdir x.log', 'EISDIR'],
    ['a FIFO that nobody reads', 'mkfifo x.log', 'ENXIO'],
    ['a link to nothing', 'ln -s nowhere x.log', 'EEXIST'],
    ['below a file', 'touch a && ln -s a/y x.log', 'ENOTDIR'],
  ])('that is %s is an error, and is tried again after a second', async (_what, make, code) => {
    spawnSync('sh', ['-c', make], { cwd: folder });
    const sink = open('x.log');
    expect(await write(sink, 'one\n')).toBe(code);
    rmSync(at('x.log'), { recursive: true });
    expect(await write(sink, 'two\n')).toBe(code);
    pass(1_000);
    expect(await write(sink, 'three\n')).toBeUndefined();
    expect(text('x.log')).toBe('three\n');
    unlinkSync(at('x.log'));
  });

  it('gives back what a full device does not take', async () => {
    const sink = new FileSink({ path: '/dev/full', overwrite: false }, clock, () => undefined);
    const answer = await new Promise((resolve) =>
      sink.write(Buffer.from('line\n'), (errorCode, rest) => resolve([errorCode, Buffer.from(rest ?? []).toString()])),
    );
    expect(answer).toEqual(['ENOSPC', 'line\n']);
  });
});

describe.runIf(isRoot)('a log file where another account may write', () => {
  it.each([
    ['of another account', (path: string) => chownSync(path, stranger, stranger), 'FOREIGN_FILE'],
    ['that everybody may write to', (path: string) => chmodSync(path, 0o666), 'WRITABLE_BY_ALL'],
  ])('is not a file %s', async (_, change, code) => {
    writeFileSync(at('x.log'), '');
    change(at('x.log'));
    const sink = open('x.log');
    expect(sink.open()).toBe(code);
    expect(await write(sink, 'line\n')).toBe(code);
    expect(text('x.log')).toBe('');
  });

  it('may be one that everybody may write to where the configuration says so', async () => {
    writeFileSync(at('x.log'), '');
    chmodSync(at('x.log'), 0o666);
    expect(await write(open('x.log', { mode: 0o666 }), 'line\n')).toBeUndefined();
  });

  it('is never a file of root, while the account swaps names, files and rotated files', async () => {
    const stage = scene();
    const before = stage.state();
    await swap(
      stage,
      `const [name, sub] = [theirs + '/' + ['x.log', 'x.log.1', 'x.log.1.gz', 'x.log.gz-part'][turn % 4], theirs + '/sub'];
      quietly(() => fs.unlinkSync(name));
      quietly(() => fs.symlinkSync(roots + '/secret', name));
      quietly(() => fs.unlinkSync(name));
      quietly(() => fs.linkSync(roots + '/secret', name));
      quietly(() => fs.unlinkSync(name));
      quietly(() => fs.unlinkSync(sub));
      quietly(() => fs.symlinkSync(roots, sub));
      quietly(() => fs.unlinkSync(sub));
      quietly(() => fs.renameSync(sub, theirs + '/away' + turn));`,
    );
    const options = {
      overwrite: true,
      owner: { uid: stranger, gid: stranger, gidGiven: true },
      rotation: { maxSize: 5, keep: 2, compress: true },
    };
    const outcomes = await tryOften(async () => {
      for (const name of ['x.log', 'sub/secret']) {
        const sink = new FileSink({ path: join(stage.theirs, name), ...options }, clock, () => undefined);
        sink.open();
        const code = await write(sink, 'line\nline\n');
        sink.close();
        if (code === 'FOREIGN_LINK') return code;
      }
      return undefined;
    }, 'FOREIGN_LINK');
    expect(stage.state()).toEqual(before);
    expect([...outcomes.keys()]).toContain('FOREIGN_LINK');
    const copies = readdirSync(stage.theirs).filter((name) => name.endsWith('.gz'));
    for (const name of copies) {
      const content = gunzipped(join(stage.theirs, name));
      expect(content).not.toContain('precious');
    }
  }, 60_000);
});

function gunzipped(path: string): string {
  try {
    return gunzipSync(readFileSync(path)).toString();
  } catch {
    // A link, or a file of the account.
    return '';
  }
}
