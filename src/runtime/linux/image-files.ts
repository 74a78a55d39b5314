/** What the conventions of other inits read on the disk. */
import { readdirSync, type Stats, statSync } from 'node:fs';
import type { ImageConventions } from '../../config/convention-places.ts';
import { remembered } from '../../config/remember.ts';
import type { ImageEntry, ImageReader } from '../../conventions/convention.ts';
import { readConventions } from '../../conventions/conventions.ts';
import { codeOf } from '../../model/words/errno.ts';
import { configFiles, pathExists } from './config-files.ts';

/** @param environment what chaperone was started with */
export function imageConventions(environment: Readonly<Record<string, string | undefined>>): ImageConventions {
  const files = new ImageFiles();
  return {
    // A folder that goes while the system runs may come back.
    exists: remembered(pathExists),
    read(places, report) {
      for (const { name, paths } of places) if (name === 'runit') for (const path of paths) files.watch(path);
      return readConventions(places, { reader: files, environment }, report);
    },
    refresh: () => files.refresh(),
  };
}

/** A folder of services as it was listed. */
interface Listing {
  /** The names, each with which file it was: a name may come to mean another one. */
  readonly identities: ReadonlyMap<string, string>;
  /** The names of folders that have no program `run` yet. */
  readonly incomplete: ReadonlySet<string>;
  /** Unix ms of its last change; undefined where another change may follow at the same time, as far as clocks tell. */
  readonly settled: number | undefined;
}

/** ms: clocks of file systems are no coarser than this. */
const coarsestTick = 2_000;

/** Reads the disk, and gives the same answers again until there are other folders of services. */
export class ImageFiles implements ImageReader {
  readonly stat = remembered(configFiles.stat);
  readonly list = remembered(configFiles.list);
  readonly read = remembered(configFiles.read);
  readonly look = remembered(lookAt);
  readonly #listings = new Map<string, Listing>();

  /** Notices from now on what comes into a folder of services and what goes. */
  watch(folder: string): void {
    if (!this.#listings.has(folder)) this.#listings.set(folder, listingOf(folder));
  }

  /**
   * Looks whether folders of services have come, have gone or were replaced, or have got the program `run` that they lacked;
   * runsvdir(8) looks at nothing else either. What was known of those is forgotten.
   */
  refresh(): boolean {
    // All folders are looked at, whatever the first one gives.
    return [...this.#listings.keys()].filter((folder) => this.#refresh(folder)).length > 0;
  }

  #refresh(folder: string): boolean {
    const before = this.#listings.get(folder);
    const isSame = before?.settled !== undefined && before.settled === statQuietly(folder)?.mtimeMs;
    const after = isSame ? before : listingOf(folder);
    const changed = new Set<string>();
    for (const name of new Set([...(before?.identities.keys() ?? []), ...after.identities.keys()]))
      if (before?.identities.get(name) !== after.identities.get(name)) changed.add(name);
    for (const name of before?.incomplete ?? []) if (runs(`${folder}/${name}`)) changed.add(name);
    const incomplete = new Set(
      [...after.incomplete].filter((name) => !changed.has(name) || !runs(`${folder}/${name}`)),
    );
    this.#listings.set(folder, { ...after, incomplete });
    if (changed.size === 0) return false;
    const nameIn = (path: string): string => path.slice(folder.length + 1).split('/', 1)[0] ?? '';
    for (const question of [this.stat, this.list, this.read, this.look])
      question.forget((path) => path === folder || (path.startsWith(`${folder}/`) && changed.has(nameIn(path))));
    return true;
  }
}

function listingOf(folder: string): Listing {
  const stats = statQuietly(folder);
  const identities = new Map<string, string>();
  const incomplete = new Set<string>();
  try {
    for (const name of readdirSync(folder)) {
      const found = statQuietly(`${folder}/${name}`);
      identities.set(name, found === undefined ? '' : `${found.dev}:${found.ino}`);
      if (!runs(`${folder}/${name}`)) incomplete.add(name);
    }
  } catch (error) {
    // The reader has said, or will say, why the folder cannot be read.
    if (codeOf(error) === undefined) throw error;
  }
  const isSettled = stats !== undefined && Math.abs(Date.now() - stats.mtimeMs) > coarsestTick;
  return { identities, incomplete, settled: isSettled ? stats.mtimeMs : undefined };
}

/** True where the folder holds a program `run`. */
function runs(folder: string): boolean {
  const found = statQuietly(`${folder}/run`);
  return found?.isFile() === true && (found.mode & 0o111) !== 0;
}

function statQuietly(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return undefined;
  }
}

function lookAt(path: string): ImageEntry | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  return {
    kind: stats.isFile() ? 'file' : stats.isDirectory() ? 'directory' : 'other',
    executable: (stats.mode & 0o111) !== 0,
    mode: stats.mode & 0o7777,
    uid: stats.uid,
    gid: stats.gid,
    modified: stats.mtimeMs,
  };
}
