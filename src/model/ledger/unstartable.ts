/** Finds running services that a restart or reload must not stop because they could not start again. */
import type { DependencyGraph, DependencyNode } from '../order/dependency-graph.ts';
import { blocked, holdsUp, isLost, opensStage, type Standing } from '../order/ordering.ts';
import type { ReloadPlan, Unstartable } from '../order/reload-plan.ts';
import { type ServiceSpec, shortName } from '../service/service-spec.ts';
import type { Ledger } from './ledger.ts';
import { isOver, isStopping, type Slot, standingOf } from './slot.ts';

/**
 * The running services that could not start again after a restart. Services that are restarted together count as not started.
 */
export function unrestartable(ledger: Ledger, names: readonly string[]): readonly Unstartable[] {
  const begun = new Set(names);
  const standing = (name: string): Standing | undefined => {
    const slot = ledger.slots.get(name);
    return slot === undefined ? undefined : afterwards(slot, slot.spec, begun.has(name) && slot.enabled);
  };
  const disabled = names.filter((name) => ledger.slots.get(name)?.enabled === false && runs(ledger, name));
  return [
    ...disabled.map((name) => ({ name, reason: 'it is disabled' })),
    ...endedForGood(ledger, ledger.graph, standing, names),
  ];
}

/** The running services that the plan would stop and that could not start again in the new configuration. */
export function unstartableAfter(
  ledger: Ledger,
  plan: ReloadPlan,
  graph: DependencyGraph,
  services: readonly ServiceSpec[],
): readonly Unstartable[] {
  const specs = new Map(services.map((spec) => [spec.name, spec]));
  const actions = new Map(plan.steps.map(({ name, action }) => [name, action]));
  const begins = (name: string): boolean => {
    const action = actions.get(name);
    // A service that was disabled by hand is not touched.
    return (action === 'start' || action === 'restart') && ledger.slots.get(name)?.enabled !== false;
  };
  const standing = (name: string): Standing | undefined => {
    const spec = specs.get(name);
    if (spec === undefined) return undefined;
    const { ignoreFailures, enabled } = spec;
    const slot = ledger.slots.get(name);
    if (slot === undefined) return { phase: enabled ? 'pending' : 'disabled', hasBeenReady: false, ignoreFailures };
    return { ...afterwards(slot, spec, begins(name)), ...(begins(name) ? { hasBeenReady: false } : {}) };
  };
  const restarts = plan.steps.flatMap(({ action, name }) => (action === 'restart' && begins(name) ? [name] : []));
  return endedForGood(ledger, graph, standing, restarts);
}

/** The standing of a service after all planned stops. */
function afterwards(slot: Slot, { ignoreFailures }: ServiceSpec, begins: boolean): Standing {
  const now = { ...standingOf(slot), ignoreFailures };
  if (begins) return { ...now, phase: 'pending' };
  if (!isStopping(slot)) return now;
  if (!slot.enabled) return { ...now, phase: 'disabled' };
  return { ...now, phase: slot.intent.next === 'start' ? 'pending' : 'stopped' };
}

function endedForGood(
  ledger: Ledger,
  graph: DependencyGraph,
  standing: (name: string) => Standing | undefined,
  names: readonly string[],
): readonly Unstartable[] {
  const standings = { get: standing };
  const held = blocked(graph, standings);
  const why = (other: string): string => {
    if (!isLost(standings, other)) return 'never starts as things stand';
    const slot = ledger.slots.get(other);
    if (slot !== undefined && isStopping(slot)) return 'is being stopped';
    return standing(other)?.phase === 'failed' ? 'has failed' : 'is stopped';
  };
  const reasonsFor = (node: DependencyNode): readonly string[] => {
    const { prerequisites, stage } = node;
    const direct = prerequisites.filter((other) => holdsUp(standings, node, other, held));
    if (direct.length > 0) return direct.map((other) => `${shortName(other)} ${why(other)}`);
    const earlier = graph.names.filter((other) => {
      const known = standing(other);
      if (known === undefined || opensStage(known) || (graph.nodes[other]?.stage ?? stage) >= stage) return false;
      return isLost(standings, other) || held.has(other);
    });
    return earlier.map((other) => `${shortName(other)} ${why(other)}, and later groups wait for it`);
  };
  return names.flatMap((name): readonly Unstartable[] => {
    const node = graph.nodes[name];
    if (node === undefined || !held.has(name) || !runs(ledger, name)) return [];
    return [{ name, reason: reasonsFor(node).join('; ') }];
  });
}

function runs({ slots }: Ledger, name: string): boolean {
  const slot = slots.get(name);
  return slot !== undefined && !isOver(slot);
}
