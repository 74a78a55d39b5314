/** Tells files that root alone can have put where they are. */
import { type BigIntStats, lstatSync, readlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The most symbolic links on the way to one file, path_resolution(7). */
const mostLinks = 40;

/**
 * True where an open file is root's, has no second name, and is reached by its path only through folders and symbolic links that root alone
 * can have made so: whoever may write to a folder may put a link to a file of root's there, or a file of root's from another folder.
 *
 * @param path absolute
 * @param opened the file that was opened by this path
 */
export function isPutByRoot(path: string, opened: BigIntStats): boolean {
  if (opened.uid !== 0n || opened.nlink !== 1n) return false;
  try {
    const found = lstatSync(throughLinksOfRoot(path), { bigint: true });
    return found.dev === opened.dev && found.ino === opened.ino;
  } catch {
    return false;
  }
}

/** The path without symbolic links. Throws where somebody else than root could change the way. */
function throughLinksOfRoot(path: string): string {
  const names = path.split('/');
  let way = '/';
  for (let links = 0; ; ) {
    const name = names.shift();
    if (name === undefined) return way;
    if (name === '' || name === '.') continue;
    const next = name === '..' ? dirname(way) : join(way, name);
    const stats = lstatSync(next);
    if (stats.uid !== 0 || (stats.isDirectory() && mayChange(stats.mode)))
      throw new Error(`${next} is not only root's`);
    if (!stats.isSymbolicLink()) {
      way = next;
      continue;
    }
    links += 1;
    if (links > mostLinks) throw new Error(`too many symbolic links lead to ${path}`);
    const target = readlinkSync(next);
    names.unshift(...target.split('/'));
    if (target.startsWith('/')) way = '/';
  }
}

/** True where others than the owner may replace what is in a folder of that mode: they may write to it, and it is not sticky. */
function mayChange(mode: number): boolean {
  return (mode & 0o022) !== 0 && (mode & 0o1000) === 0;
}
