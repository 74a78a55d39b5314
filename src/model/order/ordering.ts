import { isEnded, type ServicePhase } from '../service/service-phase.ts';
import type { DependencyGraph, DependencyNode } from './dependency-graph.ts';
import { type PrerequisiteStage, plainTie, type Tie, tieTo } from './prerequisite.ts';

/** What ordering has to know about each service: its phase, and whether its failure holds others up. */
export interface Standing {
  readonly phase: ServicePhase;
  /** The process of the start that is under way has been spawned; only services that others wait for at `started` say so. */
  readonly spawned?: boolean | undefined;
  /** What the service's health probe says; undefined before its first verdict, and without a probe. */
  readonly healthy?: boolean | undefined;
  /** True once the service was ready: from then on it holds up no later stage, even while it is restarted. */
  readonly hasBeenReady: boolean;
  readonly ignoreFailures: boolean;
}

/** Standings of services by name: a map, or anything else that can look them up. */
export interface Standings {
  get(name: string): Standing | undefined;
}

/** True where a service stands at this stage or beyond it. A disabled one stands at every stage, and so does an ignored failure. */
function reaches(standing: Omit<Standing, 'hasBeenReady'>, stage: PrerequisiteStage): boolean {
  const { phase, ignoreFailures, spawned, healthy } = standing;
  if (phase === 'disabled' || (phase === 'failed' && ignoreFailures)) return true;
  switch (stage) {
    case 'started':
      return satisfies(standing) || (phase === 'starting' && spawned === true);
    case 'ready':
      return satisfies(standing);
    case 'healthy':
      return satisfies(standing) && healthy === true;
    case 'exited':
      return phase === 'exited' || phase === 'ready.exited';
  }
}

/** True where a service stands at every stage of the tie. */
export function reachesAll(standing: Omit<Standing, 'hasBeenReady'>, { stages }: Tie): boolean {
  return stages.every((stage) => reaches(standing, stage));
}

/**
 * True where a service lets one start that has this tie to it.
 *
 * @param isBlocked the service is pending and can never start as things stand
 */
export function meets(standing: Omit<Standing, 'hasBeenReady'>, tie: Tie, isBlocked: boolean): boolean {
  return reachesAll(standing, tie) || (tie.kind === 'wants' && (isBlocked || isSpent(standing, tie)));
}

/** True where a service does not reach the stages of the tie by itself any more: it has ended, or is unhealthy. */
function isSpent({ phase, healthy }: Omit<Standing, 'hasBeenReady'>, { stages, kind }: Tie): boolean {
  if (isEnded(phase)) return true;
  if (!stages.includes('healthy')) return false;
  // A service that is unhealthy may recover: only one that merely wants it goes on without.
  return phase === 'exited' || phase === 'ready.exited' || (kind === 'wants' && healthy === false);
}

/** True where dependents may start: ready, exited, disabled, or failed with `ignore_failures`. */
export function satisfies({ phase, ignoreFailures }: Pick<Standing, 'phase' | 'ignoreFailures'>): boolean {
  switch (phase) {
    case 'ready.running':
    case 'ready.exited':
    case 'exited':
    case 'ready.scheduled':
    case 'disabled':
      return true;
    case 'failed':
      return ignoreFailures;
    case 'pending':
    case 'starting':
    case 'stopping':
    case 'backoff':
    case 'stopped':
      return false;
  }
}

/** The pending services that can never start because a prerequisite has ended without becoming ready. */
export function blocked(graph: DependencyGraph, standings: Standings): ReadonlySet<string> {
  const result = new Set<string>();
  let stage = 0;
  let stageBlocked = false;
  let nextBlocked = false;
  for (const name of graph.names) {
    const node = nodeOf(graph, name);
    if (node.stage !== stage) {
      stage = node.stage;
      stageBlocked = nextBlocked;
    }
    const standing = standings.get(name);
    if (standing === undefined) continue;
    if (isLost(standings, name) && !opensStage(standing)) nextBlocked = true;
    if (standing.phase !== 'pending') continue;
    const held = node.prerequisites.some((other) => holdsUp(standings, node, other, result));
    if (stageBlocked || held) {
      result.add(name);
      // A service that was ready once and is pending again holds up no later stage.
      if (!opensStage(standing)) nextBlocked = true;
    }
  }
  return result;
}

