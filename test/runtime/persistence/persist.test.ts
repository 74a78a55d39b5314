/** What stands in the way of a move, and what a volume that is full leaves. */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { PersistentFolder } from '../../../src/model/place/persistent-folders.ts';
import { linuxDisk } from '../../../src/runtime/persistence/disk.ts';
import { type PersistPorts, persist } from '../../../src/runtime/persistence/persist.ts';
import { edge, isRoot } from '../linux/native-edge.ts';
import { portsFor } from './ports.ts';
import { fill, seen } from './trees.ts';

let root: string;
let folder: PersistentFolder;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'chaperone-persist-'));
  mkdirSync(join(root, 'image'));
  mkdirSync(join(root, 'volume'));
  folder = { variable: 'PERSISTENT_DATA', folder: join(root, 'image/data'), home: join(root, 'volume/data') };
  const path = root;
  onTestFinished(() => rmSync(path, { recursive: true }));
});

function put(more: Partial<PersistPorts> = {}): Promise<readonly string[]> {
  return persist([folder], { ...portsFor([folder], linuxDisk(edge), edge), ...more });
}

function mountVolume(size: string): void {
  const path = join(root, 'volume');
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path]);
  if (mounted.status !== 0) throw new Error(String(mounted.stderr));
  onTestFinished(() => {
    spawnSync('umount', [path]);
  });
}

describe('a folder that cannot live on the volume', () => {
  it('is one whose volume is not mounted', async () => {
    mkdirSync(folder.folder);
    await expect(put({ mounts: ['/'] })).rejects.toThrow(/^PERSISTENT_DATA: nothing is mounted at .*\/volume, so that/);
  });

  it('is a link to somewhere else, and is left as it is', async () => {
    symlinkSync('/srv', folder.folder);
    await expect(put()).rejects.toThrow(/PERSISTENT_DATA: .*\/data is a symbolic link to \/srv/);
    expect(readlinkSync(folder.folder)).toBe('/srv');
  });

  it('is no folder', async () => {
    writeFileSync(folder.folder, 'text');
    await expect(put()).rejects.toThrow(/data is no folder/);
    expect(readFileSync(folder.folder, 'utf8')).toBe('text');
  });

  it('has something else than a folder at its home', async () => {
    mkdirSync(folder.folder);
    writeFileSync(folder.home, 'text');
    await expect(put()).rejects.toThrow(/volume\/data is there and is no folder/);
  });

  it('has a mount inside', async () => {
    mkdirSync(join(folder.folder, 'cache'), { recursive: true });
    const mounts = [join(root, 'volume'), join(folder.folder, 'cache')];
    await expect(put({ mounts })).rejects.toThrow(/data\/cache is a mount of its own/);
  });

  it('holds chaperone itself', async () => {
    mkdirSync(folder.folder);
    await expect(put({ own: [join(folder.folder, 'chaperone')] })).rejects.toThrow(/belongs to chaperone itself/);
  });

  it('has a file of somebody else in the place of the record', async () => {
    mkdirSync(folder.folder);
    writeFileSync(join(root, 'image/.data.chaperone-moving'), '');
    await expect(put()).rejects.toThrow(/\.data\.chaperone-moving is in the way/);
  });
});

describe('a folder', () => {
  it('that is a volume of its own stays where it is', async () => {
    mkdirSync(folder.folder);
    const done = await put({ mounts: [join(root, 'volume'), folder.folder] });
    expect(done).toEqual([expect.stringMatching(/^PERSISTENT_DATA has no effect: .* is a volume of its own$/)]);
    expect(existsSync(folder.home)).toBe(false);
  });

  it('is kept aside under a name of its own at each new container', async () => {
    mkdirSync(folder.home);
    for (const name of ['data.image', 'data.image.2']) {
      mkdirSync(folder.folder);
      writeFileSync(join(folder.folder, 'mark'), name);
      expect(await put()).toEqual([expect.stringContaining(`is kept in ${join(root, 'image', name)}`)]);
      expect(readFileSync(join(root, 'image', name, 'mark'), 'utf8')).toBe(name);
      rmSync(folder.folder);
    }
  });

  it('needs no lock and no write where everything is in its place', async () => {
    mkdirSync(folder.home);
    symlinkSync('../volume/data', folder.folder);
    const lock = async (): Promise<never> => {
      throw new Error('locked');
    };
    expect(await put({ lock })).toEqual([]);
    expect(readlinkSync(folder.folder)).toBe('../volume/data');
  });

  it('waits for the lock before it moves', async () => {
    mkdirSync(folder.folder);
    const events: string[] = [];
    const lock = async (): Promise<() => void> => {
      events.push(existsSync(folder.home) ? 'late' : 'locked');
      return () => events.push(existsSync(folder.home) ? 'unlocked' : 'early');
    };
    await put({ lock });
    expect(events).toEqual(['locked', 'unlocked']);
  });
});

describe('a volume that is full', () => {
  it('leaves the folder as it was, and itself empty; with more space the move is done', async (context) => {
    if (!isRoot) context.skip('only root can mount a volume');
    mountVolume('64k');
    fill(folder.folder, 'first', edge);
    writeFileSync(join(folder.folder, 'large'), 'x'.repeat(200_000));
    const before = seen(folder.folder, edge);
    await expect(put()).rejects.toThrow(
      /^PERSISTENT_DATA: cannot let .*data live in .*: cannot write .*: no space is left on the device \(ENOSPC\); nothing is lost/,
    );
    expect(seen(folder.folder, edge)).toEqual(before);
    expect(readdirSync(join(root, 'volume'))).toEqual([]);
    expect(spawnSync('mount', ['-o', 'remount,size=64m', join(root, 'volume')]).status).toBe(0);
    await put();
    expect(seen(folder.home, edge)).toEqual(before);
  });

  it('can only be read', async (context) => {
    if (!isRoot) context.skip('only root can mount a volume');
    mountVolume('64k');
    expect(spawnSync('mount', ['-o', 'remount,ro', join(root, 'volume')]).status).toBe(0);
    mkdirSync(folder.folder);
    await expect(put()).rejects.toThrow(/the file system can only be read \(EROFS\)/);
  });
});
