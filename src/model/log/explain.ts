import { describeCause } from '../order/prerequisite.ts';
import { describeNoAnswer } from '../service/condition.ts';
import { describeExit } from '../service/exit-status.ts';
import { describeHookFailure, describePlace } from '../service/hook.ts';
import type { PidfileTrouble } from '../service/pidfile.ts';
import type { FailureCause } from '../service/service-phase.ts';
import { consoleService, type ServiceSpec, shortName } from '../service/service-spec.ts';
import { describeSpawnError, type SpawnError, type SpawnErrorStage } from '../service/spawn-error.ts';
import { isOutcome, type RunOutcome, type ServiceFailure, type SystemEnd } from '../service/system-end.ts';
import { cutList } from '../words/cut-list.ts';
import { shownCommand } from '../words/secrets.ts';
import { describeListenError, seconds } from './messages.ts';

/** One of the last lines that a service wrote; the start of a long one, printable. */
export interface LastWords {
  readonly stream: 'stdout' | 'stderr';
  readonly line: string;
  /** Monotonic ms. */
  readonly at: number;
}

/** Advice for a service that could not start, in a sentence each; it is loaded only where it is needed. */
export interface StartAdvice {
  /** What in its command only a shell would understand, or nobody. */
  onCommand(service: ServiceSpec): readonly string[];
  /** What the file of its program lacks. */
  onFile(service: ServiceSpec): readonly string[];
}

export const noAdvice: StartAdvice = { onCommand: () => [], onFile: () => [] };

export interface EndFacts {
  readonly end: SystemEnd;
  readonly exitStatus: number;
  readonly neverStarted: readonly string[];
  readonly stopped: readonly string[];
}

/**
 * The last lines of a container that did not come up: what failed, why, with which command, the last lines that it
 * wrote, who waited for it, and what was stopped. No lines where the end needs no explanation.
 *
 * @param now monotonic ms
 * @param advice what to change in the command or the file of a service that could not start
 */
export function explainEnd(
  facts: EndFacts,
  service: (name: string) => ServiceSpec | undefined,
  lastWords: (name: string) => readonly LastWords[],
  now: number,
  advice: StartAdvice = noAdvice,
): readonly string[] {
  const { end } = facts;
  const failure = (headline: string, failed: ServiceFailure, atStart: boolean): readonly string[] =>
    explainFailure({ headline, failure: failed, atStart }, facts, { service, lastWords, now, advice });
  switch (end.kind) {
    case 'serviceFailed': {
      if (end.service === consoleService && isOutcome(end.cause)) return explainCommand(end.cause);
      const headline = end.onUnhealthy
        ? `${end.service} is unhealthy, and the system ends with it (on_unhealthy)`
        : end.onFailure
          ? `${end.service} has failed, and the system ends with it (on_failure)`
          : `system failed: ${end.service} ${failureHeadline(end.cause)}`;
      return failure(headline, end, !end.onFailure && !end.onUnhealthy);
    }
    case 'missingPrograms':
      return [
        `chaperone: system failed before anything was started: ${count(end.problems.length, 'program')} missing`,
        ...end.problems.map(({ service: name, error }) => field('why', `${name}: ${missingProgram(error)}`)),
        ...end.problems.flatMap(({ service: name }) =>
          commandAdvice(service(name), advice).map((text) => field('do', `${name}: ${text}`)),
        ),
        field('do', 'install it, correct "command", or set "optional: true" or "enabled: false" for the service'),
        ...outcome(facts),
      ];
    case 'internalError':
      return [`chaperone: ${end.message}`, ...outcome(facts)];
    case 'exitKills':
      if (facts.exitStatus === 0) return [];
      if (end.service === consoleService) return explainCommand(end.outcome);
      return [
        `chaperone: ${end.service} ended the system (exit_kills): ${describeOutcome(end.outcome)}`,
        ...outcome(facts),
      ];
    case 'succeeded':
      if (facts.exitStatus === 0) return [];
      return [
        `chaperone: ${end.service} ended the system (on_success): ${describeOutcome(end.outcome)}, which success_exit has`,
        ...outcome(facts),
      ];
    case 'noProcesses':
      if (end.command !== undefined) return explainCommand(end.command);
      if (end.failed === undefined) return [];
      return failure(`nothing is left to run, and ${end.failed.service} has failed`, end.failed, false);
    case 'command':
      if (end.failed === undefined) return [];
      return failure(`shut down by a command, after ${end.failed.service} had failed`, end.failed, false);
    case 'signal':
    case 'nothingStarted':
      return [];
  }
}

