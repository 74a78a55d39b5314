/** Replays the history of a world: the state of every service, from the service's own reports and people's requests. */
import { type PrerequisiteStage, type Tie, tieTo } from '../../src/model/order/prerequisite.ts';
import { isScheduled } from '../../src/model/schedule/scheduled-runs.ts';
import { isEnded, isLive, isReadyPhase, type ServicePhase } from '../../src/model/service/service-phase.ts';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import type { SystemNotice } from '../../src/model/service/system-notice.ts';
import type { Entry, WorldRun } from './run-world.ts';

type Notice<T extends string> = Extract<Entry & { kind: 'notice' }, { kind: 'notice' }> & {
  readonly notice: { readonly type: T };
};

/** The state of every service, from the service's own reports and people's requests. */
export interface State {
  readonly phases: Map<string, ServicePhase>;
  readonly disabled: Set<string>;
  /** The services whose last start was skipped, because its conditions were not met. */
  readonly skipped: Set<string>;
  /** The services that were stopped while they waited for their first start: they tell it a moment later. */
  readonly takenOut: Set<string>;
  /** The services of whose process chaperone has been told since they began to start. */
  readonly spawned: Set<string>;
  /** The services that had been ready once. */
  readonly wereReady: Set<string>;
  /** The services that somebody asked to stop, until they have ended. */
  readonly asked: Set<string>;
  /** The services in `asked` that are not to start again. */
  readonly stopped: Set<string>;
  /** The services that may be ended because they are to start afresh. */
  readonly renewed: Set<string>;
  /** The services in `renewed` that a reload stops: no service is released before all of these have ended. */
  readonly replaced: Set<string>;
  /** The services whose process survives SIGKILL. */
  readonly lost: Set<string>;
  /** The services that a reload has removed from the configuration. */
  readonly gone: Set<string>;
  /** By removed service: the dependents that still had to end before it; once they have, nothing needs it. */
  readonly endFirst: Map<string, Set<string>>;
  /** By service: the number of the reload that has defined it; absent for the boot. */
  readonly definitions: Map<string, number>;
  /** Starts that were requested, or promised after a pause, and that have not come yet. */
  readonly wishes: Map<string, Wish>;
  draining: boolean;
  forced: boolean;
  /** True from the last round of the shutdown on, in which every process that is left gets SIGTERM and then SIGKILL. */
  clearing: boolean;
  ready: boolean;
  /** The service that somebody asked to kill, until somebody asks for something else. */
  killed: string | undefined;
}

/** `rest`: the service waits at rest, or ends because it was disabled. `end`: the start follows the end of a run. */
type Wish = 'rest' | 'end';

