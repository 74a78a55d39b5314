import { statSync } from 'node:fs';
import { resolve } from 'node:path';

/** The search path of execvp(3) where the environment has no PATH. */
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Finds the program that the first word of a command names.
 *
 * A file that may not be executed is returned where no better one is found: execve(2) then reports EACCES, which says
 * more than "not found".
 *
 * @returns the path for execve(2), or undefined where nothing of that name exists
 */
export function findProgram(word: string, searchPath: string | undefined, directory: string): string | undefined {
  // A directory is returned, too: execve(2) reports that it cannot be executed.
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
    // With EACCES on the way to the file, the file may exist.
    return true;
  }
}

/** The permission bits of a file that is no directory; undefined where there is none. */
function fileMode(path: string): number | undefined {
  try {
    // An exception for each folder without the program would cost more than the rest of a start.
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats === undefined || stats.isDirectory() ? undefined : stats.mode;
  } catch {
    // EACCES on a folder of PATH: the folder does not have the program.
    return undefined;
  }
}
