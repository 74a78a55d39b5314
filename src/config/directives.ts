import { calendarUnits } from '../model/log/rotation.ts';
import { lossAnswers, returnAnswers } from '../model/order/prerequisite.ts';
import { defaultConnections } from '../model/schedule/scheduled-runs.ts';
import { resourceNumbers } from '../model/service/resources.ts';
import type { ServiceType } from '../model/service/service-spec.ts';
import { conventions } from './convention-table.ts';

/** How a directive's value is written. */
type ValueKind =
  | 'boolean'
  /** A number of seconds, fractions allowed, or a time with units, `1m30s`. */
  | 'seconds'
  /** A whole number, not negative. */
  | 'integer'
  /** A number of bytes, with K, M or G behind it for 1,024 of them, and so on. */
  | 'size'
  /** A time with units, `1m30s`, or a number of seconds; not 0. */
  | 'span'
  /** One of `choices`, or a span. */
  | 'period'
  /** Mode bits of a file, octal. */
  | 'fileMode'
  /** Mode bits that new files do not get, octal. */
  | 'umask'
  | 'text'
  /** A command line, split as a POSIX shell splits words. */
  | 'command'
  /** One of `choices`. */
  | 'choice'
  | 'signal'
  /** `no`, `on-failure`, `on-failure:N`, `always`, `unless-stopped`, or a boolean. */
  | 'restart'
  /** A whole number, or `unlimited`. */
  | 'limit'
  /** A number within `range`, fractions allowed. */
  | 'number'
  /** Exit codes and signals: comma-separated, or a list. */
  | 'endings'
  /** Signals with pauses between them: `SIGQUIT 10s SIGTERM 5s`. */
  | 'killSteps'
  /** Command lines that are expanded and split when they run, with the prefixes `-` and `+`: one, or a list. */
  | 'hooks'
  /** One such command line. */
  | 'hook'
  /** Comma-separated names, or a list of them. */
  | 'names'
  /** Globs for names of variables: a list, or comma-separated. */
  | 'globs'
  /** A map of names to texts. */
  | 'textMap'
  /** A map of names of limits to numbers, sizes or `unlimited`. */
  | 'limits'
  /** A text, or a list of texts; what they mean is said where they are read. */
  | 'texts'
  /** Names of files of secrets: a map of variables to paths, or a list of variables. */
  | 'secrets'
  /** A map of directives of their own: those of `section`. */
  | 'section'
  /** A user or a group, by name or number. */
  | 'account'
  /** When a cron service runs. */
  | 'schedule'
  | 'selector'
  /** A probe, or a tree of probes: read-probes.ts. */
  | 'probes'
  /** Compose's map: read-healthcheck.ts. */
  | 'healthcheck'
  /** `wait`, `wait TIME`, `block` or `drop`. */
  | 'overflow'
  /** Conditions of a start, see read-conditions.ts. */
  | 'conditions'
  /** Where a stream goes: one of `choices`, NAME.service or NAME.logging. */
  | 'output'
  /** So many in a time: `1000/s`. */
  | 'rate'
  /** How many services a template stands for: a number, a range, or a list of names. */
  | 'instances'
  /** Whether files made for other inits are read: a boolean, or where they are. */
  | 'convention'
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

/** The kinds of section, by the suffix of their names (`settings` has none); `compat`, `inspect` and `metrics` stand within the settings. */
export type SectionKind = 'settings' | 'compat' | 'inspect' | 'metrics' | 'service' | 'logging';

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
/** Bytes. The upper bound is what a service can make chaperone keep of one line. */
const lineSizes = [1024, 1024 ** 2] as const;

const plain = { expands: false } as const;
const expanded = { expands: true } as const;

const environmentDirectives: readonly Directive[] = [
  {
    key: 'env_inherit',
    kind: 'globs',
    default: ['*'],
    ...plain,
    summary: 'the variables of the outer level that are kept',
  },
  {
    key: 'env_set',
    kind: 'textMap',
    ...plain,
    summary: 'variables to set; their values are expanded as late as possible',
  },
  { key: 'env_unset', kind: 'globs', ...plain, summary: 'the variables that are dropped' },
];

