/**
 * What chaperone says in the log, in one place. The wording of the lines is part of the interface (reference, section 7):
 * people grep for it.
 */

import { describeCause } from '../order/prerequisite.ts';
import { isScheduled, type ScheduleNews } from '../schedule/scheduled-runs.ts';
import type { HelperRole } from '../service/beside.ts';
import { describeNoAnswer } from '../service/condition.ts';
import { isNormalEnd } from '../service/ending.ts';
import { describeExit, type ExitStatus, procStatus, waitStatus } from '../service/exit-status.ts';
import { describeHookFailure, describePlace, type HookFailure, type HookPlace } from '../service/hook.ts';
import type { NotifySender } from '../service/notify-access.ts';
import type { NotifyAccess } from '../service/notify-message.ts';
import { describeRate, type LogRate } from '../service/output.ts';
import type { FollowRefusal } from '../service/pidfile.ts';
import type { OnUnhealthy } from '../service/probe.ts';
import { describeReload, type ReloadNews, type ReloadOutcome } from '../service/reload-method.ts';
import { describeNoTry } from '../service/restart-policy.ts';
import type { FailureCause, RunEnd, ServiceChange } from '../service/service-phase.ts';
import { consoleService, type ServiceSpec } from '../service/service-spec.ts';
import type { SignalName } from '../service/signal.ts';
import { describeSpawnError } from '../service/spawn-error.ts';
import { describeStop, shownStops } from '../service/stop-record.ts';
import type { SystemEnd } from '../service/system-end.ts';
import type { SystemNotice } from '../service/system-notice.ts';
import { cutList } from '../words/cut-list.ts';
import type { Diagnostic } from '../words/diagnostic.ts';
import { describeDuration } from '../words/duration.ts';
import { oneLine } from '../words/printable.ts';
import { maskSecrets, secretsIn, shownCommand, shownEnvironment } from '../words/secrets.ts';
import type { Facility, Severity } from './syslog-names.ts';

/** Longer lists of pids are cut. */
const longestList = 20;

/** What the log says wherever something other than the end of all processes begins a shutdown. */
const killRequest = warning('Request made to kill system.');

/** How many services a line names as those that hold another one up. */
const mostRoots = 5;

export interface Message {
  readonly severity: Severity;
  readonly text: string;
  /** Absent: the facility of chaperone's own messages. */
  readonly facility?: Facility;
  /** True if the text holds words of a command or values of an environment: only the log may show it. */
  readonly revealing?: true;
}

/**
 * The log lines for one notice of the system machine.
 *
 * @param now monotonic ms
 */
export function messagesFor(
  notice: SystemNotice,
  service: (name: string) => ServiceSpec | undefined,
  now: number,
): readonly Message[] {
  switch (notice.type) {
    case 'service.skipped':
      return [debug(`service ${notice.service} not enabled, will be skipped`)];
    case 'service.queued':
      return [debug(`service ${notice.service} enabled, queueing start request`)];
    case 'service.released':
      return [debug(`service ${notice.service} prerequisites satisfied`)];
    case 'service.reset': {
      const spec = service(notice.service);
      return [spec === undefined ? resetMessage(notice.service) : about(spec, resetMessage(notice.service))];
    }
    case 'service.blocked':
      return [warning(`service ${notice.service} will not start: it waits for ${hopeless(notice.roots)}`)];
    case 'service.changed': {
      const spec = service(notice.service);
      return spec === undefined ? [] : changeMessages(spec, notice.change).map((message) => about(spec, message));
    }
    case 'service.noticed': {
      const spec = service(notice.service);
      return spec === undefined ? [] : newsMessages(spec, notice.news).map((message) => about(spec, message));
    }
    case 'service.tied':
      return [info(tiedText(notice))];
    case 'service.healthy':
      return [notice.again ? info(`${notice.service} is healthy again`) : debug(`${notice.service} is healthy`)];
    case 'service.unhealthy': {
      const { probe, reason } = notice.cause;
      return [warning(`${notice.service} is unhealthy: ${probe}: ${reason}${unhealthyAnswers[notice.answer]}`)];
    }
    case 'service.removed':
      return [info(`service ${notice.service} removed`)];
    case 'service.survives':
      return [
        warning(
          notice.waits
            ? `service ${notice.service} survives SIGKILL: one of its processes hangs in the kernel, and chaperone waits for its end`
            : `service ${notice.service} survives SIGKILL; the shutdown goes on without it`,
        ),
      ];
    case 'system.ready':
      return [];
    case 'system.waiting':
      return [warning(`system will remain active since there are scheduled services: ${notice.services.join(', ')}`)];
    case 'system.draining':
      return endMessages(notice.end, service);
    case 'system.forced':
      return [warning('Request made to kill system. (forced)')];
    case 'system.stopped':
      return stopMessages(notice);
    case 'system.clearing':
      return notice.signal === 'SIGKILL'
        ? [info(`Some processes remain after ${seconds(now - notice.begun)}secs.  Forcing kill`)]
        : [debug('Final termination phase.')];
    case 'system.halted':
      return [];
  }
}

