/** Persistence at boot, as the environment of the container asks for it. */
import { closeSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { conventionSetting } from '../../config/convention-places.ts';
import { readSettings } from '../../config/load.ts';
import { parseBoolean } from '../../config/values.ts';
import { info, type Message } from '../../model/log/messages.ts';
import { isInside, mountPoints, wishedFolders } from '../../model/place/persistent-folders.ts';
import { codeOf, messageOf } from '../../model/words/errno.ts';
import type { Clock } from '../kernel.ts';
import { configFiles } from '../linux/config-files.ts';
import type { NativeEdge } from '../linux/native.ts';
import { type Disk, linuxDisk } from './disk.ts';
import { PersistenceRefusal, persist } from './persist.ts';

export interface KeepPorts {
  readonly edge: NativeEdge;
  readonly clock: Pick<Clock, 'now' | 'setTimeout'>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The absolute path of the configuration, whose settings may switch persistence off, or name another volume. */
  readonly config: string;
  /** Says at once what may take long. */
  readonly say: (text: string) => void;
  /** Wraps the operations; tests end the program at one of them. */
  readonly wrapDisk?: (disk: Disk) => Disk;
}

export type Kept =
  | {
      readonly ok: true;
      readonly messages: readonly Message[];
      /** The working directory, where that has moved: processes that begin in it need its path. */
      readonly directory?: string;
    }
  | { readonly ok: false; readonly why: string };

/** ms for which signals may wait. */
const breath = 20;
/** ms after which a boot does not wait any longer until another container has moved its folders. */
const lockPatience = 300_000;
const lockInterval = 200;

/** Puts the folders on the volume that the variables ask for. Nothing has been started yet. */
export async function keepFolders(ports: KeepPorts): Promise<Kept> {
  const { edge, clock, environment, config, say, wrapDisk = (disk) => disk } = ports;
  const { on, paths } = conventionSetting(readSettings(config, { reader: configFiles }), 'persistence');
  if (!on) return { ok: true, messages: [] };
  const wishes = wishedFolders(environment, parseBoolean, paths[0]);
  if (wishes.kind === 'mistake') return { ok: false, why: wishes.message };
  const directory = process.cwd();
  let rested = clock.now();
  try {
    const done = await persist(wishes.folders, {
      disk: wrapDisk(linuxDisk(edge)),
      mounts: readMountPoints(),
      own: [__dirname, process.execPath],
      token: () => edge.randomHex(8),
      breathe: async () => {
        if (clock.now() - rested < breath) return;
        await new Promise<void>((resolve) => setImmediate(resolve));
        rested = clock.now();
      },
      say,
      lock: (volume) => lockVolume(volume, ports),
    });
    const isMoved = wishes.folders.some(({ folder }) => isInside(directory, folder));
    // The folder that this process is in has gone; its path leads to where its content is now.
    if (isMoved) process.chdir(directory);
    return { ok: true, messages: done.map(info), ...(isMoved ? { directory } : {}) };
  } catch (error) {
    if (error instanceof PersistenceRefusal) return { ok: false, why: error.message };
    throw error;
  }
}

/** Two containers that share a volume must not move their folders there at the same time. */
async function lockVolume(volume: string, { edge, clock, say }: KeepPorts): Promise<() => void> {
  const path = join(volume, '.chaperone-lock');
  const end = clock.now() + lockPatience;
  for (let hasWaited = false; ; hasWaited = true) {
    const fd = tryLock(path, edge);
    if (fd === 'none') return () => undefined;
    if (fd !== undefined) return () => closeSync(fd);
    if (!hasWaited) say(`waiting until another container has moved its folders to ${volume}`);
    if (clock.now() > end) {
      throw new PersistenceRefusal(
        `another container has been moving folders to ${volume} for ${lockPatience / 60_000} minutes`,
      );
    }
    await new Promise<void>((resolve) => clock.setTimeout(resolve, lockInterval));
  }
}

/** Some network file systems have no locks: then nothing guards the volume. */
function tryLock(path: string, edge: NativeEdge): number | 'none' | undefined {
  try {
    return edge.lockFile(path);
  } catch (error) {
    const code = codeOf(error) ?? '';
    if (['ENOLCK', 'ENOTSUP', 'ENOSYS', 'EINVAL'].includes(code)) return 'none';
    throw new PersistenceRefusal(`cannot use the lock ${path}: ${code}`);
  }
}

function readMountPoints(): readonly string[] {
  try {
    return mountPoints(readFileSync('/proc/self/mountinfo', 'utf8'));
  } catch (error) {
    throw new PersistenceRefusal(`cannot tell what is mounted: ${messageOf(error)}`);
  }
}
