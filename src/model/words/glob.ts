/**
 * fnmatch(3) without flags. A glob is compiled in time linear to its length; matching goes back to the last `*` only, and
 * its work can be counted and limited, since globs come from strangers, too.
 */

/** The steps that matching may still take; below 0 the matching was given up. One step is some nanoseconds. */
export interface GlobWork {
  left: number;
}

export interface Glob {
  /** With `work`, the answer counts only if `work.left` is not below 0 afterwards. */
  readonly matches: (text: string, work?: GlobWork) => boolean;
}

export function matchesGlob(text: string, glob: string): boolean {
  return compileGlob(glob).matches(text);
}

/** True for a text that is more than a name to match literally. */
export function isGlob(text: string): boolean {
  return /[*?[]/.test(text);
}

export function compileGlob(glob: string): Glob {
  const tokens = globTokens(glob);
  const starAt = tokens.indexOf('*');
  const prefix = literalBeginning(tokens);
  const suffix = starAt < 0 ? '' : literalEnd(tokens.slice(tokens.lastIndexOf('*') + 1));
  const least = tokens.filter((token) => token !== '*').length;
  return {
    matches: (text, work = { left: Number.POSITIVE_INFINITY }) => {
      work.left -= 1;
      // Both are found by the engine's own search, which settles nearly every name.
      if (work.left < 0 || !text.startsWith(prefix) || !text.endsWith(suffix)) return false;
      const characters = [...text];
      work.left -= characters.length;
      if (characters.length < least || (starAt < 0 && characters.length > least)) return false;
      return matchTokens(characters, tokens, work);
    },
  };
}

function matchTokens(text: readonly string[], tokens: readonly GlobToken[], work: GlobWork): boolean {
  let position = 0;
  let token = 0;
  let starToken = -1;
  let starPosition = 0;
  while (position < text.length) {
    work.left -= 1;
    if (work.left < 0) return false;
    const current = tokens[token];
    const character = text[position] ?? '';
    if (current === '*') {
      starToken = token;
      starPosition = position;
      token += 1;
      if (token === tokens.length) return true;
    } else if (current !== undefined && fits(current, character, work)) {
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
  return token === tokens.length || (tokens[token] === '*' && token === tokens.length - 1);
}

type GlobToken = '*' | '?' | { readonly literal: string } | CharacterSet;

interface CharacterSet {
  readonly negated: boolean;
  /** A single character is a range, too. */
  readonly ranges: readonly (readonly [low: string, high: string])[];
}

function fits(token: Exclude<GlobToken, '*'>, character: string, work: GlobWork): boolean {
  if (token === '?') return true;
  if ('literal' in token) return token.literal === character;
  const { ranges, negated } = token;
  work.left -= ranges.length;
  return ranges.some(([low, high]) => low <= character && character <= high) !== negated;
}

/** Several `*` in a row mean what one means. */
function globTokens(glob: string): GlobToken[] {
  const characters = [...glob];
  const closings = closingsOf(characters);
  const tokens: GlobToken[] = [];
  for (let index = 0; index < characters.length; index += 1) {
    const character = characters[index] ?? '';
    if (character === '*') {
      if (tokens.at(-1) !== '*') tokens.push('*');
    } else if (character === '?') tokens.push('?');
    else {
      // The first character of a set may be the closing bracket itself.
      const negated = characters[index + 1] === '!';
      const first = index + (negated ? 2 : 1);
      const close = character === '[' ? (closings[first + 1] ?? -1) : -1;
      if (close < 0) tokens.push({ literal: character });
      else {
        tokens.push(characterSet(characters.slice(first, close), negated));
        index = close;
      }
    }
  }
  return tokens;
}

/** For each index, the index of the next `]` from there on, or -1. */
function closingsOf(characters: readonly string[]): Int32Array {
  const closings = new Int32Array(characters.length).fill(-1);
  let next = -1;
  for (let index = characters.length - 1; index >= 0; index -= 1) {
    if (characters[index] === ']') next = index;
    closings[index] = next;
  }
  return closings;
}

function characterSet(set: readonly string[], negated: boolean): CharacterSet {
  const ranges: [string, string][] = [];
  for (let index = 0; index < set.length; index += 1) {
    const low = set[index] ?? '';
    const isRange = set[index + 1] === '-' && index + 2 < set.length;
    ranges.push([low, (isRange ? set[index + 2] : undefined) ?? low]);
    if (isRange) index += 2;
  }
  return { negated, ranges };
}

/** The literal text with which tokens begin. */
function literalBeginning(tokens: readonly GlobToken[]): string {
  const end = tokens.findIndex((token) => literalOf(token) === undefined);
  return tokens
    .slice(0, end < 0 ? tokens.length : end)
    .map(literalOf)
    .join('');
}

/** The literal text with which tokens end. */
function literalEnd(tokens: readonly GlobToken[]): string {
  return tokens
    .slice(tokens.findLastIndex((token) => literalOf(token) === undefined) + 1)
    .map(literalOf)
    .join('');
}

function literalOf(token: GlobToken): string | undefined {
  return typeof token === 'object' && 'literal' in token ? token.literal : undefined;
}
