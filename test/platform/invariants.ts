/** Rules that hold in every world: each is a pure function of what was recorded, and returns what is wrong, or nothing. */
import type { Happened } from '../../src/platform/engine/simulated-engine.ts';
import type { InstanceKey, InstanceSpec } from '../../src/platform/model/instance.ts';
import { labelNames } from '../../src/platform/model/project.ts';
import { keyOf } from '../../src/platform/runtime/platform.ts';
import { project } from './specs.ts';
import type { Act, WorldRun } from './world.ts';

export type Invariant = (run: WorldRun) => string | undefined;

function has({ world }: WorldRun, ...faults: readonly string[]): boolean {
  return world.faults.some(({ fault }) => faults.includes(fault));
}

/** The first that a search over all acts finds. */
function inActs(run: WorldRun, find: (act: Act) => string | undefined): string | undefined {
  for (const act of run.acts) {
    const wrong = find(act);
    if (wrong !== undefined) return `${act.name}: ${wrong}`;
  }
  return undefined;
}

const changes = (act: Act): readonly Happened[] =>
  act.history.filter(({ what, operation }) => what === 'asked' && operation !== undefined);

/** ms for which an exit may be unknown: it is told at once, and a request that is under way then goes on. */
const unknown = 1_000;

/** True if an instance was up at a place in the history, by what the engine knows of it. */
function wasUp(run: WorldRun, act: Act, spec: InstanceSpec, until: number): boolean {
  const program = run.world.programs[spec.key] ?? {};
  const before = act.history.slice(0, until).filter(({ name }) => name === spec.containerName);
  const last = before.findLast(({ what }) => what === 'started' || what === 'exited');
  // What has ended a moment ago may not be known yet.
  const now = act.history[until]?.at ?? 0;
  const late = run.world.faults.reduce((most, each) => (each.fault === 'lateEvents' ? each.by + most : most), 0);
  if (last?.what === 'exited') return last.exitCode === 0 || now - last.at <= unknown + late;
  const runs =
    last !== undefined || act.plan.steps.some(({ key, action }) => key === spec.key && action.kind === 'keep');
  if (!runs) return false;
  const waits =
    spec.wait === 'ready' ||
    spec.wait === 'healthy' ||
    (spec.wait === 'best' && (program.readyAfter !== undefined || program.health !== undefined));
  if (!waits || last === undefined) return true;
  const begun = before.findLastIndex(({ what }) => what === 'started');
  return before.slice(begun).some(({ what }) => what === 'ready');
}

