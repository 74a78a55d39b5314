/**
 * The one reader of command lines. Options may be shortened as long as they stay unique, as getopt_long(3) and docopt
 * have it; their value stands behind "=" or is the next word, whatever that looks like; "--" ends them. parseArgs of
 * node:util knows neither: it refuses a value that begins with a dash, takes no prefix, and does not stop at the
 * command that another program shall get.
 */
import { nearest } from './nearest.ts';
import type { Given, Parameter } from './parameter.ts';
import { oneLine } from './printable.ts';

export interface ParsedOptions {
  readonly kind: 'options';
  /** By the option's full name. */
  readonly texts: OptionTexts;
  /** The words that are not options. */
  readonly words: readonly string[];
  /** All words without those of some options, to pass them on to another program. */
  readonly without: (...parameters: readonly Parameter<unknown>[]) => readonly string[];
}

export type OptionTexts = ReadonlyMap<string, readonly string[]>;

export type OptionsParse = ParsedOptions | { readonly kind: 'mistake'; readonly message: string };

export interface ParseSettings {
  /** Options end at the first word that is none: what follows is another program's. */
  readonly untilWord?: boolean;
}

type Parameters = readonly Parameter<unknown>[];

/** The meaning of one word, or of a word and the next one if that is its value. */
type Reading =
  | { readonly kind: 'given'; readonly given: readonly Occurrence[]; readonly used: 1 | 2 }
  | { readonly kind: 'mistake'; readonly message: string };

interface Occurrence {
  readonly name: string;
  readonly text: string;
}

export function parseOptions(
  given: readonly string[],
  parameters: Parameters,
  { untilWord = false }: ParseSettings = {},
): OptionsParse {
  const texts = new Map<string, string[]>();
  const words: string[] = [];
  const owners = new Map<number, readonly string[]>();
  for (let index = 0; index < given.length; ) {
    const word = given[index] ?? '';
    if (word === '--') {
      words.push(...given.slice(index + 1));
      break;
    }
    if (!word.startsWith('-') || word === '-') {
      if (untilWord) {
        words.push(...given.slice(index));
        break;
      }
      words.push(word);
      index += 1;
      continue;
    }
    const reading = readOption(word, given[index + 1], parameters);
    if (reading.kind === 'mistake') return reading;
    for (const { name, text } of reading.given) {
      const before = texts.get(name);
      if (before === undefined) texts.set(name, [text]);
      else before.push(text);
    }
    for (let used = 0; used < reading.used; used += 1)
      owners.set(
        index + used,
        reading.given.map(({ name }) => name),
      );
    index += reading.used;
  }
  const without = (...left: Parameters): readonly string[] =>
    given.filter((_, index) => !left.some(({ name }) => owners.get(index)?.includes(name)));
  return { kind: 'options', texts, words, without };
}

/** The values of texts that a parser has accepted. */
export function givenBy(texts: OptionTexts): Given {
  return {
    has: ({ name }) => texts.has(name),
    get: (parameter) => {
      const found = texts.get(parameter.name);
      return found === undefined ? parameter.absent : (parameter.read(found) ?? parameter.absent);
    },
  };
}

function readOption(word: string, next: string | undefined, parameters: Parameters): Reading {
  if (!word.startsWith('--')) return readLetters(word, next, parameters);
  const equals = word.indexOf('=');
  const prefix = word.slice(2, equals < 0 ? undefined : equals);
  const found = complete(prefix, parameters);
  if (found.length > 1) {
    const names = found.map(({ name }) => `--${name}`).sort();
    return mistake(`"--${prefix}" may be ${names.join(' or ')}`);
  }
  const [parameter] = found;
  // A word such as "--=x" has no option name before the "=", so the message quotes all of it.
  if (parameter === undefined) return unknown(prefix === '' ? word : `--${prefix}`, parameters);
  return readValue(parameter, equals < 0 ? undefined : word.slice(equals + 1), next);
}

/**
 * The parameters that a prefix may mean. The original's win over those that it does not have, so that its prefixes go on
 * working; of several, one that is a prefix of all the others wins: `--ins` is `--inspect`, not `--inspect-reveal`.
 */
function complete(prefix: string, parameters: Parameters): Parameters {
  const exact = parameters.find(({ name }) => name === prefix);
  if (exact !== undefined) return [exact];
  const found = prefix === '' ? [] : parameters.filter(({ name }) => name.startsWith(prefix));
  const originals = found.filter(({ added }) => added !== true);
  const meant = originals.length > 0 ? originals : found;
  const shortest = meant.find(({ name }) => meant.every((other) => other.name.startsWith(name)));
  return shortest === undefined ? found : [shortest];
}

/** `-f`, `-n 5`, `-n5`, `-fn5`. */
function readLetters(word: string, next: string | undefined, parameters: Parameters): Reading {
  const given: Occurrence[] = [];
  for (let index = 1; index < word.length; index += 1) {
    const letter = word.charAt(index);
    const parameter = parameters.find(({ short }) => short === letter);
    if (parameter === undefined) return unknown(index === 1 ? word : `-${letter}`, parameters);
    if (parameter.takes === 'nothing') {
      given.push({ name: parameter.name, text: '' });
      continue;
    }
    const rest = word.slice(index + 1);
    const reading = readValue(parameter, rest === '' ? undefined : rest, next);
    return reading.kind === 'mistake' ? reading : { ...reading, given: [...given, ...reading.given] };
  }
  return { kind: 'given', given, used: 1 };
}

function readValue(parameter: Parameter<unknown>, inline: string | undefined, next: string | undefined): Reading {
  const { name, takes, expects, wrong, bare = '' } = parameter;
  if (takes !== 'value' && inline === undefined) return { kind: 'given', given: [{ name, text: bare }], used: 1 };
  if (takes === 'nothing') return mistake(wrong(inline ?? ''));
  const text = inline ?? next;
  if (text === undefined) return mistake(`--${name} needs ${expects}`);
  if (parameter.read([text]) === undefined) return mistake(wrong(text));
  return { kind: 'given', given: [{ name, text }], used: inline === undefined ? 2 : 1 };
}

function unknown(word: string, parameters: Parameters): Reading {
  const meant = nearest(
    word.replace(/^-+/, '').split('=', 1)[0] ?? '',
    parameters.map(({ name }) => name),
  );
  return mistake(`unknown option "${oneLine(word)}"${meant === undefined ? '' : `: did you mean "--${meant}"?`}`);
}

function mistake(message: string): Reading {
  return { kind: 'mistake', message };
}
