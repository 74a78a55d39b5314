const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/**
 * A time span for people, in at most two units: `0.4 s`, `3.1 s`, `27 s`, `4 m 2 s`, `5 h 10 m`, `3 d 2 h`.
 *
 * @param ms milliseconds; what is negative counts as 0
 */
export function describeDuration(ms: number): string {
  const span = Math.max(0, ms);
  if (span < 9_950) return `${Math.round(span / 100) / 10} s`;
  if (Math.round(span / 1000) < 60) return `${Math.round(span / 1000)} s`;
  if (span < hour) return twoUnits(Math.round(span / 1000), 60, 'm', 's');
  if (span < day) return twoUnits(Math.floor(span / minute), 60, 'h', 'm');
  return twoUnits(Math.floor(span / hour), 24, 'd', 'h');
}

/** In one unit, for a table's column: `4 m`. */
export function roughDuration(ms: number): string {
  return describeDuration(ms).split(' ').slice(0, 2).join(' ');
}

function twoUnits(count: number, perUnit: number, unit: string, smaller: string): string {
  const whole = Math.floor(count / perUnit);
  const rest = count % perUnit;
  return rest === 0 ? `${whole} ${unit}` : `${whole} ${unit} ${rest} ${smaller}`;
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: minute, h: hour };

/**
 * Reads a time span: `2s`, `1.5` (seconds), `300ms`, `4m`, `1h`.
 *
 * @returns ms; undefined where the text is none
 */
export function parseDuration(text: string): number | undefined {
  const [, number, unit = 's'] = /^(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h)?$/.exec(text.trim()) ?? [];
  return number === undefined ? undefined : Number(number) * (units[unit] ?? 1_000);
}
