/** Builds the definitions of services from their sections and from the command of the command line. */

import { parseScheduleFields } from '../model/schedule/schedule-fields.ts';
import { isScheduled } from '../model/schedule/scheduled-runs.ts';
import type { AccountDatabase } from '../model/service/accounts.ts';
import {
  consoleService,
  type OutputTarget,
  type ServiceSpec,
  type ServiceType,
} from '../model/service/service-spec.ts';
import { isPlain } from '../model/words/expand.ts';
import { oneLine } from '../model/words/printable.ts';
import { splitWords } from '../model/words/words.ts';
import { startTimeouts } from './directives.ts';
import {
  type Commands,
  createEnvironment,
  type Environment,
  type EnvironmentLevel,
  type ExpansionContext,
  expandDirective,
  expandWord,
  type FinalEnvironment,
  finalEnvironment,
  sectionLevels,
  serviceLevel,
} from './environment.ts';
import { placeWithin, type YamlScalar } from './parse-yaml.ts';
import { readEnding } from './read-ending.ts';
import type { Report } from './report.ts';
import { accountOf, type ResolvedAccount, resolveAccount } from './resolve-account.ts';
import {
  boolean,
  choice,
  expandedBoolean,
  expandedChoice,
  expandedInteger,
  expandedText,
  groupsOf,
  integer,
  milliseconds,
  scalarOf,
  signal,
} from './section-values.ts';
import { emptySection, type Section } from './validate.ts';
import { reportWithin } from './within.ts';

/** Defaults that the settings and the surroundings give to every service. */
export interface Defaults {
  /** Outermost first. */
  readonly levels: readonly EnvironmentLevel[];
  readonly account: ResolvedAccount;
  /** True if the settings name a group. */
  readonly gidGiven: boolean;
  readonly debug: boolean;
  readonly ignoreFailures: boolean;
  readonly startupPause: number;
  readonly processTimeout: number | undefined;
}

interface BuildContext {
  readonly accounts: AccountDatabase;
  readonly commands: Commands;
  readonly report: Report;
}

/** A command to run once everything else stands (reference, section 2, CONSOLE). */
export interface ConsoleRequest {
  /** Never empty. */
  readonly argv: readonly string[];
  /** True: the system shuts down when the command ends. */
  readonly exitKills: boolean;
  /** `--task`: the command is the purpose of the container, so its failure is the container's. */
  readonly task: boolean;
}

/** Undefined if a mistake leaves nothing to start; all mistakes are reported by then. */
export function buildService(
  section: Section,
  prerequisites: readonly string[],
  defaults: Defaults,
  context: BuildContext,
): ServiceSpec | undefined {
  const { report, commands } = context;
  const { name } = section;
  const inherited = accountOf(defaults.account);
  const preliminary = createEnvironment(
    [...defaults.levels, ...sectionLevels(section, inherited, false), serviceLevel(name)],
    commands,
    inherited,
  );
  const switchedOn = expandedBoolean(section, 'enabled', preliminary, report);
  const optional = boolean(section, 'optional');
  const resolved = resolveAccount(section, preliminary, defaults.account, { enabled: switchedOn, optional }, context);
  const account = accountOf(resolved);
  const enabled = switchedOn && resolved.kind !== 'missing';
  const expansion = { owner: name, enabled, report };
  const environment =
    resolved.own === true
      ? createEnvironment(
          [...defaults.levels, ...sectionLevels(section, account, true), serviceLevel(name)],
          commands,
          account,
        )
      : preliminary;

  // All directives are read before a broken service is given up, so that every mistake is reported.
  const type = serviceType(section);
  const final =
    resolved.own === true || type === 'notify'
      ? finalEnvironment(environment, expansion, type === 'notify')
      : sharedEnvironment(section, defaults, environment, expansion);
  const home = account === undefined ? final.environment['HOME'] : (account.home ?? '/');
  const command = scalarOf(section, 'command');
  if (!section.given.has('command')) {
    report.error('missing-directive', `${name} has no command`, section.place, {
      hint: 'expected "command: PROGRAM ARGUMENTS" in it',
    });
  }
  const expanded =
    command === undefined ? undefined : readCommand(section, command, environment, enabled, home, context);
  const stdout = outputTarget(section, 'stdout', environment, enabled, report);
  const stderr = outputTarget(section, 'stderr', environment, enabled, report);
  const directory = expandedText(section, 'directory', environment, enabled, report);
  const ofType = readTypeDirectives(section, type, environment, enabled, report);
  const { ignoreFailures } = defaults;
  const ending = readEnding(section, { type, ignoreFailures, environment, enabled, report });
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
    ...final,
    ...(account === undefined ? {} : { account }),
    ...(resolved.kind === 'missing' ? { missingAccount: resolved.name } : {}),
    stdin: 'null',
    stdout,
    stderr,
    killSignal: signal(section, 'kill_signal'),
    killMode: choice(section, 'kill_mode') === 'process' ? 'process' : 'group',
    ownGroup: boolean(section, 'setpgrp'),
    ...ending,
    optional,
    processTimeout: section.values.has('process_timeout')
      ? milliseconds(section, 'process_timeout')
      : (defaults.processTimeout ?? startTimeouts[type] * 1000),
    startupPause: section.values.has('startup_pause') ? milliseconds(section, 'startup_pause') : defaults.startupPause,
    restart: boolean(section, 'restart'),
    restartDelay: milliseconds(section, 'restart_delay'),
    restartLimit: integer(section, 'restart_limit'),
    debug: section.values.has('debug') ? boolean(section, 'debug') : defaults.debug,
    ...ofType,
  };
}