interface Knowledge {
  readonly service: (name: string) => ServiceSpec | undefined;
  readonly lastWords: (name: string) => readonly LastWords[];
  readonly now: number;
  readonly advice: StartAdvice;
}

interface Explained {
  readonly headline: string;
  readonly failure: ServiceFailure;
  /** The service has never become ready. */
  readonly atStart: boolean;
}

function explainFailure(
  { headline, failure: { service: name, cause }, atStart }: Explained,
  facts: EndFacts,
  { service, lastWords, now, advice }: Knowledge,
): readonly string[] {
  const spec = service(name);
  if (spec === undefined) return [`chaperone: ${headline}`];
  const words = lastWords(name);
  const why =
    !atStart && cause.kind === 'exit'
      ? `${spec.type} service, ended with ${describeExit(cause.status)} (pid ${cause.pid})`
      : failureReason(spec, cause, atStart);
  return [
    `chaperone: ${headline}`,
    field('why', why),
    field('command', shownCommand(spec)),
    ...advised(spec, cause, atStart, words.length > 0, atStart ? startAdvice(spec, cause, advice) : []).map((text) =>
      field('do', text),
    ),
    ...words.map((each, index) => field(index === 0 ? 'last' : '', quoteWords(each, now))),
    ...outcome(facts),
  ];
}

/** The end of the command line's command needs no comment; only a command that could not begin is explained. */
function explainCommand(outcome: RunOutcome): readonly string[] {
  return outcome.kind === 'exit' ? [] : [`chaperone: cannot run the command: ${describeSpawnError(outcome.error)}`];
}

function describeOutcome(outcome: RunOutcome): string {
  return outcome.kind === 'exit' ? describeExit(outcome.status) : describeSpawnError(outcome.error);
}

function failureHeadline(cause: FailureCause): string {
  switch (cause.kind) {
    case 'spawn':
    case 'condition':
      return 'could not be started';
    case 'exit':
    case 'timeout':
    case 'pidfile':
    case 'watchdog':
    case 'hook':
    case 'overrun':
    case 'unready':
      return 'did not become ready';
    case 'unhealthy':
      return 'is unhealthy';
    case 'listen':
      return `cannot listen on port ${cause.port}`;
    case 'schedule':
      return 'cannot be scheduled';
    case 'reported':
      return 'reported an error';
    case 'prerequisite':
      return 'was ended';
  }
}

function failureReason(spec: ServiceSpec, cause: FailureCause, atStart: boolean): string {
  switch (cause.kind) {
    case 'spawn':
      return describeSpawnError(cause.error);
    case 'exit':
      return exitReason(spec, describeExit(cause.status), cause.pid);
    case 'timeout': {
      const missing = spec.type === 'notify' ? 'no READY=1' : 'no exit';
      const state = cause.pid === 0 ? 'its process had ended normally' : `pid ${cause.pid} was alive`;
      return `${spec.type} service, ${missing} within ${seconds(cause.timeout)} s (process_timeout), ${state}`;
    }
    case 'pidfile':
      return `${spec.type} service, ${pidfileReason(cause)} within ${seconds(cause.timeout)} s (process_timeout)`;
    case 'reported':
      return `${spec.type} service, ${reportedReason(cause)}${atStart ? ' before READY=1' : ''} (pid ${cause.pid})`;
    case 'unready': {
      const state = cause.pid === 0 ? 'its process had ended' : `pid ${cause.pid} was alive`;
      return `${spec.type} service, ready: ${cause.probe} did not pass within ${seconds(cause.timeout)} s (process_timeout), last: ${cause.reason}; ${state}`;
    }
    case 'unhealthy':
      return `${spec.type} service, healthy: ${cause.probe} has failed, last: ${cause.reason} (pid ${cause.pid})`;
    case 'watchdog':
      return cause.triggered
        ? `${spec.type} service, declared itself failed with WATCHDOG=trigger (pid ${cause.pid})`
        : `${spec.type} service, no WATCHDOG=1 within ${seconds(cause.interval)} s (watchdog), pid ${cause.pid}`;
    case 'hook':
      return `${spec.type} service, ${describePlace(cause.hook)}: ${describeHookFailure(cause.failure)}${cause.failure.kind === 'timeout' ? ' (process_timeout)' : ''}`;
    case 'overrun':
      return `${spec.type} service, ran longer than max_runtime, ${seconds(cause.limit)} s (pid ${cause.pid})`;
    case 'condition':
      return `a command of start_if gave no answer: ${describeNoAnswer(cause.failure)}`;
    case 'listen':
      return `${describeListenError(cause)}; tried ${cause.tried.join(', then ')}`;
    case 'schedule':
      return `interval '${spec.interval ?? ''}': ${cause.problem}`;
    case 'prerequisite':
      return `it requires ${cause.prerequisite}, ${describeCause(cause)}, and its on_prerequisite_failure is fail`;
  }
}

