import type { Account } from '../model/service/account.ts';
import { isHookStage } from '../model/service/hook.ts';
import {
  type AccountLevel,
  commandKey,
  isOwnVariable,
  type LateEnvironment,
  lateVariables,
  notifyVariables,
} from '../model/service/late-environment.ts';
import { instanceOf } from '../model/service/template.ts';
import type { DiagnosticCode } from '../model/words/diagnostic-code.ts';
import {
  createExpander,
  type DataKind,
  type Expander,
  ExpansionError,
  type ExpansionErrorCode,
  isPlain,
} from '../model/words/expand.ts';
import { secretValues } from '../model/words/secrets.ts';
import { placeWithin, type YamlScalar } from './parse-yaml.ts';
import type { Report } from './report.ts';
import type { Section } from './validate.ts';
import { quote } from './wording.ts';

/** A command in backticks whose output the configuration needs. */
export interface CommandRequest {
  readonly command: string;
  /** Secrets that may have been expanded into the command, and that messages about it must not show. */
  readonly secrets: readonly string[];
  /** Absent: chaperone's own account. */
  readonly account?: Account;
}

/** The outputs of commands in backticks that are known so far, and the commands that still have to run. */
export interface Commands {
  /** Outputs by `commandKey`. */
  readonly outputs: ReadonlyMap<string, string>;
  readonly needed: Map<string, CommandRequest>;
  /** True: a required variable that is not set is no mistake. */
  readonly assumesRequired: boolean;
}

/** One level of variables, with the places where they are written. */
export interface EnvironmentLevel extends AccountLevel {
  /** `settings`, `web.service`; absent for values that are in no file. */
  readonly owner?: string;
  readonly scalars?: ReadonlyMap<string, YamlScalar>;
  /** The values are stand-ins for secrets, which no directive may show. */
  readonly secret?: true;
}

/** The variables that one service (or the settings) can see. */
export interface Environment {
  readonly levels: readonly EnvironmentLevel[];
  /** For text that is expanded when the configuration is loaded. */
  readonly expander: Expander;
  readonly commands: Commands;
}

/**
 * Variables by which systemd talks to the process it starts (sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3)): services
 * must not see them.
 */
const hostVariables = [
  'NOTIFY_SOCKET',
  'LISTEN_FDS',
  'LISTEN_FDNAMES',
  'LISTEN_PID',
  'LISTEN_PIDFDID',
  'WATCHDOG_USEC',
  'WATCHDOG_PID',
];

/** The sections of `Level.section`: a service's own is the innermost. */
const sectionNumbers = { settings: 1, compat: 1, inspect: 1, metrics: 1, service: 2, logging: 2 } as const;

/**
 * @param levels from the outermost to the innermost
 * @param account the account that runs commands in backticks of directives
 */
export function createEnvironment(
  levels: readonly EnvironmentLevel[],
  commands: Commands,
  account: Account | undefined,
): Environment {
  return {
    levels,
    commands,
    expander: createExpander(levels, {
      commandOutput: outputsOf(levels, commands, account),
      assumesRequired: commands.assumesRequired,
      late: secretNames(levels),
    }),
  };
}

/** The variables whose values are secrets that are read at each start. */
function secretNames(levels: readonly EnvironmentLevel[]): ReadonlySet<string> {
  return new Set(levels.flatMap(({ secret, values }) => (secret === true ? [...values.keys()] : [])));
}

function outputsOf(levels: readonly EnvironmentLevel[], commands: Commands, own: Account | undefined) {
  return (command: string, level: number | undefined): string | undefined => {
    const account = level === undefined ? own : levels[level]?.account;
    const key = commandKey(command, account);
    const output = commands.outputs.get(key);
    if (output === undefined) {
      const secrets = secretValues(levels.flatMap(({ values }) => [...values]));
      commands.needed.set(key, { command, secrets, ...(account === undefined ? {} : { account }) });
    }
    return output;
  };
}

/**
 * The environment that chaperone was started with, without the variables that its host set for chaperone alone, and
 * with the internal ones that do not depend on a service.
 *
 * @param data how the values are expanded, since they come from outside
 */
export function inheritedLevel(
  environment: Readonly<Record<string, string | undefined>>,
  internal: ReadonlyMap<string, string>,
  data: DataKind,
): EnvironmentLevel {
  const values = new Map<string, string>();
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined && !hostVariables.includes(name)) values.set(name, value);
  }
  for (const [name, value] of internal) values.set(name, value);
  return { values, data };
}

/**
 * The inherited variables whose values look like something to expand; the values are passed on as they are. A shell passes
 * functions on in variables, too, whose names are none that anybody can refer to.
 */
export function unexpandedNames({ levels: [inherited], expander }: Environment): readonly string[] {
  const seen = new Set(expander.names());
  return [...(inherited?.values ?? [])].flatMap(([name, value]) =>
    seen.has(name) && /^[A-Za-z]\w*$/.test(name) && !isPlain(value) ? [name] : [],
  );
}

