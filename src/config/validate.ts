import type { Overflow } from '../model/log/overflow.ts';
import type { Ending } from '../model/service/ending.ts';
import type { KillStep } from '../model/service/hook.ts';
import { type LogRate, parseRate } from '../model/service/output.ts';
import { parseSignal, type SignalName, standardSignals } from '../model/service/signal.ts';
import type { DiagnosticCode } from '../model/words/diagnostic-code.ts';
import { alternatives, didYouMean, nearest } from '../model/words/nearest.ts';
import { type Directive, directives, oldSpellings, type SectionKind } from './directives.ts';
import { withoutDuplicates, type YamlEntry, type YamlNode, type YamlScalar } from './parse-yaml.ts';
import { type ConditionNode, readConditionNode } from './read-conditions.ts';
import { type GrantsValue, readControl } from './read-control.ts';
import { type ConventionValue, conventionExpectation, readConventionValue } from './read-conventions.ts';
import { type HooksValue, parseKillSteps, readHookValue } from './read-hooks.ts';
import { describeNode, type NameReference, readNames, type ValueContext } from './read-names.ts';
import type { Report } from './report.ts';
import { parseEndings, parseRestart, type RestartMode } from './restart-words.ts';
import { createSource, type Place } from './source.ts';
import {
  parseBoolean,
  parseFileMode,
  parseInteger,
  parseNumber,
  parseOverflow,
  parseSize,
  parseSpan,
  parseUmask,
} from './values.ts';
import { quote } from './wording.ts';

/** A directive's value, understood as far as that is possible before variables are expanded. */
export type Value =
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'milliseconds'; readonly value: number }
  | { readonly kind: 'integer'; readonly value: number }
  | { readonly kind: 'signal'; readonly value: SignalName }
  | { readonly kind: 'restart'; readonly mode: RestartMode; readonly limit?: number }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'endings'; readonly endings: readonly Ending[] }
  | { readonly kind: 'choice'; readonly value: string }
  | { readonly kind: 'overflow'; readonly value: Overflow }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'names'; readonly names: readonly NameReference[] }
  | { readonly kind: 'globs'; readonly globs: readonly string[] }
  | { readonly kind: 'textMap'; readonly entries: ReadonlyMap<string, YamlScalar> }
  | { readonly kind: 'scalars'; readonly scalars: readonly YamlScalar[] }
  | { readonly kind: 'section'; readonly section: Section }
  | { readonly kind: 'conditions'; readonly node: ConditionNode }
  | { readonly kind: 'rate'; readonly value: LogRate }
  | {
      readonly kind: 'instances';
      readonly items: readonly YamlScalar[];
      readonly isList: boolean;
      readonly place: Place;
    }
  | ConventionValue
  | GrantsValue
  | HooksValue
  | { readonly kind: 'killSteps'; readonly steps: readonly KillStep[] }
  /** Read once variables can be expanded. */
  | { readonly kind: 'node'; readonly node: YamlNode }
  | { readonly kind: 'unexpanded'; readonly scalar: YamlScalar };

/** A word of another program: what says it here, and what to write. */
export interface Foreign {
  readonly origin: string;
  readonly here?: string;
  readonly advice: string;
}

/** Says what to write for keys and sections that nobody knows. A start loads it only where there are mistakes. */
export interface KeyHelp {
  /** Looks a key up that is no directive of a service. */
  wordOf(key: string, value: YamlNode): Foreign | undefined;
  /** What to write in place of a section that is none. */
  sectionAdvice(name: string, value: YamlNode): string | undefined;
}

const noHelp: KeyHelp = { wordOf: () => undefined, sectionAdvice: () => undefined };

/** One section of one file, or of several merged ones. */
export interface Section {
  readonly kind: SectionKind;
  /** With its suffix: `web.service`. */
  readonly name: string;
  readonly place: Place;
  /** The directives that are given and free of mistakes. */
  readonly values: ReadonlyMap<string, Value>;
  /** The places of the directives that are given at all, mistaken ones included. */
  readonly given: ReadonlyMap<string, Place>;
}

