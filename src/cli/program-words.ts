/** Reads the command line of a program that has no verbs. */
import { givenBy, type ParseSettings, parseOptions } from '../model/words/option-parser.ts';
import type { Given } from '../model/words/parameter.ts';
import { type CommandHelp, help, helpText, optionsOf, version as versionOption } from './command-help.ts';
import { version } from './version.ts';

/** The program only prints something: its help or its version. */
interface Information {
  readonly kind: 'information';
  readonly text: string;
}

interface Mistake {
  readonly kind: 'mistake';
  readonly message: string;
}

/** The answer to a command line that asks for no work, or that has a mistake. */
export type Reply = Information | Mistake;

type ProgramWords = Reply | { readonly kind: 'given'; readonly given: Given; readonly words: readonly string[] };

/** @param name what the program is called */
export function readProgramWords(
  name: string,
  command: CommandHelp,
  words: readonly string[],
  settings?: ParseSettings,
): ProgramWords {
  const parsed = parseOptions(words, optionsOf(command), settings);
  if (parsed.kind === 'mistake') return parsed;
  const given = givenBy(parsed.texts);
  if (given.get(help)) return { kind: 'information', text: helpText(name, command) };
  if (given.get(versionOption)) return { kind: 'information', text: `${name} ${version}\n` };
  return { kind: 'given', given, words: parsed.words };
}

export function mistake(message: string): Mistake {
  return { kind: 'mistake', message };
}
