import { fstatSync, statSync } from 'node:fs';

/**
 * True where a path, such as /dev/stdout or /dev/console, leads to what one of the descriptors is.
 *
 * @param descriptors of stdout and stderr
 */
export function leadsTo(path: string, descriptors: readonly number[]): boolean {
  try {
    const { dev, ino } = statSync(path);
    return descriptors.some((fd) => {
      const own = fstatSync(fd);
      return own.dev === dev && own.ino === ino;
    });
  } catch {
    // There is no such file yet, or it is not for this account.
    return false;
  }
}
