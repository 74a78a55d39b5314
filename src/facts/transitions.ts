import { seconds } from '../model/log/messages.ts';
import { isScheduled } from '../model/schedule/scheduled-runs.ts';
import { type ServiceType, shortName } from '../model/service/service-spec.ts';
import type { SignalName } from '../model/service/signal.ts';
import { cutList } from '../model/words/cut-list.ts';
import { isObject, type Json, type JsonObject } from '../model/words/json.ts';
import { oneLine } from '../model/words/printable.ts';
import { type ChainLink, criticalChain, type StartTimes, slowest, withShortNames } from './critical-chain.ts';
import { type EventView, type Fact, nowhere, systemActor, textOf } from './fact.ts';
import { type FirstStart, followStart, startTimes } from './first-start.ts';
import type { MoveFact } from './milestones.ts';
import type { Transition } from './transition.ts';

/** The parts of a service's configuration that explain its transitions. */
export interface ConfiguredService {
  /** The service's name with its suffix. */
  readonly name: string;
  /** `container`: it is an instance of a platform, and its program is an image. */
  readonly type: ServiceType | 'container';
  /** The program without its arguments. */
  readonly program: string;
  readonly killSignal: SignalName;
  /** ms after the spawn in which the death of the process counts as a failed start. */
  readonly startupPause: number;
  /** Absent where the service is not restarted. `delay` in ms. */
  readonly restart?: { readonly limit?: number; readonly delay: number; readonly always?: true };
  /** The path of the file that names the process to follow. */
  readonly pidfile?: string;
}

/** The lines for people that a fact leads to. */
export type Line =
  | { readonly kind: 'transition'; readonly transition: Transition }
  /** The boot is over, well or badly: the chain that decided how long it took, and the slowest services. */
  | {
      readonly kind: 'booted';
      readonly at: number;
      readonly criticalChain: readonly ChainLink[];
      readonly slowest: readonly StartTimes[];
    };

export interface TransitionOptions {
  /** The command of a service by the service's full name. Without this only the program is known. */
  readonly commandOf?: (service: string) => string | undefined;
}

interface Known {
  /** Undefined where only a notification is known. */
  stage: string | undefined;
  /** ms at which the actor reached its present state. */
  since: number;
  /** Undefined where nobody can tell, since moves are missing. */
  spawnedAt: number | undefined;
  /** The last message that the service has sent on its notify socket during its present run. */
  notice: JsonObject | undefined;
}

/** For whom a service had to wait before it could start, by its short name, and for how many ms, where that is known. */
interface Wait {
  readonly waitedFor: string;
  readonly waited?: number;
}

const noLines: readonly Line[] = [];

/** First states of an actor that are not worth a line. */
const silentStates: readonly string[] = ['pending', 'disabled', 'absent'];

/** How many requests are remembered so that the moves that they cause can name them. */
const mostRequests = 256;

/**
 * Turns facts into the transitions of the system and its services, one after the other. The facts of a process are
 * shown at its service.
 */
export class Transitions {
  readonly #options: TransitionOptions;
  readonly #known = new Map<string, Known>();
  /** The texts of requests, by the numbers of their facts. */
  readonly #requests = new Map<number, string>();
  #services = new Map<string, ConfiguredService>();
  readonly #starts = new Map<string, FirstStart>();

  constructor(options: TransitionOptions = {}) {
    this.#options = options;
  }

  /** Takes the configuration of the services. */
  configure(services: readonly ConfiguredService[]): void {
    this.#services = byName(services);
  }

  /** Forgets everything, because another boot begins. */
  reset(): void {
    this.#known.clear();
    this.#starts.clear();
    this.#requests.clear();
  }

