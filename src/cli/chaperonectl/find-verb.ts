/** Reads the words of chaperonectl or telchap up to the verb, and answers those that name none. */
import { exitStatuses } from '../../control/answer.ts';
import { parseOptions } from '../../model/words/option-parser.ts';
import { help, version as versionOption } from '../command-help.ts';
import type { VerbHelp } from '../verb-help.ts';
import { version } from '../version.ts';
import { print, refuse } from './print.ts';
import { type ControlProgram, programHelp, verbsOf } from './verbs.ts';

type Finding =
  /** The answer is printed: the help, the version or a mistake. */
  | { readonly kind: 'answered'; readonly exitStatus: number }
  | { readonly kind: 'verb'; readonly verb: VerbHelp; readonly words: readonly string[] }
  | { readonly kind: 'unknown'; readonly name: string };

export async function findVerb(program: ControlProgram, given: readonly string[]): Promise<Finding> {
  const parsed = parseOptions(given, [help, versionOption], { untilWord: true });
  if (parsed.kind === 'mistake') return { kind: 'answered', exitStatus: await refuse(program, parsed.message) };
  const [name, ...words] = parsed.words;
  if (parsed.texts.has(help.name) || name === 'help') {
    await print(1, programHelp(program));
    return { kind: 'answered', exitStatus: exitStatuses.done };
  }
  if (parsed.texts.has(versionOption.name)) {
    await print(1, `${program} ${version}\n`);
    return { kind: 'answered', exitStatus: exitStatuses.done };
  }
  if (name === undefined) {
    await print(2, programHelp(program));
    return { kind: 'answered', exitStatus: exitStatuses.mistake };
  }
  const verb = verbsOf(program).find((known) => known.name === name);
  return verb === undefined ? { kind: 'unknown', name } : { kind: 'verb', verb, words };
}
