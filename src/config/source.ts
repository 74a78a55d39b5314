import type { SourcePosition } from '../model/words/diagnostic.ts';
import { maskAssignments } from '../model/words/secrets.ts';

/** One file's text and the way back from places in it to the user's own lines and columns. */
export interface Source {
  /** The file as a message names it. */
  readonly file: string;
  /** The text to parse: without a byte order mark, tabs expanded to 8 columns. */
  readonly text: string;
  /** The user's position of the range from `start` up to `end` (offsets in `text`); it ends with its line at the latest. */
  position(start: number, end: number): SourcePosition;
}

/** A range in a source, kept small: the line and the column are worked out only when something is reported. */
export interface Place {
  readonly source: Source;
  readonly start: number;
  readonly end: number;
}

const tabWidth = 8;

/**
 * Prepares the text of one file. Lines end with LF or CRLF; columns are counted in Unicode characters.
 *
 * @param tabs what becomes of tabs in `text`: files of other programs keep them
 */
export function createSource(file: string, raw: string, tabs: 'expanded' | 'kept' = 'expanded'): Source {
  const withoutMark = raw.startsWith('\ufeff') ? raw.slice(1) : raw;
  const rawLines = withoutMark.split('\n');
  const width = tabs === 'kept' ? 1 : tabWidth;
  const lines = width > 1 && withoutMark.includes('\t') ? rawLines.map(expandTabs) : rawLines;
  const lineStarts: number[] = [];
  let offset = 0;
  for (const line of lines) {
    lineStarts.push(offset);
    offset += line.length + 1;
  }

  function position(start: number, end: number): SourcePosition {
    const index = lineAt(lineStarts, start);
    const lineStart = lineStarts[index] ?? 0;
    const rawLine = (rawLines[index] ?? '').replace(/\r$/, '');
    const first = characterAt(rawLine, start - lineStart, width);
    const after = characterAt(rawLine, Math.max(start, end) - lineStart, width);
    return {
      file,
      line: index + 1,
      column: first + 1,
      length: Math.max(1, after - first),
      text: maskAssignments(rawLine),
    };
  }

  return { file, text: lines.join('\n'), position };
}

/** Tab stops stand after every eighth character, as Python's `expandtabs(8)` has them. */
function expandTabs(line: string): string {
  if (!line.includes('\t')) return line;
  let expanded = '';
  let column = 0;
  for (const character of line) {
    const width = character === '\t' ? tabWidth - (column % tabWidth) : 1;
    expanded += character === '\t' ? ' '.repeat(width) : character;
    column += width;
  }
  return expanded;
}

/** The index of the line that holds an offset; a binary search. */
function lineAt(lineStarts: readonly number[], offset: number): number {
  let low = 0;
  let high = lineStarts.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((lineStarts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The index of the user's character that covers an offset of the expanded line. */
function characterAt(rawLine: string, expandedOffset: number, tab: number): number {
  let index = 0;
  let column = 0;
  let offset = 0;
  for (const character of rawLine) {
    const isTab = character === '\t';
    const width = isTab ? tab - (column % tab) : 1;
    offset += isTab ? width : character.length;
    if (offset > expandedOffset) return index;
    column += width;
    index += 1;
  }
  return index;
}
