import type { LineFormat, PacketFormat, TimestampFormat } from '../log/log-format.ts';
import type { Severity } from '../log/syslog-names.ts';
import type { Account } from './account.ts';
import type { ControlPolicy } from './control-policy.ts';
import type { LateEnvironment } from './late-environment.ts';
import type { SignalName } from './signal.ts';

/** The service types of the reference, section 2. */
export type ServiceType = 'simple' | 'oneshot' | 'forking' | 'notify' | 'inetd' | 'cron';

/** Where a standard stream of a service goes: into the log, line by line, or to the stream that chaperone itself has. */
export type OutputTarget = 'log' | 'inherit';

/**
 * Everything chaperone knows about one service before it starts: a plain value, complete with every default, so that
 * nothing behind the configuration loader has to know a default. All durations are milliseconds.
 */
export interface ServiceSpec {
  /** The name with its suffix, as users write it in `after`: `web.service`. */
  readonly name: string;
  readonly type: ServiceType;
  /** The command with its variables expanded, for log lines and explanations. */
  readonly command: string;
  /** The command split into words; the first is looked up in the service's own PATH. Never empty. */
  readonly argv: readonly string[];
  readonly enabled: boolean;
  /** Names (with suffix) that must be ready or disabled before this one starts; groups are resolved already. */
  readonly prerequisites: readonly string[];
  readonly groups: readonly string[];
  /** Absent: the account's home where an account is set, else chaperone's own directory. */
  readonly directory?: string;
  /** The environment of the program, without the variables that `late` names. */
  readonly environment: Readonly<Record<string, string>>;
  /** The variables whose values are known only at a start; absent if there are none. */
  readonly late?: LateEnvironment;
  /** Absent: chaperone's own account. */
  readonly account?: Account;
  /**
   * The account that the service needs and that does not exist. Such a service is disabled, and starting it by hand must
   * be refused: without its account it would run as chaperone itself.
   */
  readonly missingAccount?: string;
  /** `inherit`: chaperone's own; `terminal`: that too, and the process group becomes the terminal's foreground group. */
  readonly stdin: 'null' | 'inherit' | 'terminal';
  readonly stdout: OutputTarget;
  readonly stderr: OutputTarget;
  readonly killSignal: SignalName;
  /** True: own session and process group, and signals go to the whole group. */
  readonly ownGroup: boolean;
  readonly exitKills: boolean;
  readonly ignoreFailures: boolean;
  readonly optional: boolean;
  /** ms until the service must be ready. */
  readonly processTimeout: number;
  /** ms in which an early death counts as a failed start. */
  readonly startupPause: number;
  readonly restart: boolean;
  /** ms before a restart. */
  readonly restartDelay: number;
  readonly restartLimit: number;
  /** `shutdown`: once the service has failed for good, the system shuts down with its exit status. */
  readonly onFailure: 'keep' | 'shutdown';
  /** True: the service counts as ready after a normal end. */
  readonly remainAfterExit: boolean;
  /** What a stop signals: the process group, or the one process. */
  readonly killMode: 'group' | 'process';
  /** True: the environment is logged at each start. */
  readonly debug: boolean;
  /** simple and forking: the file that names the process to follow. */
  readonly pidfile?: string;
  /** notify: ms within which each WATCHDOG=1 has to follow the last; absent: no watchdog. */
  readonly watchdog?: number;
  /** inetd: the TCP port. */
  readonly port?: number;
  /** inetd: connections that are served at a time; further clients wait. */
  readonly maxConnections?: number;
  /** cron: when it runs, as written; checked. */
  readonly interval?: string;
}

/** The name of the service that runs the command of chaperone's command line. */
export const consoleService = 'CONSOLE';

/** One `.logging` section: which records go where. */
export interface LoggingSpec {
  /** The name with its suffix: `console.logging`. */
  readonly name: string;
  /** The selector's text, checked. */
  readonly selector: string;
  /** `--log-level`: positive parts that name a priority take this one, too. */
  readonly widenTo?: Severity;
  readonly enabled: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** An absolute path with strftime sequences. */
  readonly file?: string;
  /** Truncate the file at its first opening. */
  readonly overwrite: boolean;
  /** Prefix `facility.priority `. */
  readonly extended: boolean;
  /** How lines look; absent: `syslog`. */
  readonly format?: LineFormat;
  /** How packets for `syslogHost` look; absent: `rfc3164`. */
  readonly packet?: PacketFormat;
  /** How lines tell the time; absent: as is usual for `format`. */
  readonly timestamp?: TimestampFormat;
  /** The host to send copies to, by UDP; `HOST:PORT` where the port is not 514. */
  readonly syslogHost?: string;
  /** The host name to write in records. */
  readonly hostname?: string;
  /** The owner of created files and directories; absent: chaperone's own account. */
  readonly owner?: FileOwner;
}

/** The owner of files and directories that logging creates. `gidGiven`: the group may write to them. */
export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
  readonly gidGiven: boolean;
}

/** The file in which boots are recorded. */
export interface JournalSpec {
  /** Absolute; absent where nothing is recorded. */
  readonly path?: string;
  /** Bytes. */
  readonly maxSize: number;
  /** Log records stand in it, too. */
  readonly records: boolean;
}

/** The whole configuration as a plain value. All durations are milliseconds. */
export interface SystemSpec {
  readonly services: readonly ServiceSpec[];
  readonly logging: readonly LoggingSpec[];
  readonly idleDelay: number;
  readonly shutdownTimeout: number;
  readonly detectExit: boolean;
  /** Create and serve the log socket. */
  readonly enableSyslog: boolean;
  /** The path of the log socket. */
  readonly logSocket: string;
  /** ms between two STATUS= to the host's notify socket; 0: never. */
  readonly statusInterval: number;
  readonly journal: JournalSpec;
  /** The time zone of cron services, a name Intl knows; absent: chaperone's own (`TZ`, /etc/localtime). */
  readonly timeZone?: string;
  readonly control: ControlPolicy;
  /** How many files the configuration was read from, for the first line of `--inspect`. */
  readonly fileCount: number;
}

/** The name without its suffix, as people say it: `web` for `web.service`. */
export function shortName(name: string): string {
  return name.replace(/\.service$/, '');
}

/**
 * True if processes that the service's start leaves behind belong to it and are stopped with it: they are the purpose
 * of the start, or cannot be told from its own process.
 */
export function ownsRemains({ type, pidfile, killMode }: ServiceSpec): boolean {
  return killMode === 'group' && (type === 'forking' || type === 'notify' || pidfile !== undefined);
}
