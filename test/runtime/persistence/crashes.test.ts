/** Folders move to a volume, and the program is killed at each operation of the move: the next boot has everything, once. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { build } from 'esbuild';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { mountPoints, type PersistentFolder } from '../../../src/model/place/persistent-folders.ts';
import { linuxDisk } from '../../../src/runtime/persistence/disk.ts';
import { persist } from '../../../src/runtime/persistence/persist.ts';
import { inDist } from '../../dist.ts';
import { sample } from '../../effort.ts';
import { edge, isRoot } from '../linux/native-edge.ts';
import { layered, mortal, portsFor } from './ports.ts';
import { fill, seen } from './trees.ts';

const scratch = mkdtempSync(join(tmpdir(), 'chaperone-persist-'));
const program = join(scratch, 'persist-until.cjs');
const image = join(scratch, 'image');
const volume = join(scratch, 'volume');
const folder: PersistentFolder = {
  variable: 'PERSISTENT_DATA',
  folder: join(image, 'data'),
  home: join(volume, 'data'),
};
/** How many programs run at a time. */
const lanes = 2;
let places = 0;

beforeAll(async () => {
  if (!isRoot) return;
  await build({
    entryPoints: [join(import.meta.dirname, '../../fixtures/persist-until.ts')],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    logLevel: 'warning',
  });
});
beforeEach((context) => {
  if (!isRoot) context.skip('only root can mount a volume, and give files away');
});
afterAll(() => {
  // A test that fails leaves its volume mounted.
  const mounts = mountPoints(readFileSync('/proc/self/mountinfo', 'utf8')).filter((path) => path.startsWith(scratch));
  for (const path of [...mounts].reverse()) spawnSync('umount', [path]);
  rmSync(scratch, { recursive: true, force: true });
});

type Kind = 'layers' | 'plain';

interface Place {
  readonly folder: PersistentFolder;
  readonly kind: Kind;
  readonly remove: () => void;
}

/** One container: its own folder, and a volume, which is on another file system where that is asked for. */
function place(kind: Kind, onOtherDevice: boolean): Place {
  places += 1;
  const root = join(scratch, String(places));
  const at = { ...folder, folder: join(root, 'image/data'), home: join(root, 'volume/data') };
  mkdirSync(join(root, 'image'), { recursive: true });
  mkdirSync(join(root, 'volume'));
  if (onOtherDevice) run('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', join(root, 'volume')]);
  fill(at.folder, 'first', edge);
  return {
    folder: at,
    kind,
    remove: () => {
      if (onOtherDevice) run('umount', [join(root, 'volume')]);
      rmSync(root, { recursive: true });
    },
  };
}

function run(command: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args);
  if (status !== 0) throw new Error(`${command}: ${String(stderr)}`);
}

/** Boots in a program of its own, which is killed before one operation. Returns how many there were; undefined where it was killed. */
async function bootUntil(at: Place, cut: number | undefined): Promise<number | undefined> {
  const args = [
    program,
    inDist('edge.node'),
    JSON.stringify([at.folder]),
    at.kind,
    ...(cut === undefined ? [] : [String(cut)]),
  ];
  const child: ChildProcess = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.on('close', (code, signal) => resolve(signal ?? code)));
  const said = child.stdout === null ? '' : await text(child.stdout);
  const end = await ended;
  if (end === 'SIGKILL') return undefined;
  expect(end).toBe(0);
  return Number(said);
}

async function killed(at: Place, cut: number): Promise<void> {
  expect(await bootUntil(at, cut)).toBeUndefined();
}

/** The same within this program. */
async function bootAndDie({ folder: each, kind }: Place, cut: number): Promise<void> {
  const disk = mortal(linuxDisk(edge), cut);
  await expect(persist([each], portsFor([each], kind === 'layers' ? layered(disk) : disk, edge))).rejects.toThrow(
    'killed',
  );
}

async function boot({ folder: each, kind }: Place): Promise<void> {
  const disk = linuxDisk(edge);
  await persist([each], portsFor([each], kind === 'layers' ? layered(disk) : disk, edge));
}

