import { statSync } from 'node:fs';
import { resolve } from 'node:path';

/** As execvp(3) looks where the environment has no PATH. */
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Finds the program that the first word of a command names.
 *
 * A file that is there but may not be executed is returned too, when nothing better is found: executing it says EACCES,
 * which is the truth, where "not found" would not be.
 *
 * @returns the path for execve(2), or undefined where nothing of that name exists
 */
export function findProgram(word: string, searchPath: string | undefined, directory: string): string | undefined {
  // A directory is found, too: that it may not be executed is for execve(2) to say.
  if (word.includes('/')) return exists(resolve(directory, word)) ? word : undefined;
  let denied: string | undefined;
  for (const folder of (searchPath || defaultPath).split(':')) {
    const path = `${folder === '' ? '.' : folder}/${word}`;
    const mode = fileMode(resolve(directory, path));
    if (mode === undefined) continue;
    if ((mode & 0o111) !== 0) return path;
    denied ??= path;
  }
  return denied;
}

function exists(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    // EACCES on the way to it: it may be there.
    return true;
  }
}

/** The permission bits of a file that is no directory; undefined where there is none. */
function fileMode(path: string): number | undefined {
  try {
    const stats = statSync(path);
    return stats.isDirectory() ? undefined : stats.mode;
  } catch {
    // ENOENT, ENOTDIR, EACCES on a folder of PATH: it is not to be found there.
    return undefined;
  }
}
