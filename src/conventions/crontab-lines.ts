/** Reads a system's crontab, crontab(5): lines of variables, and lines of a schedule, a user and a command. */
import type { Place, Source } from '../config/source.ts';

export interface CrontabEntry {
  /** Five fields, or a word such as `@daily`. */
  readonly schedule: string;
  readonly schedulePlace: Place;
  readonly user: string;
  readonly userPlace: Place;
  /** For `SHELL -c`. */
  readonly command: string;
  readonly commandPlace: Place;
  /** The text that the command reads from its standard input; absent where it reads none. */
  readonly input?: string;
  /** Variables of the lines before, in their order. */
  readonly environment: ReadonlyMap<string, string>;
}

export interface Crontab {
  readonly entries: readonly CrontabEntry[];
  /** Each line that sets a variable, by its name. */
  readonly variables: ReadonlyMap<string, Place>;
  /** The lines that are neither an entry nor a variable. */
  readonly mistakes: readonly Place[];
}

const assignment = /^(?:"([^"]*)"|'([^']*)'|([^\s=]+))\s*=\s*(.*)$/;
const entry = /^(@\S+|\S+(?:\s+\S+){4})(\s+)(\S+)(\s+)(\S.*)$/;

export function readCrontab(source: Source): Crontab {
  const entries: CrontabEntry[] = [];
  const variables = new Map<string, Place>();
  const mistakes: Place[] = [];
  let environment: ReadonlyMap<string, string> = new Map();
  let offset = 0;
  for (const raw of source.text.split('\n')) {
    const line = raw.trim();
    const start = offset + raw.length - raw.trimStart().length;
    offset += raw.length + 1;
    if (line === '' || line.startsWith('#')) continue;
    const place = (from: number, length: number): Place => ({
      source,
      start: start + from,
      end: start + from + length,
    });
    const [whole, doubled, single, bare, value = ''] = assignment.exec(line) ?? [];
    if (whole !== undefined) {
      const name = doubled ?? single ?? bare ?? '';
      environment = new Map([...environment, [name, unquoted(value)]]);
      variables.set(name, place(0, line.length));
      continue;
    }
    const [, schedule = '', gap = '', user = '', space = '', rest] = entry.exec(line) ?? [];
    if (rest === undefined) {
      mistakes.push(place(0, line.length));
      continue;
    }
    const userAt = schedule.length + gap.length;
    const commandAt = userAt + user.length + space.length;
    entries.push({
      schedule: schedule.replace(/\s+/g, ' '),
      schedulePlace: place(0, schedule.length),
      user,
      userPlace: place(userAt, user.length),
      commandPlace: place(commandAt, rest.length),
      ...splitInput(rest),
      environment,
    });
  }
  return { entries, variables, mistakes };
}

function unquoted(value: string): string {
  const [, , inner] = /^(["'])(.*)\1$/.exec(value) ?? [];
  return inner ?? value;
}

/** The first percent sign ends the command; what follows is its input, in which further ones are newlines. `\%` is a percent sign. */
function splitInput(text: string): { readonly command: string; readonly input?: string } {
  const [command = '', ...lines] = text.split(/(?<!\\)%/).map((part) => part.replaceAll('\\%', '%'));
  return lines.length === 0 ? { command } : { command, input: lines.join('\n') };
}
