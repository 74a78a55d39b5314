/**
 * Reads `ready`, `healthy`, `healthcheck` and `on_unhealthy` of a service:
 *
 *     ready: { all: [notify, { tcp: 5432 }] }
 *     healthy: { http: "http://localhost/health", interval: 10s, retries: 3 }
 *     on_unhealthy: restart
 */
import {
  type OnUnhealthy,
  type Probe,
  type ProbeKind,
  type ProbePurpose,
  type ProbeTree,
  probesOf,
} from '../model/service/probe.ts';
import type { ServiceSpec } from '../model/service/service-spec.ts';
import { didYouMean } from '../model/words/nearest.ts';
import type { YamlEntry, YamlNode } from './parse-yaml.ts';
import { type ProbesContext, ProbeValues, shortestTime } from './probe-values.ts';
import { checkKeys, readCheck } from './read-checks.ts';
import { readHealthcheck } from './read-healthcheck.ts';
import { describeNode } from './read-names.ts';
import { expandedChoice } from './section-values.ts';
import type { Section } from './validate.ts';
import { quote } from './wording.ts';

/** More probes than this in one tree are a mistake. */
const mostProbes = 100;

const defaults = {
  ready: { interval: 100, longest: 1_000, timeout: 1_000, retries: 1, startPeriod: 0 },
  healthy: { interval: 10_000, longest: 10_000, timeout: 5_000, retries: 3, startPeriod: 0 },
} as const;

type Option = 'interval' | 'timeout' | 'retries' | 'start_period';

const branchKeys = ['all', 'any'] as const;

export function readProbes(
  section: Section,
  context: ProbesContext,
): Pick<ServiceSpec, 'ready' | 'healthy' | 'onUnhealthy'> {
  const reader = new ProbeValues(section.name, context);
  const ready = readTree(section, 'ready', reader);
  const own = readTree(section, 'healthy', reader);
  const check = section.values.get('healthcheck');
  if (check !== undefined && section.given.has('healthy')) {
    context.report.error(
      'contradiction',
      `healthcheck of ${section.name} has no effect: it has healthy`,
      section.given.get('healthcheck'),
      { hint: 'expected only one of them: healthcheck is the form that Compose has for healthy' },
    );
  }
  const compose = check?.kind === 'node' && own === undefined ? readHealthcheck(check.node, reader) : undefined;
  const healthy = own ?? compose;
  const onUnhealthy = readAnswer(section, context, compose === undefined, healthy);
  return {
    ...(ready === undefined ? {} : { ready }),
    ...(healthy === undefined ? {} : { healthy, onUnhealthy }),
  };
}

function readTree(section: Section, purpose: ProbePurpose, reader: ProbeValues): ProbeTree | undefined {
  const value = section.values.get(purpose);
  if (value?.kind !== 'node') return undefined;
  const tree = new TreeReader(reader).tree(value.node, purpose, `${purpose} of ${section.name}`);
  const probes = tree === undefined ? [] : probesOf(tree);
  const numbers = probes.flatMap(({ check }) => (check.kind === 'fd' ? [check.descriptor] : []));
  const twice = numbers.find((number, index) => numbers.indexOf(number) !== index);
  if (twice !== undefined)
    reader.wrong(
      'contradiction',
      `${purpose} of ${section.name} has two probes for fd ${twice}`,
      value.node.place,
      'expected each descriptor once',
    );
  if (probes.length > mostProbes)
    reader.wrong(
      'out-of-range',
      `${purpose} of ${section.name} has ${probes.length} probes`,
      value.node.place,
      `expected ${mostProbes} at most`,
    );
  return tree;
}

function readAnswer(
  section: Section,
  { restart, environment, enabled, report }: ProbesContext,
  own: boolean,
  healthy: ProbeTree | undefined,
): OnUnhealthy {
  const place = section.given.get('on_unhealthy');
  const given = expandedChoice(section, 'on_unhealthy', environment, enabled, report);
  const { name } = section;
  if (given !== undefined && healthy === undefined && !section.given.has('healthy')) {
    report.error('no-effect', `on_unhealthy of ${name} has no effect: it has no healthy`, place, {
      hint: 'expected a probe under healthy, which tells whether it works',
    });
  }
  if (given === 'restart' && !restart) {
    report.error('contradiction', `on_unhealthy of ${name} is restart, and its restart is off`, place, {
      hint: 'expected "restart: true" beside it, or on_unhealthy: log or shutdown',
    });
  }
  if (given === 'restart' || given === 'shutdown' || given === 'log') return given;
  return own && restart ? 'restart' : 'log';
}

/** Reads the trees of probes of one service. */
class TreeReader {
  readonly #values: ProbeValues;

  constructor(values: ProbeValues) {
    this.#values = values;
  }

