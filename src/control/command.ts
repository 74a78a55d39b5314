/** The command words of telchap and of chaperonectl, and what they ask for. */
import { oneLine } from '../model/printable.ts';
import { parseSignal, type SignalName } from '../model/signal.ts';
import { parseSeverity, type Severity } from '../model/syslog-names.ts';
import { splitWords } from '../model/words.ts';

/** What a service can be waited for to be. */
const waitGoals = ['ready', 'stopped', 'failed'] as const;
export type WaitGoal = (typeof waitGoals)[number];

/** A command in which nothing is left to be parsed. Names may be short, and may be globs. Durations are ms. */
export type Command =
  | { readonly verb: 'status'; readonly names: readonly string[] }
  | { readonly verb: 'loglevel'; readonly level?: Severity }
  | ({ readonly verb: 'start'; readonly enable: boolean } & ServiceOptions)
  | ({ readonly verb: 'stop'; readonly disable: boolean; readonly drain: boolean } & ServiceOptions)
  | ({ readonly verb: 'reset' | 'restart' } & ServiceOptions)
  | { readonly verb: 'enable' | 'disable'; readonly names: readonly string[] }
  | { readonly verb: 'dependencies' }
  | { readonly verb: 'shutdown'; readonly delay: number; readonly now: boolean }
  | { readonly verb: 'kill'; readonly names: readonly string[]; readonly signal: SignalName }
  | { readonly verb: 'wait'; readonly names: readonly string[]; readonly goal: WaitGoal; readonly timeout?: number }
  | { readonly verb: 'reload'; readonly dryRun: boolean; readonly force: boolean };

export type Verb = Command['verb'];

interface ServiceOptions {
  readonly names: readonly string[];
  readonly force: boolean;
  readonly wait: boolean;
  readonly timeout?: number;
}

export type CommandParse =
  | { readonly kind: 'command'; readonly command: Command }
  /** Nothing stood there. */
  | { readonly kind: 'empty' }
  | { readonly kind: 'mistake'; readonly message: string };

/** As the original prints it where a command is not understood, with what has come since. */
export const usage = `Usage: telchap status [<servname> ...]
       telchap loglevel [<level>]
       telchap stop [--force] [--wait] [--disable] [--drain] <servname> ...
       telchap start [--force] [--wait] [--enable] [<servname> ...]
       telchap reset [--force] [--wait] <servname> ...
       telchap restart [--force] [--wait] <servname> ...
       telchap enable <servname> ...
       telchap disable <servname> ...
       telchap dependencies
       telchap shutdown [<delay>]`;

/** What each verb takes. `names`: how many service names. */
interface Grammar {
  readonly flags: readonly string[];
  readonly values: readonly string[];
  readonly words: readonly [least: number, most: number];
}

const any = Number.POSITIVE_INFINITY;
const grammars: Readonly<Record<Verb, Grammar>> = {
  status: { flags: [], values: [], words: [0, any] },
  loglevel: { flags: [], values: [], words: [0, 1] },
  start: { flags: ['force', 'wait', 'enable'], values: ['timeout'], words: [0, any] },
  stop: { flags: ['force', 'wait', 'disable', 'drain'], values: ['timeout'], words: [1, any] },
  reset: { flags: ['force', 'wait'], values: ['timeout'], words: [1, any] },
  restart: { flags: ['force', 'wait'], values: ['timeout'], words: [1, any] },
  enable: { flags: [], values: [], words: [1, any] },
  disable: { flags: [], values: [], words: [1, any] },
  dependencies: { flags: [], values: [], words: [0, 0] },
  shutdown: { flags: [], values: [], words: [0, 1] },
  kill: { flags: [], values: [], words: [2, any] },
  wait: { flags: [], values: ['for', 'timeout'], words: [1, any] },
  reload: { flags: ['dry-run', 'force'], values: [], words: [0, 0] },
};

/** What shuts down "now" leaves to whoever asked: time for the answer to arrive, ms. */
const shutdownNow = 100;
const longestDelay = 10 * 365 * 86_400;

/** One line of text, in which quotes count as in a shell. */
export function parseLine(line: string): CommandParse {
  const split = splitWords(line);
  if (split.kind === 'unclosed') return mistaken(`a quote is never closed (${split.quote})`);
  return parseWords(split.words.map(({ text }) => text));
}

/** Options may stand anywhere behind the verb, and may be shortened as long as they stay unique. */
export function parseWords([first, ...rest]: readonly string[]): CommandParse {
  if (first === undefined) return { kind: 'empty' };
  if (!isVerb(first)) return mistaken(`unknown command "${oneLine(first)}"`);
  const grammar = grammars[first];
  const parsed = readWords(rest, grammar);
  if (typeof parsed === 'string') return mistaken(parsed);
  const { words } = parsed;
  const [least, most] = grammar.words;
  if (words.length < least) {
    return mistaken(
      first === 'kill' ? '"kill" needs the name of a service and a signal' : `"${first}" needs the name of a service`,
    );
  }
  if (words.length > most) return mistaken(`"${first}" takes no "${oneLine(words[most] ?? '')}"`);
  return commandOf(first, parsed);
}