/** Passes each entry with the state before it to the callback, and ends with the first answer. */
export function walk(
  run: WorldRun,
  visit: (entry: Entry, state: State, index: number) => string | undefined,
): string | undefined {
  const state: State = {
    phases: new Map(run.spec.services.map(({ name, enabled }) => [name, enabled ? 'pending' : 'disabled'])),
    disabled: new Set(run.spec.services.filter(({ enabled }) => !enabled).map(({ name }) => name)),
    skipped: new Set(),
    takenOut: new Set(),
    spawned: new Set(),
    wereReady: new Set(),
    asked: new Set(),
    stopped: new Set(),
    renewed: new Set(),
    replaced: new Set(),
    lost: new Set(),
    gone: new Set(),
    endFirst: new Map(),
    definitions: new Map(),
    wishes: new Map(run.spec.services.flatMap(({ name, enabled }) => (enabled ? [[name, 'rest'] as const] : []))),
    draining: false,
    forced: false,
    clearing: false,
    ready: false,
    killed: undefined,
  };
  /** By process: the service it was spawned for. */
  const spawning = new Map<number, string>();
  for (const [index, entry] of run.history.entries()) {
    const answer = visit(entry, state, index);
    if (answer !== undefined) return `at ${entry.at} ms: ${answer}`;
    if (entry.kind === 'deed') state.killed = entry.deed.do === 'kill' ? entry.deed.name : undefined;
    if (entry.kind === 'deed' && entry.refused !== true) {
      applyWishes(run, entry.deed, state);
      applyDeed(entry.deed, state);
    }
    if (entry.kind === 'reloaded') {
      for (const name of entry.gone) state.wishes.delete(name);
      const offByDefault = new Set(run.spec.services.filter(({ enabled }) => !enabled).map(({ name }) => name));
      for (const name of entry.names) {
        state.definitions.set(name, entry.nth);
        // A failed service that starts again delays later stages as in its first start.
        const begins = !isOver(state, name) || state.phases.get(name) === 'failed';
        if (begins && !state.stopped.has(name) && !state.disabled.has(name) && !offByDefault.has(name))
          state.wereReady.delete(name);
      }
      for (const name of entry.gone) state.gone.add(name);
      // A reload does not stop services that are disabled, or that are being stopped by hand anyway.
      const replaced = entry.names.filter(
        (name) => !offByDefault.has(name) && !state.disabled.has(name) && !state.stopped.has(name),
      );
      for (const name of [...replaced, ...entry.gone].filter((each) => !isOver(state, each))) {
        state.asked.add(name);
        state.replaced.add(name);
      }
      for (const name of replaced.filter((each) => !entry.gone.includes(each))) {
        if (!isOver(state, name)) state.wishes.set(name, 'end');
        else if (state.phases.get(name) === 'failed') state.wishes.set(name, 'rest');
      }
      for (const name of entry.gone) state.endFirst.set(name, new Set(state.asked));
    }
    if (entry.kind === 'spawned') spawning.set(entry.id, entry.service);
    // While chaperone is paused, a process has begun that it does not know of: nobody starts because of it.
    if (entry.kind === 'begun') state.spawned.add(spawning.get(entry.id) ?? '');
    if (entry.kind !== 'notice') continue;
    const { notice } = entry;
    if (notice.type === 'service.tied') applyConsequence(notice, state);
    if (notice.type === 'system.draining') state.draining = true;
    if (notice.type === 'system.forced') state.forced = true;
    if (notice.type === 'system.clearing') state.clearing = true;
    if (notice.type === 'system.ready') state.ready = true;
    if (notice.type === 'service.survives' && !notice.waits) state.lost.add(notice.service);
    if (notice.type !== 'service.changed') continue;
    const { phase } = notice.change;
    state.phases.set(notice.service, phase);
    state.takenOut.delete(notice.service);
    if (phase === 'disabled') state.skipped.add(notice.service);
    else state.skipped.delete(notice.service);
    if (phase === 'starting') state.spawned.delete(notice.service);
    if (phase === 'starting') state.wishes.delete(notice.service);
    if (phase === 'backoff' && !state.stopped.has(notice.service)) state.wishes.set(notice.service, 'rest');
    // A service that has ended while it was disabled does not start then.
    if (isEnded(phase) && state.disabled.has(notice.service) && state.wishes.get(notice.service) === 'end')
      state.wishes.delete(notice.service);
    else if (isEnded(phase) && state.wishes.has(notice.service)) state.wishes.set(notice.service, 'rest');
    if (isUp(phase)) state.wereReady.add(notice.service);
    if (!isEnded(phase)) continue;
    state.asked.delete(notice.service);
    state.stopped.delete(notice.service);
    state.replaced.delete(notice.service);
    state.renewed.delete(notice.service);
    // The service's next run no longer needs the services that were removed.
    for (const first of state.endFirst.values()) first.delete(notice.service);
  }
  return undefined;
}

/** What follows from a prerequisite is a stop as if somebody had asked for it, and perhaps a start after that. */
function applyConsequence({ service, consequence }: SystemNotice & { type: 'service.tied' }, state: State): void {
  if (consequence === 'reload') return;
  state.asked.add(service);
  if (consequence === 'fail') {
    state.stopped.add(service);
    state.wishes.delete(service);
  } else state.wishes.set(service, 'end');
}

