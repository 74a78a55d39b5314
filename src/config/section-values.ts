/** Readers of single directives: each returns the given value, else the default of the table. */
import type { Overflow } from '../model/log/overflow.ts';
import { parseSignal, type SignalName } from '../model/service/signal.ts';
import { directives } from './directives.ts';
import { type Environment, expandDirective } from './environment.ts';
import type { YamlScalar } from './parse-yaml.ts';
import type { NameReference } from './read-names.ts';
import type { Report } from './report.ts';
import { emptySection, readScalar, type Section, type Value } from './validate.ts';
import { parseOverflow, parseSize } from './values.ts';

export function directiveOf(section: Section, key: string) {
  const directive = directives[section.kind].get(key);
  if (directive === undefined) throw new Error(`internal error: ${section.kind} has no directive ${key}`);
  return directive;
}

function noDefault(section: Section, key: string): never {
  throw new Error(`internal error: ${key} of ${section.kind} has no fitting default`);
}

export function boolean(section: Section, key: string): boolean {
  const value = section.values.get(key);
  if (value?.kind === 'boolean') return value.value;
  const { default: fallback } = directiveOf(section, key);
  return typeof fallback === 'boolean' ? fallback : noDefault(section, key);
}

export function milliseconds(section: Section, key: string): number {
  const value = section.values.get(key);
  if (value?.kind === 'milliseconds') return value.value;
  const { default: fallback } = directiveOf(section, key);
  return typeof fallback === 'number' ? fallback * 1000 : noDefault(section, key);
}

export function integer(section: Section, key: string): number {
  const value = section.values.get(key);
  if (value?.kind === 'integer') return value.value;
  const { default: fallback } = directiveOf(section, key);
  return typeof fallback === 'number' ? fallback : noDefault(section, key);
}

/** Bytes. */
export function size(section: Section, key: string): number {
  const value = section.values.get(key);
  if (value?.kind === 'integer') return value.value;
  const { default: fallback } = directiveOf(section, key);
  return (typeof fallback === 'string' ? parseSize(fallback, true) : undefined) ?? noDefault(section, key);
}

/** The section inside a directive whose value is a map of directives; empty if it is not given. */
export function innerSection(section: Section, key: string): Section {
  const value = section.values.get(key);
  return value?.kind === 'section' ? value.section : emptySection(directiveOf(section, key).section ?? 'settings', key);
}

export function signal(section: Section, key: string): SignalName {
  const value = section.values.get(key);
  if (value?.kind === 'signal') return value.value;
  const { default: fallback } = directiveOf(section, key);
  return (typeof fallback === 'string' ? parseSignal(fallback) : undefined) ?? noDefault(section, key);
}

export function choice(section: Section, key: string): string {
  const value = section.values.get(key);
  if (value?.kind === 'choice') return value.value;
  const { default: fallback } = directiveOf(section, key);
  return typeof fallback === 'string' ? fallback : noDefault(section, key);
}

export function overflowOf(section: Section, key: string): Overflow {
  const value = section.values.get(key);
  if (value?.kind === 'overflow') return value.value;
  const { default: fallback } = directiveOf(section, key);
  return (typeof fallback === 'string' ? parseOverflow(fallback) : undefined) ?? noDefault(section, key);
}

export function namesOf(section: Section, key: string): readonly NameReference[] {
  const value = section.values.get(key);
  return value?.kind === 'names' ? value.names : [];
}

/** An empty list of groups counts as not given, since every service is in a group. */
export function groupsOf(section: Section): readonly NameReference[] {
  const names = namesOf(section, 'service_groups');
  if (names.length > 0) return names;
  const { default: fallback } = directiveOf(section, 'service_groups');
  return Array.isArray(fallback) ? fallback.map((name) => ({ name, place: section.place })) : [];
}

export function scalarOf(section: Section, key: string): YamlScalar | undefined {
  const value: Value | undefined = section.values.get(key);
  return value?.kind === 'unexpanded' ? value.scalar : undefined;
}

/** The expanded text of a directive; undefined where it is not given or expands to nothing. */
export function expandedText(
  section: Section,
  key: string,
  environment: Environment,
  enabled: boolean,
  report: Report,
): string | undefined {
  const scalar = scalarOf(section, key);
  if (scalar === undefined) return undefined;
  const text = expandDirective(environment, key, scalar, { owner: section.name, enabled, report });
  return text === undefined || text.trim() === '' ? undefined : text;
}

/**
 * @param enabled false: the service is disabled, and a variable that it requires may be missing
 * @param fallback the default if the table has none
 */
export function expandedBoolean(
  section: Section,
  key: string,
  environment: Environment,
  report: Report,
  { enabled = true, fallback }: { readonly enabled?: boolean; readonly fallback?: boolean } = {},
): boolean {
  const directive = directiveOf(section, key);
  const scalar = scalarOf(section, key);
  const text =
    scalar === undefined
      ? undefined
      : expandDirective(environment, key, scalar, { owner: section.name, enabled, report });
  if (scalar !== undefined && text !== undefined) {
    const value = readScalar(directive, scalar, text, { label: `${key} of ${section.name}`, report });
    if (value?.kind === 'boolean') return value.value;
  }
  if (fallback !== undefined) return fallback;
  return typeof directive.default === 'boolean' ? directive.default : noDefault(section, key);
}

/** The expanded choice of a directive; undefined where it is not given or is none of the choices. */
export function expandedChoice(...directive: Parameters<typeof expandedValue>): string | undefined {
  const value = expandedValue(...directive);
  return value?.kind === 'choice' ? value.value : undefined;
}

/** The expanded number of a directive; undefined where it is not given or is no such number. */
export function expandedInteger(...directive: Parameters<typeof expandedValue>): number | undefined {
  const value = expandedValue(...directive);
  return value?.kind === 'integer' ? value.value : undefined;
}

/** The expanded time of a directive, ms; undefined where it is not given or is none. */
export function expandedSpan(...directive: Parameters<typeof expandedValue>): number | undefined {
  const value = expandedValue(...directive);
  return value?.kind === 'milliseconds' ? value.value : undefined;
}

/** The value of a directive that is read once its text is expanded; undefined where it is not given or cannot be read. */
export function expandedValue(
  section: Section,
  key: string,
  environment: Environment,
  enabled: boolean,
  report: Report,
): ReturnType<typeof readScalar> {
  const scalar = scalarOf(section, key);
  const text = expandedText(section, key, environment, enabled, report);
  if (scalar === undefined || text === undefined) return undefined;
  return readScalar(directiveOf(section, key), scalar, text, { label: `${key} of ${section.name}`, report });
}
