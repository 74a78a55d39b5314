/** Writes drafts as a file of a configuration. */
import type { Place } from '../../config/source.ts';
import { visible } from '../../config/wording.ts';
import type { Draft, Remark } from '../draft.ts';
import type { Written } from '../written.ts';

export interface FileHead {
  /** Stands at the beginning, a line each. */
  readonly lines: readonly string[];
  readonly remarks: readonly Remark[];
}

/** The whole text of a file. */
export function writeFile(drafts: readonly Draft[], { lines, remarks }: FileHead): string {
  const notes = remarks.map(describeRemark);
  const head = [
    ...lines,
    ...(notes.length === 0 ? [] : ['', 'Without a counterpart:', ...notes.map((note) => `- ${note}`)]),
  ];
  const top = head.map((line) => `# ${visible(line)}`.trimEnd());
  return [...top, ...drafts.flatMap((draft) => ['', ...writeSection(draft)]), ''].join('\n');
}

/** `FILE:LINE: what`. */
export function describeRemark({ message, place }: Remark): string {
  return place === undefined ? message : `${describePlace(place)}: ${message}`;
}

function describePlace({ source, start, end }: Place): string {
  const { file, line } = source.position(start, end);
  return `${file}:${line}`;
}

function writeSection({ name, place, directives, comments = [] }: Draft): readonly string[] {
  const head = [...comments, `from ${describePlace(place)}`].map((line) => `# ${visible(line)}`);
  if (directives.length === 0) return [...head, `${writeScalar(name)}: {}`];
  return [
    ...head,
    `${writeScalar(name)}:`,
    ...directives.flatMap(({ key, value, comment }) => {
      const [first = '', ...rest] = writeEntry(key, value, '  ');
      return [comment === undefined ? first : `${first}  # ${visible(comment)}`, ...rest];
    }),
  ];
}

function writeEntry(key: string, value: Written, indent: string): readonly string[] {
  const label = `${indent}${writeScalar(key)}:`;
  if (typeof value !== 'object') return [`${label} ${writeScalar(value)}`];
  if (Array.isArray(value)) {
    if (value.length === 0) return [`${label} []`];
    return [label, ...value.map((item: Written) => `${indent}  - ${writeFlow(item)}`)];
  }
  const entries = Object.entries(value);
  if (entries.length === 0) return [`${label} {}`];
  return [label, ...entries.flatMap(([inner, item]) => writeEntry(inner, item, `${indent}  `))];
}

function writeFlow(value: Written): string {
  if (typeof value !== 'object') return writeScalar(value);
  if (Array.isArray(value)) return `[${value.map((item: Written) => writeFlow(item)).join(', ')}]`;
  const entries: readonly (readonly [string, Written])[] = Object.entries(value);
  return `{ ${entries.map(([key, item]) => `${writeScalar(key)}: ${writeFlow(item)}`).join(', ')} }`;
}

/** Text that YAML would take for nothing else, in block and flow style, and without what needs escapes. */
const plainText = /^[A-Za-z_/.~][\w@+=./~-]*(?: [\w@+=./~-]+)*$/;
const plainTime = /^\d+(?:\.\d+)?(?:ms|s|m|h|d)$/;
const otherValues = /^(?:true|false|yes|no|on|off|y|n|null|~|[-+.]?\d.*|\.inf|\.nan)$/i;

function writeScalar(value: string | number | boolean): string {
  if (typeof value !== 'string') return String(value);
  if ((plainText.test(value) && !otherValues.test(value)) || plainTime.test(value)) return value;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what has to be escaped
  if (!/[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff]/.test(value)) return `'${value.replaceAll("'", "''")}'`;
  return JSON.stringify(value).replace(/[\u007f-\u009f\u2028\u2029\ufeff]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
