/** What chaperone makes, reads and removes by a configured path, in a folder of another account that swaps names in it. */
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { bootLineStart } from '../../../src/inspect/journal-writer.ts';
import * as library from '../../../src/runtime/linux/datagram-library.ts';
import { Discarder } from '../../../src/runtime/linux/discarder.ts';
import { JournalSink } from '../../../src/runtime/linux/journal-sink.ts';
import { LinuxClock } from '../../../src/runtime/linux/linux-clock.ts';
import { LinuxFollowing } from '../../../src/runtime/linux/linux-following.ts';
import { openLogSocket } from '../../../src/runtime/linux/log-socket.ts';
import { ProcessTrees } from '../../../src/runtime/linux/process-trees.ts';
import { edge, tested } from './native-edge.ts';
import { isRoot, scene, stranger, swap, tryOften } from './swapping.ts';

const clock = new LinuxClock();
const ports = { edge, library, discarder: new Discarder(edge) };
const following = new LinuxFollowing(edge, clock, new ProcessTrees(clock, tested.body.pid, () => true), tested.body);
const linksToSecret = `
  const name = theirs + '/x';
  quietly(() => fs.unlinkSync(name));
  quietly(() => fs.symlinkSync(roots + '/secret', name));
  quietly(() => fs.unlinkSync(name));
  quietly(() => fs.writeFileSync(name, '1'));`;
const linksToFolder = `
  const name = theirs + '/sub';
  quietly(() => fs.unlinkSync(name));
  quietly(() => fs.symlinkSync(roots, name));
  quietly(() => fs.unlinkSync(name));
  quietly(() => fs.mkdirSync(name));
  quietly(() => fs.writeFileSync(name + '/secret', '1'));
  quietly(() => fs.rmSync(name, { recursive: true }));
  quietly(() => fs.renameSync(name, theirs + '/away' + turn));`;

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'chaperone-hostile-'));
  chmodSync(folder, 0o755);
  const path = folder;
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
});

const at = (name: string): string => join(folder, name);

function theirs(): string {
  mkdirSync(at('theirs'));
  chownSync(at('theirs'), stranger, stranger);
  return at('theirs');
}

describe.runIf(isRoot)('a pidfile', () => {
  it('may belong to the account of its service, and is removed', () => {
    const path = join(theirs(), 'x.pid');
    writeFileSync(path, '123\n');
    chownSync(path, stranger, stranger);
    expect(following.readPidfile(path)?.text).toBe('123\n');
    expect(following.removePidfile(path)).toBeUndefined();
    expect(existsSync(path)).toBe(false);
  });

  it('is not read by way of a link of another account, nor as a hard link to a file of root', () => {
    writeFileSync(at('roots.pid'), '1\n');
    const path = join(theirs(), 'x.pid');
    symlinkSync(at('roots.pid'), path);
    expect(following.readPidfile(path)).toBeUndefined();
    rmSync(path);
    linkSync(at('roots.pid'), path);
    expect(following.readPidfile(path)).toBeUndefined();
  });

  it('never stands for a file of root, while the account swaps names', async () => {
    const stage = scene();
    const before = stage.state();
    await swap(stage, `{ ${linksToSecret} } { ${linksToFolder} }`);
    const texts = new Set<string | undefined>();
    const outcomes = await tryOften(() => {
      texts.add(following.readPidfile(join(stage.theirs, 'x'))?.text);
      texts.add(following.readPidfile(join(stage.theirs, 'sub/secret'))?.text);
      return following.removePidfile(join(stage.theirs, 'sub/secret'));
    }, 'FOREIGN_LINK');
    expect(stage.state()).toEqual(before);
    expect(texts).not.toContain('precious\n');
    expect(texts).toContain('1');
    expect([...outcomes.keys()]).toContain('FOREIGN_LINK');
  }, 60_000);
});

describe.runIf(isRoot)('the log socket', () => {
  it('is made for everybody whatever the umask is, and removed', () => {
    const umask = process.umask(0o777);
    try {
      const socket = openLogSocket(ports, at('log'), () => false);
      expect(lstatSync(at('log')).mode & 0o777).toBe(0o666);
      if (socket.ok) socket.close();
    } finally {
      process.umask(umask);
    }
    expect(existsSync(at('log'))).toBe(false);
  });

  it('is not made in a folder in which another account could replace it', () => {
    expect(openLogSocket(ports, join(theirs(), 'log'), () => false)).toEqual({ ok: false, code: 'FOREIGN_FOLDER' });
    expect(readdirSync(at('theirs'))).toEqual([]);
  });

  it('gives no file of root to everybody, while the account swaps names', async () => {
    const stage = scene();
    const before = stage.state();
    await swap(stage, linksToSecret);
    await tryOften(() => {
      const socket = openLogSocket(ports, join(stage.theirs, 'x'), () => false);
      if (socket.ok) socket.close();
    });
    expect(stage.state()).toEqual(before);
  });
});

describe.runIf(isRoot)('a journal', () => {
  const first = `${bootLineStart},"boot":"one"}\n`;
  const write = (path: string): Promise<string | undefined> =>
    new Promise((resolve) => new JournalSink({ path, maxSize: 1 << 20 }).write(Buffer.from(first), resolve));

  it.each([
    ['of another account', stranger, 0o600, 'FOREIGN_FILE'],
    ['that everybody may write to', 0, 0o666, 'WRITABLE_BY_ALL'],
    ['that a group may write to', 0, 0o660, 'WRITABLE_BY_ALL'],
    ['that others may only read', 0, 0o644, undefined],
  ])('is continued only where it is no file %s', async (_, owner, mode, code) => {
    writeFileSync(at('journal'), first);
    chmodSync(at('journal'), mode);
    chownSync(at('journal'), owner, owner);
    expect(await write(at('journal'))).toBe(code);
    expect(readFileSync(at('journal'), 'utf8')).toBe(code === undefined ? first + first : first);
    expect(statSync(at('journal')).mode & 0o777).toBe(mode);
  });

  it('is not a hard link that another account has made to a file of root', async () => {
    writeFileSync(at('roots'), '');
    linkSync(at('roots'), join(theirs(), 'journal'));
    expect(await write(join(at('theirs'), 'journal'))).toBe('FOREIGN_HARD_LINK');
    expect(readFileSync(at('roots'), 'utf8')).toBe('');
  });

  it('changes no file of root while an account swaps names in its folder', async () => {
    const stage = scene();
    const before = stage.state();
    await swap(stage, `{ ${linksToSecret} } { ${linksToFolder} }`);
    const outcomes = await tryOften(async () => {
      await write(join(stage.theirs, 'x'));
      return write(join(stage.theirs, 'sub/secret'));
    }, 'FOREIGN_LINK');
    expect(stage.state()).toEqual(before);
    expect([...outcomes.keys()]).toContain('FOREIGN_LINK');
  }, 60_000);
});
