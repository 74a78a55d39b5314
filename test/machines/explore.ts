import {
  type AnyActorScope,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type AnyStateNode,
  createActor,
  type EventObject,
  type ExecutableActionObject,
  type InspectionEvent,
} from 'xstate';
import { getStateNodes } from 'xstate/graph';

/** One step of an explored chart. Its two states are told apart by `key`. */
export interface Edge<S> {
  readonly from: S;
  readonly event: EventObject;
  readonly to: S;
  /** The events that the step sends to other actors. */
  readonly sent: readonly Sent[];
}

export interface Sent {
  readonly to: unknown;
  readonly event: EventObject;
}

/** All states and steps of a chart, found by its pure transitions: no actor runs and no timer is set. */
export interface Exploration<S> {
  readonly states: readonly S[];
  readonly edges: readonly Edge<S>[];
  readonly key: (snapshot: S) => string;
}

export interface ExploreOptions {
  readonly input: unknown;
  /** The events that may arrive in a state; the delays of active nodes are added to them. */
  readonly events: (snapshot: AnyMachineSnapshot) => readonly EventObject[];
  /** The values that tell two states apart, beside the state value. All of them have to be finite. */
  readonly distinguish: (snapshot: AnyMachineSnapshot) => unknown;
}

/** Explores a chart breadth first, from its initial state until no new state is found. */
export function explore(
  machine: AnyStateMachine,
  { input, events, distinguish }: ExploreOptions,
): Exploration<AnyMachineSnapshot> {
  const keys = new Map<AnyMachineSnapshot, string>();
  // Many snapshots have one key: each text is kept once.
  const texts = new Map<string, string>();
  const key = (snapshot: AnyMachineSnapshot): string => {
    const known = keys.get(snapshot);
    if (known !== undefined) return known;
    const made = JSON.stringify([snapshot.value, distinguish(snapshot)]);
    const kept = texts.get(made) ?? made;
    texts.set(kept, kept);
    keys.set(snapshot, kept);
    return kept;
  };
  const steps = new Steps(machine, input);
  const { first } = steps;
  const found = new Map<string, AnyMachineSnapshot>([[key(first), first]]);
  const edges: Edge<AnyMachineSnapshot>[] = [];
  for (const from of found.values()) {
    for (const event of [...events(from), ...delays(from)]) {
      const { to, sent } = steps.take(from, event);
      edges.push({ from, event, to, sent });
      const reached = key(to);
      if (!found.has(reached)) found.set(reached, to);
    }
  }
  return { states: [...found.values()], edges, key };
}

/** Nothing, in the place of an exploration that is not made yet, or that no test needs any more. */
export function unexplored<S>(): Exploration<S> {
  return { states: [], edges: [], key: () => '' };
}

/** The pure transitions of one chart. XState's `transition` makes an actor per step; this uses one for all. */
export class Steps {
  readonly #machine: AnyStateMachine;
  readonly #scope: AnyActorScope;
  readonly first: AnyMachineSnapshot;
  /** The events that the chart sends as it begins. */
  readonly firstSent: readonly Sent[];
  #actions: ExecutableActionObject[] = [];

