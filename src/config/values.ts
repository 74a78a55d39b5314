import { defaultOverflow, type Overflow } from '../model/log/overflow.ts';
import { parseDuration } from '../model/words/duration.ts';

/** `true/yes/on/y` and `false/no/off/n` in any case; undefined where it is neither. */
export function parseBoolean(text: string): boolean | undefined {
  switch (text.trim().toLowerCase()) {
    case 'true':
    case 'yes':
    case 'on':
    case 'y':
      return true;
    case 'false':
    case 'no':
    case 'off':
    case 'n':
      return false;
    default:
      return undefined;
  }
}

/** A whole number as YAML 1.1 reads it, where it is not quoted: `0755` is octal, `0x1f`, `1_000`. */
export function parseInteger(text: string, plain: boolean): number | undefined {
  const digits = withoutUnderscores(text.trim());
  const match = /^([+-]?)(?:0x([0-9a-f]+)|0b([01]+)|(\d+))$/i.exec(digits);
  if (match === null) return undefined;
  const [, sign, hexadecimal, binary, decimal = ''] = match;
  const magnitude =
    hexadecimal !== undefined
      ? Number.parseInt(hexadecimal, 16)
      : binary !== undefined
        ? Number.parseInt(binary, 2)
        : Number.parseInt(decimal, plain && /^0[0-7]+$/.test(decimal) ? 8 : 10);
  return sign === '-' ? -magnitude : magnitude;
}

const sizeUnits: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

/** Bytes: a whole number, alone or with K, M or G behind it, in any case; undefined where it is none. */
export function parseSize(text: string, plain: boolean): number | undefined {
  const [, digits = '', unit = ''] = /^(\S*?)([kmg]?)$/i.exec(text.trim()) ?? [];
  const count = parseInteger(digits, plain);
  const factor = sizeUnits[unit.toUpperCase()];
  return count === undefined || factor === undefined ? undefined : count * factor;
}

/** Seconds, fractions allowed, as milliseconds; undefined where it is no number. May be negative. */
export function parseSeconds(text: string, plain: boolean): number | undefined {
  const integer = parseInteger(text, plain);
  if (integer !== undefined) return integer * 1000;
  const trimmed = withoutUnderscores(text.trim());
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(trimmed)) return roundedAway(Number(trimmed) * 1000);
  // YAML 1.1 reads 1:30 as a number to the base of 60.
  if (plain && /^\d+(?::[0-5]?\d)+$/.test(trimmed)) {
    return trimmed.split(':').reduce((total, part) => total * 60 + Number(part), 0) * 1000;
  }
  return undefined;
}

const spanUnits: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A time with units, `500ms`, `1m30s` or `3d`, or a number of seconds, as milliseconds; undefined where it is neither. */
export function parseSpan(text: string, plain: boolean): number | undefined {
  const trimmed = text.trim();
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/.test(trimmed)) return parseSeconds(text, plain);
  const parts = trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g);
  return Math.round([...parts].reduce((sum, [, count, unit = '']) => sum + Number(count) * (spanUnits[unit] ?? 0), 0));
}

/** A number, fractions allowed; undefined where it is none. */
export function parseNumber(text: string): number | undefined {
  const trimmed = withoutUnderscores(text.trim());
  return /^[+-]?(?:\d+\.?\d*|\.\d+)$/.test(trimmed) ? Number(trimmed) : undefined;
}

/** Mode bits of a file: three octal digits, with or without a 0 or `0o` before them; undefined where it is none. */
export function parseFileMode(text: string): number | undefined {
  const [, digits] = /^(?:0|0o)?([0-7]{3})$/.exec(text.trim()) ?? [];
  return digits === undefined ? undefined : Number.parseInt(digits, 8);
}

/** Mode bits that are taken away: octal digits, with or without a 0 or `0o` before them; undefined where it is none. */
export function parseUmask(text: string): number | undefined {
  const [, digits] = /^(?:0|0o)?([0-7]{1,3})$/.exec(text.trim()) ?? [];
  return digits === undefined ? undefined : Number.parseInt(digits, 8);
}

/** YAML 1.1 lets underscores stand between digits, and not before the first. */
function withoutUnderscores(text: string): string {
  return /^[+-]?_/.test(text) ? text : text.replaceAll('_', '');
}

/** Rounds to whole milliseconds; a negative number stays negative, since it is a mistake however small it is. */
function roundedAway(ms: number): number {
  return ms < 0 ? Math.floor(ms) : Math.round(ms);
}

/** `wait`, `wait TIME`, `block` or `drop`; undefined where it is none of these. */
export function parseOverflow(text: string): Overflow | undefined {
  const [kind, time, ...more] = text.trim().split(/\s+/);
  if (more.length > 0 || (time !== undefined && kind !== 'wait')) return undefined;
  if (kind === 'block' || kind === 'drop') return { kind };
  if (kind !== 'wait') return undefined;
  if (time === undefined) return defaultOverflow;
  const patience = parseDuration(time);
  return patience === undefined ? undefined : { kind, patience };
}
