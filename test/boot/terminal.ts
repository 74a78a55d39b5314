/** Runs the built chaperone as PID 1 of a PID namespace at a pseudo-terminal, types, and reads the screen. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { onTestFinished } from 'vitest';
import { descendantsOf, fixtures, type ProcessState, until } from './namespace.ts';

const built = join(import.meta.dirname, '../../dist/chaperone');
/** ms after which a test gives up waiting. */
const patience = 20_000;

export interface TerminalOptions {
  /** Files of the configuration directory, by name. */
  readonly files?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** Added to PATH, FIXTURES, TERM and PS1; nothing else is passed on. */
  readonly env?: Readonly<Record<string, string>>;
  /**
   * Whose session the terminal controls. `leader`: chaperone's, which leads it, as container engines have it; `member`:
   * that of a process outside of the namespace, as with `docker run --init`; `none`: nobody's.
   */
  readonly session?: 'leader' | 'member' | 'none';
}

export interface Terminal {
  /** Holds the configuration directory; `$(_CHAP_CONFIG_DIR)` in the configuration. Removed after the test. */
  readonly directory: string;
  /** The exit status, or 128 + n where a signal ended it; the screen is complete by then. */
  readonly exit: Promise<number>;
  /** Types the text as it is: Enter is `\r`. */
  type(text: string): void;
  /** The first match on what has been shown since the last match. Rejects with the whole screen. */
  waitFor(pattern: RegExp): Promise<RegExpExecArray>;
  /** Types a line for a shell and waits for what follows the echo of it. */
  run(line: string, pattern: RegExp): Promise<RegExpExecArray>;
  /** Everything shown so far, without escapes and carriage returns. */
  screen(): string;
  resize(rows: number, columns: number): void;
  /** Closes the terminal, as a window is closed. */
  hangUp(): void;
  /** The pid of chaperone as this test sees it. */
  pid(): number;
  /** Everything that descends from chaperone. */
  processes(): readonly ProcessState[];
  signal(signal: NodeJS.Signals): void;
  path(name: string): string;
}

const prompt = 'ready> ';
/** Log lines may stand before and behind it. */
export const prompted = /ready> /;

export const keys = { interrupt: '\x03', endOfFile: '\x04', suspend: '\x1a', quit: '\x1c' } as const;

/** Starts chaperone; whatever is left of it after the test is ended. */
export function openTerminal(options: TerminalOptions): Terminal {
  const directory = mkdtempSync(join(tmpdir(), 'chaperone-terminal-'));
  const config = join(directory, 'chaperone.d');
  mkdirSync(config);
  for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(config, name), text);

  const { session = 'leader' } = options;
  const mode = session === 'member' ? 'controlling' : 'loose';
  const taking = session === 'leader' ? ['setsid', '--ctty'] : [];
  const command = [...namespaceCommand(), ...taking, built, '--config', config, '--no-syslog', ...(options.args ?? [])];
  const child = spawn('python3', [join(fixtures, 'terminal.py'), mode, ...command], {
    cwd: '/',
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: searchPath, FIXTURES: fixtures, TERM: 'dumb', PS1: prompt, ...options.env },
  });

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
    shown += plain(decoder.write(chunk));
    wake();
  });
  // The terminal may be gone before the last key.
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
  // A test that does not wait for the end has no need of it.
  exit.catch(() => undefined);

  const chaperone = (): ProcessState | undefined =>
    child.pid === undefined ? undefined : descendantsOf(child.pid).find(({ innerPid }) => innerPid === 1);
  const pid = (): number => {
    const found = chaperone();
    if (found === undefined) throw new Error(`chaperone is not running\n${shown}`);
    return found.pid;
  };
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

  onTestFinished(async () => {
    if (!ended) {
      // The end of PID 1 is the end of its namespace.
      const found = chaperone();
      if (found === undefined) child.kill('SIGKILL');
      else process.kill(found.pid, 'SIGKILL');
      child.stdin.end();
      await until('the terminal has ended', () => (ended ? true : undefined));
    }
    rmSync(directory, { recursive: true, force: true });
  });

  return {
    directory,
    exit,
    type,
    waitFor,
    run: async (line, pattern) => {
      type(`${line}\r`);
      await waitFor(/\n/);
      return waitFor(pattern);
    },
    screen: () => shown,
    resize: (rows, columns) => send(`size ${rows} ${columns}`),
    hangUp: () => send('hangup'),
    pid,
    processes: () => descendantsOf(pid()),
    signal: (signal) => {
      process.kill(pid(), signal);
    },
    path: (name) => join(directory, name),
  };
}

/** Ids of process groups as the namespace of these tests counts them. */
export interface JobControl {
  readonly group: number;
  readonly session: number;
  /** The foreground group of its terminal, -1 without one. */
  readonly foreground: number;
}

/** proc_pid_stat(5). */
export function jobControlOf(pid: number): JobControl {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const [, , group, session, , foreground] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  return { group: group ?? 0, session: session ?? 0, foreground: foreground ?? 0 };
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

const searchPath = `${dirname(process.execPath)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;

let namespace: readonly string[] | undefined;

/** unshare(1) with the flags that work here. */
function namespaceCommand(): readonly string[] {
  if (namespace !== undefined) return namespace;
  const flags = ['--pid', '--fork', '--mount', '--mount-proc', '--kill-child'];
  const found = [[], ['--user', '--map-root-user']].find(
    (account) => spawnSync('unshare', [...account, ...flags, 'true']).status === 0,
  );
  if (found === undefined) throw new Error('cannot make a PID namespace: see test/boot/namespace.ts');
  namespace = ['unshare', ...found, ...flags];
  return namespace;
}
