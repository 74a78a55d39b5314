/** Runs the built chaperone as PID 1 of a PID namespace of its own, and reports what happens in it. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import { inDist } from '../dist.ts';

/** Programs for services; their directory is `$(FIXTURES)` in every configuration. */
export const fixtures = join(import.meta.dirname, '../fixtures');
/** The folder of a system's configuration, as the configuration itself names it. */
export const here = '$(_CHAP_CONFIG_DIR)';
/** A schedule that ticks every second. */
export const everySecond = '* * * * * *';
export const isRoot = process.getuid?.() === 0;

/** ms after which a test gives up waiting. */
const patience = 60_000;
const pollInterval = 20;

export interface BootOptions {
  /** Files of the configuration directory, by name. */
  readonly files?: Readonly<Record<string, string>>;
  /** A directory that is copied to be the configuration, in place of `files`. */
  readonly from?: string;
  readonly args?: readonly string[];
  /** Variables that are added to PATH and FIXTURES; nothing else is passed on. */
  readonly env?: Readonly<Record<string, string>>;
  /** The limits of open descriptors at chaperone's start. */
  readonly ulimit?: { readonly soft: number; readonly hard: number };
  /** The files that replace /etc/passwd and /etc/group in the namespace. */
  readonly accounts?: { readonly passwd: string; readonly group: string };
  /** True: stderr is joined with stdout, so that the order of all lines is known. */
  readonly merge?: boolean;
  /** A descriptor that becomes stdout; its lines are not collected then. */
  readonly stdout?: number;
  /** True: the namespace has a /dev of its own, so that /dev/log is chaperone's; otherwise there is no log socket. */
  readonly ownDev?: boolean;
  /** True: there is a log socket without a /dev of its own, for configurations that put it elsewhere. */
  readonly syslog?: boolean;
  /** A shell script that is run before chaperone, in its namespace and the test's directory. */
  readonly before?: string;
  /** A shell script that is run after chaperone, which is not PID 1 then. */
  readonly keep?: string;
  /** False: there is no namespace, so that chaperone is not PID 1. */
  readonly pid1?: boolean;
  /** The program to run in place of the built one. */
  readonly program?: string;
}

export interface OutputLine {
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}

export interface ProcessState {
  /** The pid as this test sees it. */
  readonly pid: number;
  /** The pid in the process's own namespace. */
  readonly innerPid: number;
  readonly parent: number;
  /** `R`, `S`, `Z` … of proc_pid_stat(5). */
  readonly state: string;
  readonly name: string;
}

export interface Booted {
  /** The directory of the configuration, `$(_CHAP_CONFIG_DIR)` in it. It is removed after the test. */
  readonly directory: string;
  /** All lines so far, in the order of their arrival. */
  readonly output: readonly OutputLine[];
  /** The exit status, or 128 + n where a signal ended it; all output has been collected by then. */
  readonly exit: Promise<number>;
  /** The first line, past or future, that matches. Rejects with the whole output. */
  waitForLine(pattern: RegExp): Promise<RegExpExecArray>;
  /** The first defined value; asks again at each line, and once all has ended. Rejects with the whole output. */
  untilOutput<T>(what: string, probe: () => T | undefined): Promise<T>;
  lines(stream?: 'stdout' | 'stderr'): readonly string[];
  /** Signals chaperone itself. */
  signal(signal: NodeJS.Signals | number): void;
  /** Stops both processes of chaperone, as a stall or a paused container does, or lets them go on. */
  stall(signal: 'SIGSTOP' | 'SIGCONT'): void;
  /** The pid of chaperone as this test sees it. */
  pid(): number;
  /** The pid of the brain. */
  brain(): number;
  /**
   * The words before a command that run it in chaperone's PID namespace, as `docker exec` does: whoever talks to the control
   * socket from outside has a guest's rights. None where there is no namespace, or none any more.
   */
  inside(): readonly string[];
  /** All descendants of chaperone, including zombies, but not its own brain. */
  processes(): readonly ProcessState[];
  path(name: string): string;
}

