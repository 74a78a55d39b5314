/** What verbs work with: the project, found and read at most once, and the engine. */
import { renderErrors } from '../../config/render-diagnostics.ts';
import { dockerEngine } from '../../platform/engine/docker-engine.ts';
import type { Engine, EngineFailure } from '../../platform/engine/engine.ts';
import { findProject, type Project } from '../../platform/host/find-project.ts';
import { instanceKey } from '../../platform/model/instance.ts';
import type { ObservedContainer } from '../../platform/model/plan.ts';
import type { RunEntry } from '../../platform/model/run-entry.ts';
import { selectFrom } from '../../platform/model/select.ts';
import { observe } from '../../platform/work/observe.ts';
import { complain, print } from './console.ts';
import * as options from './options.ts';
import type { Request } from './read-request.ts';

export const exitStatuses = { done: 0, failed: 1, mistake: 2 } as const;

/** Ends a verb that cannot go on, once the person has been told why. */
export class Told extends Error {
  readonly exitStatus: number;

  constructor(exitStatus: number) {
    super('it was told already');
    this.exitStatus = exitStatus;
  }
}

/** Tells what is in the way, and ends the verb. */
export async function refuse(message: string, exitStatus: number = exitStatuses.failed): Promise<never> {
  await complain(message);
  throw new Told(exitStatus);
}

/** The words for what an engine has refused. */
export function failureText(failure: EngineFailure, engine: Engine): string {
  switch (failure.kind) {
    case 'unreachable':
      return `the engine at ${engine.address} does not answer: ${failure.message}`;
    case 'absent':
    case 'conflict':
    case 'refused':
    case 'abandoned':
      return failure.message;
  }
}

/** The project of the current folder, whose confs have no mistakes. */
export async function requireProject({ given }: Pick<Request, 'given'>): Promise<Project> {
  const project = await findAnyProject({ given });
  const mistakes = renderErrors(project.diagnostics, 'nothing was done', 'dockerops');
  if (mistakes !== '') {
    await print(2, mistakes);
    throw new Told(exitStatuses.failed);
  }
  return project;
}

/** The project of the current folder, whatever its confs hold: enough for what only looks at containers that are there. */
export async function findAnyProject({ given }: Pick<Request, 'given'>): Promise<Project> {
  const found = findProject(process.env, process.cwd(), given.get(options.conf));
  return found.kind === 'project' ? found.project : refuse(found.message);
}

export async function requireEngine(): Promise<Engine> {
  const address = process.env['DOCKER_HOST'];
  const engine = address === undefined || address === '' ? dockerEngine() : dockerEngine(address);
  return engine.ok ? engine.value : refuse(engine.failure.message);
}

export function entriesOf({ run }: Project): readonly RunEntry[] {
  return run ?? [];
}

/** The project's containers at the engine. */
export async function requireContainers(engine: Engine, project: Project): Promise<readonly ObservedContainer[]> {
  const observed = await observe(engine, project.places.name);
  return observed.ok ? observed.value.containers : refuse(failureText(observed.failure, engine));
}

/** The containers of the project that the command names. */
export async function selectContainers(
  { given, words }: Request,
  project: Project,
  containers: readonly ObservedContainer[],
): Promise<readonly ObservedContainer[]> {
  const groups = new Map(entriesOf(project).map((entry) => [instanceKey(entry), entry.group]));
  const [instance, group] = [given.get(options.instance), given.get(options.group)];
  const selected = selectFrom(
    containers,
    { words, ...(instance === undefined ? {} : { instance }), ...(group === undefined ? {} : { group }) },
    (key) => groups.get(key),
  );
  return selected.kind === 'selected' ? selected.items : refuse(selected.message);
}

/** What a verb about one instance works with. */
export interface Found {
  readonly project: Project;
  readonly engine: Engine;
  readonly one: ObservedContainer;
}

/** Finds the one container that the command names; one that runs wins over those that do not. */
export async function requireOne(request: Request): Promise<Found> {
  const project = await findAnyProject(request);
  const engine = await requireEngine();
  const [name = ''] = request.words;
  const containers = await requireContainers(engine, project);
  const found = await selectContainers({ ...request, words: [name] }, project, containers);
  const running = found.filter(({ state }) => state === 'running');
  const [one, ...others] = running.length > 0 ? running : found;
  if (one === undefined) return refuse(`there is no instance of "${name}"`);
  if (others.length === 0) return { project, engine, one };
  return refuse(
    `"${name}" may be ${[one, ...others].map(({ key }) => key).join(' or ')}: name one of them`,
    exitStatuses.mistake,
  );
}
