import type { Readable } from 'node:stream';
import type { EngineFailure } from '../../platform/engine/engine.ts';
import { baseContext, ownFolders } from '../../platform/host/base-image.ts';
import { buildContext } from '../../platform/host/build-context.ts';
import type { Project } from '../../platform/host/find-project.ts';
import { buildOrder } from '../../platform/model/build-order.ts';
import { imageName } from '../../platform/model/project.ts';
import { buildImages } from '../../platform/work/build-images.ts';
import { BuildScreen } from './build-screen.ts';
import { printJson } from './console.ts';
import { exitStatuses, failureText, refuse, requireEngine, requireProject } from './context.ts';
import * as options from './options.ts';
import type { Request } from './read-request.ts';
import { mistaken } from './select-words.ts';

export async function build(request: Request): Promise<number> {
  const project = await requireProject(request);
  return (await buildNamed(request, project, request.words)) ? exitStatuses.done : exitStatuses.failed;
}

/** @returns false where a build has failed, which was told */
export async function buildNamed({ given }: Request, project: Project, words: readonly string[]): Promise<boolean> {
  const names = await buildSequence(project, words);
  const engine = await requireEngine();
  const { name } = project.places;
  const asJson = given.get(options.json);
  const isVerbose = given.get(options.verbose) ?? process.env['LOG_LEVEL']?.toUpperCase() === 'DEBUG';
  const screen = new BuildScreen(
    names.map((each) => imageName(name, each)),
    isVerbose,
    Date.now,
  );
  const network = given.get(options.network);
  const wordsFor = (failure: EngineFailure): string => failureText(failure, engine);
  const done = await buildImages(names, {
    engine,
    project: name,
    context: (each) => contextOf(project, each),
    options: {
      cache: given.get(options.cache) ?? true,
      pull: given.get(options.pull) ?? false,
      ...(network === undefined ? {} : { network }),
    },
    now: Date.now,
    tell: (notice) => {
      if (asJson) void printJson({ ...notice, image: imageName(name, notice.name) });
      else screen.tell(imageName(name, notice.name), notice, wordsFor);
    },
  });
  await screen.end();
  return done;
}

/** The images to build, in their order. */
async function buildSequence(project: Project, words: readonly string[]): Promise<readonly string[]> {
  const { sources, places } = project;
  const own = [...sources.values()].filter((source) => source.own).map(({ name }) => name);
  const wanted = words.flatMap((word) => (word === 'all' ? (project.build ?? own) : [word]));
  const unknown = wanted.find((name) => !sources.has(name));
  if (unknown !== undefined) return refuse(mistaken(unknown, [...sources.keys()]), exitStatuses.mistake);
  const preferred = [...wanted].sort((a, b) => rank(project, a) - rank(project, b));
  const dockerfiles = new Map([...sources].map(([name, { dockerfile }]) => [name, dockerfile]));
  const order = buildOrder(places.name, dockerfiles, preferred);
  if (order.kind === 'order') return order.names;
  return refuse(`images begin with each other in a circle: ${order.cycle.join(' → ')}`);
}

/** The place in build.conf, which decides where FROM does not. */
function rank({ build: order = [] }: Project, name: string): number {
  const index = order.indexOf(name);
  return index < 0 ? order.length : index;
}

function contextOf({ sources }: Project, name: string): Readable {
  const folder = sources.get(name)?.folder;
  const now = new Date();
  if (folder !== undefined) return buildContext(folder, now);
  const { programs, recipe } = ownFolders(process.argv[1] ?? '');
  return baseContext(programs, recipe, now);
}
