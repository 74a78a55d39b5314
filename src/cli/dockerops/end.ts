/** Verbs about containers that are there: start, stop, kill, clean, and what does it to all of them. */

import type { Engine } from '../../platform/engine/engine.ts';
import type { Project } from '../../platform/host/find-project.ts';
import { type InstanceKey, instanceKey, type Manner } from '../../platform/model/instance.ts';
import { type Customs, type EndWish, planEnd, planStart } from '../../platform/model/make-plan.ts';
import { dependencies } from '../../platform/model/make-specs.ts';
import type { ObservedContainer, Plan } from '../../platform/model/plan.ts';
import { networkName } from '../../platform/model/project.ts';
import { complain, isConfirmed, print, printJson } from './console.ts';
import {
  entriesOf,
  exitStatuses,
  failureText,
  findAnyProject,
  refuse,
  requireContainers,
  requireEngine,
  selectContainers,
} from './context.ts';
import { followPlan, tellStaleLinks } from './follow-plan.ts';
import * as options from './options.ts';
import type { Request } from './read-request.ts';

interface Chosen {
  readonly project: Project;
  readonly engine: Engine;
  /** All containers of the project. */
  readonly containers: readonly ObservedContainer[];
  /** The containers that the command names. */
  readonly named: readonly ObservedContainer[];
}

async function choose(request: Request): Promise<Chosen> {
  const project = await findAnyProject(request);
  const engine = await requireEngine();
  const containers = await requireContainers(engine, project);
  return { project, engine, containers, named: await selectContainers(request, project, containers) };
}

/** Starts containers that have stopped, as they were made. Changes of the conf since then are left to `run`. */
export async function start(request: Request): Promise<number> {
  const { project, engine, containers, named } = await choose(request);
  const plan = planStart(project.places.name, named, containers, customsOf(project));
  const asJson = request.given.get(options.json);
  if (plan.steps.length === 0) {
    if (asJson) await printJson({ done: true, steps: [] });
    else await print(1, 'nothing has to be done: all of them run\n');
    return exitStatuses.done;
  }
  const exitStatus = await followPlan(engine, plan, asJson);
  await tellStaleLinks(engine, project.places.name);
  return exitStatus;
}

function customsOf(project: Project): Customs {
  const entries = entriesOf(project);
  const linked = [...needsOf(project)].map(([key, others]) => [key, others.map((to) => ({ to }))] as const);
  const needs = [...dependencies(entries, new Map(linked))].map(([key, others]) => [key, [...others]] as const);
  const manners = entries.map((entry) => {
    const manner: Manner = { wait: entry.wait ?? 'best', sleep: entry.sleep };
    return [instanceKey(entry), manner] as const;
  });
  return { needs: new Map(needs), manners: new Map(manners) };
}

export async function stop(request: Request): Promise<number> {
  const timeout = request.given.get(options.timeout);
  const chosen = await choose(request);
  return followEnd(request, chosen, { kind: 'stop', ...(timeout === undefined ? {} : { timeout: timeout }) });
}

export async function kill(request: Request): Promise<number> {
  const signal = request.given.get(options.signal) ?? 'SIGKILL';
  if (!/^(?:SIG)?[A-Z0-9+-]{1,12}$/i.test(signal)) return refuse(`"${signal}" is no signal`, exitStatuses.mistake);
  const name = /^(?:SIG|\d)/i.test(signal) ? signal.toUpperCase() : `SIG${signal.toUpperCase()}`;
  return followEnd(request, await choose(request), { kind: 'kill', signal: name });
}

export async function clean(request: Request): Promise<number> {
  const chosen = await choose(request);
  const { project, engine, containers, named } = chosen;
  const isAll = named.length === containers.length;
  if (named.length > 0 && !(await mayRemove(request, named))) return exitStatuses.failed;
  const exitStatus = named.length === 0 ? exitStatuses.done : await followEnd(request, chosen, { kind: 'remove' });
  if (exitStatus !== exitStatuses.done || !isAll) return exitStatus;
  return (await removeNetwork(engine, project.places.name)) ? exitStatuses.done : exitStatuses.failed;
}

async function mayRemove({ given }: Request, named: readonly ObservedContainer[]): Promise<boolean> {
  const isForced = given.get(options.yes) || given.get(options.force) === true;
  if (isForced) return true;
  const lines = named.map(({ key, containerName, state }) => `  ${key}  container ${containerName}, ${state}\n`);
  await print(2, `These will be removed; data and volumes stay:\n${lines.join('')}`);
  return isConfirmed('Remove them?', false);
}

/** The project's own network goes with its last container; one that somebody else has made under its name stays. */
async function removeNetwork(engine: Engine, project: string): Promise<boolean> {
  const name = networkName(project);
  const found = await engine.networks.list([{ name: 'org.dockerops.project', value: project }]);
  if (!found.ok) return refuse(failureText(found.failure, engine));
  for (const network of found.value.filter((each) => each.name === name)) {
    const removed = await engine.networks.remove(network.id);
    if (removed.ok || removed.failure.kind === 'absent') continue;
    await complain(`the network ${name}: ${failureText(removed.failure, engine)}`);
    return false;
  }
  return true;
}

async function followEnd(request: Request, { project, engine, named }: Chosen, wish: EndWish): Promise<number> {
  const plan: Plan = planEnd(project.places.name, wish, named, needsOf(project));
  if (plan.steps.length === 0) {
    if (request.given.get(options.json)) await printJson({ done: true, steps: [] });
    else await print(1, 'nothing has to be done: none of them runs\n');
    return exitStatuses.done;
  }
  return followPlan(engine, plan, request.given.get(options.json));
}

/** The instances that each instance waits for, by the conf. */
function needsOf(project: Project): ReadonlyMap<InstanceKey, readonly InstanceKey[]> {
  const entries = entriesOf(project);
  return new Map(
    entries.map((entry) => {
      const named = [
        ...entry.links.map(({ container, instance }) =>
          instance === undefined ? container : `${container}-${instance}`,
        ),
        ...entry.dependsOn,
      ];
      const keys = entries.filter((other) => named.includes(other.container) || named.includes(instanceKey(other)));
      return [instanceKey(entry), keys.map(instanceKey)];
    }),
  );
}
