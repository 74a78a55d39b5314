/** What must not be stopped, since it could not be started again. */
import type { DependencyGraph } from '../dependency-graph.ts';
import { blocked } from '../ordering.ts';
import type { ReloadPlan, Unstartable } from '../reload-plan.ts';
import { shortName } from '../service-spec.ts';
import type { Ledger } from './ledger.ts';
import { isOver, isStopping, phaseOf, type Slot, satisfiesDependents, standingOf } from './slot.ts';

/** Those of the services that run and that a restart would end for good. What is restarted together counts as there. */
export function unrestartable(ledger: Ledger, names: readonly string[]): readonly Unstartable[] {
  return endedForGood(ledger, ledger.graph, new Set(names), names);
}

/** Those of the services that run, and that the plan would stop and then, in the new configuration, could not start again. */
export function unstartableAfter(ledger: Ledger, plan: ReloadPlan, graph: DependencyGraph): readonly Unstartable[] {
  const begins = plan.steps.flatMap(({ action, name }) => (action === 'start' || action === 'restart' ? [name] : []));
  const restarts = plan.steps.flatMap(({ action, name }) => (action === 'restart' ? [name] : []));
  // What was disabled by hand goes on as it is.
  const ended = restarts.filter((name) => ledger.slots.get(name)?.enabled !== false);
  return endedForGood(ledger, graph, new Set(begins), ended);
}

function endedForGood(
  ledger: Ledger,
  graph: DependencyGraph,
  begun: ReadonlySet<string>,
  names: readonly string[],
): readonly Unstartable[] {
  const held = blocked(ledger.graph, { get: (name) => standingOf(ledger.slots.get(name)) });
  return names.flatMap((name): readonly Unstartable[] => {
    const slot = ledger.slots.get(name);
    if (slot === undefined || isOver(slot)) return [];
    if (!slot.enabled) return [{ name, reason: 'it is disabled' }];
    const reasons = (graph.nodes[name]?.prerequisites ?? []).flatMap((other) => {
      const reason = begun.has(other) ? undefined : whyDown(ledger.slots.get(other), held);
      return reason === undefined ? [] : [`${shortName(other)} ${reason}`];
    });
    return reasons.length === 0 ? [] : [{ name, reason: reasons.join(', ') }];
  });
}

/** Why nobody who waits for it could start, unless somebody does something about it. */
function whyDown(slot: Slot | undefined, held: ReadonlySet<string>): string | undefined {
  if (slot === undefined) return undefined;
  if (isStopping(slot)) return slot.intent.next === 'rest' && slot.enabled ? 'is being stopped' : undefined;
  if (satisfiesDependents(slot)) return undefined;
  const phase = phaseOf(slot);
  if (phase === 'stopped') return 'is stopped';
  if (phase === 'failed') return 'has failed';
  return held.has(slot.spec.name) ? 'never starts as things stand' : undefined;
}