const consequences = {
  stop: ['stops', 'on_prerequisite_failure: stop'],
  fail: ['fails', 'on_prerequisite_failure: fail'],
  restart: ['restarts', 'on_prerequisite_restart: restart'],
  reload: ['reloads', 'on_prerequisite_restart: reload'],
} as const;

/** `web.service stops because db.service has crashed (on_prerequisite_failure: stop)`. */
function tiedText({ service, cause, consequence }: SystemNotice & { readonly type: 'service.tied' }): string {
  const [verb, directive] = consequences[consequence];
  return `${service} ${verb} because ${describeCause(cause)} (${directive})`;
}
const unhealthyAnswers: Readonly<Record<OnUnhealthy, string>> = {
  log: '',
  restart: '; it is ended (on_unhealthy: restart)',
  shutdown: '; the system ends (on_unhealthy: shutdown)',
};

function hopeless(roots: readonly string[]): string {
  const what = roots.length === 1 ? 'does not become ready by itself' : 'do not become ready by themselves';
  return `${cutList(roots, mostRoots)}, which ${what}`;
}

export const readyMessage = (version: string): Message => info(`chaperone version ${version}, ready.`);

export function startAttempt(spec: ServiceSpec): Message {
  switch (spec.type) {
    case 'cron':
      return revealing(info(`cron service ${spec.name} running CMD ( ${shownCommand(spec)} )`));
    case 'inetd':
      return revealing(
        debug(
          `${spec.name} received connection on port ${spec.port ?? 0}; attempting start '${shownCommand(spec)}'...`,
        ),
      );
    case 'simple':
    case 'oneshot':
    case 'forking':
    case 'notify':
      return revealing(debug(`${spec.name} attempting start '${shownCommand(spec)}'...`));
  }
}

/** @param argv the words of the hook, expanded */
export const hookAttempt = (spec: ServiceSpec, hook: HookPlace, argv: readonly string[]): Message => {
  const command = maskSecrets(argv.join(' '), secretsIn(spec.environment));
  return revealing(debug(`${spec.name} running ${describePlace(hook)} '${oneLine(command)}'`));
};

export const hookFailed = (name: string, hook: HookPlace, failure: HookFailure): Message =>
  warning(`${name} ${describePlace(hook)} failed: ${describeHookFailure(failure)}`);

export const hookLeft = (name: string, hook: HookPlace, count: number): Message =>
  warning(
    `${name} ${describePlace(hook)} has left ${count} ${count === 1 ? 'process' : 'processes'} behind, which chaperone ends: what runs on belongs into "command"`,
  );

/** A command beside the service's own begins. */
export const helperAttempt = (spec: ServiceSpec, role: HelperRole): Message =>
  revealing(debug(`${spec.name} running ${role} '${shownCommand(spec)}'...`));

export const reloadSignal = (name: string, signal: SignalName, pid: number): Message =>
  debug(`using ${signal} to reload ${name}, pid ${pid}`);

/** Gives messages about cron and inetd services the facility that cron(8) and inetd(8) use. */
export function about(spec: ServiceSpec, message: Message): Message {
  return isScheduled(spec.type) ? { ...message, facility: spec.type === 'cron' ? 'cron' : 'daemon' } : message;
}

/** @param code why accept4(2) took no client, such as EMFILE */
export const acceptPaused = (spec: ServiceSpec, code: string, pause: number): Message =>
  warning(
    `${spec.name} cannot take a connection on port ${spec.port ?? 0} (${code}): clients wait, and chaperone tries again every ${seconds(pause)} s`,
  );

/** The command of a probe gets SIGKILL with its group: it took too long, or has left others behind. */
export const probeKilled = (name: string, pids: readonly number[]): Message =>
  debug(`sending SIGKILL to the command of a probe of ${name}, pid ${cutList(pids.map(String), longestList)}`);

/** The environment of a service with `debug`, a line a variable, without secrets. */
export const environmentDump = (
  spec: ServiceSpec,
  environment: Readonly<Record<string, string>>,
  hidden?: ReadonlySet<string>,
): readonly Message[] =>
  Object.entries(shownEnvironment(environment, hidden))
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, value]) => revealing(debug(`${spec.name} environment: ${oneLine(`${name}=${value}`)}`)));