  take(fact: Fact): readonly Line[] {
    switch (fact.type) {
      case 'moved':
        return fact.actor === systemActor ? this.#moveSystem(fact) : this.#moveService(fact);
      case 'notified':
        this.#knownOf(fact.service, fact.at).notice = fact.message;
        return noLines;
      case 'requested':
        this.#remember(fact.seq, fact.verb);
        return noLines;
      case 'reloaded':
        this.#remember(fact.seq, 'reload');
        return noLines;
      case 'service.removed':
        this.#known.delete(fact.service);
        this.#starts.delete(fact.service);
        return noLines;
      default:
        return noLines;
    }
  }

  #remember(seq: number, verb: string): void {
    this.#requests.set(seq, verb);
    if (this.#requests.size <= mostRequests) return;
    const [oldest] = this.#requests.keys();
    if (oldest !== undefined) this.#requests.delete(oldest);
  }

  #knownOf(actor: string, at: number): Known {
    const known = this.#known.get(actor);
    if (known !== undefined) return known;
    const made: Known = { stage: undefined, since: at, spawnedAt: at, notice: undefined };
    this.#known.set(actor, made);
    return made;
  }

  #moveSystem(fact: MoveFact): readonly Line[] {
    const { at, from, to, event, context } = fact;
    const isFirst = from === nowhere;
    const own = textOf(context, 'detail');
    const detail =
      own ?? (to === 'up' ? readyText(at) : isFirst ? sizeText(context) : systemDetail(context, to, event));
    const line = transitionOf(fact, systemActor, { detail, event });
    const isOver = to === 'up' || (from.startsWith('booting') && (to.startsWith('draining') || to === 'failed'));
    const times = isOver ? this.#startTimes(at) : [];
    return times.length === 0
      ? [line]
      : [line, { kind: 'booted', at, criticalChain: criticalChain(times, at), slowest: slowest(times) }];
  }

  #moveService(fact: MoveFact): readonly Line[] {
    const { actor, at, from, to, event, context } = fact;
    const start = followStart(this.#starts.get(actor), fact);
    if (start !== undefined) this.#starts.set(actor, start);
    const known = this.#knownOf(actor, at);
    // Where moves are missing nobody can tell how long the previous state has lasted, and the process.
    const isContinued = from === nowhere || from === known.stage;
    known.stage = to;
    if (!isContinued) known.spawnedAt = undefined;
    if (event.type === 'unit.spawned') known.notice = undefined;
    const waited = isContinued ? at - known.since : undefined;
    known.since = at;
    if (from === nowhere && silentStates.includes(to)) return noLines;
    const other = isStartOrder(event) ? textOf(event, 'waitedFor') : undefined;
    const wait =
      other === undefined ? undefined : { waitedFor: shortName(other), ...(waited === undefined ? {} : { waited }) };
    const detail = this.#serviceDetail(known, fact, wait);
    if (event.type === 'unit.spawned') known.spawnedAt = at;
    // An exit that leads to `ready.running` is raised again there, and is shown with the move that follows.
    const exit = event.type === 'unit.leaderExited' && to !== 'ready.running' ? textOf(event, 'ended') : undefined;
    return [
      transitionOf(fact, shortName(actor), {
        event,
        detail,
        ...views(context),
        ...(exit === undefined ? {} : { exit }),
        ...wait,
      }),
    ];
  }

  #startTimes(now: number): readonly StartTimes[] {
    return [...this.#starts].flatMap(([service, start]) => {
      const times = startTimes(service, start, now);
      return times === undefined ? [] : [withShortNames(times)];
    });
  }

  /** Names the person's request that caused the move, where it is known. */
  #requestText(by: number | undefined, otherwise: string): string {
    const verb = by === undefined ? undefined : this.#requests.get(by);
    return verb === undefined ? otherwise : `asked for by ${verb === 'reload' ? 'a reload' : `"${verb}"`}`;
  }

  #serviceDetail(
    known: Known,
    { actor: service, at, by, from, to, event, context }: MoveFact,
    wait: Wait | undefined,
  ): string {
    const { spawnedAt } = known;
    const own = textOf(context, 'detail');
    // The words that a chart has for its own move, with what it was waiting for before.
    if (own !== undefined) return wait === undefined ? own : `${own}  (${waitText(wait)})`;
    const config = this.#services.get(service);
    const cause = textOf(context, 'cause') ?? '';
    const restarts = numberOf(context, 'restarts') ?? 0;
    const pausePassed = `startup_pause of ${seconds(config?.startupPause ?? 0)} s passed`;
    if (to === 'ready.scheduled') return textOf(context, 'note') ?? '';
    if (to === 'backoff') {
      const pause = numberOf(context, 'pause') ?? config?.restart?.delay ?? 0;
      return `${cause}; ${restartText(restarts, numberOf(context, 'restartLimit'))} in ${seconds(pause)} s`;
    }
    if (to === 'failed') return `${cause}${noTryText(context)}`;
    if (to === 'exited' && textOf(context, 'noTry') !== undefined)
      return `${textOf(context, 'lastExit') ?? ''}${noTryText(context)}`;
    // A scheduled service has many runs: its stop is over when the last of them has ended.
    if (config !== undefined && isScheduled(config.type) && from.startsWith('stopping')) {
      if (to === 'stopped') return 'nothing runs any more';
      if (to === 'stopping.clearing') return 'its runs have finished';
    }
    switch (event.type) {
      case 'service.start':
        return wait === undefined ? this.#requestText(by, 'service.start') : waitText(wait);
      case 'unit.spawned':
        return `pid ${numberOf(event, 'pid') ?? 0}  ${this.#options.commandOf?.(service) ?? config?.program ?? ''}`;
      case 'unit.spawnFailed':
        return textOf(event, 'error') ?? '';
      case 'unit.leaderExited': {
        if (to === 'ready.running') return pausePassed;
        const left = to === 'stopping.clearing' ? leftText(numberOf(event, 'left') ?? 0) : '';
        const lasted = spawnedAt === undefined ? '' : ` after ${milliseconds(at - spawnedAt)}`;
        return `${textOf(event, 'ended') ?? ''}${lasted}${left}`;
      }
      case 'unit.cleared':
        return 'nothing of its run is left';
      case 'conditions.met':
        return 'its conditions are met';
      case 'service.stop':
        return stopText({ from, to, event, context }, config?.killSignal);
      case 'service.kill':
        return 'SIGKILL';
      case 'service.retire':
        return 'the system is ending';
      case 'service.reset':
        return 'service.reset';
      case 'readiness.passed': {
        if (from === 'starting.awaitingProbe') return 'its probes have passed';
        const pid = numberOf(event, 'pid');
        return pid === undefined ? notifiedText(known) : `pid ${pid} from ${config?.pidfile ?? 'its pid file'}`;
      }
      case 'readiness.failed':
        return failureText(known) ?? cause;
      case 'notify.received':
        return noticeText(objectOf(event['message']));
      case 'leader.missed':
        return `pid ${numberOf(event, 'pid') ?? 0} has ended meanwhile`;
      case 'watchdog.missed':
      case 'health.failed':
        return cause;
      case 'hooks.passed':
      case 'hooks.ended': {
        const stage = stageOfHooks(from);
        return stage === undefined ? 'its hooks have ended' : `${stage} has ended`;
      }
      case 'hooks.failed':
        return `${textOf(event, 'hook') ?? ''}: ${textOf(event, 'failure') ?? ''}`;
      default:
        // This is an event of XState itself: a pause has passed, or a time-out.
        if (to === 'ready.running' || to === 'starting.awaitingPidfile' || to === 'starting.afterStart')
          return pausePassed;
        if (to === 'stopping.killing') return 'SIGKILL';
        if (to.startsWith('starting')) return restartText(restarts, undefined);
        return to.startsWith('stopping') ? cause : '';
    }
  }
}

