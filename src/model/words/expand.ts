import { compileGlob, type Glob } from './glob.ts';
import { compileRegex, type Regex, type RegexLack, type Replacer, shownRegex } from './regex.ts';

/** Why an expansion cannot be done. */
export type ExpansionErrorCode =
  | 'EXPANSION_REQUIRED'
  | 'EXPANSION_PENDING'
  | 'EXPANSION_LATE_COMMAND'
  | 'EXPANSION_BAD_SYNTAX'
  | 'EXPANSION_BAD_REGEX'
  | 'EXPANSION_TOO_LARGE';

/**
 * Thrown by an Expander. The message of `EXPANSION_REQUIRED` is the user's own text from `$(V:?text)`. `EXPANSION_PENDING`
 * is no mistake: the output of a command is needed first.
 */
export class ExpansionError extends Error {
  readonly code: ExpansionErrorCode;
  /** The variable whose own value holds the fault; absent where it is in the text that was to be expanded. */
  readonly origin?: { readonly name: string; readonly level: number };

  constructor(code: ExpansionErrorCode, message: string, origin?: { readonly name: string; readonly level: number }) {
    super(message);
    this.name = 'ExpansionError';
    this.code = code;
    if (origin !== undefined) this.origin = origin;
  }
}

/** One level of variables as they are written, not yet expanded. */
export interface Level {
  readonly values: ReadonlyMap<string, string>;
  /** Levels with one number belong to one section. */
  readonly section?: number;
  /** Globs: of the levels further out, only names that match one are seen from here and further in (`env_inherit`). */
  readonly inherits?: readonly string[];
  /** Globs: names that are not seen from further in, wherever they are set (`env_unset`). */
  readonly drops?: readonly string[];
  /**
   * The values come from outside, and nothing in them is run: `literal` ones are not expanded at all, in the others
   * backticks stay as they are. Without it, they are expanded like all that a configuration says.
   */
  readonly data?: DataKind;
}

export type DataKind = 'literal' | 'withoutCommands';

export interface ExpanderOptions {
  /**
   * The output of a command in backticks; undefined if it is not known yet.
   *
   * @param level the level whose value holds the command; undefined if the expanded text itself holds it
   */
  readonly commandOutput?: (command: string, level: number | undefined) => string | undefined;
  /** Names of variables whose values are stand-ins: the true ones are known only when a service starts. */
  readonly late?: ReadonlySet<string>;
  /** True: `$(V:?message)` gives nothing where V is not set; else that is an error. */
  readonly assumesRequired?: boolean;
  /** What begins a form: a prefix, then one of the opening brackets `(`, `{` and `[`. By default `$`, and `(` or `{`. */
  readonly prefix?: string;
  readonly brackets?: string;
}

export interface ExpandOptions {
  /** Backticks in the text itself stay as they are; those in the values of its variables do not. */
  readonly literalBackticks?: boolean;
}

/** Expands text against levels of variables. */
export interface Expander {
  /** Expands text. Throws ExpansionError. */
  expand(text: string, options?: ExpandOptions): string;
  /** The expanded value of a variable, undefined where no level has it. Throws ExpansionError. */
  variable(name: string): string | undefined;
  /** The last expansion depended on a stand-in. */
  readonly wasLate: boolean;
  /** Every variable that can be seen from the innermost level. */
  names(): string[];
}

/**
 * The kernel's limit for one argument or environment string (MAX_ARG_STRLEN): what expands to more could not be handed
 * to a program anyway. Text that is longer without any expansion passes.
 */
const longestResult = 131_072;
/** Characters that one expansion may produce on its way, so that values that double each other end quickly. */
const mostWork = 4 * 1024 * 1024;
/** The characters of a value, times the instructions of the expression that is matched against it. */
const mostMatching = 16 * 1024 * 1024;
/** The work that each form counts as, since a form that yields little text costs time, too. */
const formCost = 64;
const deepestNesting = 100;

interface Frame {
  readonly name: string;
  readonly level: number;
}

interface Place {
  /** The variable whose value is expanded. */
  readonly frame: Frame | undefined;
  readonly nesting: number;
  readonly literalBackticks: boolean;
}