export const valueLinesIgnored = (name: string, path: string, lines: readonly number[]): Message =>
  warning(
    `${name}: env_file ${oneLine(path)}: ${lines.length === 1 ? 'line' : 'lines'} ${listed(lines)} ${lines.length === 1 ? 'is' : 'are'} no assignment, and ignored`,
  );

/** The first few of many numbers. */
function listed(numbers: readonly number[]): string {
  const shown = numbers.slice(0, 10).join(', ');
  return numbers.length > 10 ? `${shown} and ${numbers.length - 10} more` : shown;
}

/** The line that scripts look for, beside the report for people. */
export const configurationError = ({ message, code }: Pick<Diagnostic, 'message' | 'code'>): Message => ({
  severity: 'err',
  text: `Configuration Error: ${oneLine(message)} [${code}]`,
});

export const explicitStatus = (name: string, status: ExitStatus): Message =>
  debug(`${name} got explicit return code '${procStatus(status)}'`);

export const userCreated = (name: string, uid: number, gid: number): Message =>
  info(`created the user ${name} (uid ${uid}, gid ${gid})`);

export const logLevelForced = (level: Severity): Message => info(`Forcing all log output to '${level}' or greater`);

export const commandFailed = (command: string, reason: string): Message =>
  revealing(
    warning(`the command \`${oneLine(command)}\` in the configuration failed and stands for no text: ${reason}`),
  );

export const exitKillsAhead = (spec: ServiceSpec): Message =>
  warning(`system will be killed when '${maskSecrets(spec.argv[0] ?? '', secretsIn(spec.environment))}' exits`);

export const terminating = (name: string, signal: SignalName): Message => debug(`using ${signal} to terminate ${name}`);

/** A signal that somebody requested; it need not end the service. */
export const signalling = (name: string, signal: SignalName): Message => info(`sending ${signal} to ${name} as asked`);

/** @param asked the signal that asked the service to end before, and how many ms ago */
export function killing(
  name: string,
  pids: readonly number[],
  asked: { readonly signal: SignalName; readonly for: number } | undefined,
): Message {
  const which = pids.length === 0 ? '' : ` (pid ${cutList(pids, longestList)})`;
  const why = asked === undefined ? '' : `: it has not ended within ${describeDuration(asked.for)} of ${asked.signal}`;
  return warning(`using SIGKILL to terminate ${name}${which}${why}`);
}

/** The end of another process of the service: a member of its group, or one that its start left behind. */
export const memberReaped = (name: string, pid: number, status: ExitStatus): Message =>
  debug(`${name} exit status for pid=${pid} of its group is '${procStatus(status)}'`);

export const signalDenied = (name: string, pid: number, signal: SignalName): Message =>
  warning(`cannot send ${signal} to ${name} (pid ${pid}): not permitted; for another account chaperone needs CAP_KILL`);

/** A service that chaperone expects in the foreground has ended normally, and processes that it has started live on. */
export const daemonLeft = (name: string, count: number): Message =>
  info(
    `${name} has left ${count} ${count === 1 ? 'process' : 'processes'} behind, as a daemon does: chaperone follows a daemon under type forking with a pidfile`,
  );

export const exitSeen = (
  name: string,
  pid: number,
  status: ExitStatus,
  service: Pick<ServiceSpec, 'successExit'> = {},
): Message => ({
  severity: isNormalEnd(service, status) ? 'debug' : 'info',
  text: `${name} exit status for pid=${pid} is '${procStatus(status)}'`,
});

export const orphanReaped = (pid: number, status: ExitStatus): Message =>
  info(`Caught subprocess termination from unknown pid: ${pid} -> ${waitStatus(status)}`);

export const pidChanged = (name: string, pid: number, from: number): Message =>
  debug(`${name} changing PID to ${pid} (from ${from})`);

/**
 * @param source where the pid comes from: the pid file, or MAINPID
 * @param owner the service that the process belongs to, where it is another's
 */
export function pidRefused(
  name: string,
  pid: number,
  source: string,
  refusal: FollowRefusal,
  owner: string | undefined,
): Message {
  return warning(`${name} does not follow pid ${pid} from ${source}: ${refusalText(refusal, owner)}`);
}

function refusalText(refusal: FollowRefusal, owner: string | undefined): string {
  switch (refusal) {
    case 'first':
      return 'PID 1 is never a process of a service';
    case 'owned':
      return `the process belongs to ${owner ?? 'another service'}`;
    case 'foreign':
      return "it neither belongs to the service nor runs under the service's own account, and only root may name any other process";
    case 'own':
      return 'it is a process of chaperone itself';
    case 'old':
      return 'the process is older than this start of the service';
  }
}