/** The environments of services that add nothing to the settings' environment, by its levels: all such services share one. */
const sharedEnvironments = new WeakMap<readonly EnvironmentLevel[], FinalEnvironment>();

/** The environment of a service that runs under the account of the settings, and has no notify socket. */
function sharedEnvironment(
  section: Section,
  { levels }: Defaults,
  environment: Environment,
  expansion: ExpansionContext,
): FinalEnvironment {
  const known = sharedEnvironments.get(levels);
  const isShared = environmentDirectives.every((key) => !section.given.has(key));
  if (isShared && known !== undefined) return known;
  const final = finalEnvironment(environment, expansion);
  // What needs an expansion may depend on the service's name, on its starts, and on commands that still have to run.
  if (isShared && known === undefined && levels.every(({ values }) => [...values.values()].every(isPlain)))
    sharedEnvironments.set(levels, final);
  return final;
}

const environmentDirectives = ['env_set', 'env_inherit', 'env_unset'] as const;

const serviceTypes: Readonly<Record<string, ServiceType>> = {
  simple: 'simple',
  oneshot: 'oneshot',
  forking: 'forking',
  notify: 'notify',
  inetd: 'inetd',
  cron: 'cron',
};

function serviceType(section: Section): ServiceType {
  return serviceTypes[choice(section, 'type')] ?? 'simple';
}

/** Which directives belong to which types only. */
const typesOf: Readonly<Record<'pidfile' | 'watchdog' | 'port' | 'interval', readonly ServiceType[]>> = {
  pidfile: ['simple', 'forking'],
  watchdog: ['notify'],
  port: ['inetd'],
  interval: ['cron'],
};

/** The directives that only some types have. A missing one is an error, a superfluous one a warning. */
function readTypeDirectives(
  section: Section,
  type: ServiceType,
  environment: Environment,
  enabled: boolean,
  report: Report,
): Pick<ServiceSpec, 'pidfile' | 'watchdog' | 'port' | 'interval' | 'maxConnections'> {
  warnScheduled(section, type, report);
  const pidfile = expandedText(section, 'pidfile', environment, enabled, report);
  const watchdog = section.values.has('watchdog') ? milliseconds(section, 'watchdog') : 0;
  const port = expandedInteger(section, 'port', environment, enabled, report);
  const interval = readInterval(section, environment, enabled, report);
  for (const key of ['pidfile', 'watchdog', 'port', 'interval'] as const) {
    const types = typesOf[key];
    const required = key !== 'pidfile' && key !== 'watchdog' && types.includes(type);
    if (required && !section.given.has(key)) {
      report.error('missing-directive', `${section.name} has no ${key}`, section.place, {
        hint: `${type} services need one`,
      });
    }
    const scalar = scalarOf(section, key);
    if (scalar !== undefined && !types.includes(type)) {
      report.warning('no-effect', `${key} of ${section.name} has no effect: its type is ${type}`, scalar.place, {
        hint: `expected type ${types.join(' or ')}`,
      });
    }
  }
  if (section.given.has('max_connections') && type !== 'inetd') {
    report.warning(
      'no-effect',
      `max_connections of ${section.name} has no effect: its type is ${type}`,
      section.place,
      { hint: 'expected type inetd' },
    );
  }
  return {
    ...(pidfile === undefined || !typesOf.pidfile.includes(type) ? {} : { pidfile: pidfile.trim() }),
    ...(watchdog === 0 || type !== 'notify' ? {} : { watchdog }),
    ...(port === undefined ? {} : { port }),
    ...(interval === undefined ? {} : { interval }),
    ...(type === 'inetd' ? { maxConnections: integer(section, 'max_connections') } : {}),
  };
}

/** Directives about the end of a service; a scheduled service does not end by itself. */
const directivesAboutEnds: readonly string[] = ['exit_kills', 'restart'];

