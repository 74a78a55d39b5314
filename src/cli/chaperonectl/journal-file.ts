/** Journals on disk, for the verbs that read them. */
import { createReadStream } from 'node:fs';
import { exitStatuses } from '../../control/answer.ts';
import {
  isKnownVersion,
  type JournalBoot,
  type JournalEnd,
  JournalReader,
  versionText,
} from '../../inspect/journal-reader.ts';
import { codeOf } from '../../model/words/errno.ts';
import { reasonOf } from '../program-io.ts';

/** A journal that cannot be read, with a message and the exit status. */
export class JournalFileError extends Error {
  readonly exitStatus: number;

  constructor(message: string, exitStatus: number = exitStatuses.mistake) {
    super(message);
    this.exitStatus = exitStatus;
  }
}

/** Takes a line about skipped parts. */
export type Warn = (line: string) => Promise<void>;

/**
 * One boot of a journal.
 *
 * @param file may end with `#BOOT`
 * @param choice which boot: its number, from the end where negative, or how its id begins; undefined: the last
 * @param onBoot hears of every boot in the journal
 * @param lister the command that lists the boots, for a person who has named one that is not there
 * @throws JournalFileError
 */
export async function loadBoot(
  file: string,
  choice: string | undefined,
  warn: Warn,
  onBoot: (boot: JournalBoot, path: string) => void = () => undefined,
  lister = 'chaperonectl replay --list',
): Promise<JournalBoot> {
  const [, path = file, inFile] = /^(.*)#(-?\w+)$/s.exec(file) ?? [];
  const wanted = inFile ?? choice ?? '-1';
  let known = 0;
  // Of a large journal only those boots are kept in memory that may still be the wanted one.
  let kept: JournalBoot[] = [];
  await readJournal(path, warn, (boot) => {
    known = boot.number;
    onBoot(boot, path);
    kept = [...kept, boot].filter((candidate) => isWantedBoot(candidate, wanted, known, 'so far'));
  });
  const [boot, another] = kept.filter((candidate) => isWantedBoot(candidate, wanted, known));
  if (another !== undefined) throw new JournalFileError(`boot ${wanted} is not unique in ${path}: give more of it`);
  if (boot === undefined) {
    throw new JournalFileError(`there is no boot ${wanted} in ${path}, which has ${known}; see "${lister}"`);
  }
  if (!isKnownVersion(boot)) {
    throw new JournalFileError(
      `boot ${boot.number} in ${path} was recorded by chaperone ${boot.entry.chaperone}, and cannot be read: its journal has ${versionText(boot)}`,
    );
  }
  return boot;
}

/**
 * @param count of the boots that were read
 * @param extent `so far`: more may come, and the number of any from the end may grow
 */
function isWantedBoot(
  { number, entry }: JournalBoot,
  wanted: string,
  count: number,
  extent: 'so far' | 'all' = 'all',
): boolean {
  if (!/^-?\d{1,7}$/.test(wanted)) return entry.boot.startsWith(wanted);
  const asked = Number(wanted);
  if (asked >= 0) return number === asked;
  const first = count + 1 + asked;
  return extent === 'all' ? number === first : number >= first;
}

/**
 * Reads all boots of a journal.
 *
 * @throws JournalFileError
 */
export async function readJournal(path: string, warn: Warn, onBoot: (boot: JournalBoot) => void): Promise<void> {
  const reader = new JournalReader(onBoot);
  try {
    for await (const piece of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
      if (piece instanceof Uint8Array) reader.push(piece);
    }
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    const status = code === 'EACCES' || code === 'EPERM' ? exitStatuses.forbidden : exitStatuses.mistake;
    throw new JournalFileError(`cannot read ${path}: ${reasonOf(error) ?? code}`, status);
  }
  const end = reader.end();
  if (end.boots === 0) throw new JournalFileError(notAJournal(path, end));
  await tellSkipped(path, end, warn);
}

function notAJournal(path: string, { problems }: JournalEnd): string {
  const [first] = problems;
  if (first === undefined) return `${path} is empty: no boot is recorded in it`;
  return `${path}:${first.line}:${first.column}: this is not a journal: ${first.text}`;
}

async function tellSkipped(path: string, { problems, skipped, unknown }: JournalEnd, warn: Warn): Promise<void> {
  for (const { line, column, text } of problems) await warn(`${path}:${line}:${column}: skipped: ${text}`);
  if (skipped > problems.length) await warn(`${path}: ${skipped - problems.length} more lines were skipped`);
  if (unknown > 0) await warn(`${path}: ${unknown} entries of a kind that this version does not know were skipped`);
}
