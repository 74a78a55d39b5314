/** Why an expansion cannot be done. */
export type ExpansionErrorCode =
  | 'EXPANSION_REQUIRED'
  | 'EXPANSION_BACKTICK'
  | 'EXPANSION_BAD_SYNTAX'
  | 'EXPANSION_BAD_REGEX'
  | 'EXPANSION_TOO_LARGE';

/** Thrown by an Expander. The message of `EXPANSION_REQUIRED` is the user's own text from `$(V:?text)`. */
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
  /** Backticks in these values are plain text: nobody wrote them for chaperone. */
  readonly literalBackticks?: boolean;
}

/** Expands text against levels of variables. */
export interface Expander {
  /** Expands text. Throws ExpansionError. */
  expand(text: string): string;
  /** The expanded value of a variable, undefined where no level has it. Throws ExpansionError. */
  variable(name: string): string | undefined;
}

/**
 * The kernel's limit for one argument or environment string (MAX_ARG_STRLEN): what expands to more could not be handed
 * to a program anyway. Text that is longer without any expansion passes.
 */
const longestResult = 131_072;
/** Characters that one expansion may produce on its way, so that values that double each other end quickly. */
const mostWork = 4 * 1024 * 1024;
/** Forms that give little text cost time too. */
const formCost = 64;
const deepestNesting = 100;

interface Frame {
  readonly name: string;
  readonly level: number;
}

/**
 * Expands by section 4 of the reference: `$(V)`, `${V}`, `:-`, `:+`, `:_`, `:?`, `:|…`, `:/…/…/`, nested, late.
 *
 * Variables are looked up from the innermost level (the last) outwards, and their values are expanded only then, against
 * all levels: so an outer value may refer to what only an inner level sets. A value that refers to its own name means
 * the next outer level; a longer cycle is cut by putting in the raw text where it closes. Every expansion ends: depth,
 * result and work are bounded.
 */