function isStartOrder({ type }: EventView): boolean {
  return type === 'service.start' || type === 'instance.start';
}

function waitText({ waitedFor, waited }: Wait): string {
  return `was waiting for ${waitedFor}${waited === undefined ? '' : `, ${milliseconds(waited)}`}`;
}

/** What a stop of a service begins with. */
function stopText(
  { from, to, event, context }: Pick<MoveFact, 'from' | 'to' | 'event' | 'context'>,
  kills = 'SIGTERM',
): string {
  if (!to.startsWith('stopping')) return 'service.stop';
  if (numberOf(context, 'running') === 0) return 'none of its runs goes on';
  if (to === 'stopping.draining') return `${runText(context, from)} may finish`;
  const killAfter = numberOf(event, 'killAfter');
  const kill = killAfter === undefined ? '' : `, SIGKILL after ${milliseconds(killAfter)}`;
  const signal = textOf(context, 'endSignal') ?? kills;
  const hook = textOf(context, 'hook');
  if (hook !== undefined && /beforeStop|stopCommand|afterStop/.test(to)) return `${hook} runs${kill}`;
  const run = runText(context, from);
  const target = hook === undefined ? run : from === 'starting.beforeStart' ? hook : `${run} and ${hook}`;
  // What a failed run has left was told to end before the stop came, and gets no second signal.
  const because = textOf(event, 'because');
  const why = because === undefined ? '' : `; ${because}`;
  return `${from === 'stopping.clearing' ? `${signal} was sent to ${target} before` : `${signal} to ${target}`}${kill}${why}`;
}