/** A section that no file has; its place is never reported, because nothing in it can be wrong. */
export function emptySection(kind: SectionKind, name: string): Section {
  const place: Place = { source: createSource('', ''), start: 0, end: 0 };
  return { kind, name, place, values: new Map(), given: new Map() };
}

const sectionExpectation = 'expected settings, NAME.service or NAME.logging';

/** Checks the sections of one file. Mistakes go to the report; a section with mistakes is returned without them. */
export function readSections(roots: readonly YamlNode[], report: Report, help: KeyHelp = noHelp): readonly Section[] {
  const entries = roots.flatMap((root) => rootEntries(root, report));
  // Several documents in one file count as one document.
  const unique = roots.length > 1 ? withoutDuplicates(entries, report) : entries;
  return unique.flatMap(({ key, value }) => {
    if (extensionKey.test(key.text)) return [];
    const kind = sectionKind(key, () => help.sectionAdvice(key.text, value), report);
    return kind === undefined ? [] : [readSection(kind, { name: key.text, place: key.place }, value, { report, help })];
  });
}

/** A map of sections, or a list of names, which declares those sections empty. */
function rootEntries(root: YamlNode, report: Report): readonly YamlEntry[] {
  if (root.kind === 'map') return root.entries;
  if (root.kind === 'scalar') {
    if (!root.isNull)
      report.error('not-sections', 'this file holds text and no sections', root.place, { hint: sectionExpectation });
    return [];
  }
  const entries = root.items.flatMap((item) => {
    if (item.kind === 'scalar' && !item.isNull) {
      return [{ key: item, value: { kind: 'map', place: item.place, entries: [] } } satisfies YamlEntry];
    }
    report.error('not-sections', 'a list of sections holds their names only', item.place, { hint: sectionExpectation });
    return [];
  });
  return withoutDuplicates(entries, report);
}

/** True where text is all upper case, as the reserved names are. */
export function isUpperCase(text: string): boolean {
  return text === text.toUpperCase() && text !== text.toLowerCase();
}

/** A top-level key for YAML anchors, as Compose has it: nothing reads what stands below it. */
const extensionKey = /^x-(?!.*\.(?:service|logging)$)./s;

function sectionKind(key: YamlScalar, advice: () => string | undefined, report: Report): SectionKind | undefined {
  const name = key.text;
  if (name === 'settings') return 'settings';
  const match = /^(.*)\.(service|logging)$/s.exec(name);
  if (match === null) {
    const dot = name.lastIndexOf('.');
    const stem = dot < 0 ? undefined : name.slice(0, dot);
    const near = stem === undefined ? ['settings'] : [`${stem}.service`, `${stem}.logging`];
    report.error('unknown-section', `unknown section ${quote(name)}`, key.place, {
      hint: didYouMean(name, near) ?? advice() ?? sectionExpectation,
    });
    return undefined;
  }
  const stem = match[1] ?? '';
  const kind = match[2] === 'service' ? 'service' : 'logging';
  if (!/^[^\s,\0]+$/.test(stem)) {
    report.error('bad-section-name', `${quote(name)} is not a name for a section`, key.place, {
      hint: `expected NAME.${kind} without spaces and commas`,
    });
    return undefined;
  }
  if (isUpperCase(stem)) {
    report.error('reserved-name', `the name ${quote(name)} is reserved: all upper case`, key.place, {
      hint: 'expected a name with a lower-case letter',
    });
    return undefined;
  }
  return kind;
}

