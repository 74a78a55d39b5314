/** Runs a command at a terminal of tmux, types, and reads the screen as a person sees it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { until } from './namespace.ts';

export interface TmuxOptions {
  readonly columns?: number;
  readonly rows?: number;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Tmux {
  /** The lines of the screen. `escapes`: with their colours. */
  screen(escapes?: boolean): string;
  /** Presses keys by tmux's names, such as `j`, `Enter` or `C-c`. */
  press(...keys: readonly string[]): void;
  /** Types text in one go. */
  type(text: string): void;
  resize(columns: number, rows: number): void;
  /** The screen, as soon as it matches. */
  waitFor(pattern: RegExp): Promise<string>;
  /** The pid of the shell that has run the command; the command is its child. */
  pid(): number;
  /** True while the terminal shows its other screen, or hides its cursor. */
  isTaken(): boolean;
}

/** The shell tells the exit status of the command, and whether the terminal takes whole lines again. */
export function openTmux(command: readonly string[], options: TmuxOptions = {}): Tmux {
  const folder = mkdtempSync(join(tmpdir(), 'chaperone-tmux-'));
  const tmux = (...args: readonly string[]): string => {
    const { status, stdout, stderr } = spawnSync('tmux', ['-S', join(folder, 'socket'), '-f', '/dev/null', ...args], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], TERM: 'xterm-256color', LC_ALL: 'C.UTF-8' },
    });
    if (status !== 0) throw new Error(`tmux ${args[0] ?? ''}: ${stderr}`);
    return stdout;
  };
  const { columns = 80, rows = 24, env = {} } = options;
  const assignments = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const words = ['env', ...assignments, ...command].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  const shell = `${words}; echo "ended with $?"; stty -a | grep -o -- '-*icanon'; exec cat`;
  tmux('new-session', '-d', '-x', String(columns), '-y', String(rows), '-s', 'only', shell);
  tmux('set-option', '-g', 'window-size', 'manual');
  onTestFinished(() => {
    tmux('kill-server');
    rmSync(folder, { recursive: true, force: true });
  });
  const screen = (escapes = false): string => tmux('capture-pane', '-p', ...(escapes ? ['-e'] : []), '-t', 'only');
  return {
    screen,
    press: (...keys) => {
      for (const key of keys) tmux('send-keys', '-t', 'only', key);
    },
    type: (text) => {
      tmux('send-keys', '-t', 'only', '-l', text);
    },
    resize: (width, height) => {
      tmux('resize-window', '-t', 'only', '-x', String(width), '-y', String(height));
    },
    waitFor: async (pattern) => {
      try {
        return await until(`the screen matches ${pattern}`, () => {
          const text = screen();
          return pattern.test(text) ? text : undefined;
        });
      } catch (error) {
        throw new Error(`${error instanceof Error ? error.message : String(error)}\n${screen()}`);
      }
    },
    pid: () => Number(tmux('display-message', '-p', '-t', 'only', '#{pane_pid}')),
    isTaken: () => tmux('display-message', '-p', '-t', 'only', '#{alternate_on} #{cursor_flag}').trim() !== '0 1',
  };
}
