/** Values of units: times and booleans, systemd.time(7) and systemd.syntax(7). */

const units: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  '': 1000,
  s: 1000,
  sec: 1000,
  second: 1000,
  seconds: 1000,
  m: 60_000,
  min: 60_000,
  minute: 60_000,
  minutes: 60_000,
  h: 3_600_000,
  hr: 3_600_000,
  hour: 3_600_000,
  hours: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
  days: 86_400_000,
  w: 604_800_000,
  week: 604_800_000,
  weeks: 604_800_000,
};

/** ms; infinite for `infinity`; undefined where it is no time. */
export function parseTimeSpan(text: string): number | undefined {
  if (text.trim() === 'infinity') return Number.POSITIVE_INFINITY;
  const parts = [...text.trim().matchAll(/(\d+(?:\.\d+)?)\s*([a-z]*)\s*/g)];
  if (parts.length === 0 || parts.map(([whole]) => whole).join('') !== text.trim()) return undefined;
  let sum = 0;
  for (const [, count, unit = ''] of parts) {
    const factor = units[unit];
    if (factor === undefined) return undefined;
    sum += Number(count) * factor;
  }
  return sum;
}

/** Writes a time as a configuration does. */
export function writeSpan(ms: number): string {
  if (ms % 3_600_000 === 0 && ms > 0) return `${ms / 3_600_000}h`;
  if (ms % 60_000 === 0 && ms > 0) return `${ms / 60_000}m`;
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${Math.round(ms)}ms`;
}

export function parseUnitBoolean(text: string): boolean | undefined {
  const lower = text.toLowerCase();
  if (['1', 'yes', 'y', 'true', 't', 'on'].includes(lower)) return true;
  return ['0', 'no', 'n', 'false', 'f', 'off'].includes(lower) ? false : undefined;
}
