/**
 * What a command can be given, described once. The same description is an option of a command line, a field of a JSON body and a
 * parameter of a query; help, man pages, completions and the OpenAPI file are made of it.
 */
import { alternatives } from './nearest.ts';
import { oneLine } from './printable.ts';

/** What a field holds in JSON. */
export type JsonType = 'boolean' | 'number' | 'string' | 'strings';

export interface Parameter<V> {
  /** The option, without its dashes. */
  readonly name: string;
  /** The one letter that means the same. */
  readonly short?: string;
  readonly summary: string;
  /** `value`: behind "=" or in the next word, whatever that looks like. `attached`: it may have one, and only behind "=". */
  readonly takes: 'nothing' | 'value' | 'attached';
  /** What an attached value is where there is none. */
  readonly bare?: string;
  /** What help calls the value. */
  readonly metavar: string;
  /** What the value has to be, as it stands behind "needs". */
  readonly expects: string;
  readonly choices?: readonly string[];
  /** May be given several times, and then all of them count. */
  readonly repeats?: true;
  /** What shells complete the value with; `assignments`: names of services, each with an equals sign behind it. */
  readonly completes?: 'files' | 'folders' | 'assignments';
  /** The option in whose line of the help this one stands, and what is said of it there. */
  readonly beside?: { readonly option: string; readonly briefly: string };
  readonly json: JsonType;
  readonly absent: V;
  /** The value of all texts that were given, of which there is one at least; undefined where one does not fit. */
  readonly read: (texts: readonly string[]) => V | undefined;
  /** undefined where the value does not fit. */
  readonly readJson: (value: unknown) => V | undefined;
  /** What is said of a text that does not fit. */
  readonly wrong: (text: string) => string;
}

type More = Partial<
  Pick<Parameter<unknown>, 'short' | 'choices' | 'completes' | 'beside' | 'expects' | 'json' | 'wrong'>
>;

/** What was given, however it came. */
export interface Given {
  has(parameter: Parameter<unknown>): boolean;
  get<V>(parameter: Parameter<V>): V;
}

/** Something that is there or not. */
export function flag(name: string, summary: string, more: More = {}): Parameter<boolean> {
  return {
    name,
    summary,
    takes: 'nothing',
    metavar: '',
    expects: 'true or false',
    json: 'boolean',
    absent: false,
    read: () => true,
    readJson: (value) => (typeof value === 'boolean' ? value : undefined),
    wrong: () => `--${name} takes no value`,
    ...more,
  };
}

/**
 * Something with a value, which is text on a command line and in JSON.
 *
 * @param read returns undefined for what does not fit; without it every text but the empty one does
 */
export function value(name: string, metavar: string, summary: string, more?: More): Parameter<string | undefined>;
export function value<V>(
  name: string,
  metavar: string,
  summary: string,
  more: More,
  read: (text: string) => V | undefined,
): Parameter<V | undefined>;
export function value<V>(
  name: string,
  metavar: string,
  summary: string,
  more: More = {},
  read?: (text: string) => V | undefined,
): Parameter<V | string | undefined> {
  const readText = read ?? ((text: string) => (text === '' ? undefined : text));
  const { choices, expects = choices === undefined ? 'a value' : alternatives(choices) } = more;
  const needs = choices === undefined ? 'needs' : 'takes';
  return {
    name,
    summary,
    metavar,
    takes: 'value',
    json: 'string',
    absent: undefined,
    read: (texts) => readText(texts.at(-1) ?? ''),
    readJson: (given) => (typeof given === 'string' ? readText(given) : undefined),
    wrong: (text) =>
      text === '' ? `--${name} needs ${expects}` : `--${name} ${needs} ${expects}, not "${oneLine(text)}"`,
    ...more,
    expects,
  };
}

/** Something that has one of a few values. */
export function choice<const C extends string>(
  name: string,
  metavar: string,
  summary: string,
  choices: readonly C[],
): Parameter<C | undefined> {
  return value(name, metavar, summary, { choices }, (text) => choices.find((candidate) => candidate === text));
}

/** Something that may be given several times. */
export function values(name: string, metavar: string, summary: string, more: More = {}): Parameter<readonly string[]> {
  return {
    ...value(name, metavar, summary, more),
    repeats: true,
    json: 'strings',
    absent: [],
    read: (texts) => (texts.includes('') ? undefined : texts),
    readJson: (given) => {
      if (!Array.isArray(given)) return undefined;
      const texts = given.filter((item) => typeof item === 'string');
      return texts.length === given.length ? texts : undefined;
    },
  };
}

const longestTime = 10 * 365 * 86_400;

/** Seconds of a command line or of JSON, as ms; undefined for what is negative or longer than ten years. */
export function readSeconds(text: string): number | undefined {
  return /^\+?(\d+\.?\d*|\.\d+)$/.test(text) ? inTime(Number(text)) : undefined;
}

function inTime(seconds: number): number | undefined {
  return seconds >= 0 && seconds <= longestTime ? Math.round(seconds * 1000) : undefined;
}

/** A number of seconds; its value is ms. */
export function seconds(
  name: string,
  metavar: string,
  summary: string,
  more: More = {},
): Parameter<number | undefined> {
  return {
    ...value(name, metavar, summary, { expects: 'a number of seconds', json: 'number', ...more }, readSeconds),
    readJson: (given) => (typeof given === 'number' ? inTime(given) : undefined),
  };
}

/** How many there shall be of something. */
export function count(name: string, metavar: string, summary: string, more: More = {}): Parameter<number | undefined> {
  const read = (text: string): number | undefined => (/^\d{1,9}$/.test(text) ? Number(text) : undefined);
  return {
    ...value(name, metavar, summary, { expects: 'a number', json: 'number', ...more }, read),
    readJson: (given) =>
      typeof given === 'number' && Number.isFinite(given) && given >= 0 ? Math.floor(given) : undefined,
  };
}

/** What a field of JSON is called: `dryRun` for `dry-run`. */
export function fieldName({ name }: Parameter<unknown>): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** As help writes it: `--timeout SECONDS`, `--inspect[=KIND]`. */
export function optionTitle({ name, takes, metavar }: Parameter<unknown>): string {
  switch (takes) {
    case 'nothing':
      return `--${name}`;
    case 'value':
      return `--${name} ${metavar}`;
    case 'attached':
      return `--${name}[=${metavar}]`;
  }
}
