import { parseArgs } from 'node:util';
import { type InspectRequest, parseInspectRequests } from '../model/inspect-request.ts';
import { oneLine } from '../model/printable.ts';
import { parseSeverity, type Severity, severities } from '../model/syslog-names.ts';
import { parseUserRequest, type UserRequest } from '../model/user-request.ts';
import { splitWords } from '../model/words.ts';
import type { DaemonRequest } from '../runtime/main.ts';

/** What a command line asks for. */
export type Invocation =
  | ({ readonly kind: 'run' } & DaemonRequest)
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'mistake'; readonly message: string };

const defaultConfig = '/etc/chaperone.d';

/** Supplies what the command line leaves out. */
const optionsVariable = '_CHAP_OPTIONS';

const flagNames = [
  'debug',
  'disable-services',
  'exitkills',
  'force',
  'help',
  'ignore-failures',
  'inspect',
  'inspect-reveal',
  'no-console-log',
  'no-defaults',
  'no-exitkills',
  'no-syslog',
  'show-dependencies',
  'task',
  'version',
] as const;

/** The options that take a value, in the same or in the next word, and what the value is. */
const valueKinds = {
  config: 'a path',
  'create-user': 'a user: NAME[:UID[:GID]] or NAME:/path[:UID[:GID]]',
  'default-home': 'a path',
  'log-level': `a priority: ${[...severities].reverse().join(', ')}`,
  user: 'a user',
} as const;

type FlagName = (typeof flagNames)[number];
type ValueName = keyof typeof valueKinds;

const optionNames: readonly string[] = [...flagNames, ...Object.keys(valueKinds)];

const parseArgsOptions = Object.fromEntries([
  ...flagNames.map((name) => [name, { type: 'boolean' }] as const),
  ...Object.keys(valueKinds).map((name) => [name, { type: 'string' }] as const),
]);

export const helpText = `usage: chaperone [options] [command [arguments]]
Starts the services of a configuration, then the command; ends them in order.

  --config PATH          a file, or a directory (${defaultConfig})
  --user USER            run the services and the command as USER
  --create-user NAME[:UID[:GID]], NAME:/path[:UID[:GID]]
                         the same, made first if need be (ids of /path's owner)
  --default-home DIR     its home, where /home/NAME does not exist
  --exitkills, --no-exitkills   does the command's end end the system?
                         (without either: yes where stdin is a terminal)
  --task                 --no-console-log --disable-services --exitkills
  --disable-services     start nothing but the command
  --ignore-failures      no failure of a service ends the system
  --log-level LEVEL      log LEVEL and worse everywhere; --debug: everything
  --no-console-log       no log on stdout and stderr; --no-syslog: no /dev/log
  --inspect[=KIND[:ARGUMENT],...]   watch every state: terminal[:SERVICE,...],
                         json[:SERVICE,...], journal:FILE, ws[:PORT], web[:PORT]
  --inspect-reveal       watchers see command lines and environments, too
  --show-dependencies    print who waits for whom, and start nothing
  --no-defaults          no further options from the variable ${optionsVariable}
  --force, --version, --help    (--force does nothing)

Exit status: 0 ended in order, 1 a mistake in the configuration or a failure,
2 a mistake here; else the command's (126 may not run, 127 not found, 128+N).
`;

/** What one list of words asks for, before defaults. */
interface ParsedWords {
  readonly flags: ReadonlySet<FlagName>;
  readonly values: Readonly<Partial<Record<ValueName, string>>>;
  readonly command: readonly string[];
  readonly inspect: readonly InspectRequest[];
}

/**
 * Reads the words after the program's name, then `_CHAP_OPTIONS` for what they leave out. Options end at the first word
 * that is none.
 */
export function parseOptions(words: readonly string[], environment: NodeJS.ProcessEnv = {}): Invocation {
  const given = parseWords(words);
  if (typeof given === 'string') return mistake(given);
  const more = given.flags.has('no-defaults') ? noWords : parseVariable(environment[optionsVariable] ?? '');
  if (typeof more === 'string') return mistake(`in ${optionsVariable}: ${more}`);
  return invocationOf({
    flags: new Set([...more.flags, ...given.flags]),
    values: { ...more.values, ...given.values },
    command: given.command.length > 0 ? given.command : more.command,
    inspect: given.inspect.length > 0 ? given.inspect : more.inspect,
  });
}

const noWords: ParsedWords = { flags: new Set(), values: {}, command: [], inspect: [] };

function parseVariable(text: string): ParsedWords | string {
  const split = splitWords(text);
  if (split.kind === 'unclosed') return `a quote is never closed (${split.quote})`;
  return parseWords(split.words.map((word) => word.text));
}

/** The message of a mistake where there is one. */
function parseWords(words: readonly string[]): ParsedWords | string {
  const options: string[] = [];
  let index = 0;
  for (; index < words.length; index += 1) {
    const word = words[index] ?? '';
    if (!word.startsWith('-') || word === '-') break;
    if (word === '--') {
      index += 1;
      break;
    }
    const option = completeOption(word);
    if (typeof option !== 'string') return option.message;
    const name = valueNameOf(option);
    if (name === undefined) {
      options.push(option);
      continue;
    }
    // As getopt_long(3) has it: the value is the next word, whatever it looks like.
    if (!option.includes('=')) index += 1;
    const value = option.includes('=') ? option.slice(option.indexOf('=') + 1) : words[index];
    if (value === undefined || value === '') return `--${name} needs ${valueKinds[name]}`;
    options.push(`--${name}=${value}`);
  }
  return readOptions(options, words.slice(index));
}

