/**
 * Regular expressions of users, in selectors and in expansions, which run in the supervisor's own loop.
 *
 * re2js matches them by RE2's algorithm, in time proportional to the text, whatever the expression is: so no expression
 * has to be judged first, and none can hang the loop. Look-around and back-references, which need a backtracking
 * engine, do not exist here. Configurations were written for Python's `re`: its spelling is translated where RE2 spells
 * the same thing differently.
 */
import { RE2JS, RE2JSException, RE2JSSyntaxException } from 're2js';

/** Most characters of one expression. */
const longestSource = 2_000;
/**
 * Instructions of one expression's program: each character of a text costs at worst as many steps (some 10 ns each), and
 * usually one.
 */
const largestProgram = 2_000;

/** Gives the replacement of one match. */
export type Replacer = (match: string, groups: readonly (string | undefined)[]) => string;

/** A compiled expression. */
export interface Regex {
  /** Instructions of the program: what one character of a text costs at worst. */
  readonly size: number;
  /** Tells whether a text contains a match. */
  readonly test: (text: string) => boolean;
  /**
   * Replaces every match in the text; an empty match directly behind another match counts, as in Python.
   *
   * @param keep makes what becomes of the text between the matches; without it that stays as it is
   */
  readonly replaceAll: (text: string, replacer: Replacer, keep?: (between: string) => string) => string;
}

/** Features that a linear-time engine cannot have; each user of expressions suggests another way around them. */
export type RegexLack = 'look-around' | 'back-reference';

export type RegexResult =
  | { readonly ok: true; readonly regex: Regex }
  | {
      readonly ok: false;
      /** A clause about the expression, such as `missing closing )`. */
      readonly reason: string;
      readonly lacks?: RegexLack;
      /** Where the mistake is in the written text, in UTF-16 units; absent if it has no single place. */
      readonly at?: { readonly index: number; readonly length: number };
    };

export interface RegexFlags {
  readonly ignoreCase?: boolean;
  /** `.` matches a newline, too. */
  readonly dotAll?: boolean;
}

/**
 * Compiles what a user has written.
 *
 * @example compileRegex('fail(ed|ure)', { ignoreCase: true })
 */
export function compileRegex(written: string, { ignoreCase = false, dotAll = false }: RegexFlags = {}): RegexResult {
  if (written.length > longestSource) {
    return { ok: false, reason: `it has ${written.length} characters, and ${longestSource} are allowed` };
  }
  const source = toRe2(written);
  const flags = (ignoreCase ? RE2JS.CASE_INSENSITIVE : 0) | (dotAll ? RE2JS.DOTALL : 0);
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(source, flags);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    return error instanceof RE2JSSyntaxException
      ? mistake(written, error.getDescription(), error.getPattern() ?? '')
      : { ok: false, reason: error.message };
  }
  const size = compiled.programSize();
  if (size > largestProgram) {
    return { ok: false, reason: `it compiles to ${size} instructions, and ${largestProgram} are allowed` };
  }
  return {
    ok: true,
    regex: {
      size,
      test: ignoreCase ? withShortcut(source, compiled) : (text) => compiled.test(text),
      replaceAll: (text, replacer, keep = (between) => between) => {
        let result = '';
        let copied = 0;
        compiled.matcher(text).replaceAll((match: string, ...rest: unknown[]) => {
          // Groups, the match's index, the text, and named groups where there are any.
          const groups = rest.slice(0, compiled.groupCount());
          const index = Number(rest[compiled.groupCount()]);
          result += keep(text.slice(copied, index));
          result += replacer(
            match,
            groups.map((group) => (typeof group === 'string' ? group : undefined)),
          );
          copied = index + match.length;
          return '';
        });
        return result + keep(text.slice(copied));
      },
    },
  };
}

const pythonEscape = /\\u[0-9a-fA-F]{4}|\\U[0-9a-fA-F]{8}|\\[\s\S]/g;
/** Python's spellings that RE2 lacks: an escape, a class with escapes in it, a comment, a repetition without a minimum. */
const pythonToken = new RegExp(
  `${pythonEscape.source}|${/\[\^?\]?(?:\\[\s\S]|[^\]\\])*\]|\(\?#[^)]*\)|\{,\d+\}/.source}`,
  'g',
);

/** Translates Python's spelling to RE2's; leading flags that are set anyway are left out. */
function toRe2(written: string): string {
  return written
    .replace(/^\(\?([aimsuLx]+)\)/, (_, flags: string) => {
      const known = flags.replace(/[auL]/g, '');
      return known === '' ? '' : `(?${known})`;
    })
    .replace(pythonToken, (token) => {
      if (token.startsWith('(')) return '';
      return token.startsWith('{') ? `{0${token.slice(1)}` : token.replace(pythonEscape, re2Escape);
    });
}

