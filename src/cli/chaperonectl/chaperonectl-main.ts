import { exitStatuses } from '../../control/answer.ts';
import { didYouMean } from '../../model/words/nearest.ts';
import { parseOptions } from '../../model/words/option-parser.ts';
import { oneLine } from '../../model/words/printable.ts';
import { help, version as versionOption } from '../command-help.ts';
import { version } from '../version.ts';
import { type Request, readWords } from './read-words.ts';
import { json } from './verb-options.ts';
import { programHelp, type VerbHelp, verbHelp, verbsOf } from './verbs.ts';

/** What a verb's file exports. */
interface Verb {
  /** @returns the exit status */
  run(request: Request): Promise<number>;
}

/** The verbs that do more than send a command and print the answer; each file is loaded only when its verb is used. */
const ownVerbs: Readonly<Record<string, () => Promise<Verb>>> = {
  status: () => import('./status.ts'),
  logs: () => import('./logs.ts'),
  'is-ready': () => import('./is-ready-verb.ts'),
  check: () => import('./check.ts'),
  blame: () => import('./blame.ts'),
  'critical-chain': () => import('./critical-chain.ts'),
  run: () => import('./run-beside.ts'),
  inspect: () => import('./inspect.ts'),
  replay: () => import('./replay.ts'),
  simulate: () => import('./simulate.ts'),
};

/** Does not touch process.stdout, which would make a shared pipe non-blocking for other processes. */
async function print(fd: 1 | 2, text: string): Promise<void> {
  const { writeAll } = await import('../program-io.ts');
  await writeAll(fd, Buffer.from(text));
}

/** Runs a verb; returns the exit status. */
export async function main(given: readonly string[]): Promise<number> {
  const parsed = parseOptions(given, [help, versionOption], { untilWord: true });
  if (parsed.kind === 'mistake') return refuse('chaperonectl', parsed.message);
  const [name, ...words] = parsed.words;
  if (parsed.texts.has(help.name) || name === 'help') {
    await print(1, programHelp('chaperonectl'));
    return exitStatuses.done;
  }
  if (parsed.texts.has(versionOption.name)) {
    await print(1, `chaperonectl ${version}\n`);
    return exitStatuses.done;
  }
  if (name === undefined) {
    await print(2, programHelp('chaperonectl'));
    return exitStatuses.mistake;
  }
  const verbs = verbsOf('chaperonectl');
  const verb = verbs.find((known) => known.name === name);
  if (verb !== undefined) return runVerb(verb, words);
  const near = didYouMean(
    name,
    verbs.map((known) => known.name),
  );
  return refuse('chaperonectl', `unknown verb "${oneLine(name)}"${near === undefined ? '' : `: ${near}`}`);
}

async function runVerb(verb: VerbHelp, words: readonly string[]): Promise<number> {
  const reading = readWords(verb, words);
  switch (reading.kind) {
    case 'help':
      await print(1, verbHelp('chaperonectl', verb));
      return exitStatuses.done;
    case 'mistake': {
      const { message: text } = reading;
      if (!isAskedForJson(verb, words)) return refuse(`chaperonectl ${verb.name}`, text);
      await print(1, `${JSON.stringify({ kind: 'mistake', text, exitStatus: exitStatuses.mistake })}\n`);
      return exitStatuses.mistake;
    }
    case 'request': {
      const load = ownVerbs[verb.name] ?? (async () => (await import('./send-command.ts')).commandVerb(verb.name));
      const { run } = await load();
      return run(reading);
    }
  }
}

/** Prints a mistake as JSON under --json, so that a program that reads answers can read it. */
function isAskedForJson({ name, options }: VerbHelp, words: readonly string[]): boolean {
  return ownVerbs[name] === undefined && options.includes(json) && words.includes(`--${json.name}`);
}

async function refuse(program: string, message: string): Promise<number> {
  await print(2, `${program}: ${message}\ntry "${program} --help"\n`);
  return exitStatuses.mistake;
}
