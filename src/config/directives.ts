import { defaultConnections } from '../model/schedule/scheduled-runs.ts';
import type { ServiceType } from '../model/service/service-spec.ts';

/** How a directive's value is written. */
type ValueKind =
  | 'boolean'
  /** A number of seconds, fractions allowed, not negative. */
  | 'seconds'
  /** A whole number, not negative. */
  | 'integer'
  /** A number of bytes, with K, M or G behind it for 1,024 of them, and so on. */
  | 'size'
  | 'text'
  /** A command line, split as a POSIX shell splits words. */
  | 'command'
  /** One of `choices`. */
  | 'choice'
  | 'signal'
  /** Comma-separated names, or a list of them. */
  | 'names'
  /** Globs for names of variables: a list, or comma-separated. */
  | 'globs'
  /** A map of names to texts. */
  | 'textMap'
  /** A map of directives of their own: those of `section`. */
  | 'section'
  /** A user or a group, by name or number. */
  | 'account'
  /** When a cron service runs. */
  | 'schedule'
  | 'selector'
  /** Who may control what: a map of its own, see read-control.ts. */
  | 'control';

/** One directive of the reference. */
export interface Directive {
  readonly key: string;
  readonly kind: ValueKind;
  /** Variables in the value are expanded when the configuration is loaded. */
  readonly expands: boolean;
  /** Absent if there is no default, or if it comes from elsewhere, which `summary` says then. Times are seconds. */
  readonly default?: boolean | number | string | readonly string[];
  readonly choices?: readonly string[];
  /** Numbers and sizes: the smallest and the largest. */
  readonly range?: readonly [number, number];
  /** The kind of section whose directives the value holds. */
  readonly section?: SectionKind;
  /** One line for documentation. */
  readonly summary: string;
}

/** The kinds of section, by the suffix of their names (`settings` has none); `inspect` stands within the settings. */
export type SectionKind = 'settings' | 'inspect' | 'service' | 'logging';

/** How long a start may take by default, in seconds. */
export const startTimeouts: Readonly<Record<ServiceType, number>> = {
  simple: 30,
  oneshot: 60,
  forking: 30,
  notify: 300,
  inetd: 30,
  cron: 30,
};

const serviceTypes: readonly ServiceType[] = ['simple', 'oneshot', 'forking', 'notify', 'inetd', 'cron'];
const outputTargets = ['log', 'inherit'];

const plain = { expands: false } as const;
const expanded = { expands: true } as const;

const environmentDirectives: readonly Directive[] = [
  {
    key: 'env_inherit',
    kind: 'globs',
    default: ['*'],
    ...plain,
    summary: 'which variables of the outer level are kept',
  },
  { key: 'env_set', kind: 'textMap', ...plain, summary: 'variables to set; expanded as late as possible' },
  { key: 'env_unset', kind: 'globs', ...plain, summary: 'which variables are dropped' },
];

const settings: readonly Directive[] = [
  {
    key: 'control',
    kind: 'control',
    ...plain,
    summary: 'who, besides root and the account of the services, may do more than read the status',
  },
  { key: 'debug', kind: 'boolean', default: false, ...plain, summary: 'debug for every service' },
  {
    key: 'detect_exit',
    kind: 'boolean',
    default: true,
    ...plain,
    summary: 'stop when nothing runs and nothing is scheduled',
  },
  { key: 'enable_syslog', kind: 'boolean', default: true, ...plain, summary: 'create and serve the log socket' },
  ...environmentDirectives,
  { key: 'idle_delay', kind: 'seconds', default: 1, ...plain, summary: 'pause before the first IDLE service starts' },
  { key: 'ignore_failures', kind: 'boolean', default: false, ...plain, summary: 'default for services' },
  {
    key: 'inspect',
    kind: 'section',
    section: 'inspect',
    ...plain,
    summary: 'what is recorded of every boot: a map of the directives below',
  },
  { key: 'log_socket', kind: 'text', default: '/dev/log', ...expanded, summary: 'path of the log socket' },
  { key: 'logrec_hostname', kind: 'text', ...plain, summary: 'default for logging entries' },
  { key: 'process_timeout', kind: 'seconds', ...plain, summary: 'default for services; without it, by type' },
  { key: 'startup_pause', kind: 'seconds', default: 0.5, ...plain, summary: 'default for services' },
  {
    key: 'shutdown_timeout',
    kind: 'seconds',
    default: 8,
    ...plain,
    summary: 'from SIGTERM to SIGKILL at shutdown; 0 counts as 0.5',
  },
  {
    key: 'status_interval',
    kind: 'seconds',
    default: 30,
    ...plain,
    summary: "how often STATUS= is sent to the host's notify socket; 0 never",
  },
  {
    key: 'timezone',
    kind: 'text',
    ...expanded,
    summary: "the time zone of cron services, such as Europe/Berlin; without it chaperone's own (`TZ`)",
  },
  { key: 'uid', kind: 'account', ...expanded, summary: 'default user for services and log files' },
  { key: 'gid', kind: 'account', ...expanded, summary: 'default group for services and log files' },
];