export const pidVanished = (name: string, pid: number, source: string): Message =>
  warning(`${name} does not follow pid ${pid} from ${source}: there is no such process`);

export const pidfileKept = (name: string, file: string, code: string): Message =>
  warning(`${name} is stopped, but its pid file '${file}' cannot be removed (${code})`);

/** Told once for a start, so that a flood does not fill the log. */
export const notifyRefused = (name: string, { pid, uid }: NotifySender, access: NotifyAccess): Message => {
  const where = pid > 0 ? `of uid ${uid}` : 'from outside of the pid namespace';
  const text = `${name} got a notification from pid ${pid}, which may not send any (NOTIFYACCESS=${access})`;
  return warning(
    `${text}: the sender, ${where}, is none that notify_access permits; further ones are ignored without a word`,
  );
};

/** @param errors as sent, such as `ERRNO=2` */
export const helperFailed = (name: string, pid: number, errors: string): Message =>
  debug(
    `${name} got ${errors} from pid ${pid}, which is not its main process: it does not count as the service's error`,
  );

export const notifyTruncated = (name: string): Message =>
  warning(`${name} sent a notification that is too long; only its beginning was read`);

export const descriptorsRefused = (name: string, count: number, kept: number): Message =>
  warning(
    `${name} sent ${count} more ${count === 1 ? 'descriptor' : 'descriptors'} (FDSTORE) than the ${kept} that chaperone keeps for it, and ${count === 1 ? 'it was' : 'they were'} closed`,
  );

export const hostQueueing = (text: string, path: string): Message =>
  debug(`queueing '${text}' to notify socket '${path}'`);

export const hostUnreachable = (path: string, code: string): Message =>
  warning(`cannot notify the host at '${path}' (${code})`);

export const optionalDisabled = (name: string, program: string): Message =>
  info(`optional service ${name} disabled since '${program}' is not present`);

export const missingIgnored = (name: string, program: string): Message =>
  warning(`service ${name} disabled, executable '${program}' not found (ignore_failures)`);

export const notPid1 = (pid: number): Message => info(`not PID 1 (pid ${pid}): working as a child subreaper`);

export const cannotSubreap = (code: string): Message =>
  warning(`cannot become a child subreaper (${code}): orphans of services will not be reaped here`);

export const signalIgnored = (signal: SignalName): Message => info(`${signal} received, nothing to do`);

export const hangupReceived = (): Message => info('SIGHUP received, reloading the configuration');

/** @param line of the plan */
export const reloadStep = (line: string): Message => info(`reload: ${line}`);

/** @param bytes that nobody will read any more */
export const unreadInput = (name: string, bytes: number): Message =>
  warning(`${name} has not read the last ${bytes} bytes that were written to it`);

export const inputEnded = (name: string, signal: SignalName): Message =>
  debug(`${name} finds the end of its input, and gets ${signal} if it goes on`);

/** @param lines how many */
export const linesOverRate = (name: string, lines: number, rate: LogRate): Message =>
  warning(`${lines} line${lines === 1 ? '' : 's'} of ${name} dropped: more than its log_rate of ${describeRate(rate)}`);

/** @param started, stopped with their suffix */
export const templateScaled = ({
  template,
  count,
  started,
  stopped,
}: {
  readonly template: string;
  readonly count: number;
  readonly started: readonly string[];
  readonly stopped: readonly string[];
}): Message => {
  const changes = [
    ...(started.length === 0 ? [] : [`starting ${started.length}`]),
    ...(stopped.length === 0 ? [] : [`stopping ${stopped.length}`]),
  ];
  return info(`${template} scaled to ${count}: ${changes.length === 0 ? 'nothing changes' : changes.join(', ')}`);
};

/** A folder of a service has come or gone. */
export const folderChanged = (action: string, name: string): Message => info(`folders of services: ${action} ${name}`);

/** @param line of the report on what is wrong */
export const reloadRefused = (line: string): Message => ({ severity: 'err', text: `reload refused: ${line}` });

export const noProcessesRemain = (): Message => debug('No processes remain when attempting to kill system, just stop.');

/** @param errorCode why the sink refused them, such as ENOSPC; without one it was too slow */
export const recordsDropped = (count: number, sink: string, errorCode?: string): Message => {
  const reason = errorCode === undefined ? `${sink} did not take them in time` : `${sink} refused them (${errorCode})`;
  return warning(`${count} log records were dropped because ${reason}`);
};