export function createExpander(levels: readonly Level[]): Expander {
  const finished = new Map<string, string>();
  const running = new Set<string>();
  let work = 0;
  /** A cycle was cut since the current evaluation began. */
  let cut = false;

  function levelOf(name: string, below: number): number {
    for (let level = below - 1; level >= 0; level -= 1) if (levels[level]?.values.has(name)) return level;
    return -1;
  }

  function evaluate(name: string, level: number): string {
    const key = `${level}:${name}`;
    const known = finished.get(key);
    if (known !== undefined) return known;
    const raw = levels[level]?.values.get(name) ?? '';
    if (running.has(key)) {
      cut = true;
      return raw;
    }
    const frame: Frame = { name, level };
    const cutBefore = cut;
    cut = false;
    running.add(key);
    try {
      const result = expandText(raw, frame, 0, levels[level]?.literalBackticks ?? false);
      // A value that hangs on a cycle depends on where the cycle was entered: keeping it would make the order of
      // questions count.
      if (!cut) finished.set(key, result);
      return result;
    } catch (error) {
      if (error instanceof ExpansionError && error.origin === undefined) {
        throw new ExpansionError(error.code, error.message, { name, level });
      }
      throw error;
    } finally {
      running.delete(key);
      cut ||= cutBefore;
    }
  }

  function lookUp(name: string, self: Frame | undefined): string | undefined {
    if (self !== undefined && name === self.name) {
      const outer = levelOf(name, self.level);
      return outer < 0 ? '' : evaluate(name, outer);
    }
    const level = levelOf(name, levels.length);
    return level < 0 ? undefined : evaluate(name, level);
  }

  function expandText(text: string, self: Frame | undefined, nesting: number, literalBackticks = false): string {
    if (!literalBackticks && /`[^`]+`/.test(text)) {
      throw new ExpansionError('EXPANSION_BACKTICK', 'commands in backticks are not supported yet');
    }
    if (nesting + running.size > deepestNesting) {
      throw new ExpansionError('EXPANSION_TOO_LARGE', `variables are nested more than ${deepestNesting} deep`);
    }
    const start = /(\\?)\$[({]/g;
    let result = '';
    let copied = 0;
    for (let match = start.exec(text); match !== null; match = start.exec(text)) {
      result += text.slice(copied, match.index);
      if (match[1] !== '') {
        result += '$';
        copied = match.index + 2;
        continue;
      }
      const open = match.index + 1;
      const close = closingBracket(text, open);
      if (close < 0) {
        copied = match.index;
        break;
      }
      const value = substitute(text.slice(open + 1, close), self, nesting) ?? text.slice(match.index, close + 1);
      result += value;
      copied = close + 1;
      start.lastIndex = copied;
      work += value.length + formCost;
      if (work > mostWork || (result.length > longestResult && result.length > text.length)) {
        throw new ExpansionError('EXPANSION_TOO_LARGE', `variables expand to more than ${longestResult / 1024} KiB`);
      }
    }
    return result + text.slice(copied);
  }

  /** What a form gives; undefined: its text stays as it is. */
  function substitute(body: string, self: Frame | undefined, nesting: number): string | undefined {
    const parts = /^([^:]+):([-|?+_/])(.*)$/s.exec(body);
    if (parts === null) return body === '' ? undefined : lookUp(body, self);
    const [, name = '', operator = '', operand = ''] = parts;
    const value = lookUp(name, self) ?? '';
    const expandOperand = (text: string): string => expandText(text, self, nesting + 1);
    switch (operator) {
      case '-':
        return value === '' ? expandOperand(operand) : value;
      case '+':
        return value === '' ? '' : expandOperand(operand);
      case '_':
        return value === '' ? expandOperand(operand) : '';
      case '?':
        if (value !== '') return value;
        throw new ExpansionError('EXPANSION_REQUIRED', expandOperand(operand).trim() || `${name} is not set`);
      case '|':
        return choose(value, splitBars(operand), expandOperand);
      default:
        return expandText(replaceMatches(value, operand), self, nesting + 1);
    }
  }

  function topLevel<Result>(action: () => Result): Result {
    work = 0;
    cut = false;
    return action();
  }

  return {
    expand: (text) => topLevel(() => expandText(text, undefined, 0)),
    variable: (name) => topLevel(() => lookUp(name, undefined)),
  };
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
function closingBracket(text: string, open: number): number {
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

/** Splits at bars that are neither escaped nor inside a nested form, and turns `\|` into a bar. */
function splitBars(operand: string): string[] {
  const parts: string[] = [];
  let part = '';
  for (let index = 0; index < operand.length; index += 1) {
    const character = operand.charAt(index);
    const next = operand.charAt(index + 1);
    if (character === '\\' && next === '|') {
      part += '|';
      index += 1;
    } else if (character === '|') {
      parts.push(part);
      part = '';
    } else if (character === '$' && (next === '(' || next === '{')) {
      const close = closingBracket(operand, index + 1);
      const end = close < 0 ? operand.length : close + 1;
      part += operand.slice(index, end);
      index = end - 1;
    } else {
      part += character;
    }
  }
  return [...parts, part];
}

function choose(value: string, parts: readonly string[], expandOperand: (text: string) => string): string {
  const [first = '', second = '', third] = parts;
  if (third !== undefined) return expandOperand(matchesGlob(value, expandOperand(first)) ? second : third);
  if (value !== '') return expandOperand(first);
  return parts.length === 1 ? '' : expandOperand(second);
}

/** fnmatch(3) without flags, case-insensitive; linear but for backtracking to the last `*`. */
export function matchesGlob(value: string, glob: string): boolean {
  const text = [...value.toLowerCase()];
  const tokens = globTokens(glob.toLowerCase());
  let position = 0;
  let token = 0;
  let starToken = -1;
  let starPosition = 0;
  while (position < text.length) {
    const current = tokens[token];
    const character = text[position] ?? '';
    if (current === '*') {
      starToken = token;
      starPosition = position;
      token += 1;
    } else if (current?.(character)) {
      position += 1;
      token += 1;
    } else if (starToken >= 0) {
      starPosition += 1;
      position = starPosition;
      token = starToken + 1;
    } else {
      return false;
    }
  }
  while (tokens[token] === '*') token += 1;
  return token === tokens.length;
}

type GlobToken = '*' | ((character: string) => boolean);

function globTokens(glob: string): GlobToken[] {
  const characters = [...glob];
  const tokens: GlobToken[] = [];
  for (let index = 0; index < characters.length; index += 1) {
    const character = characters[index] ?? '';
    if (character === '*') tokens.push('*');
    else if (character === '?') tokens.push(() => true);
    else {
      // The first character of a set may be the closing bracket itself.
      const negated = characters[index + 1] === '!';
      const first = index + (negated ? 2 : 1);
      const close = character === '[' ? characters.indexOf(']', first + 1) : -1;
      if (close < 0) tokens.push((candidate) => candidate === character);
      else {
        const set = characters.slice(first, close);
        tokens.push((candidate) => inSet(set, candidate) !== negated);
        index = close;
      }
    }
  }
  return tokens;
}

function inSet(set: readonly string[], character: string): boolean {
  for (let index = 0; index < set.length; index += 1) {
    const low = set[index] ?? '';
    const high = set[index + 2];
    if (set[index + 1] === '-' && high !== undefined) {
      if (low <= character && character <= high) return true;
      index += 2;
    } else if (low === character) return true;
  }
  return false;
}

/** `REGEX/REPLACEMENT/FLAGS`: the last two slashes that are not escaped are the separators. */
function replaceMatches(value: string, operand: string): string {
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
  let regex: RegExp;
  try {
    // Python, for which configurations were written, spells named groups (?P<name>…).
    regex = new RegExp(operand.slice(0, middle).replaceAll('(?P<', '(?<'), flags === '' ? 'g' : 'gi');
  } catch {
    throw new ExpansionError('EXPANSION_BAD_REGEX', `/${operand.slice(0, middle)}/ is no valid regular expression`);
  }
  let length = 0;
  return value.replace(regex, (match: string, ...rest: unknown[]) => {
    const groups = [
      match,
      ...rest.slice(
        0,
        rest.findIndex((item) => typeof item === 'number'),
      ),
    ];
    const put = replacement.replace(/\\(?:(\d{1,2})|([\\nt]))/g, (_, digits?: string, escaped?: string) => {
      if (digits !== undefined) {
        const group = groups[Number(digits)];
        return typeof group === 'string' ? group : '';
      }
      return escaped === 'n' ? '\n' : escaped === 't' ? '\t' : '\\';
    });
    length += put.length;
    if (length > mostWork) throw new ExpansionError('EXPANSION_TOO_LARGE', 'the replacement grows too large');
    return put;
  });
}