/**
 * Expands by section 4 of the reference: `$(V)`, `${V}`, `:-`, `:+`, `:_`, `:?`, `:|…`, `:/…/…/`, commands in backticks,
 * nested, late.
 *
 * Variables are looked up from the innermost level (the last) outwards, and their values are expanded only then, against
 * all levels: so an outer value may refer to what only an inner level sets. A value that refers to its own name means
 * the next outer level; a longer cycle is cut by putting in the raw text where it closes. Every expansion ends: depth,
 * result and work are bounded.
 */
export function createExpander(levels: readonly Level[], options: ExpanderOptions = {}): Expander {
  return new LevelExpander(levels, options);
}

class LevelExpander implements Expander {
  readonly #levels: readonly Level[];
  readonly #commandOutput: NonNullable<ExpanderOptions['commandOutput']>;
  readonly #late: ReadonlySet<string>;
  readonly #prefix: string;
  readonly #assumesRequired: boolean;
  readonly #brackets: string;
  readonly #formStart: RegExp;
  readonly #finished = new Map<string, { readonly text: string; readonly late: boolean }>();
  /** Errors of values that wait for a command, kept because a second expansion would cost as much as the first. */
  readonly #pendingValues = new Map<string, ExpansionError>();
  readonly #running = new Set<string>();
  readonly #globs = new Map<string, Glob>();
  #work = 0;
  /** A cycle was cut since the current evaluation began. */
  #cut = false;
  /** A stand-in was used since the current evaluation began. */
  #sawLate = false;

  constructor(levels: readonly Level[], options: ExpanderOptions) {
    const { commandOutput = () => undefined, late = new Set<string>(), prefix = '$', brackets = '({' } = options;
    this.#assumesRequired = options.assumesRequired ?? false;
    this.#levels = levels;
    this.#commandOutput = commandOutput;
    this.#late = late;
    this.#prefix = prefix;
    this.#brackets = brackets;
    this.#formStart = new RegExp(`(\\\\?)${escapeRegex(prefix)}[${escapeRegex(brackets)}]|\``, 'g');
  }

  get wasLate(): boolean {
    return this.#sawLate;
  }

  expand(text: string, { literalBackticks = false }: ExpandOptions = {}): string {
    this.#begin();
    return this.#expandText(text, { frame: undefined, nesting: 0, literalBackticks });
  }

  variable(name: string): string | undefined {
    this.#begin();
    return this.#lookUp(name, undefined);
  }

