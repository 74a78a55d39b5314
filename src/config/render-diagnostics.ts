import type { Diagnostic, SourcePosition } from '../model/words/diagnostic.ts';
import { visible } from './wording.ts';

const tabWidth = 8;
/** Columns of a quoted line; a longer one is shown in part, around the caret. */
const widestLine = 100;
/** Columns kept before the caret in such a part. */
const context = 30;

/**
 * The mistakes as text for a person, with a head line; empty where there are none. Warnings are left out.
 *
 * @param consequence what follows from the mistakes, such as `nothing was started`
 * @param program who says so
 */
export function renderErrors(
  diagnostics: readonly Diagnostic[],
  consequence = 'nothing was started',
  program = 'chaperone',
): string {
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error');
  const number = countOf(errors);
  const count = number === 1 ? '1 mistake' : `${number} mistakes`;
  return render(`${program}: ${count} in the configuration, ${consequence}`, errors);
}

/** The warnings as text for a person, with a head line; empty where there are none. */
export function renderWarnings(diagnostics: readonly Diagnostic[]): string {
  const warnings = diagnostics.filter((diagnostic) => diagnostic.severity === 'warning');
  const number = countOf(warnings);
  const count = number === 1 ? '1 warning' : `${number} warnings`;
  return render(`chaperone: ${count} about the configuration`, warnings);
}

/** The number of mistakes or warnings. */
export function countOf(diagnostics: readonly Diagnostic[]): number {
  return diagnostics.reduce((sum, { count = 1 }) => sum + count, 0);
}

function render(head: string, diagnostics: readonly Diagnostic[]): string {
  return diagnostics.length === 0 ? '' : `${[head, ...diagnostics.map(renderBlock)].join('\n\n')}\n`;
}

function renderBlock({ code, message, position, hint, related }: Diagnostic): string {
  const lines: string[] = [];
  if (position === undefined) {
    lines.push(`${message} [${code}]`);
    if (hint !== undefined) lines.push(`      = ${hint}`);
  } else {
    const { line, caret } = quoteLine(position);
    const number = String(position.line).padStart(5);
    const margin = ' '.repeat(number.length);
    lines.push(
      `${address(position)}: ${message} [${code}]`,
      `${number} | ${line}`.trimEnd(),
      `${margin} | ${caret}${hint === undefined ? '' : ` ${hint}`}`,
    );
  }
  if (related !== undefined) lines.push(`      = ${related.message} at ${address(related.position)}`);
  return lines.join('\n');
}

function address({ file, line, column }: SourcePosition): string {
  return `${visible(file)}:${line}:${column}`;
}

/** The line with tabs expanded, so that a caret below it stands where the terminal shows the character. */
function quoteLine(position: SourcePosition): { line: string; caret: string } {
  const cells: { readonly text: string; readonly width: number }[] = [];
  const { characters, skipped, complete } = excerpt(position);
  let characterColumn = skipped;
  for (const character of characters) {
    if (character === '\t') {
      const width = tabWidth - (characterColumn % tabWidth);
      cells.push({ text: ' '.repeat(width), width });
      characterColumn += width;
    } else {
      cells.push({ text: visible(character), width: displayWidth(character) });
      characterColumn += 1;
    }
  }
  const first = Math.min(position.column - 1 - skipped, cells.length);
  const window = windowAround(cells, first);
  const widthOf = (from: number, to: number): number =>
    cells.slice(from, to).reduce((sum, cell) => sum + cell.width, 0);
  const cutBefore = skipped > 0 || window.from > 0;
  const lead = (cutBefore ? 1 : 0) + widthOf(window.from, first);
  const underlined = Math.max(1, widthOf(first, Math.min(first + position.length, window.to)));
  const shown = cells.slice(window.from, window.to).map((cell) => cell.text);
  return {
    line: `${cutBefore ? '…' : ''}${shown.join('')}${!complete || window.to < cells.length ? '…' : ''}`,
    caret: ' '.repeat(lead) + '^'.repeat(underlined),
  };
}

/** Most characters around the place that are looked at, since a line may have millions. */
const longestExcerpt = 1_000;

/** The line, or a part of it around the place, character by character. */
function excerpt({ text, column }: SourcePosition): {
  readonly characters: readonly string[];
  readonly skipped: number;
  readonly complete: boolean;
} {
  if (text.length <= longestExcerpt) return { characters: [...text], skipped: 0, complete: true };
  const skipped = Math.max(0, column - 1 - longestExcerpt / 2);
  const characters: string[] = [];
  let index = 0;
  for (const character of text) {
    if (index >= skipped) characters.push(character);
    index += 1;
    if (characters.length === longestExcerpt) break;
  }
  return { characters, skipped, complete: characters.length < longestExcerpt };
}

/** Which cells to show: all of them where they fit, else as many as fit, beginning a little before `first`. */
function windowAround(cells: readonly { readonly width: number }[], first: number): { from: number; to: number } {
  let total = 0;
  for (const cell of cells) total += cell.width;
  if (total <= widestLine) return { from: 0, to: cells.length };
  let from = first;
  let before = 0;
  while (from > 0 && before + (cells[from - 1]?.width ?? 0) <= context) {
    from -= 1;
    before += cells[from]?.width ?? 0;
  }
  let to = from;
  let width = 2;
  while (to < cells.length && width + (cells[to]?.width ?? 0) <= widestLine) {
    width += cells[to]?.width ?? 0;
    to += 1;
  }
  return { from, to };
}

/** Terminal columns of one character: 0 for marks that join the one before, 2 for East Asian wide ones and emoji. */
function displayWidth(character: string): number {
  if (/^[\p{Mn}\p{Me}\p{Cf}]$/u.test(character)) return 0;
  return /^[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\u3000-\u303f\uff01-\uff60\uffe0-\uffe6]$|^\p{Emoji_Presentation}$/u.test(
    character,
  )
    ? 2
    : 1;
}