export const invariants: Readonly<Record<string, Invariant>> = {
  'every plan comes to an end': (run) =>
    inActs(run, (act) => (act.outcome === undefined ? 'it goes on for ever' : undefined)),

  'nothing starts before what it waits for is up': (run) =>
    inActs(run, (act) => {
      for (const [index, happened] of act.history.entries()) {
        if (happened.what !== 'asked' || happened.operation !== 'start') continue;
        const spec = run.world.specs.find(({ containerName }) => containerName === happened.name);
        for (const key of spec?.dependsOn ?? []) {
          const other = run.world.specs.find((each) => each.key === key);
          if (other !== undefined && !wasUp(run, act, other, index)) return `${spec?.key} starts before ${key} is up`;
        }
      }
      return undefined;
    }),

  'what waits for an instance waits for its pause, too': (run) =>
    inActs(run, (act) => {
      for (const [index, happened] of act.history.entries()) {
        if (happened.what !== 'asked' || happened.operation !== 'create') continue;
        const spec = run.world.specs.find(({ containerName }) => containerName === happened.name);
        for (const other of run.world.specs.filter(({ key }) => spec?.dependsOn.includes(key))) {
          const begun = act.history
            .slice(0, index)
            .findLast(({ what, name }) => what === 'started' && name === other.containerName);
          const ended = run.world.programs[other.key]?.exits !== undefined || has(run, 'meddling');
          if (begun === undefined || ended || happened.at - begun.at >= other.sleep) continue;
          return `${spec?.key} begins ${happened.at - begun.at} ms after ${other.key}, which has a pause of ${other.sleep} ms`;
        }
      }
      return undefined;
    }),

  'where nothing goes wrong, everything is done': (run) => {
    const { programs, faults, specs } = run.world;
    const isSound = specs.every(({ key, wait, ports }) => {
      const { exits, startFails, health, readyAfter } = programs[key] ?? {};
      if (exits !== undefined || startFails !== undefined || health?.result === 'unhealthy') return false;
      return ports.length === 0 && (wait !== 'ready' || readyAfter !== undefined) && (wait !== 'healthy' || !!health);
    });
    if (faults.length > 0 || !isSound) return undefined;
    return inActs(run, ({ outcome }) =>
      outcome?.done === true ? undefined : JSON.stringify(outcome?.steps.at(-1)?.state),
    );
  },

  'nothing outside the project is touched': (run) =>
    inActs(run, (act) => {
      const touched = changes(act).find(({ id }) => id !== undefined && run.foreign.includes(id));
      if (touched !== undefined) return `${touched.operation} of ${touched.name}`;
      const gone = run.foreign.find(
        (id) => !act.containers.some((facts) => facts.id === id && facts.status === 'running'),
      );
      return gone === undefined ? undefined : `${gone} does not run any more`;
    }),

  'a second run changes nothing': (run) => {
    const [first, again] = run.acts;
    if (first?.outcome?.done !== true || again?.name !== 'again' || has(run, 'meddling', 'unreachable'))
      return undefined;
    // A program that has ended is started again.
    if (Object.values(run.world.programs).some(({ exits }) => exits !== undefined)) return undefined;
    const [change] = changes(again);
    return change === undefined ? undefined : `${change.operation} of ${change.name}`;
  },

  'no exit is lost: in the end, charts and engine agree': (run) =>
    inActs(run, (act) => {
      if (run.world.faults.some((each) => each.fault === 'unreachable' && each.at + each.lasts > act.to))
        return undefined;
      for (const [key, stage] of act.stages) {
        if (key === 'system') continue;
        const facts = act.containers.find((each) => each.labels[labelNames.project] === project && keyOf(each) === key);
        const says = /^(running|ready|stopping|starting|creating)/.exec(stage)?.[1];
        if (facts?.status !== 'running' && says !== undefined)
          return `${key} is ${stage}, and its container does not run`;
        if (facts?.status === 'running' && (stage === 'exited' || stage === 'absent')) {
          return `${key} is ${stage}, and its container runs`;
        }
      }
      return undefined;
    }),

  'a plan that is done has done its steps': (run) =>
    inActs(run, (act) => {
      if (act.outcome?.done !== true || has(run, 'meddling')) return undefined;
      for (const { key, action } of act.plan.steps) {
        const facts = act.containers.find((each) => each.labels[labelNames.project] === project && keyOf(each) === key);
        if (action.kind === 'remove' && facts !== undefined) return `${key} is still there`;
        if (action.kind === 'remove') continue;
        const ended = run.world.programs[key]?.exits !== undefined;
        if (facts?.status !== 'running' && !ended) return `${key} does not run`;
      }
      return undefined;
    }),

  'a step that fails says why, in the words of the engine': (run) =>
    inActs(run, (act) => {
      for (const { step, state } of act.outcome?.steps ?? []) {
        if (state.kind === 'failed' && state.cause === '') return `${step.key} has failed without a word`;
      }
      const refusals = act.history.filter(({ what, operation }) => what === 'refused' && operation !== 'network');
      for (const { name, operation } of refusals) {
        const fault = run.world.faults.find((each) => each.fault === 'refused' && each.operation === operation);
        const found = act.outcome?.steps.find(({ step }) => `${project}-${step.key}` === name);
        if (fault?.fault !== 'refused' || found === undefined || has(run, 'meddling', 'unreachable')) continue;
        if (found.state.kind !== 'failed')
          return `${name}: ${operation} was refused, and its step is ${found.state.kind}`;
      }
      return undefined;
    }),

  'what is skipped was not begun, and waits for a step that has failed': (run) =>
    inActs(run, (act) => {
      const states = new Map<InstanceKey, string>(
        (act.outcome?.steps ?? []).map(({ step, state }) => [step.key, state.kind]),
      );
      for (const { step, state } of act.outcome?.steps ?? []) {
        const broken = step.after.some((key) => states.get(key) === 'failed' || states.get(key) === 'skipped');
        if (state.kind === 'skipped' && !broken) return `${step.key} was skipped, and nothing before it has failed`;
        const asked = changes(act).some(({ name }) => name === `${project}-${step.key}`);
        if (state.kind === 'skipped' && asked) return `${step.key} was skipped, and the engine was asked`;
      }
      return undefined;
    }),

  'an instance has one container': (run) =>
    inActs(run, (act) => {
      const keys = act.containers
        .filter((each) => each.labels[labelNames.project] === project)
        .map((each) => keyOf(each));
      const doubled = keys.find((key, index) => keys.indexOf(key) !== index);
      return doubled === undefined ? undefined : `${doubled} has two`;
    }),

  'what nobody has changed stays as it was': (run) => {
    const act = run.acts.find(({ name }) => name === 'changed');
    if (act === undefined) return undefined;
    const kept = act.plan.steps.filter(({ action }) => action.kind === 'keep').map(({ key }) => `${project}-${key}`);
    const touched = changes(act).find(({ name }) => kept.includes(name) && !has(run, 'meddling'));
    return touched === undefined || has(run, 'unreachable') ? undefined : `${touched.operation} of ${touched.name}`;
  },
};

/** The first invariant that does not hold. */
export function broken(run: WorldRun): { readonly invariant: string; readonly what: string } | undefined {
  for (const [invariant, check] of Object.entries(invariants)) {
    const what = check(run);
    if (what !== undefined) return { invariant, what };
  }
  return undefined;
}
