/** fnmatch(3) without flags; linear but for backtracking to the last `*`. */
export function matchesGlob(value: string, glob: string): boolean {
  const text = [...value];
  const tokens = globTokens(glob);
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
