import { closeSync, fstatSync, lstatSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import type { ConfigReader } from '../../config/reader.ts';

/** The most bytes of one file; a larger file is no configuration. */
const largestFile = 16 * 1024 * 1024;
/** How often a file is read that changes meanwhile. */
const mostReads = 3;

/** Reads the configuration's files from the disk. */
export const configFiles: ConfigReader = {
  stat(path) {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return 'missing';
    if (stats.isDirectory()) return 'directory';
    return stats.isFile() ? 'file' : 'other';
  },
  list: (path) => readdirSync(path),
  read(path) {
    for (let attempt = 0; attempt < mostReads; attempt += 1) {
      const text = readWhole(path);
      if (text !== undefined) return text;
    }
    throw Object.assign(new Error(`${path} changes while it is read`), { code: 'ECHANGED' });
  },
};

/** True where something stands at the path, be it a link that leads nowhere. */
export function pathExists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** The text of a file; undefined where it changed meanwhile: half a configuration may be a valid other one. */
function readWhole(path: string): string | undefined {
  const fd = openSync(path, 'r');
  try {
    const before = fstatSync(fd);
    if (before.size > largestFile) throw Object.assign(new Error(`${path} is too large`), { code: 'EFBIG' });
    const bytes = readFileSync(fd);
    const after = fstatSync(fd);
    // The size is not compared, because files of /proc and similar file systems have none.
    const same = before.size === after.size && before.mtimeMs === after.mtimeMs;
    return same && (before.size === 0 || bytes.length === before.size) ? bytes.toString('utf8') : undefined;
  } finally {
    closeSync(fd);
  }
}

/** The text of a file of the account database; empty where there is no file. */
export function readAccountFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // An image without account files is allowed: ids can still be given as numbers.
    return '';
  }
}