/** `restart 2 of 5`; a restart after a normal end has no number where none has used up a try. */
function restartText(number: number, limit: number | undefined): string {
  if (number === 0) return 'restart';
  return limit === undefined ? `restart ${number}` : `restart ${number} of ${limit}`;
}

/** Why no restart follows, where restarts are configured. */
function noTryText(context: JsonObject): string {
  const why = textOf(context, 'noTry');
  return why === undefined ? '' : `; no restart follows (${why})`;
}

/** The directive whose hooks ran in a stage of the chart, where the stage has a name for them: `beforeStart` is `before_start`. */
function stageOfHooks(stage: string): string | undefined {
  const [, name] = /\.(beforeStart|afterStart|beforeStop|stopCommand|afterStop)$/.exec(stage) ?? [];
  return name?.replace(/[A-Z]/, (letter) => `_${letter.toLowerCase()}`);
}

function transitionOf(
  { at, from, to }: MoveFact,
  actor: string,
  { event, detail, ...more }: Partial<Omit<Transition, 'event'>> & { event: EventView; detail: string },
): Line {
  // XState's own events are left out (the beginning) or renamed (timers): their names mean nothing to people.
  const cause = event.type === 'xstate.init' ? {} : { event: eventName(event.type) };
  return { kind: 'transition', transition: { at, actor, from, to, ...cause, ...more, detail: oneLine(detail) } };
}

function byName(services: readonly ConfiguredService[]): Map<string, ConfiguredService> {
  return new Map(services.map((service) => [service.name, service]));
}

/** Names a timer by its purpose; XState names it by its state. */
function eventName(type: string): string {
  const timer = /^xstate\.after\.([^.]+)\./.exec(type);
  return timer === null ? type : `after ${timer[1]}`;
}

function views(context: JsonObject): Pick<Transition, 'pid' | 'cause'> {
  const pid = numberOf(context, 'pid');
  const cause = textOf(context, 'cause');
  return { ...(pid === undefined ? {} : { pid }), ...(cause === undefined ? {} : { cause }) };
}

function sizeText(context: JsonObject): string {
  const size = (['service', 'layer', 'file'] as const).map((noun) => {
    const count = numberOf(context, `${noun}s`) ?? 0;
    return `${count} ${noun}${count === 1 ? '' : 's'}`;
  });
  const end = textOf(context, 'end');
  return end === undefined ? size.join(', ') : `${size.join(', ')}; ${end}`;
}