  names(): string[] {
    const all = new Set<string>();
    for (const level of this.#levels) for (const name of level.values.keys()) all.add(name);
    return [...all].filter((name) => this.#levelOf(name, this.#levels.length) >= 0);
  }

  #begin(): void {
    this.#work = 0;
    this.#cut = false;
    this.#sawLate = false;
  }

  /** The nearest level that sets a name, from `below` outwards; `section`'s own filter of what is inherited is no hindrance. */
  #levelOf(name: string, below: number, section?: number): number {
    for (let level = below - 1; level >= 0; level -= 1) {
      const current = this.#levels[level];
      if (current === undefined || this.#matchesAny(name, current.drops)) return -1;
      if (current.values.has(name)) return level;
      const filtered = current.inherits !== undefined && (section === undefined || current.section !== section);
      if (filtered && !this.#matchesAny(name, current.inherits)) return -1;
    }
    return -1;
  }

  #matchesAny(name: string, globs: readonly string[] | undefined): boolean {
    return globs?.some((glob) => glob === '*' || this.#globOf(glob).matches(name)) ?? false;
  }

  #globOf(text: string): Glob {
    const known = this.#globs.get(text);
    if (known !== undefined) return known;
    const glob = compileGlob(text);
    this.#globs.set(text, glob);
    return glob;
  }

  #evaluate(name: string, level: number): string {
    const key = `${level}:${name}`;
    const known = this.#finished.get(key);
    if (known !== undefined) {
      this.#sawLate ||= known.late;
      return known.text;
    }
    const pending = this.#pendingValues.get(key);
    if (pending !== undefined) throw pending;
    const { values, data } = this.#levels[level] ?? { values: new Map<string, string>() };
    const raw = values.get(name) ?? '';
    if (data === 'literal') {
      this.#sawLate ||= this.#late.has(name);
      return raw;
    }
    if (this.#running.has(key)) {
      this.#cut = true;
      return raw;
    }
    const frame: Frame = { name, level };
    const cutBefore = this.#cut;
    const lateBefore = this.#sawLate;
    this.#cut = false;
    this.#sawLate = this.#late.has(name);
    this.#running.add(key);
    try {
      const text = this.#expandText(raw, { frame, nesting: 0, literalBackticks: data === 'withoutCommands' });
      // A value that hangs on a cycle depends on where the cycle was entered: keeping it would make the order of
      // questions count.
      if (!this.#cut) this.#finished.set(key, { text, late: this.#sawLate });
      return text;
    } catch (error) {
      if (!(error instanceof ExpansionError)) throw error;
      const located =
        error.origin === undefined ? new ExpansionError(error.code, error.message, { name, level }) : error;
      // As above: a value that depends on a cycle is not kept.
      if (error.code === 'EXPANSION_PENDING' && !this.#cut) this.#pendingValues.set(key, located);
      throw located;
    } finally {
      this.#running.delete(key);
      this.#cut ||= cutBefore;
      this.#sawLate ||= lateBefore;
    }
  }

  #lookUp(name: string, self: Frame | undefined): string | undefined {
    if (self !== undefined && name === self.name) {
      const outer = this.#levelOf(name, self.level, this.#levels[self.level]?.section);
      return outer < 0 ? '' : this.#evaluate(name, outer);
    }
    const level = this.#levelOf(name, this.#levels.length);
    return level < 0 ? undefined : this.#evaluate(name, level);
  }

  #expandText(text: string, place: Place): string {
    if (place.nesting + this.#running.size > deepestNesting) {
      throw new ExpansionError('EXPANSION_TOO_LARGE', `variables are nested more than ${deepestNesting} deep`);
    }
    const start = new RegExp(this.#formStart);
    let result = '';
    let copied = 0;
    let pending: ExpansionError | undefined;
    for (let match = start.exec(text); match !== null; match = start.exec(text)) {
      result += text.slice(copied, match.index);
      if (match[1] !== undefined && match[1] !== '') {
        result += this.#prefix;
        copied = match.index + 1 + this.#prefix.length;
        continue;
      }
      const isCommand = match[0] === '`';
      const open = match.index + match[0].length - 1;
      const close = isCommand ? text.indexOf('`', open + 1) : closingBracket(text, open);
      if (close < 0) {
        copied = match.index;
        if (isCommand) {
          // Only this backtick is plain text: forms behind it may be closed.
          result += '`';
          copied += 1;
          continue;
        }
        break;
      }
      const whole = text.slice(match.index, close + 1);
      const body = text.slice(open + 1, close);
      let value = whole;
      try {
        value = (isCommand ? this.#runCommand(body, place) : this.#substitute(body, place)) ?? whole;
      } catch (error) {
        // The others are needed in any case: all commands that can be known are asked for at once.
        if (!(error instanceof ExpansionError) || error.code !== 'EXPANSION_PENDING') throw error;
        pending = error;
      }
      result += value;
      copied = close + 1;
      start.lastIndex = copied;
      this.#work += value.length + formCost;
      if (this.#work > mostWork || (result.length > longestResult && result.length > text.length)) {
        throw new ExpansionError('EXPANSION_TOO_LARGE', `variables expand to more than ${longestResult / 1024} KiB`);
      }
    }
    if (pending !== undefined) throw pending;
    return result + text.slice(copied);
  }

  /** What a command in backticks gives; undefined: its text stays as it is. */
  #runCommand(body: string, place: Place): string | undefined {
    if (place.literalBackticks || body.trim() === '') return undefined;
    const lateBefore = this.#sawLate;
    this.#sawLate = false;
    const command = unseal(this.#expandText(body, { ...place, nesting: place.nesting + 1 }));
    const commandIsLate = this.#sawLate;
    this.#sawLate ||= lateBefore;
    if (commandIsLate) {
      throw new ExpansionError(
        'EXPANSION_LATE_COMMAND',
        'a command in backticks depends on a variable that is known only when a service starts',
      );
    }
    const output = this.#commandOutput(command, place.frame?.level);
    if (output === undefined) {
      throw new ExpansionError('EXPANSION_PENDING', `the output of \`${command}\` is not known yet`);
    }
    return output;
  }

  /** What a form gives; undefined: its text stays as it is. */
  #substitute(body: string, place: Place): string | undefined {
    const command = /^\s*`([^`]*)`\s*$/.exec(body)?.[1];
    if (command !== undefined) return this.#runCommand(command, place);
    const self = place.frame;
    const parts = /^([^:]+):([-|?+_/])(.*)$/s.exec(body);
    if (parts === null) return body === '' ? undefined : this.#lookUp(body, self);
    const [, name = '', operator = '', operand = ''] = parts;
    const value = this.#lookUp(name, self) ?? '';
    const expandOperand = (operandText: string): string =>
      this.#expandText(operandText, { ...place, nesting: place.nesting + 1 });
    switch (operator) {
      case '-':
        return value === '' ? expandOperand(operand) : value;
      case '+':
        return value === '' ? '' : expandOperand(operand);
      case '_':
        return value === '' ? expandOperand(operand) : '';
      case '?':
        if (value !== '' || this.#assumesRequired) return value;
        throw new ExpansionError('EXPANSION_REQUIRED', expandOperand(operand).trim() || `${name} is not set`);
      case '|':
        return choose(
          value,
          splitBars(operand, (index) => this.#formEnd(operand, index)),
          expandOperand,
        );
      default:
        // What stands in the value is data by now: only what the replacement brings is expanded.
        return unseal(expandOperand(replaceMatches(value, operand, (text) => seal(text, this.#prefix))));
    }
  }

  #formEnd(text: string, index: number): number {
    if (text.charAt(index) === '`') return text.indexOf('`', index + 1) + 1 || -1;
    if (
      !text.startsWith(this.#prefix, index) ||
      !this.#brackets.includes(text.charAt(index + this.#prefix.length) || '\0')
    )
      return -1;
    const close = closingBracket(text, index + this.#prefix.length);
    return close < 0 ? text.length : close + 1;
  }
}

function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

/** Text holds nothing that an expansion could change. */
export function isPlain(text: string): boolean {
  return !/\$[({]|`/.test(text);
}

