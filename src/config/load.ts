import type { AccountDatabase } from '../model/accounts.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import { oneLine } from '../model/printable.ts';
import {
  type Account,
  consoleService,
  type LoggingSpec,
  type OutputTarget,
  type ServiceSpec,
  type ServiceType,
  type SystemSpec,
} from '../model/service-spec.ts';
import { parseSignal, type SignalName } from '../model/signal.ts';
import { directives, startTimeouts } from './directives.ts';
import {
  accountLevel,
  createEnvironment,
  type Environment,
  type EnvironmentLevel,
  expandDirective,
  expandWord,
  finalEnvironment,
  inheritedLevel,
  writtenLevel,
} from './environment.ts';
import { isPlain } from './expand.ts';
import { mergeSections } from './merge.ts';
import { parseYaml, placeWithin, type YamlScalar } from './parse-yaml.ts';
import { type OrderWishes, resolvePrerequisites } from './prerequisites.ts';
import type { ConfigReader } from './reader.ts';
import { createReport, type Report } from './report.ts';
import { createSource } from './source.ts';
import { type NameReference, readScalar, readSections, type Section, type Value } from './validate.ts';
import { didYouMean, quote } from './wording.ts';
import { splitWords } from './words.ts';

/** What the configuration depends on besides its files. */
export interface LoadContext {
  readonly reader: ConfigReader;
  /** The environment that chaperone was started with. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly accounts: AccountDatabase;
  /** Chaperone's stdin is a terminal. */
  readonly interactive: boolean;
  /** The command on chaperone's command line, and what its options make of it. */
  readonly console?: ConsoleRequest;
}

/** A command to run once everything else stands (reference, section 2, CONSOLE). */
export interface ConsoleRequest {
  /** Never empty. */
  readonly argv: readonly string[];
  /** The end of the command is the end of the system. */
  readonly exitKills: boolean;
  /** `--task`: the command is what the container is for, so its failure is the container's. */
  readonly task: boolean;
}

/** The outcome of loading; `spec` is absent exactly where one of the diagnostics is an error. */
export interface LoadResult {
  readonly spec?: SystemSpec;
  /** In the order of files and lines. */
  readonly diagnostics: readonly Diagnostic[];
}

/** shutdown_timeout 0 counts as this, so that services get at least a moment. */
const shortestShutdown = 500;

/**
 * Loads a configuration from one file or from the `*.conf` and `*.yaml` files of a directory. A path where nothing is
 * gives a system without services. Does not throw: every mistake of every file becomes a diagnostic.
 */
export function loadConfiguration(path: string, context: LoadContext): LoadResult {
  const report = createReport();
  const files = findFiles(path, context.reader, report);
  const sections: (readonly Section[])[] = [];
  let complete = true;
  for (const file of files) {
    const text = attempt(file, 'file', () => context.reader.read(file), report);
    const roots = text === undefined ? undefined : parseYaml(createSource(file, text), report);
    if (roots === undefined) complete = false;
    else sections.push(readSections(roots, report));
  }
  const spec = buildSystem(sections, { ...context, path, complete, fileCount: files.length, report });
  const diagnostics = report.finish(files);
  return report.errorCount > 0 ? { diagnostics } : { spec, diagnostics };
}

/** The files to read, in byte order of their names. */
function findFiles(path: string, reader: ConfigReader, report: Report): readonly string[] {
  const kind = attempt(path, 'configuration', () => reader.stat(path), report);
  if (kind === 'file') return [path];
  if (kind === 'other') reportIrregular(path, report);
  if (kind !== 'directory') return [];
  const names = attempt(path, 'directory', () => reader.list(path), report) ?? [];
  const folder = path.endsWith('/') ? path : `${path}/`;
  return (
    names
      // As a shell's *.conf: no hidden files, which editors leave behind.
      .filter((name) => /^[^.].*\.(?:conf|yaml)$/s.test(name))
      .sort(compareBytes)
      .map((name) => `${folder}${name}`)
      .filter((file) => {
        const fileKind = attempt(file, 'file', () => reader.stat(file), report);
        if (fileKind === 'other') reportIrregular(file, report);
        return fileKind !== 'directory' && fileKind !== 'other';
      })
  );
}

