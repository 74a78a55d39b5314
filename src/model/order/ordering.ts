import { isEnded, type ServicePhase } from '../service/service-phase.ts';
import type { DependencyGraph, DependencyNode } from './dependency-graph.ts';

/** What ordering has to know about each service: its phase, and whether its failure holds others up. */
export interface Standing {
  readonly phase: ServicePhase;
  /** True once the service was ready: from then on it holds up no later stage, even while it is restarted. */
  readonly hasBeenReady: boolean;
  readonly ignoreFailures: boolean;
}

/** Standings of services by name: a map, or anything else that can look them up. */
export interface Standings {
  get(name: string): Standing | undefined;
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
    const held = node.prerequisites.some((other) => result.has(other) || isLost(standings, other));
    if (stageBlocked || held) {
      result.add(name);
      // A service that was ready once and is pending again holds up no later stage.
      if (!opensStage(standing)) nextBlocked = true;
    }
  }
  return result;
}

/**
 * For each blocked service the services at the roots of what holds it up: they have ended, wait for nothing themselves,
 * and would have to be started by hand.
 */
export function blockedBy(graph: DependencyGraph, standings: Standings): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  const rootsOf = (name: string): readonly string[] => (isLost(standings, name) ? [name] : (found.get(name) ?? []));
  const stages = new Map<number, readonly string[]>();
  const rootsBefore = (stage: number): readonly string[] => {
    const known = stages.get(stage);
    if (known !== undefined) return known;
    const holding = graph.names.filter((name) => {
      const standing = standings.get(name);
      return standing !== undefined && nodeOf(graph, name).stage < stage && !opensStage(standing);
    });
    const roots = union(holding.map(rootsOf));
    stages.set(stage, roots);
    return roots;
  };
  // The names are in the order of the graph: the roots of what a service waits for are known before its own.
  for (const name of blocked(graph, standings)) {
    const { prerequisites, stage } = nodeOf(graph, name);
    const direct = union(prerequisites.map(rootsOf));
    found.set(name, direct.length > 0 ? direct : rootsBefore(stage));
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
 */
export function stopShare(below: number | undefined, left: number, budget: number): number {
  const usable = Math.max(0, left - shutdownReserve(budget));
  if (below === undefined) return usable / 2;
  const equal = usable / (below + 1);
  const sparing = usable - below * leastShare;
  return sparing > 0 ? Math.min(equal, sparing) : equal;
}

/** A shutdown budget that gives each of so many layers its least share, ms. */
export function sufficientBudget(layers: number): number {
  return layers * leastShare + mostReserved;
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

/** True if the service has ended without becoming ready, so that its dependents cannot start. */
export function isLost(standings: Standings, name: string): boolean {
  const standing = standings.get(name);
  return standing !== undefined && isEnded(standing.phase) && !satisfies(standing);
}
