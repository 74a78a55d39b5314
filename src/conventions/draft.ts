/**
 * What a file of another program says, in the words of a configuration: sections with their directives, each with its place in
 * that file. A draft is either loaded, as if it stood in a file of chaperone.d, or written into one.
 */
import type { Place } from '../config/source.ts';
import { quotedWord, type Written, type WrittenSection } from './written.ts';

export interface DraftDirective {
  readonly key: string;
  /** Variables and backticks in texts are expanded: texts of other programs go through `literal`. */
  readonly value: Written;
  readonly place: Place;
  /** A remark that is written behind the directive in a file. */
  readonly comment?: string;
}

export interface Draft {
  /** With its suffix: `web.service`; or `settings`. */
  readonly name: string;
  readonly place: Place;
  readonly directives: readonly DraftDirective[];
  /** Remarks that are written before the section in a file. */
  readonly comments?: readonly string[];
}

/** Something in the files of the other program for which a configuration has no counterpart, or no full one. */
export interface Remark {
  readonly place: Place | undefined;
  /** A whole sentence without its period, which names what it is about. */
  readonly message: string;
}

/** A variable that holds a backtick. Chaperone keeps names with this beginning from its services. */
const backtickVariable = '_CHAPERONE_BACKTICK';

/** Begins and ends the name of a variable that `literal` writes as `$(NAME)`: characters that no file has (private use). */
const variableStart = '\uf8f0';
const variableEnd = '\uf8f1';

/** A mark for the value of a variable, which is known only where the configuration is used. */
export function variableMark(name: string): string {
  return `${variableStart}${name}${variableEnd}`;
}

const marks = new RegExp(`${variableStart}([^${variableEnd}]*)${variableEnd}`, 'g');

/**
 * Writes text so that its expansion gives the same text. A single backtick stands for itself; several would be a command, so
 * each becomes the variable `backtickVariable`, which the section then has to set.
 */
export function literal(text: string): string {
  const escaped = text.replace(/\$(?=[({])/g, '\\$');
  const without =
    escaped.indexOf('`') === escaped.lastIndexOf('`') ? escaped : escaped.replaceAll('`', `$(${backtickVariable})`);
  return without.replace(marks, '$($1)');
}

function refersToBacktick(value: Written): boolean {
  if (typeof value === 'string') return value.includes(`$(${backtickVariable})`);
  return typeof value === 'object' && Object.values<Written>(value).some(refersToBacktick);
}

/** Adds the variables that texts of the directives refer to. */
export function withHelpers(directives: readonly DraftDirective[], place: Place): readonly DraftDirective[] {
  if (!refersToBacktick(directives.map(({ value }) => value))) return directives;
  const set = directives.find(({ key }) => key === 'env_set');
  const given = typeof set?.value === 'object' && !Array.isArray(set.value) ? set.value : {};
  const merged = { ...(set ?? { key: 'env_set', place }), value: { ...given, [backtickVariable]: '`' } };
  return set === undefined ? [...directives, merged] : directives.map((each) => (each === set ? merged : each));
}

/** The words as one command line, which splits into them again. */
export function joinWords(words: readonly string[]): string {
  return words.map(quotedWord).join(' ');
}

/** Turns a draft into a section that can be loaded. */
export function writtenOf({ name, place, directives }: Draft): WrittenSection {
  return {
    name,
    place,
    directives: Object.fromEntries(directives.map(({ key, value }) => [key, value])),
    places: Object.fromEntries(directives.map(({ key, place: at }) => [key, at])),
  };
}