/** Bytes. The lower bound leaves room for the charts of the machines, which take 50 KiB in each boot. */
const journalSizes = [256 * 1024, 64 * 1024 ** 3] as const;

const inspect: readonly Directive[] = [
  { key: 'journal', kind: 'text', ...expanded, summary: 'the file in which boots are recorded; an absolute path' },
  {
    key: 'max_size',
    kind: 'size',
    default: '16M',
    range: journalSizes,
    ...plain,
    summary: 'how large the journal may become, in bytes or with K, M or G; the oldest boots go first',
  },
  { key: 'records', kind: 'boolean', default: false, ...plain, summary: 'log records stand in the journal, too' },
];

const service: readonly Directive[] = [
  {
    key: 'type',
    kind: 'choice',
    default: 'simple',
    choices: serviceTypes,
    ...plain,
    summary: 'when the service is ready, and what fails it',
  },
  {
    key: 'command',
    kind: 'command',
    ...expanded,
    summary: 'the program and its arguments; required; no shell runs it',
  },
  {
    key: 'enabled',
    kind: 'boolean',
    default: true,
    ...expanded,
    summary: 'false: not started, and its dependents count it as satisfied',
  },
  {
    key: 'stdout',
    kind: 'choice',
    default: 'log',
    choices: outputTargets,
    ...expanded,
    summary: 'where standard output goes',
  },
  {
    key: 'stderr',
    kind: 'choice',
    default: 'log',
    choices: outputTargets,
    ...expanded,
    summary: 'where standard error goes',
  },
  { key: 'after', kind: 'names', ...plain, summary: 'services and groups that must be ready first' },
  { key: 'before', kind: 'names', ...plain, summary: 'services and groups that wait for this one' },
  {
    key: 'service_groups',
    kind: 'names',
    default: ['default'],
    ...plain,
    summary: 'groups it belongs to; INIT and IDLE are the only upper-case ones',
  },
  { key: 'directory', kind: 'text', ...expanded, summary: "working directory; without it the account's home" },
  ...environmentDirectives,
  { key: 'exit_kills', kind: 'boolean', default: false, ...plain, summary: 'the system shuts down when it ends' },
  {
    key: 'on_failure',
    kind: 'choice',
    default: 'keep',
    choices: ['keep', 'shutdown'],
    ...expanded,
    summary:
      'shutdown: the system shuts down once it has failed and no restart is left, with its exit status; not with exit_kills, ignore_failures or type cron',
  },
  {
    key: 'ignore_failures',
    kind: 'boolean',
    ...plain,
    summary: 'failures are logged and the system goes on; default from settings',
  },
  { key: 'interval', kind: 'schedule', ...expanded, summary: 'when a cron service runs' },
  { key: 'port', kind: 'integer', range: [1, 65535], ...expanded, summary: 'the TCP port of an inetd service' },
  {
    key: 'max_connections',
    kind: 'integer',
    default: defaultConnections,
    range: [1, 65535],
    ...plain,
    summary: 'connections that an inetd service serves at a time; further clients wait',
  },
  { key: 'kill_signal', kind: 'signal', default: 'SIGTERM', ...plain, summary: 'the signal that stops it' },
  {
    key: 'optional',
    kind: 'boolean',
    default: false,
    ...plain,
    summary: 'disabled where its program or its account is missing',
  },
  { key: 'pidfile', kind: 'text', ...expanded, summary: 'the file that names the process to follow' },
  {
    key: 'process_timeout',
    kind: 'seconds',
    ...plain,
    summary: 'time to become ready; default from settings, else by type',
  },
  {
    key: 'startup_pause',
    kind: 'seconds',
    ...plain,
    summary: 'grace in which an early death is a failed start; default from settings',
  },
  { key: 'restart', kind: 'boolean', default: false, ...plain, summary: 'restart after an abnormal end' },
  { key: 'restart_delay', kind: 'seconds', default: 3, ...plain, summary: 'pause before a restart' },
  { key: 'restart_limit', kind: 'integer', default: 5, ...plain, summary: 'restarts before it counts as failed' },
  {
    key: 'remain_after_exit',
    kind: 'boolean',
    ...expanded,
    summary:
      'a normal end counts as up, for is-ready; without it true for oneshot, else false; not for inetd, cron, and forking without a pidfile',
  },
  {
    key: 'setpgrp',
    kind: 'boolean',
    default: true,
    ...plain,
    summary: 'own process group, and signals go to the whole group',
  },
  { key: 'uid', kind: 'account', ...expanded, summary: 'the user it runs as; default from settings' },
  {
    key: 'gid',
    kind: 'account',
    ...expanded,
    summary: 'the group it runs as; default from settings, else of the user',
  },
  {
    key: 'kill_mode',
    kind: 'choice',
    default: 'group',
    choices: ['group', 'process'],
    ...plain,
    summary: 'what is signalled',
  },
  { key: 'debug', kind: 'boolean', ...plain, summary: 'log its environment; default from settings' },
  {
    key: 'watchdog',
    kind: 'seconds',
    ...plain,
    summary: 'notify services: WATCHDOG=1 has to come within this time, again and again; without it, or 0, never',
  },
];

