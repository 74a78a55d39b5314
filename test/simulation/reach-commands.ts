/**
 * The places at which worlds are to meet commands: each command that names services, in each state of the service that it names, crossed
 * with what the system does meanwhile. The states are those of the charts, and the commands are those of the table of commands.
 */
import type { AnyStateMachine, AnyStateNode } from 'xstate';
import type { Verb } from '../../src/control/command.ts';
import { verbs } from '../../src/control/commands.ts';
import { scheduledMachine } from '../../src/machines/scheduled.ts';
import { serviceMachine } from '../../src/machines/service.ts';
import { phaseOfPath, type ServicePhase, servicePhases } from '../../src/model/service/service-phase.ts';
import type { ServiceType } from '../../src/model/service/service-spec.ts';
import { type State, walk } from './history.ts';
import type { Deed } from './plan.ts';
import type { WorldRun } from './run-world.ts';

/** What the system does while a command comes. `reloading`: services that a reload of the configuration ends still have to end. */
const doings = ['booting', 'up', 'reloading', 'draining'] as const;
type Doing = (typeof doings)[number];

/** Which chart a service has. */
type Chart = 'service' | 'scheduled';
const charts: Readonly<Record<Chart, AnyStateMachine>> = { service: serviceMachine, scheduled: scheduledMachine };

/** The deeds of worlds that stand for each verb, or why none does. */
const deedsOfVerbs: { readonly [V in Verb]: readonly Deed['do'][] | string } = {
  start: ['start'],
  stop: ['stop'],
  restart: ['restart'],
  reset: ['reset'],
  enable: ['enable'],
  disable: ['disable'],
  kill: ['kill'],
  'run-now': ['run-now'],
  reload: ['reload', 'reload-service'],
  shutdown: ['shutdown'],
  status: 'it only asks; each look at a world does the same',
  dependencies: 'it only asks',
  wait: 'it only asks, and its answer is made of what status says',
  loglevel: 'it is for the log alone',
  scale: 'worlds have no templates; loading makes instances of them before a world begins',
};

/** A combination that no world can meet. What is left out stands for all. */
interface Impossible {
  readonly deeds?: readonly Deed['do'][];
  readonly charts?: readonly Chart[];
  readonly states?: readonly ServicePhase[];
  readonly doings?: readonly Doing[];
  readonly why: string;
}

const impossibleCommands: readonly Impossible[] = [
  { deeds: ['run-now'], charts: ['service'], why: 'the command refuses services that have no schedule' },
  {
    deeds: ['run-now'],
    states: ['starting', 'backoff'],
    why: 'cron services alone have runs; their schedule is accepted in the turn in which they start, and their start is never tried again',
  },
  {
    states: ['pending', 'backoff'],
    doings: ['draining'],
    why: 'the end of the system begins with telling all services to retire, which ends a wait and a pause at once',
  },
];

/** The names of all places at which worlds are to meet a command. */
export function commandPlaces(): readonly string[] {
  return [
    ...deeds.filter((deed) => deed === 'shutdown').flatMap((deed) => doings.map((doing) => placeOfSystem(deed, doing))),
    ...places.filter((place) => reasonAgainst(place) === undefined).map(nameOf),
  ];
}

/** By the name of each place that no world can meet: why. */
export function impossiblePlaces(): ReadonlyMap<string, string> {
  return new Map(
    places.flatMap((place) => {
      const why = reasonAgainst(place);
      return why === undefined ? [] : [[nameOf(place), why] as const];
    }),
  );
}

/** The places at which a world has met commands, each as often as it was met. */
export function commandsMetBy(run: WorldRun): readonly string[] {
  const met: string[] = [];
  const types = new Map(run.plan.services.map(({ name, type }) => [name, type]));
  const states = new Map<string, ServicePhase>(
    run.spec.services.map(({ name, enabled }) => [name, enabled ? 'pending' : 'disabled']),
  );
  walk(run, (entry, state) => {
    if (entry.kind === 'fact' && entry.fact.type === 'moved') {
      const phase = phaseOfPath(entry.fact.to);
      if (phase !== undefined && states.has(entry.fact.actor)) states.set(entry.fact.actor, phase);
    }
    if (entry.kind !== 'deed') return undefined;
    const { deed } = entry;
    const doing = doingOf(state);
    if (deed.do === 'shutdown') met.push(placeOfSystem(deed.do, doing));
    for (const name of namesOf(deed)) {
      const type = types.get(name);
      const phase = states.get(name);
      if (type === undefined || phase === undefined || state.gone.has(name)) continue;
      if (deed.do === 'run-now' && type !== 'cron') continue;
      met.push(nameOf({ deed: deed.do, chart: chartOf(type), state: phase, doing }));
    }
    return undefined;
  });
  return met;
}

interface Place {
  readonly deed: Deed['do'];
  readonly chart: Chart;
  readonly state: ServicePhase;
  readonly doing: Doing;
}

const chartNames: readonly Chart[] = ['service', 'scheduled'];

/** The deeds that stand for a verb. */
const deeds = verbs.flatMap((verb) => {
  const own = deedsOfVerbs[verb];
  return typeof own === 'string' ? [] : own;
});

/** All commands for services in all states, whatever the system does. */
const places: readonly Place[] = deeds
  .filter((deed) => deed !== 'shutdown')
  .flatMap((deed) =>
    chartNames.flatMap((chart) =>
      phasesOf(chart).flatMap((state) => doings.map((doing) => ({ deed, chart, state, doing }))),
    ),
  );

function reasonAgainst(place: Place): string | undefined {
  return impossibleCommands.find((each) => excludes(each, place))?.why;
}

function chartOf(type: ServiceType): Chart {
  return type === 'cron' || type === 'inetd' ? 'scheduled' : 'service';
}

/** The phases in which a service of this chart can be found between two events. */
function phasesOf(chart: Chart): readonly ServicePhase[] {
  const found = new Set(leaves(charts[chart].root).map((node) => phaseOfPath(node.path.join('.'))));
  return servicePhases.filter((phase) => found.has(phase));
}

/** The states without states in them in which a chart can rest. */
function leaves(node: AnyStateNode): readonly AnyStateNode[] {
  if (node.tags.includes('transient')) return [];
  const inner = Object.values(node.states);
  return inner.length === 0 ? [node] : inner.flatMap(leaves);
}

function nameOf({ deed, chart, state, doing }: Place): string {
  return `command ${deed} of ${chart === 'service' ? 'a service' : 'a scheduled service'} in ${state} while ${doing}`;
}

function placeOfSystem(deed: Deed['do'], doing: Doing): string {
  return `command ${deed} while ${doing}`;
}

function excludes(impossible: Impossible, { deed, chart, state, doing }: Place): boolean {
  return (
    (impossible.deeds?.includes(deed) ?? true) &&
    (impossible.charts?.includes(chart) ?? true) &&
    (impossible.states?.includes(state) ?? true) &&
    (impossible.doings?.includes(doing) ?? true)
  );
}

function doingOf({ draining, replaced, ready }: State): Doing {
  if (draining) return 'draining';
  if (replaced.size > 0) return 'reloading';
  return ready ? 'up' : 'booting';
}

function namesOf(deed: Deed): readonly string[] {
  if ('names' in deed) return deed.names;
  return 'name' in deed ? [deed.name] : [];
}
