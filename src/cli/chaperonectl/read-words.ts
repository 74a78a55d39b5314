/** What the words behind a verb ask for: its help, or its work. */
import { givenBy, parseOptions } from '../../model/words/option-parser.ts';
import type { Given } from '../../model/words/parameter.ts';
import { help, optionsOf } from '../command-help.ts';
import { takesOptionsAlone, type VerbHelp } from '../verb-help.ts';
import { json } from './verb-options.ts';

/** What a verb is given. */
export interface Request {
  readonly given: Given;
  /** The words that are no options. */
  readonly words: readonly string[];
  /** The words without the options that chaperonectl alone knows: chaperone reads these. */
  readonly command: readonly string[];
}

export type WordsReading =
  | { readonly kind: 'help' }
  | { readonly kind: 'mistake'; readonly message: string }
  | ({ readonly kind: 'request' } & Request);

export function readWords(verb: VerbHelp, given: readonly string[]): WordsReading {
  const parsed = parseOptions(given, optionsOf(verb), { untilWord: verb.untilWord === true });
  if (parsed.kind === 'mistake') return parsed;
  const { texts, words } = parsed;
  if (texts.has(help.name)) return { kind: 'help' };
  const [word] = words;
  if (verb.operands === 'none' && word !== undefined)
    return { kind: 'mistake', message: takesOptionsAlone(verb, word) };
  return { kind: 'request', given: givenBy(texts), words, command: parsed.without(json) };
}
