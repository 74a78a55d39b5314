import { parseSignal, type SignalName, standardSignals } from '../model/service/signal.ts';
import type { DiagnosticCode } from '../model/words/diagnostic-code.ts';
import { alternatives, didYouMean, nearest } from '../model/words/nearest.ts';
import { type Directive, directives, oldSpellings, type SectionKind } from './directives.ts';
import { withoutDuplicates, type YamlEntry, type YamlNode, type YamlScalar } from './parse-yaml.ts';
import { type GrantsValue, readControl } from './read-control.ts';
import { describeNode, type NameReference, readNames, type ValueContext } from './read-names.ts';
import type { Report } from './report.ts';
import { createSource, type Place } from './source.ts';
import { parseBoolean, parseInteger, parseSeconds, parseSize } from './values.ts';
import { quote } from './wording.ts';

/** A directive's value, understood as far as that is possible before variables are expanded. */
export type Value =
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'milliseconds'; readonly value: number }
  | { readonly kind: 'integer'; readonly value: number }
  | { readonly kind: 'signal'; readonly value: SignalName }
  | { readonly kind: 'choice'; readonly value: string }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'names'; readonly names: readonly NameReference[] }
  | { readonly kind: 'globs'; readonly globs: readonly string[] }
  | { readonly kind: 'textMap'; readonly entries: ReadonlyMap<string, YamlScalar> }
  | { readonly kind: 'section'; readonly section: Section }
  | GrantsValue
  | { readonly kind: 'unexpanded'; readonly scalar: YamlScalar };

/** One section of one file, or of several merged ones. */
export interface Section {
  readonly kind: SectionKind;
  /** With its suffix: `web.service`. */
  readonly name: string;
  readonly place: Place;
  /** The directives that are given and free of mistakes. */
  readonly values: ReadonlyMap<string, Value>;
  /** The directives that are given at all, mistaken ones included. */
  readonly given: ReadonlySet<string>;
}

/** A section that no file has; its place is never reported, because nothing in it can be wrong. */
export function emptySection(kind: SectionKind, name: string): Section {
  const place: Place = { source: createSource('', ''), start: 0, end: 0 };
  return { kind, name, place, values: new Map(), given: new Set() };
}

const sectionExpectation = 'expected settings, NAME.service or NAME.logging';

