/** Says what the facts of a place mean, for chaperone and for a configuration, and what to change. */
import type { ServiceSpec, SystemSpec } from '../service/service-spec.ts';
import type { FolderFacts, PlaceFacts } from './place-facts.ts';
import { resourcesRefused } from './resource-advice.ts';

export interface Finding {
  /** `bad`: something that is configured cannot work here. `note`: it works, but not as everywhere. */
  readonly level: 'good' | 'note' | 'bad';
  /** What it is about: `pid 1`, `rights`, … */
  readonly area: string;
  readonly text: string;
  /** What to do about it. */
  readonly advice?: string;
}

type Examine = (place: PlaceFacts, spec: SystemSpec | undefined) => readonly Finding[];

/** All findings, in the order of the areas. */
export function adviceFor(place: PlaceFacts, spec?: SystemSpec): readonly Finding[] {
  return examinations.flatMap((examine) => examine(place, spec));
}

const good = (area: string, text: string): Finding => ({ level: 'good', area, text });
const note = (area: string, text: string, advice: string): Finding => ({ level: 'note', area, text, advice });
const bad = (area: string, text: string, advice: string): Finding => ({ level: 'bad', area, text, advice });

const aboutInit: Examine = ({ init, container, kernel }) => {
  const where = container === undefined ? `Linux ${kernel}` : `a container of ${container}, Linux ${kernel}`;
  const kernelFinding = good('kernel', where);
  if (init.kind === 'unknown')
    return [
      kernelFinding,
      note('pid 1', 'the program of PID 1 cannot be read', 'run the doctor as root, or as the account of chaperone'),
    ];
  if (init.kind === 'chaperone') return [kernelFinding, good('pid 1', 'chaperone is PID 1')];
  const text = init.elsewhere
    ? `PID 1 is ${init.program}: chaperone works below it, and ends only its own descendants`
    : `PID 1 is ${init.program}, and no chaperone runs here`;
  const advice = init.elsewhere
    ? 'start the container without --init and --pid=host: chaperone is an init itself'
    : 'expected ENTRYPOINT ["/usr/local/bin/chaperone"]';
  return [kernelFinding, note('pid 1', text, advice)];
};

const aboutRights: Examine = ({ uid, capabilities: { effective }, noNewPrivileges, seccomp }, spec) => {
  const who = uid === 0 ? 'root' : `the account ${uid}`;
  const findings: Finding[] = [
    good('rights', `${who}, with ${effective.size === 0 ? 'no capabilities' : `${effective.size} capabilities`}`),
  ];
  const foreign = (spec?.services ?? []).filter(
    ({ account, enabled }) => enabled && account !== undefined && account.uid !== uid,
  );
  if (foreign.length > 0 && !(effective.has('SETUID') && effective.has('SETGID')))
    findings.push(
      bad(
        'rights',
        `${listed(foreign)} cannot be started as another account: chaperone lacks CAP_SETUID or CAP_SETGID`,
        'leave out uid and gid, run the container as root, or add the capabilities SETUID and SETGID',
      ),
    );
  else if (!effective.has('SETUID'))
    findings.push(
      note(
        'rights',
        'services run as the account of chaperone itself: it lacks CAP_SETUID',
        'leave out uid and gid in services',
      ),
    );
  if (foreign.length > 0 && !effective.has('KILL'))
    findings.push(
      bad(
        'rights',
        `${listed(foreign)} cannot be stopped: chaperone lacks CAP_KILL`,
        'add the capability KILL to the container',
      ),
    );
  if (noNewPrivileges)
    findings.push(
      note(
        'rights',
        'no_new_privileges is set: sudo, su and other setuid programs gain nothing',
        'give services their account with uid',
      ),
    );
  if (seccomp === 'strict')
    findings.push(bad('rights', 'seccomp is in strict mode', 'start the container with another seccomp profile'));
  return findings;
};

const aboutPorts: Examine = ({ lowestPort, capabilities: { effective } }, spec) => {
  if (effective.has('NET_BIND_SERVICE') || lowestPort === 0) return [];
  const low = (spec?.services ?? []).filter(({ port, enabled }) => enabled && port !== undefined && port < lowestPort);
  if (low.length === 0)
    return [
      note(
        'ports',
        `ports below ${lowestPort} cannot be listened on`,
        `listen on ${lowestPort} or above, and publish that as the low port`,
      ),
    ];
  return [
    bad(
      'ports',
      `${listed(low)} cannot listen below port ${lowestPort}`,
      `choose a port of ${lowestPort} or above, or start the container with --sysctl net.ipv4.ip_unprivileged_port_start=0`,
    ),
  ];
};

const folderStates: Readonly<Record<FolderFacts['state'], string>> = {
  writable: 'can be written',
  made: 'does not exist, and can be made',
  absent: 'does not exist, and cannot be made',
  forbidden: 'cannot be written by this account',
  'read-only': 'is read-only',
};

const isUsable = ({ state }: FolderFacts): boolean => state === 'writable' || state === 'made';

/** Bytes: less is soon used up by logs. */
const littleRoom = 16 * 1024 ** 2;

