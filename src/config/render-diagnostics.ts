import type { Diagnostic, SourcePosition } from '../model/diagnostic.ts';
import { visible } from './wording.ts';

const tabWidth = 8;
/** Columns of a quoted line; a longer one is shown in part, around the caret. */
const widestLine = 100;
/** Columns kept before the caret in such a part. */
const context = 30;

/** The mistakes as text for a person, with a head line; empty where there are none. Warnings are left out. */
export function renderErrors(diagnostics: readonly Diagnostic[]): string {
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error');
  const count = errors.length === 1 ? '1 mistake' : `${errors.length} mistakes`;
  return render(`chaperone: ${count} in the configuration, nothing was started`, errors);
}

/** The warnings as text for a person, with a head line; empty where there are none. */
export function renderWarnings(diagnostics: readonly Diagnostic[]): string {
  const warnings = diagnostics.filter((diagnostic) => diagnostic.severity === 'warning');
  const count = warnings.length === 1 ? '1 warning' : `${warnings.length} warnings`;
  return render(`chaperone: ${count} about the configuration`, warnings);
}

function render(head: string, diagnostics: readonly Diagnostic[]): string {
  return diagnostics.length === 0 ? '' : `${[head, ...diagnostics.map(renderBlock)].join('\n\n')}\n`;
}

function renderBlock({ message, position, hint, related }: Diagnostic): string {
  const lines: string[] = [];
  if (position === undefined) {
    lines.push(message);
    if (hint !== undefined) lines.push(`      = ${hint}`);
  } else {
    const { line, caret } = quoteLine(position);
    const number = String(position.line).padStart(5);
    const margin = ' '.repeat(number.length);
    lines.push(
      `${address(position)}: ${message}`,
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
  let characterColumn = 0;
  for (const character of position.text) {
    if (character === '\t') {
      const width = tabWidth - (characterColumn % tabWidth);
      cells.push({ text: ' '.repeat(width), width });
      characterColumn += width;
    } else {
      cells.push({ text: visible(character), width: displayWidth(character) });
      characterColumn += 1;
    }
  }
  const first = Math.min(position.column - 1, cells.length);
  const window = windowAround(cells, first);
  const widthOf = (from: number, to: number): number =>
    cells.slice(from, to).reduce((sum, cell) => sum + cell.width, 0);
  const lead = (window.from > 0 ? 1 : 0) + widthOf(window.from, first);
  const underlined = Math.max(1, widthOf(first, Math.min(first + position.length, window.to)));
  const shown = cells.slice(window.from, window.to).map((cell) => cell.text);
  return {
    line: `${window.from > 0 ? '…' : ''}${shown.join('')}${window.to < cells.length ? '…' : ''}`,
    caret: ' '.repeat(lead) + '^'.repeat(underlined),
  };
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
