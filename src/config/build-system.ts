/** Builds the whole configuration as one plain value from the merged sections. */

import { timeZoneProblem } from '../model/schedule/schedule-fields.ts';
import { type AccountDatabase, parseId } from '../model/service/accounts.ts';
import type { Grant } from '../model/service/control-policy.ts';
import { consoleService, type JournalSpec, type ServiceSpec, type SystemSpec } from '../model/service/service-spec.ts';
import { isTemplate, type Template, templateOf } from '../model/service/template.ts';
import { cutList } from '../model/words/cut-list.ts';
import type { Defaults } from './build-context.ts';
import { buildLogging, defaultLogging } from './build-logging.ts';
import { buildConsole, buildService, type ConsoleRequest } from './build-service.ts';
import {
  type Commands,
  createEnvironment,
  type Environment,
  inheritedLevel,
  sectionLevels,
  unexpandedNames,
} from './environment.ts';
import { type MergedSections, mergeSections } from './merge.ts';
import { type OrderWishes, resolvePrerequisites } from './prerequisites.ts';
import { readMetrics } from './read-metrics.ts';
import { checkOutputs, type OutputWishes, readOutputs } from './read-outputs.ts';
import { checkStages } from './read-ties.ts';
import { knownTimeZone } from './read-time-zone.ts';
import type { Report } from './report.ts';
import { accountOf, type ResolvedAccount, resolveAccount } from './resolve-account.ts';
import {
  boolean,
  expandedText,
  groupsOf,
  innerSection,
  milliseconds,
  namesOf,
  scalarOf,
  size,
} from './section-values.ts';
import { instantiate, reportForInstance, type Scales } from './templates.ts';
import { emptySection, type Section } from './validate.ts';
import { quote } from './wording.ts';

/** What the configuration depends on besides its files. */
export interface Surroundings {
  /** The environment that chaperone was started with. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly accounts: AccountDatabase;
  /** True if chaperone's stdin is a terminal. */
  readonly interactive: boolean;
  /** `--user`: the account for services and log files that name none themselves. */
  readonly user?: string;
  /** How many instances of templates were asked for by hand. */
  readonly scales?: Scales;
  /** The command of chaperone's command line, with the options that apply to it. */
  readonly console?: ConsoleRequest;
}

export interface BuildContext extends Surroundings {
  /** The configuration's path: one file or a directory. */
  readonly path: string;
  readonly fileCount: number;
  /** True if every file could be read. */
  readonly complete: boolean;
  readonly commands: Commands;
  readonly report: Report;
}

/** shutdown_timeout 0 counts as this, so that services get at least a moment, ms. */
const shortestShutdown = 500;

/** Builds the configuration out of the sections of its files. Mistakes go to the report. */
export function buildSystem(files: readonly (readonly Section[])[], context: BuildContext): SystemSpec {
  const merged = mergeSections(files);
  const settings = merged.settings ?? emptySection('settings', 'settings');
  const user = userAccount(context);
  const defaults = readDefaults(settings, user, context);
  const { sections, templates } = instantiate(merged.services, context.scales ?? new Map(), defaults, context);
  const wishes = outputsOf(sections, merged, defaults, context);
  const { waiting, stages } = waitingOf(sections, templates, wishes, context);
  const named = new Set(wishes.flatMap(({ references }) => references.map(({ name }) => name)));
  const services = sections.flatMap((section, index) => {
    const report = reportForInstance(section.name, context.report);
    const { outputs } = wishes[index] ?? noOutputs;
    const tied = waiting[index] ?? { prerequisites: [] };
    const surrounded = { ...tied, outputs, reads: named.has(section.name) };
    return buildService(section, surrounded, defaults, { ...context, report }) ?? [];
  });
  warnSharedPorts(sections, services, context.report);
  if (context.console !== undefined) {
    const place = {
      waiting: waiting[sections.length] ?? { prerequisites: [] },
      interactive: context.interactive,
      account: user.kind === 'none' ? defaults.account : user,
    };
    services.push(buildConsole(context.console, place, defaults, context));
  }
  checkStages(stages, services, context.report);
  const hostname = settings.values.get('logrec_hostname');
  const loggingContext = { ...context, hostname: hostname?.kind === 'text' ? hostname.text : undefined };
  const logging = [...merged.logging.values()].map((section) =>
    buildLogging(section, defaults, { ...loggingContext, isNamed: named.has(section.name) }),
  );
  // Entries that take only what names them leave everything else as it is without any entry.
  const takesAny = logging.some(({ namedOnly }) => namedOnly !== true);
  warnOfIdleTargets(sections, wishes, { services, logging }, context.report);
  return {
    services: withAnnouncements(services),
    ...(templates.length === 0 ? {} : { templates }),
    logging: takesAny ? logging : [...logging, defaultLogging],
    idleDelay: milliseconds(settings, 'idle_delay'),
    shutdownTimeout: defaults.shutdownTimeout,
    detectExit: boolean(settings, 'detect_exit'),
    enableSyslog: boolean(settings, 'enable_syslog'),
    logSocket: readLogSocket(settings, defaults, context),
    maxLine: size(settings, 'max_line'),
    statusInterval: milliseconds(settings, 'status_interval'),
    journal: readJournal(settings, defaults, context),
    ...(boolean(settings, 'otel') ? { otel: true } : {}),
    ...readMetrics(
      settings,
      createEnvironment(defaults.levels, context.commands, accountOf(defaults.account)),
      context,
    ),
    ...readTimeZone(settings, defaults, services, context),
    control: {
      owners: [...new Set([user, defaults.account].flatMap((resolved) => accountOf(resolved)?.uid ?? []))],
      grants: readGrants(settings, context),
    },
    fileCount: context.fileCount,
  };
}