/** True where the service has nothing to stop, so that no end has to be waited for. */
export function isOver({ phases }: State, name: string): boolean {
  const phase = phases.get(name) ?? 'pending';
  return isEnded(phase) || phase === 'pending';
}

type Deed = Extract<Entry, { kind: 'deed' }>['deed'];

/** Adds a request to the wishes before the request counts. */
function applyWishes(run: WorldRun, deed: Deed, state: State): void {
  const { wishes, disabled, phases } = state;
  if (!('names' in deed) || state.draining) return;
  const specs = specsOf(run);
  if ((deed.do === 'start' || deed.do === 'restart') && deed.force === true) {
    // Prerequisites that are not ready start with the service.
    const found = new Set(deed.names.filter((name) => !state.gone.has(name)));
    for (const name of found) {
      for (const other of specs.get(name)?.prerequisites ?? []) {
        const spec = specs.get(other);
        if (spec === undefined || lets(spec, state) || state.gone.has(other)) continue;
        found.add(other);
        const phase = phases.get(other) ?? 'pending';
        if (disabled.has(other) || deed.names.includes(other)) continue;
        if (isOver(state, other)) wishes.set(other, 'rest');
        else if (phase === 'stopping' || state.asked.has(other)) wishes.set(other, 'end');
      }
    }
  }
  for (const name of deed.names) {
    const phase = phases.get(name) ?? 'pending';
    const spec = specs.get(name);
    if (spec === undefined || state.gone.has(name)) continue;
    const after: Wish = isOver(state, name) ? 'rest' : 'end';
    switch (deed.do) {
      case 'start':
      case 'restart': {
        const force = deed.force === true;
        const enabled = !disabled.has(name) || force || (deed.do === 'start' && deed.enable);
        const ends = after === 'rest' || phase === 'stopping' || phase === 'exited' || state.asked.has(name);
        if (enabled && (deed.do === 'restart' || force || ends)) wishes.set(name, after);
        // The restart stops the service, and does nothing more.
        else if (deed.do === 'restart') wishes.delete(name);
        break;
      }
      case 'stop':
        wishes.delete(name);
        break;
      case 'disable':
        if (!disabled.has(name) && isScheduled(spec.type) && isTriggered(phase) && !state.asked.has(name))
          wishes.set(name, 'rest');
        break;
      case 'reset':
        if (disabled.has(name) || (deed.force && after === 'end')) wishes.delete(name);
        break;
      case 'enable':
      case 'reload':
        break;
    }
  }
}

export function isTriggered(phase: ServicePhase): boolean {
  return phase === 'ready.scheduled' || phase === 'starting';
}

function applyDeed(given: Deed, state: State): void {
  const { disabled, asked, stopped } = state;
  const deed: Deed =
    given.do === 'restart' && given.force === true
      ? { do: 'start', names: given.names, enable: true, force: true }
      : given;
  switch (deed.do) {
    case 'start':
      for (const name of deed.names) {
        if (deed.enable || deed.force) disabled.delete(name);
        if (disabled.has(name)) continue;
        if (deed.force) state.renewed.add(name);
        stopped.delete(name);
        // A service that has done its work needs no end.
        if (deed.force && !isOver(state, name) && state.phases.get(name) !== 'exited') asked.add(name);
      }
      break;
    case 'stop':
    case 'restart':
      for (const name of deed.names) {
        if (deed.do === 'stop' && state.phases.get(name) === 'pending') state.takenOut.add(name);
        if (deed.do === 'stop' && deed.disable) disabled.add(name);
        if (isOver(state, name)) continue;
        asked.add(name);
        if (deed.do === 'stop') stopped.add(name);
        else stopped.delete(name);
      }
      break;
    case 'enable':
      for (const name of deed.names) disabled.delete(name);
      break;
    case 'disable':
      for (const name of deed.names) disabled.add(name);
      break;
    case 'reset':
      for (const name of deed.names) {
        const phase = state.phases.get(name) ?? 'pending';
        // What is disabled ends what it runs by itself: a reset hastens that, and nobody waits for it.
        if (phase === 'stopping' && disabled.has(name)) continue;
        const ends =
          phase === 'ready.exited' ||
          phase === 'exited' ||
          (deed.force && isLive(phase) && phase !== 'ready.scheduled');
        if (!ends || asked.has(name)) continue;
        asked.add(name);
        stopped.add(name);
      }
      break;
    case 'reload':
    case 'kill':
    case 'shutdown':
    case 'signal':
    case 'connect':
    case 'log':
      break;
  }
}