function readSection(
  kind: SectionKind,
  { name, place }: Pick<Section, 'name' | 'place'>,
  node: YamlNode,
  { report, help }: { readonly report: Report; readonly help: KeyHelp },
): Section {
  const values = new Map<string, Value>();
  const given = new Map<string, Place>();
  const section: Section = { kind, name, place, values, given };
  if (node.kind === 'scalar' && node.isNull) return section;
  if (node.kind !== 'map') {
    // Only this mistake is reported: a missing command is not, since the directives are unknown.
    given.set('command', node.place);
    report.error('wrong-shape', `${name} is ${describeNode(node)} and not a map of directives`, node.place, {
      hint: 'expected lines such as "KEY: VALUE", indented',
    });
    return section;
  }
  for (const entry of node.entries) {
    const directive = directives[kind].get(entry.key.text);
    if (directive === undefined) {
      const foreign = kind === 'service' ? help.wordOf(entry.key.text, entry.value) : undefined;
      reportUnknownKey(kind, name, entry.key, foreign, report);
      // Only this mistake is reported: a misspelt required key does not count as missing.
      const meant = foreign?.here ?? nearest(entry.key.text, directives[kind].keys());
      if (meant !== undefined) given.set(meant, entry.key.place);
      continue;
    }
    if (entry.value.kind === 'scalar' && entry.value.isNull) continue;
    given.set(directive.key, entry.value.place);
    const value = readValue(directive, entry.value, { label: `${directive.key} of ${name}`, report });
    if (value !== undefined) values.set(directive.key, value);
  }
  return section;
}

function reportUnknownKey(
  kind: SectionKind,
  sectionName: string,
  key: YamlScalar,
  foreign: Foreign | undefined,
  report: Report,
): void {
  if (foreign !== undefined) {
    const message = `${quote(key.text)} in ${sectionName} is a word of ${foreign.origin}`;
    report.error('unknown-key', message, key.place, { hint: foreign.advice });
    return;
  }
  const renamed = oldSpellings[kind].get(key.text);
  if (renamed !== undefined) {
    report.error(
      'old-spelling',
      `${quote(key.text)} in ${sectionName} is the old spelling of "${renamed}"`,
      key.place,
      { hint: `did you mean "${renamed}"?` },
    );
    return;
  }
  report.error('unknown-key', `unknown key ${quote(key.text)} in ${sectionName}`, key.place, {
    hint: didYouMean(key.text, directives[kind].keys()) ?? `expected a directive of ${kindLabels[kind]}`,
  });
}

const kindLabels: Readonly<Record<SectionKind, string>> = {
  settings: 'the settings section',
  compat: 'compat in the settings',
  inspect: 'inspect in the settings',
  metrics: 'metrics in the settings',
  service: 'a service',
  logging: 'a logging section',
};

function readValue(directive: Directive, node: YamlNode, context: ValueContext): Value | undefined {
  switch (directive.kind) {
    case 'names': {
      const names = readNames(node, context);
      return names === undefined ? undefined : { kind: 'names', names };
    }
    case 'globs':
      return readGlobs(node, context);
    case 'textMap':
    case 'limits':
      return readTextMap(node, context);
    case 'texts':
      return readTexts(directive, node, context);
    case 'secrets':
      return node.kind === 'map' ? readTextMap(node, context) : readTexts(directive, node, context);
    case 'section': {
      const { key, section = 'settings' } = directive;
      return {
        kind: 'section',
        section: readSection(section, { name: key, place: node.place }, node, {
          report: context.report,
          help: noHelp,
        }),
      };
    }
    case 'control':
      return readControl(node, context);
    case 'convention':
      return readConventionValue(node, context);
    case 'endings': {
      if (node.kind === 'list' && node.items.length === 0) return { kind: 'endings', endings: [] };
      const scalar = joined(node);
      if (scalar === undefined) mistaken(directive, 'wrong-shape', `is ${describeNode(node)}`, node.place, context);
      return scalar === undefined || !withoutNul(scalar, context) ? undefined : { kind: 'unexpanded', scalar };
    }
    case 'hooks':
    case 'hook':
      return readHookValue(directive, node, context);
    case 'conditions': {
      const found = readConditionNode(node, context);
      return found === undefined ? undefined : { kind: 'conditions', node: found };
    }
    case 'probes':
    case 'healthcheck':
      return { kind: 'node', node };
    case 'instances':
      return readInstances(node, context);
    default: {
      if (node.kind !== 'scalar') {
        mistaken(directive, 'wrong-shape', `is ${describeNode(node)}`, node.place, context);
        return undefined;
      }
      if (!withoutNul(node, context)) return undefined;
      return directive.expands ? { kind: 'unexpanded', scalar: node } : readScalar(directive, node, node.text, context);
    }
  }
}

