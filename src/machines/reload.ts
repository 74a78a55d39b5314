/**
 * What a reload makes of the system machine's context, as plain values: the steps of the plan against where each service stands
 * at this moment.
 *
 * A reload has two halves. First everything that has to end ends, those first that waited for others of them by the graph that
 * was in force until now; then everything that is to start starts, along the new graph. Nothing at all starts in between: two
 * services may change ports with each other. What is kept is not touched, and what may change in place has changed before
 * either half begins.
 *
 * What may cross, and who wins:
 * - A service that is gone is `leaving` until it has ended, and is no part of the configuration any more: requests for it by
 *   hand count for nothing. When a further reload brings it back meanwhile, it starts again once it has ended.
 * - A stop by hand that is under way stays a stop, a restart by hand a restart; both end with the new definition.
 * - What was enabled or disabled by hand stays so, unless the configuration itself says something else than before.
 * - A further reload may come at any time. Stops that have been asked for keep the order that they were asked for in.
 * - A service that is to be replaced and fails by itself first is replaced: neither the failure of its start nor `exit_kills`
 *   ends the system.
 */
import type { DependencyGraph } from '../model/dependency-graph.ts';
import { blocked, type Standing, type Standings } from '../model/ordering.ts';
import { type PublicState, publicStateOf } from '../model/public-state.ts';
import type { ReloadPlan } from '../model/reload-plan.ts';
import { isEnded } from '../model/service-phase.ts';
import { ownsRemains, type ServiceSpec, type SystemSpec } from '../model/service-spec.ts';

/** A stop of a single service, by hand or by a reload, from the request to the end of the service. */
export interface SingleStop {
  /** It starts when it has ended. */
  readonly again: boolean;
  readonly told: boolean;
  /** A reload asked for it: nothing starts before it has ended. */
  readonly reload?: true;
  /** What it is from when it has ended. */
  readonly next?: ServiceSpec;
  /** Those that end first; absent: as the graph says. */
  readonly after?: readonly string[];
}

/** The part of the system machine's context that a reload replaces. */
export interface Reloadable {
  readonly spec: SystemSpec;
  readonly graph: DependencyGraph;
  readonly standings: Standings;
  /** Services that the configuration or a person has disabled. */
  readonly disabled: Readonly<Record<string, true>>;
  /** Services that are being stopped while the system goes on, or wait for their turn. */
  readonly stopping: Readonly<Record<string, SingleStop>>;
  /** Services that are no longer in the configuration and have still to end. */
  readonly leaving: Readonly<Record<string, ServiceSpec>>;
  /** Services that a log line has called blocked already. */
  readonly saidBlocked: readonly string[];
}

export interface ReloadRequest {
  readonly spec: SystemSpec;
  readonly graph: DependencyGraph;
  /** Made of the context that it meets. */
  readonly plan: ReloadPlan;
}

export interface Reloaded {
  readonly context: Reloadable;
  /** Services that need an actor. */
  readonly added: readonly ServiceSpec[];
  /** Services whose actor is wanted no more: nothing of them runs. */
  readonly removed: readonly string[];
  /** What services are from now on. */
  readonly changed: readonly ServiceSpec[];
}

/** Where a service stands, as a plan has to take it: what is being stopped by hand counts as stopped. */
export function standingForPlan({ standings, stopping }: Reloadable, name: string): PublicState | undefined {
  const standing = standings[name];
  if (standing === undefined) return undefined;
  if (stopping[name]?.again === false) return 'stopped';
  return publicStateOf(standing.phase);
}

