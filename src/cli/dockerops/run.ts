import type { Engine } from '../../platform/engine/engine.ts';
import type { Project } from '../../platform/host/find-project.ts';
import { ensureKey } from '../../platform/host/keys.ts';
import { isIdle } from '../../platform/model/plan.ts';
import { buildNamed } from './build.ts';
import { complain, isConfirmed, print, printJson } from './console.ts';
import { exitStatuses, refuse, requireEngine, requireProject } from './context.ts';
import { followPlan, planLines, printPlan, tellStaleLinks } from './follow-plan.ts';
import { runInteractively } from './inside.ts';
import * as options from './options.ts';
import { type Prepared, prepareRun } from './prepare-run.ts';
import type { Request } from './read-request.ts';

export async function run(request: Request): Promise<number> {
  const project = await requireProject(request);
  return runProject(request, project, await requireEngine(), false);
}

export async function rerun(request: Request): Promise<number> {
  const project = await requireProject(request);
  return runProject(request, project, await requireEngine(), true);
}

/** Builds the images of the named containers, and runs their instances. */
export async function make(request: Request): Promise<number> {
  const project = await requireProject(request);
  const containers = request.words.map((word) => {
    const entry = project.run?.find(({ container, instance }) => `${container}-${instance}` === word);
    return entry?.container ?? word;
  });
  if (!(await buildNamed(request, project, containers))) return exitStatuses.failed;
  return runProject(request, project, await requireEngine(), false);
}

async function runProject(request: Request, project: Project, engine: Engine, isAgain: boolean): Promise<number> {
  const { given } = request;
  const asJson = given.get(options.json);
  // Its public half is a variable of each instance, so a key that came later would change them all.
  if (!given.get(options.dryRun)) await ensureKey(project.places.folder, project.places.name);
  const prepared = await prepareRun(request, project, engine, isAgain);
  const { plan, specs } = prepared;
  for (const warning of plan.warnings) await complain(`warning: ${warning}`);
  if (given.get(options.dryRun)) {
    await printPlan(plan, asJson);
    return exitStatuses.done;
  }
  if (isIdle(plan)) {
    if (asJson) await printJson({ done: true, steps: [] });
    else await print(1, `nothing has to be done: ${countOf(plan.steps.length)} as the conf says\n`);
    return exitStatuses.done;
  }
  if (!(await isAllowed(prepared, given.get(options.yes), isAgain))) return exitStatuses.failed;
  if (specs.some(({ terminal }) => terminal)) {
    const [spec] = specs;
    if (specs.length > 1 || spec === undefined) return refuse('a terminal can have one instance: name it');
    return runInteractively(engine, plan, spec);
  }
  const watching = { inspect: given.get(options.inspect), record: given.get(options.record) };
  const exitStatus = await followPlan(engine, plan, asJson, watching);
  await tellStaleLinks(engine, plan.project);
  return exitStatus;
}

const countOf = (count: number): string => (count === 1 ? '1 instance runs' : `${count} instances run`);

/** Asks before instances are made anew, since they are down for a while; nobody is asked about those that the command itself names. */
async function isAllowed({ plan, named }: Prepared, given: boolean, isAgain: boolean): Promise<boolean> {
  const anew = plan.steps.filter(({ action, key }) => action.kind === 'recreate' && !(isAgain && named.has(key)));
  if (anew.length === 0) return true;
  await print(2, `${planLines(plan).join('\n')}\n`);
  return isConfirmed(`Make ${anew.map(({ key }) => key).join(', ')} anew? Data and volumes stay.`, given);
}
