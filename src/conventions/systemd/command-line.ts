/** Command lines as systemd.service(5) has them: prefixes, quotes, C escapes, `$NAME`, `${NAME}` and specifiers. */
import { literal, variableMark } from '../draft.ts';
import { quotedWord } from '../written.ts';

/** A piece of a word: text, or a variable. A `split` one stands alone as a word, and its value becomes several. */
export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'variable'; readonly name: string; readonly split: boolean };

export interface CommandLine {
  /** Its failure is ignored. */
  readonly ignoresFailure: boolean;
  /** True where the command runs with all rights (prefix `+` or `!`). */
  readonly privileged: boolean;
  /** The second word is the name that the program is told. */
  readonly namesItself: boolean;
  readonly words: readonly (readonly Piece[])[];
}

export type CommandLines =
  | { readonly ok: true; readonly commands: readonly CommandLine[] }
  | { readonly ok: false; readonly message: string };

/** The commands of one assignment: a `;` that stands alone begins another one. */
export function readCommandLines(text: string): CommandLines {
  const split = splitSystemd(text);
  if (split === undefined) return { ok: false, message: 'a quote is never closed' };
  const commands: CommandLine[] = [];
  let words: SplitWord[] = [];
  for (const word of [...split, { text: ';', isQuoted: false }]) {
    if (word.text === ';' && !word.isQuoted) {
      if (words.length > 0) commands.push(commandOf(words));
      words = [];
    } else {
      words.push(word.text === '\\;' ? { text: ';', isQuoted: false } : word);
    }
  }
  return { ok: true, commands };
}

function commandOf([first, ...rest]: readonly SplitWord[]): CommandLine {
  const [, prefixes = '', program = ''] = /^([-@:+!]*)(.*)$/s.exec(first?.text ?? '') ?? [];
  const expands = !prefixes.includes(':');
  const pieces = ({ text }: SplitWord): readonly Piece[] => (expands ? piecesOf(text) : [{ kind: 'text', text }]);
  return {
    ignoresFailure: prefixes.includes('-'),
    privileged: /[+!]/.test(prefixes),
    namesItself: prefixes.includes('@'),
    words: [[{ kind: 'text', text: program }], ...rest.map(pieces)],
  };
}

function piecesOf(word: string): readonly Piece[] {
  const [, alone] = /^\$([A-Za-z_]\w*)$/.exec(word) ?? [];
  if (alone !== undefined) return [{ kind: 'variable', name: alone, split: true }];
  const pieces: Piece[] = [];
  let copied = 0;
  const text = (end: number): void => {
    if (end > copied) pieces.push({ kind: 'text', text: word.slice(copied, end) });
  };
  for (const match of word.matchAll(/\$\$|\$\{([A-Za-z_]\w*)\}|\$([A-Za-z_]\w*)/g)) {
    text(match.index);
    const name = match[1] ?? match[2];
    pieces.push(name === undefined ? { kind: 'text', text: '$' } : { kind: 'variable', name, split: false });
    copied = match.index + match[0].length;
  }
  text(word.length);
  return pieces.length === 0 ? [{ kind: 'text', text: '' }] : pieces;
}

interface SplitWord {
  readonly text: string;
  readonly isQuoted: boolean;
}

/** Words of an assignment, with quotes and C escapes taken away; undefined where a quote is never closed. */
export function splitSystemd(text: string): readonly SplitWord[] | undefined {
  const words: SplitWord[] = [];
  let word: string | undefined;
  let isQuoted = false;
  let quote = '';
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charAt(index);
    if (quote === '' && /\s/.test(character)) {
      if (word !== undefined) words.push({ text: word, isQuoted });
      word = undefined;
      isQuoted = false;
    } else if (character === '\\' && text.charAt(index + 1) !== ';') {
      const sequence = unescapeAt(text, index);
      word = (word ?? '') + sequence.text;
      index += sequence.length - 1;
    } else if (quote === '' && word === undefined && (character === '"' || character === "'")) {
      quote = character;
      word = '';
      isQuoted = true;
    } else if (quote !== '' && character === quote) {
      quote = '';
    } else if (quote === '' && (character === '"' || character === "'")) {
      quote = character;
    } else {
      word = (word ?? '') + character;
    }
  }
  if (quote !== '') return undefined;
  if (word !== undefined) words.push({ text: word, isQuoted });
  return words;
}