/** Marks the services whose start alone is what others wait for: their charts report it. */
function withAnnouncements(services: readonly ServiceSpec[]): readonly ServiceSpec[] {
  const awaited = new Set(
    services.flatMap(({ ties = {} }) =>
      Object.entries(ties).flatMap(([name, { stages }]) => (stages.includes('started') ? [name] : [])),
    ),
  );
  if (awaited.size === 0) return services;
  return services.map((spec) => (awaited.has(spec.name) ? { ...spec, announcesSpawn: true } : spec));
}

const noOutputs: OutputWishes = { outputs: { stdout: 'log', stderr: 'log' }, references: [] };

/** Where each service writes to. Mistakes go to the report. */
function outputsOf(
  sections: readonly Section[],
  { services, logging }: Pick<MergedSections, 'services' | 'logging'>,
  defaults: Defaults,
  context: BuildContext,
): readonly OutputWishes[] {
  const running = new Map(sections.map((section) => [section.name, section]));
  // Templates stand here, too, to be told apart from what does not exist.
  const known = new Map([...[...services].filter(([name]) => isTemplate(name)), ...running]);
  return sections.map((section) => {
    const report = reportForInstance(section.name, context.report);
    const wishes = readOutputs(section, defaults, { ...context, report });
    checkOutputs(section, wishes, { services: known, logging, complete: context.complete }, report);
    return wishes;
  });
}

/** Warns of outputs that go to services and entries which are disabled. */
function warnOfIdleTargets(
  sections: readonly Section[],
  wishes: readonly OutputWishes[],
  { services, logging }: Pick<SystemSpec, 'services' | 'logging'>,
  report: Report,
): void {
  const disabled = new Set([...services, ...logging].filter(({ enabled }) => !enabled).map(({ name }) => name));
  sections.forEach(({ name: owner }, index) => {
    for (const { name, directive, place } of wishes[index]?.references ?? []) {
      if (!disabled.has(name) || disabled.has(owner)) continue;
      const fate = name.endsWith('.service') ? 'its lines go into the log' : 'its lines go nowhere';
      const message = `${directive} of ${owner} goes to ${name}, which is disabled: ${fate}`;
      reportForInstance(owner, report).warning('no-effect', message, place);
    }
  });
}

/** For every section, and for the command, the services that it waits for, and how. */
function waitingOf(
  sections: readonly Section[],
  templates: readonly Template[],
  outputs: readonly OutputWishes[],
  { console, complete, report }: BuildContext,
): ReturnType<typeof resolvePrerequisites> {
  const names = templates.map(({ name }) => name);
  const wishes: OrderWishes[] = sections.map((section, index) => {
    const template = templateOf(section.name);
    return {
      name: section.name,
      groups: groupsOf(section),
      after: namesOf(section, 'after'),
      before: namesOf(section, 'before'),
      wants: namesOf(section, 'wants'),
      requires: namesOf(section, 'requires'),
      writesTo: outputs[index]?.references ?? [],
      ...(template !== undefined && names.includes(template) ? { template } : {}),
    };
  });
  if (console !== undefined) wishes.push(consoleWishes);
  return resolvePrerequisites(wishes, complete, report, names);
}