/** To open a FIFO or a device might wait, or never end. */
function reportIrregular(path: string, report: Report): void {
  report.error(`cannot read the configuration ${quote(path)}: it is not a regular file`, undefined);
}

/** UTF-8 keeps the order of code points; JavaScript's own order of UTF-16 units differs beyond U+FFFF. */
function compareBytes(a: string, b: string): number {
  const left = [...a];
  const right = [...b];
  for (let index = 0; index < Math.min(left.length, right.length); index += 1) {
    const difference = (left[index]?.codePointAt(0) ?? 0) - (right[index]?.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

const systemErrors: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  ENOENT: 'it does not exist',
  EISDIR: 'it is a directory',
  ENOTDIR: 'it is no directory',
  ELOOP: 'too many symbolic links',
  EIO: 'input/output error',
  EFBIG: 'it is larger than 16 MiB',
};

/** Runs a request to the reader; an error with a `code` is reported, any other is a fault of the program. */
function attempt<Result>(path: string, what: string, request: () => Result, report: Report): Result | undefined {
  try {
    return request();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (typeof code !== 'string') throw error;
    const reason = systemErrors[code];
    report.error(
      `cannot read the ${what} ${quote(path)}: ${reason === undefined ? code : `${reason} (${code})`}`,
      undefined,
    );
    return undefined;
  }
}

interface BuildContext extends LoadContext {
  readonly path: string;
  /** Every file could be read. */
  readonly complete: boolean;
  readonly fileCount: number;
  readonly report: Report;
}

/** What the settings give to every service. */
interface Defaults {
  /** Outermost first, without the internal variables. */
  readonly levels: readonly EnvironmentLevel[];
  readonly internal: ReadonlyMap<string, string>;
  /** The settings' own view. */
  readonly environment: Environment;
  readonly account: ResolvedAccount;
  readonly ignoreFailures: boolean;
  readonly startupPause: number;
  readonly processTimeout: number | undefined;
}

function buildSystem(files: readonly (readonly Section[])[], context: BuildContext): SystemSpec {
  const merged = mergeSections(files);
  const settings = merged.settings ?? emptySettings;
  const defaults = readDefaults(settings, context);
  const sections = [...merged.services.values()];
  const wishes: OrderWishes[] = sections.map((section) => ({
    name: section.name,
    groups: groupsOf(section),
    after: namesOf(section, 'after'),
    before: namesOf(section, 'before'),
  }));
  if (context.console !== undefined) wishes.push(consoleWishes);
  const prerequisites = resolvePrerequisites(wishes, context.complete, context.report);
  const services = sections.flatMap(
    (section, index) => buildService(section, prerequisites[index] ?? [], defaults, context) ?? [],
  );
  if (context.console !== undefined) {
    services.push(buildConsole(context.console, prerequisites[sections.length] ?? [], defaults, context));
  }
  const logging = [...merged.logging.values()].map((section) => buildLogging(section, defaults, context));
  return {
    services,
    logging: logging.length > 0 ? logging : [defaultLogging],
    idleDelay: milliseconds(settings, 'idle_delay'),
    shutdownTimeout: milliseconds(settings, 'shutdown_timeout') || shortestShutdown,
    detectExit: boolean(settings, 'detect_exit'),
    fileCount: context.fileCount,
  };
}

/** Stands in where no file has settings; its place is never reported, because nothing in it can be wrong. */
const emptySettings: Section = {
  kind: 'settings',
  name: 'settings',
  place: { source: createSource('', ''), start: 0, end: 0 },
  values: new Map(),
  given: new Set(),
};

const consoleWishes: OrderWishes = {
  name: consoleService,
  groups: [{ name: 'IDLE', place: emptySettings.place }],
  after: [],
  before: [],
};

function buildConsole(
  { argv, exitKills, task }: ConsoleRequest,
  prerequisites: readonly string[],
  defaults: Defaults,
  { interactive, report }: BuildContext,
): ServiceSpec {
  const internal: EnvironmentLevel = { values: new Map([...defaults.internal, ['_CHAP_SERVICE', consoleService]]) };
  const environment = createEnvironment([...defaults.levels, internal]);
  const expansion = { owner: consoleService, enabled: true, report };
  // Word by word: what a variable holds stays one word.
  const words = argv.map((word) => expandWord(environment, word, expansion));
  const account = defaults.account.kind === 'found' ? defaults.account.account : undefined;
  return {
    name: consoleService,
    type: 'simple',
    command: oneLine(words.join(' ')),
    argv: words,
    enabled: true,
    prerequisites,
    groups: ['IDLE'],
    environment: finalEnvironment(environment, expansion),
    ...(account === undefined ? {} : { account }),
    stdin: interactive ? 'terminal' : 'inherit',
    stdout: 'inherit',
    stderr: 'inherit',
    // An interactive shell ignores SIGTERM.
    killSignal: interactive ? 'SIGHUP' : 'SIGTERM',
    ownGroup: true,
    exitKills,
    ignoreFailures: !task,
    optional: false,
    processTimeout: defaults.processTimeout ?? startTimeouts.simple * 1000,
    startupPause: defaults.startupPause,
    restart: false,
    restartDelay: 0,
    restartLimit: 0,
  };
}

/** Without any logging section `docker logs` would stay empty. */
const defaultLogging: LoggingSpec = {
  name: 'default.logging',
  selector: '*.info',
  enabled: true,
  stdout: true,
  stderr: false,
};

function readDefaults(settings: Section, context: BuildContext): Defaults {
  const internal = new Map([
    ['_CHAP_CONFIG_DIR', containingDirectory(context.path)],
    ['_CHAP_INTERACTIVE', context.interactive ? '1' : '0'],
  ]);
  const inherited = inheritedLevel(context.environment);
  warnAboutBackticks(inherited, context.report);
  const written = levelsOf(settings);
  const preliminary = createEnvironment([inherited, ...written, { values: internal }]);
  const account = resolveAccount(settings, preliminary, { kind: 'none' }, { enabled: true, optional: false }, context);
  const levels = [inherited, ...levelsOfAccount(account), ...written];
  return {
    levels,
    internal,
    environment: createEnvironment([...levels, { values: internal }]),
    account,
    ignoreFailures: boolean(settings, 'ignore_failures'),
    startupPause: milliseconds(settings, 'startup_pause'),
    processTimeout: settings.values.has('process_timeout') ? milliseconds(settings, 'process_timeout') : undefined,
  };
}

function warnAboutBackticks(inherited: EnvironmentLevel, report: Report): void {
  for (const [name, value] of inherited.values) {
    if (!/`[^`]+`/.test(value)) continue;
    report.warning(
      `the backticks in the inherited variable ${quote(name)} are not supported yet and stay text`,
      undefined,
    );
  }
}

/** Where PATH stands, whether it is a file or a directory. */
function containingDirectory(path: string): string {
  const trimmed = path.replace(/\/+$/, '');
  const slash = trimmed.lastIndexOf('/');
  if (slash < 0) return trimmed === '' ? '/' : '.';
  return trimmed.slice(0, slash).replace(/\/+$/, '') || '/';
}

function buildService(
  section: Section,
  prerequisites: readonly string[],
  defaults: Defaults,
  context: BuildContext,
): ServiceSpec | undefined {
  const { report } = context;
  const { name } = section;
  const internal: EnvironmentLevel = { values: new Map([...defaults.internal, ['_CHAP_SERVICE', name]]) };
  const written = levelsOf(section);
  const preliminary = createEnvironment([...defaults.levels, ...written, internal]);

  const switchedOn = expandedBoolean(section, 'enabled', preliminary, context);
  const optional = boolean(section, 'optional');
  const resolved = resolveAccount(section, preliminary, defaults.account, { enabled: switchedOn, optional }, context);
  const enabled = switchedOn && resolved.kind !== 'missing';
  const expansion = { owner: name, enabled, report };
  const environment = resolved.own
    ? createEnvironment([...defaults.levels, ...levelsOfAccount(resolved), ...written, internal])
    : preliminary;

  // Everything is read before anything is given up, so that every mistake is reported.
  const final = finalEnvironment(environment, expansion);
  const account = resolved.kind === 'found' ? resolved.account : undefined;
  const home = account === undefined ? final['HOME'] : (account.home ?? '/');
  const command = scalarOf(section, 'command');
  if (!section.given.has('command')) {
    report.error(`${name} has no command`, section.place, { hint: 'expected "command: PROGRAM ARGUMENTS" in it' });
  }
  const expanded =
    command === undefined ? undefined : readCommand(section, command, environment, enabled, home, context);
  const stdout = outputTarget(section, 'stdout', environment, enabled, report);
  const stderr = outputTarget(section, 'stderr', environment, enabled, report);
  const directory = expandedText(section, 'directory', environment, enabled, report);
  const type = serviceType(section);
  if (expanded === undefined) return undefined;

  return {
    name,
    type,
    command: oneLine(expanded.text),
    argv: expanded.argv,
    enabled,
    prerequisites,
    groups: [...new Set(groupsOf(section).map((group) => group.name))],
    ...(directory === undefined ? {} : { directory }),
    environment: final,
    ...(account === undefined ? {} : { account }),
    ...(resolved.kind === 'missing' ? { missingAccount: resolved.name } : {}),
    stdin: 'null',
    stdout,
    stderr,
    killSignal: signal(section, 'kill_signal'),
    ownGroup: boolean(section, 'setpgrp'),
    exitKills: boolean(section, 'exit_kills'),
    ignoreFailures: section.values.has('ignore_failures')
      ? boolean(section, 'ignore_failures')
      : defaults.ignoreFailures,
    optional,
    processTimeout: section.values.has('process_timeout')
      ? milliseconds(section, 'process_timeout')
      : (defaults.processTimeout ?? startTimeouts[type] * 1000),
    startupPause: section.values.has('startup_pause') ? milliseconds(section, 'startup_pause') : defaults.startupPause,
    restart: boolean(section, 'restart'),
    restartDelay: milliseconds(section, 'restart_delay'),
    restartLimit: integer(section, 'restart_limit'),
  };
}

function readCommand(
  section: Section,
  scalar: YamlScalar,
  environment: Environment,
  enabled: boolean,
  home: string | undefined,
  { accounts, report }: BuildContext,
): { readonly text: string; readonly argv: readonly string[] } | undefined {
  const asWritten = { text: scalar.text, argv: [scalar.text] };
  const text = expandDirective(environment, 'command', scalar, { owner: section.name, enabled, report });
  if (text === undefined) return enabled ? undefined : asWritten;
  const split = splitWords(text);
  if (split.kind === 'unclosed') {
    const place = isPlain(scalar.text) ? placeWithin(scalar, split.index, 1) : scalar.place;
    report.error(`a quote in the command of ${section.name} is never closed`, place, {
      hint: `expected a closing ${split.quote}`,
    });
    return undefined;
  }
  const [first, ...rest] = split.words;
  if (first === undefined || first.text === '') {
    // A command often expands to nothing just where the service is switched off.
    if (!enabled && !isPlain(scalar.text)) return asWritten;
    report.error(`the command of ${section.name} is empty`, scalar.place, { hint: 'expected a program' });
    return undefined;
  }
  const program = first.tilde ? expandTilde(first.text, home, accounts) : first.text;
  return { text, argv: [program, ...rest.map((word) => word.text)] };
}

/** `~/x` and `~user/x`; what cannot be looked up stays as it is, as in a shell. */
function expandTilde(word: string, home: string | undefined, accounts: AccountDatabase): string {
  const [, user = '', tail = ''] = /^~([^/]*)(.*)$/s.exec(word) ?? [];
  const directory = user === '' ? home : accounts.findUser(user)?.home;
  if (directory === undefined || directory === '') return word;
  return directory.endsWith('/') && tail.startsWith('/') ? directory + tail.slice(1) : directory + tail;
}

/** The account of a section. `own`: not simply the one of the settings. */
type ResolvedAccount =
  | { readonly kind: 'none'; readonly own?: boolean }
  | { readonly kind: 'missing'; readonly name: string; readonly own?: boolean }
  | { readonly kind: 'found'; readonly account: Account; readonly user: string; readonly own?: boolean };

function resolveAccount(
  section: Section,
  environment: Environment,
  inherited: ResolvedAccount,
  { enabled, optional }: { readonly enabled: boolean; readonly optional: boolean },
  context: BuildContext,
): ResolvedAccount {
  const { accounts, report } = context;
  const required = enabled && !optional;
  const texts = new Map<string, string>();
  for (const key of ['uid', 'gid']) {
    const scalar = scalarOf(section, key);
    if (scalar === undefined) continue;
    const text = expandDirective(environment, key, scalar, { owner: section.name, enabled, report });
    // Counting it as not given would let the service run as chaperone itself.
    if (text === undefined) return { kind: 'missing', name: scalar.text, own: true };
    if (text.trim() !== '') texts.set(key, text.trim());
  }
  const user = texts.get('uid');
  const group = texts.get('gid');
  if (user === undefined && group === undefined) return { ...inherited, own: false };
  const place = (key: 'uid' | 'gid') => scalarOf(section, key)?.place ?? section.place;
  if (user === undefined && inherited.kind === 'missing') return { ...inherited, own: false };
  const userText = user ?? (inherited.kind === 'found' ? inherited.user : undefined);
  if (userText === undefined) {
    report.error(`gid of ${section.name} is given without any uid`, place('gid'), {
      hint: 'expected a uid here or in settings',
    });
    return { kind: 'none' };
  }
  const found = accounts.account(userText, group);
  switch (found.kind) {
    case 'found':
      return { kind: 'found', account: found.account, user: userText, own: true };
    case 'unknownUser':
      if (required) {
        report.error(`uid of ${section.name} is no user of this system: ${quote(found.user)}`, place('uid'), {
          hint: 'expected a user name or a number',
        });
      }
      return { kind: 'missing', name: found.user, own: true };
    case 'unknownGroup':
      if (required) {
        report.error(`gid of ${section.name} is no group of this system: ${quote(found.group)}`, place('gid'), {
          hint: 'expected a group name or a number',
        });
      }
      return { kind: 'missing', name: found.group, own: true };
    default:
      throw new Error('internal error: unknown outcome of an account look-up');
  }
}

function levelsOfAccount(resolved: ResolvedAccount): readonly EnvironmentLevel[] {
  return resolved.kind === 'found' ? [accountLevel(resolved.account)] : [];
}

function levelsOf(section: Section): readonly EnvironmentLevel[] {
  const value = section.values.get('env_set');
  return value?.kind === 'textMap' ? [writtenLevel(section.name, value.entries)] : [];
}

const selectorPattern = /^\*\.(?:\*|debug|info|notice|warn|warning|err|error|crit|alert|emerg|panic)$/i;

function buildLogging(section: Section, defaults: Defaults, context: BuildContext): LoggingSpec {
  const { report } = context;
  const enabled = expandedBoolean(section, 'enabled', defaults.environment, context);
  const scalar = scalarOf(section, 'selector');
  const text = expandedText(section, 'selector', defaults.environment, enabled, report)?.trim();
  const selector = text ?? String(directiveOf(section, 'selector').default);
  if (scalar !== undefined && enabled && !selectorPattern.test(selector)) {
    report.error(
      `selector of ${section.name} is ${quote(selector)}, and only *.PRIORITY is supported so far`,
      scalar.place,
      { hint: selectorHint(selector) },
    );
  }
  return {
    name: section.name,
    selector: selector.toLowerCase(),
    enabled,
    stdout: boolean(section, 'stdout'),
    stderr: boolean(section, 'stderr'),
  };
}

const priorities = ['*', 'debug', 'info', 'notice', 'warn', 'err', 'crit', 'alert', 'emerg'];

function selectorHint(selector: string): string {
  const priority = /^\*\.(\w+)$/.exec(selector)?.[1];
  const near =
    priority === undefined
      ? undefined
      : didYouMean(
          `*.${priority}`,
          priorities.map((name) => `*.${name}`),
        );
  return near ?? 'expected *.PRIORITY, such as *.info';
}

// Readers of single directives: the value that is given, else the default of the table.

function directiveOf(section: Section, key: string) {
  const directive = directives[section.kind].get(key);
  if (directive === undefined) throw new Error(`internal error: ${section.kind} has no directive ${key}`);
  return directive;
}

function noDefault(section: Section, key: string): never {
  throw new Error(`internal error: ${key} of ${section.kind} has no fitting default`);
}

function boolean(section: Section, key: string): boolean {
  const value = section.values.get(key);
  if (value?.kind === 'boolean') return value.value;
  const { default: fallback } = directiveOf(section, key);
  return typeof fallback === 'boolean' ? fallback : noDefault(section, key);
}

function milliseconds(section: Section, key: string): number {
  const value = section.values.get(key);
  if (value?.kind === 'milliseconds') return value.value;
  const { default: fallback } = directiveOf(section, key);
  return typeof fallback === 'number' ? fallback * 1000 : noDefault(section, key);
}

function integer(section: Section, key: string): number {
  const value = section.values.get(key);
  if (value?.kind === 'integer') return value.value;
  const { default: fallback } = directiveOf(section, key);
  return typeof fallback === 'number' ? fallback : noDefault(section, key);
}

function signal(section: Section, key: string): SignalName {
  const value = section.values.get(key);
  if (value?.kind === 'signal') return value.value;
  const { default: fallback } = directiveOf(section, key);
  return (typeof fallback === 'string' ? parseSignal(fallback) : undefined) ?? noDefault(section, key);
}

function serviceType(section: Section): ServiceType {
  const value = section.values.get('type');
  return value?.kind === 'choice' && value.value === 'oneshot' ? 'oneshot' : 'simple';
}

function namesOf(section: Section, key: string): readonly NameReference[] {
  const value = section.values.get(key);
  return value?.kind === 'names' ? value.names : [];
}

/** An empty list of groups is as good as none: every service is in one. */
function groupsOf(section: Section): readonly NameReference[] {
  const names = namesOf(section, 'service_groups');
  if (names.length > 0) return names;
  const { default: fallback } = directiveOf(section, 'service_groups');
  return Array.isArray(fallback) ? fallback.map((name) => ({ name, place: section.place })) : [];
}

function scalarOf(section: Section, key: string): YamlScalar | undefined {
  const value: Value | undefined = section.values.get(key);
  return value?.kind === 'unexpanded' ? value.scalar : undefined;
}

/** The expanded text of a directive; undefined where it is not given or expands to nothing. */
function expandedText(
  section: Section,
  key: string,
  environment: Environment,
  enabled: boolean,
  report: Report,
): string | undefined {
  const scalar = scalarOf(section, key);
  if (scalar === undefined) return undefined;
  const text = expandDirective(environment, key, scalar, { owner: section.name, enabled, report });
  return text === undefined || text.trim() === '' ? undefined : text;
}

function expandedBoolean(section: Section, key: string, environment: Environment, { report }: BuildContext): boolean {
  const directive = directiveOf(section, key);
  const scalar = scalarOf(section, key);
  const text =
    scalar === undefined
      ? undefined
      : expandDirective(environment, key, scalar, { owner: section.name, enabled: true, report });
  if (scalar !== undefined && text !== undefined) {
    const value = readScalar(directive, scalar, text, { label: `${key} of ${section.name}`, report });
    if (value?.kind === 'boolean') return value.value;
  }
  return typeof directive.default === 'boolean' ? directive.default : noDefault(section, key);
}

function outputTarget(
  section: Section,
  key: 'stdout' | 'stderr',
  environment: Environment,
  enabled: boolean,
  report: Report,
): OutputTarget {
  const scalar = scalarOf(section, key);
  const text = expandedText(section, key, environment, enabled, report);
  if (scalar === undefined || text === undefined) return 'log';
  const value = readScalar(directiveOf(section, key), scalar, text, { label: `${key} of ${section.name}`, report });
  return value?.kind === 'choice' && value.value === 'inherit' ? 'inherit' : 'log';
}
