/** What the words of a command ask for: its help, or its work. */
import { givenBy, type OptionTexts, parseOptions } from '../../model/words/option-parser.ts';
import type { Given } from '../../model/words/parameter.ts';
import { help, optionsOf } from '../command-help.ts';
import { takesOptionsAlone, type VerbHelp } from '../verb-help.ts';

export interface Request {
  readonly given: Given;
  /** The words that are no options. */
  readonly words: readonly string[];
}

export type Reading =
  | { readonly kind: 'help' }
  | { readonly kind: 'mistake'; readonly message: string }
  | ({ readonly kind: 'request' } & Request);

export function readRequest(verb: VerbHelp, given: readonly string[]): Reading {
  const parsed = verb.untilWord === true ? parseAround(verb, given) : parseOptions(given, optionsOf(verb));
  if (parsed.kind === 'mistake') return parsed;
  if (parsed.texts.has(help.name)) return { kind: 'help' };
  const { words } = parsed;
  const [usage = ''] = verb.usages;
  const [word] = words;
  if (verb.operands === 'none' && word !== undefined)
    return { kind: 'mistake', message: takesOptionsAlone(verb, word) };
  const isNamed = word !== undefined || parsed.texts.has('group');
  if (usage.startsWith('NAME') && !isNamed)
    return { kind: 'mistake', message: `"${verb.name}" needs ${usage.replaceAll('...', '')}` };
  return { kind: 'request', given: givenBy(parsed.texts), words };
}

/** Options stand on both sides of the first word; what follows the second is another program's. */
function parseAround(
  verb: VerbHelp,
  given: readonly string[],
):
  | { readonly kind: 'options'; readonly texts: OptionTexts; readonly words: readonly string[] }
  | { readonly kind: 'mistake'; readonly message: string } {
  const before = parseOptions(given, optionsOf(verb), { untilWord: true });
  if (before.kind === 'mistake') return before;
  const [name, ...rest] = before.words;
  if (name === undefined) return before;
  const behind = parseOptions(rest, optionsOf(verb), { untilWord: true });
  if (behind.kind === 'mistake') return behind;
  return { kind: 'options', texts: new Map([...before.texts, ...behind.texts]), words: [name, ...behind.words] };
}
