/**
 * What a file `NAME.fuzz.ts` in this folder exports. Its corpus stands in `corpus/NAME`: every input there is a test of
 * test/fuzz/corpus.test.ts, and what test/fuzz/run.mjs starts from.
 */
export interface FuzzTarget {
  /** Handles one input. Throws where the code under test has a bug; mistakes in the input are no bugs. */
  fuzz(data: Buffer): void;
  /** Pieces that inputs are likely to be made of. */
  readonly dictionary: readonly string[];
}

/** Throws an error that says what does not hold. */
export function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`does not hold: ${what}`);
}
