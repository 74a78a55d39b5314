/** Decides which pending services start now, and which can never start. */
import { blocked, blockedBy, meets } from '../order/ordering.ts';
import { type Tie, tieTo } from '../order/prerequisite.ts';
import type { ServiceSpec } from '../service/service-spec.ts';
import { type Draft, firstClosedStage, type Ledger } from './ledger.ts';
import {
  definitionOf,
  isReplacing,
  isStopping,
  nothingIntended,
  outlookOf,
  phaseOf,
  type Slot,
  standingOf,
} from './slot.ts';

/** Starts those of the services that nothing holds up, in start order. */
export function release(draft: Draft, names: readonly string[], waitedFor?: string): void {
  if (draft.drain !== undefined) return;
  const { slots } = draft.before;
  const inOrder = names.length < 2 ? names : [...names].sort((a, b) => slots.position(a) - slots.position(b));
  const hopeless = blockedNow(draft);
  for (const name of inOrder) {
    const slot = draft.get(name);
    if (slot === undefined || !mayStart(draft, name, slot, hopeless)) continue;
    // The phase is set before the chart reports it, so that the service is not started twice.
    draft.put(name, {
      chart: 'starting',
      intent: nothingIntended,
      saidBlocked: false,
      ...(slot.because === undefined ? {} : { because: undefined }),
    });
    draft.tell({ type: 'service.released', service: name });
    // A service that starts after its own end was not waiting for another one.
    const isOther = waitedFor !== undefined && waitedFor !== name;
    const asker = slot.askedBy === undefined ? {} : { askedBy: slot.askedBy };
    draft.order({ kind: 'start', name, ...asker, ...(isOther ? { waitedFor } : {}) });
  }
}

/** The pending services that can never start, found out only when somebody asks. No start of another service changes them. */
function blockedNow(draft: Draft): () => ReadonlySet<string> {
  let found: ReadonlySet<string> | undefined;
  return () => {
    found ??= blocked(draft.graph, { get: (name) => outlookOf(draft.get(name)) });
    return found;
  };
}

/** Starts every pending service that nothing holds up. */
export function releaseAll(draft: Draft, waitedFor?: string): void {
  if (draft.counters.pending === 0) return;
  release(
    draft,
    draft.all().flatMap((slot) => (phaseOf(slot) === 'pending' ? [slot.spec.name] : [])),
    waitedFor,
  );
}

/** Emits, once for each pending service, that it cannot start as things stand. */
export function sayBlocked(draft: Draft): void {
  if (draft.counters.pending === 0) return;
  const standings = { get: (name: string) => outlookOf(draft.get(name)) };
  const unsaid = [...blocked(draft.graph, standings)].filter((name) => draft.get(name)?.saidBlocked === false);
  if (unsaid.length === 0) return;
  const roots = blockedBy(draft.graph, standings);
  for (const name of unsaid) {
    draft.put(name, { saidBlocked: true });
    draft.tell({ type: 'service.blocked', service: name, roots: roots.get(name) ?? [] });
  }
  // Whoever merely wants one of them goes on without it.
  release(draft, [...new Set(unsaid.flatMap((name) => draft.node(name)?.dependents ?? []))]);
}

/**
 * True once no service will become ready by itself any more: services that are still pending can never start.
 *
 * @param stages how many stages count, from the first one on
 */
export function isSettled({ counters, graph, slots }: Ledger, stages: number): boolean {
  const sum = (numbers: readonly number[]): number => numbers.slice(0, stages).reduce((all, one) => all + one, 0);
  const open = sum(counters.open);
  if (open === 0) return true;
  if (sum(counters.active) > 0) return false;
  const held = blocked(graph, { get: (name) => outlookOf(slots.get(name)) });
  let hopeless = 0;
  for (const name of held) {
    const isOpen = slots.get(name)?.hasBeenReady === false;
    if (isOpen && (graph.nodes[name]?.stage ?? stages) < stages) hopeless += 1;
  }
  return hopeless === open;
}

function mayStart(draft: Draft, name: string, slot: Slot, hopeless: () => ReadonlySet<string>): boolean {
  const node = draft.node(name);
  if (node === undefined || phaseOf(slot) !== 'pending') return false;
  if (node.stage > firstClosedStage(draft.counters) || (node.stage === 2 && !draft.idleReleased)) return false;
  // The prerequisite that starts last is the likeliest to be missing, so it is checked first.
  const missing = node.prerequisites.findLast(
    (other) => !letsDependentsStart(draft.get(other), tieTo(node, other), hopeless),
  );
  return missing === undefined && !sharesWithStopping(draft, slot);
}

/** True if a prerequisite lets a dependent with this tie start: a ready service that is about to be stopped does not. */
function letsDependentsStart(slot: Slot | undefined, tie: Tie, hopeless: () => ReadonlySet<string>): boolean {
  if (slot === undefined) return true;
  if (isStopping(slot)) return false;
  const isBlocked = tie.kind === 'wants' && slot.saidBlocked && hopeless().has(slot.spec.name);
  return meets(standingOf(slot), tie, isBlocked);
}

/** True if a service that a reload stops still has the port or the pidfile of this one. */
function sharesWithStopping(draft: Draft, { spec }: Slot): boolean {
  if (draft.counters.stopping === 0 || (spec.port === undefined && spec.pidfile === undefined)) return false;
  return holders(draft.all(), spec).length > 0;
}

/** The services that a reload stops and that still have the port or the pidfile of this one. */
export function holders(slots: Iterable<Slot>, { name, port, pidfile }: ServiceSpec): readonly string[] {
  const found: string[] = [];
  for (const slot of slots) {
    if (slot.spec.name === name || !isReplacing(slot)) continue;
    const held = definitionOf(slot);
    const shares = (port !== undefined && held.port === port) || (pidfile !== undefined && held.pidfile === pidfile);
    if (shares) found.push(slot.spec.name);
  }
  return found;
}