const logging: readonly Directive[] = [
  { key: 'selector', kind: 'selector', default: '*.*', ...expanded, summary: 'which records it takes' },
  {
    key: 'file',
    kind: 'text',
    ...expanded,
    summary: "a path with strftime sequences; relative to the home of the entry's user",
  },
  { key: 'stdout', kind: 'boolean', default: false, ...plain, summary: "copy to the container's standard output" },
  { key: 'stderr', kind: 'boolean', default: false, ...plain, summary: "copy to the container's standard error" },
  {
    key: 'syslog_host',
    kind: 'text',
    ...expanded,
    summary: 'copy by UDP to that host: `HOST`, `HOST:PORT` or `[ADDRESS]:PORT`; without a port, 514',
  },
  {
    key: 'format',
    kind: 'choice',
    default: 'syslog',
    choices: ['syslog', 'json', 'plain', 'rfc3164', 'rfc5424'],
    ...plain,
    summary:
      'how lines look; rfc3164 (as without it) and rfc5424: how packets for `syslog_host` look, with lines as in syslog',
  },
  {
    key: 'timestamp',
    kind: 'choice',
    choices: ['rfc3164', 'iso', 'none'],
    ...plain,
    summary: 'how lines tell the time; without it rfc3164 in syslog lines, iso in json, none in plain ones',
  },
  { key: 'enabled', kind: 'boolean', default: true, ...expanded, summary: 'false: takes nothing' },
  { key: 'overwrite', kind: 'boolean', default: false, ...plain, summary: 'truncate at the first opening' },
  { key: 'extended', kind: 'boolean', default: false, ...plain, summary: 'prefix facility and priority' },
  { key: 'logrec_hostname', kind: 'text', ...expanded, summary: 'hostname to write in the record' },
  { key: 'uid', kind: 'account', ...expanded, summary: 'owner of created files; default from settings' },
  { key: 'gid', kind: 'account', ...expanded, summary: 'group of created files; default from settings' },
];

/** Every directive of the reference, by section and key: what the loader knows, and what a schema is made from. */
export const directives: Readonly<Record<SectionKind, ReadonlyMap<string, Directive>>> = {
  settings: byKey(settings),
  inspect: byKey(inspect),
  service: byKey(service),
  logging: byKey(logging),
};

/** Spellings that configurations used before they were renamed. */
export const oldSpellings: Readonly<Record<SectionKind, ReadonlyMap<string, string>>> = {
  settings: new Map(),
  inspect: new Map(),
  service: new Map([['service_group', 'service_groups']]),
  logging: new Map([['filter', 'selector']]),
};

function byKey(table: readonly Directive[]): ReadonlyMap<string, Directive> {
  return new Map(table.map((directive) => [directive.key, directive]));
}
