/** Parses commands that are given as words: on a line of the FIFO or the socket, on a command line, in POST /v1/commands. */
import { givenBy, parseOptions } from '../model/words/option-parser.ts';
import { oneLine } from '../model/words/printable.ts';
import { splitWords } from '../model/words/words.ts';
import type { Command } from './command.ts';
import { type CommandEntry, commandEntry, commandOf, isVerb, verbs } from './commands.ts';
import { limits } from './limits.ts';

export type CommandParse =
  | { readonly kind: 'command'; readonly command: Command }
  /** The line is empty. */
  | { readonly kind: 'empty' }
  | { readonly kind: 'mistake'; readonly message: string };

/** The usage that the original prints for an unknown command, with the commands that have been added since. */
export const usage = verbs
  .filter((verb) => commandEntry(verb).telchap)
  .map((verb, index) => `${index === 0 ? 'Usage:' : '      '} telchap ${usageOf(verb, commandEntry(verb))}`)
  .join('\n');

function usageOf(verb: string, { options, names, word }: CommandEntry): string {
  const parts = options.map(({ name, takes, metavar }) =>
    takes === 'nothing' ? `[--${name}]` : `[--${name}=<${metavar.toLowerCase()}>]`,
  );
  if (names !== 'none') parts.push(names === 'any' ? '[<servname> ...]' : '<servname> ...');
  if (word !== undefined) parts.push(`[<${word.parameter.name}>]`);
  return [verb, ...parts].join(' ');
}

/** Parses one line of text, in which quotes count as in a shell. */
export function parseLine(line: string): CommandParse {
  const split = splitWords(line);
  if (split.kind === 'unclosed') return mistaken(`a quote is never closed (${split.quote})`);
  return parseWords(split.words.map(({ text }) => text));
}

/** Options may stand anywhere behind the verb. */
export function parseWords(given: readonly string[]): CommandParse {
  const [first, ...rest] = given;
  if (first === undefined) return { kind: 'empty' };
  if (given.some(({ length }) => length > limits.word)) {
    return mistaken(`a word is longer than ${limits.word} characters`);
  }
  if (!isVerb(first)) return mistaken(`unknown command "${oneLine(first)}"`);
  const entry = commandEntry(first);
  const parsed = parseOptions(rest, entry.options);
  if (parsed.kind === 'mistake') return parsed;
  const { words, texts } = parsed;
  const { names, word } = entry;
  const least = (names === 'some' ? 1 : 0) + (word?.required === true ? 1 : 0);
  if (words.length < least) {
    return mistaken(
      `"${first}" needs the name of a service${word === undefined ? '' : ` and a ${word.parameter.name}`}`,
    );
  }
  const most = names === 'none' ? (word === undefined ? 0 : 1) : words.length;
  const tooMuch = words[most];
  if (tooMuch !== undefined) return mistaken(`"${first}" takes no "${oneLine(tooMuch)}"`);
  const last = word === undefined ? undefined : words.at(-1);
  if (word === undefined || last === undefined) return found(commandOf(first, words, givenBy(texts)));
  const { parameter } = word;
  if (parameter.read([last]) === undefined) return mistaken(parameter.wrong(last));
  return found(commandOf(first, words.slice(0, -1), givenBy(new Map([...texts, [parameter.name, [last]]]))));
}

function found(command: Command | undefined): CommandParse {
  return command === undefined ? mistaken('a required argument is missing') : { kind: 'command', command };
}

function mistaken(message: string): CommandParse {
  return { kind: 'mistake', message };
}
