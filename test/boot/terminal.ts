/** Runs the built chaperone as PID 1 of a PID namespace at a pseudo-terminal, types, and reads the screen. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { inDist } from '../dist.ts';
import { descendantsOf, fixtures, type ProcessState, until } from './namespace.ts';
import { openScreen, type Screen } from './screen.ts';

const built = inDist('chaperone');

export interface TerminalOptions {
  /** Files of the configuration directory, by name. */
  readonly files?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** Variables that are added to PATH, FIXTURES, TERM and PS1; nothing else is passed on. */
  readonly env?: Readonly<Record<string, string>>;
  /**
   * The session that the terminal controls. `leader`: that of chaperone, which leads it, as in container engines;
   * `member`: that of a process outside of the namespace, as with `docker run --init`; `none`: no session.
   */
  readonly session?: 'leader' | 'member' | 'none';
}

export interface Terminal extends Screen {
  /** The directory of the configuration, `$(_CHAP_CONFIG_DIR)` in it. It is removed after the test. */
  readonly directory: string;
  /** The pid of chaperone as this test sees it. */
  pid(): number;
  /** All descendants of chaperone. */
  processes(): readonly ProcessState[];
  signal(signal: NodeJS.Signals): void;
  path(name: string): string;
}

const prompt = 'ready> ';
/** The prompt; log lines may be before and after it. */
export const prompted = /ready> /;

export { keys } from './screen.ts';

/** Starts chaperone; processes that are left after the test are ended. */
export function openTerminal(options: TerminalOptions): Terminal {
  const directory = mkdtempSync(join(tmpdir(), 'chaperone-terminal-'));
  const config = join(directory, 'chaperone.d');
  mkdirSync(config);
  for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(config, name), text);

  const { session = 'leader' } = options;
  const taking = session === 'leader' ? ['setsid', '--ctty'] : [];
  const command = [...namespaceCommand(), ...taking, built, '--config', config, '--no-syslog', ...(options.args ?? [])];
  const screen = openScreen({
    command,
    controlling: session === 'member',
    env: { PATH: searchPath, FIXTURES: fixtures, TERM: 'dumb', PS1: prompt, ...options.env },
  });
  const { child } = screen;

  const chaperone = (): ProcessState | undefined =>
    child.pid === undefined ? undefined : descendantsOf(child.pid).find(({ innerPid }) => innerPid === 1);
  const pid = (): number => {
    const found = chaperone();
    if (found === undefined) throw new Error(`chaperone is not running\n${screen.screen()}`);
    return found.pid;
  };

  onTestFinished(async () => {
    if (!screen.ended()) {
      // The end of PID 1 ends its namespace.
      const found = chaperone();
      if (found === undefined) child.kill('SIGKILL');
      else process.kill(found.pid, 'SIGKILL');
      screen.leave();
      await until('the terminal has ended', () => (screen.ended() ? true : undefined));
    }
    rmSync(directory, { recursive: true, force: true });
  });

  return {
    ...screen,
    directory,
    pid,
    processes: () => descendantsOf(pid()),
    signal: (signal) => {
      process.kill(pid(), signal);
    },
    path: (name) => join(directory, name),
  };
}

/** Ids of process groups as the namespace of these tests numbers them. */
export interface JobControl {
  readonly group: number;
  readonly session: number;
  /** The foreground group of the process's terminal; -1 without a terminal. */
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
