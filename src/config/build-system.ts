/** Builds the whole configuration as one plain value from the merged sections. */

import { timeZoneProblem } from '../model/schedule/schedule-fields.ts';
import { type AccountDatabase, parseId } from '../model/service/accounts.ts';
import type { Grant } from '../model/service/control-policy.ts';
import { consoleService, type JournalSpec, type ServiceSpec, type SystemSpec } from '../model/service/service-spec.ts';
import { didYouMean } from '../model/words/nearest.ts';
import { buildLogging, defaultLogging } from './build-logging.ts';
import { buildConsole, buildService, type ConsoleRequest, type Defaults } from './build-service.ts';
import { type Commands, createEnvironment, inheritedLevel, sectionLevels } from './environment.ts';
import { mergeSections } from './merge.ts';
import { type OrderWishes, resolvePrerequisites } from './prerequisites.ts';
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
  warnSharedPorts(sections, services, context.report);
  if (context.console !== undefined) {
    const place = {
      prerequisites: prerequisites[sections.length] ?? [],
      interactive: context.interactive,
      account: user.kind === 'none' ? defaults.account : user,
    };
    services.push(buildConsole(context.console, place, defaults, context));
  }
  const hostname = settings.values.get('logrec_hostname');
  const loggingContext = { ...context, hostname: hostname?.kind === 'text' ? hostname.text : undefined };
  const logging = [...merged.logging.values()].map((section) => buildLogging(section, defaults, loggingContext));
  return {
    services,
    logging: logging.length > 0 ? logging : [defaultLogging],
    idleDelay: milliseconds(settings, 'idle_delay'),
    shutdownTimeout: milliseconds(settings, 'shutdown_timeout') || shortestShutdown,
    detectExit: boolean(settings, 'detect_exit'),
    enableSyslog: boolean(settings, 'enable_syslog'),
    logSocket: readLogSocket(settings, defaults, context),
    statusInterval: milliseconds(settings, 'status_interval'),
    journal: readJournal(settings, defaults, context),
    ...readTimeZone(settings, defaults, services, context),
    control: {
      owners: [...new Set([user, defaults.account].flatMap((resolved) => accountOf(resolved)?.uid ?? []))],
      grants: readGrants(settings, context),
    },
    fileCount: context.fileCount,
  };
}

/** Warns of two inetd services with one port: the one that starts later would find it in use. */
function warnSharedPorts(sections: readonly Section[], services: readonly ServiceSpec[], report: Report): void {
  const owners = new Map<number, string>();
  for (const { name, type, port, enabled } of services) {
    if (type !== 'inetd' || port === undefined || !enabled) continue;
    const owner = owners.get(port);
    if (owner === undefined) owners.set(port, name);
    else {
      const section = sections.find((candidate) => candidate.name === name);
      const place = section === undefined ? undefined : (scalarOf(section, 'port')?.place ?? section.place);
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
    const problem = timeZoneProblem(given);
    if (problem === undefined) return { timeZone: given };
    report.error('unknown-time-zone', problem.message, scalar.place, {
      hint: didYouMean(given, problem.candidates ?? []) ?? problem.hint,
    });
    return {};
  }
  const inherited = environment['TZ']?.replace(/^:/, '') ?? '';
  const needed = services.some(({ type, enabled }) => type === 'cron' && enabled);
  if (needed && inherited !== '' && !inherited.startsWith('/') && timeZoneProblem(inherited) !== undefined) {
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
  const inherited = inheritedLevel(
    context.environment,
    new Map([
      ['_CHAP_CONFIG_DIR', containingDirectory(context.path)],
      ['_CHAP_INTERACTIVE', context.interactive ? '1' : '0'],
      ...(context.console?.task === true ? [['_CHAP_TASK_MODE', '1'] as const] : []),
    ]),
  );
  const outer = accountOf(user);
  const preliminary = createEnvironment([inherited, ...sectionLevels(settings, outer, true)], commands, outer);
  const account = resolveAccount(settings, preliminary, user, { enabled: true, optional: false }, context);
  const inForce = accountOf(account);
  const levels = [inherited, ...sectionLevels(settings, inForce, true)];
  return {
    levels,
    account,
    gidGiven: settings.given.has('gid'),
    debug: boolean(settings, 'debug'),
    ignoreFailures: boolean(settings, 'ignore_failures'),
    startupPause: milliseconds(settings, 'startup_pause'),
    processTimeout: settings.values.has('process_timeout') ? milliseconds(settings, 'process_timeout') : undefined,
  };
}

/** The default of the reference. In a container no other program serves it. */
const defaultLogSocket = '/dev/log';
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
