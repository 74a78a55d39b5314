/** Finds what only a shell understands in a command that no shell reads: each such thing becomes an argument as it is. */

export type ShellSyntaxKind =
  | 'operator'
  | 'background'
  | 'redirection'
  | 'join'
  | 'variable'
  | 'builtin'
  | 'assignment';

export interface ShellSyntax {
  readonly kind: ShellSyntaxKind;
  readonly text: string;
  /** An index into the command. */
  readonly index: number;
  /** What to write instead. */
  readonly advice: string;
}

const shells: readonly string[] = [
  'sh',
  'bash',
  'dash',
  'ash',
  'zsh',
  'ksh',
  'mksh',
  'fish',
  'su',
  'runuser',
  'script',
];
/** Words that a shell carries out itself; no program has their names, or it would do nothing that lasts. */
const builtins: readonly string[] = [
  ...['cd', 'export', 'source', '.', 'set', 'unset', 'ulimit', 'umask', 'exec', 'eval', 'trap', 'alias', 'if', 'for'],
  ...['while', 'until', 'case'],
];
/** Longer commands are not repeated in an advice. */
const longestAdvice = 120;

/**
 * @param command as it is written, or with its variables expanded; `$(…)`, `${…}` and commands in backticks are Chaperone's own
 * @returns the first of each kind, in their order
 */
export function shellSyntax(command: string): readonly ShellSyntax[] {
  const words = splitRoughly(command);
  const found: ShellSyntax[] = [];
  const shell = words.findIndex(({ text }) => shells.includes(text.replace(/^.*\//, '')));
  const shellFrom = shell < 0 ? -1 : words.findIndex(({ text }, at) => at > shell && /^-[a-z]*c$/.test(text));
  const add = (kind: ShellSyntaxKind, text: string, index: number, advice: string): void => {
    if (!found.some((other) => other.kind === kind)) found.push({ kind, text, index, advice });
  };
  words.forEach((word, at) => {
    const { text, index } = word;
    const plain = !word.quoted;
    if (at === 0 && plain && builtins.includes(text)) add('builtin', text, index, builtinAdvice(text, words, command));
    const assignment = /^([A-Za-z_]\w*)=(.*)$/s.exec(text);
    if (at === 0 && assignment !== null && words.length > 1)
      add('assignment', text, index, `write "env_set: { ${assignment[1]}: ${assignment[2]} }", and the program first`);
    if (plain) addOperator(text, index, command, add);
    if (shellFrom >= 0 && at > shellFrom) return;
    for (const { name, offset } of word.variables) add('variable', `$${name}`, index + offset, `write "$(${name})"`);
  });
  return found.sort((a, b) => a.index - b.index);
}

/** Characters of a command in which a shell's name is looked for. */
const longestLook = 10_000;

/** True where a shell is given text to read: it would expand $(date), and what it is given it expands later. */
export function isReadByShell(command: string): boolean {
  return /(?:^|[\s/])(?:sh|bash|dash|ash|zsh|ksh|su|runuser)\s.*?-[a-z]*c\s/s.test(command.slice(0, longestLook));
}

type Add = (kind: ShellSyntaxKind, text: string, index: number, advice: string) => void;

function addOperator(text: string, index: number, command: string, add: Add): void {
  const operator = /^(?:&&|\|\|?|;|&)$/.exec(text)?.[0] ?? (/[^;];$/.test(text) ? ';' : undefined);
  if (operator === '&' && index === command.trimEnd().length - 1)
    add('background', '&', index, 'leave it out: Chaperone does not wait for a service of type simple');
  else if (operator !== undefined)
    add('operator', operator, index + text.length - operator.length, shellAdvice(command));
  else if (/^\d?>&\d$/.test(text)) add('join', text, index, 'leave it out: Chaperone logs both outputs');
  else if (/^(?:\d|&)?(?:>>?|<)[^<>(]*$/.test(text)) add('redirection', text, index, shellAdvice(command));
}

function builtinAdvice(builtin: string, words: readonly RoughWord[], command: string): string {
  const [, target] = words;
  if (builtin === 'cd' && target !== undefined)
    return `write "directory: ${target.text}", and the program first; or let a shell read it: ${shellAdvice(command)}`;
  return shellAdvice(command);
}

/** The command as a shell would be given it. */
function shellAdvice(command: string): string {
  const line = command.trim().replace(/\s+/g, ' ');
  const fits = line.length <= longestAdvice && !/['\\]/.test(line) && !/(?:^|\/)(?:ba|da)?sh -\w*c /.test(line);
  return fits ? `write sh -c '${line}'` : `put what a shell is to read into quotes: sh -c '…'`;
}

interface RoughWord {
  /** Without the quotes. */
  readonly text: string;
  readonly index: number;
  /** Some of it was quoted or escaped, so that it is meant as it stands. */
  readonly quoted: boolean;
  /** `$NAME` outside of single quotes. */
  readonly variables: readonly { readonly name: string; readonly offset: number }[];
}

/** Splits as `splitWords` does, and keeps Chaperone's own forms together. */
function splitRoughly(command: string): readonly RoughWord[] {
  const pattern =
    /(?<space>\s+)|(?<escaped>\\[\s\S]?)|(?<single>'[^']*'?)|(?<double>"(?:\\[\s\S]|[^"\\])*"?)|(?<ticks>`[^`]*`?)|(?<form>\$[({])|(?<variable>\$(?<name>[A-Za-z_]\w*))|[\s\S]/y;
  const words: RoughWord[] = [];
  let text = '';
  let start = 0;
  let quoted = false;
  let variables: { name: string; offset: number }[] = [];
  const end = (at: number): void => {
    if (at > start) words.push({ text, index: start, quoted, variables });
    text = '';
    quoted = false;
    variables = [];
  };
  for (let at = 0; at < command.length; ) {
    pattern.lastIndex = at;
    const match = pattern.exec(command);
    if (match === null) break;
    const { space, escaped, single, double, ticks, form, name } = match.groups ?? {};
    let next = at + match[0].length;
    if (space !== undefined) {
      end(at);
      start = next;
    } else if (form !== undefined) {
      next = formEnd(command, at + 1);
      text += command.slice(at, next);
      quoted = true;
    } else if (escaped !== undefined || single !== undefined || double !== undefined || ticks !== undefined) {
      quoted = true;
      text += match[0].replace(/^\\|^['"]|['"]$/g, '');
      for (const inner of double?.matchAll(/\\[\s\S]|\$([A-Za-z_]\w*)/g) ?? [])
        if (inner[1] !== undefined) variables.push({ name: inner[1], offset: at - start + inner.index });
    } else {
      if (name !== undefined) variables.push({ name, offset: at - start });
      text += match[0];
    }
    at = next;
  }
  end(command.length);
  return words;
}

/** Behind the bracket that closes the one at `open`; the end where none does. */
function formEnd(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === '`') {
      const close = text.indexOf('`', at + 1);
      if (close < 0) return text.length;
      at = close;
    } else if (character === '(' || character === '{') depth += 1;
    else if (character === ')' || character === '}') {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return text.length;
}