/** A list of words as the same words with commas between them; undefined where it is neither that nor one word. */
function joined(node: YamlNode): YamlScalar | undefined {
  if (node.kind !== 'list') return node.kind === 'scalar' ? node : undefined;
  const texts: string[] = [];
  for (const item of node.items) {
    if (item.kind !== 'scalar') return undefined;
    texts.push(item.text);
  }
  const [first] = node.items;
  return first?.kind === 'scalar' ? { ...first, text: texts.join(', '), place: node.place } : undefined;
}

/**
 * Reads the text of a scalar; for a directive that expands, this is the expanded text. Reports and returns
 * undefined if the text is not valid.
 */
export function readScalar(
  directive: Directive,
  scalar: YamlScalar,
  text: string,
  context: ValueContext,
): Value | undefined {
  const wrong: Wrong = (code, what, hint) => {
    mistaken(directive, code, what, scalar.place, context, hint);
    return undefined;
  };
  switch (directive.kind) {
    case 'boolean': {
      const value = directive.expands && text.trim() === '' ? false : parseBoolean(text);
      return value === undefined
        ? wrong('not-a-boolean', `is neither true nor false: ${quote(text)}`)
        : { kind: 'boolean', value };
    }
    case 'seconds':
      return readSeconds(scalar, text, wrong);
    case 'integer':
      return readInteger(directive, scalar, text, wrong);
    case 'size':
      return readSize(directive, scalar, text, wrong);
    case 'span':
    case 'period':
      return readSpan(directive, scalar, text, wrong);
    case 'fileMode':
    case 'umask': {
      const [read, what] = modeKinds[directive.kind];
      const value = read(text);
      return value === undefined ? wrong('not-a-mode', `is no ${what}: ${quote(text)}`) : { kind: 'integer', value };
    }
    case 'signal': {
      const value = parseSignal(text);
      return value === undefined ? noSignal(text, text, wrong) : { kind: 'signal', value };
    }
    case 'killSteps': {
      const steps = parseKillSteps(text, scalar.plain);
      const [first = ''] = text.trim().split(/\s+/);
      return steps === undefined ? noSignal(text, first, wrong) : { kind: 'killSteps', steps };
    }
    case 'restart':
    case 'limit':
    case 'number':
    case 'endings':
      return readOfRestart(directive.kind, directive, scalar, text, wrong);
    case 'choice': {
      const choices = directive.choices ?? [];
      const value = text.trim();
      if (choices.includes(value)) return { kind: 'choice', value };
      return wrong('not-a-choice', `is not known: ${quote(text)}`, didYouMean(value, choices));
    }
    case 'rate':
      return readRate(text, wrong);
    case 'overflow':
      return readOverflow(text, wrong);
    case 'text':
      return { kind: 'text', text };
    case 'output':
    case 'command':
    case 'account':
    case 'selector':
    case 'schedule':
    case 'globs':
    case 'names':
    case 'textMap':
    case 'limits':
    case 'texts':
    case 'secrets':
    case 'section':
    case 'control':
    case 'convention':
    case 'hooks':
    case 'hook':
    case 'conditions':
    case 'probes':
    case 'healthcheck':
    case 'instances':
      throw new Error(`internal error: ${directive.key} is not read as one value`);
    default:
      return unreachable(directive.kind);
  }
}

const modeKinds = { fileMode: [parseFileMode, 'mode of a file'], umask: [parseUmask, 'umask'] } as const;

/** Reports what is wrong with a value. */
type Wrong = (code: DiagnosticCode, what: string, hint?: string) => undefined;

