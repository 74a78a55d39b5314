import { parseBoolean } from '../../config/values.ts';
import { parseSeverity, type Severity, severities } from '../../model/log/syslog-names.ts';
import { modeVariables } from '../../model/service/boot-mode.ts';
import { parseUserRequest, type UserRequest } from '../../model/service/user-request.ts';
import { type InspectRequest, parseInspectRequests } from '../../model/words/inspect-request.ts';
import {
  givenBy,
  type OptionsParse,
  type OptionTexts,
  parseOptions as parseCommandLine,
} from '../../model/words/option-parser.ts';
import { flag, type Given, type Parameter, value, values } from '../../model/words/parameter.ts';
import { oneLine } from '../../model/words/printable.ts';
import { splitWords } from '../../model/words/words.ts';
import type { DaemonRequest } from '../../runtime/boot/main.ts';
import { type CommandHelp, help, version } from '../command-help.ts';
import { defaultConfig } from '../default-config.ts';

/** The request of a command line. */
export type Invocation =
  | ({ readonly kind: 'run' } & DaemonRequest)
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'mistake'; readonly message: string };

/** `_CHAP_OPTIONS`, which supplies options that the command line leaves out. */
const optionsVariable = '_CHAP_OPTIONS';

const config = value('config', 'PATH', `a file, or a directory (${defaultConfig})`, {
  expects: 'a path',
  completes: 'files',
});
const user = value('user', 'USER', 'run the services and the command as USER', { expects: 'a user' });
const createUser = value(
  'create-user',
  'NAME[:UID[:GID]], NAME:/path[:UID[:GID]]',
  "the same, made first if need be (ids of /path's owner)",
  { expects: 'a user: NAME[:UID[:GID]] or NAME:/path[:UID[:GID]]' },
);
const defaultHome = value('default-home', 'DIR', 'its home, where /home/NAME does not exist', {
  expects: 'a path',
  completes: 'folders',
});
const exitkills = flag('exitkills', "the command's end ends the system (default where stdin is a terminal)");
const noExitkills = flag('no-exitkills', 'the end of the command does not end the system', {
  beside: { option: 'exitkills', briefly: 'it does not' },
});
const task = flag('task', '--no-console-log --disable-services --exitkills');
const disableServices = flag('disable-services', 'start nothing but the command');
const ignoreFailures = flag('ignore-failures', 'no failure of a service ends the system', {
  beside: { option: 'disable-services', briefly: 'go on' },
});
const logLevel = value('log-level', 'LEVEL', 'log LEVEL and worse everywhere', {
  expects: `a priority: ${[...severities].reverse().join(', ')}`,
});
const debug = flag('debug', 'log everything', { beside: { option: 'log-level', briefly: 'log everything' } });
const noConsoleLog = flag('no-console-log', 'no log on stdout and stderr');
const noSyslog = flag('no-syslog', 'no /dev/log', { beside: { option: 'no-console-log', briefly: 'no /dev/log' } });
const inspect: Parameter<readonly InspectRequest[]> = {
  ...values(
    'inspect',
    'KIND,...',
    'watch every state: terminal[:SERVICE,...], json[:...], journal:FILE, ws[:PORT], web[:PORT][,act]',
  ),
  added: true,
  takes: 'attached',
  bare: 'terminal',
  absent: [],
  read: readInspect,
  readJson: () => undefined,
  wrong: (text) => {
    const read = parseInspectRequests(text);
    return read.kind === 'mistake' ? read.message : `--inspect takes no "${text}"`;
  },
};
const inspectReveal = flag('inspect-reveal', 'watchers see command lines and environments, too', {
  added: true,
});
const showDependencies = flag('show-dependencies', 'print who waits for whom, and start nothing');
const interactive = flag('interactive', 'a shell, no services', { added: true });
const safemode = flag('safemode', 'services and pre-start scripts wait until they are started by hand', {
  added: true,
  beside: { option: 'interactive', briefly: 'services wait' },
});
const noDefaults = flag('no-defaults', `no more options from ${optionsVariable}`);
const force = flag('force', 'no effect: it is accepted since the original needs it', {
  beside: { option: 'no-defaults', briefly: 'no effect' },
});

export const chaperone: CommandHelp = {
  summary: 'start the services of a configuration, then a command; end them in order',
  usages: ['[command [arguments]]'],
  description: 'Starts the services of a configuration, then the command; ends them in order.\n',
  options: [
    ...[config, user, createUser, defaultHome, exitkills, noExitkills, task, disableServices, ignoreFailures],
    ...[logLevel, debug, noConsoleLog, noSyslog, inspect, inspectReveal, interactive, safemode],
    ...[showDependencies, noDefaults, force],
    ...[version, { ...help, beside: { option: version.name, briefly: help.summary } }],
  ],
  operands: 'command',
  exit: `Exit status: 0 ended in order, 1 a mistake in the configuration or a failure,
2 a mistake here; else the command's (126 may not run, 127 not found, 128+N).
`,
  dense: true,
};