const around = (path: string): readonly string[] => readdirSync(join(path, '..')).sort();

/** Makes the container anew: the volume stays. */
function renewContainer({ folder: { folder: path } }: Place, mark: string): void {
  rmSync(join(path, '..'), { recursive: true });
  mkdirSync(join(path, '..'));
  fill(path, mark, edge);
}

/** Runs a story for each cut, some at a time; for some of the cuts where there are many. */
async function forEachCut(count: number, story: (cut: number) => Promise<void>): Promise<void> {
  const all = Array.from({ length: count }, (_, index) => 1 + index);
  const cuts = [...(count < 30 ? all : sample(all, 9))];
  const lane = async (): Promise<void> => {
    for (let cut = cuts.shift(); cut !== undefined; cut = cuts.shift()) await story(cut);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

/** How many operations a boot has that nobody kills. */
async function operations(at: Place): Promise<number> {
  return (await bootUntil(at, undefined)) ?? 0;
}

describe.each([
  { title: 'to another file system', kind: 'plain', other: true, least: 150, die: killed },
  { title: 'within one file system', kind: 'plain', other: false, least: 8, die: killed },
  {
    title: 'within one file system, out of the layers of an image',
    kind: 'layers',
    other: false,
    least: 150,
    die: bootAndDie,
  },
] as const)('the first move, $title, killed at each operation', ({ kind, other, least, die }) => {
  it('is completed by the next boot', { timeout: 300_000 }, async () => {
    const whole = place(kind, other);
    const before = seen(whole.folder.folder, edge);
    const count = await operations(whole);
    expect(count).toBeGreaterThan(least);
    expect(seen(whole.folder.home, edge)).toEqual(before);
    whole.remove();

    await forEachCut(count, async (cut) => {
      const at = place(kind, other);
      await die(at, cut);
      await boot(at);
      expect(readlinkSync(at.folder.folder), `cut ${cut}`).toBe(at.folder.home);
      expect(seen(at.folder.home, edge), `cut ${cut}`).toEqual(before);
      expect([around(at.folder.folder), around(at.folder.home)], `cut ${cut}`).toEqual([['data'], ['data']]);
      await boot(at);
      expect([around(at.folder.folder), around(at.folder.home)], `cut ${cut}`).toEqual([['data'], ['data']]);
      at.remove();
    });
  });
});

describe.each([
  { title: 'renamed', kind: 'plain', least: 8 },
  { title: 'copied, because it is in the layers of the image', kind: 'layers', least: 150 },
] as const)('a later boot of a new container, whose folder is $title, killed at each operation', ({ kind, least }) => {
  it('keeps both contents apart', { timeout: 300_000 }, async () => {
    const whole = place(kind, true);
    await boot(whole);
    const kept = seen(whole.folder.home, edge);
    renewContainer(whole, 'second');
    const newer = seen(whole.folder.folder, edge);
    const count = await operations(whole);
    expect(count).toBeGreaterThan(least);
    whole.remove();

    await forEachCut(count, async (cut) => {
      const at = place(kind, true);
      await boot(at);
      renewContainer(at, 'second');
      await killed(at, cut);
      await boot(at);
      expect(readlinkSync(at.folder.folder), `cut ${cut}`).toBe(at.folder.home);
      expect(seen(at.folder.home, edge), `cut ${cut}`).toEqual(kept);
      expect(seen(`${at.folder.folder}.image`, edge), `cut ${cut}`).toEqual(newer);
      expect([around(at.folder.folder), around(at.folder.home)], `cut ${cut}`).toEqual([
        ['data', 'data.image'],
        ['data'],
      ]);
      at.remove();
    });
  });
});

describe('two crashes, one after the other', () => {
  it('lose nothing either', { timeout: 300_000 }, async () => {
    const whole = place('layers', true);
    const before = seen(whole.folder.folder, edge);
    const count = await operations(whole);
    whole.remove();
    // Steps that share no factor with the number of operations reach pairs all over the square.
    await forEachCut(400, async (number) => {
      const at = place('layers', true);
      const first = 1 + ((number * 89) % count);
      await bootAndDie(at, first);
      // The second boot may have less to do, and come to its end.
      await bootAndDie(at, 1 + ((number * 37) % count)).catch(() => undefined);
      await boot(at);
      expect(seen(at.folder.home, edge), `pair ${number}`).toEqual(before);
      expect([around(at.folder.folder), around(at.folder.home)], `pair ${number}`).toEqual([['data'], ['data']]);
      at.remove();
    });
  });
});

describe('a crash, and then a container that is made anew', () => {
  it('begins the move anew, or keeps what was moved', { timeout: 300_000 }, async () => {
    const whole = place('plain', true);
    const first = seen(whole.folder.folder, edge);
    const count = await operations(whole);
    renewContainer(whole, 'second');
    const second = seen(whole.folder.folder, edge);
    whole.remove();
    const outcomes = new Set<string>();
    await forEachCut(count, async (cut) => {
      const at = place('plain', true);
      await bootAndDie(at, cut);
      renewContainer(at, 'second');
      await boot(at);
      const moved = lstatSync(`${at.folder.folder}.image`, { throwIfNoEntry: false }) === undefined;
      outcomes.add(moved ? 'anew' : 'kept');
      expect(seen(at.folder.home, edge), `cut ${cut}`).toEqual(moved ? second : first);
      if (!moved) expect(seen(`${at.folder.folder}.image`, edge), `cut ${cut}`).toEqual(second);
      at.remove();
    });
    expect([...outcomes].sort()).toEqual(['anew', 'kept']);
  });
});

describe('a crash, and then another volume', () => {
  it('removes nothing that is not on that volume', { timeout: 300_000 }, async () => {
    const whole = place('plain', true);
    const first = seen(whole.folder.folder, edge);
    const count = await operations(whole);
    whole.remove();
    await forEachCut(count, async (cut) => {
      const at = place('plain', true);
      await bootAndDie(at, cut);
      const root = join(at.folder.home, '..');
      const other = join(root, '../other');
      mkdirSync(other);
      // The volume of the crash is out of the way, but still there.
      run('mount', ['--bind', root, other]);
      run('mount', ['-t', 'tmpfs', 'tmpfs', root]);
      const left = lstatSync(at.folder.folder, { throwIfNoEntry: false });
      const rest = left?.isDirectory() === true ? seen(at.folder.folder, edge) : undefined;
      await boot(at);
      expect(readlinkSync(at.folder.folder), `cut ${cut}`).toBe(at.folder.home);
      if (rest !== undefined) expect(seen(at.folder.home, edge), `cut ${cut}`).toEqual(rest);
      const elsewhere = lstatSync(join(other, 'data'), { throwIfNoEntry: false }) !== undefined;
      if (elsewhere) expect(seen(join(other, 'data'), edge), `cut ${cut}`).toEqual(first);
      else expect(rest, `cut ${cut}`).toEqual(first);
      run('umount', [root]);
      run('umount', [other]);
      at.remove();
    });
  });
});

it('makes a home for a folder that is not there, also when killed at each operation', async () => {
  const bare = (linked: boolean): Place => {
    const at = place('plain', true);
    rmSync(at.folder.folder, { recursive: true });
    if (linked) symlinkSync(at.folder.home, at.folder.folder);
    return at;
  };
  for (const linked of [false, true]) {
    const whole = bare(linked);
    const count = await operations(whole);
    whole.remove();
    await forEachCut(count, async (cut) => {
      const at = bare(linked);
      await bootAndDie(at, cut);
      await boot(at);
      expect(readlinkSync(at.folder.folder)).toBe(at.folder.home);
      expect(lstatSync(at.folder.home).mode & 0o7777).toBe(0o755);
      expect([around(at.folder.folder), around(at.folder.home)]).toEqual([['data'], ['data']]);
      at.remove();
    });
  }
});
