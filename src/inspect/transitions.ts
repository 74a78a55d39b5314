import { seconds } from '../model/messages.ts';
import { oneLine } from '../model/printable.ts';
import { shortName } from '../model/service-spec.ts';
import { criticalChain, type StartTimes, slowest } from './critical-chain.ts';
import {
  type ActorEntry,
  type Entry,
  isServiceMachine,
  type Json,
  type JsonObject,
  type ServiceEntry,
  type SnapshotEntry,
} from './entry.ts';
import { hasStarted, statePath, type Transition } from './transition.ts';

/** What an entry gives people to read. */
export type Line =
  | { readonly kind: 'transition'; readonly transition: Transition }
  /** The system is up: what decided how long that took, and what took longest. */
  | {
      readonly kind: 'ready';
      readonly at: number;
      readonly criticalChain: readonly StartTimes[];
      readonly slowest: readonly StartTimes[];
    }
  /** Entries are missing before this. */
  | { readonly kind: 'lost'; readonly at: number; readonly count: number };

export interface TransitionOptions {
  /** The command of a service by its full name. Entries hold no more of it than the program. */
  readonly commandOf?: (service: string) => string | undefined;
}

interface Known {
  readonly actor: string;
  readonly machine: 'system' | 'service' | 'scheduled';
  path: string;
  /** ms at which it came to `path`. */
  since: number;
  spawnedAt: number;
  started: number;
  waitedFor: string | undefined;
  /** The last message that the service has sent on its notify socket during its present run. */
  notice: JsonObject | undefined;
}

/** An event as entries have it. */
type EventView = SnapshotEntry['event'];

const noLines: readonly Line[] = [];

/** Which state an actor begins in is no news where it is one of these. */
const silentStates: readonly string[] = ['configured', 'pending', 'disabled'];

/**
 * Makes of entries the transitions of the system and its services, one after the other. What processes do shows in their
 * service.
 */
export class Transitions {
  readonly #options: TransitionOptions;
  readonly #known = new Map<string, Known>();
  #services = new Map<string, ServiceEntry>();
  readonly #startTimes = new Map<string, StartTimes>();

  constructor(options: TransitionOptions = {}) {
    this.#options = options;
  }

  take(entry: Entry): readonly Line[] {
    switch (entry.type) {
      case '@chaperone.boot':
        this.#known.clear();
        this.#startTimes.clear();
        this.#services = byName(entry.services);
        return noLines;
      case '@chaperone.reload':
        this.#services = byName(entry.services);
        return noLines;
      case '@xstate.actor':
        return this.#begin(entry);
      case '@xstate.snapshot': {
        const known = this.#known.get(entry.sessionId);
        if (known === undefined) return noLines;
        noteNotice(known, entry);
        if (entry.snapshot.transient === true) return noLines;
        const to = statePath(entry.snapshot.value);
        if (to === known.path) return noLines;
        return known.machine === 'system' ? this.#moveSystem(known, to, entry) : this.#moveService(known, to, entry);
      }
      case '@chaperone.lost':
        return [{ kind: 'lost', at: entry.at, count: entry.count }];
      case '@xstate.event':
      case '@chaperone.definition':
      case '@chaperone.process':
      case '@chaperone.log':
      case '@chaperone.end':
        return noLines;
    }
  }

  #begin({ sessionId, machine, name, at, snapshot }: ActorEntry): readonly Line[] {
    if (machine !== 'system' && !isServiceMachine(machine)) return noLines;
    const actor = machine === 'system' ? 'system' : shortName(name);
    const to = statePath(snapshot.value);
    const known: Known = {
      actor,
      machine,
      path: '─',
      since: at,
      spawnedAt: at,
      started: at,
      waitedFor: undefined,
      notice: undefined,
    };
    this.#known.set(sessionId, known);
    if (machine !== 'system' && silentStates.includes(to)) {
      known.path = to;
      return noLines;
    }
    const context = snapshot.context ?? {};
    const detail = machine === 'system' ? sizeText(context) : presentText(context);
    return [this.#move(known, to, at, { detail, ...facts(context) })];
  }