function re2Escape(token: string): string {
  if (token === '\\Z') return '\\z';
  if (/^\\[uU]./.test(token)) return `\\x{${token.slice(2)}}`;
  return token.charCodeAt(1) > 0x7f ? token.slice(1) : token;
}

/** The expression as messages quote it. */
export function shownRegex(written: string): string {
  return written.length > 60 ? `/${written.slice(0, 60)}…/` : `/${written}/`;
}

/** @param fragment the part that the engine rejected, as it was translated */
function mistake(written: string, description: string, fragment: string): RegexResult {
  const lacks = lackOf(fragment);
  const index = fragment === '' ? -1 : written.indexOf(fragment);
  const isOnePlace = index >= 0 && written.indexOf(fragment, index + 1) === -1;
  const where = isOnePlace ? { at: { index, length: fragment.length } } : {};
  if (lacks !== undefined) return { ok: false, reason: `it has a ${lacks}, ${foreignForm(fragment)}`, lacks, ...where };
  return { ok: false, reason: isOnePlace ? `${description}: ${fragment}` : description, ...where };
}

/** `(?=`, `(?!`, `(?<=`, `(?<!`; `\1`, and `(?P=name)`, of which the engine shows the beginning. */
function lackOf(fragment: string): RegexLack | undefined {
  if (/^\(\?<?[=!]/.test(fragment)) return 'look-around';
  return /^(?:\\[1-9]|\(\?P$)/.test(fragment) ? 'back-reference' : undefined;
}

function foreignForm(fragment: string): string {
  return fragment === '(?P'
    ? '(?P=…)'
    : fragment.startsWith('\\')
      ? fragment
      : `${/^\(\?<?[=!]/.exec(fragment)?.[0]}…)`;
}

/**
 * The same answer as the engine's, mostly sooner: V8 finds literal text twenty times as fast, and hardly any record has the
 * text that the expression requires. V8 folds cases as RE2 does under the flag u, and a literal gives it nothing to go back
 * for.
 */
function withShortcut(source: string, compiled: RE2JS): Regex['test'] {
  const { text: required, isAll } = requiredLiteral(source);
  if (required === '') return (text) => compiled.test(text);
  const literal = new RegExp(required.replace(/[$^\\.*+?()[\]{}|/]/g, '\\$&'), 'iu');
  return isAll ? (text) => literal.test(text) : (text) => literal.test(text) && compiled.test(text);
}

/** An escape, a class, a counted repetition, or one character. */
const tokens = /\\[\s\S]|\[\^?\]?(?:\\[\s\S]|\[:\^?\w+:\]|[^\]\\])*\]|\{\d*,?\d*\}|[\s\S]/g;

/** Flags that stand behind something. */
const laterFlags = /.\(\?[a-z-]*\)/is;

/**
 * The longest text in plain ASCII that every match has in it, in whatever case, and whether that is all of the expression;
 * `''` where none is found. What stands inside of groups is not looked at.
 */
function requiredLiteral(source: string): { readonly text: string; readonly isAll: boolean } {
  const none = { text: '', isAll: false };
  // A repetition behind flags is one of what stands before them.
  if (laterFlags.test(source)) return none;
  const runs: string[] = [];
  let run = '';
  let depth = 0;
  for (const [token] of source.matchAll(tokens)) {
    const isInside = depth > 0;
    if (token === '(') depth += 1;
    if (token === ')') depth -= 1;
    if (isInside) continue;
    const kind = kindOf(token);
    if (kind === 'unknown') return none;
    if (kind === 'literal') {
      run += token.slice(-1);
      continue;
    }
    // A repetition may match zero times, so its character is not required.
    runs.push(kind === 'repetition' ? run.slice(0, -1) : run);
    run = '';
  }
  const text = [...runs, run].reduce((longest, each) => (each.length > longest.length ? each : longest), '');
  return { text, isAll: runs.length === 0 };
}

function kindOf(token: string): 'literal' | 'repetition' | 'other' | 'unknown' {
  if (/^(?:[*+?]|\{.*\})$/.test(token)) return 'repetition';
  if (token === '|') return 'unknown';
  if (/^\\[a-z\d]/i.test(token)) return /^\\[dwsbzA]/i.test(token) ? 'other' : 'unknown';
  return /^\\?[ -~]$/.test(token) && !/^[.^$()]$/.test(token) ? 'literal' : 'other';
}
