/** From the words of a command to the plan that it asks for. */
import { hostname } from 'node:os';
import { alternatives } from '../../model/words/nearest.ts';
import type { Engine } from '../../platform/engine/engine.ts';
import type { Project } from '../../platform/host/find-project.ts';
import { publicKey } from '../../platform/host/keys.ts';
import { exposedPorts } from '../../platform/model/exposed-ports.ts';
import { type InstanceKey, type InstanceSpec, type InstanceType, instanceKey } from '../../platform/model/instance.ts';
import { instanceTypeNames } from '../../platform/model/instance-types.ts';
import { planRun, runs } from '../../platform/model/make-plan.ts';
import { makeSpecs, type Overrides, type Surroundings, wishesOf } from '../../platform/model/make-specs.ts';
import type { Observed, Plan } from '../../platform/model/plan.ts';
import { imageName } from '../../platform/model/project.ts';
import type { RunEntry } from '../../platform/model/run-entry.ts';
import { selectEntries } from '../../platform/model/select.ts';
import { digest } from '../../platform/work/digest.ts';
import { observe } from '../../platform/work/observe.ts';
import { complain } from './console.ts';
import { entriesOf, exitStatuses, failureText, refuse, Told } from './context.ts';
import * as options from './options.ts';
import type { Request } from './read-request.ts';
import { resolveValues } from './resolve-values.ts';

export interface Prepared {
  readonly plan: Plan;
  readonly specs: readonly InstanceSpec[];
  /** The instances that the command names; the others are part of the run because these need them. */
  readonly named: ReadonlySet<InstanceKey>;
}

/** @param isAgain the named instances are made anew, whatever has changed */
export async function prepareRun(
  request: Request,
  project: Project,
  engine: Engine,
  isAgain: boolean,
): Promise<Prepared> {
  const chosen = await chooseEntries(request, project);
  const all = [...entriesOf(project), ...chosen.filter((entry) => !entriesOf(project).includes(entry))];
  const images = [...new Set(all.map(({ container }) => imageName(project.places.name, container)))];
  const observed = await observe(engine, project.places.name, images);
  if (!observed.ok) return refuse(failureText(observed.failure, engine));
  const overrides = await overridesOf(request);
  const surroundings = surroundingsOf(project, observed.value);
  const wanted = await requireSpecs(all, new Set(chosen), overrides, surroundings);
  const keys = new Set(wanted.specs.map(({ key }) => key));
  const named = new Set(chosen.map(instanceKey));
  const wishes = all
    .filter((entry) => keys.has(instanceKey(entry)))
    .map((entry) => [entry, wishesOf(entry, named.has(instanceKey(entry)) ? overrides : {})] as const);
  const values = await resolveValues(project, new Map(wishes));
  const env: Surroundings['env'] = (entry) => values.get(entry) ?? {};
  const { specs, warnings } = await requireSpecs(all, new Set(chosen), overrides, { ...surroundings, env });
  const planning = planRun({
    ...{ project: project.places.name, specs, observed: observed.value, digest, warnings },
    ...(isAgain ? { again: named } : {}),
  });
  if (planning.kind === 'plan') return { plan: planning.plan, specs, named };
  return refuseAll(planning.problems);
}

async function chooseEntries({ given, words }: Request, project: Project): Promise<readonly RunEntry[]> {
  const [instance, group] = [given.get(options.instance), given.get(options.group)];
  const selection = {
    words,
    ...(instance === undefined ? {} : { instance }),
    ...(group === undefined ? {} : { group }),
  };
  const selected = selectEntries(entriesOf(project), selection, new Set(project.sources.keys()));
  return selected.kind === 'selected' ? selected.items : refuse(selected.message, exitStatuses.mistake);
}

async function overridesOf({ given }: Request): Promise<Overrides> {
  const type = given.get(options.instanceType);
  const known = instanceTypeNames.find((name): name is InstanceType => name === type);
  if (type !== undefined && known === undefined) {
    return refuse(`--instance-type is ${alternatives(instanceTypeNames)}, not "${type}"`, exitStatuses.mistake);
  }
  const truths = {
    linked: given.get(options.linked),
    publishPorts: given.get(options.publishPorts),
    persistentData: given.get(options.persistentData),
    persistentOpt: given.get(options.persistentOpt),
    persistentLog: given.get(options.persistentLog),
    interactive: given.get(options.interactive),
    safemode: given.get(options.safemode),
  };
  const said = Object.fromEntries(Object.entries(truths).filter(([, truth]) => truth !== undefined));
  return { ...said, ...(known === undefined ? {} : { type: known }) };
}

function surroundingsOf({ places, sources }: Project, observed: Observed): Surroundings {
  const dockerfiles = new Map([...sources].map(([name, { dockerfile }]) => [name, dockerfile]));
  const key = publicKey(places.folder);
  return {
    places,
    env: () => ({}),
    exposed: (container) => {
      const image = observed.images.get(imageName(places.name, container));
      return exposedPorts(places.name, container, dockerfiles, image?.exposed ?? []);
    },
    hostName: hostname(),
    ...(key === undefined ? {} : { publicKey: key }),
    running: observed.containers.filter(runs),
  };
}

async function requireSpecs(
  all: readonly RunEntry[],
  chosen: ReadonlySet<RunEntry>,
  overrides: Overrides,
  surroundings: Surroundings,
): Promise<{ readonly specs: readonly InstanceSpec[]; readonly warnings: readonly string[] }> {
  const made = makeSpecs(all, chosen, overrides, surroundings);
  return made.kind === 'specs' ? made : refuseAll(made.problems);
}

async function refuseAll(problems: readonly string[]): Promise<never> {
  for (const problem of problems) await complain(problem);
  throw new Told(exitStatuses.failed);
}