  #moveSystem(known: Known, to: string, { at, event, snapshot }: SnapshotEntry): readonly Line[] {
    const context = snapshot.context ?? {};
    if (to !== 'up') return [this.#move(known, to, at, { event, detail: systemDetail(context, to, event) })];
    const line = this.#move(known, to, at, { event, detail: `ready in ${(at / 1000).toFixed(3)} s` });
    const times = [...this.#startTimes.values()];
    return times.length === 0
      ? [line]
      : [line, { kind: 'ready', at, criticalChain: criticalChain(times), slowest: slowest(times) }];
  }

  #moveService(known: Known, to: string, { at, event, snapshot }: SnapshotEntry): readonly Line[] {
    const context = snapshot.context ?? {};
    const service = textOf(context, 'service') ?? '';
    const waited = at - known.since;
    if (event.type === 'service.start') {
      known.started = at;
      const other = textOf(event, 'waitedFor');
      known.waitedFor = other === undefined ? undefined : shortName(other);
    }
    const { waitedFor } = known;
    const hadToWait = event.type === 'service.start' && waitedFor !== undefined;
    const detail = this.#serviceDetail(known, to, event, { context, service, waited, at });
    if (event.type === 'unit.spawned') known.spawnedAt = at;
    if (hasStarted(to) && !this.#startTimes.has(known.actor)) {
      const { actor, started } = known;
      const after = waitedFor === undefined ? {} : { waitedFor };
      this.#startTimes.set(actor, { service: actor, started, ready: at, ...after });
    }
    // The start that it ends may have been over before.
    const exit = event.type === 'unit.leaderExited' && to !== 'ready.running' ? textOf(event, 'ended') : undefined;
    return [
      this.#move(known, to, at, {
        event,
        detail,
        ...facts(context),
        ...(exit === undefined ? {} : { exit }),
        ...(hadToWait ? { waitedFor, waited } : {}),
      }),
    ];
  }

  #move(
    known: Known,
    to: string,
    at: number,
    { event, detail, ...more }: Partial<Omit<Transition, 'event'>> & { event?: EventView; detail: string },
  ): Line {
    const { actor, path: from } = known;
    known.path = to;
    known.since = at;
    // What XState says to itself (a timer, the beginning) is in its own words no cause for anybody.
    const cause = event === undefined || event.type === 'xstate.init' ? {} : { event: eventName(event.type) };
    return { kind: 'transition', transition: { at, actor, from, to, ...cause, ...more, detail: oneLine(detail) } };
  }

  #serviceDetail(
    known: Known,
    to: string,
    event: EventView,
    { context, service, waited, at }: { context: JsonObject; service: string; waited: number; at: number },
  ): string {
    const { spawnedAt, waitedFor, machine } = known;
    const config = this.#services.get(service);
    const cause = textOf(context, 'cause') ?? '';
    const restarts = numberOf(context, 'restarts') ?? 0;
    const pausePassed = `startup_pause of ${seconds(config?.startupPause ?? 0)} s passed`;
    if (to === 'ready.scheduled') return textOf(context, 'note') ?? '';
    if (to.startsWith('backoff')) {
      const limit = numberOf(context, 'restartLimit') ?? 0;
      return `${cause}; restart ${restarts} of ${limit} in ${seconds(config?.restart?.delay ?? 0)} s`;
    }
    if (to === 'failed') return cause;
    // The runs of a scheduled service come and go: that the last of them has ended is what counts.
    if (machine === 'scheduled' && known.path.startsWith('stopping')) {
      if (to === 'stopped') return 'nothing runs any more';
      if (to === 'stopping.clearing') return 'its runs have finished';
    }
    switch (event.type) {
      case 'service.start':
        return waitedFor === undefined ? 'service.start' : `was waiting for ${waitedFor}, ${milliseconds(waited)}`;
      case 'unit.spawned':
        return `pid ${numberOf(event, 'pid') ?? 0}  ${this.#options.commandOf?.(service) ?? config?.program ?? ''}`;
      case 'unit.spawnFailed':
        return textOf(event, 'error') ?? '';
      case 'unit.leaderExited': {
        if (to === 'ready.running') return pausePassed;
        const left = to === 'stopping.clearing' ? leftText(numberOf(event, 'left') ?? 0) : '';
        return `${textOf(event, 'ended') ?? ''} after ${milliseconds(at - spawnedAt)}${left}`;
      }
      case 'unit.cleared':
        return 'nothing of its run is left';
      case 'service.stop': {
        if (!to.startsWith('stopping')) return 'service.stop';
        if (to === 'stopping.draining') return `${runText(context, known.path)} may finish`;
        const killAfter = numberOf(event, 'killAfter');
        const kill = killAfter === undefined ? '' : `, SIGKILL after ${milliseconds(killAfter)}`;
        return `${config?.killSignal ?? 'SIGTERM'} to ${runText(context, known.path)}${kill}`;
      }
      case 'service.kill':
        return 'SIGKILL';
      case 'service.retire':
        return 'the system is ending';
      case 'service.reset':
        return 'service.reset';
      case 'readiness.passed': {
        const pid = numberOf(event, 'pid');
        return pid === undefined ? readyText(known) : `pid ${pid} from ${config?.pidfile ?? 'its pid file'}`;
      }
      case 'readiness.failed':
        return failureText(known) ?? cause;
      case 'notify.received':
        return noticeText(objectOf(event['message']));
      case 'leader.missed':
        return `pid ${numberOf(event, 'pid') ?? 0} has ended meanwhile`;
      case 'watchdog.missed':
        return cause;
      default:
        // XState's own: a pause has passed, a time-out.
        if (to === 'ready.running' || to === 'starting.awaitingPidfile') return pausePassed;
        if (to === 'stopping.killing') return 'SIGKILL';
        if (to.startsWith('starting')) return `restart ${restarts}`;
        return to.startsWith('stopping') ? cause : '';
    }
  }
}

