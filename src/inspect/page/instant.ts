/** The state of all services at one instant, and which services hold up which. */

import { hasStarted, isStart } from '../../facts/fact.ts';
import { buildDependencyGraph, type DependencyGraph } from '../../model/order/dependency-graph.ts';
import { holdOf } from '../../model/order/hold.ts';
import { blockedBy, type Standing, type Standings } from '../../model/order/ordering.ts';
import { type HookStage, hookStages } from '../../model/service/hook.ts';
import { type PublicState, publicStateOf } from '../../model/service/public-state.ts';
import { phaseOfPath, type ServicePhase } from '../../model/service/service-phase.ts';
import { isServiceStage } from '../../model/service/service-stage.ts';
import { parseSignal } from '../../model/service/signal.ts';
import { explainState, type Hold, type Why } from '../../model/service/why.ts';
import type { ServiceEntry } from '../entry.ts';
import type { Replica, Segment } from '../replica.ts';

export interface ServiceNow {
  readonly name: string;
  readonly config: ServiceEntry;
  readonly state: PublicState;
  /** The path of the chart's state, such as `starting.settling`. */
  readonly stage: string;
  /** When the service entered this state, in ms since chaperone began. */
  readonly since: number;
  /** The service's stay in this state; absent before the service's chart has begun. */
  readonly segment?: Segment;
  /** Why the service is still pending. */
  readonly hold?: Hold;
  readonly why?: Why;
}

/** A service that waits for no other one, and all services that wait for it; none where it holds up only the end of the boot. */
export interface Blocker {
  readonly name: string;
  readonly waiting: readonly string[];
}

export interface Instant {
  /** The number of entries up to this instant. */
  readonly count: number;
  /** ms since chaperone began. */
  readonly at: number;
  readonly replica: Replica;
  readonly services: ReadonlyMap<string, ServiceNow>;
  readonly blockers: readonly Blocker[];
  readonly graph: DependencyGraph;
}

export function graphOf(services: Iterable<ServiceEntry>): DependencyGraph {
  return buildDependencyGraph(
    [...services].map(({ name, waitsFor, groups, ties }) => ({
      name,
      groups,
      prerequisites: waitsFor,
      ...(ties === undefined ? {} : { ties }),
    })),
  );
}

export function instantOf(
  replica: Replica,
  count: number,
  configs: ReadonlyMap<string, ServiceEntry>,
  graph: DependencyGraph,
): Instant {
  const standings = new Map<string, Standing>();
  const found: { config: ServiceEntry; segment: Segment | undefined; phase: ServicePhase }[] = [];
  for (const config of configs.values()) {
    const segments = replica.services.get(config.name)?.segments ?? [];
    const segment = segments.at(-1);
    const phase = segment === undefined ? (config.enabled ? 'pending' : 'disabled') : phaseOf(segment.state);
    standings.set(config.name, {
      phase,
      hasBeenReady: segments.some(({ state }) => hasStarted(state)),
      ignoreFailures: config.ignoreFailures,
      spawned: segment?.state !== 'starting.spawning',
    });
    found.push({ config, segment, phase });
  }
  const held = blockedBy(graph, standings);
  const system = replica.system.segments.at(-1)?.state;
  const idling = system === 'booting.idling';
  const ending = system === 'halted' || (system?.startsWith('draining') ?? false);
  const epoch = replica.boot?.epoch ?? 0;
  const services = new Map<string, ServiceNow>();
  for (const { config, segment, phase } of found) {
    const pending = ending ? ({ kind: 'ending' } as const) : holdOf(graph, standings, held, config.name, idling);
    const hold = phase === 'pending' ? pending : undefined;
    const why = whyOf(config, segment, segment?.state ?? phase, hold, { epoch, at: replica.at });
    services.set(config.name, {
      name: config.name,
      config,
      state: publicStateOf(phase),
      stage: segment?.state ?? phase,
      since: segment?.from ?? 0,
      ...(segment === undefined ? {} : { segment }),
      ...(hold === undefined ? {} : { hold }),
      ...(why === undefined ? {} : { why }),
    });
  }
  return { count, at: replica.at, replica, services, blockers: blockersOf(services, standings, system), graph };
}