/**
 * The levels of one section: its filter of inherited variables, those of its account, those that it sets, and those that it
 * drops.
 *
 * @param account the account in force
 * @param own the section itself names that account, so that HOME, USER and LOGNAME are set by it
 */
export function sectionLevels(
  section: Section,
  account: Account | undefined,
  own: boolean,
): readonly EnvironmentLevel[] {
  const inherits = globsOf(section, 'env_inherit');
  const drops = globsOf(section, 'env_unset');
  const set = section.values.get('env_set');
  const scalars = set?.kind === 'textMap' ? set.entries : new Map<string, YamlScalar>();
  // The level of the settings has the variables of their account already, but the section's filter may have dropped them.
  const brought = account === undefined || (!own && inherits === undefined) ? [] : [...accountVariables(account)];
  const number = sectionNumbers[section.kind];
  const common = { section: number, ...(account === undefined ? {} : { account }) };
  return [
    { ...common, values: new Map(brought), data: 'literal', ...(inherits === undefined ? {} : { inherits }) },
    {
      ...common,
      owner: section.name,
      scalars,
      values: new Map([...scalars].map(([name, scalar]) => [name, scalar.text])),
      ...(drops === undefined ? {} : { drops }),
    },
  ];
}

/** An empty list counts as not given. */
function globsOf(section: Section, key: 'env_inherit' | 'env_unset'): readonly string[] | undefined {
  const value = section.values.get(key);
  return value?.kind === 'globs' && value.globs.length > 0 ? value.globs : undefined;
}

/** HOME, USER and LOGNAME. For a uid without an entry they are what `docker run --user` sets. */
function accountVariables(account: Account): ReadonlyMap<string, string> {
  const name = account.name ?? '';
  return new Map([
    ['HOME', account.home ?? '/'],
    ['USER', name],
    ['LOGNAME', name],
  ]);
}

/** The innermost level of a service, whose variables no filter can drop. */
export function serviceLevel(name: string): EnvironmentLevel {
  const instance = instanceOf(name);
  const values = new Map([['_CHAP_SERVICE', name]]);
  if (instance !== undefined) values.set('_CHAP_SERVICE_INSTANCE', instance);
  return { values, data: 'literal' };
}

/** Expands a word of the command line; one that cannot be expanded is reported and stays as it is. */
export function expandWord(environment: Environment, word: string, { owner, report }: ExpansionContext): string {
  if (isPlain(word)) return word;
  try {
    // Backticks in an argument usually belong to a shell's script (`sh -c …`), so they are left alone.
    return environment.expander.expand(word, { literalBackticks: true });
  } catch (error) {
    if (!(error instanceof ExpansionError)) throw error;
    if (error.code !== 'EXPANSION_PENDING') {
      report.error(
        expansionMistakes[error.code].code,
        `cannot expand ${quote(word)} in the command of ${owner}: ${error.message}`,
        undefined,
      );
    }
    return word;
  }
}

/** The section that an expansion is for, and how strict the expansion is. */
export interface ExpansionContext {
  /** The section: `web.service`. */
  readonly owner: string;
  /** False: a failed `$(V:?message)` is no mistake, since the service does not start. */
  readonly enabled: boolean;
  readonly report: Report;
}

/** Expands a directive's text; undefined if that fails, which is reported, or has to wait for a command. */
export function expandDirective(
  environment: Environment,
  key: string,
  scalar: YamlScalar,
  context: ExpansionContext,
): string | undefined {
  if (isPlain(scalar.text)) return scalar.text;
  try {
    const text = environment.expander.expand(scalar.text);
    if (!environment.expander.wasLate) return text;
    reportExposed(key, scalar, context);
    return undefined;
  } catch (error) {
    if (!(error instanceof ExpansionError)) throw error;
    if (error.origin === undefined) reportExpansion(error, `${key} of ${context.owner}`, scalar, context);
    else reportVariable(environment.levels, error.origin, error, context);
    return undefined;
  }
}

/** Reports a hook whose words would show a secret; what else is wrong with its variables shows when it runs. */
export function checkHookText(
  { expander }: Environment,
  key: string,
  scalar: YamlScalar,
  context: ExpansionContext,
): void {
  if (isPlain(scalar.text)) return;
  try {
    expander.expand(scalar.text, { literalBackticks: true });
    if (expander.wasLate) reportExposed(key, scalar, context);
  } catch (error) {
    if (!(error instanceof ExpansionError)) throw error;
  }
}

/** The command lines of all processes are public, and what else directives say stands in logs. */
function reportExposed(key: string, { place }: YamlScalar, { owner, report }: ExpansionContext): void {
  report.error('secret-exposed', `${key} of ${owner} would show a secret`, place, {
    hint:
      key === 'command' || isHookStage(key)
        ? 'programs have it in their environment, and a shell has it as $NAME: everybody can read command lines'
        : 'expected no variable of "secrets", nor one that is made of it',
  });
}

