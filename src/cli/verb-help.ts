import type { CommandHelp } from './command-help.ts';

export interface VerbHelp extends CommandHelp {
  readonly name: string;
  /** Options end at the first word that is none. */
  readonly untilWord?: true;
}
