/** Texts that Python's shlex module splits, and values of supervisord's options. */

export type Words =
  | { readonly ok: true; readonly words: readonly string[] }
  | { readonly ok: false; readonly index: number; readonly message: string };

/**
 * Splits a command as shlex.split: quotes and backslashes count, and `#` is text. Unlike a shell it keeps a backslash before
 * `$`, a backtick and a newline in double quotes.
 */
export function splitShlex(text: string): Words {
  const words: string[] = [];
  let word: string | undefined;
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charAt(index);
    if (/[ \t\r\n]/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (character === '\\') {
      index += 1;
      if (index >= text.length) return { ok: false, index: index - 1, message: 'a backslash stands before nothing' };
      word = (word ?? '') + text.charAt(index);
    } else if (character === "'" || character === '"') {
      const quoted = readQuoted(text, index);
      if (quoted === undefined) return { ok: false, index, message: 'a quote is never closed' };
      word = (word ?? '') + quoted.text;
      index = quoted.end;
    } else {
      word = (word ?? '') + character;
    }
  }
  if (word !== undefined) words.push(word);
  return { ok: true, words };
}

/** @returns what stands in the quotes, and where they close */
function readQuoted(text: string, start: number): { readonly text: string; readonly end: number } | undefined {
  const mark = text.charAt(start);
  let content = '';
  for (let index = start + 1; index < text.length; index += 1) {
    const character = text.charAt(index);
    if (character === mark) return { text: content, end: index };
    const next = text.charAt(index + 1);
    if (mark === '"' && character === '\\' && (next === '"' || next === '\\')) {
      content += next;
      index += 1;
    } else {
      content += character;
    }
  }
  return undefined;
}

export type Pairs =
  | { readonly ok: true; readonly pairs: ReadonlyMap<string, string> }
  | { readonly ok: false; readonly index: number; readonly message: string };

interface Token {
  readonly text: string;
  readonly index: number;
}

const wordCharacter = /[\w/.+\-():]/;

/**
 * Reads `NAME=VALUE,OTHER="VALUE, TOO"`: tokens of shlex without POSIX rules, in threes, each followed by one that separates.
 * Quotes at both ends of a value go; a backslash is text.
 */
export function readPairs(text: string): Pairs {
  const tokens: Token[] = [];
  for (let index = 0; index < text.length; ) {
    const token = nextToken(text, index);
    if (token === undefined) return { ok: false, index, message: 'a quote is never closed' };
    if (token.text !== '') tokens.push({ text: token.text, index: token.start });
    index = token.end;
  }
  const pairs = new Map<string, string>();
  for (let index = 0; index < tokens.length; index += 4) {
    const [name, equals, value] = tokens.slice(index, index + 3);
    if (name === undefined || equals?.text !== '=' || value === undefined)
      return { ok: false, index: name?.index ?? 0, message: 'a pair of name and value is not whole' };
    pairs.set(name.text, value.text.replace(/^['"]+|['"]+$/g, ''));
  }
  return { ok: true, pairs };
}

/** The token at an index or behind it, empty at the end of the text; undefined where a quote is never closed. */
function nextToken(
  text: string,
  from: number,
): { readonly text: string; readonly start: number; readonly end: number } | undefined {
  let start = from;
  for (;;) {
    while (/[ \t\r\n]/.test(text.charAt(start))) start += 1;
    if (text.charAt(start) !== '#') break;
    const newline = text.indexOf('\n', start);
    start = newline < 0 ? text.length : newline + 1;
  }
  const first = text.charAt(start);
  if (first === "'" || first === '"') {
    const close = text.indexOf(first, start + 1);
    return close < 0 ? undefined : { text: text.slice(start, close + 1), start, end: close + 1 };
  }
  if (!wordCharacter.test(first)) return { text: first, start, end: start + Math.max(1, first.length) };
  let end = start + 1;
  // Within a word a quote is text: only at its beginning does it open one.
  while (end < text.length && (wordCharacter.test(text.charAt(end)) || /['"]/.test(text.charAt(end)))) end += 1;
  return { text: text.slice(start, end), start, end };
}

/** A whole number as Python's int() reads it. */
export function parseInt10(text: string): number | undefined {
  const trimmed = text.trim();
  return /^[+-]?\d+(?:_\d+)*$/.test(trimmed) ? Number(trimmed.replaceAll('_', '')) : undefined;
}

export function parseOctal(text: string): number | undefined {
  const [, digits] = /^\s*(?:0o)?([0-7]+)\s*$/i.exec(text) ?? [];
  return digits === undefined ? undefined : Number.parseInt(digits, 8);
}

export function parseTruth(text: string): boolean | undefined {
  const lower = text.toLowerCase();
  if (['yes', 'true', 'on', '1'].includes(lower)) return true;
  return ['no', 'false', 'off', '0'].includes(lower) ? false : undefined;
}

const sizeUnits: Readonly<Record<string, number>> = { kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };

/** Bytes: a number with KB, MB or GB behind it, in any case. */
export function parseByteSize(text: string): number | undefined {
  const lower = text.toLowerCase();
  const unit = sizeUnits[lower.slice(-2)];
  const count = parseInt10(unit === undefined ? lower : lower.slice(0, -2));
  return count === undefined ? undefined : count * (unit ?? 1);
}
