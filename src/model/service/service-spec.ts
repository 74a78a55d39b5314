import type { LineFormat, PacketFormat, TimestampFormat } from '../log/log-format.ts';
import type { Overflow } from '../log/overflow.ts';
import type { Rotation } from '../log/rotation.ts';
import type { Severity } from '../log/syslog-names.ts';
import type { LossAnswer, ReturnAnswer, Ties } from '../order/prerequisite.ts';
import type { CronOptions } from '../schedule/cron-options.ts';
import type { Account } from './account.ts';
import type { Condition } from './condition.ts';
import type { ControlPolicy } from './control-policy.ts';
import type { Ending } from './ending.ts';
import type { Hooks, KillStep } from './hook.ts';
import type { LateEnvironment } from './late-environment.ts';
import type { NotifyAccess } from './notify-message.ts';
import type { LogRate, OutputTarget } from './output.ts';
import type { OnUnhealthy, ProbeTree } from './probe.ts';
import type { ReloadMethod } from './reload-method.ts';
import type { Resources } from './resources.ts';
import type { SignalName } from './signal.ts';
import type { Template } from './template.ts';
import type { RestartPolicy } from './tries.ts';
import type { ValueSources } from './value-sources.ts';

/** The service types of the reference, section 2. */
export type ServiceType = 'simple' | 'oneshot' | 'forking' | 'notify' | 'inetd' | 'cron';

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
  /** Not enabled because of the way in which the system was started: a start by hand needs nothing else. */
  readonly held?: true;
  /** Names (with suffix) that must be ready or disabled before this one starts; groups are resolved already. */
  readonly prerequisites: readonly string[];
  /** What it needs of prerequisites that are not simply to be ready before it starts. */
  readonly ties?: Ties;
  /** What it does when a prerequisite that it requires has left its stage; absent: `stop`. */
  readonly onPrerequisiteFailure?: LossAnswer;
  /** What it does, if it still runs, when a prerequisite that it requires is back; absent: `keep`. */
  readonly onPrerequisiteRestart?: ReturnAnswer;
  /** Another service waits only until the process of this one has been started: the chart reports that. */
  readonly announcesSpawn?: true;
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
  /**
   * `inherit`: chaperone's own; `terminal`: that too, and the process group becomes the terminal's foreground group; `pipe`: the
   * pipe that the outputs of other services go to.
   */
  readonly stdin: 'null' | 'inherit' | 'terminal' | 'pipe';
  readonly stdout: OutputTarget;
  /** `stdout`: to the same file as stdout. */
  readonly stderr: OutputTarget | 'stdout';
  /** Further lines in that time are dropped; absent: none are. */
  readonly logRate?: LogRate;
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
  /** Infinite where there is no limit. */
  readonly restartLimit: number;
  /** Absent: what is not configured has no effect. */
  readonly restartPolicy?: RestartPolicy;
  /** Ends that are normal, besides exit status 0. */
  readonly successExit?: readonly Ending[];
  /** `shutdown`: once the service has failed for good, the system shuts down with its exit status. */
  readonly onFailure: 'keep' | 'shutdown';
  /** Once the service has ended normally, the system shuts down with its exit status. */
  readonly onSuccess?: 'shutdown';
  /** True: the service counts as ready after a normal end. */
  readonly remainAfterExit: boolean;
  /**
   * What a stop signals: the process group, or the one process. `mixed`: the one process, and once that has ended, or at the
   * time-out, everything that is left gets SIGKILL.
   */
  readonly killMode: 'group' | 'process' | 'mixed';
  /** Commands that run around the main one; absent if there are none. */
  readonly hooks?: Hooks;
  /** The signals of a stop with the pauses between them, where there are several; the first one is `killSignal`. */
  readonly killSteps?: readonly KillStep[];
  /** ms from the beginning of a stop to SIGKILL; absent: `shutdownTimeout`. */
  readonly stopTimeout?: number;
  /** True: the environment is logged at each start. */
  readonly debug: boolean;
  /** Makes the service ready, in place of what its type says; absent: the type decides. */
  readonly ready?: ProbeTree;
  /** Tells whether the service works while it is ready; absent: nobody asks. */
  readonly healthy?: ProbeTree;
  /** Present with `healthy`. */
  readonly onUnhealthy?: OnUnhealthy;
  /** simple and forking: the file that names the process to follow. */
  readonly pidfile?: string;
  /** notify: ms within which each WATCHDOG=1 has to follow the last; absent: no watchdog. */
  readonly watchdog?: number;
  /** notify: whose datagrams count, until the service says otherwise (NOTIFYACCESS=); absent: `exec`. */
  readonly notifyAccess?: NotifyAccess;
  /** inetd: the TCP port. */
  readonly port?: number;
  /** inetd: connections that are served at a time; further clients wait. */
  readonly maxConnections?: number;
  /** cron: when it runs, as written; checked. */
  readonly interval?: string;
  /** Limits, priorities and rights of its processes; absent: chaperone's own. */
  readonly resources?: Resources;
  /** What is read at each start for its environment; absent: nothing. */
  readonly values?: ValueSources;
  /** cron: absent where none is given. */
  readonly cron?: CronOptions;
  /** What has to hold at each start, of a cron service at each run; absent: nothing. */
  readonly startIf?: Condition;
  /** How it reads its own configuration anew; absent: it cannot be told to. */
  readonly reload?: ReloadMethod;
  /** ms that a run of a process may last; absent: as long as it likes. */
  readonly maxRuntime?: number;
}

