/** Reads the directives about what a service may use and do: limits, priorities and rights. */
import { type AccountDatabase, parseId } from '../model/service/accounts.ts';
import {
  capabilityNames,
  limitsInBytes,
  type ResourceLimit,
  type ResourceName,
  type Resources,
  resourceNumbers,
} from '../model/service/resources.ts';
import type { ServiceSpec } from '../model/service/service-spec.ts';
import type { DiagnosticCode } from '../model/words/diagnostic-code.ts';
import { didYouMean } from '../model/words/nearest.ts';
import { type Environment, expandDirective } from './environment.ts';
import type { YamlScalar } from './parse-yaml.ts';
import type { Report } from './report.ts';
import { expandedBoolean, expandedInteger, scalarOf } from './section-values.ts';
import type { Section } from './validate.ts';
import { parseInteger, parseSize, parseSpan } from './values.ts';
import { quote } from './wording.ts';

export interface ResourceContext {
  readonly environment: Environment;
  readonly enabled: boolean;
  readonly report: Report;
  readonly accounts: AccountDatabase;
}

const resourceKeys: readonly string[] = [
  'limits',
  'nice',
  'umask',
  'oom_score_adjust',
  'cpu_affinity',
  'no_new_privileges',
  'capabilities',
  'supplementary_groups',
];

/** What a service asks for; without `resources` where it has none of the directives. */
export function readResources(section: Section, context: ResourceContext): Pick<ServiceSpec, 'resources'> {
  if (!resourceKeys.some((key) => section.values.has(key))) return {};
  const { environment, enabled, report } = context;
  const integer = (key: string): number | undefined => expandedInteger(section, key, environment, enabled, report);
  const limits = readLimits(section, context);
  const nice = integer('nice');
  const umask = integer('umask');
  const oomScoreAdjust = integer('oom_score_adjust');
  const cpuAffinity = readProcessors(section, context);
  const capabilities = readCapabilities(section, context);
  const supplementaryGroups = readGroups(section, context);
  const noNewPrivileges =
    scalarOf(section, 'no_new_privileges') !== undefined &&
    expandedBoolean(section, 'no_new_privileges', environment, report, { enabled, fallback: false });
  const resources: Resources = {
    ...(limits.length === 0 ? {} : { limits }),
    ...(nice === undefined ? {} : { nice }),
    ...(umask === undefined ? {} : { umask }),
    ...(oomScoreAdjust === undefined ? {} : { oomScoreAdjust }),
    ...(cpuAffinity.length === 0 ? {} : { cpuAffinity }),
    ...(noNewPrivileges ? { noNewPrivileges } : {}),
    ...(capabilities === undefined ? {} : { capabilities }),
    ...(supplementaryGroups.length === 0 ? {} : { supplementaryGroups }),
  };
  return Object.keys(resources).length === 0 ? {} : { resources };
}

/** Reports a value that is wrong. */
type Complain = (code: DiagnosticCode, what: string, hint: string) => undefined;

function complainer(section: Section, label: string, { place }: YamlScalar, { report }: ResourceContext): Complain {
  return (code, what, hint) => {
    report.error(code, `${label} of ${section.name} ${what}`, place, { hint });
    return undefined;
  };
}

function readLimits(section: Section, context: ResourceContext): readonly ResourceLimit[] {
  const value = section.values.get('limits');
  if (value?.kind !== 'textMap') return [];
  return [...value.entries].flatMap(([key, scalar]) => {
    const name = key.trim().toLowerCase();
    const complain = complainer(section, isResource(name) ? `${name} in limits` : 'limits', scalar, context);
    if (!isResource(name)) {
      complain('unknown-key', `has the unknown limit ${quote(key)}`, didYouMean(name, limitNames) ?? limitNamesHint);
      return [];
    }
    const text = expanded(section, 'limits', scalar, context);
    if (text === undefined || text.trim() === '') return [];
    const limit = readLimit(name, text.trim(), complain);
    return limit === undefined ? [] : [limit];
  });
}

const limitNames = Object.keys(resourceNumbers);
const limitNamesHint = `expected some of ${limitNames.join(', ')}`;

function isResource(name: string): name is ResourceName {
  return Object.hasOwn(resourceNumbers, name);
}