  /** @param inspect receives XState's inspection events until the chart has begun */
  constructor(machine: AnyStateMachine, input: unknown, inspect: (event: InspectionEvent) => void = () => undefined) {
    this.#machine = machine;
    const self = createActor(machine, { input });
    const inspection = self.system.inspect(inspect);
    this.#scope = {
      self,
      system: self.system,
      id: '',
      sessionId: '',
      logger: () => {},
      defer: () => {},
      emit: () => {},
      stopChild: () => {},
      actionExecutor: (action) => {
        this.#actions.push(action);
      },
    };
    this.first = machine.getInitialSnapshot(this.#scope, input);
    inspection.unsubscribe();
    this.firstSent = sentBy(this.#taken());
  }

  take(
    from: AnyMachineSnapshot,
    event: EventObject,
  ): { readonly to: AnyMachineSnapshot; readonly sent: readonly Sent[] } {
    const to = this.#machine.transition(from, event, this.#scope);
    return { to, sent: sentBy(this.#taken()) };
  }

  #taken(): readonly ExecutableActionObject[] {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }
}

/** The events with which XState ends the delays that run in a state. */
export function delays(snapshot: AnyMachineSnapshot): readonly EventObject[] {
  return activeNodes(snapshot).flatMap((node) => node.after.map(({ eventType }) => ({ type: eventType })));
}

function activeNodes(snapshot: AnyMachineSnapshot): readonly AnyStateNode[] {
  return snapshot._nodes;
}

/** The states from which a state that satisfies `goal` can be reached, by steps that `allowed` permits. */
export function canReach<S>(
  { states, edges, key }: Exploration<S>,
  goal: (snapshot: S) => boolean,
  allowed: (edge: Edge<S>) => boolean = () => true,
): ReadonlySet<string> {
  const before = new Map<string, string[]>();
  for (const edge of edges) {
    if (!allowed(edge)) continue;
    const target = key(edge.to);
    const sources = before.get(target);
    if (sources === undefined) before.set(target, [key(edge.from)]);
    else sources.push(key(edge.from));
  }
  const found = new Set(states.filter(goal).map(key));
  for (const reached of found) for (const source of before.get(reached) ?? []) found.add(source);
  return found;
}

/** The states from which the goal cannot be reached; a correct chart has none. */
export function stranded<S>(
  exploration: Exploration<S>,
  goal: (snapshot: S) => boolean,
  allowed?: (edge: Edge<S>) => boolean,
): readonly string[] {
  const good = canReach(exploration, goal, allowed);
  return exploration.states.map(exploration.key).filter((state) => !good.has(state));
}

/** The paths, such as `alive.running`, of all atomic and final states in which an observer can find the machine. */
export function leaves(machine: AnyStateMachine): readonly string[] {
  return leafNodes(machine).map((node) => node.path.join('.'));
}

function leafNodes(machine: AnyStateMachine): readonly AnyStateNode[] {
  return getStateNodes(machine).filter((node) => isLeaf(node) && !node.tags.includes('transient'));
}

function isLeaf(node: AnyStateNode): boolean {
  return node.type === 'atomic' || node.type === 'final';
}

/** The paths of the leaves that were reached. */
export function reachedLeaves(states: readonly AnyMachineSnapshot[]): readonly string[] {
  const reached = states.flatMap((snapshot) =>
    activeNodes(snapshot)
      .filter(isLeaf)
      .map((node) => node.path.join('.')),
  );
  return [...new Set(reached)].sort();
}

/**
 * The pairs of state and event that the chart does not answer: neither the state nor a parent of it has a transition,
 * not even an empty one. Final states take no events.
 */
export function unanswered(machine: AnyStateMachine, eventTypes: readonly string[]): readonly string[] {
  return leafNodes(machine)
    .filter((node) => node.type !== 'final')
    .flatMap((node) =>
      eventTypes
        .filter((type) => ![node, ...ancestors(node)].some(({ transitions }) => transitions.has(type)))
        .map((type) => `${node.path.join('.')} does not answer ${type}`),
    );
}

function ancestors(node: AnyStateNode): readonly AnyStateNode[] {
  return node.parent === undefined ? [] : [node.parent, ...ancestors(node.parent)];
}

/** The event types that occur in the chart, without XState's own. */
export function chartEvents(machine: AnyStateMachine): readonly string[] {
  const types = [machine.root, ...getStateNodes(machine)].flatMap((node: AnyStateNode) => [...node.transitions.keys()]);
  return [...new Set(types)].filter((type) => !type.startsWith('xstate.')).sort();
}

/** The events that the actions of a step send, and their receivers. */
export function sentBy(actions: readonly ExecutableActionObject[]): readonly Sent[] {
  return actions.flatMap(({ type, params }) => {
    if (type !== 'xstate.sendTo' || !isRecord(params) || !isEventObject(params['event'])) return [];
    return [{ to: params['to'], event: params['event'] }];
  });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isEventObject(value: unknown): value is EventObject {
  return isRecord(value) && typeof value['type'] === 'string';
}