/** Its readiness is judged by another machine, which tells only what came of it. */
function noteNotice(known: Known, { event }: SnapshotEntry): void {
  if (event.type === 'notify.received') known.notice = objectOf(event['message']);
  else if (event.type === 'unit.spawned') known.notice = undefined;
}

function byName(services: readonly ServiceEntry[]): Map<string, ServiceEntry> {
  return new Map(services.map((service) => [service.name, service]));
}

/** XState names a timer by its state; people, by what it waits for. */
function eventName(type: string): string {
  const timer = /^xstate\.after\.([^.]+)\./.exec(type);
  return timer === null ? type : `after ${timer[1]}`;
}

function facts(context: JsonObject): Pick<Transition, 'pid' | 'cause'> {
  const pid = numberOf(context, 'pid');
  const cause = textOf(context, 'cause');
  return { ...(pid === undefined ? {} : { pid }), ...(cause === undefined ? {} : { cause }) };
}

/** Where a service stands whose way there nobody has seen. */
function presentText(context: JsonObject): string {
  const pid = numberOf(context, 'pid');
  const parts = [pid === undefined ? undefined : `pid ${pid}`, textOf(context, 'cause'), textOf(context, 'note')];
  return parts.filter((part) => part !== undefined).join('  ');
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
  if (to.startsWith('draining.stopping')) {
    const within = seconds(numberOf(context, 'shutdownTimeout') ?? 0);
    return `${textOf(context, 'end') ?? ''}; ${numberOf(context, 'live') ?? 0} to stop within ${within} s`;
  }
  if (to === 'draining.clearing') return 'SIGTERM to what is left';
  if (to === 'draining.killing') return 'SIGKILL to what is left';
  return event.type === 'processes.gone' ? 'no process is left' : '';
}

/** What a stop signals. `from`: the state in which it finds the service. */
function runText(context: JsonObject, from: string): string {
  const running = numberOf(context, 'running');
  if (running !== undefined) return `${running === 0 ? 'no' : running} ${running === 1 ? 'process' : 'processes'}`;
  const pid = numberOf(context, 'pid');
  if (pid !== undefined) return `pid ${pid}`;
  if (from === 'starting.spawning') return 'its process';
  return from.startsWith('starting') || from.startsWith('ready')
    ? 'what its start left behind'
    : 'what is left of its run';
}

function leftText(left: number): string {
  return left === 0 ? '' : left === 1 ? '; 1 process of its run is left' : `; ${left} processes of its run are left`;
}

/** What it said last: the verdict of its readiness follows at once. */
function readyText({ notice }: Known): string {
  return notice?.['ready'] === true ? noticeText(notice) : 'READY=1';
}

function failureText({ notice }: Known): string | undefined {
  if (notice === undefined) return undefined;
  const { errno, busError } = notice;
  return errno === undefined && busError === undefined ? undefined : noticeText(notice);
}

/** What of a notification moves a service, as it was sent. */
function noticeText(message: JsonObject): string {
  const errno = numberOf(message, 'errno');
  const busError = textOf(message, 'busError');
  const mainPid = numberOf(message, 'mainPid');
  const status = textOf(message, 'status');
  const parts = [
    ...(message['ready'] === true ? ['READY=1'] : []),
    ...(message['stopping'] === true ? ['STOPPING=1'] : []),
    ...(errno === undefined ? [] : [`ERRNO=${errno}`]),
    ...(busError === undefined ? [] : [`BUSERROR=${busError}`]),
    ...(mainPid === undefined ? [] : [`MAINPID=${mainPid}`]),
    ...(message['watchdog'] === 'trigger' ? ['WATCHDOG=trigger'] : []),
    ...(status === undefined ? [] : [`"${status}"`]),
  ];
  return parts.join('  ');
}

function milliseconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function textOf(object: JsonObject, key: string): string | undefined {
  const value = object[key];
  return typeof value === 'string' ? value : undefined;
}

function numberOf(object: JsonObject, key: string): number | undefined {
  const value = object[key];
  return typeof value === 'number' ? value : undefined;
}

function objectOf(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {};
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
