/** Reads from the beginning of a program's file how the program would be started, as execve(2) and env(1) do. */

/** Bytes that are enough to see the `#!` line, and the program headers of a binary with the name of its loader. */
export const headLength = 4_096;

/** The files that a start finds. */
export interface ProgramFiles {
  exists(path: string): boolean;
  /** Looks a word up in the PATH of the program. */
  findProgram(word: string): boolean;
}

/** What keeps a program from being executed. */
export type ProgramFault =
  /** `windows`: the line ends as on Windows, so that its last word ends in a carriage return. */
  | { readonly kind: 'interpreter'; readonly missing: string; readonly windows: boolean }
  /** The interpreter is there, and is called with an argument that ends in a carriage return. */
  | { readonly kind: 'argument'; readonly interpreter: string }
  | { readonly kind: 'loader'; readonly missing: string }
  | { readonly kind: 'empty' }
  /** Neither a binary nor a script with a `#!` line. */
  | { readonly kind: 'format'; readonly windows: boolean };

/** @param head the first `headLength` bytes of the file, one character a byte */
export function programFault(head: string, files: ProgramFiles): ProgramFault | undefined {
  if (head.startsWith('\x7fELF')) {
    const loader = elfLoader(head);
    return loader === undefined || files.exists(loader) ? undefined : { kind: 'loader', missing: loader };
  }
  if (head === '') return { kind: 'empty' };
  const line = head.split('\n', 1)[0] ?? '';
  const windows = line.endsWith('\r');
  if (!line.startsWith('#!')) return { kind: 'format', windows };
  const [interpreter = '', ...words] = line
    .slice(2)
    .split(/[ \t]+/)
    .filter((word) => word !== '');
  if (interpreter === '' || !files.exists(interpreter)) return { kind: 'interpreter', missing: interpreter, windows };
  if (/(?:^|\/)env$/.test(interpreter)) {
    const command = words.find((word) => !word.startsWith('-') && !word.includes('='));
    if (command !== undefined && !files.findProgram(command)) return { kind: 'interpreter', missing: command, windows };
  }
  return windows && words.length > 0 ? { kind: 'argument', interpreter } : undefined;
}

/** What a file with Windows line ends needs, to be written into a Dockerfile or a shell. */
export function unixLineEnds(path: string): string {
  return `its lines end as on Windows (CR LF): sed -i 's/\\r$//' ${path}`;
}

const shells: readonly string[] = ['sh', 'bash', 'dash', 'ash', 'zsh', 'ksh'];

/** True for a shell, with or without its folder. */
export function isShell(program: string): boolean {
  return shells.includes(program.replace(/^.*\//, ''));
}

const programHeaderOfLoader = 3;

/** The program that a dynamic ELF binary names as its loader (PT_INTERP, elf(5)); undefined for others. */
function elfLoader(head: string): string | undefined {
  const bytes = Buffer.from(head, 'latin1');
  const [wide, little] = [bytes[4] === 2, bytes[5] === 1];
  // Six bytes are more than any offset that is of use here.
  const read = (offset: number, size: 2 | 4 | 8): number | undefined => {
    const used = Math.min(size, 6);
    if (offset + size > bytes.length) return undefined;
    return little ? bytes.readUIntLE(offset, used) : bytes.readUIntBE(offset + size - used, used);
  };
  const table = wide ? read(32, 8) : read(28, 4);
  const entrySize = read(wide ? 54 : 42, 2);
  const count = read(wide ? 56 : 44, 2);
  if (table === undefined || entrySize === undefined || count === undefined) return undefined;
  for (let index = 0; index < count; index += 1) {
    const entry = table + index * entrySize;
    const type = read(entry, 4);
    if (type === undefined) return undefined;
    if (type !== programHeaderOfLoader) continue;
    const offset = wide ? read(entry + 8, 8) : read(entry + 4, 4);
    const size = wide ? read(entry + 32, 8) : read(entry + 16, 4);
    if (offset === undefined || size === undefined || offset + size > bytes.length) return undefined;
    return bytes.toString('utf8', offset, offset + size).replace(/\0.*$/s, '');
  }
  return undefined;
}
