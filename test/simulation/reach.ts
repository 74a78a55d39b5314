/**
 * Counts what worlds meet: each guard with each answer, each transition of each chart, each notify key, each directive of a
 * service, and each command in each state of its service, crossed with what the system was doing. What no world meets is not
 * tested by worlds, whatever the invariants say: `npm run simulate -- --reach` fails for each such place.
 */
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition, InspectionEvent } from 'xstate';
import { conditionsMachine } from '../../src/machines/conditions.ts';
import { healthMachine } from '../../src/machines/health.ts';
import { hookedRunMachine } from '../../src/machines/hooked-run.ts';
import { hooksMachine } from '../../src/machines/hooks.ts';
import { probeMachine } from '../../src/machines/probe.ts';
import { readinessMachine } from '../../src/machines/readiness.ts';
import { reloadMachine } from '../../src/machines/reload.ts';
import { scheduledMachine } from '../../src/machines/scheduled.ts';
import { serviceMachine } from '../../src/machines/service.ts';
import { systemMachine } from '../../src/machines/system.ts';
import { unitMachine } from '../../src/machines/unit.ts';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import { serviceSpec } from '../model/specs.ts';
import { commandPlaces, commandsMetBy, impossiblePlaces } from './reach-commands.ts';
import { directives, impossibleInCharts, notifyKeys, seldom } from './reach-table.ts';
import type { WorldRun } from './run-world.ts';

/** How often each place was met, by its name. */
export type Counts = Readonly<Record<string, number>>;

const machines: readonly AnyStateMachine[] = [
  conditionsMachine,
  healthMachine,
  hookedRunMachine,
  hooksMachine,
  probeMachine,
  readinessMachine,
  reloadMachine,
  scheduledMachine,
  serviceMachine,
  systemMachine,
  unitMachine,
];

/** Counts for worlds that run after it was made: it puts itself between the charts and their guards. */
export class Reach {
  readonly #counts = new Map<string, number>();
  /** The names of transitions that were met already. */
  readonly #named = new WeakMap<AnyTransitionDefinition, string>();

  constructor() {
    for (const machine of machines) this.#watchGuards(machine);
  }

  readonly inspect = (event: InspectionEvent): void => {
    if (event.type !== '@xstate.microstep') return;
    for (const transition of event._transitions)
      if (changesSomething(transition)) this.#count(this.#nameOf(transition));
  };

  /** Counts what a world's plan has, and what was done in it. */
  read(run: WorldRun): void {
    const plain = serviceSpec();
    for (const service of run.spec.services)
      for (const name of Object.keys(directives))
        if (isDirective(name) && JSON.stringify(service[name]) !== JSON.stringify(plain[name]))
          this.#count(`directive ${name}`);
    for (const entry of run.history)
      if (entry.kind === 'notified')
        for (const line of entry.text.split('\n')) this.#count(`notify key ${line.split('=', 1)[0] ?? ''}`);
    for (const place of commandsMetBy(run)) this.#count(place);
  }

  counts(): Counts {
    return Object.fromEntries(this.#counts);
  }

  #count(place: string): void {
    this.#counts.set(place, (this.#counts.get(place) ?? 0) + 1);
  }

  #nameOf(transition: AnyTransitionDefinition): string {
    const known = this.#named.get(transition);
    if (known !== undefined) return known;
    const name = nameOfTransition(transition);
    this.#named.set(transition, name);
    return name;
  }

  #watchGuards({ id, implementations: { guards } }: AnyStateMachine): void {
    for (const [name, guard] of Object.entries(guards)) {
      if (typeof guard !== 'function') continue;
      guards[name] = (...args) => {
        const answer = guard(...args);
        this.#count(`guard ${id}: ${name} is ${answer}`);
        return answer;
      };
    }
  }
}

/** The names of all places that worlds are to meet. */
export function expectedPlaces(): readonly string[] {
  return [
    ...placesOfCharts().filter((place) => !impossibleInCharts.has(place)),
    ...notifyKeys.map((key) => `notify key ${key}`),
    ...Object.entries(directives).flatMap(([name, drawn]) => (drawn === true ? [`directive ${name}`] : [])),
    ...commandPlaces(),
  ];
}

/** The guards of all charts with each answer, and the transitions. */
export function placesOfCharts(): readonly string[] {
  return machines.flatMap((machine) => [
    ...Object.keys(machine.implementations.guards).flatMap((name) =>
      [true, false].map((answer) => `guard ${machine.id}: ${name} is ${answer}`),
    ),
    ...transitionsOf(machine.root).filter(changesSomething).map(nameOfTransition),
  ]);
}

export interface ReachReport {
  /** What no world has met although worlds are to meet it. */
  readonly unmet: readonly string[];
  /** What the table calls seldom, and worlds meet often. */
  readonly frequent: readonly string[];
  /** What is said to be impossible, with the reason, and was met. */
  readonly refuted: readonly (readonly [place: string, why: string])[];
  /** The places that were met least often. */
  readonly rarest: readonly (readonly [place: string, count: number])[];
  readonly met: number;
}

/** How often worlds meet what is no longer seldom. */
const often = 50;

export function judgeReach(counts: Counts): ReachReport {
  const places = expectedPlaces();
  const times = (place: string): number => counts[place] ?? 0;
  const met = places.filter((place) => times(place) > 0);
  return {
    unmet: places.filter((place) => times(place) === 0 && !seldom.has(place)),
    frequent: [...seldom].filter((place) => times(place) >= often),
    refuted: [...impossibleInCharts, ...impossiblePlaces()].filter(([place]) => times(place) > 0),
    rarest: met.toSorted((a, b) => times(a) - times(b)).map((place) => [place, times(place)] as const),
    met: met.length,
  };
}

function transitionsOf(node: AnyStateNode): readonly AnyTransitionDefinition[] {
  return [
    ...[...node.transitions.values()].flat(),
    ...(node.always ?? []),
    ...Object.values(node.states).flatMap((child) => transitionsOf(child)),
  ];
}

/** What is written down only because nothing is to happen needs no world. */
function changesSomething({ target, actions }: AnyTransitionDefinition): boolean {
  return target !== undefined || actions.length > 0;
}

function nameOfTransition(transition: AnyTransitionDefinition): string {
  const { source, eventType } = transition;
  const alike = source.always?.includes(transition)
    ? source.always
    : (source.transitions.get(eventType) ?? [transition]);
  const nth = alike.length === 1 ? '' : ` (${alike.indexOf(transition) + 1} of ${alike.length})`;
  const event = eventType === '' ? 'always' : eventType;
  return `transition ${source.machine.id}: ${source.path.join('.') || 'anywhere'} on ${event}${nth}`;
}

function isDirective(name: string): name is keyof ServiceSpec {
  return name in directives;
}