/** @param account the account whose records they were, such as `uid 1000` */
export const recordsOfAccountDropped = (count: number, account: string, sink: string): Message =>
  warning(`${count} records of ${account} were dropped because ${sink} did not take so many in time`);

/** @param source what means the zone, such as `TZ=CET-1` or a path */
export const zoneNameless = (source: string, used: string): Message =>
  warning(`${source} is no time zone that has a name here: log lines and cron services go by ${used}`);

/** Why a sink or a socket of logging cannot be used; shown behind the errno. */
const loggingReasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EADDRINUSE: 'another process serves it',
  EEXIST: 'something that is no socket is there',
  EISDIR: 'it is a directory',
  ENOENT: 'its directory does not exist',
  FOREIGN_FILE: 'it belongs to another account',
  FOREIGN_FOLDER: 'another account could replace files in its directory',
  FOREIGN_HARD_LINK: 'it has several names, and another account may have made them',
  FOREIGN_LINK: 'a symbolic link in its path could be of another account',
  WRITABLE_BY_ALL: 'accounts that should not may write to it',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota is used up',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name cannot be resolved now',
  EPERM: 'not permitted',
  EPIPE: 'nobody reads it',
  EROFS: 'read-only file system',
};

/** The errno and, where it is known, what it means. */
function reasonOf(errorCode: string): string {
  const reason = loggingReasons[errorCode];
  return reason === undefined ? errorCode : `${errorCode}, ${reason}`;
}

/** @param diverted true: stderr gets the records until the sink works again */
export const sinkRefuses = (sink: string, errorCode: string, diverted: boolean): Message => {
  const then = diverted ? 'they go to stderr until that works again' : 'those that are lost are counted';
  return warning(`cannot write log records to ${sink} (${reasonOf(errorCode)}); ${then}`);
};

export const sinkWorksAgain = (sink: string): Message => info(`log records go to ${sink} again`);

export const rotationFails = (path: string, errorCode: string): Message =>
  warning(`cannot rotate the log file ${path} (${reasonOf(errorCode)}): it goes on to grow`);

/** Why a file cannot be a journal, for reasons that are not an errno or whose errno means something else here. */
const journalReasons: Readonly<Record<string, string>> = {
  EEXIST: 'EEXIST, a file stands where a directory should be',
  ENOTDIR: 'ENOTDIR, a file stands where a directory should be',
  ELOOP: 'ELOOP, it is a symbolic link',
  NOT_A_FILE: 'it is not a regular file',
  NOT_A_JOURNAL: 'it holds something other than a journal',
};

export const journalRefuses = (path: string, errorCode: string): Message => {
  const passing = errorCode === 'ENOSPC' || errorCode === 'EDQUOT';
  const consequence = passing
    ? 'entries wait in memory, and those that are lost are counted'
    : 'this boot is not recorded';
  return warning(
    `cannot write the journal ${path} (${journalReasons[errorCode] ?? reasonOf(errorCode)}): ${consequence}`,
  );
};

export const journalFull = (path: string): Message =>
  warning(`this boot fills the journal ${path} (max_size): its beginning and its newest part stay in it`);

export const syslogServed = (path: string): Message => info(`Switching all chaperone logging to ${path}`);

export const syslogUnavailable = (path: string, errorCode: string): Message =>
  warning(`cannot serve ${path} (${reasonOf(errorCode)}): what programs send to it is not logged`);

/** Why a service failed, as the exception text of the log lines. */
export function failureText(spec: ServiceSpec, cause: FailureCause): string {
  switch (cause.kind) {
    case 'spawn':
      return describeSpawnError(cause.error);
    case 'exit':
      return `${spec.name} failed on start-up with result '${procStatus(cause.status)}'`;
    case 'timeout': {
      const consequence = spec.ignoreFailures
        ? "proceeding due to 'ignore_failures=True'"
        : "terminating due to 'ignore_failures=False'";
      const missing = spec.type === 'notify' ? 'receive ready notification' : 'exit';
      return `${spec.type} service '${spec.name}' did not ${missing} after ${seconds(cause.timeout)} second(s), ${consequence}`;
    }
    case 'hook':
      return `${spec.name} failed in ${describePlace(cause.hook)}: ${describeHookFailure(cause.failure)}`;
    case 'listen':
      return `${spec.name} cannot listen on port ${cause.port}: ${describeListenError(cause)}`;
    case 'schedule':
      return `${spec.name} cannot be scheduled using interval spec '${spec.interval ?? ''}': ${cause.problem}`;
    case 'pidfile':
      return pidfileText(spec.name, cause);
    case 'reported':
      return `${spec.name} failed with reported error ${reportedStatus(cause)}`;
    case 'overrun':
      return `${spec.name} ran longer than max_runtime, ${seconds(cause.limit)} s`;
    case 'condition':
      return `${spec.name} cannot be started: a command of start_if gave no answer: ${describeNoAnswer(cause.failure)}`;
    case 'unready':
      return `${spec.name} did not become ready after ${seconds(cause.timeout)} second(s): ${cause.probe}: ${cause.reason}`;
    case 'unhealthy':
      return `${spec.name} failed: it is unhealthy: ${cause.probe}: ${cause.reason}`;
    case 'watchdog':
      return cause.triggered
        ? `${spec.name} failed: it declared itself failed with WATCHDOG=trigger`
        : `${spec.name} failed: no WATCHDOG=1 within ${seconds(cause.interval)} second(s)`;
    case 'prerequisite':
      return `${spec.name} failed because ${describeCause(cause)} (on_prerequisite_failure: fail)`;
  }
}

const listenReasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'something else listens on it already',
  EACCES: 'not permitted',
  EPERM: 'not permitted',
  EMFILE: 'chaperone has no descriptor left (ulimit -n)',
  ENFILE: 'the system has no descriptor left',
  EAFNOSUPPORT: 'this machine has neither IPv6 nor IPv4',
};

/** Why a port cannot be listened on. */
export function describeListenError({ code }: Extract<FailureCause, { kind: 'listen' }>): string {
  const reason = listenReasons[code];
  return reason === undefined ? code : `${reason} (${code})`;
}

function pidfileText(name: string, { file, trouble, timeout }: Extract<FailureCause, { kind: 'pidfile' }>): string {
  switch (trouble) {
    case 'garbage':
      return `${name} found pid file '${file}' but contents did not contain an integer`;
    case 'absent':
    case 'unchanged':
      return `${name} did not find pid file '${file}' before ${seconds(timeout)}sec process_timeout expired`;
    case 'dead':
      return `${name} found pid file '${file}' but no process lives under the pid in it`;
    case 'refused':
      return `${name} found pid file '${file}' but the pid in it may not be followed`;
  }
}

/** A reported error in the form of the reference's STATUS, although no process has ended with it. */
function reportedStatus({ errno, busError }: Extract<FailureCause, { kind: 'reported' }>): string {
  return busError === undefined ? procStatus({ kind: 'exited', code: errno ?? 0 }) : `<ProcStatus ${busError}>`;
}

function changeMessages(spec: ServiceSpec, change: ServiceChange): readonly Message[] {
  switch (change.phase) {
    case 'starting':
    case 'stopping':
      return [];
    case 'disabled':
      return [info(`${spec.name} skipped: ${change.skipped} (start_if)`)];
    case 'stopped':
      return [debug(`${spec.name} stopped`)];
    case 'ready.scheduled':
      return [scheduledMessage(spec), startedMessage(spec, false)];
    case 'exited':
      return [...(change.wasReady ? [] : [startedMessage(spec, change.restarted)]), endedNormally(spec, change.end)];
    case 'ready.exited':
    case 'ready.running':
      return [startedMessage(spec, change.restarted)];
    case 'backoff':
      return [
        ...backoffMessages(spec, change),
        info(`${spec.name} pausing between restart retries (${change.restartsLeft ?? 'unlimited'} left)`),
      ];
    case 'failed':
      return [
        ...(change.during === 'run' ? lossMessages(spec, change.cause) : startFailureMessages(spec, change.cause)),
        ...(change.gaveUp === undefined ? [] : [gaveUp(spec, change.gaveUp)]),
        ...(change.noTry?.kind === 'prevented'
          ? [info(`${spec.name} is not restarted (${describeNoTry(change.noTry)})`)]
          : []),
      ];
  }
}

function endedNormally({ name }: ServiceSpec, { pid, status, ran }: RunEnd): Message {
  return info(`${name} ended normally with ${describeExit(status)} after ${describeDuration(ran)} (pid ${pid})`);
}

function gaveUp(
  { name, ignoreFailures }: ServiceSpec,
  { restarts, after }: { restarts: number; after: number },
): Message {
  const tries = `${restarts} restart${restarts === 1 ? '' : 's'}`;
  return {
    severity: ignoreFailures ? 'warning' : 'err',
    text: `${name} gave up after ${tries} in ${describeDuration(after)} (restart_limit)`,
  };
}

function startedMessage(spec: ServiceSpec, restarted: boolean): Message {
  return debug(restarted ? `${spec.name} restart succeeded` : `${spec.name} successfully started`);
}