function valueNameOf(option: string): ValueName | undefined {
  const name = option.slice(2).split('=', 1)[0];
  for (const candidate of Object.keys(valueKinds)) if (candidate === name && isValueName(candidate)) return candidate;
  return undefined;
}

function isValueName(name: string): name is ValueName {
  return name in valueKinds;
}

function readOptions(options: readonly string[], command: readonly string[]): ParsedWords | string {
  const inspect = readInspect(options);
  if (typeof inspect === 'string') return inspect;
  try {
    const { values } = parseArgs({
      args: options.map((word) => (word.startsWith('--inspect=') ? '--inspect' : word)),
      options: parseArgsOptions,
    });
    const texts: Partial<Record<ValueName, string>> = {};
    for (const [name, value] of Object.entries(values)) {
      if (typeof value === 'string' && isValueName(name)) texts[name] = value;
    }
    const set = new Map(Object.entries(values));
    return { flags: new Set(flagNames.filter((name) => set.get(name) === true)), values: texts, command, inspect };
  } catch (error) {
    return error instanceof Error ? (error.message.split('. ')[0] ?? error.message) : String(error);
  }
}

/** `--inspect` takes its value only after `=`, which parseArgs has no kind for. Given twice, it asks for both. */
function readInspect(options: readonly string[]): readonly InspectRequest[] | string {
  const requests: InspectRequest[] = [];
  for (const option of options) {
    if (option !== '--inspect' && !option.startsWith('--inspect=')) continue;
    const read = parseInspectRequests(option === '--inspect' ? 'terminal' : option.slice('--inspect='.length));
    if (read.kind === 'mistake') return read.message;
    requests.push(...read.requests);
  }
  const texts = requests.map((request) => JSON.stringify(request));
  return requests.filter((_, index) => texts.indexOf(texts[index] ?? '') === index);
}

function invocationOf({ flags, values, command, inspect }: ParsedWords): Invocation {
  if (flags.has('help')) return { kind: 'help' };
  if (flags.has('version')) return { kind: 'version' };
  const task = flags.has('task');
  for (const name of ['task', 'disable-services'] as const) {
    if (flags.has(name) && command.length === 0) return mistake(`--${name} needs a command to run`);
  }
  const logLevel = readLogLevel(values['log-level'], flags.has('debug'));
  if (logLevel.kind === 'mistake') return mistake(logLevel.message);
  const createUser = readCreateUser(values['create-user'], values['default-home']);
  if (createUser.kind === 'mistake') return mistake(createUser.message);
  return {
    kind: 'run',
    configPath: values.config ?? defaultConfig,
    inspect,
    inspectReveal: flags.has('inspect-reveal'),
    command,
    exitKills: flags.has('exitkills') || task ? true : flags.has('no-exitkills') ? false : undefined,
    task,
    disableServices: flags.has('disable-services') || task,
    consoleLog: !flags.has('no-console-log') && !task,
    ...(values.user === undefined ? {} : { user: values.user }),
    ...(createUser.request === undefined ? {} : { createUser: createUser.request }),
    ignoreFailures: flags.has('ignore-failures'),
    debug: flags.has('debug'),
    ...(logLevel.level === undefined ? {} : { logLevel: logLevel.level }),
    syslog: !flags.has('no-syslog'),
    showDependencies: flags.has('show-dependencies'),
  };
}

type LogLevel =
  | { readonly kind: 'level'; readonly level?: Severity }
  | { readonly kind: 'mistake'; readonly message: string };

/** `--log-level` says more than `--debug` where both are given. */
function readLogLevel(text: string | undefined, debug: boolean): LogLevel {
  if (text === undefined) return debug ? { kind: 'level', level: 'debug' } : { kind: 'level' };
  // As selectors write it, too.
  const level = parseSeverity(text.replace(/^\*\./, ''));
  if (level !== undefined) return { kind: 'level', level };
  return { kind: 'mistake', message: `cannot log from "${text}" on: expected ${valueKinds['log-level']}` };
}

type CreateUser =
  | { readonly kind: 'user'; readonly request?: UserRequest }
  | { readonly kind: 'mistake'; readonly message: string };

function readCreateUser(text: string | undefined, defaultHome: string | undefined): CreateUser {
  if (text === undefined) return { kind: 'user' };
  const reading = parseUserRequest(text, defaultHome);
  return reading.kind === 'mistake' ? reading : { kind: 'user', request: reading.request };
}

/** What stands at the beginning of all the others is meant by itself: `--ins` is `--inspect`, and not `--inspect-reveal`. */
function withoutLonger(names: readonly string[]): readonly string[] {
  const shortest = names.find((name) => names.every((other) => other.startsWith(name)));
  return shortest === undefined ? names : [shortest];
}

/** The full form of an option that was shortened. */
function completeOption(word: string): string | { readonly message: string } {
  const [, name = '', value = ''] = /^--([^=]*)(=.*)?$/s.exec(word) ?? [];
  const candidates = optionNames.includes(name)
    ? [name]
    : withoutLonger(optionNames.filter((option) => name !== '' && option.startsWith(name)));
  const [option] = candidates;
  if (option === undefined) return { message: `unknown option "${name === '' ? word : `--${name}`}"` };
  if (candidates.length > 1) {
    return { message: `"--${name}" may be ${candidates.map((candidate) => `--${candidate}`).join(' or ')}` };
  }
  return `--${option}${value}`;
}

function mistake(message: string): Invocation {
  return { kind: 'mistake', message: `${oneLine(message)}\ntry "chaperone --help"` };
}
