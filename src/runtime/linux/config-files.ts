import { readdirSync, readFileSync, statSync } from 'node:fs';
import type { ConfigReader } from '../../config/reader.ts';

/** The configuration's files on disk. */
export const configFiles: ConfigReader = {
  stat(path) {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return 'missing';
    return stats.isDirectory() ? 'directory' : 'file';
  },
  list: (path) => readdirSync(path),
  read: (path) => readFileSync(path, 'utf8'),
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