function scheduledMessage(spec: ServiceSpec): Message {
  return spec.type === 'cron'
    ? info(`cron service ${spec.name} scheduled using interval spec '${spec.interval ?? ''}'`)
    : info(`inetd service ${spec.name} listening on port ${spec.port ?? 0}`);
}

function newsMessages(spec: ServiceSpec, news: ScheduleNews | ReloadNews): readonly Message[] {
  switch (news.kind) {
    case 'reloading':
      return [info(`${spec.name} reloading (reload_${news.method})`)];
    case 'reloaded':
      return reloadMessages(spec, news.outcome);
    case 'skipped':
      return [warning(`cron service ${spec.name} is still running when next interval expired, will not run again`)];
    case 'queued': {
      const next = news.again ? 'one run waits already, and no other will' : 'the next run waits for its end';
      return [info(`cron service ${spec.name} is still running when next interval expired: ${next}`)];
    }
    case 'replaced':
      return [warning(`cron service ${spec.name} is still running when its next run is due, and is ended for that`)];
    case 'unmet':
      return [info(`${spec.type} service ${spec.name} skips a run: ${news.why} (start_if)`)];
    case 'unasked':
      return [
        {
          severity: 'err',
          text: `${spec.type} service ${spec.name} failed to start: a command of start_if gave no answer: ${describeNoAnswer(news.failure)}`,
        },
      ];
    case 'overran':
      return [overrun(spec, news.pid, news.limit)];
    case 'runAsked':
      return news.answer === 'busy' || news.answer === 'unscheduled'
        ? []
        : [info(`cron service ${spec.name} is to run now: somebody has asked for it`)];
    case 'runAnswered':
      return [];
    case 'runFailed':
      if (spec.type === 'inetd') {
        return [
          warning(`${spec.name} connection handler with pid ${news.pid} ended with ${describeExit(news.status)}`),
          ...oomMessages(spec, news.status),
        ];
      }
      return [
        { severity: 'err', text: `${spec.name} terminated abnormally with ${procStatus(news.status)}` },
        ...oomMessages(spec, news.status),
      ];
    case 'runUnspawned':
      return [
        {
          severity: 'err',
          text: `${spec.type} service ${spec.name} failed to start: ${describeSpawnError(news.error)}`,
        },
      ];
    case 'clearing': {
      const pids = news.pids.filter((pid) => pid !== 0);
      return [
        warning(
          `${spec.name} terminating ${news.pids.length} processes on port ${spec.port ?? 0} that are still running`,
        ),
        info(`${spec.name} still running: pid ${cutList(pids, longestList)}`),
      ];
    }
    case 'reset':
      return [resetMessage(spec.name)];
  }
}

/** What is refused is told to whoever has asked for it. */
function reloadMessages({ name }: ServiceSpec, outcome: ReloadOutcome): readonly Message[] {
  switch (outcome.kind) {
    case 'done':
      return [info(`${name} reloaded in ${describeDuration(outcome.took)}`)];
    case 'notRunning':
    case 'noMethod':
    case 'busy':
      return [];
    default:
      return [warning(`${name} was not reloaded: ${describeReload(outcome)}`)];
  }
}

/** @param limit ms */
function overrun({ name, ignoreFailures }: ServiceSpec, pid: number, limit: number): Message {
  const severity = ignoreFailures ? 'warning' : 'err';
  return { severity, text: `${name} ran longer than max_runtime, ${seconds(limit)} s: pid ${pid} is ended` };
}

function resetMessage(name: string): Message {
  return debug(`${name} received reset`);
}

/** What leads to a restart. A normal end was told of when it came. */
function backoffMessages(spec: ServiceSpec, change: ServiceChange & { phase: 'backoff' }): readonly Message[] {
  if (change.normal === true) return [];
  if (change.first !== true) return lossMessages(spec, change.cause);
  return [
    debug(`${spec.name} received exception during attempted start. Exception: ${failureText(spec, change.cause)}`),
    warning(`${spec.name} could not be started yet: ${failureText(spec, change.cause)}`),
  ];
}

/** The end of a service that had been ready. */
function lossMessages(spec: ServiceSpec, cause: FailureCause): readonly Message[] {
  const severity = spec.ignoreFailures ? 'warning' : 'err';
  switch (cause.kind) {
    case 'exit':
      return [
        { severity, text: `${spec.name} terminated abnormally with ${procStatus(cause.status)}` },
        ...oomMessages(spec, cause.status),
      ];
    case 'reported':
    case 'watchdog':
    case 'prerequisite':
    case 'overrun':
    case 'unhealthy':
      return [{ severity, text: failureText(spec, cause) }];
    case 'spawn':
    case 'timeout':
    case 'listen':
    case 'schedule':
    case 'pidfile':
    case 'hook':
    case 'condition':
    case 'unready':
      return [{ severity, text: `${spec.name} could not be restarted: ${failureText(spec, cause)}` }];
  }
}

