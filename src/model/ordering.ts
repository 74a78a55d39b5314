import type { DependencyGraph, DependencyNode } from './dependency-graph.ts';
import { isEnded, isLive, type ServicePhase } from './service-phase.ts';

/** What ordering has to know about each service: where it stands, and whether its failure holds others up. */
export interface Standing {
  readonly phase: ServicePhase;
  /** True once it was ready: from then on it holds up no later stage, even while it is restarted. */
  readonly hasBeenReady: boolean;
  readonly ignoreFailures: boolean;
  /** Its start leaves processes behind that are stopped with it: it needs time for that after its own process has exited. */
  readonly leavesRemains?: boolean;
}

export type Standings = Readonly<Record<string, Standing>>;

/** True where dependents may start: ready, disabled, or failed with `ignore_failures`. */
export function satisfies({ phase, ignoreFailures }: Pick<Standing, 'phase' | 'ignoreFailures'>): boolean {
  switch (phase) {
    case 'running':
    case 'exited':
    case 'scheduled':
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

/** The pending services whose prerequisites and earlier stages are all satisfied, in start order. */
export function startable(graph: DependencyGraph, standings: Standings, idleReleased: boolean): readonly string[] {
  const pending = graph.names.filter((name) => standings[name]?.phase === 'pending');
  if (pending.length === 0) return pending;
  const open = firstOpenStage(graph, standings);
  return pending.filter((name) => {
    const node = nodeOf(graph, name);
    if (node.stage > open) return false;
    return (node.stage < 2 || idleReleased) && node.prerequisites.every((other) => isSatisfied(standings, other));
  });
}

/** The pending services that can never start, because something they wait for has ended without becoming ready. */
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
    const standing = standings[name];
    if (standing === undefined) continue;
    const lost = standing.phase === 'failed' || standing.phase === 'stopped';
    if (lost && !opensStage(standing)) nextBlocked = true;
    if (standing.phase !== 'pending') continue;
    const held = node.prerequisites.some((other) => result.has(other) || isLost(standings, other));
    if (stageBlocked || held) {
      result.add(name);
      // One that was ready once, and waits again, holds up no later stage.
      if (!opensStage(standing)) nextBlocked = true;
    }
  }
  return result;
}

/** The services that may be told to stop now: not ended, and all that started after them because of them have ended. */
export function stoppable(graph: DependencyGraph, standings: Standings): readonly string[] {
  const lastLive = graph.names.reduce(
    (highest, name) => (hasEnded(standings, name) ? highest : Math.max(highest, nodeOf(graph, name).stage)),
    0,
  );
  return graph.names.filter((name) => {
    const node = nodeOf(graph, name);
    return (
      !hasEnded(standings, name) &&
      node.stage >= lastLive &&
      node.dependents.every((other) => hasEnded(standings, other))
    );
  });
}

/**
 * True once nothing more will become ready by itself: what is still pending can never start.
 *
 * @param withLastStage false: IDLE services do not count
 */
export function isSettled(graph: DependencyGraph, standings: Standings, withLastStage: boolean): boolean {
  const open = graph.names.filter((name) => {
    const standing = standings[name];
    if (standing === undefined || standing.hasBeenReady || isEnded(standing.phase)) return false;
    return withLastStage || nodeOf(graph, name).stage < 2;
  });
  if (open.length === 0) return true;
  if (open.some((name) => standings[name]?.phase !== 'pending')) return false;
  const held = blocked(graph, standings);
  return open.every((name) => held.has(name));
}

/** What is kept of the shutdown budget for the last round and for flushing the logs, ms. */
export function shutdownReserve(budget: number): number {
  return Math.min(500, budget / 10);
}

/** What every layer below gets even when the ones above overrun, as far as the budget reaches, ms. */
const leastShare = 1_000;

/**
 * How long a service may take from its kill signal to SIGKILL: what is left of the shutdown budget, divided by the layers
 * that are left, and never so much that a layer below would have less than a second.
 *
 * @param left ms of the whole budget that are left
 * @param reserve ms of it that belong to the last round
 */
export function stopShare(
  graph: DependencyGraph,
  standings: Standings,
  name: string,
  left: number,
  reserve: number,
): number {
  const layer = nodeOf(graph, name).layer;
  const below = new Set<number>();
  for (const other of graph.names) {
    const standing = standings[other];
    const otherLayer = nodeOf(graph, other).layer;
    if (otherLayer >= layer || standing === undefined) continue;
    const needsTime = isLive(standing.phase) || (standing.phase === 'exited' && standing.leavesRemains === true);
    if (needsTime) below.add(otherLayer);
  }
  const usable = Math.max(0, left - reserve);
  const equal = usable / (below.size + 1);
  const sparing = usable - below.size * leastShare;
  return sparing > 0 ? Math.min(equal, sparing) : equal;
}

function nodeOf(graph: DependencyGraph, name: string): DependencyNode {
  const node = graph.nodes[name];
  if (node === undefined) throw new Error(`internal error: ${name} is not in the dependency graph`);
  return node;
}

/** Services of later stages wait: the first stage in which something is not satisfied is the last one that may start. */
function firstOpenStage(graph: DependencyGraph, standings: Standings): number {
  let open = 2;
  for (const name of graph.names) {
    const standing = standings[name];
    if (standing !== undefined && !opensStage(standing)) open = Math.min(open, nodeOf(graph, name).stage);
  }
  return open;
}

function opensStage(standing: Standing): boolean {
  return standing.hasBeenReady || satisfies(standing);
}

function isSatisfied(standings: Standings, name: string): boolean {
  const standing = standings[name];
  return standing === undefined || satisfies(standing);
}

function isLost(standings: Standings, name: string): boolean {
  const standing = standings[name];
  return (
    standing !== undefined && (standing.phase === 'failed' || standing.phase === 'stopped') && !satisfies(standing)
  );
}

function hasEnded(standings: Standings, name: string): boolean {
  const standing = standings[name];
  return standing === undefined || isEnded(standing.phase);
}
