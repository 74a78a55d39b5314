import { exitStatuses } from '../../control/answer.ts';
import { didYouMean } from '../../model/words/nearest.ts';
import { oneLine } from '../../model/words/printable.ts';
import type { VerbHelp } from '../verb-help.ts';
import { findVerb } from './find-verb.ts';
import { print, refuse, tellMistake } from './print.ts';
import { type Request, readWords } from './read-words.ts';
import { json } from './verb-options.ts';
import { verbHelp, verbsOf } from './verbs.ts';

/** What a verb's file exports. */
interface Verb {
  /** @returns the exit status */
  run(request: Request): Promise<number>;
}

/** The verbs that do more than send a command and print the answer; each file is loaded only when its verb is used. */
const ownVerbs: Readonly<Record<string, () => Promise<Verb>>> = {
  status: () => import('./status.ts'),
  logs: () => import('./logs.ts'),
  'is-ready': () => import('./is-ready.ts'),
  check: () => import('./check.ts'),
  doctor: () => import('./doctor.ts'),
  import: () => import('./import.ts'),
  blame: () => import('./blame.ts'),
  'critical-chain': () => import('./critical-chain.ts'),
  incidents: () => import('./incidents.ts'),
  run: () => import('./run-beside.ts'),
  shell: () => import('./shell.ts'),
  inspect: () => import('./inspect.ts'),
  top: () => import('./top.ts'),
  watch: () => import('./watch.ts'),
  replay: () => import('./replay.ts'),
  simulate: () => import('./simulate.ts'),
};

/** Runs a verb; returns the exit status. */
export async function main(given: readonly string[]): Promise<number> {
  const found = await findVerb('chaperonectl', given);
  switch (found.kind) {
    case 'answered':
      return found.exitStatus;
    case 'verb':
      return runVerb(found.verb, found.words);
    case 'unknown': {
      const near = didYouMean(
        found.name,
        verbsOf('chaperonectl').map(({ name }) => name),
      );
      const hint = near === undefined ? '' : `: ${near}`;
      return refuse('chaperonectl', `unknown verb "${oneLine(found.name)}"${hint}`);
    }
  }
}

async function runVerb(verb: VerbHelp, words: readonly string[]): Promise<number> {
  const reading = readWords(verb, words);
  switch (reading.kind) {
    case 'help':
      await print(1, verbHelp('chaperonectl', verb));
      return exitStatuses.done;
    case 'mistake':
      return tellMistake(verb.name, reading.message, isAskedForJson(verb, words));
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