function exitReason(spec: ServiceSpec, ended: string, pid: number): string {
  if (spec.ready !== undefined)
    return `${spec.type} service, ended with ${ended} before the probes of "ready" had passed (pid ${pid})`;
  switch (spec.type) {
    case 'oneshot':
    case 'forking':
      return `${spec.type} service, ended with ${ended} instead of exit 0 (pid ${pid})`;
    case 'notify':
      return `notify service, ended with ${ended} before it sent READY=1 (pid ${pid})`;
    case 'simple':
    case 'inetd':
    case 'cron':
      if (spec.pidfile !== undefined)
        return `${spec.type} service, ended with ${ended} before its pid file named a process (pid ${pid})`;
      return `${spec.type} service, ended with ${ended} within ${seconds(spec.startupPause)} s of its start (startup_pause), pid ${pid}`;
  }
}

function pidfileReason({ file, trouble }: Extract<FailureCause, { kind: 'pidfile' }>): string {
  switch (trouble) {
    case 'absent':
      return `no pid file ${file}`;
    case 'unchanged':
      return `the pid file ${file} was there before the start, and the program has not written it since`;
    case 'garbage':
      return `no number in the pid file ${file}`;
    case 'dead':
      return `no process has the number in the pid file ${file}`;
    case 'refused':
      return `the pid file ${file} names a process that does not belong to the service`;
  }
}

function reportedReason({ errno, busError }: Extract<FailureCause, { kind: 'reported' }>): string {
  return busError === undefined ? `it sent ERRNO=${errno ?? 0}` : `it sent BUSERROR=${busError}`;
}

/** Programs that send READY=1 only with certain options, with the advice for each. */
const notifyingBy: readonly (readonly [RegExp, string])[] = [
  [
    /\bredis-server\b(?!.*--supervised\s+systemd)/,
    'add "--supervised systemd": without it redis-server sends no notification',
  ],
  [
    /\bphp-fpm\S*\b.*(?:--daemonize|-D\b)/,
    'let php-fpm stay in the foreground (-F): otherwise it sends no notification',
  ],
];

function listenAdvice(spec: ServiceSpec, cause: Extract<FailureCause, { kind: 'listen' }>): readonly string[] {
  switch (cause.code) {
    case 'EADDRINUSE':
      return [`"ss -ltnp 'sport = :${cause.port}'" in the container names the process that holds it; or change "port"`];
    case 'EACCES':
      return [
        `a port below net.ipv4.ip_unprivileged_port_start needs CAP_NET_BIND_SERVICE; or change "port" of ${spec.name}`,
      ];
    default:
      return [doctorAdvice];
  }
}

const pidfileAdvice: Readonly<Record<PidfileTrouble, string>> = {
  absent: '"pidfile" has to name the file that the program writes',
  unchanged: '"pidfile" has to name the file that the program writes',
  garbage: 'the file has to hold one number: the pid of the daemon',
  dead: "the number has to be the daemon's own pid: in a script $$ is that of the shell",
  refused:
    'the process has to belong to the service, or to run under the account of the service ("uid"), unless root has written the file; PID 1, chaperone and the processes of other services are never followed',
};

/** Advice on what would help: every failure has some. */
function adviceFor(spec: ServiceSpec, cause: FailureCause): readonly string[] {
  switch (cause.kind) {
    case 'timeout': {
      if (spec.type === 'forking') return ['use type simple for a program that stays in the foreground'];
      if (spec.type !== 'notify') return ['give it more time ("process_timeout"), or end what it waits for'];
      const known = notifyingBy.find(([program]) => program.test(spec.command));
      return [known?.[1] ?? 'use type simple or forking for a program that sends no READY=1 (sd_notify)'];
    }
    case 'pidfile':
      return [pidfileAdvice[cause.trouble]];
    case 'listen':
      return listenAdvice(spec, cause);
    case 'spawn':
      return [stagesOfPlace.includes(cause.error.stage) ? doctorAdvice : spawnAdvice(cause.error)];
    case 'condition':
      return ['its exit status 0 means "start", 1 to 254 "do not start"'];
    case 'reported':
      return ['ERRNO is a number of errno(3), which "errno -l" lists; what the program logs before it tells more'];
    case 'watchdog':
      return ['let the program send WATCHDOG=1 twice as often as "watchdog" says, or raise "watchdog"'];
    case 'hook':
      return ['correct the hook; "-" in front of its command lets the service go on where it fails'];
    case 'overrun':
      return ['raise "max_runtime", or look at what the run waits for'];
    case 'unready':
      return ['try the probe by hand in the container; "process_timeout" says how long the service may take'];
    case 'unhealthy':
      return ['try the probe by hand in the container; "on_unhealthy" says what follows'];
    case 'prerequisite':
      return [`look at ${cause.prerequisite} first; "on_prerequisite_failure" says what becomes of the service`];
    case 'schedule':
      return ['correct "interval" or "timezone"'];
    // What to do about an end depends on what the program has said, and whether it ever was ready.
    case 'exit':
      return [];
  }
}