const settings: readonly Directive[] = [
  {
    key: 'compat',
    kind: 'section',
    section: 'compat',
    ...plain,
    summary: 'which files that were made for other inits are read: a map of the directives below',
  },
  {
    key: 'control',
    kind: 'control',
    ...plain,
    summary: 'who, besides root and the account of the services, may do more than read the status',
  },
  {
    key: 'debug',
    kind: 'boolean',
    default: false,
    ...plain,
    summary: 'log the environment of every service at its start',
  },
  {
    key: 'detect_exit',
    kind: 'boolean',
    default: true,
    ...plain,
    summary: 'the system ends once nothing runs and nothing is scheduled',
  },
  { key: 'enable_syslog', kind: 'boolean', default: true, ...plain, summary: 'create and serve the log socket' },
  {
    key: 'env_expand',
    kind: 'choice',
    choices: ['inherited'],
    ...plain,
    summary: 'variables in inherited values are expanded, too, but no backticks; without it, inherited values are data',
  },
  ...environmentDirectives,
  { key: 'idle_delay', kind: 'seconds', default: 1, ...plain, summary: 'pause before the first IDLE service starts' },
  {
    key: 'ignore_failures',
    kind: 'boolean',
    default: false,
    ...plain,
    summary: 'the default of this directive for services',
  },
  {
    key: 'inspect',
    kind: 'section',
    section: 'inspect',
    ...plain,
    summary: 'what is recorded of every boot: a map of the directives below',
  },
  { key: 'log_socket', kind: 'text', default: '/dev/log', ...expanded, summary: 'path of the log socket' },
  { key: 'logrec_hostname', kind: 'text', ...plain, summary: 'the default of this directive for logging entries' },
  {
    key: 'max_line',
    kind: 'size',
    default: '64K',
    range: lineSizes,
    ...plain,
    summary: 'the most bytes of one log record, also with K or M; a longer line becomes several records',
  },
  {
    key: 'metrics',
    kind: 'section',
    section: 'metrics',
    ...plain,
    summary: 'metrics and health over TCP: a map of the directives below',
  },
  {
    key: 'otel',
    kind: 'boolean',
    default: false,
    ...plain,
    summary: 'send traces to an OpenTelemetry collector; the variables OTEL_* say to which',
  },
  {
    key: 'process_timeout',
    kind: 'seconds',
    ...plain,
    summary: 'the default of this directive for services; without it, the type decides',
  },
  {
    key: 'startup_pause',
    kind: 'seconds',
    default: 0.5,
    ...plain,
    summary: 'the default of this directive for services',
  },
  {
    key: 'shutdown_timeout',
    kind: 'seconds',
    default: 8,
    ...plain,
    summary: 'the time from SIGTERM to SIGKILL at the shutdown; 0 counts as 0.5',
  },
  {
    key: 'status_interval',
    kind: 'seconds',
    default: 30,
    ...plain,
    summary: "how often STATUS= is sent to the host's notify socket; 0: never",
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

const compat: readonly Directive[] = conventions.map(({ name, paths, on, becomes }) => ({
  key: name,
  kind: 'convention',
  default: on,
  ...plain,
  summary: `${paths.map((path) => `\`${path}\``).join(', ')}: ${becomes}`,
}));

/** Bytes. The lower bound leaves room for the charts of the machines, which take 100 KiB in each boot. */
const journalSizes = [256 * 1024, 64 * 1024 ** 3] as const;

/** Bytes. A smaller file would be rotated with each few lines. */
const logSizes = [1024, 1024 ** 4] as const;

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

const metrics: readonly Directive[] = [
  {
    key: 'listen',
    kind: 'text',
    ...expanded,
    summary: 'where metrics and health are served: ADDRESS:PORT, or a port of 127.0.0.1',
  },
];

const restartDirectives: readonly Directive[] = [
  {
    key: 'restart',
    kind: 'restart',
    default: 'no',
    ...expanded,
    summary:
      'whether the service is started again after an end: no (false), on-failure (true; an abnormal end, a time-out, the watchdog, unhealthy), on-failure:N (N is the limit), always or unless-stopped (also a normal end); never after a stop by hand',
  },
  { key: 'restart_delay', kind: 'seconds', default: 3, ...expanded, summary: 'the pause before a restart' },
  {
    key: 'restart_delay_max',
    kind: 'seconds',
    default: 60,
    ...expanded,
    summary: 'the longest pause that restart_backoff makes, unless restart_delay is longer',
  },
  {
    key: 'restart_backoff',
    kind: 'number',
    default: 1,
    range: [1, 100],
    ...expanded,
    summary: 'the factor by which each pause is longer than the one before it, until the service is stable',
  },
  {
    key: 'restart_jitter',
    kind: 'number',
    default: 0,
    range: [0, 1],
    ...expanded,
    summary: 'the fraction by which chance makes a pause longer or shorter: 0.1 is up to 10 %',
  },
  {
    key: 'restart_limit',
    kind: 'limit',
    default: 5,
    ...expanded,
    summary:
      'how many restarts are tried before the service counts as failed, or unlimited; a service that was ready for a second longer than its last pause is stable, and has all tries again; a normal end after startup_pause uses up none',
  },
  {
    key: 'restart_window',
    kind: 'span',
    ...expanded,
    summary: 'a time: only the restarts within it count against restart_limit, whether the service was stable or not',
  },
  {
    key: 'restart_on_start_failure',
    kind: 'boolean',
    default: false,
    ...expanded,
    summary:
      'a start that fails is tried again, within the same limit, before it is a failure; for inetd: the opening of its port',
  },
  {
    key: 'restart_prevent',
    kind: 'endings',
    ...expanded,
    summary: 'exit codes and signals after which the service is not started again, such as `78, SIGSYS`',
  },
  {
    key: 'success_exit',
    kind: 'endings',
    ...expanded,
    summary:
      'exit codes and signals that are a normal end, too, such as `143, SIGTERM`; the exit status of the container stays what it is',
  },
];

const hookRules =
  "it runs under the service's account and in its environment, and variables are expanded then; with the prefix - its failure is ignored, with + it runs under chaperone's own account";

const hookDirectives: readonly Directive[] = [
  {
    key: 'before_start',
    kind: 'hooks',
    ...plain,
    summary: `a command, or a list of them, that runs before the command of the service; where it fails, the start has failed; ${hookRules}`,
  },
  {
    key: 'after_start',
    kind: 'hooks',
    ...plain,
    summary:
      'a command, or a list of them, that runs once the service has met its ready condition; the service is ready when they have ended; prefixes as in before_start, with MAINPID',
  },
  {
    key: 'before_stop',
    kind: 'hooks',
    ...plain,
    summary:
      'a command, or a list of them, that runs when a service that is up is to stop, before stop_command and the signals; prefixes as in before_start',
  },
  {
    key: 'stop_command',
    kind: 'hook',
    ...plain,
    summary:
      'a command that stops the service; processes that are left then get the signals; prefixes as in before_start',
  },
  {
    key: 'after_stop',
    kind: 'hooks',
    ...plain,
    summary:
      'a command, or a list of them, that runs after every end of the service and every failed start, before the next try; prefixes as in before_start; with SERVICE_RESULT, EXIT_CODE and EXIT_STATUS (systemd.exec(5)), and EXIT_SIGNAL (a number, 0 after an exit)',
  },
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
    summary: 'false: the service is not started, and services that wait for it go on',
  },
  {
    key: 'stdout',
    kind: 'output',
    default: 'log',
    choices: outputTargets,
    ...expanded,
    summary:
      'where standard output goes; `NAME.logging`: to that entry alone; `NAME.service`: to the standard input of that service',
  },
  {
    key: 'stderr',
    kind: 'output',
    default: 'log',
    choices: [...outputTargets, 'stdout'],
    ...expanded,
    summary:
      'where standard error goes; stdout: to the same place as standard output, in order with it; otherwise as for `stdout`',
  },
  {
    key: 'log_rate',
    kind: 'rate',
    ...expanded,
    summary:
      'how many lines of the service are logged at most in a time, such as `1000/s` or `5000/m`; further lines are dropped, and counted; without it, all are logged',
  },
  {
    key: 'after',
    kind: 'names',
    ...plain,
    summary:
      'services and groups that must be ready first, or have reached the stage after a colon: `db.service:healthy`; the stages are started, ready, healthy and exited',
  },
  { key: 'before', kind: 'names', ...plain, summary: 'services and groups that wait for this one' },
  {
    key: 'wants',
    kind: 'names',
    ...plain,
    summary:
      'services and groups to wait for, as with after, but no longer than until they have failed, are stopped or cannot start',
  },
  {
    key: 'requires',
    kind: 'names',
    ...plain,
    summary:
      'services and groups to wait for, as with after; on_prerequisite_failure and on_prerequisite_restart say what follows when they go down later and come back',
  },
  {
    key: 'on_prerequisite_failure',
    kind: 'choice',
    default: 'stop',
    choices: lossAnswers,
    ...expanded,
    summary:
      'what follows when a service of requires has left its stage; stop: this service stops, and starts again when the other is back; fail: it is ended and has failed; keep: it goes on',
  },
  {
    key: 'on_prerequisite_restart',
    kind: 'choice',
    default: 'keep',
    choices: returnAnswers,
    ...expanded,
    summary: 'what follows for a service that still runs when a service of its requires is back',
  },
  {
    key: 'service_groups',
    kind: 'names',
    default: ['default'],
    ...plain,
    summary: 'the groups that the service belongs to; INIT and IDLE are the only ones in upper case',
  },
  { key: 'directory', kind: 'text', ...expanded, summary: "the working directory; without it, the account's home" },
  ...environmentDirectives,
  {
    key: 'exit_kills',
    kind: 'boolean',
    default: false,
    ...plain,
    summary: 'true: the end of the service ends the system',
  },
  {
    key: 'on_failure',
    kind: 'choice',
    default: 'keep',
    choices: ['keep', 'shutdown'],
    ...expanded,
    summary:
      'shutdown: once the service has failed and no restart is left, the system shuts down with its exit status; not with exit_kills, ignore_failures or type cron',
  },
  {
    key: 'on_success',
    kind: 'choice',
    default: 'keep',
    choices: ['keep', 'shutdown'],
    ...expanded,
    summary:
      'shutdown: once the service has ended normally, the system shuts down with its exit status; not with exit_kills, restart: always, inetd, cron, and forking without a pidfile',
  },
  {
    key: 'ignore_failures',
    kind: 'boolean',
    ...plain,
    summary: 'failures of the service are logged, and the system goes on; the default is that of the settings',
  },
  {
    key: 'instances',
    kind: 'instances',
    ...expanded,
    summary:
      'of a template `NAME@.service`, required there: `3` (1 to 3), `0-3`, or names, `[mail, web]`; at most 1,000, and 0 for none',
  },
  { key: 'interval', kind: 'schedule', ...expanded, summary: 'when a cron service runs' },
  {
    key: 'timezone',
    kind: 'text',
    ...expanded,
    summary: 'cron services: the time zone of `interval`, such as Europe/Berlin; default from settings',
  },
  {
    key: 'overlap',
    kind: 'choice',
    default: 'skip',
    choices: ['skip', 'queue', 'replace'],
    ...expanded,
    summary:
      'cron services: what becomes of a run that is due while the last one goes on; skip: it is left out; queue: it waits, one at most; replace: it ends the last one',
  },
  {
    key: 'jitter',
    kind: 'seconds',
    default: 0,
    ...expanded,
    summary: 'cron services: each run begins later by a random time up to this one',
  },
  {
    key: 'run_at_start',
    kind: 'boolean',
    default: false,
    ...expanded,
    summary: 'cron services: each start of the service begins with a run',
  },
  {
    key: 'catch_up',
    kind: 'boolean',
    default: true,
    ...expanded,
    summary:
      'cron services: runs that were missed because the machine was suspended, or its clock was set, lead to one run; false: to none',
  },
  {
    key: 'start_if',
    kind: 'conditions',
    ...expanded,
    summary:
      'conditions, asked at each start, of a cron service at each run: `{file: PATH}`, `{env: NAME}`, `{env: NAME=VALUE}`, `{command: …}` (0 yes, 1 to 254 no), `{not: …}`, or a list, of which all have to be met; else the service is skipped, and counts as satisfied',
  },
  {
    key: 'reload_command',
    kind: 'command',
    ...expanded,
    summary:
      'the command that "chaperonectl reload NAME" runs, with the pid of the service in MAINPID; not for oneshot, inetd, cron, and forking without a pidfile',
  },
  {
    key: 'reload_signal',
    kind: 'signal',
    ...expanded,
    summary: 'the signal that "chaperonectl reload NAME" sends to the main process, in place of reload_command',
  },
  {
    key: 'max_runtime',
    kind: 'seconds',
    ...expanded,
    summary:
      'how long the process may run, in cron and inetd services each run: a longer one is ended, which is an abnormal end; not for forking without a pidfile',
  },
  { key: 'port', kind: 'integer', range: [1, 65535], ...expanded, summary: 'the TCP port of an inetd service' },
  {
    key: 'max_connections',
    kind: 'integer',
    default: defaultConnections,
    range: [1, 65535],
    ...plain,
    summary: 'connections that an inetd service serves at a time; further clients wait',
  },
  {
    key: 'kill_signal',
    kind: 'killSteps',
    default: 'SIGTERM',
    ...expanded,
    summary: 'the signal that stops the service, or several with pauses between them: `SIGQUIT 10s SIGTERM 5s`',
  },
  ...hookDirectives,
  {
    key: 'stop_timeout',
    kind: 'seconds',
    ...expanded,
    summary:
      'the time from the beginning of a stop to SIGKILL; it spans before_stop, stop_command and the signals, and after_stop may take as long again; without it, the sum of the pauses in kill_signal, else shutdown_timeout',
  },
  {
    key: 'optional',
    kind: 'boolean',
    default: false,
    ...plain,
    summary: 'true: the service is disabled where its program or its account is missing',
  },
  { key: 'pidfile', kind: 'text', ...expanded, summary: 'the file that holds the pid of the process to follow' },
  {
    key: 'process_timeout',
    kind: 'seconds',
    ...plain,
    summary:
      'the time in which the service has to become ready; the default is that of the settings, else the type decides',
  },
  {
    key: 'ready',
    kind: 'probes',
    ...expanded,
    summary: 'a probe, or a tree of probes, that makes the service ready, in place of its type and startup_pause',
  },
  {
    key: 'healthy',
    kind: 'probes',
    ...expanded,
    summary: 'a probe, or a tree of probes, that tells again and again whether a service that is ready works',
  },
  {
    key: 'healthcheck',
    kind: 'healthcheck',
    ...expanded,
    summary:
      'the probe of healthy, in the words of Compose: test, interval, timeout, retries, start_period, start_interval, disable',
  },
  {
    key: 'on_unhealthy',
    kind: 'choice',
    choices: ['restart', 'log', 'shutdown'],
    ...expanded,
    summary:
      'what follows once the service is unhealthy; without it, restart where healthy is given and the service may be restarted, else log',
  },
  {
    key: 'startup_pause',
    kind: 'seconds',
    ...plain,
    summary: 'the time in which an abnormal end is a failed start; the default is that of the settings',
  },
  ...restartDirectives,
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
    summary: 'true: the service has a process group of its own, and signals go to the whole group',
  },
  {
    key: 'uid',
    kind: 'account',
    ...expanded,
    summary: 'the user that the service runs as; the default is that of the settings',
  },
  {
    key: 'gid',
    kind: 'account',
    ...expanded,
    summary: 'the group that the service runs as; the default is that of the settings, else the group of the user',
  },
  {
    key: 'kill_mode',
    kind: 'choice',
    default: 'group',
    choices: ['group', 'process', 'mixed'],
    ...expanded,
    summary:
      'which processes a stop signals; group: all of them; process: the main process alone; mixed: the main process, and once it has ended, or at the time-out, what is left gets SIGKILL',
  },
  {
    key: 'notify_access',
    kind: 'choice',
    default: 'exec',
    choices: ['main', 'exec', 'all'],
    ...plain,
    summary:
      "notify services: who may send notifications: the main process; exec: root, the accounts of chaperone and of the service, and the service's processes; all: everybody",
  },
  {
    key: 'debug',
    kind: 'boolean',
    ...plain,
    summary: 'log the environment of the service at its start; the default is that of the settings',
  },
  {
    key: 'watchdog',
    kind: 'seconds',
    ...plain,
    summary: 'notify services: WATCHDOG=1 has to come within this time, again and again; without it, or 0, never',
  },
];

/** What is read at each start. */
const values: readonly Directive[] = [
  {
    key: 'env_file',
    kind: 'texts',
    ...expanded,
    summary: 'files of variables, read at each start; quoting as in systemd; `-PATH` may be missing',
  },
  {
    key: 'env_dir',
    kind: 'text',
    ...expanded,
    summary: 'a folder with a file for each variable (envdir), read at each start',
  },
  {
    key: 'secrets',
    kind: 'secrets',
    ...expanded,
    summary:
      'variables whose values are read from files at each start, as a map of NAME to PATH, or a list of names (from `/run/secrets/NAME`); one that ends in `_FILE` gets the path; shown nowhere',
  },
];

/** What a service may use and do. */
const resources: readonly Directive[] = [
  {
    key: 'limits',
    kind: 'limits',
    ...expanded,
    summary: `limits of setrlimit(2): a map of ${Object.keys(resourceNumbers).join(', ')} to a number, a size such as 2G, \`unlimited\`, or two of them as SOFT:HARD`,
  },
  {
    key: 'nice',
    kind: 'integer',
    range: [-20, 19],
    ...expanded,
    summary: 'the nice value of the service: 19 gives way to all others',
  },
  {
    key: 'umask',
    kind: 'umask',
    ...expanded,
    summary: 'the mode bits that new files of the service do not get, octal; without it, those of chaperone',
  },
  {
    key: 'oom_score_adjust',
    kind: 'integer',
    range: [-1000, 1000],
    ...expanded,
    summary: 'how readily the kernel kills the service where memory is short: -1000 never, 1000 first',
  },
  {
    key: 'cpu_affinity',
    kind: 'texts',
    ...expanded,
    summary: 'the processors that the service may run on, such as `0-3,6`',
  },
  {
    key: 'no_new_privileges',
    kind: 'boolean',
    default: false,
    ...expanded,
    summary: 'true: programs with the set-user-ID bit or with capabilities give the service no further rights',
  },
  {
    key: 'capabilities',
    kind: 'texts',
    ...expanded,
    summary:
      'the capabilities(7) that the service has, whatever its account is, and the only ones it can get; `[]`: none; without it, those of chaperone',
  },
  {
    key: 'supplementary_groups',
    kind: 'texts',
    ...expanded,
    summary: 'groups, by name or number, that the service has in addition to those of its account',
  },
];

const logging: readonly Directive[] = [
  { key: 'selector', kind: 'selector', default: '*.*', ...expanded, summary: 'the records that the entry takes' },
  {
    key: 'file',
    kind: 'text',
    ...expanded,
    summary:
      "the file, a path that may hold strftime sequences; a relative one counts from the home of the entry's user",
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
      'the format of lines; rfc3164 (the default) and rfc5424 also say how packets for `syslog_host` look, with lines as in syslog',
  },
  {
    key: 'timestamp',
    kind: 'choice',
    choices: ['rfc3164', 'iso', 'none'],
    ...plain,
    summary: 'the form of the time in lines; without it, rfc3164 in syslog lines, iso in json, and none in plain lines',
  },
  {
    key: 'parse_json',
    kind: 'boolean',
    default: false,
    ...plain,
    summary: 'with format json: a message that is a JSON object stands in the line as that object',
  },
  {
    key: 'overflow',
    kind: 'overflow',
    default: 'wait 5s',
    ...plain,
    summary:
      'what happens while a destination takes no more lines; `wait TIME`: services wait, at most so long in one stall; `block`: they wait without end; `drop`: lines are dropped at once',
  },
  {
    key: 'on_error',
    kind: 'choice',
    default: 'stderr',
    choices: ['stderr', 'drop'],
    ...plain,
    summary: 'where the records go while `file` or `stdout` cannot be written',
  },
  { key: 'enabled', kind: 'boolean', default: true, ...expanded, summary: 'false: the entry takes no records' },
  {
    key: 'overwrite',
    kind: 'boolean',
    default: false,
    ...plain,
    summary: 'true: the file is emptied when it is opened first',
  },
  {
    key: 'mode',
    kind: 'fileMode',
    ...expanded,
    summary: 'the mode of created files, octal; without it, 0640, or 0660 where a gid is given',
  },
  {
    key: 'max_size',
    kind: 'size',
    range: logSizes,
    ...expanded,
    summary: 'how large the file may become before it is rotated, in bytes or with K, M or G',
  },
  {
    key: 'rotate_every',
    kind: 'period',
    choices: calendarUnits,
    ...expanded,
    summary:
      'hourly, daily, weekly (local time), or a time such as 12h (counted from 1970 on): the first record after that time begins a new file',
  },
  {
    key: 'keep',
    kind: 'integer',
    range: [0, 10_000],
    ...expanded,
    summary: 'how many rotated files stay; without it, 5, or with max_age all that are young enough',
  },
  {
    key: 'max_age',
    kind: 'span',
    ...expanded,
    summary: 'how long after their last record rotated files stay, such as 30d',
  },
  {
    key: 'compress',
    kind: 'boolean',
    default: false,
    ...expanded,
    summary: 'true: rotated files are compressed with gzip',
  },
  {
    key: 'extended',
    kind: 'boolean',
    default: false,
    ...plain,
    summary: 'true: lines begin with facility and priority',
  },
  { key: 'logrec_hostname', kind: 'text', ...expanded, summary: 'hostname to write in the record' },
  {
    key: 'uid',
    kind: 'account',
    ...expanded,
    summary: 'the owner of created files; the default is that of the settings',
  },
  {
    key: 'gid',
    kind: 'account',
    ...expanded,
    summary: 'the group of created files; the default is that of the settings',
  },
];

/** Every directive of the reference, by section and key: what the loader knows, and what a schema is made from. */
export const directives: Readonly<Record<SectionKind, ReadonlyMap<string, Directive>>> = {
  settings: byKey(settings),
  compat: byKey(compat),
  inspect: byKey(inspect),
  metrics: byKey(metrics),
  service: byKey([...service, ...resources, ...values]),
  logging: byKey(logging),
};

/** Spellings that configurations used before they were renamed. */
export const oldSpellings: Readonly<Record<SectionKind, ReadonlyMap<string, string>>> = {
  settings: new Map(),
  compat: new Map(),
  inspect: new Map(),
  metrics: new Map(),
  service: new Map([['service_group', 'service_groups']]),
  logging: new Map([['filter', 'selector']]),
};

function byKey(table: readonly Directive[]): ReadonlyMap<string, Directive> {
  return new Map(table.map((directive) => [directive.key, directive]));
}
