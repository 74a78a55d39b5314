import { oneLine } from '../model/words/printable.ts';
import type { CommandHelp } from './command-help.ts';

export interface VerbHelp extends CommandHelp {
  readonly name: string;
  /** Options end at the first word that is none. */
  readonly untilWord?: true;
}

/** Tells that a word stands behind a verb that takes options alone. */
export function takesOptionsAlone({ name, options }: VerbHelp, word: string): string {
  const config = options.some((option) => option.name === 'config') ? '; --config names a configuration' : '';
  return `"${name}" takes no words but options, so not "${oneLine(word)}"${config}`;
}