export function reloaded(before: Reloadable, { spec, graph, plan }: ReloadRequest): Reloaded {
  const standings: Record<string, Standing> = { ...before.standings };
  const disabled = { ...before.disabled };
  const stopping: Record<string, SingleStop> = { ...before.stopping };
  const leaving = { ...before.leaving };
  const added: ServiceSpec[] = [];
  const removed: string[] = [];
  const changed: ServiceSpec[] = [];
  const old = new Map(before.spec.services.map((service) => [service.name, service]));
  const next = new Map(spec.services.map((service) => [service.name, service]));

  const stop = (name: string, then: Pick<SingleStop, 'again' | 'next'>): void => {
    const { after, told = false } = stopping[name] ?? {};
    stopping[name] = { told, reload: true, ...then, ...(after === undefined ? {} : { after }) };
  };
  const remove = (name: string, service: ServiceSpec | undefined): void => {
    const standing = standings[name];
    if (standing === undefined || service === undefined) return;
    if (isEnded(standing.phase) || standing.phase === 'pending') {
      delete standings[name];
      delete disabled[name];
      delete stopping[name];
      removed.push(name);
      return;
    }
    leaving[name] = service;
    stop(name, { again: false });
  };
  const add = (service: ServiceSpec): void => {
    const { name, enabled } = service;
    if (enabled) delete disabled[name];
    else disabled[name] = true;
    if (leaving[name] !== undefined) {
      delete leaving[name];
      stop(name, { again: enabled, next: service });
      return;
    }
    standings[name] = standingOf(service, { phase: enabled ? 'pending' : 'disabled', hasBeenReady: false });
    added.push(service);
  };
  const disable = (service: ServiceSpec): void => {
    const { name } = service;
    const standing = standings[name];
    if (standing === undefined) return;
    disabled[name] = true;
    if (isEnded(standing.phase) || standing.phase === 'pending') {
      standings[name] = { ...standing, phase: 'disabled' };
      changed.push(service);
    } else stop(name, { again: false, next: service });
  };
  const begin = (service: ServiceSpec): void => {
    const { name } = service;
    const standing = standings[name];
    if (standing === undefined) return;
    delete disabled[name];
    if (isEnded(standing.phase)) {
      standings[name] = { ...standing, phase: 'pending', hasBeenReady: false };
      changed.push(service);
    } else {
      // Whoever waits for it waits for the new one.
      standings[name] = { ...standing, hasBeenReady: false };
      stop(name, { again: true, next: service });
    }
  };
  const change = (service: ServiceSpec): void => {
    const { name, enabled } = service;
    const standing = standings[name];
    const current = stopping[name];
    if (standing === undefined) return;
    if (!enabled && old.get(name)?.enabled === true) {
      disable(service);
      return;
    }
    if (enabled && old.get(name)?.enabled === false) delete disabled[name];
    if (current === undefined) changed.push(service);
    else stopping[name] = { ...current, next: service };
  };

  for (const { action, name } of plan.steps) {
    const service = next.get(name);
    if (service === undefined) remove(name, old.get(name));
    else if (!old.has(name)) add(service);
    else if (action === 'stop') disable(service);
    else if (action === 'start' || action === 'restart') begin(service);
    else if (action === 'change') change(service);
  }
  for (const service of spec.services) {
    const standing = standings[service.name];
    if (standing !== undefined) standings[service.name] = standingOf(service, standing);
  }
  const held = blocked(graph, standings);
  return {
    context: {
      spec,
      graph,
      standings,
      disabled,
      stopping: inOrder(stopping, before.graph),
      leaving,
      saidBlocked: before.saidBlocked.filter((name) => held.has(name)),
    },
    added,
    removed,
    changed,
  };
}

/** How a service stands at the beginning, or with another definition. */
export function standingOf(
  service: ServiceSpec,
  { phase, hasBeenReady }: Pick<Standing, 'phase' | 'hasBeenReady'>,
): Standing {
  return { phase, hasBeenReady, ignoreFailures: service.ignoreFailures, leavesRemains: ownsRemains(service) };
}

/**
 * The single stops that nobody has to wait for any more. One that has been asked for keeps its order; a dependent that is to be
 * stopped later than it, and before it was told, ends first all the same, unless it would wait for it in turn.
 */
export function stopsInTurn({ stopping, graph }: Pick<Reloadable, 'stopping' | 'graph'>): readonly string[] {
  const isOpen = (name: string): boolean => stopping[name] !== undefined;
  const ordered = (name: string): readonly string[] => {
    const stop = stopping[name];
    // Who has been told waits for nobody.
    return stop === undefined || stop.told ? [] : (stop.after ?? graph.nodes[name]?.dependents ?? []).filter(isOpen);
  };
  const dependents = (name: string): readonly string[] =>
    stopping[name]?.told === false ? (graph.nodes[name]?.dependents ?? []).filter(isOpen) : [];
  const waitsFor = (name: string, other: string): boolean => {
    const found = new Set([name]);
    for (const each of found) for (const next of [...ordered(each), ...dependents(each)]) found.add(next);
    return found.has(other);
  };
  return Object.keys(stopping).filter(
    (name) =>
      stopping[name]?.told === false &&
      ordered(name).length === 0 &&
      dependents(name).every((other) => waitsFor(other, name)),
  );
}

/** Notes who ends before whom, for a time in which the graph is another. Nobody is put behind what is asked for later. */
function inOrder(
  stopping: Readonly<Record<string, SingleStop>>,
  { nodes }: DependencyGraph,
): Readonly<Record<string, SingleStop>> {
  const names = Object.keys(stopping);
  return Object.fromEntries(
    Object.entries(stopping).map(([name, stop]) => {
      const node = nodes[name];
      if (stop.after !== undefined || node === undefined) return [name, { ...stop, after: stop.after ?? [] }];
      const later = names.filter((other) => (nodes[other]?.stage ?? 0) > node.stage);
      return [name, { ...stop, after: [...node.dependents.filter((other) => other in stopping), ...later] }];
    }),
  );
}