/** Checks the sections of one file. Mistakes go to the report; a section with mistakes is returned without them. */
export function readSections(roots: readonly YamlNode[], report: Report): readonly Section[] {
  const entries = roots.flatMap((root) => rootEntries(root, report));
  // Several documents in one file count as one document.
  const unique = roots.length > 1 ? withoutDuplicates(entries, report) : entries;
  return unique.flatMap(({ key, value }) => {
    const kind = sectionKind(key, report);
    return kind === undefined ? [] : [readSection(kind, { name: key.text, place: key.place }, value, report)];
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

function sectionKind(key: YamlScalar, report: Report): SectionKind | undefined {
  const name = key.text;
  if (name === 'settings') return 'settings';
  const match = /^(.*)\.(service|logging)$/s.exec(name);
  if (match === null) {
    const dot = name.lastIndexOf('.');
    const stem = dot < 0 ? undefined : name.slice(0, dot);
    const near = stem === undefined ? ['settings'] : [`${stem}.service`, `${stem}.logging`];
    report.error('unknown-section', `unknown section ${quote(name)}`, key.place, {
      hint: didYouMean(name, near) ?? sectionExpectation,
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
  report: Report,
): Section {
  const values = new Map<string, Value>();
  const given = new Set<string>();
  const section: Section = { kind, name, place, values, given };
  if (node.kind === 'scalar' && node.isNull) return section;
  if (node.kind !== 'map') {
    // Only this mistake is reported: a missing command is not, since the directives are unknown.
    given.add('command');
    report.error('wrong-shape', `${name} is ${describeNode(node)} and not a map of directives`, node.place, {
      hint: 'expected lines such as "KEY: VALUE", indented',
    });
    return section;
  }
  for (const entry of node.entries) {
    const directive = directives[kind].get(entry.key.text);
    if (directive === undefined) {
      reportUnknownKey(kind, name, entry.key, report);
      // Only this mistake is reported: a misspelt required key does not count as missing.
      const meant = nearest(entry.key.text, directives[kind].keys());
      if (meant !== undefined) given.add(meant);
      continue;
    }
    if (entry.value.kind === 'scalar' && entry.value.isNull) continue;
    given.add(directive.key);
    const value = readValue(directive, entry.value, { label: `${directive.key} of ${name}`, report });
    if (value !== undefined) values.set(directive.key, value);
  }
  return section;
}

function reportUnknownKey(kind: SectionKind, sectionName: string, key: YamlScalar, report: Report): void {
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
  inspect: 'inspect in the settings',
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
      return readTextMap(node, context);
    case 'section': {
      const { key, section = 'settings' } = directive;
      return { kind: 'section', section: readSection(section, { name: key, place: node.place }, node, context.report) };
    }
    case 'control':
      return readControl(node, context);
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
  const wrong = (code: DiagnosticCode, what: string, hint?: string): undefined => {
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
    case 'seconds': {
      const value = parseSeconds(text, scalar.plain);
      if (value === undefined) return wrong('not-a-time', `is not a number of seconds: ${quote(text)}`);
      if (value < 0) return wrong('out-of-range', `is negative: ${quote(text)}`);
      if (!Number.isSafeInteger(value)) return wrong('out-of-range', `is too long a time: ${quote(text)}`);
      return { kind: 'milliseconds', value };
    }
    case 'integer': {
      const value = parseInteger(text, scalar.plain);
      if (value === undefined) return wrong('not-a-number', `is not a whole number: ${quote(text)}`);
      const [least, most] = directive.range ?? [0, Number.MAX_SAFE_INTEGER];
      if (directive.range === undefined && value < least) return wrong('out-of-range', `is negative: ${quote(text)}`);
      if (value < least || value > most) return wrong('out-of-range', `is out of range: ${quote(text)}`);
      return { kind: 'integer', value };
    }
    case 'size': {
      const value = parseSize(text, scalar.plain);
      if (value === undefined) return wrong('not-a-size', `is no size: ${quote(text)}`);
      const [least, most] = directive.range ?? [0, Number.MAX_SAFE_INTEGER];
      if (value < least || value > most) return wrong('out-of-range', `is out of range: ${quote(text)}`);
      return { kind: 'integer', value };
    }
    case 'signal': {
      const value = parseSignal(text);
      if (value !== undefined) return { kind: 'signal', value };
      const name = text.trim().toUpperCase();
      return wrong(
        'not-a-signal',
        `is no signal: ${quote(text)}`,
        didYouMean(name.startsWith('SIG') ? name : `SIG${name}`, standardSignals),
      );
    }
    case 'choice': {
      const choices = directive.choices ?? [];
      const value = text.trim();
      if (choices.includes(value)) return { kind: 'choice', value };
      return wrong('not-a-choice', `is not known: ${quote(text)}`, didYouMean(value, choices));
    }
    case 'text':
      return { kind: 'text', text };
    case 'command':
    case 'account':
    case 'selector':
    case 'schedule':
    case 'globs':
    case 'names':
    case 'textMap':
    case 'section':
    case 'control':
      throw new Error(`internal error: ${directive.key} is not read as one value`);
    default:
      return unreachable(directive.kind);
  }
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

function expectation(directive: Directive): string {
  switch (directive.kind) {
    case 'boolean':
      return 'expected true or false';
    case 'seconds':
      return 'expected a number of seconds, 0 or more';
    case 'integer':
      return directive.range === undefined
        ? 'expected a whole number, 0 or more'
        : `expected a whole number from ${directive.range[0]} to ${directive.range[1]}`;
    case 'size': {
      const [least, most] = directive.range ?? [0, Number.MAX_SAFE_INTEGER];
      return `expected a size from ${describeSize(least)} to ${describeSize(most)}, such as 16M`;
    }
    case 'text':
      return 'expected text';
    case 'command':
      return 'expected a program and its arguments as one text';
    case 'choice':
      return `expected ${alternatives(directive.choices ?? [])}`;
    case 'signal':
      return 'expected a signal such as SIGTERM, or its number';
    case 'names':
      return 'expected names with commas between them';
    case 'globs':
      return 'expected a list of patterns';
    case 'textMap':
      return 'expected a map of names to values';
    case 'section':
      return 'expected a map of directives';
    case 'control':
      return 'expected a map with "allow"';
    case 'account':
      return 'expected a name or a number';
    case 'selector':
      return 'expected FACILITY.PRIORITY, such as *.info';
    case 'schedule':
      return 'expected five fields, or six with the seconds last';
    default:
      return unreachable(directive.kind);
  }
}

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
