import { didYouMean } from '../../model/words/nearest.ts';
import { oneLine } from '../../model/words/printable.ts';

export function mistaken(name: string, known: readonly string[]): string {
  return `there is no container "${oneLine(name)}": ${didYouMean(name, known) ?? `there are ${known.join(', ')}`}`;
}
