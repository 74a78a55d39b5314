import { expect, it } from 'vitest';
import {
  describeSpawnError,
  errnoReasons,
  type SpawnError,
  writableFolderHint,
} from '../../../src/model/service/spawn-error.ts';

const denied: SpawnError = { code: 'EACCES', stage: 'exec', program: '/bin/web' };

it.each<[Partial<SpawnError>, string]>([
  [{}, 'cannot execute /bin/web: permission denied (EACCES)'],
  [{ code: 'EFOO' }, 'cannot execute /bin/web: EFOO (EFOO)'],
  [{ code: 'ENOENT' }, 'cannot execute /bin/web: it, or the interpreter it names, does not exist (ENOENT)'],
  [{ detail: 'it is a folder' }, 'cannot execute /bin/web: it is a folder (EACCES)'],
  [{ stage: 'hook' }, 'not started: permission denied (EACCES)'],
  [{ stage: 'hook', detail: 'exit 1' }, 'exit 1'],
  [{ stage: 'words' }, 'cannot make words of the command: permission denied'],
  [{ stage: 'words', detail: 'no U' }, 'cannot make words of the command: no U'],
  [{ stage: 'lookup' }, "executable '/bin/web' not found"],
  [{ stage: 'directory' }, 'cannot enter directory ?: permission denied (EACCES)'],
  [{ stage: 'directory', directory: '/x' }, 'cannot enter directory /x: permission denied (EACCES)'],
  [{ stage: 'clone', code: 'ENOMEM' }, 'cannot create a process: out of memory (ENOMEM)'],
  [{ stage: 'pipe', code: 'EMFILE' }, 'cannot make a pipe: chaperone has no descriptor left (ulimit -n) (EMFILE)'],
  [{ stage: 'values' }, 'cannot read the values of its variables'],
  [{ stage: 'values', detail: 'read /x' }, 'cannot read /x'],
  [{ stage: 'setting' }, 'cannot prepare the process: permission denied (EACCES)'],
  [
    { stage: 'setting', detail: 'set nice -5', needs: 'CAP_SYS_NICE' },
    'cannot set nice -5: permission denied (EACCES); chaperone needs CAP_SYS_NICE',
  ],
  [
    { stage: 'setting', code: 'EPERM', needs: 'CAP_SYS_NICE' },
    'cannot prepare the process: not permitted (EPERM); chaperone needs CAP_SYS_NICE',
  ],
  [
    { stage: 'setting', code: 'EINVAL', needs: 'CAP_SYS_NICE' },
    'cannot prepare the process: invalid argument (EINVAL)',
  ],
  [{ stage: 'descriptor' }, 'cannot give it a descriptor for its probe'],
  [{ stage: 'descriptor', detail: 'descriptor 3' }, 'cannot give it descriptor 3'],
  [
    { stage: 'notify', code: 'EROFS' },
    `cannot make the notify socket: the file system is read-only (EROFS); ${writableFolderHint}`,
  ],
  [{ stage: 'notify', code: 'EMFILE' }, `cannot make the notify socket: ${errnoReasons['EMFILE']} (EMFILE)`],
])('a start that meets %j is told as "%s"', (changes, text) => {
  expect(describeSpawnError({ ...denied, ...changes })).toBe(text);
});

it.each(['groups', 'gid', 'uid'] as const)('an account whose %s cannot be taken needs root', (stage) => {
  expect(describeSpawnError({ ...denied, stage, code: 'EPERM' })).toBe(
    `cannot take the account's ${stage}: not permitted (EPERM); chaperone needs root to change accounts`,
  );
});

it.each([
  'group',
  'terminal',
  'stdio',
  'limit',
] as const)('a process that cannot be prepared names the stage %s', (stage) => {
  expect(describeSpawnError({ ...denied, stage })).toBe(
    `cannot prepare the process (${stage}): permission denied (EACCES)`,
  );
});

it.each(['EACCES', 'ENOENT', 'ENOSPC', 'EPERM', 'EROFS'])('a notify socket that meets %s wants a folder', (code) => {
  expect(describeSpawnError({ ...denied, stage: 'notify', code })).toContain(writableFolderHint);
});

it.each([
  'E2BIG',
  'EACCES',
  'EAGAIN',
  'ECANCELED',
  'EINVAL',
  'EIO',
  'ELIBACC',
  'ELOOP',
  'EMFILE',
  'ENAMETOOLONG',
  'ENFILE',
  'ENOENT',
  'ENOEXEC',
  'ENOMEM',
  'ENOTDIR',
  'ENOSPC',
  'EPERM',
  'EROFS',
  'ETXTBSY',
])('%s has a reason in words', (code) => {
  expect(describeSpawnError({ ...denied, stage: 'clone', code })).toMatch(
    new RegExp(`^cannot create a process: (?!${code}).+ \\(${code}\\)$`),
  );
});
