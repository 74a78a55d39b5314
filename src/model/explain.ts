import { describeExit } from './exit-status.ts';
import { describeListenError, seconds } from './messages.ts';
import type { FailureCause } from './service-phase.ts';
import { consoleService, type ServiceSpec, shortName } from './service-spec.ts';
import { describeSpawnError, type SpawnError } from './spawn-error.ts';
import type { RunOutcome, SystemEnd } from './system-end.ts';

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
 * The last lines of a container that did not come up: what failed, why, with which command, its last words, who waited for
 * it, and what was stopped. No lines where the end needs no explanation.
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
  switch (end.kind) {
    case 'serviceFailed': {
      if (end.service === consoleService && (end.cause.kind === 'exit' || end.cause.kind === 'spawn'))
        return explainCommand(end.cause);
      const spec = service(end.service);
      if (spec === undefined) return [`chaperone: system failed: ${end.service}`];
      const words = lastWords(end.service);
      return [
        `chaperone: system failed: ${end.service} ${failureHeadline(end.cause)}`,
        field('why', failureReason(spec, end.cause)),
        ...advice(spec, end.cause),
        field('command', spec.command),
        ...(words === undefined ? [] : [field('last', quoteWords(words, now))]),
        ...outcome(facts),
      ];
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
      return end.command === undefined ? [] : explainCommand(end.command);
    case 'signal':
    case 'nothingStarted':
      return [];
  }
}

/** A command's own end needs no comment; that it could not begin does. */
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
      return 'did not become ready';
    case 'listen':
      return `cannot listen on port ${cause.port}`;
    case 'schedule':
      return 'cannot be scheduled';
  }
}

function failureReason(spec: ServiceSpec, cause: FailureCause): string {
  switch (cause.kind) {
    case 'spawn':
      return describeSpawnError(cause.error);
    case 'exit':
      return spec.type === 'oneshot'
        ? `oneshot service, ended with ${describeExit(cause.status)} instead of exit 0 (pid ${cause.pid})`
        : `${spec.type} service, ended with ${describeExit(cause.status)} within ${seconds(spec.startupPause)} s of its start (startup_pause), pid ${cause.pid}`;
    case 'timeout':
      return `${spec.type} service, no exit within ${seconds(cause.timeout)} s (process_timeout), pid ${cause.pid} was alive`;
    case 'listen':
      return `${describeListenError(cause)}; tried ${cause.tried.join(', then ')}`;
    case 'schedule':
      return `interval '${spec.interval ?? ''}': ${cause.problem}`;
  }
}

/** What is to be done about it, where that is not plain from the reason. */
function advice(spec: ServiceSpec, cause: FailureCause): readonly string[] {
  if (cause.kind !== 'listen') return [];
  switch (cause.code) {
    case 'EADDRINUSE':
      return [
        field(
          'do',
          `"ss -ltnp 'sport = :${cause.port}'" in the container names the process that holds it; or change "port"`,
        ),
      ];
    case 'EACCES':
      return [
        field(
          'do',
          `a port below net.ipv4.ip_unprivileged_port_start needs CAP_NET_BIND_SERVICE; or change "port" of ${spec.name}`,
        ),
      ];
    default:
      return [];
  }
}

function missingProgram(error: SpawnError): string {
  return `${describeSpawnError(error)}${error.program.includes('/') ? '' : " in the service's PATH"}`;
}

function quoteWords(words: LastWords, now: number): string {
  const age = Math.max(0, now - words.at);
  return `"${words.line}"  (${words.stream}, ${age < 10_000 ? seconds(Math.round(age / 100) * 100) : Math.round(age / 1000)} s ago)`;
}

function outcome({ neverStarted, stopped, exitStatus }: EndFacts): readonly string[] {
  const waiting = neverStarted.length === 0 ? [] : [field('waiting', `${list(neverStarted)} never started`)];
  const ended = stopped.length === 0 ? 'nothing' : list(stopped.map(shortName));
  return [...waiting, field('stopped', `${ended}; exit status ${exitStatus}`)];
}

/** The longest list that is told in full. */
const longestList = 12;

function list(names: readonly string[]): string {
  const shown = names.slice(0, longestList).join(', ');
  return names.length > longestList ? `${shown} and ${names.length - longestList} more` : shown;
}

function field(name: string, text: string): string {
  return `  ${name.padEnd(7)} ${text}`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