const accountNames: ReadonlySet<string> = new Set(['USER', 'LOGNAME']);

/** The environment that a program gets. */
export interface FinalEnvironment {
  readonly environment: Readonly<Record<string, string>>;
  readonly late?: LateEnvironment;
}

/**
 * The environment that a program gets: every variable expanded, also empty ones, and without chaperone's own. Variables that cannot be expanded are reported and left out; those that depend on the single run are
 * left for later, after a trial with stand-ins.
 *
 * @param notifies true if the starts of the service have a notify socket
 */
export function finalEnvironment(
  { levels, commands }: Environment,
  context: ExpansionContext,
  notifies = false,
): FinalEnvironment {
  const standIns = { ...lateVariables, ...(notifies ? notifyVariables : {}) };
  const late = new Set([...Object.keys(standIns), ...secretNames(levels)]);
  const withStandIns = [...levels, { values: new Map(Object.entries(standIns)), data: 'literal' as const }];
  const expander = createExpander(withStandIns, {
    late,
    commandOutput: outputsOf(withStandIns, commands, undefined),
    assumesRequired: commands.assumesRequired,
  });
  const final: [string, string][] = [];
  const lateNames: string[] = [];
  for (const name of expander.names()) {
    if (isOwnVariable(name)) continue;
    try {
      const value = expander.variable(name) ?? '';
      if (expander.wasLate) lateNames.push(name);
      // An account without a name has none of these.
      else if (value !== '' || !accountNames.has(name)) final.push([name, value]);
    } catch (error) {
      if (!(error instanceof ExpansionError) || error.origin === undefined) throw error;
      reportVariable(withStandIns, error.origin, error, context);
    }
  }
  const environment = Object.fromEntries(final);
  if (lateNames.length === 0) return { environment };
  return { environment, late: { levels: levels.map(withoutPlaces), names: lateNames, outputs: commands.outputs } };
}

/** The part of a level that a start needs, so that the text of whole files is not kept in memory. */
function withoutPlaces({ owner: _owner, scalars: _scalars, ...level }: EnvironmentLevel): AccountLevel {
  return level;
}

function reportVariable(
  levels: readonly EnvironmentLevel[],
  origin: { readonly name: string; readonly level: number },
  error: ExpansionError,
  context: ExpansionContext,
): void {
  const level = levels[origin.level];
  const scalar = level?.scalars?.get(origin.name);
  if (scalar === undefined) {
    const label = `the inherited variable ${origin.name}, for ${context.owner},`;
    reportExpansion(error, label, undefined, context, `inherited\0${origin.name}`);
    return;
  }
  const own = level?.owner === context.owner;
  const owner = own ? context.owner : `${level?.owner}, for ${context.owner},`;
  // A fault in the settings is reported once, for the first service, however many services it affects.
  const once = own ? undefined : `${level?.owner}\0${origin.name}`;
  reportExpansion(error, `${origin.name} in env_set of ${owner}`, scalar, context, once);
}

function reportExpansion(
  error: ExpansionError,
  label: string,
  scalar: YamlScalar | undefined,
  { enabled, report }: ExpansionContext,
  once?: string,
): void {
  if (error.code === 'EXPANSION_PENDING' || (error.code === 'EXPANSION_REQUIRED' && !enabled)) return;
  const backtick = error.code === 'EXPANSION_LATE_COMMAND' ? (scalar?.text.indexOf('`') ?? -1) : -1;
  const place = scalar === undefined || backtick < 0 ? scalar?.place : placeWithin(scalar, backtick, 1);
  const { code, hint } = expansionMistakes[error.code];
  report.error(code, `${label} cannot be expanded: ${error.message}`, place, { hint, once });
}

/** The report of a failed expansion, by error code; an expansion that waits for a command's output is not reported. */
const expansionMistakes: Readonly<
  Record<Exclude<ExpansionErrorCode, 'EXPANSION_PENDING'>, { readonly code: DiagnosticCode; readonly hint: string }>
> = {
  EXPANSION_REQUIRED: { code: 'required-variable', hint: 'expected the variable to be set' },
  EXPANSION_LATE_COMMAND: {
    code: 'late-command',
    hint: 'expected a command without _CHAP_SERVICE_SERIAL and _CHAP_SERVICE_TIME in it',
  },
  EXPANSION_BAD_SYNTAX: {
    code: 'bad-expansion',
    hint: 'expected $(NAME:/REGEX/REPLACEMENT/), a slash inside written as \\/',
  },
  EXPANSION_BAD_REGEX: {
    code: 'bad-regex',
    hint: 'expected $(NAME:/REGEX/REPLACEMENT/), a slash inside written as \\/',
  },
  EXPANSION_TOO_LARGE: { code: 'expansion-too-large', hint: 'expected variables that do not multiply each other' },
};
