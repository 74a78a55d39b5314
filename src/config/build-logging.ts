import { parseSelector } from '../model/log/selector.ts';
import type { AccountDatabase } from '../model/service/accounts.ts';
import type { LoggingSpec } from '../model/service/service-spec.ts';
import type { Defaults } from './build-context.ts';
import { type Commands, createEnvironment, sectionLevels } from './environment.ts';
import { readRotation } from './read-rotation.ts';
import type { Report } from './report.ts';
import { accountOf, resolveAccount } from './resolve-account.ts';
import {
  boolean,
  choice,
  directiveOf,
  expandedBoolean,
  expandedInteger,
  expandedText,
  overflowOf,
  scalarOf,
} from './section-values.ts';
import type { Section } from './validate.ts';
import { reportWithin } from './within.ts';

/** The entry that is used without any logging section, so that `docker logs` shows something. */
export const defaultLogging: LoggingSpec = {
  name: 'default.logging',
  selector: '*.info',
  enabled: true,
  stdout: true,
  stderr: false,
  overwrite: false,
  extended: false,
};

interface LoggingContext {
  readonly accounts: AccountDatabase;
  readonly commands: Commands;
  readonly report: Report;
  /** The host name that the settings give to all entries. */
  readonly hostname: string | undefined;
  /** True where a service names the entry for its output. */
  readonly isNamed: boolean;
}

/** Reads one logging section; its mistakes go to the report. */
export function buildLogging(section: Section, defaults: Defaults, context: LoggingContext): LoggingSpec {
  const { report, commands } = context;
  const inherited = accountOf(defaults.account);
  const levels = [...defaults.levels, ...sectionLevels(section, inherited, false)];
  const environment = createEnvironment(levels, commands, inherited);
  const enabled = expandedBoolean(section, 'enabled', environment, report);
  const owner = resolveAccount(section, environment, defaults.account, { enabled, optional: false }, context);
  const text = (key: string): string | undefined => expandedText(section, key, environment, enabled, report)?.trim();

  const file = text('file');
  const syslogHost = text('syslog_host');
  const hostname = text('logrec_hostname') ?? context.hostname;
  const account = accountOf(owner);
  warnOfNoEffect(section, report);
  const mode = expandedInteger(section, 'mode', environment, enabled, report);
  const rotation = readRotation(section, environment, enabled, report);
  return {
    name: section.name,
    selector: readSelector(section, text('selector'), enabled, report),
    ...(context.isNamed && !section.given.has('selector') ? { namedOnly: true as const } : {}),
    enabled: enabled && owner.kind !== 'missing',
    stdout: boolean(section, 'stdout'),
    stderr: boolean(section, 'stderr'),
    // A relative path counts from the home of the entry's user.
    ...(file === undefined ? {} : { file: file.startsWith('/') ? file : `${home(account?.home)}/${file}` }),
    overwrite: boolean(section, 'overwrite'),
    extended: boolean(section, 'extended'),
    ...(mode === undefined ? {} : { mode }),
    ...(rotation === undefined ? {} : { rotation }),
    ...readFormat(section),
    ...readFailing(section),
    ...(syslogHost === undefined ? {} : { syslogHost }),
    ...(hostname === undefined ? {} : { hostname }),
    ...(account === undefined
      ? {}
      : { owner: { uid: account.uid, gid: account.gid, gidGiven: section.given.has('gid') || defaults.gidGiven } }),
  };
}

/** Reads `format`, which serves for lines and for packets because an entry seldom writes both. */
function readFormat(section: Section): Pick<LoggingSpec, 'format' | 'packet' | 'timestamp' | 'parseJson'> {
  const format = choice(section, 'format');
  const timestamp = section.values.get('timestamp');
  return {
    ...(format === 'json' || format === 'plain' ? { format } : {}),
    ...(format === 'rfc3164' || format === 'rfc5424' ? { packet: format } : {}),
    ...(timestamp?.kind === 'choice' ? timestampOf(timestamp.value) : {}),
    ...(boolean(section, 'parse_json') ? { parseJson: true as const } : {}),
  };
}

/** What happens when a sink does not keep up, and when it fails. */
function readFailing(section: Section): Pick<LoggingSpec, 'overflow' | 'onError'> {
  return {
    ...(section.values.has('overflow') ? { overflow: overflowOf(section, 'overflow') } : {}),
    ...(choice(section, 'on_error') === 'drop' ? { onError: 'drop' as const } : {}),
  };
}

/** Warns of directives that change nothing where they stand. */
function warnOfNoEffect(section: Section, report: Report): void {
  const writesTo = (...keys: string[]): boolean => keys.some((key) => section.given.has(key));
  const cases: readonly (readonly [key: string, hasEffect: boolean, why: string])[] = [
    ['parse_json', choice(section, 'format') === 'json', 'its format is not json'],
    ['overflow', writesTo('file', 'stdout', 'stderr'), 'nobody waits for another syslog daemon'],
    ['on_error', writesTo('file', 'stdout'), 'it writes neither to a file nor to stdout'],
  ];
  for (const [key, hasEffect, why] of cases) {
    if (!section.values.has(key) || hasEffect) continue;
    report.warning('no-effect', `${key} of ${section.name} has no effect: ${why}`, section.given.get(key));
  }
}

function timestampOf(value: string): Pick<LoggingSpec, 'timestamp'> {
  return value === 'rfc3164' || value === 'iso' || value === 'none' ? { timestamp: value } : {};
}

function home(path: string | undefined): string {
  return path === undefined || path === '/' ? '' : path.replace(/\/+$/, '');
}

/** The selector's text. A mistake in it is reported with its place. */
function readSelector(section: Section, text: string | undefined, enabled: boolean, report: Report): string {
  const scalar = scalarOf(section, 'selector');
  const selector = text ?? String(directiveOf(section, 'selector').default);
  const result = parseSelector(selector);
  if (scalar !== undefined && enabled && !result.ok) {
    reportWithin(report, 'bad-selector', `selector of ${section.name}: ${result.message}`, scalar, selector, result);
  }
  return selector;
}