function systemDetail(context: JsonObject, to: string, event: EventView): string {
  if (to === 'booting.idling')
    return `everything else stands; IDLE services in ${seconds(numberOf(context, 'idleDelay') ?? 0)} s`;
  if (to === 'draining.stopping') {
    const within = seconds(numberOf(context, 'shutdownTimeout') ?? 0);
    return `${textOf(context, 'end') ?? ''}; ${numberOf(context, 'live') ?? 0} to stop within ${within} s`;
  }
  if (to === 'draining.clearing') return 'SIGTERM to what is left';
  if (to === 'draining.killing') return 'SIGKILL to what is left';
  const killed = to === 'halted' ? killedIn(context) : [];
  return [...(event.type === 'processes.gone' ? ['no process is left'] : []), ...killed].join('; ');
}

const mostKilled = 5;

/** The services that had to be killed in the shutdown. */
function killedIn(context: JsonObject): readonly string[] {
  const { stops } = context;
  const rows = Array.isArray(stops) ? stops.map(objectOf) : [];
  const names = rows.flatMap((row) => (row['killed'] === true ? [shortName(textOf(row, 'service') ?? '')] : []));
  return names.length === 0 ? [] : [`killed: ${cutList(names, mostKilled)}`];
}

/** Whom a stop is for, in words. `from`: the state in which the stop finds the service. */
function runText(context: JsonObject, from: string): string {
  const running = numberOf(context, 'running');
  if (running !== undefined) return `${running} ${running === 1 ? 'process' : 'processes'}`;
  const pid = numberOf(context, 'pid');
  if (pid !== undefined) return `pid ${pid}`;
  if (from === 'starting.spawning') return 'its process';
  if (from === 'starting.asking') return 'the command of start_if';
  return from.startsWith('starting') || from.startsWith('ready')
    ? 'what its start left behind'
    : 'the remaining processes of its run';
}

function leftText(left: number): string {
  return left === 0 ? '' : left === 1 ? '; 1 process of its run is left' : `; ${left} processes of its run are left`;
}

/** The words for becoming ready, from the service's last notification: readiness follows that at once. */
function notifiedText({ notice }: Known): string {
  return notice?.['ready'] === true ? noticeText(notice) : 'READY=1';
}

function failureText({ notice }: Known): string | undefined {
  if (notice === undefined) return undefined;
  const { errno, busError } = notice;
  return errno === undefined && busError === undefined ? undefined : noticeText(notice);
}

/** @param at ms since chaperone began */
export function readyText(at: number): string {
  return `ready in ${(at / 1000).toFixed(3)} s`;
}

/** The parts of a notification that are shown, in the form in which they were sent. */
export function noticeText(message: JsonObject): string {
  const errno = numberOf(message, 'errno');
  const busError = textOf(message, 'busError');
  const mainPid = numberOf(message, 'mainPid');
  const status = textOf(message, 'status');
  const parts = [
    ...(message['ready'] === true ? ['READY=1'] : []),
    ...(message['reloading'] === true ? ['RELOADING=1'] : []),
    ...(message['stopping'] === true ? ['STOPPING=1'] : []),
    ...(errno === undefined ? [] : [`ERRNO=${errno}`]),
    ...(busError === undefined ? [] : [`BUSERROR=${busError}`]),
    ...(mainPid === undefined ? [] : [`MAINPID=${mainPid}`]),
    ...(message['watchdog'] === 'trigger' ? ['WATCHDOG=trigger'] : []),
    ...microseconds(message, 'watchdogInterval', 'WATCHDOG_USEC'),
    ...microseconds(message, 'extend', 'EXTEND_TIMEOUT_USEC'),
    ...(status === undefined ? [] : [`"${status}"`]),
  ];
  return parts.join('  ');
}

/** A duration of a notification, which is sent in microseconds and kept in milliseconds. */
function microseconds(message: JsonObject, key: string, name: string): readonly string[] {
  const ms = numberOf(message, key);
  return ms === undefined ? [] : [`${name}=${Math.round(ms * 1000)}`];
}

function milliseconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function numberOf(object: JsonObject, key: string): number | undefined {
  const value = object[key];
  return typeof value === 'number' ? value : undefined;
}

function objectOf(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {};
}