const closers: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };

/**
 * The index of the bracket that closes the one at `open`, or -1. Brackets of all kinds nest; double quotes and backticks
 * protect them; single quotes do not, because apostrophes are common in messages.
 */
export function closingBracket(text: string, open: number): number {
  const expected: string[] = [];
  for (let index = open; index < text.length; index += 1) {
    const character = text.charAt(index);
    const top = expected.at(-1);
    if (character === top) {
      expected.pop();
      if (expected.length === 0) return index;
    } else if (top !== '"' && top !== '`') {
      const closer = closers[character] ?? (character === '"' || character === '`' ? character : undefined);
      if (closer !== undefined) expected.push(closer);
    }
  }
  return -1;
}

/**
 * Splits at bars that are neither escaped nor inside a nested form, and turns `\|` into a bar.
 *
 * @param formEnd the index behind the form that begins at an index, or -1 where none does
 */
function splitBars(operand: string, formEnd: (index: number) => number): string[] {
  const parts: string[] = [];
  let part = '';
  for (let index = 0; index < operand.length; index += 1) {
    const character = operand.charAt(index);
    const end = formEnd(index);
    if (end >= 0) {
      part += operand.slice(index, end);
      index = end - 1;
    } else if (character === '\\' && operand.charAt(index + 1) === '|') {
      part += '|';
      index += 1;
    } else if (character === '|') {
      parts.push(part);
      part = '';
    } else {
      part += character;
    }
  }
  return [...parts, part];
}