function startFailureMessages(spec: ServiceSpec, cause: FailureCause): readonly Message[] {
  const text = failureText(spec, cause);
  const received = debug(`${spec.name} received exception during attempted start. Exception: ${text}`);
  if (!spec.ignoreFailures) return [received];
  const ignored = info(`service ${spec.name} ignoring failures. Exception: ${text}`);
  if (cause.kind !== 'exit') return [received, ignored];
  const status = procStatus(cause.status);
  return [
    received,
    warning(`${spec.name} (ignored) failure on start-up with result '${status}'`),
    ignored,
    // The failure of a start is ignored; that the command or a main service has ended is not.
    ...(spec.name === consoleService || spec.exitKills
      ? [warning(`${spec.name} terminated abnormally with ${status}`)]
      : []),
  ];
}

/** Who has used up the time of the shutdown: a row for each service, slowest first; a warning for each that was killed. */
function stopMessages({ took, budget, stops }: SystemNotice & { type: 'system.stopped' }): readonly Message[] {
  const { rows, more } = shownStops(stops);
  const width = Math.max(...rows.map(({ service }) => service.length));
  const count = `${stops.length} service${stops.length === 1 ? '' : 's'}`;
  return [
    info(`shutdown took ${stopTime(took)} of ${stopTime(budget)}; ${count} stopped:`),
    ...rows.map((row) => {
      const text = `  ${row.service.padEnd(width)}  ${stopTime(row.took)}  ${describeStop(row)}`;
      return row.killed === true || row.survived === true ? warning(text) : info(text);
    }),
    ...(more === 0 ? [] : [info(`  and ${more} more`)]),
  ];
}

function stopTime(ms: number): string {
  return `${(Math.round(ms) / 1000).toFixed(3)} s`;
}

function endMessages(end: SystemEnd, service: (name: string) => ServiceSpec | undefined): readonly Message[] {
  switch (end.kind) {
    case 'signal':
      return end.signal === 'SIGINT' ? [warning('Ctrl-C ... killing chaperone.'), killRequest] : [killRequest];
    case 'command':
      return [killRequest];
    case 'exitKills':
      return [warning(`${end.service} terminated with exit_kills enabled`), killRequest];
    case 'succeeded':
      return [
        info(`${end.service} has ended normally, and the system ends with it (on_success: shutdown)`),
        killRequest,
      ];
    case 'serviceFailed': {
      const spec = service(end.service);
      const text = spec === undefined ? end.service : failureText(spec, end.cause);
      if (end.onFailure)
        return [
          { severity: 'err', text: `${end.service} has failed, and the system ends with it (on_failure: shutdown)` },
          killRequest,
        ];
      return [startupCancelled(text), killRequest];
    }
    case 'missingPrograms':
      return [...end.problems.map(({ error }) => startupCancelled(describeSpawnError(error))), killRequest];
    case 'noProcesses':
      return [debug('no child processes present')];
    case 'nothingStarted':
      return [
        warning("No service startups attempted (all disabled?) - exiting due to 'detect_exit=true'"),
        killRequest,
      ];
    case 'internalError':
      return [{ severity: 'crit', text: end.message }];
  }
}

function startupCancelled(text: string): Message {
  return { severity: 'err', text: `system startup cancelled due to error: ${text}` };
}

function oomMessages(spec: ServiceSpec, status: ExitStatus): readonly Message[] {
  if (status.kind !== 'signaled' || status.oomKilled !== true) return [];
  return [warning(`${spec.name} was ended by the kernel's OOM killer: the container's memory limit was reached`)];
}

/** Milliseconds as seconds, without needless digits: `0.5`, `60`. */
export function seconds(ms: number): string {
  return String(Math.round(ms) / 1000);
}

function revealing(message: Message): Message {
  return { ...message, revealing: true };
}

function debug(text: string): Message {
  return { severity: 'debug', text };
}

export function info(text: string): Message {
  return { severity: 'info', text };
}

export function warning(text: string): Message {
  return { severity: 'warning', text };
}

/** The answer to a start of a service that is queued or runs already. */
export function alreadyStarted(name: string): Message {
  return debug(`service ${name} already started.  further starts ignored.`);
}

/** @param delay ms */
export function shutdownScheduled(delay: number): Message {
  return info(`requested shutdown scheduled to occur in ${seconds(delay)} seconds`);
}