  tree(node: YamlNode, purpose: ProbePurpose, label: string): ProbeTree | undefined {
    const hint = 'expected one probe such as { tcp: 80 }, or { all: [...] } or { any: [...] } of several';
    if (node.kind === 'scalar' && node.text.trim() === 'notify') return this.#probe('notify', node, [], purpose, label);
    if (node.kind !== 'map')
      return this.#values.wrong('wrong-shape', `${label} is ${describeNode(node)}`, node.place, hint);
    const isHttp = node.entries.some(({ key }) => key.text === 'http');
    // Beside http, unix is the socket over which it is spoken.
    const known = (text: string): boolean => isBranch(text) || (isCheck(text) && !(isHttp && text === 'unix'));
    const [first, second] = node.entries.filter(({ key }) => known(key.text));
    if (second !== undefined) {
      return this.#values.wrong(
        'contradiction',
        `${label} has two probes in one map: ${first?.key.text} and ${second.key.text}`,
        second.key.place,
        'expected one; several stand in { all: [...] } or { any: [...] }',
      );
    }
    const options = node.entries.filter(({ key }) => !known(key.text));
    if (first === undefined) {
      const [unknown] = options.filter(({ key }) => !isOption(key.text));
      if (unknown === undefined)
        return this.#values.wrong('missing-directive', `${label} has no probe`, node.place, hint);
      return this.#unknown(unknown, label, [...checkKeys, ...branchKeys]);
    }
    const { text } = first.key;
    if (isBranch(text)) return this.#branch(text, first.value, options, purpose, label);
    return isCheck(text) ? this.#probe(text, first.value, options, purpose, label) : undefined;
  }

  #branch(
    kind: 'all' | 'any',
    node: YamlNode,
    options: readonly YamlEntry[],
    purpose: ProbePurpose,
    label: string,
  ): ProbeTree | undefined {
    const own = `${kind} in ${label}`;
    const hint = 'expected a list of probes';
    for (const option of options) {
      if (isOption(option.key.text))
        this.#values.wrong(
          'no-effect',
          `${option.key.text} beside ${own} has no effect`,
          option.key.place,
          'expected it in the maps of the probes',
        );
      else this.#unknown(option, label, branchKeys);
    }
    if (node.kind !== 'list')
      return this.#values.wrong('wrong-shape', `${own} is ${describeNode(node)}`, node.place, hint);
    if (node.items.length === 0) return this.#values.wrong('empty-value', `${own} is empty`, node.place, hint);
    const of = node.items.map((item) => this.tree(item, purpose, own));
    const whole = of.filter((each) => each !== undefined);
    return whole.length === of.length ? { kind, of: whole } : undefined;
  }

  #probe(
    kind: ProbeKind,
    node: YamlNode,
    entries: readonly YamlEntry[],
    purpose: ProbePurpose,
    label: string,
  ): Probe | undefined {
    const read = readCheck(kind, node, entries, purpose, label, this.#values);
    const times: Partial<Record<Option, number>> = {};
    for (const entry of entries) {
      const { key, value } = entry;
      if (read.taken.includes(key.text)) continue;
      if (!isOption(key.text)) {
        this.#unknown(entry, label, [...read.keys, ...optionsFor(kind, purpose)]);
      } else if (!optionsFor(kind, purpose).includes(key.text)) {
        this.#values.wrong(
          'no-effect',
          `${key.text} in ${label} has no effect: ${whyNot(kind, purpose, key.text)}`,
          key.place,
          'expected no such line',
        );
      } else {
        const inner = `${key.text} in ${label}`;
        const number =
          key.text === 'retries'
            ? this.#values.retries(value, inner)
            : this.#values.time(value, inner, key.text === 'start_period' ? 0 : shortestTime);
        if (number !== undefined) times[key.text] = number;
      }
    }
    if (read.check === undefined) return undefined;
    const { interval, longest, ...rest } = defaults[purpose];
    return {
      kind: 'probe',
      check: read.check,
      interval: times.interval ?? interval,
      longest: times.interval ?? longest,
      timeout: times.timeout ?? rest.timeout,
      retries: times.retries ?? rest.retries,
      startPeriod: times.start_period ?? rest.startPeriod,
    };
  }

  #unknown({ key }: YamlEntry, label: string, candidates: readonly string[]): undefined {
    const hint = didYouMean(key.text, candidates) ?? `expected ${candidates.join(', ')}`;
    return this.#values.wrong('unknown-key', `unknown key ${quote(key.text)} in ${label}`, key.place, hint);
  }
}

function isCheck(text: string): text is ProbeKind {
  return checkKeys.some((key) => key === text);
}

function isBranch(text: string): text is 'all' | 'any' {
  return branchKeys.some((key) => key === text);
}

function isOption(text: string): text is Option {
  return text === 'interval' || text === 'timeout' || text === 'retries' || text === 'start_period';
}

/** The options that have an effect on a probe. */
function optionsFor(kind: ProbeKind, purpose: ProbePurpose): readonly Option[] {
  if (kind === 'notify' || kind === 'delay') return [];
  const ofHealth: readonly Option[] = purpose === 'healthy' ? ['retries', 'start_period'] : [];
  if (kind === 'fd' || kind === 'log') return purpose === 'healthy' ? ['interval', ...ofHealth] : [];
  return [...(kind === 'file' ? (['interval'] as const) : (['interval', 'timeout'] as const)), ...ofHealth];
}

function whyNot(kind: ProbeKind, purpose: ProbePurpose, option: Option): string {
  if (purpose === 'ready' && (option === 'retries' || option === 'start_period'))
    return `it is for healthy; ready tries until process_timeout`;
  return `${kind} ${kind === 'file' ? 'is answered at once' : 'is told, and not asked'}`;
}