/**
 * Warns of two inetd services with one port: the one that starts later would find it in use. Of instances that is an error,
 * because one line says so of them all.
 */
function warnSharedPorts(sections: readonly Section[], services: readonly ServiceSpec[], report: Report): void {
  const owners = new Map<number, string>();
  for (const { name, type, port, enabled } of services) {
    if (type !== 'inetd' || port === undefined || !enabled) continue;
    const owner = owners.get(port);
    if (owner === undefined) owners.set(port, name);
    else {
      const section = sections.find((candidate) => candidate.name === name);
      const place = section === undefined ? undefined : (scalarOf(section, 'port')?.place ?? section.place);
      const template = templateOf(name);
      if (template !== undefined && template === templateOf(owner)) {
        report.error('same-port', `instances of ${template} have the same port: ${port}`, place, {
          hint: 'expected a port by instance, such as "80$(_CHAP_SERVICE_INSTANCE)"',
        });
        continue;
      }
      report.warning(
        'same-port',
        `port ${port} of ${name} is also that of ${owner}: only one of them can listen on it`,
        place,
      );
    }
  }
}

/** The time zone of the settings. Without it TZ counts, which has to be valid only if a cron service uses it. */
function readTimeZone(
  settings: Section,
  { levels, account }: Defaults,
  services: readonly ServiceSpec[],
  { commands, environment, report }: BuildContext,
): Pick<SystemSpec, 'timeZone'> {
  const scalar = scalarOf(settings, 'timezone');
  const expander = createEnvironment(levels, commands, accountOf(account));
  const given = expandedText(settings, 'timezone', expander, true, report)?.trim();
  if (scalar !== undefined && given !== undefined) {
    const timeZone = knownTimeZone(given, scalar.place, report);
    return timeZone === undefined ? {} : { timeZone };
  }
  const inherited = environment['TZ']?.replace(/^:/, '') ?? '';
  // Rules and paths are looked at when chaperone starts (src/runtime/linux/time-zone.ts).
  const isName = /^[A-Za-z_]+(?:\/[\w+-]+)*$/.test(inherited);
  const needed = services.some(({ type, enabled }) => type === 'cron' && enabled);
  if (needed && isName && timeZoneProblem(inherited) !== undefined) {
    report.warning(
      'unknown-time-zone',
      `TZ=${quote(inherited)} names no time zone that is known here: cron services run by UTC`,
      undefined,
      { hint: 'expected a name such as Europe/Berlin, in TZ or in "timezone" of the settings' },
    );
  }
  return {};
}

/** The grants of the settings, with their accounts. A missing account is an error: somebody else may get its number one day. */
function readGrants(settings: Section, { accounts, report }: BuildContext): readonly Grant[] {
  const value = settings.values.get('control');
  if (value?.kind !== 'grants') return [];
  return value.grants.flatMap(({ to, actions }): readonly Grant[] => {
    if (to.kind === 'everybody') return [{ to, actions }];
    const { name, place } = to.account;
    const unknown = (): readonly Grant[] => {
      report.error(
        `unknown-${to.kind}`,
        `allow of control names ${quote(name)}, which is no ${to.kind} of this system`,
        place,
        { hint: `expected a ${to.kind} name or a number` },
      );
      return [];
    };
    if (to.kind === 'user') {
      const found = accounts.account(name);
      return found.kind === 'found' ? [{ to: { kind: 'user', uid: found.account.uid }, actions }] : unknown();
    }
    const gid = accounts.findGroup(name)?.gid ?? parseId(name);
    return gid === undefined ? unknown() : [{ to: { kind: 'group', gid }, actions }];
  });
}

const consoleWishes: OrderWishes = {
  name: consoleService,
  groups: [{ name: 'IDLE', place: emptySection('service', consoleService).place }],
  after: [],
  before: [],
};

/** The account that `--user` names. */
function userAccount({ user, accounts, report }: BuildContext): ResolvedAccount {
  if (user === undefined) return { kind: 'none' };
  const found = accounts.account(user);
  if (found.kind === 'found') return { kind: 'found', account: found.account, user };
  report.error('unknown-user', `--user names ${quote(user)}, which is no user of this system`, undefined, {
    hint: 'expected a user name or a number; --create-user makes one',
  });
  return { kind: 'missing', name: user };
}

