import { readdirSync, readFileSync, statSync } from 'node:fs';
import type { ConfigReader } from '../../config/reader.ts';

/** Bytes of one file; what is larger was not meant to be a configuration. */
const largestFile = 16 * 1024 * 1024;

/** The configuration's files on disk. */
export const configFiles: ConfigReader = {
  stat(path) {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return 'missing';
    if (stats.isDirectory()) return 'directory';
    return stats.isFile() ? 'file' : 'other';
  },
  list: (path) => readdirSync(path),
  read(path) {
    if (statSync(path).size > largestFile) throw Object.assign(new Error(`${path} is too large`), { code: 'EFBIG' });
    return readFileSync(path, 'utf8');
  },
};

/** The text of a file of the account database; empty where there is none. */
export function readAccountFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // An image without accounts is in order: ids can still be given as numbers.
    return '';
  }
}
