/**
 * Reads files as supervisord does: Python's configparser (3.11) with `;` and `#` for comments within lines, and without
 * interpolation. A section that stands several times is one section; of an option that does, the last one counts.
 */
import type { Report } from '../../config/report.ts';
import type { Place, Source } from '../../config/source.ts';
import { quote } from '../../config/wording.ts';

export interface IniOption {
  /** The name of the option, in lower case. */
  readonly key: string;
  /** The lines of the value, without the space around each. */
  readonly value: string;
  readonly keyPlace: Place;
  /** The first line of the value. */
  readonly place: Place;
}

export interface IniSection {
  readonly name: string;
  readonly place: Place;
  readonly options: ReadonlyMap<string, IniOption>;
}

/** The options of this section count in each section that does not have them itself. */
const defaultSection = 'DEFAULT';

interface OpenSection {
  readonly name: string;
  readonly place: Place;
  readonly options: Map<string, { readonly option: Omit<IniOption, 'value'>; readonly lines: string[] }>;
}

/** The meaning of one line, without its comment. */
interface Line {
  readonly text: string;
  /** Columns before the text. */
  readonly indent: number;
  /** The column at which the text begins in the source. */
  readonly start: number;
  readonly hasComment: boolean;
}

/** Reads one file. Mistakes go to the report, and the lines that hold them are left out. */
export function readIni(source: Source, report: Report): readonly IniSection[] {
  const sections = new Map<string, OpenSection>();
  let current: OpenSection | undefined;
  let lines: string[] | undefined;
  let indent = 0;
  for (const line of linesOf(source)) {
    const place = { source, start: line.start, end: line.start + line.text.length };
    if (line.text === '') {
      if (!line.hasComment) lines?.push('');
      continue;
    }
    if (lines !== undefined && line.indent > indent) {
      lines.push(line.text);
      continue;
    }
    indent = line.indent;
    const [, name] = /^\[(.+)\]/.exec(line.text) ?? [];
    if (name !== undefined) {
      current = sections.get(name) ?? { name, place, options: new Map() };
      sections.set(name, current);
      lines = undefined;
    } else if (current === undefined) {
      report.error('ini-syntax', `${quote(line.text)} stands before the first section`, place, {
        hint: 'expected a section such as [program:NAME]',
      });
    } else {
      lines = openOption(current, line, source, report) ?? lines;
    }
  }
  return finished(sections);
}

/** @returns the list that takes further lines of the value; undefined where the line is a mistake */
function openOption(section: OpenSection, { text, start }: Line, source: Source, report: Report): string[] | undefined {
  const match = /^(.*?)\s*[=:]\s*(.*)$/.exec(text);
  const written = match?.[1]?.trimEnd() ?? '';
  if (match === null || written === '') {
    const place = { source, start, end: start + text.length };
    const message = match === null ? `${quote(text)} is no option` : `${quote(text)} has no name before its value`;
    report.error('ini-syntax', message, place, { hint: 'expected NAME=VALUE' });
    return undefined;
  }
  const key = written.toLowerCase();
  const value = match[2] ?? '';
  const from = start + text.length - value.length;
  const option = {
    key,
    keyPlace: { source, start, end: start + written.length },
    place: { source, start: from, end: from + value.length },
  };
  const earlier = section.options.get(key);
  if (earlier?.option.place.source === source) {
    report.warning(
      'duplicate-key',
      `${quote(key)} stands twice in [${section.name}]; the last one counts`,
      option.keyPlace,
      {
        related: { message: 'the one without effect is', place: earlier.option.keyPlace },
      },
    );
  }
  const lines = [value];
  section.options.set(key, { option, lines });
  return lines;
}

function finished(sections: ReadonlyMap<string, OpenSection>): readonly IniSection[] {
  const optionsOf = ({ options }: OpenSection): ReadonlyMap<string, IniOption> =>
    new Map([...options].map(([key, { option, lines }]) => [key, { ...option, value: lines.join('\n').trimEnd() }]));
  const common = sections.get(defaultSection);
  const defaults = common === undefined ? [] : [...optionsOf(common)];
  return [...sections.values()]
    .filter(({ name }) => name !== defaultSection)
    .map((section) => ({
      name: section.name,
      place: section.place,
      options: new Map([...defaults, ...optionsOf(section)]),
    }));
}

function* linesOf({ text }: Source): Generator<Line> {
  let start = 0;
  for (const raw of text.split('\n')) {
    const cut = commentStart(raw);
    const kept = cut < 0 ? raw : raw.slice(0, cut);
    const indent = raw.length - raw.trimStart().length;
    yield { text: kept.trim(), indent, start: start + indent, hasComment: cut >= 0 };
    start += raw.length + 1;
  }
}

/**
 * A line that begins with `#` or `;` is a comment; within a line one begins behind white space. -1 where there is none. Both marks
 * are looked for in rounds, as configparser does: a mark of an earlier round wins over one that stands before it.
 */
function commentStart(line: string): number {
  if (/^\s*[#;]/.test(line)) return 0;
  let marks = [';', '#'].map((mark) => ({ mark, index: -1 }));
  while (marks.length > 0) {
    marks = marks
      .map(({ mark, index }) => ({ mark, index: line.indexOf(mark, index + 1) }))
      .filter(({ index }) => index >= 0);
    const starts = marks.map(({ index }) => index).filter((index) => /\s/.test(line.charAt(index - 1)));
    if (starts.length > 0) return Math.min(...starts);
  }
  return -1;
}

/** Joins the sections of several files, in their order. */
export function mergeIni(files: readonly (readonly IniSection[])[]): readonly IniSection[] {
  const merged = new Map<string, IniSection>();
  for (const section of files.flat()) {
    const earlier = merged.get(section.name);
    const options = new Map([...(earlier?.options ?? []), ...section.options]);
    merged.set(section.name, { ...(earlier ?? section), options });
  }
  return [...merged.values()];
}
