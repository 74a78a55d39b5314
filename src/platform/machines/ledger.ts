/** Which steps of a plan are done, and which may begin: values, and pure functions of them. */
import type { InstanceKey } from '../model/instance.ts';
import type { Step } from '../model/plan.ts';

export type StepState =
  /** The step waits for other steps. */
  | { readonly kind: 'waiting' }
  | { readonly kind: 'begun' }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly cause: string }
  /** The step never begins, since a step that it waits for has failed or was not begun. */
  | { readonly kind: 'skipped'; readonly because: InstanceKey };

export interface Ledger {
  readonly steps: readonly Step[];
  readonly states: ReadonlyMap<InstanceKey, StepState>;
}

/** A step that may begin now. */
export interface Order {
  readonly step: Step;
  /** The last one that it had to wait for. */
  readonly waitedFor?: InstanceKey;
}

export interface Advance {
  readonly ledger: Ledger;
  readonly orders: readonly Order[];
}

export type Outcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly cause: string }
  /** The step was done, and its instance has failed since. */
  | { readonly kind: 'fell'; readonly cause: string };

const waiting: StepState = { kind: 'waiting' };

/** The first orders: those of steps that wait for none. */
export function beginLedger(steps: readonly Step[]): Advance {
  return release({ steps, states: new Map(steps.map(({ key }) => [key, waiting])) });
}

/**
 * The outcome of a step. One that was told before, or that has not begun, changes nothing. A step that was done fails only while others
 * are under way: the plan's own outcome stands.
 */
export function settle(ledger: Ledger, key: InstanceKey, outcome: Outcome): Advance {
  const before = ledger.states.get(key)?.kind;
  const counts = outcome.kind === 'fell' ? before === 'done' && !isOver(ledger) : before === 'begun';
  if (!counts) return { ledger, orders: [] };
  const state: StepState = outcome.kind === 'done' ? outcome : { kind: 'failed', cause: outcome.cause };
  return release({ ...ledger, states: new Map([...ledger.states, [key, state]]) }, key);
}

function release({ steps, states: before }: Ledger, settled?: InstanceKey): Advance {
  const states = new Map(before);
  const orders: Order[] = [];
  // The steps are in an order in which each comes after those that it waits for: one pass reaches all that are skipped.
  for (const step of steps) {
    if (states.get(step.key)?.kind !== 'waiting') continue;
    const broken = step.after.find((key) => isBroken(states.get(key)));
    if (broken !== undefined) states.set(step.key, { kind: 'skipped', because: rootOf(states, broken) });
    else if (step.after.every((key) => isSettled(states.get(key)))) {
      states.set(step.key, { kind: 'begun' });
      const waited = settled !== undefined && step.after.includes(settled);
      orders.push({ step, ...(waited ? { waitedFor: settled } : {}) });
    }
  }
  return { ledger: { steps, states }, orders };
}

/** The step that has failed, at the beginning of a chain of skipped ones. */
function rootOf(states: ReadonlyMap<InstanceKey, StepState>, key: InstanceKey): InstanceKey {
  const state = states.get(key);
  return state?.kind === 'skipped' ? state.because : key;
}

function isBroken(state: StepState | undefined): boolean {
  return state?.kind === 'failed' || state?.kind === 'skipped';
}

/** True also for those that the plan does not name: nobody waits for what nobody does. */
function isSettled(state: StepState | undefined): boolean {
  return state === undefined || state.kind === 'done';
}

/** True once nothing is under way, and nothing can begin any more. */
export function isOver({ states }: Ledger): boolean {
  return [...states.values()].every(({ kind }) => kind !== 'waiting' && kind !== 'begun');
}

/** True where all steps are done. */
export function isDone({ states }: Ledger): boolean {
  return [...states.values()].every(({ kind }) => kind === 'done');
}
