/** What chaperone was doing for the new process when the system refused, in the order of the stages. */
export type SpawnErrorStage =
  | 'lookup'
  | 'notify'
  | 'pipe'
  | 'clone'
  | 'group'
  | 'terminal'
  | 'stdio'
  | 'limit'
  | 'groups'
  | 'gid'
  | 'uid'
  | 'directory'
  | 'exec';

/** A program that could not be started: an errno and the stage that met it, never an exit status. */
export interface SpawnError {
  /** The errno's name: `ENOENT`, `EACCES`, `E2BIG`, `EAGAIN` … */
  readonly code: string;
  readonly stage: SpawnErrorStage;
  /** The program as it was looked up or executed. */
  readonly program: string;
  readonly directory?: string;
}

/** What each errno means for somebody who wants to start a program. */
export const errnoReasons: Readonly<Record<string, string>> = {
  E2BIG: 'its arguments and environment are too long',
  EACCES: 'permission denied',
  EAGAIN: 'no more processes are allowed (ulimit -u, or the pids limit of the container)',
  ECANCELED: 'its start was cancelled',
  EINVAL: 'invalid argument',
  EIO: 'input/output error',
  ELIBACC: 'unix_dgram.node cannot be loaded',
  ELOOP: 'too many symbolic links',
  EMFILE: 'chaperone has no descriptor left (ulimit -n)',
  ENAMETOOLONG: 'the path is too long',
  ENFILE: 'the system has no descriptor left',
  ENOENT: 'no such file or directory',
  ENOEXEC: 'it is neither a program for this machine nor a script with a #! line',
  ENOMEM: 'out of memory',
  ENOTDIR: 'a part of the path is not a directory',
  EPERM: 'not permitted',
  ETXTBSY: 'the file is open for writing',
};

/** One sentence, beginning "cannot …", that says what failed and why. */
export function describeSpawnError(error: SpawnError): string {
  const reason = errnoReasons[error.code] ?? error.code;
  switch (error.stage) {
    case 'lookup':
      return `executable '${error.program}' not found`;
    case 'exec':
      return error.code === 'ENOENT'
        ? `cannot execute ${error.program}: it, or the interpreter it names, does not exist (ENOENT)`
        : `cannot execute ${error.program}: ${reason} (${error.code})`;
    case 'directory':
      return `cannot enter directory ${error.directory ?? '?'}: ${reason} (${error.code})`;
    case 'groups':
    case 'gid':
    case 'uid':
      return `cannot take the account's ${error.stage}: ${reason} (${error.code}); chaperone needs root to change accounts`;
    case 'clone':
      return `cannot create a process: ${reason} (${error.code})`;
    case 'notify':
      return `cannot make the notify socket: ${reason} (${error.code})`;
    case 'pipe':
      return `cannot make a pipe: ${reason} (${error.code})`;
    case 'group':
    case 'terminal':
    case 'stdio':
    case 'limit':
      return `cannot prepare the process (${error.stage}): ${reason} (${error.code})`;
  }
}
