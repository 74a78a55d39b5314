import '../given-environment.ts';
import { exitStatuses } from '../../control/answer.ts';
import { usage } from '../../control/command-words.ts';
import { parseOptions } from '../../model/words/option-parser.ts';
import { oneLine } from '../../model/words/printable.ts';
import { help, optionsOf } from '../command-help.ts';
import type { VerbHelp } from '../verb-help.ts';
import { sendCommand, withControl } from './control-call.ts';
import { findVerb } from './find-verb.ts';
import { print, refuse } from './print.ts';
import { verbHelp, verbsOf } from './verbs.ts';

/** The original's tool: one command to the running chaperone, and its answer. */
async function main(given: readonly string[]): Promise<number> {
  const found = await findVerb('telchap', given);
  switch (found.kind) {
    case 'answered':
      return found.exitStatus;
    case 'verb':
      return runVerb(found.verb, found.words);
    case 'unknown': {
      const { name } = found;
      const elsewhere = verbsOf('chaperonectl').some((known) => known.name === name);
      const hint = elsewhere ? `; that is for "chaperonectl ${name}"` : '';
      return refuse('telchap', `unknown command "${oneLine(name)}"${hint}`);
    }
  }
}

async function runVerb(verb: VerbHelp, words: readonly string[]): Promise<number> {
  const options = parseOptions(words, optionsOf(verb));
  if (options.kind === 'mistake') {
    await print(2, `${options.message}\n${usage}\n`);
    return exitStatuses.mistake;
  }
  if (options.texts.has(help.name)) {
    await print(1, verbHelp('telchap', verb));
    return exitStatuses.done;
  }
  return withControl(async () => {
    const reply = await sendCommand([verb.name, ...words]);
    await print(reply.kind === 'mistake' ? 2 : 1, reply.text.endsWith('\n') ? reply.text : `${reply.text}\n`);
    return reply.exitStatus;
  });
}

main(process.argv.slice(2)).then((status) => process.exit(status));