/** What is known of this very command and file counts more than what is known of the kind of failure. */
function advised(
  spec: ServiceSpec,
  cause: FailureCause,
  atStart: boolean,
  hasWords: boolean,
  particular: readonly string[],
): readonly string[] {
  switch (cause.kind) {
    case 'exit':
      return particular.length > 0 ? particular : [endAdvice(spec, atStart, hasWords)];
    case 'spawn':
      return particular.length > 0 ? particular : adviceFor(spec, cause);
    default:
      return [...adviceFor(spec, cause), ...particular];
  }
}

/** What to do about a program that has ended where nothing more particular is known. */
function endAdvice({ ignoreFailures, restart }: ServiceSpec, atStart: boolean, hasWords: boolean): string {
  const first = hasWords
    ? 'mend what its last words name'
    : 'it has said nothing: run its command by hand in the container, as its account';
  if (atStart) return ignoreFailures ? first : `${first}; with "ignore_failures: true" the others go on without it`;
  return restart ? first : `${first}; with "restart: on-failure" it is started again`;
}

/** What to do about a program that the kernel does not start, or whose variables cannot be read. */
function spawnAdvice({ stage, code }: SpawnError): string {
  if (stage === 'directory') return 'create the directory, or correct "directory"';
  const isRefused = code === 'EACCES' || code === 'EPERM';
  if (stage === 'values') {
    return isRefused
      ? 'let the account that chaperone runs as read the file: its owner, its mode, or "fsGroup" of the pod'
      : 'mend or bring the file that it names, or correct the directive ("secrets", "env_file", "env_dir")';
  }
  if (isRefused)
    return 'let the account of the service execute it: "chmod 755", also where a COPY of the image has lost that';
  switch (code) {
    case 'ENOEXEC':
      return 'begin the script with a line such as #!/bin/sh, or take the program that was built for this machine';
    case 'E2BIG':
      return 'shorten the arguments and the environment of the service';
    default:
      return 'install what is missing, or correct "command"';
  }
}

/** Stages of a spawn that the place refuses, and not the program. */
const stagesOfPlace: readonly SpawnErrorStage[] = ['notify', 'pipe', 'clone', 'limit', 'groups', 'gid', 'uid'];
const doctorAdvice = '"chaperonectl doctor" in the container says what this place allows';

function startAdvice(spec: ServiceSpec, { kind }: FailureCause, advice: StartAdvice): readonly string[] {
  if (kind !== 'exit' && kind !== 'spawn') return [];
  // The reason of a refused spawn tells of the file already.
  return [...advice.onCommand(spec), ...(kind === 'exit' ? advice.onFile(spec) : [])];
}

function commandAdvice(spec: ServiceSpec | undefined, advice: StartAdvice): readonly string[] {
  return spec === undefined ? [] : advice.onCommand(spec);
}

/** Why a program that a check looked up cannot be started. */
export function missingProgram(error: SpawnError): string {
  return `${describeSpawnError(error)}${error.program.includes('/') ? '' : " in the service's PATH"}`;
}

function quoteWords(words: LastWords, now: number): string {
  const age = Math.max(0, now - words.at);
  return `"${words.line}"  (${words.stream}, ${age < 10_000 ? seconds(Math.round(age / 100) * 100) : Math.round(age / 1000)} s ago)`;
}

function outcome({ neverStarted, stopped, exitStatus }: EndFacts): readonly string[] {
  const waiting =
    neverStarted.length === 0 ? [] : [field('waiting', `${cutList(neverStarted, longestList)} never started`)];
  const ended = stopped.length === 0 ? 'nothing' : cutList(stopped.map(shortName), longestList);
  return [...waiting, field('stopped', `${ended}; exit status ${exitStatus}`)];
}

/** Longer lists of names are cut. */
const longestList = 12;

function field(name: string, text: string): string {
  return `  ${name.padEnd(7)} ${text}`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