const escapes: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  s: ' ',
};

function unescapeAt(text: string, index: number): { readonly text: string; readonly length: number } {
  const code = /^\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/.exec(
    text.slice(index, index + 10),
  );
  if (code !== null) {
    const [whole, hex, octal, short, long] = code;
    const value = octal === undefined ? Number.parseInt(hex ?? short ?? long ?? '0', 16) : Number.parseInt(octal, 8);
    return { text: String.fromCodePoint(Math.min(value, 0x10_ffff)), length: whole.length };
  }
  const next = text.charAt(index + 1);
  return { text: escapes[next] ?? next, length: 2 };
}

/** Variables that are known only while the service runs stay with a shell: those of files, and the pid. */
export interface CommandContext {
  /** True where the command is expanded when it runs, or all of its variables are known when the configuration is loaded. */
  readonly expands: boolean;
}

/**
 * Writes a command as chaperone has it. `$NAME` and `${NAME}` are expanded by chaperone where it can, else by a shell, which
 * the program then replaces.
 */
export function writeCommand({ words, namesItself }: CommandLine, { expands }: CommandContext): string {
  const [program = [], ...rest] = namesItself ? [words[0] ?? [], ...words.slice(2)] : words;
  const all = [program, ...rest];
  if (expands || all.every((word) => word.every(({ kind }) => kind === 'text'))) return all.map(writeWord).join(' ');
  const script = `exec ${all.map(shellWord).join(' ')}`;
  return `/bin/sh -c ${quotedWord(literal(script))}`;
}

function writeWord(pieces: readonly Piece[]): string {
  const [first] = pieces;
  if (first?.kind === 'variable' && first.split) return variableForm(first.name);
  if (pieces.every(({ kind }) => kind === 'text'))
    return quotedWord(literal(pieces.map((piece) => (piece.kind === 'text' ? piece.text : '')).join('')));
  const inner = pieces.map((piece) =>
    piece.kind === 'text' ? literal(piece.text).replace(/["\\`]|\$(?!\()/g, '\\$&') : variableForm(piece.name),
  );
  return `"${inner.join('')}"`;
}

/** A variable that is not set is empty text for systemd. */
function variableForm(name: string): string {
  return `$(${name}:-)`;
}

function shellWord(pieces: readonly Piece[]): string {
  const [first] = pieces;
  if (first?.kind === 'variable' && first.split) return `$${first.name}`;
  return pieces
    .map((piece) =>
      piece.kind === 'variable' ? `"\${${piece.name}}"` : piece.text === '' ? "''" : quotedWord(piece.text),
    )
    .join('');
}

/** The text that a specifier of systemd.unit(5) stands for; undefined where chaperone has no counterpart. */
export function expandSpecifiers(
  text: string,
  unit: string,
): { readonly text: string; readonly unknown: readonly string[] } {
  const unknown: string[] = [];
  const stem = unit.replace(/\.\w+$/, '');
  const [prefix = '', instance] = stem.split(/@(.*)/s);
  const fixed: Readonly<Record<string, string>> = {
    '%': '%',
    n: unit,
    N: stem,
    p: prefix,
    i: instance === undefined ? '' : instance === '' ? variableMark('_CHAP_SERVICE_INSTANCE') : instance,
    H: variableMark('HOSTNAME'),
    l: variableMark('HOSTNAME'),
    h: variableMark('HOME'),
    u: variableMark('USER'),
    t: '/run',
    S: '/var/lib',
    C: '/var/cache',
    L: '/var/log',
    E: '/etc',
    T: '/tmp',
    V: '/var/tmp',
  };
  const expanded = text.replace(/%(.)/gs, (whole, letter: string) => {
    const known = fixed[letter] ?? (letter === 'I' ? fixed['i'] : undefined);
    if (known === undefined) unknown.push(whole);
    return known ?? whole;
  });
  return { text: expanded, unknown };
}
