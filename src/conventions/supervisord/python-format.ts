/** `%(NAME)s` as Python's `%` operator fills it in from a dictionary of texts and whole numbers. */

export type Expansions = ReadonlyMap<string, string | number>;

export type Formatted =
  | { readonly ok: true; readonly text: string }
  | {
      readonly ok: false;
      readonly index: number;
      readonly length: number;
      readonly message: string;
      readonly name?: string;
    };

const conversion =
  /%(?:\((?<name>[^()]*)\))?(?<flags>[-+ #0]*)(?<width>\d*)(?:\.(?<precision>\d*))?[hlL]?(?<type>.?)/gs;

/** Fills in the values of a text. A mistake is told with its place in the text. */
export function formatPython(text: string, values: Expansions): Formatted {
  let result = '';
  let copied = 0;
  for (const match of text.matchAll(conversion)) {
    const { name, flags = '', width = '', precision, type = '' } = match.groups ?? {};
    result += text.slice(copied, match.index);
    copied = match.index + match[0].length;
    const wrong = (message: string, unknown?: string): Formatted => ({
      ok: false,
      index: match.index,
      length: Math.max(1, match[0].length),
      message,
      ...(unknown === undefined ? {} : { name: unknown }),
    });
    if (type === '%' && name === undefined) {
      result += '%';
      continue;
    }
    if (type === '') return wrong('a form is not finished; a percent sign is written %%');
    if (name === undefined) return wrong(`${match[0]} names no value; a percent sign is written %%`);
    const value = values.get(name);
    if (value === undefined) return wrong(`nothing is named ${name}`, name);
    const put = convert(value, type, flags, precision);
    if (put === undefined) return wrong(`%${type} does not fit ${typeof value === 'number' ? 'a number' : 'text'}`);
    result += pad(put, Number(width), flags, typeof value === 'number' && type !== 's');
  }
  return { ok: true, text: result + text.slice(copied) };
}

function convert(
  value: string | number,
  type: string,
  flags: string,
  precision: string | undefined,
): string | undefined {
  if (type === 's') {
    const text = String(value);
    return precision === undefined ? text : text.slice(0, Number(precision));
  }
  if (typeof value !== 'number') return undefined;
  const digits = wholeNumber(Math.abs(value), type);
  if (digits === undefined) return undefined;
  const sign = value < 0 ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
  const prefix = flags.includes('#') && 'xXo'.includes(type) ? `0${type}` : '';
  return sign + prefix + digits.padStart(Number(precision ?? 0), '0');
}

function wholeNumber(value: number, type: string): string | undefined {
  switch (type) {
    case 'd':
    case 'i':
    case 'u':
      return String(value);
    case 'x':
      return value.toString(16);
    case 'X':
      return value.toString(16).toUpperCase();
    case 'o':
      return value.toString(8);
    default:
      return undefined;
  }
}

function pad(text: string, width: number, flags: string, isNumber: boolean): string {
  if (flags.includes('-')) return text.padEnd(width);
  if (!isNumber || !flags.includes('0')) return text.padStart(width);
  const [, sign = '', digits = ''] = /^([-+ ]?(?:0[xXo])?)(.*)$/s.exec(text) ?? [];
  return sign + digits.padStart(width - sign.length, '0');
}
