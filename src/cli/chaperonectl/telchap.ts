import { usage } from '../../control/command-words.ts';
import { parseOptions } from '../../model/words/option-parser.ts';
import { oneLine } from '../../model/words/printable.ts';
import { help, optionsOf, version as versionOption } from '../command-help.ts';
import { version } from '../version.ts';
import { print, sendCommand, withControl } from './control-call.ts';
import { programHelp, verbHelp, verbsOf } from './verbs.ts';

/** The original's tool: one command to the running chaperone, and its answer. */
async function main(given: readonly string[]): Promise<number> {
  const parsed = parseOptions(given, [help, versionOption], { untilWord: true });
  if (parsed.kind === 'mistake') return refuse(parsed.message);
  const [name, ...words] = parsed.words;
  if (parsed.texts.has(help.name) || name === 'help') {
    await print(1, programHelp('telchap'));
    return 0;
  }
  if (parsed.texts.has(versionOption.name)) {
    await print(1, `telchap ${version}\n`);
    return 0;
  }
  if (name === undefined) {
    await print(2, programHelp('telchap'));
    return 2;
  }
  const verb = verbsOf('telchap').find((known) => known.name === name);
  if (verb === undefined) {
    const elsewhere = verbsOf('chaperonectl').some((known) => known.name === name);
    return refuse(`unknown command "${oneLine(name)}"${elsewhere ? `; that is for "chaperonectl ${name}"` : ''}`);
  }
  const options = parseOptions(words, optionsOf(verb));
  if (options.kind === 'mistake') {
    await print(2, `${options.message}\n${usage}\n`);
    return 2;
  }
  if (options.texts.has(help.name)) {
    await print(1, verbHelp('telchap', verb));
    return 0;
  }
  return withControl(async () => {
    const reply = await sendCommand([name, ...words]);
    await print(reply.kind === 'mistake' ? 2 : 1, reply.text.endsWith('\n') ? reply.text : `${reply.text}\n`);
    return reply.exitStatus;
  });
}

async function refuse(message: string): Promise<number> {
  await print(2, `telchap: ${message}\ntry "telchap --help"\n`);
  return 2;
}

main(process.argv.slice(2)).then((status) => process.exit(status));
