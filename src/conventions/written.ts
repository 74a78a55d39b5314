/** Sections of a configuration that no file holds: what readers of conventions make, and `import` writes down. */
import type { YamlNode, YamlScalar } from '../config/parse-yaml.ts';
import { createSource, type Place } from '../config/source.ts';

/** A value as YAML has it. Text is never taken for a number. */
export type Written = string | number | boolean | readonly Written[] | { readonly [key: string]: Written };

/** One section: `web.service` with its directives. */
export interface WrittenSection {
  /** With its suffix, or `settings`. */
  readonly name: string;
  readonly directives: Readonly<Record<string, Written>>;
  /** The place that diagnostics about the section point at. */
  readonly place: Place;
  /** The places of single directives, by their keys; the other directives have the place of the section. */
  readonly places?: Readonly<Record<string, Place>>;
}

/** The place of a file or a folder as a whole, for what is no matter of a line. */
export function placeOfFile(path: string): Place {
  return { source: createSource(path, ''), start: 0, end: 0 };
}

/** Text that means itself in a directive in which variables are expanded. Backticks stay what they are: commands. */
export function literal(text: string): string {
  return text.replace(/\$(?=[({])/g, '\\$&');
}

/** One word of a command, quoted where splitting would change it. */
export function quotedWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * The name of a service with its suffix, made of one that another init allows: without blanks and commas, not the name of a
 * template, and not all upper case, which is reserved.
 */
export function serviceName(given: string): string {
  const stem = given.replaceAll(/[\s,\0]/g, '_').replace(/@$/, '_');
  const reserved = stem === stem.toUpperCase() && stem !== stem.toLowerCase();
  return `${reserved ? stem.toLowerCase() : stem}.service`;
}

/** The sections as the parser of YAML would give them. */
export function nodeOf(sections: readonly WrittenSection[]): YamlNode {
  const unique = new Map(sections.map((section) => [section.name, section]));
  const place = sections[0]?.place ?? placeOfFile('');
  const entries = [...unique.values()].map((section) => ({
    key: scalar(section.name, section.place, false),
    value: {
      kind: 'map' as const,
      place: section.place,
      entries: Object.entries(section.directives).map(([key, value]) => {
        const at = section.places?.[key] ?? section.place;
        return { key: scalar(key, at, true), value: valueNode(value, at) };
      }),
    },
  }));
  return { kind: 'map', place, entries };
}

function valueNode(value: Written, place: Place): YamlNode {
  if (typeof value === 'string') return scalar(value, place, false);
  if (typeof value !== 'object') return scalar(String(value), place, true);
  if (isList(value)) return { kind: 'list', place, items: value.map((item) => valueNode(item, place)) };
  const entries = Object.entries(value).map(([key, inner]) => ({
    key: scalar(key, place, false),
    value: valueNode(inner, place),
  }));
  return { kind: 'map', place, entries };
}

function isList(value: Written): value is readonly Written[] {
  return Array.isArray(value);
}

function scalar(text: string, place: Place, plain: boolean): YamlScalar {
  return { kind: 'scalar', place, text, plain, isNull: false };
}
