/**
 * A parameter of a command, described once. The same description serves as option of a command line, field of a JSON body and
 * parameter of a query; help, man pages, completions and the OpenAPI file are generated from it.
 */
import { alternatives } from './nearest.ts';
import { oneLine } from './printable.ts';

/** What a field holds in JSON. */
export type JsonType = 'boolean' | 'number' | 'string' | 'strings';

export interface Parameter<V> {
  /** The option, without its dashes. */
  readonly name: string;
  /** The option's one-letter form. */
  readonly short?: string;
  readonly summary: string;
  /**
   * `value`: the value stands behind "=" or is the next word, whatever that looks like. `attached`: a value is optional and
   * stands behind "=".
   */
  readonly takes: 'nothing' | 'value' | 'attached';
  /** The value if an optional attached value is left out. */
  readonly bare?: string;
  /** The name of the value in help. */
  readonly metavar: string;
  /** What the value has to be, for the message "NAME needs …". */
  readonly expects: string;
  readonly choices?: readonly string[];
  /** True if the option may be given several times, all of which count. */
  readonly repeats?: true;
  /** True if the original does not have the option: a prefix that fits one of the original's means that one. */
  readonly added?: true;
  /** What shells offer as the value. `assignments`: each service's name, followed by `=`. */
  readonly completes?: 'files' | 'folders' | 'assignments';
  /** The option in whose line of the help this one is mentioned, and the text for it. */
  readonly beside?: { readonly option: string; readonly briefly: string };
  readonly json: JsonType;
  readonly absent: V;
  /** Reads the given texts, of which there is at least one; undefined if one of them is not valid. */
  readonly read: (texts: readonly string[]) => V | undefined;
  /** Reads the value of a JSON field; undefined if it is not valid. */
  readonly readJson: (value: unknown) => V | undefined;
  /** The message for a text that is not valid. */
  readonly wrong: (text: string) => string;
}

type More = Partial<
  Pick<Parameter<unknown>, 'short' | 'choices' | 'added' | 'completes' | 'beside' | 'expects' | 'json' | 'wrong'>
>;

/** The values that were given, by words, JSON or query. */
export interface Given {
  has(parameter: Parameter<unknown>): boolean;
  get<V>(parameter: Parameter<V>): V;
}

/** A parameter that is either given or not. */
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
 * A parameter with a value, which is text on a command line and in JSON.
 *
 * @param read returns undefined for an invalid text; by default every text but the empty one is valid
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

/** A parameter with one of a few values. */
export function choice<const C extends string>(
  name: string,
  metavar: string,
  summary: string,
  choices: readonly C[],
): Parameter<C | undefined> {
  return value(name, metavar, summary, { choices }, (text) => choices.find((candidate) => candidate === text));
}

/** A parameter that may be given several times. */
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
  return /^\+?(\d+(\.\d*)?|\.\d+)$/.test(text) ? inTime(Number(text)) : undefined;
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

/** A parameter that is a count. */
export function count(name: string, metavar: string, summary: string, more: More = {}): Parameter<number | undefined> {
  const read = (text: string): number | undefined => (/^\d{1,9}$/.test(text) ? Number(text) : undefined);
  return {
    ...value(name, metavar, summary, { expects: 'a number', json: 'number', ...more }, read),
    readJson: (given) =>
      typeof given === 'number' && Number.isFinite(given) && given >= 0 ? Math.floor(given) : undefined,
  };
}

/** The name of the parameter in JSON: `dryRun` for `dry-run`. */
export function fieldName({ name }: Parameter<unknown>): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** The option as help writes it: `--timeout SECONDS`, `--inspect[=KIND]`. */
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