/** Reads a value that directives about restarts have. */
function readOfRestart(
  kind: 'restart' | 'limit' | 'number' | 'endings',
  directive: Directive,
  scalar: YamlScalar,
  text: string,
  wrong: Wrong,
): Value | undefined {
  switch (kind) {
    case 'restart': {
      const value = parseRestart(text);
      if (value !== undefined) return { kind: 'restart', ...value };
      return wrong('not-a-choice', `is not known: ${quote(text)}`, didYouMean(text.trim(), restartWords));
    }
    case 'limit': {
      if (text.trim() === 'unlimited') return { kind: 'integer', value: Number.POSITIVE_INFINITY };
      const value = parseInteger(text, scalar.plain);
      if (value === undefined)
        return wrong('not-a-number', `is not a whole number: ${quote(text)}`, didYouMean(text.trim(), ['unlimited']));
      return value < 0 ? wrong('out-of-range', `is negative: ${quote(text)}`) : { kind: 'integer', value };
    }
    case 'number': {
      const value = parseNumber(text);
      if (value === undefined) return wrong('not-a-number', `is not a number: ${quote(text)}`);
      const [least, most] = directive.range ?? [0, Number.MAX_SAFE_INTEGER];
      return value < least || value > most
        ? wrong('out-of-range', `is out of range: ${quote(text)}`)
        : { kind: 'number', value };
    }
    case 'endings': {
      const endings = parseEndings(text);
      return endings === undefined
        ? wrong('not-an-ending', `holds neither exit codes nor signals: ${quote(text)}`)
        : { kind: 'endings', endings };
    }
  }
}

/** @param name the part that should be a signal */
function noSignal(text: string, name: string, wrong: Wrong): undefined {
  const near = name.trim().toUpperCase();
  const hint =
    parseSignal(name) === undefined
      ? didYouMean(near.startsWith('SIG') ? near : `SIG${near}`, standardSignals)
      : undefined;
  return wrong('not-a-signal', `is no signal: ${quote(text)}`, hint);
}

function readSeconds({ plain }: YamlScalar, text: string, wrong: Wrong): Value | undefined {
  const value = parseSpan(text, plain);
  if (value === undefined) return wrong('not-a-time', `is not a time: ${quote(text)}`);
  if (value < 0) return wrong('out-of-range', `is negative: ${quote(text)}`);
  if (!Number.isSafeInteger(value)) return wrong('out-of-range', `is too long a time: ${quote(text)}`);
  return { kind: 'milliseconds', value };
}

function readInteger({ range }: Directive, { plain }: YamlScalar, text: string, wrong: Wrong): Value | undefined {
  const value = parseInteger(text, plain);
  if (value === undefined) return wrong('not-a-number', `is not a whole number: ${quote(text)}`);
  const [least, most] = range ?? [0, Number.MAX_SAFE_INTEGER];
  if (range === undefined && value < least) return wrong('out-of-range', `is negative: ${quote(text)}`);
  if (value < least || value > most) return wrong('out-of-range', `is out of range: ${quote(text)}`);
  return { kind: 'integer', value };
}

function readSize(directive: Directive, scalar: YamlScalar, text: string, wrong: Wrong): Value | undefined {
  const value = parseSize(text, scalar.plain);
  if (value === undefined) return wrong('not-a-size', `is no size: ${quote(text)}`);
  const [least, most] = directive.range ?? [0, Number.MAX_SAFE_INTEGER];
  if (value < least || value > most) return wrong('out-of-range', `is out of range: ${quote(text)}`);
  return { kind: 'integer', value };
}

function readOverflow(text: string, wrong: Wrong): Value | undefined {
  const value = parseOverflow(text);
  return value === undefined ? wrong('not-a-choice', `is not known: ${quote(text)}`) : { kind: 'overflow', value };
}

function readRate(text: string, wrong: Wrong): Value | undefined {
  const value = parseRate(text);
  return value === undefined ? wrong('not-a-rate', `is no rate: ${quote(text)}`) : { kind: 'rate', value };
}

function readSpan(directive: Directive, { plain }: YamlScalar, text: string, wrong: Wrong): Value | undefined {
  const choice = text.trim();
  const choices = directive.choices ?? [];
  if (choices.includes(choice)) return { kind: 'choice', value: choice };
  const value = parseSpan(text, plain);
  if (value === undefined) return wrong('not-a-time', `is not a time: ${quote(text)}`, didYouMean(choice, choices));
  if (value < shortestSpan) return wrong('out-of-range', `is too short a time: ${quote(text)}`);
  if (!Number.isSafeInteger(value)) return wrong('out-of-range', `is too long a time: ${quote(text)}`);
  return { kind: 'milliseconds', value };
}

