/** What chaperone was doing for the new process when the system refused, in the order of the stages. */
export type SpawnErrorStage =
  | 'hook'
  | 'words'
  | 'lookup'
  | 'notify'
  /** Reading the files that hold its variables. */
  | 'values'
  | 'descriptor'
  | 'pipe'
  | 'clone'
  | 'group'
  | 'terminal'
  | 'stdio'
  | 'limit'
  /** What a directive of the service sets for its process: a limit, a priority, a right. */
  | 'setting'
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
  /**
   * `exec`: what is wrong with the program's file, where that is known; continues "cannot execute X: ". `setting` and `values`:
   * what could not be done; continues "cannot ".
   */
  readonly detail?: string;
  /** `setting`: what chaperone needs where that is not permitted. */
  readonly needs?: string;
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
  ENOSPC: 'no space left on the device',
  EPERM: 'not permitted',
  EROFS: 'the file system is read-only',
  ETXTBSY: 'the file is open for writing',
};

/** How a container with a read-only root file system gets a folder for sockets. */
export const writableFolderHint =
  'mount a writable folder at /tmp, in Kubernetes an emptyDir volume, with docker --tmpfs /tmp';

/** What making a directory meets where chaperone may not write. */
const withoutFolder: readonly string[] = ['EACCES', 'ENOENT', 'ENOSPC', 'EPERM', 'EROFS'];

/** One sentence, beginning "cannot …", that says what failed and why. */
export function describeSpawnError(error: SpawnError): string {
  const reason = errnoReasons[error.code] ?? error.code;
  switch (error.stage) {
    case 'hook':
      return error.detail ?? `not started: ${reason} (${error.code})`;
    case 'words':
      return `cannot make words of the command: ${error.detail ?? reason}`;
    case 'lookup':
      return `executable '${error.program}' not found`;
    case 'exec':
      if (error.detail !== undefined) return `cannot execute ${error.program}: ${error.detail} (${error.code})`;
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
      return `cannot make the notify socket: ${reason} (${error.code})${withoutFolder.includes(error.code) ? `; ${writableFolderHint}` : ''}`;
    case 'values':
      return `cannot ${error.detail ?? 'read the values of its variables'}`;
    case 'setting': {
      const needs = error.needs !== undefined && (error.code === 'EPERM' || error.code === 'EACCES');
      const more = needs ? `; chaperone needs ${error.needs}` : '';
      return `cannot ${error.detail ?? 'prepare the process'}: ${reason} (${error.code})${more}`;
    }
    case 'descriptor':
      return `cannot give it ${error.detail ?? 'a descriptor for its probe'}`;
    case 'pipe':
      return `cannot make a pipe: ${reason} (${error.code})`;
    case 'group':
    case 'terminal':
    case 'stdio':
    case 'limit':
      return `cannot prepare the process (${error.stage}): ${reason} (${error.code})`;
  }
}
