/** Builds the definitions of services from their sections and from the command of the command line. */

import { parseScheduleFields } from '../model/schedule/schedule-fields.ts';
import type { Account } from '../model/service/account.ts';
import type { AccountDatabase } from '../model/service/accounts.ts';
import type { NotifyAccess } from '../model/service/notify-message.ts';
import type { Outputs } from '../model/service/output.ts';
import { consoleService, type ServiceSpec, type ServiceType } from '../model/service/service-spec.ts';
import { isPlain } from '../model/words/expand.ts';
import { oneLine } from '../model/words/printable.ts';
import { splitWords } from '../model/words/words.ts';
import type { BuildContext, Defaults } from './build-context.ts';
import { readHooks } from './build-hooks.ts';
import { checkTypes, fitOf } from './directive-types.ts';
import { startTimeouts } from './directives.ts';
import {
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
import type { Waiting } from './prerequisites.ts';
import type { ProbesContext } from './probe-values.ts';
import { readEnding } from './read-ending.ts';
import { readProbes } from './read-probes.ts';
import { readResources } from './read-resources.ts';
import { readRestart } from './read-restart.ts';
import { readRuns } from './read-runs.ts';
import { readAnswers } from './read-ties.ts';
import { hasValues, readValues, secretLevels } from './read-values.ts';
import type { Report } from './report.ts';
import { accountOf, type ResolvedAccount, resolveAccount } from './resolve-account.ts';
import {
  boolean,
  choice,
  expandedBoolean,
  expandedInteger,
  expandedText,
  expandedValue,
  groupsOf,
  integer,
  milliseconds,
  scalarOf,
} from './section-values.ts';
import { emptySection, type Section } from './validate.ts';
import { reportWithin } from './within.ts';

/** A command to run once everything else stands (reference, section 2, CONSOLE). */
export interface ConsoleRequest {
  /** Never empty. */
  readonly argv: readonly string[];
  /** True: the system shuts down when the command ends. */
  readonly exitKills: boolean;
  /** `--task`: the command is the purpose of the container, so its failure is the container's. */
  readonly task: boolean;
}

/** What a service is to the others. */
export interface Surrounded extends Waiting {
  readonly outputs: Outputs;
  /** True where outputs of other services go to its standard input. */
  readonly reads: boolean;
}

/** Undefined if a mistake leaves nothing to start; all mistakes are reported by then. */
export function buildService(
  section: Section,
  { outputs, reads, ...waiting }: Surrounded,
  defaults: Defaults,
  context: BuildContext,
): ServiceSpec | undefined {
  const { report, commands } = context;
  const { name } = section;
  const inherited = accountOf(defaults.account);
  const levels = (account: Account | undefined, own: boolean): readonly EnvironmentLevel[] => [
    ...defaults.levels,
    ...sectionLevels(section, account, own),
    serviceLevel(name),
    ...secretLevels(section),
  ];
  const preliminary = createEnvironment(levels(inherited, false), commands, inherited);
  const switchedOn = expandedBoolean(section, 'enabled', preliminary, report);
  const optional = boolean(section, 'optional');
  const resolved = resolveAccount(section, preliminary, defaults.account, { enabled: switchedOn, optional }, context);
  const account = accountOf(resolved);
  const enabled = switchedOn && resolved.kind !== 'missing';
  const expansion = { owner: name, enabled, report };
  const environment = resolved.own === true ? createEnvironment(levels(account, true), commands, account) : preliminary;

  // All directives are read before a broken service is given up, so that every mistake is reported.
  const type = serviceType(section);
  const final = environmentOf(section, defaults, environment, expansion, resolved.own === true);
  const home = account === undefined ? final.environment['HOME'] : (account.home ?? '/');
  if (!section.given.has('command')) reportNoCommand(section, report);
  const command = scalarOf(section, 'command');
  const words = (scalar: YamlScalar, label = `command of ${name}`) =>
    readCommand(section, scalar, environment, enabled, home, context, label);
  const expanded = command === undefined ? undefined : words(command);
  const tied = { ...waiting, ...readAnswers(section, environment, enabled, report) };
  const rate = expandedValue(section, 'log_rate', environment, enabled, report);
  const directory = expandedText(section, 'directory', environment, enabled, report);
  const ofType = readTypeDirectives(section, type, environment, enabled, report);
  const resources = readResources(section, { environment, enabled, report, accounts: context.accounts });
  const { ignoreFailures } = defaults;
  const course = readCourse(section, { type, ...outputs, environment, enabled, report, words, ignoreFailures });
  const stopping = readHooks(section, { environment, enabled, defaults, report });
  if (expanded === undefined) return undefined;

  return {
    name,
    type,
    command: oneLine(expanded.text),
    argv: expanded.argv,
    enabled,
    ...tied,
    groups: [...new Set(groupsOf(section).map((group) => group.name))],
    ...(directory === undefined ? {} : { directory }),
    ...final,
    ...(account === undefined ? {} : { account }),
    ...(resolved.kind === 'missing' ? { missingAccount: resolved.name } : {}),
    stdin: reads ? 'pipe' : 'null',
    ...outputs,
    ...(rate?.kind === 'rate' ? { logRate: rate.value } : {}),
    ...stopping,
    ownGroup: boolean(section, 'setpgrp'),
    optional,
    processTimeout: section.values.has('process_timeout')
      ? milliseconds(section, 'process_timeout')
      : (defaults.processTimeout ?? startTimeouts[type] * 1000),
    startupPause: section.values.has('startup_pause') ? milliseconds(section, 'startup_pause') : defaults.startupPause,
    ...course,
    debug: section.values.has('debug') ? boolean(section, 'debug') : defaults.debug,
    ...ofType,
    ...resources,
  };
}

/** The environment of a service that reads values at each start: a variable that it requires may be among them. */
function environmentWithValues(
  section: Section,
  { levels }: Defaults,
  environment: Environment,
  expansion: ExpansionContext,
): Pick<ServiceSpec, 'environment' | 'values'> {
  const commands = { ...environment.commands, assumesRequired: true };
  const final = finalEnvironment({ ...environment, commands }, expansion, serviceType(section) === 'notify');
  // Behind the levels of the settings stands that of the account.
  return { environment: final.environment, values: readValues(section, environment, expansion, levels.length + 1) };
}

/** Reads when it counts as ready and healthy, what its end means, and whether it is tried again. */
function readCourse(
  section: Section,
  context: Omit<ProbesContext, 'restart'> & Pick<Defaults, 'ignoreFailures'>,
): ReturnType<typeof readRestart>['fields'] & ReturnType<typeof readEnding> & ReturnType<typeof readProbes> {
  const { mode, fields } = readRestart(section, context);
  return {
    ...fields,
    ...readEnding(section, { ...context, returns: mode === 'always' }),
    ...readProbes(section, { ...context, restart: fields.restart }),
  };
}

function reportNoCommand({ name, place }: Section, report: Report): void {
  report.error('missing-directive', `${name} has no command`, place, {
    hint: 'expected "command: PROGRAM ARGUMENTS" in it',
  });
}

/** @param own the service names an account of its own */
function environmentOf(
  section: Section,
  defaults: Defaults,
  environment: Environment,
  expansion: ExpansionContext,
  own: boolean,
): Pick<ServiceSpec, 'environment' | 'late' | 'values'> {
  if (hasValues(section)) return environmentWithValues(section, defaults, environment, expansion);
  const notifies = serviceType(section) === 'notify';
  if (own || notifies) return finalEnvironment(environment, expansion, notifies);
  return sharedEnvironment(section, defaults, environment, expansion);
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

function notifyAccess(section: Section): NotifyAccess {
  const value = choice(section, 'notify_access');
  return value === 'main' || value === 'all' ? value : 'exec';
}

/** The directives that only some types have. */
function readTypeDirectives(
  section: Section,
  type: ServiceType,
  environment: Environment,
  enabled: boolean,
  report: Report,
): Pick<ServiceSpec, 'pidfile' | 'watchdog' | 'notifyAccess' | 'port' | 'interval' | 'maxConnections'> &
  ReturnType<typeof readRuns> {
  checkTypes(section, type, report);
  const pidfile = expandedText(section, 'pidfile', environment, enabled, report);
  const watchdog = section.values.has('watchdog') ? milliseconds(section, 'watchdog') : 0;
  const port = expandedInteger(section, 'port', environment, enabled, report);
  const interval = readInterval(section, environment, enabled, report);
  for (const [key, owner] of [
    ['port', 'inetd'],
    ['interval', 'cron'],
  ] as const) {
    if (type !== owner || section.given.has(key)) continue;
    report.error('missing-directive', `${section.name} has no ${key}`, section.place, {
      hint: `${type} services need one`,
    });
  }
  return {
    ...(pidfile === undefined || fitOf('pidfile', type) === 'refused' ? {} : { pidfile: pidfile.trim() }),
    ...(watchdog === 0 || type !== 'notify' ? {} : { watchdog }),
    ...(type === 'notify' && section.given.has('notify_access') ? { notifyAccess: notifyAccess(section) } : {}),
    ...(port === undefined ? {} : { port }),
    ...(interval === undefined ? {} : { interval }),
    ...readRuns(section, { type, environment, enabled, report }),
    ...(type === 'inetd' ? { maxConnections: integer(section, 'max_connections') } : {}),
  };
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
  // What the fields are is said once.
  read.problems.forEach((problem, index) => {
    const fields = index === 0 ? { hint: 'minute, hour, day, month, day of week; a sixth field has the seconds' } : {};
    reportWithin(report, 'bad-schedule', `interval of ${section.name}: ${problem.message}`, scalar, text, {
      ...fields,
      ...problem,
    });
  });
  return undefined;
}

function readCommand(
  section: Section,
  scalar: YamlScalar,
  environment: Environment,
  enabled: boolean,
  home: string | undefined,
  { accounts, report }: BuildContext,
  label: string,
): { readonly text: string; readonly argv: readonly string[] } | undefined {
  const asWritten = { text: scalar.text, argv: [scalar.text] };
  const key = label.replace(` of ${section.name}`, '');
  const text = expandDirective(environment, key, scalar, { owner: section.name, enabled, report });
  if (text === undefined) return enabled ? undefined : asWritten;
  const split = splitWords(text);
  if (split.kind === 'unclosed') {
    const place = isPlain(scalar.text) ? placeWithin(scalar, split.index, 1) : scalar.place;
    report.error('unclosed-quote', `a quote in the ${label} is never closed`, place, {
      hint: `expected a closing ${split.quote}`,
    });
    return undefined;
  }
  const [first, ...rest] = split.words;
  if (first === undefined || first.text === '') {
    // A command often expands to nothing in exactly those places where the service is disabled.
    if (!enabled && !isPlain(scalar.text)) return asWritten;
    report.error('empty-value', `the ${label} is empty`, scalar.place, {
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

/**
 * The service that a command on the command line becomes.
 *
 * @param account the one of `--user`, else of the settings
 */
export function buildConsole(
  { argv, exitKills, task }: ConsoleRequest,
  {
    waiting,
    interactive,
    account,
  }: {
    readonly waiting: Waiting;
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
    ...waiting,
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
