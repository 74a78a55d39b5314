/**
 * How much the long explorations try. The ordinary run takes a sample of them; with EXHAUSTIVE=1, as in `.ci/run`, they try
 * everything.
 */
const exhaustive = process.env['EXHAUSTIVE'] === '1';

/** The first item and each `step`-th one after it; all of them in an exhaustive run. */
export function sample<T>(items: readonly T[], step: number, first = 0): readonly T[] {
  return exhaustive ? items : items.filter((_, index) => index % step === first % step);
}

/** How often something is tried. */
export function tries(ordinary: number, whole: number): number {
  return exhaustive ? whole : ordinary;
}