/** Starts chaperone; processes that are left after the test are ended. */
export function boot(options: BootOptions): Booted {
  const directory = mkdtempSync(join(tmpdir(), 'chaperone-boot-'));
  const program = options.program ?? inDist('chaperone');
  if (!existsSync(program)) throw new Error(`${program} is missing: run "node scripts/build.mjs" first`);
  const config = writeConfiguration(directory, options);
  // The machine's own /dev must not be touched.
  const syslog = options.ownDev === true || options.syslog === true ? [] : ['--no-syslog'];
  const command = wrapped([program, '--config', config, ...syslog, ...(options.args ?? [])], directory, options);
  const [file = '', ...args] = command;
  const child = spawn(file, args, {
    cwd: '/',
    stdio: ['ignore', options.stdout ?? 'pipe', 'pipe'],
    // The machine's own /dev must not be touched.
    env: { PATH: searchPath, FIXTURES: fixtures, CHAPERONE_SOCKET: join(directory, 'control.sock'), ...options.env },
  });
  const output: OutputLine[] = [];
  const waiters = new Set<() => void>();
  const wake = (): void => {
    for (const waiter of waiters) waiter();
  };
  for (const stream of ['stdout', 'stderr'] as const) {
    const source = child[stream];
    if (source === null) continue;
    createInterface({ input: source, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (text) => {
      output.push({ stream, text });
      wake();
    });
  }
  let ended = false;
  const exit = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      ended = true;
      resolve(code ?? 128 + signalNumber(signal));
      wake();
    });
  });
  const lines = (stream?: 'stdout' | 'stderr'): readonly string[] =>
    output.filter((line) => stream === undefined || line.stream === stream).map(({ text }) => text);
  const pid = (): number => chaperonePid(child, options.pid1 !== false);
  const brain = (): number => {
    const found = descendantsOf(pid()).find((each) => isBrain(each, pid()));
    if (found === undefined) throw new Error('the brain is not running');
    return found.pid;
  };

  onTestFinished(async () => {
    if (!ended) {
      // The end of PID 1 ends its namespace; without a namespace the descendants are ended one by one.
      const own = options.pid1 === false ? descendantsOf(pid()).map((process) => process.pid) : [];
      for (const each of [...own, ...ownPids(child)]) killQuietly(each);
      await exit;
    }
    rmSync(directory, { recursive: true, force: true });
  });

  const untilOutput = <T>(what: string, probe: () => T | undefined): Promise<T> =>
    new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        waiters.delete(look);
        clearTimeout(timer);
        settle();
      };
      const fail = (why: string): void => finish(() => reject(new Error(`no ${what}: ${why}\n${lines().join('\n')}`)));
      const look = (): void => {
        const value = probe();
        if (value !== undefined) finish(() => resolve(value));
        else if (ended) fail('chaperone has ended');
      };
      const timer = setTimeout(() => fail(`not within ${patience} ms`), patience);
      waiters.add(look);
      look();
    });

  return {
    directory,
    output,
    exit,
    lines,
    pid,
    untilOutput,
    waitForLine: (pattern) => {
      let seen = 0;
      return untilOutput(`line matches ${pattern}`, () => {
        for (; seen < output.length; seen += 1) {
          const match = pattern.exec(output[seen]?.text ?? '');
          if (match !== null) return match;
        }
        return undefined;
      });
    },
    signal: (signal) => {
      process.kill(pid(), signal);
    },
    stall: (signal) => {
      for (const each of [brain(), pid()]) process.kill(each, signal);
    },
    brain,
    inside: () => (options.pid1 === false || ended ? [] : [...enterCommand(), '--target', String(pid()), '--']),
    processes: () => descendantsOf(pid()).filter((each) => !isBrain(each, pid())),
    path: (name) => join(directory, name),
  };
}

/** A configuration file as JSON, which is YAML and needs no care about quotes. */
export function config(sections: Readonly<Record<string, Readonly<Record<string, unknown>>>>): string {
  return JSON.stringify(sections, undefined, 2);
}

/** Sends everything, debug too, to stdout. */
export const logAll = { 'all.logging': { selector: '*.debug', stdout: true } } as const;

/** Waits until each service has printed the text: before that, its trap may not be set yet. */
export async function untilSaid(system: Booted, text: string, services: readonly string[]): Promise<void> {
  await Promise.all(services.map((name) => system.waitForLine(new RegExp(`${name}\\[\\d+\\]: ${text}`))));
}

/** Resolves with the first value that is not undefined. */
export async function until<T>(what: string, probe: () => T | undefined): Promise<T> {
  const end = Date.now() + patience;
  for (;;) {
    const value = probe();
    if (value !== undefined) return value;
    if (Date.now() > end) throw new Error(`gave up waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, pollInterval));
  }
}

/**
 * Resolves once these are all the processes, by name: a look at /proc may meet one that ends, or a child by which chaperone
 * closes a descriptor whose close may wait.
 */
export async function untilProcesses(system: Booted, names: readonly string[]): Promise<void> {
  const expected = names.toSorted().join(', ');
  const seen = (): string =>
    system
      .processes()
      .map(({ name }) => name)
      .toSorted()
      .join(', ');
  try {
    await until(`the processes are ${expected}`, () => (seen() === expected ? true : undefined));
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}; they are ${seen()}`);
  }
}

/** Resolves with the text of the file once it is there. */
export function untilFile(path: string): Promise<string> {
  return until(`${path} exists`, () => (existsSync(path) ? readFileSync(path, 'utf8') : undefined));
}

/** Expects that the patterns match lines in this order; other lines may be between them. */
export function expectOrder(lines: readonly string[], patterns: readonly RegExp[]): void {
  let from = 0;
  for (const pattern of patterns) {
    const index = lines.findIndex((line, at) => at >= from && pattern.test(line));
    if (index === -1) throw new Error(`no line from ${from} on matches ${pattern}:\n${lines.join('\n')}`);
    from = index + 1;
  }
}

