/**
 * Templates: one section `worker@.service` stands for many services, `worker@1.service` and so on, one for each of its
 * instances.
 */

/** The most instances of one template. */
export const mostInstances = 1_000;

/** How the instances of a template are named. */
export type InstanceRange =
  /** Numbers, the smallest and how many; only these can be scaled. */
  | { readonly kind: 'numbers'; readonly first: number; readonly count: number }
  | { readonly kind: 'list'; readonly names: readonly string[] };

/** A template as it is in force. */
export interface Template {
  /** With its suffix: `worker@.service`. */
  readonly name: string;
  /** What the files say. */
  readonly configured: InstanceRange;
  /** How many instances `scale` has asked for; absent: as the files say. */
  readonly scaled?: number;
}

/** How many instances somebody has asked for by hand, and what the files said then: another word there ends it. */
export interface Scale {
  readonly count: number;
  readonly configured: InstanceRange;
}

/** True for `worker@.service`. */
export function isTemplate(name: string): boolean {
  return /^[^@]+@\.service$/s.test(name);
}

/** The template of an instance, by their full names: `worker@.service` for `worker@1.service`. */
export function templateOf(name: string): string | undefined {
  return instanceOf(name) === undefined ? undefined : name.replace(/@.*$/s, '@.service');
}

/** Which instance a service is: `1` for `worker@1.service`; undefined for a name without `@`. */
export function instanceOf(name: string): string | undefined {
  return /^[^@]+@([^@]+)\.service$/s.exec(name)?.[1];
}

/** The full name of an instance. */
export function instanceName(template: string, instance: string): string {
  return template.replace(/@\.service$/, () => `@${instance}.service`);
}

/** The full name of a template that people name as `worker`, `worker@` or `worker@.service`. */
export function templateName(word: string): string {
  return `${word.replace(/@?(?:\.service)?$/, '')}@.service`;
}

/** The instances of a template, in order. */
export function instancesOf(range: InstanceRange, scaled?: number): readonly string[] {
  if (range.kind === 'list') return range.names;
  return Array.from({ length: scaled ?? range.count }, (_, index) => String(range.first + index));
}

/** As a configuration writes it: `3`, `0-3`, `mail, web`. */
export function describeRange(range: InstanceRange): string {
  if (range.kind === 'list') return range.names.join(', ');
  const { first, count } = range;
  return first === 1 || count === 0 ? String(count) : `${first}-${first + count - 1}`;
}

/** What is wrong with a text, and what is expected there. */
export type RangeResult =
  | { readonly ok: true; readonly range: InstanceRange }
  | {
      readonly ok: false;
      readonly code: 'bad-name' | 'out-of-range';
      readonly problem: string;
      readonly hint?: string;
    };

/** Reads `3` (instances 1 to 3), `0-3`, or names with commas between them. */
export function parseInstances(text: string): RangeResult {
  const words = text.split(',').flatMap((word) => (word.trim() === '' ? [] : [word.trim()]));
  const [only = ''] = words;
  const numbers = words.length > 1 ? null : /^(\d+)(?:\s*-\s*(\d+))?$/.exec(only);
  if (numbers === null && words.length === 1 && /^\d/.test(only))
    return { ok: false, code: 'bad-name', problem: `is neither a number nor a range: "${only}"` };
  if (numbers === null) return parseNames(words);
  const [, from = '', to] = numbers;
  const first = to === undefined ? 1 : Number(from);
  const count = to === undefined ? Number(from) : Number(to) - first + 1;
  if (count < 0) return { ok: false, code: 'out-of-range', problem: `begins behind its end: "${only}"` };
  if (count > mostInstances || first + count > Number.MAX_SAFE_INTEGER)
    return { ok: false, code: 'out-of-range', problem: `makes too many services: ${only}`, hint: tooMany };
  return { ok: true, range: { kind: 'numbers', first, count } };
}

const tooMany = `expected at most ${mostInstances} instances`;

/** Reads the items of a list, none of which is a range. */
export function parseNames(names: readonly string[]): RangeResult {
  const wrong = names.find((name) => !/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(name) || /^\d+-\d+$/.test(name));
  if (wrong !== undefined) {
    const hint = 'expected names of letters, digits and _ . - in a list, such as [mail, web], or a range alone';
    return { ok: false, code: 'bad-name', problem: `holds "${wrong}", which is no name of an instance`, hint };
  }
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) return { ok: false, code: 'bad-name', problem: `names "${twice}" twice` };
  if (names.length > mostInstances)
    return { ok: false, code: 'out-of-range', problem: `makes too many services: ${names.length}`, hint: tooMany };
  return { ok: true, range: { kind: 'list', names } };
}

/** True if both say the same. */
export function isSameRange(one: InstanceRange, other: InstanceRange): boolean {
  return one.kind === other.kind && describeRange(one) === describeRange(other);
}