function warnScheduled(section: Section, type: ServiceType, report: Report): void {
  if (!isScheduled(type)) return;
  for (const key of directivesAboutEnds) {
    if (!section.values.has(key) || !boolean(section, key)) continue;
    report.warning('no-effect', `${key} of ${section.name} has no effect: its type is ${type}`, section.place, {
      hint: `${key} is for services that end; a failed ${type === 'cron' ? 'run' : 'connection'} does not affect the next one`,
    });
  }
}

/** Reads the schedule. Its mistakes go to the report, with their places unless variables were expanded. */
function readInterval(
  section: Section,
  environment: Environment,
  enabled: boolean,
  report: Report,
): string | undefined {
  const scalar = scalarOf(section, 'interval');
  const text = expandedText(section, 'interval', environment, enabled, report);
  const asWritten = scalar !== undefined && isPlain(scalar.text);
  if (scalar === undefined || text === undefined) {
    // Whether an interval is required depends on the type and is checked elsewhere.
    if (scalar !== undefined && enabled && !asWritten && serviceType(section) === 'cron') {
      report.error('empty-value', `interval of ${section.name} expands to nothing`, scalar.place, {
        hint: 'expected a schedule',
      });
    }
    return undefined;
  }
  const read = parseScheduleFields(text);
  if (read.ok) return text.trim();
  // The values of a disabled service often make sense only in places where it is enabled.
  if (!enabled && !asWritten) return undefined;
  for (const problem of read.problems) {
    reportWithin(report, 'bad-schedule', `interval of ${section.name}: ${problem.message}`, scalar, text, problem);
  }
  return undefined;
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
    report.error('unclosed-quote', `a quote in the command of ${section.name} is never closed`, place, {
      hint: `expected a closing ${split.quote}`,
    });
    return undefined;
  }
  const [first, ...rest] = split.words;
  if (first === undefined || first.text === '') {
    // A command often expands to nothing in exactly those places where the service is disabled.
    if (!enabled && !isPlain(scalar.text)) return asWritten;
    report.error('empty-value', `the command of ${section.name} is empty`, scalar.place, {
      hint: 'expected a program',
    });
    return undefined;
  }
  const program = first.tilde ? expandTilde(first.text, home, accounts) : first.text;
  return { text, argv: [program, ...rest.map((word) => word.text)] };
}

/** Expands `~/x` and `~user/x`; an unknown user's tilde stays as it is, as in a shell. */
function expandTilde(word: string, home: string | undefined, accounts: AccountDatabase): string {
  const [, user = '', tail = ''] = /^~([^/]*)(.*)$/s.exec(word) ?? [];
  const directory = user === '' ? home : accounts.findUser(user)?.home;
  if (directory === undefined || directory === '') return word;
  return directory.endsWith('/') && tail.startsWith('/') ? directory + tail.slice(1) : directory + tail;
}

function outputTarget(
  section: Section,
  key: 'stdout' | 'stderr',
  environment: Environment,
  enabled: boolean,
  report: Report,
): OutputTarget {
  return expandedChoice(section, key, environment, enabled, report) === 'inherit' ? 'inherit' : 'log';
}

/**
 * The service that a command on the command line becomes.
 *
 * @param account the one of `--user`, else of the settings
 */
export function buildConsole(
  { argv, exitKills, task }: ConsoleRequest,
  {
    prerequisites,
    interactive,
    account,
  }: {
    readonly prerequisites: readonly string[];
    readonly interactive: boolean;
    readonly account: ResolvedAccount;
  },
  defaults: Defaults,
  { commands, report }: BuildContext,
): ServiceSpec {
  const found = accountOf(account);
  const own = found !== undefined && found !== accountOf(defaults.account);
  const environment = createEnvironment(
    [
      ...defaults.levels,
      ...sectionLevels(emptySection('service', consoleService), found, own),
      serviceLevel(consoleService),
    ],
    commands,
    found,
  );
  const expansion = { owner: consoleService, enabled: true, report };
  // Words are expanded one by one, so that a variable's value stays one word.
  const words = argv.map((word) => expandWord(environment, word, expansion));
  return {
    name: consoleService,
    type: 'simple',
    command: oneLine(words.join(' ')),
    argv: words,
    enabled: true,
    prerequisites,
    groups: ['IDLE'],
    ...finalEnvironment(environment, expansion),
    ...(found === undefined ? {} : { account: found }),
    stdin: interactive ? 'terminal' : 'inherit',
    stdout: 'inherit',
    stderr: 'inherit',
    // An interactive shell ignores SIGTERM.
    killSignal: interactive ? 'SIGHUP' : 'SIGTERM',
    killMode: 'group',
    ownGroup: true,
    exitKills,
    ignoreFailures: !task,
    optional: false,
    processTimeout: defaults.processTimeout ?? startTimeouts.simple * 1000,
    startupPause: defaults.startupPause,
    restart: false,
    restartDelay: 0,
    restartLimit: 0,
    onFailure: 'keep',
    remainAfterExit: false,
    debug: defaults.debug,
  };
}