/** What ps(1) shows in place of this process's command line, as the original has it: `[chaperone] bash -l`. */
export function processTitle(command: readonly string[]): string {
  return ['[chaperone]', ...command].join(' ');
}

/** The options of one list of words, before defaults. */
interface ParsedWords {
  readonly kind: 'options';
  readonly texts: OptionTexts;
  readonly words: readonly string[];
}

/**
 * Reads the words after the program's name, then `_CHAP_OPTIONS` for what they leave out. Options end at the first word
 * that is none.
 */
export function parseOptions(words: readonly string[], environment: NodeJS.ProcessEnv = {}): Invocation {
  const given = readWords(words);
  if (given.kind === 'mistake') return mistake(given.message);
  const more = given.texts.has(noDefaults.name) ? noWords : readVariable(environment[optionsVariable] ?? '');
  if (more.kind === 'mistake') return mistake(`in ${optionsVariable}: ${more.message}`);
  return invocationOf(
    givenBy(new Map([...more.texts, ...given.texts])),
    given.words.length > 0 ? given.words : more.words,
    environment,
  );
}

const noWords: ParsedWords = { kind: 'options', texts: new Map(), words: [] };

function readWords(words: readonly string[]): OptionsParse {
  return parseCommandLine(words, chaperone.options, { untilWord: true });
}

function readVariable(text: string): ParsedWords | Extract<OptionsParse, { kind: 'mistake' }> {
  const split = splitWords(text);
  if (split.kind === 'unclosed') return { kind: 'mistake', message: `a quote is never closed (${split.quote})` };
  return readWords(split.words.map((word) => word.text));
}

/** Several `--inspect` options add up. */
function readInspect(texts: readonly string[]): readonly InspectRequest[] | undefined {
  const requests: InspectRequest[] = [];
  for (const text of texts) {
    const read = parseInspectRequests(text);
    if (read.kind === 'mistake') return undefined;
    requests.push(...read.requests);
  }
  const shown = requests.map((request) => JSON.stringify(request));
  return requests.filter((_, index) => shown.indexOf(shown[index] ?? '') === index);
}

function invocationOf({ get }: Given, command: readonly string[], environment: NodeJS.ProcessEnv): Invocation {
  if (get(help)) return { kind: 'help' };
  if (get(version)) return { kind: 'version' };
  for (const option of [task, disableServices]) {
    if (get(option) && command.length === 0) return mistake(`--${option.name} needs a command to run`);
  }
  const level = readLogLevel(get(logLevel), get(debug));
  if (level.kind === 'mistake') return mistake(level.message);
  const created = readCreateUser(get(createUser), get(defaultHome));
  if (created.kind === 'mistake') return mistake(created.message);
  const runAs = get(user);
  const isTask = get(task);
  return {
    kind: 'run',
    configPath: get(config) ?? defaultConfig,
    inspect: get(inspect),
    inspectReveal: get(inspectReveal),
    command,
    exitKills: get(exitkills) || isTask ? true : get(noExitkills) ? false : undefined,
    task: isTask,
    disableServices: get(disableServices) || isTask,
    consoleLog: !get(noConsoleLog) && !isTask,
    ...(runAs === undefined ? {} : { user: runAs }),
    ...(created.request === undefined ? {} : { createUser: created.request }),
    ignoreFailures: get(ignoreFailures),
    debug: get(debug),
    ...(level.level === undefined ? {} : { logLevel: level.level }),
    syslog: !get(noSyslog),
    showDependencies: get(showDependencies),
    mode: {
      interactive: get(interactive) || asks(environment[modeVariables.interactive]),
      safe: get(safemode) || asks(environment[modeVariables.safe]),
    },
  };
}

/** Images and tools write True and False; whatever else stands there is somebody else's variable. */
function asks(text: string | undefined): boolean {
  return text !== undefined && parseBoolean(text) === true;
}

type LogLevel =
  | { readonly kind: 'level'; readonly level?: Severity }
  | { readonly kind: 'mistake'; readonly message: string };

/** `--log-level` overrides `--debug` if both are given. */
function readLogLevel(text: string | undefined, debug: boolean): LogLevel {
  if (text === undefined) return debug ? { kind: 'level', level: 'debug' } : { kind: 'level' };
  // The spelling of selectors (`*.info`) is accepted, too.
  const level = parseSeverity(text.replace(/^\*\./, ''));
  if (level !== undefined) return { kind: 'level', level };
  return { kind: 'mistake', message: `cannot log from "${text}" on: expected ${logLevel.expects}` };
}

type CreateUser =
  | { readonly kind: 'user'; readonly request?: UserRequest }
  | { readonly kind: 'mistake'; readonly message: string };

function readCreateUser(text: string | undefined, defaultHome: string | undefined): CreateUser {
  if (text === undefined) return { kind: 'user' };
  const reading = parseUserRequest(text, defaultHome);
  return reading.kind === 'mistake' ? reading : { kind: 'user', request: reading.request };
}

function mistake(message: string): Invocation {
  return { kind: 'mistake', message: `${oneLine(message)}\ntry "chaperone --help"` };
}