export function isUp(phase: ServicePhase): boolean {
  return isReadyPhase(phase);
}

/** True where the service's dependents may start, by section 2 of the reference. */
export function lets(spec: ServiceSpec, { phases, disabled, skipped, gone }: State): boolean {
  if (gone.has(spec.name)) return true;
  const phase = phases.get(spec.name) ?? 'pending';
  if (isUp(phase)) return true;
  if (phase === 'failed' && spec.ignoreFailures) return true;
  // The conditions of its start were not met: that counts even where the configuration has disabled it, and somebody started it.
  if (phase === 'disabled' && (spec.enabled || skipped.has(spec.name))) return true;
  return disabled.has(spec.name) && (isEnded(phase) || phase === 'pending');
}

/** True where the service lets another one start that has this tie to it. */
export function meets(run: WorldRun, spec: ServiceSpec, tie: Tie, state: State): boolean {
  const phase = state.phases.get(spec.name) ?? 'pending';
  // A stop by hand of one that waits lets those go that merely want it, before that one has told its new state.
  const isDone = isEnded(phase) || state.takenOut.has(spec.name);
  if (tie.kind === 'wants' && (isDone || isHopeless(run, spec, state))) return true;
  return tie.stages.every((stage) => stands(spec, stage, state));
}

export function stands(spec: ServiceSpec, stage: PrerequisiteStage, state: State): boolean {
  const { phases, gone, spawned } = state;
  const phase = phases.get(spec.name) ?? 'pending';
  if (gone.has(spec.name)) return true;
  switch (stage) {
    case 'started':
      return lets(spec, state) || (phase === 'starting' && spawned.has(spec.name));
    case 'ready':
      return lets(spec, state);
    case 'exited':
      return lets(spec, state) && phase !== 'ready.running' && phase !== 'ready.scheduled';
    case 'healthy':
      throw new Error('no world has health probes');
  }
}

/** True for a service that waits, and never starts unless somebody starts another one that has ended. */
function isHopeless(run: WorldRun, spec: ServiceSpec, state: State): boolean {
  const phase = state.phases.get(spec.name) ?? 'pending';
  const waits = phase === 'pending' || (isEnded(phase) && state.wishes.has(spec.name));
  if (!waits || lets(spec, state)) return false;
  const specs = specsOf(run);
  const isDown = (other: ServiceSpec, stages: Tie['stages']): boolean => {
    if (stages.every((stage) => stands(other, stage, state))) return false;
    const isDone = isEnded(state.phases.get(other.name) ?? 'pending') || state.takenOut.has(other.name);
    const isAtRest = isDone && !state.wishes.has(other.name);
    return isAtRest || isHopeless(run, other, state);
  };
  const isHeld = spec.prerequisites.some((name) => {
    const other = specs.get(name);
    const { kind, stages } = tieTo(spec, name);
    return other !== undefined && kind !== 'wants' && isDown(other, stages);
  });
  const stage = systemStage(spec);
  return (
    isHeld ||
    run.spec.services.some(
      (other) => systemStage(other) < stage && !state.wereReady.has(other.name) && isDown(other, ['ready']),
    )
  );
}

/** INIT comes before all others, IDLE after them. */
export function systemStage({ groups }: ServiceSpec): number {
  return groups.includes('INIT') ? 0 : groups.includes('IDLE') ? 2 : 1;
}

export function specsOf(run: WorldRun): ReadonlyMap<string, ServiceSpec> {
  return new Map(run.spec.services.map((service) => [service.name, service]));
}

export function isChange(entry: Entry): entry is Notice<'service.changed'> {
  return entry.kind === 'notice' && entry.notice.type === 'service.changed';
}
