import type { Account } from '../model/service-spec.ts';
import { createExpander, type Expander, ExpansionError, isPlain, type Level } from './expand.ts';
import { placeWithin, type YamlScalar } from './parse-yaml.ts';
import type { Report } from './report.ts';
import { quote } from './wording.ts';

/** One level of variables, with the places where they are written. */
export interface EnvironmentLevel extends Level {
  /** `settings`, `web.service`; absent where nobody wrote the values into a file. */
  readonly owner?: string;
  readonly scalars?: ReadonlyMap<string, YamlScalar>;
}

/** The variables that one service (or the settings) can see. */
export interface Environment {
  readonly levels: readonly EnvironmentLevel[];
  readonly expander: Expander;
}

/** What systemd tells the process it starts (sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3)): meant for chaperone alone. */
const hostVariables = [
  'NOTIFY_SOCKET',
  'LISTEN_FDS',
  'LISTEN_FDNAMES',
  'LISTEN_PID',
  'LISTEN_PIDFDID',
  'WATCHDOG_USEC',
  'WATCHDOG_PID',
];

/** Levels from the outermost to the innermost. */
export function createEnvironment(levels: readonly EnvironmentLevel[]): Environment {
  return { levels, expander: createExpander(levels) };
}

/** The environment that chaperone was started with, without what its own host meant for it. */
export function inheritedLevel(environment: Readonly<Record<string, string | undefined>>): EnvironmentLevel {
  const values = new Map<string, string>();
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined && !hostVariables.includes(name)) values.set(name, value);
  }
  return { values, literalBackticks: true };
}

/** The level that an account brings: HOME, USER and LOGNAME. Without an entry they are what `docker run --user` sets. */
export function accountLevel(account: Account): EnvironmentLevel {
  const name = account.name ?? '';
  return {
    values: new Map([
      ['HOME', account.home ?? '/'],
      ['USER', name],
      ['LOGNAME', name],
    ]),
  };
}

/** The level of an `env_set` map. */
export function writtenLevel(owner: string, scalars: ReadonlyMap<string, YamlScalar>): EnvironmentLevel {
  return { owner, scalars, values: new Map([...scalars].map(([name, scalar]) => [name, scalar.text])) };
}

/** Expands a word of the command line; one that cannot be expanded is reported and stays as it is. */
export function expandWord(environment: Environment, word: string, { owner, report }: ExpansionContext): string {
  if (isPlain(word)) return word;
  try {
    return environment.expander.expand(word);
  } catch (error) {
    if (!(error instanceof ExpansionError)) throw error;
    // A shell's script as an argument (`sh -c …`) is full of them, and they are the shell's.
    if (error.code === 'EXPANSION_BACKTICK') return word;
    report.error(`cannot expand ${quote(word)} in the command of ${owner}: ${error.message}`, undefined);
    return word;
  }
}

/** Whom an expansion is for, and how strict it is. */
export interface ExpansionContext {
  /** The section: `web.service`. */
  readonly owner: string;
  /** False: `$(V:?message)` stops nothing, since the service does not start. */
  readonly enabled: boolean;
  readonly report: Report;
}

/** Expands a directive's text; undefined where that fails, which is then reported. */
export function expandDirective(
  environment: Environment,
  key: string,
  scalar: YamlScalar,
  context: ExpansionContext,
): string | undefined {
  if (isPlain(scalar.text)) return scalar.text;
  try {
    return environment.expander.expand(scalar.text);
  } catch (error) {
    if (!(error instanceof ExpansionError)) throw error;
    if (error.origin === undefined) reportExpansion(error, `${key} of ${context.owner}`, scalar, context);
    else reportVariable(environment, error.origin, error, context);
    return undefined;
  }
}

/**
 * The environment that a program gets: every variable expanded, without empty values and without names that begin with
 * an underscore. What cannot be expanded is reported and left out.
 */
export function finalEnvironment(
  environment: Environment,
  context: ExpansionContext,
): Readonly<Record<string, string>> {
  const names = new Set<string>();
  for (const level of environment.levels) for (const name of level.values.keys()) names.add(name);
  const final: [string, string][] = [];
  for (const name of names) {
    if (name.startsWith('_')) continue;
    const value = variable(environment, name, context);
    if (value !== '') final.push([name, value]);
  }
  return Object.fromEntries(final);
}

function variable(environment: Environment, name: string, context: ExpansionContext): string {
  try {
    return environment.expander.variable(name) ?? '';
  } catch (error) {
    if (!(error instanceof ExpansionError) || error.origin === undefined) throw error;
    reportVariable(environment, error.origin, error, context);
    return '';
  }
}

function reportVariable(
  environment: Environment,
  origin: { readonly name: string; readonly level: number },
  error: ExpansionError,
  context: ExpansionContext,
): void {
  const level = environment.levels[origin.level];
  const scalar = level?.scalars?.get(origin.name);
  if (scalar === undefined) {
    const label = `the inherited variable ${origin.name}, for ${context.owner},`;
    reportExpansion(error, label, undefined, context, `inherited\0${origin.name}`);
    return;
  }
  const own = level?.owner === context.owner;
  const owner = own ? context.owner : `${level?.owner}, for ${context.owner},`;
  // A fault in the settings is one mistake, however many services it strikes: the first one stands for all.
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
  if (error.code === 'EXPANSION_REQUIRED' && !enabled) return;
  const backtick = error.code === 'EXPANSION_BACKTICK' ? (scalar?.text.indexOf('`') ?? -1) : -1;
  const place = scalar === undefined || backtick < 0 ? scalar?.place : placeWithin(scalar, backtick, 1);
  report.error(`${label} cannot be expanded: ${error.message}`, place, { hint: hintFor(error), once });
}

function hintFor(error: ExpansionError): string | undefined {
  switch (error.code) {
    case 'EXPANSION_REQUIRED':
      return 'expected the variable to be set';
    case 'EXPANSION_BACKTICK':
      return 'expected text without backticks';
    case 'EXPANSION_BAD_SYNTAX':
    case 'EXPANSION_BAD_REGEX':
      return 'expected $(NAME:/REGEX/REPLACEMENT/), a slash inside written as \\/';
    case 'EXPANSION_TOO_LARGE':
      return 'expected variables that do not multiply each other';
    default:
      throw new Error('internal error: unknown code of an expansion error');
  }
}