function choose(value: string, parts: readonly string[], expandOperand: (text: string) => string): string {
  const [first = '', second = '', third] = parts;
  if (third !== undefined) {
    const glob = expandOperand(first).toLowerCase();
    const work = { left: mostWork };
    const matches = compileGlob(glob).matches(value.toLowerCase(), work);
    if (work.left < 0) throw new ExpansionError('EXPANSION_TOO_LARGE', 'the glob has too many * for such a long value');
    return expandOperand(matches ? second : third);
  }
  if (value !== '') return expandOperand(first);
  return parts.length === 1 ? '' : expandOperand(second);
}

/** What an expansion has in the place of what a linear-time engine cannot have. */
const insteadOf: Readonly<Record<RegexLack, string>> = {
  'look-around': 'match what stands around in a group, and put the group back with \\1 in the replacement',
  'back-reference': 'write out what may be repeated',
};

function readRegex(written: string, flags: string): Regex {
  const result = compileRegex(written, { ignoreCase: flags !== '' });
  if (result.ok) return result.regex;
  const advice = result.lacks === undefined ? '' : `; ${insteadOf[result.lacks]}`;
  throw new ExpansionError('EXPANSION_BAD_REGEX', `${shownRegex(written)} cannot be used: ${result.reason}${advice}`);
}

/** A character that no text has (Unicode calls it a noncharacter): behind it stands the number of a sealed character. */
const sealMark = '\uFDD0';

/** Hides whatever could begin a form, so that an expansion leaves the text alone. */
function seal(text: string, prefix: string): string {
  if (text === '') return text;
  let sealed = '';
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charAt(index);
    const isSpecial = character === '`' || character === '\\' || character === sealMark || prefix.includes(character);
    sealed += isSpecial ? `${sealMark}${String.fromCharCode(sealedFrom + text.charCodeAt(index))}` : character;
  }
  return sealed;
}

/** Sealed characters stand so many code units further on, where none of them begins a form. */
const sealedFrom = 0x4000;

/** Undoes `seal`. */
function unseal(text: string): string {
  if (!text.includes(sealMark)) return text;
  return text.replace(/\uFDD0([\s\S])/g, (_, hidden: string) =>
    String.fromCharCode((hidden.charCodeAt(0) - sealedFrom + 0x10000) % 0x10000),
  );
}

/** `REGEX/REPLACEMENT/FLAGS`: the last two slashes that are not escaped are the separators. */
function replaceMatches(value: string, operand: string, keep: (text: string) => string): string {
  const slashes = [...operand.matchAll(/(?<!\\)\//g)].map((match) => match.index);
  const last = slashes.at(-1);
  const middle = slashes.at(-2);
  if (last === undefined || middle === undefined || middle === 0) {
    throw new ExpansionError('EXPANSION_BAD_SYNTAX', 'the form :/REGEX/REPLACEMENT/ is not complete');
  }
  const flags = operand.slice(last + 1);
  if (!/^i*$/.test(flags)) {
    throw new ExpansionError(
      'EXPANSION_BAD_SYNTAX',
      `the only flag after $(NAME:/REGEX/REPLACEMENT/ is i, not ${flags}`,
    );
  }
  const replacement = operand.slice(middle + 1, last).replaceAll('\\/', '/');
  const regex = readRegex(operand.slice(0, middle), flags);
  if (value.length * regex.size > mostMatching) {
    throw new ExpansionError(
      'EXPANSION_TOO_LARGE',
      `a value of ${value.length} characters is too long for such a regex`,
    );
  }
  let length = 0;
  const replace: Replacer = (match, groups) => {
    const put = replacement.replace(/\\(?:(\d{1,2})|([\\nt]))/g, (_, digits?: string, escaped?: string) => {
      if (digits !== undefined) return keep([match, ...groups][Number(digits)] ?? '');
      return escaped === 'n' ? '\n' : escaped === 't' ? '\t' : '\\';
    });
    length += put.length;
    if (length > mostWork) throw new ExpansionError('EXPANSION_TOO_LARGE', 'the replacement grows too large');
    return put;
  };
  return regex.replaceAll(value, replace, keep);
}
