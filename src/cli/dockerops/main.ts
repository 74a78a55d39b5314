import { didYouMean } from '../../model/words/nearest.ts';
import { parseOptions } from '../../model/words/option-parser.ts';
import { oneLine } from '../../model/words/printable.ts';
import { help, version as versionOption } from '../command-help.ts';
import type { VerbHelp } from '../verb-help.ts';
import { version } from '../version.ts';
import { print } from './console.ts';
import { exitStatuses, Told } from './context.ts';
import { type Request, readRequest } from './read-request.ts';
import { respelled } from './spelling.ts';
import { dockeropsHelp, dockeropsVerbHelp, dockeropsVerbs } from './verbs.ts';

type Work = (request: Request) => Promise<number>;

/** What each verb does. */
const works: Readonly<Record<string, () => Promise<Work>>> = {
  init: async () => (await import('./init.ts')).init,
  build: async () => (await import('./build.ts')).build,
  run: async () => (await import('./run.ts')).run,
  rerun: async () => (await import('./run.ts')).rerun,
  make: async () => (await import('./run.ts')).make,
  start: async () => (await import('./end.ts')).start,
  stop: async () => (await import('./end.ts')).stop,
  kill: async () => (await import('./end.ts')).kill,
  killall: async () => (await import('./end.ts')).kill,
  stopall: async () => (await import('./end.ts')).stop,
  clean: async () => (await import('./end.ts')).clean,
  purge: async () => (await import('./purge.ts')).purge,
  ps: async () => (await import('./ps.ts')).ps,
  status: async () => (await import('./ps.ts')).status,
  logs: async () => (await import('./logs.ts')).logs,
  ip: async () => (await import('./info.ts')).ip,
  info: async () => (await import('./info.ts')).info,
  version: async () => (await import('./info.ts')).versions,
  ssh: async () => (await import('./inside.ts')).ssh,
  shell: async () => (await import('./inside.ts')).shell,
  enter: async () => (await import('./inside.ts')).shell,
  exec: async () => (await import('./inside.ts')).exec,
  'run-bash': async () => (await import('./inside.ts')).runBash,
  inspect: async () => (await import('./inspect.ts')).inspect,
  replay: async () => (await import('./replay.ts')).replay,
  diff: async () => (await import('./replay.ts')).diff,
  graph: async () => (await import('./graph.ts')).graph,
};

/** @returns the exit status */
export async function main(given: readonly string[]): Promise<number> {
  const parsed = parseOptions(respelled(given), [help, versionOption], { untilWord: true });
  if (parsed.kind === 'mistake') return mistake('dockerops', parsed.message);
  const [name, ...words] = parsed.words;
  if (parsed.texts.has(help.name) || name === 'help') {
    await print(1, dockeropsHelp());
    return exitStatuses.done;
  }
  if (parsed.texts.has(versionOption.name)) {
    await print(1, `dockerops ${version}\n`);
    return exitStatuses.done;
  }
  if (name === undefined) {
    await print(2, dockeropsHelp());
    return exitStatuses.mistake;
  }
  const verb = dockeropsVerbs.find((known) => known.name === name);
  const load = works[name];
  if (verb === undefined || load === undefined) {
    const near = didYouMean(
      name,
      dockeropsVerbs.map((known) => known.name),
    );
    return mistake('dockerops', `unknown verb "${oneLine(name)}"${near === undefined ? '' : `: ${near}`}`);
  }
  return runVerb(verb, await load(), words);
}

async function runVerb(verb: VerbHelp, work: Work, words: readonly string[]): Promise<number> {
  const reading = readRequest(verb, words);
  switch (reading.kind) {
    case 'help':
      await print(1, dockeropsVerbHelp(verb));
      return exitStatuses.done;
    case 'mistake':
      return mistake(`dockerops ${verb.name}`, reading.message);
    case 'request':
      break;
  }
  try {
    return await work(reading);
  } catch (error) {
    if (error instanceof Told) return error.exitStatus;
    throw error;
  }
}

async function mistake(program: string, message: string): Promise<number> {
  await print(2, `${program}: ${message}\ntry "${program} --help"\n`);
  return exitStatuses.mistake;
}
