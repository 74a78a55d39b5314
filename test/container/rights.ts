/** How a container may be run, and what works there: the rows of the table in docs/guide/containers.md. */
export interface Setting {
  /** As the table has it. */
  readonly name: string;
  /** Of `docker run`. */
  readonly options: readonly string[];
  /** What a shell does before it becomes chaperone; absent: chaperone is the entry point. */
  readonly before?: string;
  readonly pid1: boolean;
  readonly orphansReaped: boolean;
  readonly otherAccount: 'works' | 'EPERM';
  /** Where chaperone takes commands. */
  readonly control: string;
  /** `docker exec` does not work. */
  readonly cannotEnter?: boolean;
}

const all = { pid1: true, orphansReaped: true, otherAccount: 'works', control: '/dev/chaperone.sock' } as const;
const ofUser = { otherAccount: 'EPERM', control: '/dev/shm/chaperone-1000/chaperone.sock' } as const;
const mayMount = ['--cap-add', 'SYS_ADMIN', '--security-opt', 'apparmor=unconfined'];

export const settings: readonly Setting[] = [
  { ...all, name: 'root, the default seccomp profile', options: [] },
  { ...all, name: '`--user 1000`', options: ['--user', '1000'], ...ofUser },
  {
    ...all,
    name: '`--read-only --tmpfs /run --tmpfs /tmp`',
    options: ['--read-only', '--tmpfs', '/run', '--tmpfs', '/tmp'],
  },
  { ...all, name: '`--read-only`', options: ['--read-only'] },
  { ...all, name: '`--cap-drop ALL`', options: ['--cap-drop', 'ALL'], otherAccount: 'EPERM' },
  {
    ...all,
    name: '`--cap-drop ALL --cap-add SETUID --cap-add SETGID --cap-add KILL`',
    options: ['--cap-drop', 'ALL', '--cap-add', 'SETUID', '--cap-add', 'SETGID', '--cap-add', 'KILL'],
  },
  {
    ...all,
    name: 'a read-only /dev',
    options: mayMount,
    before: 'mount -o remount,ro /dev',
    control: '/run/chaperone/chaperone.sock',
  },
  {
    ...all,
    name: '`--user 1000 --tmpfs /run:uid=1000`',
    options: ['--user', '1000', '--tmpfs', '/run:uid=1000'],
    ...ofUser,
    control: '/run/chaperone/chaperone.sock',
  },
  {
    ...all,
    name: '`--read-only --user 10001 --group-add 2000 --cap-drop ALL`',
    options: ['--read-only', '--user', '10001', '--group-add', '2000', '--cap-drop', 'ALL'],
    otherAccount: 'EPERM',
    control: '/dev/shm/chaperone-10001/chaperone.sock',
  },
  {
    ...all,
    name: '`--user 10001:3000 --group-add 2000`, no `/dev/shm`',
    options: ['--user', '10001:3000', '--group-add', '2000', '--tmpfs', '/dev/shm:ro'],
    otherAccount: 'EPERM',
    control: '/tmp/chaperone-10001/chaperone.sock',
  },
  { ...all, name: '`--security-opt no-new-privileges`', options: ['--security-opt', 'no-new-privileges'] },
  { ...all, name: '`--init`', options: ['--init'], pid1: false },
  { ...all, name: '`--pid=host`', options: ['--pid=host'], pid1: false },
  {
    ...all,
    name: '/proc with `hidepid=2`, root',
    options: mayMount,
    before: 'mount -o remount,hidepid=2 /proc',
  },
  {
    ...all,
    name: '/proc with `hidepid=2`, uid 1000',
    options: mayMount,
    before: 'mount -o remount,hidepid=2 /proc && set -- setpriv --reuid 1000 --regid 1000 --clear-groups "$@"',
    ...ofUser,
  },
  { ...all, name: 'without /proc', options: mayMount, before: 'umount -l /proc', cannotEnter: true },
];

export function matrix(): string {
  const rows = settings.map(({ name, pid1, orphansReaped, otherAccount, control }) => [
    name,
    pid1 ? 'yes' : 'no',
    orphansReaped ? 'reaped' : 'not reaped',
    otherAccount,
    `\`${control}\``,
    'in order',
  ]);
  const table = [
    ['run as', 'PID 1', 'orphans', 'another `uid`', 'control', 'stop'],
    ['---', '---', '---', '---', '---', '---'],
    ...rows,
  ];
  return table
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n')
    .replace('| --- | --- | --- | --- | --- | --- |', '|---|---|---|---|---|---|');
}