function readDefaults(settings: Section, user: ResolvedAccount, context: BuildContext): Defaults {
  const { commands } = context;
  const expands = settings.values.has('env_expand');
  const inherited = inheritedLevel(
    context.environment,
    new Map([
      ['_CHAP_CONFIG_DIR', containingDirectory(context.path)],
      ['_CHAP_INTERACTIVE', context.interactive ? '1' : '0'],
      ...(context.console?.task === true ? [['_CHAP_TASK_MODE', '1'] as const] : []),
    ]),
    expands ? 'withoutCommands' : 'literal',
  );
  const outer = accountOf(user);
  const preliminary = createEnvironment([inherited, ...sectionLevels(settings, outer, true)], commands, outer);
  const account = resolveAccount(settings, preliminary, user, { enabled: true, optional: false }, context);
  const inForce = accountOf(account);
  const levels = [inherited, ...sectionLevels(settings, inForce, true)];
  if (!expands) warnOfForms(createEnvironment(levels, commands, inForce), context);
  return {
    levels,
    account,
    gidGiven: settings.given.has('gid'),
    debug: boolean(settings, 'debug'),
    ignoreFailures: boolean(settings, 'ignore_failures'),
    startupPause: milliseconds(settings, 'startup_pause'),
    processTimeout: settings.values.has('process_timeout') ? milliseconds(settings, 'process_timeout') : undefined,
    shutdownTimeout: milliseconds(settings, 'shutdown_timeout') || shortestShutdown,
  };
}

/** Says once which inherited values are not expanded, though they look as if they should be. */
function warnOfForms(environment: Environment, { report }: BuildContext): void {
  const names = unexpandedNames(environment);
  if (names.length === 0) return;
  const what = names.length === 1 ? 'the inherited variable' : 'the inherited variables';
  report.warning(
    'unexpanded-value',
    `${what} ${cutList(names, mostNames)} ${names.length === 1 ? 'holds' : 'hold'} $(…), \${…} or backticks, which are passed on as they are`,
    undefined,
    { hint: 'with "env_expand: inherited" in the settings variables in them are expanded, but no backticks' },
  );
}

/** The default of the reference. In a container no other program serves it. */
const defaultLogSocket = '/dev/log';
/** Most names in one warning. */
const mostNames = 10;
/** What fits into sun_path, unix(7), bytes. */
const longestSocketPath = 107;

function readLogSocket(settings: Section, defaults: Defaults, { commands, report }: BuildContext): string {
  const environment = createEnvironment(defaults.levels, commands, accountOf(defaults.account));
  const path = expandedText(settings, 'log_socket', environment, true, report)?.trim() ?? defaultLogSocket;
  if (path.startsWith('/') && Buffer.byteLength(path) <= longestSocketPath) return path;
  const scalar = settings.values.get('log_socket');
  report.error(
    'bad-path',
    `log_socket of settings is ${quote(path)}`,
    scalar?.kind === 'unexpanded' ? scalar.scalar.place : settings.place,
    { hint: `expected an absolute path of at most ${longestSocketPath} bytes` },
  );
  return path;
}

function readJournal(settings: Section, defaults: Defaults, { commands, report }: BuildContext): JournalSpec {
  const section = innerSection(settings, 'inspect');
  const environment = createEnvironment(defaults.levels, commands, accountOf(defaults.account));
  const path = expandedText(section, 'journal', environment, true, report)?.trim();
  if (path !== undefined && !path.startsWith('/')) {
    report.error(
      'bad-path',
      `journal of inspect is ${quote(path)}`,
      scalarOf(section, 'journal')?.place ?? section.place,
      { hint: 'expected an absolute path' },
    );
  }
  return {
    ...(path === undefined ? {} : { path }),
    maxSize: size(section, 'max_size'),
    records: boolean(section, 'records'),
  };
}

/** The directory that contains the configuration's path. */
function containingDirectory(path: string): string {
  const trimmed = path.replace(/\/+$/, '');
  const slash = trimmed.lastIndexOf('/');
  if (slash < 0) return trimmed === '' ? '/' : '.';
  return trimmed.slice(0, slash).replace(/\/+$/, '') || '/';
}