/** True where a service never starts as things stand because of this prerequisite. `held`: pending ones that never start. */
export function holdsUp(
  standings: Standings,
  node: DependencyNode | undefined,
  prerequisite: string,
  held: { has(name: string): boolean },
): boolean {
  const tie = tieTo(node, prerequisite);
  return tie.kind !== 'wants' && (held.has(prerequisite) || isLost(standings, prerequisite, tie));
}

/**
 * For each blocked service the services at the roots of what holds it up: they have ended, wait for nothing themselves,
 * and would have to be started by hand.
 */
export function blockedBy(graph: DependencyGraph, standings: Standings): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  const rootsOf = (name: string, tie = plainTie): readonly string[] =>
    isLost(standings, name, tie) ? [name] : (found.get(name) ?? []);
  const stages = new Map<number, readonly string[]>();
  const rootsBefore = (stage: number): readonly string[] => {
    const known = stages.get(stage);
    if (known !== undefined) return known;
    const holding = graph.names.filter((name) => {
      const standing = standings.get(name);
      return standing !== undefined && nodeOf(graph, name).stage < stage && !opensStage(standing);
    });
    const roots = union(holding.map((name) => rootsOf(name)));
    stages.set(stage, roots);
    return roots;
  };
  // The names are in the order of the graph: the roots of what a service waits for are known before its own.
  for (const name of blocked(graph, standings)) {
    const node = nodeOf(graph, name);
    const holding = node.prerequisites.filter((other) => holdsUp(standings, node, other, found));
    const direct = union(holding.map((other) => rootsOf(other, tieTo(node, other))));
    found.set(name, direct.length > 0 ? direct : rootsBefore(node.stage));
  }
  return found;
}

/** The members of all lists, each once. Where only one list has any, it is that list itself. */
function union(lists: readonly (readonly string[])[]): readonly string[] {
  const filled = lists.filter((list) => list.length > 0);
  const [only, ...others] = filled;
  return only !== undefined && others.length === 0 ? only : [...new Set(filled.flat())];
}

/** Upper bound of `shutdownReserve`, ms. */
const mostReserved = 500;

/**
 * The part of the shutdown budget that is kept for the final signals to all remaining processes and for flushing the logs, ms.
 */
export function shutdownReserve(budget: number): number {
  return Math.min(mostReserved, budget / 10);
}

/** The least time that each lower layer gets even if the layers above overrun, as far as the budget reaches, ms. */
export const leastShare = 1_000;

/**
 * How long a service may take from its kill signal to SIGKILL: what is left of the shutdown budget, divided by the layers
 * that are left, and never so much that a layer below would have less than a second.
 *
 * @param below layers below it in which a stop takes time; undefined where no graph tells how many come after it
 * @param left ms of the whole budget that are left
 * @param budget the whole of it, ms
 * @param wanted the `stop_timeout` of the service: it may take so much more than an equal part as leaves a second to each layer below
 */
export function stopShare(below: number | undefined, left: number, budget: number, wanted?: number): number {
  const usable = Math.max(0, left - shutdownReserve(budget));
  if (below === undefined) return Math.min(usable / 2, wanted ?? usable);
  const equal = usable / (below + 1);
  const sparing = usable - below * leastShare;
  if (wanted !== undefined) return Math.min(wanted, sparing > 0 ? sparing : equal);
  return sparing > 0 ? Math.min(equal, sparing) : equal;
}

function nodeOf(graph: DependencyGraph, name: string): DependencyNode {
  const node = graph.nodes[name];
  if (node === undefined) throw new Error(`internal error: ${name} is not in the dependency graph`);
  return node;
}

/** True where services of later stages need not wait for it. */
export function opensStage(standing: Standing): boolean {
  return standing.hasBeenReady || satisfies(standing);
}

/** True if the service has ended without reaching the stages of the tie, so that dependents with such a tie cannot start. */
export function isLost(standings: Standings, name: string, tie = plainTie): boolean {
  const standing = standings.get(name);
  return standing !== undefined && isLostStanding(standing, tie);
}

export function isLostStanding(standing: Standing, tie = plainTie): boolean {
  return isSpent(standing, tie) && !reachesAll(standing, tie);
}