function whyOf(
  { type, killSignal, startupPause, restart, pidfile }: ServiceEntry,
  segment: Segment | undefined,
  stage: string,
  hold: Hold | undefined,
  { epoch, at }: { readonly epoch: number; readonly at: number },
): Why | undefined {
  // An inetd or cron service waits for a client or a moment, which only its configuration names; the entries do not hold that part.
  if (type === 'container' || !isServiceStage(stage) || stage === 'ready.scheduled') return undefined;
  const context = segment?.context ?? {};
  const pid = context['pid'];
  const running = context['running'];
  const restarts = context['restarts'];
  const { cause, noTry } = context;
  const hooks = typeof context['hook'] === 'string' ? stageOfHook(context['hook']) : undefined;
  const endSignal = typeof context['endSignal'] === 'string' ? parseSignal(context['endSignal']) : undefined;
  return explainState({
    stage,
    since: epoch + (segment?.from ?? 0),
    spec: {
      type,
      killSignal,
      startupPause,
      restart: restart !== undefined,
      // An entry without a limit has none.
      restartLimit: restart === undefined ? 0 : (restart.limit ?? Number.POSITIVE_INFINITY),
      restartDelay: restart?.delay ?? 0,
      ...(restart?.always === true ? { restartPolicy: { always: true } } : {}),
      ...(pidfile === undefined ? {} : { pidfile }),
    },
    hold: hold ?? { kind: 'none' },
    restartsUsed: typeof restarts === 'number' ? restarts : 0,
    ...(typeof pid === 'number' ? { pid } : {}),
    ...(typeof running === 'number' ? { running } : {}),
    ...(typeof cause === 'string' ? { cause } : {}),
    ...(typeof noTry === 'string' ? { noTry } : {}),
    ...(endSignal === undefined ? {} : { endSignal }),
    // The entries tell when the stage began; its hooks stand on the timeline.
    ...(hooks === undefined ? {} : { hook: { stage: hooks, nth: 1, of: 1, pid: 0, ran: at - (segment?.from ?? at) } }),
  });
}

/** The stage in `before_start 2 of 3`. */
function stageOfHook(text: string): HookStage | undefined {
  const [name] = text.split(' ', 1);
  return hookStages.find((stage) => stage === name);
}

/** The services that a service waits for at this instant. */
export function holders(service: ServiceNow | undefined): readonly string[] {
  const hold = service?.hold;
  return hold !== undefined && 'names' in hold ? hold.names : [];
}

/** The service and all services that it waits for, directly or indirectly; each with the services that hold it up. */
export function blockingPath(
  services: ReadonlyMap<string, ServiceNow>,
  name: string,
): ReadonlyMap<string, readonly string[]> {
  const path = new Map<string, readonly string[]>();
  const open = [name];
  for (let next = open.shift(); next !== undefined; next = open.shift()) {
    if (path.has(next)) continue;
    const names = holders(services.get(next));
    path.set(next, names);
    open.push(...names);
  }
  return path;
}

function blockersOf(
  services: ReadonlyMap<string, ServiceNow>,
  standings: Standings,
  system: string | undefined,
): readonly Blocker[] {
  const waiting = new Map<string, Set<string>>();
  if (system?.startsWith('booting') === true)
    for (const { name, state } of services.values()) if (state === 'starting') waiting.set(name, new Set());
  const roots = new Map<string, ReadonlySet<string>>();
  const rootsOf = (name: string): ReadonlySet<string> => {
    const known = roots.get(name);
    if (known !== undefined) return known;
    const found = new Set<string>();
    roots.set(name, found);
    const names = holders(services.get(name));
    if (names.length === 0) found.add(name);
    for (const other of names) for (const root of rootsOf(other)) found.add(root);
    return found;
  };
  for (const { name } of services.values()) {
    if (standings.get(name)?.phase !== 'pending') continue;
    for (const root of rootsOf(name)) {
      if (root === name) continue;
      const known = waiting.get(root) ?? new Set();
      waiting.set(root, known.add(name));
    }
  }
  return [...waiting]
    .map(([name, names]) => ({ name, waiting: [...names] }))
    .sort((a, b) => b.waiting.length - a.waiting.length);
}

/** The phase of a state of a service's chart. A state outside all phases counts as pending: no service stays in it between two events. */
function phaseOf(path: string): ServicePhase {
  return phaseOfPath(path) ?? (isStart(path) ? 'starting' : 'pending');
}

export function stateOfPath(path: string): PublicState {
  return publicStateOf(phaseOf(path));
}
