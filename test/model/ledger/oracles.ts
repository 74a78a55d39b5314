/** What the ledger knows by counting, found out by looking at everything: as it was done before there was one. */

import type { Ledger } from '../../../src/model/ledger/ledger.ts';
import { definitionOf, isOver, isStopping, type Slot, standingOf } from '../../../src/model/ledger/slot.ts';
import type { DependencyGraph } from '../../../src/model/order/dependency-graph.ts';
import { blocked, type Standing, type Standings, satisfies } from '../../../src/model/order/ordering.ts';
import { type PrerequisiteStage, tieTo } from '../../../src/model/order/prerequisite.ts';
import { isEnded } from '../../../src/model/service/service-phase.ts';

function opensStage(standing: Standing): boolean {
  return standing.hasBeenReady || satisfies(standing);
}

function stageOf(graph: DependencyGraph, name: string): number {
  return graph.nodes[name]?.stage ?? 0;
}

/** The pending services whose prerequisites and earlier stages are all satisfied, in start order. */
export function startable(graph: DependencyGraph, standings: Standings, idleReleased: boolean): readonly string[] {
  const closed = graph.names.flatMap((name) => {
    const standing = standings.get(name);
    return standing === undefined || opensStage(standing) ? [] : [stageOf(graph, name)];
  });
  const open = Math.min(2, ...closed);
  return graph.names.filter((name) => {
    const stage = stageOf(graph, name);
    if (standings.get(name)?.phase !== 'pending' || stage > open || (stage === 2 && !idleReleased)) return false;
    return (graph.nodes[name]?.prerequisites ?? []).every((other) => lets(graph, standings, other, name));
  });
}

/** True where a service lets one start that waits for it. */
function lets(graph: DependencyGraph, standings: Standings, other: string, name: string): boolean {
  const standing = standings.get(other);
  if (standing === undefined) return true;
  const { kind, stages } = tieTo(graph.nodes[name], other);
  if (stages.every((stage) => stands(standing, stage))) return true;
  if (kind !== 'wants') return false;
  const { phase, healthy } = standing;
  const ended = ['failed', 'stopped', 'disabled'].includes(phase);
  const unwell = stages.includes('healthy') && (healthy === false || phase === 'exited' || phase === 'ready.exited');
  return ended || unwell || blocked(graph, standings).has(other);
}

/** True where a service stands at a stage, or beyond it. */
export function stands(standing: Standing, stage: PrerequisiteStage): boolean {
  const { phase, ignoreFailures, healthy, spawned } = standing;
  if (phase === 'disabled' || (phase === 'failed' && ignoreFailures)) return true;
  const isUp = phase === 'exited' || phase.startsWith('ready');
  switch (stage) {
    case 'started':
      return isUp || (phase === 'starting' && spawned === true);
    case 'ready':
      return isUp;
    case 'healthy':
      return isUp && healthy === true;
    case 'exited':
      return phase === 'exited' || phase === 'ready.exited';
  }
}

/** The services that may be told to stop now: not ended, and all that started after them because of them have ended. */
export function stoppable(graph: DependencyGraph, standings: Standings): readonly string[] {
  const hasEnded = (name: string): boolean => isEnded(standings.get(name)?.phase ?? 'stopped');
  const last = Math.max(0, ...graph.names.filter((name) => !hasEnded(name)).map((name) => stageOf(graph, name)));
  return graph.names.filter(
    (name) =>
      !hasEnded(name) &&
      stageOf(graph, name) >= last &&
      (graph.nodes[name]?.dependents ?? []).every((other) => hasEnded(other)),
  );
}

/** True once nothing more will become ready by itself. `withLastStage` false: IDLE services do not count. */
export function isSettled(graph: DependencyGraph, standings: Standings, withLastStage: boolean): boolean {
  const open = graph.names.filter((name) => {
    const standing = standings.get(name);
    if (standing === undefined || standing.hasBeenReady || isEnded(standing.phase)) return false;
    return withLastStage || stageOf(graph, name) < 2;
  });
  if (open.some((name) => standings.get(name)?.phase !== 'pending')) return false;
  const held = blocked(graph, standings);
  return open.every((name) => held.has(name));
}

/** Where the services of a ledger stand. */
export function standingsOf({ slots }: Ledger): Map<string, Standing> {
  return new Map(
    slots.all().flatMap((slot) => {
      const standing = standingOf(slot);
      return standing === undefined ? [] : [[slot.spec.name, standing] as const];
    }),
  );
}

/** As `standingsOf`; what is about to be stopped, and has still to become ready for the first time, holds up later stages. */
export function standingsForStarts(ledger: Ledger): Map<string, Standing> {
  const standings = standingsOf(ledger);
  for (const slot of ledger.slots) {
    const standing = standings.get(slot.spec.name);
    if (standing !== undefined && isStopping(slot)) standings.set(slot.spec.name, { ...standing, phase: 'stopping' });
  }
  return standings;
}

/** The services of a ledger that should have been let go: each of them may start, were it the only one that waits. */
export function shouldStart(ledger: Ledger): readonly string[] {
  if (ledger.drain !== undefined) return [];
  const { graph, idleReleased } = ledger;
  return startable(graph, standingsForStarts(ledger), idleReleased).filter((name) => !isHeldByStops(ledger, name));
}

/** True where a service that was let go in the step that led here was let go with reason. */
export function mayHaveStarted(ledger: Ledger, name: string): boolean {
  const { graph, idleReleased } = ledger;
  const standings = standingsForStarts(ledger);
  const standing = standings.get(name);
  if (standing === undefined) return false;
  standings.set(name, { ...standing, phase: 'pending' });
  return startable(graph, standings, idleReleased).includes(name) && !isHeldByStops(ledger, name);
}

/** What a reload ends has its port or its pidfile. */
function isHeldByStops({ slots }: Ledger, name: string): boolean {
  const spec = slots.get(name)?.spec;
  return slots.all().some((slot) => {
    if (slot.spec.name === name || !isStopping(slot)) return false;
    if (slot.intent.why !== 'reload' && slot.intent.why !== 'gone') return false;
    const { port, pidfile } = definitionOf(slot);
    return (port !== undefined && port === spec?.port) || (pidfile !== undefined && pidfile === spec?.pidfile);
  });
}

/** Those that wait for a service by its graph and have not ended. */
export function dependentsLeft({ graph, slots }: Ledger, name: string): readonly Slot[] {
  return (graph.nodes[name]?.dependents ?? []).flatMap((other) => {
    const slot = slots.get(other);
    return slot === undefined || isOver(slot) ? [] : [slot];
  });
}

/** As one string, whatever of a ledger may be told from outside. */
export function fingerprint(ledger: Ledger): string {
  const { slots, graph: _, spec: __, ...rest } = ledger;
  return JSON.stringify([slots.all(), slots.names(), rest]);
}