interface ParsedWords {
  readonly flags: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, string>;
  readonly words: readonly string[];
}

function readWords(given: readonly string[], { flags, values }: Grammar): ParsedWords | string {
  const found = { flags: new Set<string>(), values: new Map<string, string>(), words: [] as string[] };
  for (let index = 0; index < given.length; index += 1) {
    const word = given[index] ?? '';
    if (word === '--') {
      found.words.push(...given.slice(index + 1));
      break;
    }
    if (!word.startsWith('-') || word === '-') {
      found.words.push(word);
      continue;
    }
    const [, prefix = '', value] = /^--([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
    const candidates = [...flags, ...values].filter((name) => prefix !== '' && name.startsWith(prefix));
    const option = candidates.includes(prefix) ? prefix : candidates.length === 1 ? candidates[0] : undefined;
    if (option === undefined) return `unknown option "${oneLine(word)}"`;
    if (flags.includes(option)) {
      if (value !== undefined) return `--${option} takes no value`;
      found.flags.add(option);
    } else {
      if (value === undefined) index += 1;
      const text = value ?? given[index];
      if (text === undefined || text === '') return `--${option} needs a value`;
      found.values.set(option, text);
    }
  }
  return found;
}

function commandOf(verb: Verb, { flags, values, words }: ParsedWords): CommandParse {
  const timeout = readTimeout(values.get('timeout'));
  if (timeout === 'mistake')
    return mistaken(`--timeout needs a number of seconds, not "${oneLine(values.get('timeout') ?? '')}"`);
  const options = {
    names: words,
    force: flags.has('force'),
    wait: flags.has('wait'),
    ...(timeout === undefined ? {} : { timeout }),
  };
  switch (verb) {
    case 'status':
    case 'enable':
    case 'disable':
      return found({ verb, names: words });
    case 'start':
      return found({ verb, ...options, enable: flags.has('enable') });
    case 'stop':
      return found({ verb, ...options, disable: flags.has('disable'), drain: flags.has('drain') });
    case 'reset':
    case 'restart':
      return found({ verb, ...options });
    case 'dependencies':
      return found({ verb });
    case 'loglevel':
      return logLevelCommand(words[0]);
    case 'shutdown':
      return shutdownCommand(words[0]);
    case 'kill': {
      const signal = parseSignal(words.at(-1) ?? '');
      if (signal === undefined) return mistaken(`no such signal: ${oneLine(words.at(-1) ?? '')}`);
      return found({ verb, names: words.slice(0, -1), signal });
    }
    case 'wait': {
      const text = values.get('for') ?? 'ready';
      const goal = waitGoals.find((candidate) => candidate === text);
      if (goal === undefined) return mistaken(`--for takes ready, stopped or failed, not "${oneLine(text)}"`);
      return found({ verb, names: words, goal, ...(timeout === undefined ? {} : { timeout }) });
    }
    case 'reload':
      return found({ verb, dryRun: flags.has('dry-run'), force: flags.has('force') });
  }
}

function logLevelCommand(text: string | undefined): CommandParse {
  if (text === undefined) return found({ verb: 'loglevel' });
  const level = parseSeverity(text.replace(/^\*\./, ''));
  return level === undefined ? mistaken(`Not a valid log level: ${oneLine(text)}`) : found({ verb: 'loglevel', level });
}

function shutdownCommand(text: string | undefined): CommandParse {
  if (text === undefined || text.toLowerCase() === 'now') {
    return found({ verb: 'shutdown', delay: shutdownNow, now: true });
  }
  const delay = readSeconds(text);
  return delay === undefined
    ? mistaken(`Specified delay is not a valid decimal number: ${oneLine(text)}`)
    : found({ verb: 'shutdown', delay, now: false });
}

function readTimeout(text: string | undefined): number | 'mistake' | undefined {
  return text === undefined ? undefined : (readSeconds(text) ?? 'mistake');
}

/** Seconds as ms; undefined for what is no such number, negative, or longer than ten years. */
function readSeconds(text: string): number | undefined {
  if (!/^\+?(\d+\.?\d*|\.\d+)$/.test(text)) return undefined;
  const seconds = Number(text);
  return seconds <= longestDelay ? Math.round(seconds * 1000) : undefined;
}

export function isVerb(word: string): word is Verb {
  return Object.hasOwn(grammars, word);
}

function found(command: Command): CommandParse {
  return { kind: 'command', command };
}

function mistaken(message: string): CommandParse {
  return { kind: 'mistake', message };
}