/** Every process that descends from `ancestor`, by the parents that /proc tells. */
export function descendantsOf(ancestor: number): readonly ProcessState[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)) ?? []);
  const found: ProcessState[] = [];
  const open = [ancestor];
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    const children = all.filter(({ parent }) => parent === pid);
    found.push(...children);
    open.push(...children.map((child) => child.pid));
  }
  return found;
}

/** True for the Node that is chaperone's brain, a child of the body, by its command line. */
export function isBrain({ pid, parent }: ProcessState, body: number): boolean {
  if (parent !== body) return false;
  try {
    // The brain gives itself a title once it has read its command line.
    const words = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
    return /^\[chaperone\]|^chaperone\0.*\/chaperone\.cjs\0/s.test(words);
  } catch {
    return false;
  }
}

/** Undefined where there is no such process. */
export function readProcess(pid: number): ProcessState | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const close = stat.lastIndexOf(')');
    const [state = '', parent = ''] = stat.slice(close + 2).split(' ');
    const innerPid = /^NSpid:.*\s(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    return {
      pid,
      innerPid: Number(innerPid ?? pid),
      parent: Number(parent),
      state,
      name: stat.slice(stat.indexOf('(') + 1, close),
    };
  } catch {
    // The process ended meanwhile.
    return undefined;
  }
}

/** The folder of Node comes first, so that services find the Node that runs these tests. */
const searchPath = `${dirname(process.execPath)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;

function writeConfiguration(directory: string, { files = {}, from }: BootOptions): string {
  const config = join(directory, from === undefined ? 'chaperone.d' : basename(from));
  if (from !== undefined) cpSync(from, config, { recursive: true });
  else mkdirSync(config);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(config, name), text);
  return config;
}

/** The command with the wrappers that the options ask for; others are left out. */
function wrapped(command: readonly string[], directory: string, options: BootOptions): readonly string[] {
  const steps: string[] = [];
  if (options.accounts !== undefined) {
    // The mounts are in a mount namespace that ends with the test.
    for (const name of ['passwd', 'group'] as const) {
      writeFileSync(join(directory, name), options.accounts[name]);
      steps.push(`mount --bind '${join(directory, name)}' /etc/${name}`);
    }
  }
  if (options.ownDev === true) steps.push(`'${join(fixtures, 'own-dev')}' '${join(directory, 'dev')}'`);
  if (options.before !== undefined) steps.push(`(cd '${directory}' && ${options.before})`);
  const { ulimit } = options;
  if (ulimit !== undefined) steps.push(`ulimit -Sn ${ulimit.soft} && ulimit -Hn ${ulimit.hard}`);
  if (options.merge === true) steps.push('exec 2>&1');
  const last = options.keep === undefined ? 'exec "$0" "$@"' : `{ "$0" "$@"; cd '${directory}' && ${options.keep}; }`;
  const inner = steps.length === 0 ? command : ['/bin/sh', '-c', [...steps, last].join(' && '), ...command];
  return options.pid1 === false ? inner : [...namespaceCommand(), ...inner];
}

let namespace: readonly string[] | undefined;

/** unshare(1) with the flags that work here. */
function namespaceCommand(): readonly string[] {
  if (namespace !== undefined) return namespace;
  const complaints: string[] = [];
  for (const flags of [[], ['--user', '--map-root-user']]) {
    const command = ['unshare', ...flags, '--pid', '--fork', '--mount', '--mount-proc', '--kill-child'];
    const { status, stderr, error } = spawnSync(command[0] ?? '', [...command.slice(1), 'true'], { encoding: 'utf8' });
    if (status === 0) {
      namespace = command;
      return command;
    }
    complaints.push(`${command.join(' ')}: ${error?.message ?? stderr}`);
  }
  throw new Error(
    `cannot make a PID namespace: these tests need root or unprivileged user namespaces\n${complaints.join('\n')}`,
  );
}

/** nsenter(1) with the flags that fit those of unshare(1). */
function enterCommand(): readonly string[] {
  const withUser = namespaceCommand().includes('--user') ? ['--user', '--preserve-credentials'] : [];
  return ['nsenter', ...withUser, '--pid'];
}

function chaperonePid(child: ChildProcess, pid1: boolean): number {
  const own = child.pid;
  if (own === undefined) throw new Error('chaperone was not started');
  if (!pid1) return own;
  const [inner] = childrenOf(own);
  if (inner === undefined) throw new Error('chaperone is not running');
  return inner;
}

/** The pids of unshare and of chaperone below it. */
function ownPids(child: ChildProcess): readonly number[] {
  if (child.pid === undefined) return [];
  return [...childrenOf(child.pid), child.pid];
}

/** proc_pid_task(5). */
function childrenOf(pid: number): readonly number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // The process ended by itself.
  }
}

const signalNumbers: Readonly<Partial<Record<NodeJS.Signals, number>>> = { SIGKILL: 9, SIGTERM: 15, SIGSEGV: 11 };

function signalNumber(signal: NodeJS.Signals | null): number {
  return (signal === null ? undefined : signalNumbers[signal]) ?? 0;
}
