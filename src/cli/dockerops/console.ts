/** What dockerops prints, and what it asks. */
import { createInterface } from 'node:readline/promises';
import { isatty } from 'node:tty';
import { codeOf } from '../../model/words/errno.ts';
import { writeAll } from '../program-io.ts';

export async function print(fd: 1 | 2, text: string): Promise<void> {
  try {
    await writeAll(fd, Buffer.from(text));
  } catch (error) {
    // A reader that closes the pipe early is no error.
    if (codeOf(error) !== 'EPIPE') throw error;
  }
}

export async function printJson(value: unknown): Promise<void> {
  await print(1, `${JSON.stringify(value)}\n`);
}

export async function complain(message: string): Promise<void> {
  await print(2, `dockerops: ${message}\n`);
}

/** True where somebody can be asked: questions stand on stderr, since stdout may be a pipe. */
export function canAsk(): boolean {
  return isatty(0) && isatty(2);
}

/** @returns undefined where the input ends before an answer */
export async function ask(question: string): Promise<string | undefined> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const closed = new Promise<undefined>((resolve) => terminal.once('close', () => resolve(undefined)));
  try {
    return await Promise.race([terminal.question(question), closed]);
  } finally {
    terminal.close();
  }
}

/** Asks for leave. Where nobody can be asked, it is refused, and the message says how to give it. */
export async function isConfirmed(question: string, given: boolean): Promise<boolean> {
  if (given) return true;
  if (!canAsk()) {
    await complain('nobody can be asked here: --yes says that it may be done');
    return false;
  }
  const answer = (await ask(`${question} [y/N] `)) ?? '';
  return /^y(?:es)?$/i.test(answer.trim());
}

/** Columns, each as wide as its widest cell. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, cell.length);
    });
  }
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, index) => cell.padEnd(widths[index] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

/**
 * Lines at the bottom of a terminal that change in place, below lines that stay. Where the output is no terminal, only the
 * lines that stay are printed.
 */
export class LiveLines {
  readonly #fd: 1 | 2;
  readonly #isTerminal: boolean;
  #shown = 0;
  /** Writes one after the other: a write that waits must not be overtaken. */
  #last: Promise<void> = Promise.resolve();

  constructor(fd: 1 | 2) {
    this.#fd = fd;
    this.#isTerminal = isatty(fd);
  }

  get isTerminal(): boolean {
    return this.#isTerminal;
  }

  /** A line that stays. */
  say(line: string): void {
    this.#write(`${this.#erase()}${line}\n`);
  }

  /** The lines that change; they replace those before. */
  show(lines: readonly string[]): void {
    if (!this.#isTerminal) return;
    const width = Math.max(20, process.stdout.columns || 80) - 1;
    const erase = this.#erase();
    this.#shown = lines.length;
    this.#write(erase + lines.map((line) => `${[...line].slice(0, width).join('')}\n`).join(''));
  }

  /** Takes the changing lines away. Resolves when everything is written. */
  async end(): Promise<void> {
    const erase = this.#erase();
    if (erase !== '') this.#write(erase);
    await this.#last;
  }

  #erase(): string {
    const erase = this.#shown === 0 ? '' : `\u001b[${this.#shown}A\u001b[J`;
    this.#shown = 0;
    return erase;
  }

  #write(text: string): void {
    this.#last = this.#last.then(() => print(this.#fd, text));
  }
}
