/** One word of a command. */
interface Word {
  readonly text: string;
  /** It begins with a tilde that was not quoted. */
  readonly tilde: boolean;
}

/** The words of a command, or where the quote stands that is never closed (an index into the text). */
export type WordSplit =
  | { readonly kind: 'words'; readonly words: readonly Word[] }
  | { readonly kind: 'unclosed'; readonly quote: '"' | "'"; readonly index: number };

/**
 * Splits a command as a POSIX shell splits words (XCU 2.2, quoting): quotes and backslashes count, nothing is expanded,
 * and operators such as `|` or `;` are plain text, since no shell ever runs the command.
 */
export function splitWords(text: string): WordSplit {
  const words: Word[] = [];
  let word: string | undefined;
  let tilde = false;
  let index = 0;

  while (index < text.length) {
    const character = text.charAt(index);
    if (character === ' ' || character === '\t' || character === '\n') {
      if (word !== undefined) words.push({ text: word, tilde });
      word = undefined;
      index += 1;
    } else if (character === '\\') {
      const next = text.charAt(index + 1);
      if (next === '\n') {
        // A line continuation is no character at all, not even the beginning of a word.
      } else {
        if (word === undefined) tilde = false;
        word = (word ?? '') + (next === '' ? '\\' : next);
      }
      index += 2;
    } else if (character === "'") {
      const end = text.indexOf("'", index + 1);
      if (end < 0) return { kind: 'unclosed', quote: "'", index };
      if (word === undefined) tilde = false;
      word = (word ?? '') + text.slice(index + 1, end);
      index = end + 1;
    } else if (character === '"') {
      const quoted = readDoubleQuoted(text, index + 1);
      if (quoted === undefined) return { kind: 'unclosed', quote: '"', index };
      if (word === undefined) tilde = false;
      word = (word ?? '') + quoted.text;
      index = quoted.end + 1;
    } else {
      if (word === undefined) tilde = character === '~';
      word = (word ?? '') + character;
      index += 1;
    }
  }
  if (word !== undefined) words.push({ text: word, tilde });
  return { kind: 'words', words };
}

/** Inside double quotes a backslash escapes only these; before anything else it stands for itself. */
const escapable = '$`"\\\n';

function readDoubleQuoted(text: string, start: number): { text: string; end: number } | undefined {
  let content = '';
  for (let index = start; index < text.length; index += 1) {
    const character = text.charAt(index);
    if (character === '"') return { text: content, end: index };
    const next = text.charAt(index + 1);
    if (character === '\\' && next !== '' && escapable.includes(next)) {
      if (next !== '\n') content += next;
      index += 1;
    } else {
      content += character;
    }
  }
  return undefined;
}
