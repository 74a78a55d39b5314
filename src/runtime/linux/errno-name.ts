import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';

/** libuv has no name for some errnos that execve(2) sets, such as ENOEXEC. The first of two names counts. */
const names = new Map(
  Object.entries(constants.errno)
    .reverse()
    .map(([name, errno]) => [errno, name]),
);

/** The name of a positive errno, as errno(3) has it. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? getSystemErrorName(-errno);
}
