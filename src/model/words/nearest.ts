import { distance } from 'fastest-levenshtein';

/** `a, b or c`. */
export function alternatives(words: readonly string[]): string {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

/**
 * The candidate a user most likely meant, or undefined where none is near: one slip in three characters is near, and of
 * two that are equally near the one with the same letters, since fingers swap letters.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  // Longer than any name of ours: nothing can be near, and the distance would cost its square.
  if (word.length > 100) return undefined;
  const lower = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 0.75;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) > bestDistance) continue;
    const other = candidate.toLowerCase();
    const found = distance(lower, other) - (letters(lower) === letters(other) ? 0.5 : 0);
    if (found < bestDistance) {
      best = candidate;
      bestDistance = found;
    }
  }
  return best;
}

function letters(word: string): string {
  return [...word].sort().join('');
}

/** `did you mean "x"?` where something is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  const found = nearest(word, candidates);
  return found === undefined ? undefined : `did you mean "${found}"?`;
}