/** The name of the service that runs the command of chaperone's command line. */
export const consoleService = 'CONSOLE';

/** One `.logging` section: which records go where. */
export interface LoggingSpec {
  /** The name with its suffix: `console.logging`. */
  readonly name: string;
  /** The selector's text, checked. */
  readonly selector: string;
  /** True: the entry takes only outputs of services that name it; `selector` does not count. */
  readonly namedOnly?: true;
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
  /** JSON lines: a message that is a JSON object stands in the line as that object. */
  readonly parseJson?: true;
  /** What happens to services whose lines are not taken in time; absent: `defaultOverflow`. */
  readonly overflow?: Overflow;
  /** Where the records go while the file fails; absent: `stderr`. */
  readonly onError?: 'stderr' | 'drop';
  /** The mode of a created file; absent: 0640, or 0660 where a group is given. */
  readonly mode?: number;
  /** How the file is rotated; absent: not by chaperone. */
  readonly rotation?: Rotation;
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

/** Where metrics and health are served over TCP. */
export interface MetricsSpec {
  /** An address, not a name. */
  readonly address: string;
  readonly port: number;
}

/** The whole configuration as a plain value. All durations are milliseconds. */
export interface SystemSpec {
  readonly services: readonly ServiceSpec[];
  /** The templates, whose instances are among the services; absent if there are none. */
  readonly templates?: readonly Template[];
  readonly logging: readonly LoggingSpec[];
  readonly idleDelay: number;
  readonly shutdownTimeout: number;
  readonly detectExit: boolean;
  /** Create and serve the log socket. */
  readonly enableSyslog: boolean;
  /** The path of the log socket. */
  readonly logSocket: string;
  /** The most bytes of one log record; a longer line becomes several. */
  readonly maxLine: number;
  /** ms between two STATUS= to the host's notify socket; 0: never. */
  readonly statusInterval: number;
  readonly journal: JournalSpec;
  /** Traces go to an OpenTelemetry collector. */
  readonly otel?: true;
  /** Absent: there are no metrics over TCP. */
  readonly metrics?: MetricsSpec;
  /** The time zone of cron services, a name Intl knows; absent: chaperone's own (`TZ`, /etc/localtime). */
  readonly timeZone?: string;
  readonly control: ControlPolicy;
  /** Folders of services of another init, of which additions and removals are noticed; absent: none. */
  readonly watched?: readonly string[];
  /** The folder in which scripts change the variables of the programs that start after them; absent: there is none. */
  readonly variableFolder?: string;
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
  return killMode !== 'process' && (type === 'forking' || type === 'notify' || pidfile !== undefined);
}