/** `1024`, or `1024:4096` for the soft and the hard limit. */
function readLimit(name: ResourceName, text: string, complain: Complain): ResourceLimit | undefined {
  const parts = text.split(':').map((part) => readAmount(name, part.trim()));
  const [soft, hard = soft] = parts;
  if (parts.length > 2 || soft === undefined || hard === undefined || parts.includes(undefined)) {
    const units = limitsInBytes.has(name) ? ' with or without K, M, G or T' : '';
    const hint = `expected a number${units}, "unlimited", or two of them as SOFT:HARD`;
    return complain('not-a-number', `is no limit: ${quote(text)}`, hint);
  }
  if (hard >= 0 && (soft < 0 || soft > hard))
    return complain('out-of-range', `is larger than its hard limit: ${quote(text)}`, 'expected SOFT:HARD');
  return { name, soft, hard };
}

/** -1 is no limit; undefined where the text is no amount. */
function readAmount(name: ResourceName, text: string): number | undefined {
  if (/^(?:unlimited|infinity)$/i.test(text)) return -1;
  const amount = amountOf(name, text);
  return amount !== undefined && amount >= 0 && Number.isSafeInteger(amount) ? amount : undefined;
}

function amountOf(name: ResourceName, text: string): number | undefined {
  const whole = parseInteger(text, false);
  if (whole !== undefined) return whole;
  if (limitsInBytes.has(name)) {
    const [, digits] = /^(\d+)t$/i.exec(text) ?? [];
    return digits === undefined ? parseSize(text, false) : Number(digits) * 1024 ** 4;
  }
  // cpu counts seconds, and rttime microseconds.
  const span = name === 'cpu' || name === 'rttime' ? parseSpan(text, false) : undefined;
  if (span === undefined) return undefined;
  return name === 'cpu' ? Math.ceil(span / 1000) : span * 1000;
}

/** The words of a text or of a list of texts, divided at commas and spaces; each with its scalar. */
function wordsOf(section: Section, key: string, context: ResourceContext): readonly (readonly [string, YamlScalar])[] {
  const value = section.values.get(key);
  if (value?.kind !== 'scalars') return [];
  return value.scalars.flatMap((scalar) =>
    (expanded(section, key, scalar, context) ?? '')
      .split(/[\s,]+/)
      .filter((word) => word !== '')
      .map((word) => [word, scalar] as const),
  );
}

function expanded(
  section: Section,
  key: string,
  scalar: YamlScalar,
  { environment, enabled, report }: ResourceContext,
): string | undefined {
  return expandDirective(environment, key, scalar, { owner: section.name, enabled, report });
}

/** The largest number of a processor that Linux can have, on machines with the most. */
const lastProcessor = 8191;

function readProcessors(section: Section, context: ResourceContext): readonly number[] {
  const found = new Set<number>();
  for (const [word, scalar] of wordsOf(section, 'cpu_affinity', context)) {
    const [, from, to = from] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(word) ?? [];
    const [first, last] = [Number(from), Number(to)];
    if (from === undefined || last < first || last > lastProcessor) {
      const complain = complainer(section, 'cpu_affinity', scalar, context);
      complain(
        'not-a-number',
        `names no processor: ${quote(word)}`,
        `expected numbers such as 0 or 0-3, up to ${lastProcessor}`,
      );
    } else for (let each = first; each <= last; each += 1) found.add(each);
  }
  return [...found].sort((one, other) => one - other);
}

/** Undefined where the directive is not given: an empty list takes all capabilities away. */
function readCapabilities(section: Section, context: ResourceContext): readonly number[] | undefined {
  if (!section.values.has('capabilities')) return undefined;
  const found = new Set<number>();
  for (const [word, scalar] of wordsOf(section, 'capabilities', context)) {
    const name = word.toUpperCase().replace(/^CAP_/, '');
    const number = capabilityNames.indexOf(name);
    if (number >= 0) found.add(number);
    else {
      const complain = complainer(section, 'capabilities', scalar, context);
      const hint = didYouMean(name, capabilityNames) ?? 'expected names of capabilities(7) such as NET_BIND_SERVICE';
      complain('not-a-choice', `names no capability: ${quote(word)}`, hint);
    }
  }
  return [...found].sort((one, other) => one - other);
}

function readGroups(section: Section, context: ResourceContext): readonly number[] {
  const found = new Set<number>();
  for (const [word, scalar] of wordsOf(section, 'supplementary_groups', context)) {
    const gid = context.accounts.findGroup(word)?.gid ?? parseId(word);
    if (gid !== undefined) found.add(gid);
    // Groups of a disabled service often exist only in places where it is enabled.
    else if (context.enabled) {
      const complain = complainer(section, 'supplementary_groups', scalar, context);
      complain('unknown-group', `names no group of this system: ${quote(word)}`, 'expected a group name or a number');
    }
  }
  return [...found];
}
