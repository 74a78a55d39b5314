/** How many columns of a terminal texts take. */

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
/** Scripts that fonts of terminals draw in two columns, and what is an emoji by itself. */
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|\ufe0f/u;
const ascii = /^[\u0020-\u007e]*$/;

export function widthOf(text: string): number {
  if (ascii.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segmenter.segment(text)) width += columnsOf(segment);
  return width;
}

/** The text in exactly so many columns: cut with `…`, or filled with spaces. */
export function inCell(text: string, width: number, side: 'left' | 'right' = 'left'): string {
  const cut = cutTo(text, width);
  const space = ' '.repeat(Math.max(0, width - widthOf(cut)));
  return side === 'left' ? `${cut}${space}` : `${space}${cut}`;
}

/** The text in so many columns at most. */
export function cutTo(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  if (width < 1) return '';
  let kept = '';
  let used = 0;
  for (const { segment } of segmenter.segment(text)) {
    const columns = columnsOf(segment);
    if (used + columns > width - 1) break;
    kept += segment;
    used += columns;
  }
  return `${kept}…`;
}

function columnsOf(segment: string): number {
  if (/^[\p{Mark}\u200b-\u200f\u2060]+$/u.test(segment)) return 0;
  return wide.test(segment) ? 2 : 1;
}