function unreachable(kind: never): never {
  throw new Error(`internal error: unknown kind of value ${String(kind)}`);
}

function mistaken(
  directive: Directive,
  code: DiagnosticCode,
  what: string,
  place: Place,
  context: ValueContext,
  hint?: string,
): void {
  context.report.error(code, `${context.label} ${what}`, place, { hint: hint ?? expectation(directive) });
}

/** What a value of a kind has to be, where that is the same for every directive of the kind. */
const expectations = {
  rate: 'expected a number of lines and a time, such as 1000/s',
  instances: 'expected a number, a range such as 0-3, or a list of names',
  boolean: 'expected true or false',
  seconds: 'expected a number of seconds, or a time such as 500ms or 1m30s',
  span: 'expected a time of 1s or more, such as 12h or 30d',
  fileMode: 'expected three octal digits, such as 0640',
  umask: 'expected octal digits, such as 022 or 0077',
  texts: 'expected text, or a list of texts',
  secrets: 'expected a map of names to paths, or a list of names',
  text: 'expected text',
  command: 'expected a program and its arguments as one text',
  overflow: 'expected wait, with or without a time such as 5s, block or drop',
  limit: 'expected a whole number, 0 or more, or unlimited',
  endings: 'expected exit codes from 0 to 255 and signals, such as 143, SIGTERM',
  killSteps:
    'expected a signal such as SIGTERM, or its number, or several with times between them: SIGQUIT 10s SIGTERM 5s',
  hooks: 'expected a program and its arguments as one text',
  hook: 'expected a program and its arguments as one text',
  signal: 'expected a signal such as SIGTERM, or its number',
  names: 'expected names with commas between them',
  globs: 'expected a list of patterns',
  textMap: 'expected a map of names to values',
  limits: 'expected a map of names to values',
  section: 'expected a map of directives',
  control: 'expected a map with "allow"',
  convention: conventionExpectation,
  conditions: 'expected conditions',
  probes: 'expected a map',
  healthcheck: 'expected a map',
  account: 'expected a name or a number',
  selector: 'expected FACILITY.PRIORITY, such as *.info',
  schedule: 'expected five fields, or six with the seconds last',
} as const;

function expectation(directive: Directive): string {
  switch (directive.kind) {
    case 'integer':
      return directive.range === undefined
        ? 'expected a whole number, 0 or more'
        : `expected a whole number from ${directive.range[0]} to ${directive.range[1]}`;
    case 'size': {
      const [least, most] = directive.range ?? [0, Number.MAX_SAFE_INTEGER];
      return `expected a size from ${describeSize(least)} to ${describeSize(most)}, such as ${String(directive.default ?? '16M')}`;
    }
    case 'period':
      return `expected ${alternatives(directive.choices ?? [])}, or a time of 1s or more, such as 12h`;
    case 'choice':
      return `expected ${alternatives(directive.choices ?? [])}`;
    case 'restart':
      return `expected ${alternatives(restartWords)}`;
    case 'number':
      return `expected a number from ${directive.range?.[0] ?? 0} to ${directive.range?.[1] ?? Number.MAX_SAFE_INTEGER}`;
    case 'output':
      return `expected ${alternatives([...(directive.choices ?? []), 'NAME.service', 'NAME.logging'])}`;
    default:
      return expectations[directive.kind];
  }
}

/** Beside them, the booleans of older configurations are understood. */
const restartWords = ['no', 'on-failure', 'on-failure:5', 'always', 'unless-stopped'];

/** ms: no times of rotation are shorter. */
const shortestSpan = 1_000;

/** The number of bytes as configurations write it: `16M`. */
function describeSize(bytes: number): string {
  const [unit, factor] = sizeSteps.find(([, size]) => bytes >= size && bytes % size === 0) ?? ['', 1];
  return `${bytes / factor}${unit}`;
}

