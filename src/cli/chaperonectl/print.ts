/** What chaperonectl and telchap print. */
import { isatty } from 'node:tty';
import { exitStatuses } from '../../control/answer.ts';
import { codeOf } from '../../model/words/errno.ts';
import { writeAll } from '../program-io.ts';

/** Does not touch process.stdout, which would make a shared pipe non-blocking for other processes. */
export async function print(fd: 1 | 2, text: string): Promise<void> {
  try {
    await writeAll(fd, Buffer.from(text));
  } catch (error) {
    // A reader that closes the pipe early is no error.
    if (codeOf(error) !== 'EPIPE') throw error;
  }
}

/** The width of the terminal that standard output is; undefined where it is none, or does not know. */
export function screenColumns(): number | undefined {
  // Only a terminal is looked at: of a pipe, process.stdout would make a non-blocking one for all who share it.
  return isatty(1) ? process.stdout.columns || undefined : undefined;
}

/** Prints what is wrong with a command line; returns the exit status. */
export async function refuse(program: string, message: string): Promise<number> {
  await print(2, `${program}: ${message}\ntry "${program} --help"\n`);
  return exitStatuses.mistake;
}

/** The same for a verb of chaperonectl that prints the answer of chaperone: with --json, a mistake is an answer, too. */
export async function tellMistake(verb: string, text: string, asJson: boolean): Promise<number> {
  if (!asJson) return refuse(`chaperonectl ${verb}`, text);
  await print(1, `${JSON.stringify({ kind: 'mistake', text, exitStatus: exitStatuses.mistake })}\n`);
  return exitStatuses.mistake;
}