const aboutFolders: Examine = ({ folders }, spec) => {
  const findings: Finding[] = [];
  const usable = folders.filter(isUsable).map(({ path }) => path);
  if (usable.length > 0) findings.push(good('folders', `${usable.join(', ')} can be written`));
  for (const folder of folders) {
    const { path, state, free } = folder;
    if (!isUsable(folder))
      findings.push(
        note(
          'folders',
          `${path} ${folderStates[state]}`,
          `mount a volume or a tmpfs there, such as --tmpfs ${path}, where something needs it`,
        ),
      );
    else if (free !== undefined && free < littleRoom)
      findings.push(
        note(
          'folders',
          `${path} has ${describeSize(free)} left`,
          'rotate log files with max_size and keep, or mount more',
        ),
      );
  }
  for (const { name, file, enabled } of spec?.logging ?? []) {
    const folder = file === undefined || !enabled ? undefined : folders.find(({ path }) => file.startsWith(`${path}/`));
    if (folder !== undefined && !isUsable(folder))
      findings.push(
        bad(
          'folders',
          `${name} cannot write ${file}: ${folder.path} ${folderStates[folder.state]}`,
          `mount something at ${folder.path}, or log with "stdout: true"`,
        ),
      );
  }
  return findings;
};

const aboutLog: Examine = ({ logSocket, folders }, spec) => {
  if (spec?.enableSyslog === false) return [good('log', 'enable_syslog is false: no log socket is wanted')];
  switch (logSocket) {
    case 'chaperone':
      return [good('log', '/dev/log is served by chaperone')];
    case 'other':
      return [
        note(
          'log',
          '/dev/log belongs to another program',
          'do not mount /dev/log of the host into the container, or set "enable_syslog: false"',
        ),
      ];
    case 'absent': {
      const dev = folders.find(({ path }) => path === '/dev');
      return dev !== undefined && !isUsable(dev)
        ? [
            note(
              'log',
              `there is no /dev/log, since /dev ${folderStates[dev.state]}`,
              'let programs log to stdout, or set log_socket to a path that can be written',
            ),
          ]
        : [good('log', 'chaperone will make /dev/log')];
    }
    case 'unknown':
      return [];
  }
};

const aboutZone: Examine = ({ zone: { name, source, problem } }, spec) => {
  if (problem !== undefined)
    return [bad('time zone', problem, 'install tzdata, or set TZ to a name or a rule such as CET-1CEST')];
  const cron = (spec?.services ?? []).some(({ type, enabled }) => enabled && type === 'cron');
  const text = `${name}, from ${source}`;
  return source === 'nothing' && cron
    ? [note('time zone', `schedules go by ${name}: nothing says a time zone`, 'set TZ, or timezone in the settings')]
    : [good('time zone', text)];
};

/** Descriptors: chaperone's own, and for each service two pipes and what watches it. */
const descriptorsOf = (services: number): number => 64 + 8 * services;

const aboutLimits: Examine = ({ limits, cgroup }, spec) => {
  const findings: Finding[] = [];
  const services = (spec?.services ?? []).filter(({ enabled }) => enabled).length;
  const files = limits.find(({ name }) => name === 'Max open files');
  if (files?.hard !== undefined && files.hard < descriptorsOf(services))
    findings.push(
      bad(
        'limits',
        `${files.hard} open files are too few for ${services} services`,
        `start the container with --ulimit nofile=${descriptorsOf(services) * 2}`,
      ),
    );
  else if (files !== undefined)
    findings.push(
      good(
        'limits',
        `${files.soft ?? 'unlimited'} open files, ${files.hard ?? 'unlimited'} where a service asks for more`,
      ),
    );
  const { version, memory, processes, processors } = cgroup;
  if (version === 0)
    findings.push(
      note(
        'cgroup',
        'no cgroup can be seen: kills for lack of memory are not told apart',
        'mount /sys/fs/cgroup read-only',
      ),
    );
  else findings.push(good('cgroup', `version ${version}: ${bounds(memory, processes, processors)}`));
  if (processes !== undefined && processes < services + 8)
    findings.push(
      bad(
        'cgroup',
        `${processes} processes are too few for ${services} services and chaperone's two`,
        `start the container with --pids-limit ${(services + 8) * 4}`,
      ),
    );
  return findings;
};

function bounds(memory: number | undefined, processes: number | undefined, processors: number | undefined): string {
  const parts = [
    memory === undefined ? 'memory without limit' : `${describeSize(memory)} of memory`,
    processes === undefined ? 'processes without limit' : `${processes} processes`,
    processors === undefined ? 'processors without limit' : `${processors} processors`,
  ];
  return parts.join(', ');
}

const aboutResources: Examine = (place, spec) =>
  resourcesRefused(spec?.services ?? [], place).map(({ area, text, advice }) => bad(area, text, advice));

const examinations: readonly Examine[] = [
  aboutInit,
  aboutRights,
  aboutResources,
  aboutPorts,
  aboutFolders,
  aboutLog,
  aboutZone,
  aboutLimits,
];

/** At most so many names in one sentence. */
const mostNames = 3;

function listed(services: readonly ServiceSpec[]): string {
  const names = services.slice(0, mostNames).map(({ name }) => name);
  const more = services.length - names.length;
  return more > 0 ? `${names.join(', ')} and ${more} more` : names.join(', ');
}

/** Bytes for people: `512.0 MiB`. */
function describeSize(bytes: number): string {
  const power = Math.min(4, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return power === 0
    ? `${bytes} bytes`
    : `${(bytes / 1024 ** power).toFixed(1)} ${['', 'KiB', 'MiB', 'GiB', 'TiB'][power]}`;
}
