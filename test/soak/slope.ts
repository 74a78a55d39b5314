/** How fast a value grows, and whether that is more than chance. */

export interface Point {
  /** Minutes since the beginning. */
  readonly at: number;
  readonly value: number;
}

/** What of a block of samples is compared with the other blocks: its least value, its median or its mean. */
export type Fold = 'least' | 'median' | 'mean';

export interface Slope {
  /** Growth in an hour, by the line that fits the blocks best. */
  readonly perHour: number;
  /** The standard error of `perHour`. */
  readonly error: number;
  /** The mean of the blocks. */
  readonly level: number;
  /** Growth from the first block to the last, by that line. */
  readonly growth: number;
  /** True where a value that stays as it is would show such a growth in fewer than one of a thousand soaks. */
  readonly isSignificant: boolean;
}

/** The first third of a soak does not count: caches and rings fill, and the compiler of V8 warms up. */
const warmUp = 1 / 3;
/** Samples that follow each other closely are much alike; so each block of them counts as one. */
const blocks = 12;
/** Student's t with two degrees of freedom fewer than there are blocks: the bound of the highest thousandth. */
const critical = 4.144;

/** The growth over the last two thirds of the time; undefined where there are fewer than two samples a block. */
export function slopeOf(points: readonly Point[], fold: Fold): Slope | undefined {
  const first = points[0]?.at ?? 0;
  const last = points.at(-1)?.at ?? 0;
  const begin = first + (last - first) * warmUp;
  const counted = points.filter(({ at }) => at >= begin);
  if (counted.length < 2 * blocks) return undefined;
  const folded = Array.from({ length: blocks }, (_, index) => {
    const own = counted.slice(
      Math.floor((index * counted.length) / blocks),
      Math.floor(((index + 1) * counted.length) / blocks),
    );
    return { at: mean(own.map(({ at }) => at)), value: folds[fold](own.map(({ value }) => value)) };
  });
  return lineThrough(folded);
}

/** The line of least squares. */
function lineThrough(points: readonly Point[]): Slope {
  const middle = mean(points.map(({ at }) => at));
  const level = mean(points.map(({ value }) => value));
  const spread = sum(points.map(({ at }) => (at - middle) ** 2));
  const perMinute = sum(points.map(({ at, value }) => (at - middle) * (value - level))) / spread;
  const rest = sum(points.map(({ at, value }) => (value - level - perMinute * (at - middle)) ** 2));
  const error = Math.sqrt(rest / (points.length - 2) / spread);
  const time = (points.at(-1)?.at ?? 0) - (points[0]?.at ?? 0);
  return {
    perHour: perMinute * 60,
    error: error * 60,
    level,
    growth: perMinute * time,
    isSignificant: perMinute > critical * error,
  };
}

const folds: Readonly<Record<Fold, (values: readonly number[]) => number>> = {
  least: (values) => Math.min(...values),
  median: (values) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN,
  mean,
};

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}
