/** Runs a program at a pseudo-terminal, types, and reads the screen. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { fixtures } from './namespace.ts';

/** ms after which a test gives up waiting. */
const patience = 60_000;

export interface ScreenOptions {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** True where the terminal controls the session of the command. */
  readonly controlling: boolean;
}

export interface Screen {
  readonly child: ChildProcess;
  /** The exit status, or 128 + n where a signal ended it; the screen is complete by then. */
  readonly exit: Promise<number>;
  /** True once the program has ended. */
  ended(): boolean;
  /** Types the text unchanged: Enter is `\r`. */
  type(text: string): void;
  /** The first match in the text that was shown since the last match. Rejects with the whole screen. */
  waitFor(pattern: RegExp): Promise<RegExpExecArray>;
  /** Types a line for a shell and waits for the pattern after the line's echo. */
  run(line: string, pattern: RegExp): Promise<RegExpExecArray>;
  /** Everything shown so far, without escapes and carriage returns. */
  screen(): string;
  /** The same with its carriage returns and escapes. */
  raw(): string;
  resize(rows: number, columns: number): void;
  /** Closes the terminal, as closing a window does. */
  hangUp(): void;
  /** Ends the input: no more keys come. */
  leave(): void;
}

export const keys = { interrupt: '\x03', endOfFile: '\x04', suspend: '\x1a', quit: '\x1c' } as const;

export function openScreen({ command, env, controlling }: ScreenOptions): Screen {
  const mode = controlling ? 'controlling' : 'loose';
  const child = spawn('python3', [join(fixtures, 'terminal.py'), mode, ...command], {
    cwd: '/',
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...env },
  });

  let raw = '';
  let shown = '';
  let read = 0;
  let ended = false;
  const waiters = new Set<() => void>();
  const wake = (): void => {
    for (const waiter of waiters) waiter();
  };
  const decoder = new StringDecoder('utf8');
  const plain = plainText();
  child.stdout.on('data', (chunk: Buffer) => {
    const text = decoder.write(chunk);
    raw += text;
    shown += plain(text);
    wake();
  });
  // The terminal may be gone before the last key arrives.
  child.stdin.on('error', () => undefined);
  const exit = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      ended = true;
      if (code === null) reject(new Error(`the terminal was ended by ${signal}`));
      else resolve(code);
      wake();
    });
  });
  // A test that does not wait for the end must not fail by this promise.
  exit.catch(() => undefined);

  const send = (line: string): void => {
    child.stdin.write(`${line}\n`);
  };
  const type = (text: string): void => send(`keys ${Buffer.from(text).toString('hex')}`);
  const waitFor = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        waiters.delete(look);
        clearTimeout(timer);
        settle();
      };
      const fail = (why: string): void =>
        finish(() =>
          reject(new Error(`nothing matches ${pattern}: ${why}\n${shown.slice(0, read)}⟨here⟩${shown.slice(read)}`)),
        );
      const look = (): void => {
        const match = pattern.exec(shown.slice(read));
        if (match !== null) {
          read += match.index + match[0].length;
          finish(() => resolve(match));
        } else if (ended) fail('chaperone has ended');
      };
      const timer = setTimeout(() => fail(`not within ${patience} ms`), patience);
      waiters.add(look);
      look();
    });

  return {
    child,
    exit,
    ended: () => ended,
    type,
    waitFor,
    run: async (line, pattern) => {
      type(`${line}\r`);
      await waitFor(/\n/);
      return waitFor(pattern);
    },
    screen: () => shown,
    raw: () => raw,
    resize: (rows, columns) => send(`size ${rows} ${columns}`),
    hangUp: () => send('hangup'),
    leave: () => child.stdin.end(),
  };
}

const escapeKey = '\x1b';
/** The beginning of an escape that is not complete. */
const openEscape = new RegExp(`${escapeKey}(?:\\[[0-9;?]{0,32})?$`);
const dropped = new RegExp(`${escapeKey}(?:\\[[0-9;?]{0,32}[@-~]|[^[])|\\r`, 'g');

/** Makes a function that takes text in pieces and drops carriage returns and escapes, also those cut in two. */
function plainText(): (text: string) => string {
  let held = '';
  return (text) => {
    const all = held + text;
    const cut = openEscape.exec(all)?.index ?? all.length;
    held = all.slice(cut);
    return all.slice(0, cut).replace(dropped, '');
  };
}
