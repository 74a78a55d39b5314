import { describeExit } from '../service/exit-status.ts';
import type { PidfileTrouble } from '../service/pidfile.ts';
import type { FailureCause } from '../service/service-phase.ts';
import { consoleService, type ServiceSpec, shortName } from '../service/service-spec.ts';
import { describeSpawnError, type SpawnError } from '../service/spawn-error.ts';
import { isOutcome, type RunOutcome, type ServiceFailure, type SystemEnd } from '../service/system-end.ts';
import { cutList } from '../words/cut-list.ts';
import { describeListenError, seconds } from './messages.ts';

/** The last line a service wrote. */
export interface LastWords {
  readonly stream: 'stdout' | 'stderr';
  readonly line: string;
  /** Monotonic ms. */
  readonly at: number;
}

export interface EndFacts {
  readonly end: SystemEnd;
  readonly exitStatus: number;
  readonly neverStarted: readonly string[];
  readonly stopped: readonly string[];
}

/**
 * The last lines of a container that did not come up: what failed, why, with which command, the last line that it
 * wrote, who waited for it, and what was stopped. No lines where the end needs no explanation.
 *
 * @param now monotonic ms
 */
export function explainEnd(
  facts: EndFacts,
  service: (name: string) => ServiceSpec | undefined,
  lastWords: (name: string) => LastWords | undefined,
  now: number,
): readonly string[] {
  const { end } = facts;
  const failure = (headline: string, failed: ServiceFailure, atStart: boolean): readonly string[] =>
    explainFailure({ headline, failure: failed, atStart }, facts, service, lastWords, now);
  switch (end.kind) {
    case 'serviceFailed': {
      if (end.service === consoleService && isOutcome(end.cause)) return explainCommand(end.cause);
      const headline = end.onFailure
        ? `${end.service} has failed, and the system ends with it (on_failure)`
        : `system failed: ${end.service} ${failureHeadline(end.cause)}`;
      return failure(headline, end, !end.onFailure);
    }
    case 'missingPrograms':
      return [
        `chaperone: system failed before anything was started: ${count(end.problems.length, 'program')} missing`,
        ...end.problems.map(({ service: name, error }) => field('why', `${name}: ${missingProgram(error)}`)),
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

interface Explained {
  readonly headline: string;
  readonly failure: ServiceFailure;
  /** The service has never become ready. */
  readonly atStart: boolean;
}

function explainFailure(
  { headline, failure: { service: name, cause }, atStart }: Explained,
  facts: EndFacts,
  service: (name: string) => ServiceSpec | undefined,
  lastWords: (name: string) => LastWords | undefined,
  now: number,
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
    field('command', spec.command),
    ...adviceFor(spec, cause).map((text) => field('do', text)),
    ...(words === undefined ? [] : [field('last', quoteWords(words, now))]),
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
      return 'could not be started';
    case 'exit':
    case 'timeout':
    case 'pidfile':
    case 'watchdog':
      return 'did not become ready';
    case 'listen':
      return `cannot listen on port ${cause.port}`;
    case 'schedule':
      return 'cannot be scheduled';
    case 'reported':
      return 'reported an error';
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
    case 'watchdog':
      return cause.triggered
        ? `${spec.type} service, declared itself failed with WATCHDOG=trigger (pid ${cause.pid})`
        : `${spec.type} service, no WATCHDOG=1 within ${seconds(cause.interval)} s (watchdog), pid ${cause.pid}`;
    case 'listen':
      return `${describeListenError(cause)}; tried ${cause.tried.join(', then ')}`;
    case 'schedule':
      return `interval '${spec.interval ?? ''}': ${cause.problem}`;
  }
}

function exitReason(spec: ServiceSpec, ended: string, pid: number): string {
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
      return [];
  }
}

const pidfileAdvice: Readonly<Record<PidfileTrouble, string>> = {
  absent: '"pidfile" has to name the file that the program writes',
  unchanged: '"pidfile" has to name the file that the program writes',
  garbage: 'the file has to hold one number: the pid of the daemon',
  dead: "the number has to be the daemon's own pid: in a script $$ is that of the shell",
  refused:
    'the process has to descend from chaperone, or to run under the account of the service ("uid"); PID 1 is never followed',
};

/** Advice on what would help, if that is known. */
function adviceFor(spec: ServiceSpec, cause: FailureCause): readonly string[] {
  switch (cause.kind) {
    case 'timeout': {
      if (spec.type === 'forking') return ['use type simple for a program that stays in the foreground'];
      if (spec.type !== 'notify') return [];
      const known = notifyingBy.find(([program]) => program.test(spec.command));
      return [known?.[1] ?? 'use type simple or forking for a program that sends no READY=1 (sd_notify)'];
    }
    case 'pidfile':
      return [pidfileAdvice[cause.trouble]];
    case 'listen':
      return listenAdvice(spec, cause);
    case 'schedule':
    case 'spawn':
    case 'exit':
    case 'reported':
    case 'watchdog':
      return [];
  }
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