const sizeSteps: readonly (readonly [string, number])[] = [
  ['G', 1024 ** 3],
  ['M', 1024 ** 2],
  ['K', 1024],
];

/** Refuses text with a NUL, which cannot be passed to a program because a C string ends there. */
function withoutNul(scalar: YamlScalar, context: ValueContext): boolean {
  if (!scalar.text.includes('\0')) return true;
  context.report.error('nul-character', `${context.label} holds a NUL character`, scalar.place, {
    hint: 'expected text without "\\0"',
  });
  return false;
}

function readGlobs(node: YamlNode, context: ValueContext): Value | undefined {
  const hint = 'expected a list of patterns such as ["PATH", "LC_*"]';
  if (node.kind === 'map') {
    context.report.error('wrong-shape', `${context.label} is a map`, node.place, { hint });
    return undefined;
  }
  const globs: string[] = [];
  let complete = true;
  for (const item of node.kind === 'list' ? node.items : [node]) {
    if (item.kind !== 'scalar') {
      context.report.error('wrong-shape', `${context.label} holds ${describeNode(item)}`, item.place, { hint });
      complete = false;
    } else if (withoutNul(item, context)) {
      globs.push(
        ...item.text
          .split(',')
          .map((glob) => glob.trim())
          .filter((glob) => glob !== ''),
      );
    } else {
      complete = false;
    }
  }
  return complete ? { kind: 'globs', globs } : undefined;
}

/** A text, or a list of texts. */
function readTexts(directive: Directive, node: YamlNode, context: ValueContext): Value | undefined {
  const items = node.kind === 'list' ? node.items : [node];
  const scalars = items.filter((item) => item.kind === 'scalar').filter((item) => withoutNul(item, context));
  for (const item of items)
    if (item.kind !== 'scalar')
      mistaken(
        directive,
        'wrong-shape',
        `${node === item ? 'is' : 'holds'} ${describeNode(item)}`,
        item.place,
        context,
      );
  return scalars.length === items.length ? { kind: 'scalars', scalars } : undefined;
}

function readTextMap(node: YamlNode, context: ValueContext): Value | undefined {
  if (node.kind !== 'map') {
    context.report.error('wrong-shape', `${context.label} is ${describeNode(node)} and not a map`, node.place, {
      hint: 'expected a map of names to values',
    });
    return undefined;
  }
  const entries = new Map<string, YamlScalar>();
  let complete = true;
  for (const { key, value } of node.entries) {
    const label = `${key.text} in ${context.label}`;
    if (!/^[^=\0]+$/.test(key.text)) {
      context.report.error(
        'bad-variable-name',
        `${quote(key.text)} in ${context.label} is not a name for a variable`,
        key.place,
        { hint: 'expected a name without "="' },
      );
      complete = false;
    } else if (value.kind !== 'scalar') {
      context.report.error('wrong-shape', `${label} is ${describeNode(value)}`, value.place, { hint: 'expected text' });
      complete = false;
    } else if (withoutNul(value, { ...context, label })) {
      entries.set(key.text, value);
    } else {
      complete = false;
    }
  }
  return complete ? { kind: 'textMap', entries } : undefined;
}

/** Reads a number, a range or a list; what the texts say is known once variables in them are expanded. */
function readInstances(node: YamlNode, context: ValueContext): Value | undefined {
  const wrong =
    node.kind === 'list' ? node.items.find(({ kind }) => kind !== 'scalar') : node.kind === 'map' ? node : undefined;
  if (wrong !== undefined) {
    const what = wrong === node ? 'is' : 'holds';
    context.report.error('wrong-shape', `${context.label} ${what} ${describeNode(wrong)}`, wrong.place, {
      hint: 'expected a number, a range such as 0-3, or a list of names',
    });
    return undefined;
  }
  const items = (node.kind === 'list' ? node.items : [node]).flatMap((item) => (item.kind === 'scalar' ? [item] : []));
  if (!items.every((item) => withoutNul(item, context))) return undefined;
  return { kind: 'instances', items, isList: node.kind === 'list', place: node.place };
}
