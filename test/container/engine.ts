/** Runs containers on the engine that test/container/setup.ts started, and tells what happens in them. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { inject, onTestFinished } from 'vitest';

/** Daemons, /fixtures, /programs, and chaperone by the guide's three lines. */
export const userImage = 'chaperone-test/user';
/** ms after which a test gives up waiting. */
const patience = 60_000;
const pollInterval = 50;
/** ms after which a page is asked for again. */
const answerTimeout = 5_000;

export interface ContainerOptions {
  readonly image?: string;
  /** Files of /etc/chaperone.d, by name; absent: the image's own. */
  readonly files?: Readonly<Record<string, string>>;
  /** Of `docker run`. */
  readonly options?: readonly string[];
  /** Chaperone's. */
  readonly args?: readonly string[];
}

export interface LogLine {
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
  /** When the engine took it; sorts as text. */
  readonly at: string;
}

interface CommandResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Container {
  readonly id: string;
  /** All lines so far, of all runs, by the engine's time. */
  lines(stream?: 'stdout' | 'stderr'): readonly string[];
  /** The `count`th line that matches, of those that were and those to come. Rejects with the whole log. */
  waitForLine(pattern: RegExp, count?: number): Promise<RegExpExecArray>;
  /** Resolves with the container's exit status, when all its output was read. */
  exit(): Promise<number>;
  exec(...command: readonly string[]): Promise<CommandResult>;
  /** `docker exec --user`. */
  execAs(user: string, ...command: readonly string[]): Promise<CommandResult>;
  /** `docker stop`, and the exit status: 137 where the engine had to kill it. */
  stop(): Promise<number>;
  /** Reads the log from its beginning: needed after the container was started again. */
  follow(): void;
  isRunning(): Promise<boolean>;
  /** Address of a published port. */
  url(port: number): Promise<string>;
}

/** For docker's own client: which engine, and how it builds. */
export const clientEnvironment = { ...process.env, DOCKER_BUILDKIT: '0', DOCKER_HOST: `unix://${inject('socket')}` };

export function tryDocker(...args: readonly string[]): Promise<CommandResult> {
  return new Promise((resolve) => {
    execFile('docker', args, { env: clientEnvironment, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ status, stdout, stderr });
    });
  });
}

/** @returns what it printed */
export async function docker(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await tryDocker(...args);
  if (status !== 0) throw new Error(`docker ${args.join(' ')} ended with ${status}\n${stdout}${stderr}`);
  return stdout.trim();
}

/** Starts a container; it is removed after the test. */
export async function start({ image, files, options = [], args = [] }: ContainerOptions): Promise<Container> {
  const mounts = files === undefined ? [] : ['--volume', `${configuration(files)}:/etc/chaperone.d:ro`];
  const more = ['--detach', '--env', 'FIXTURES=/fixtures', ...mounts, ...options];
  const id = await docker('run', ...more, image ?? userImage, ...args);
  const output: LogLine[] = [];
  const waiters = new Set<() => void>();
  const wake = (): void => {
    for (const waiter of waiters) waiter();
  };
  let followed: Followed | undefined;
  const follow = (): void => {
    followed?.child.kill();
    output.length = 0;
    followed = followLog(id, output, wake);
  };
  follow();

  onTestFinished(async () => {
    followed?.child.kill();
    await tryDocker('rm', '--force', '--volumes', id);
  });

  const exit = async (): Promise<number> => {
    const status = Number(await docker('wait', id));
    await followed?.ended;
    return status;
  };
  return {
    id,
    exit,
    follow,
    lines: (stream) =>
      output
        .filter((line) => stream === undefined || line.stream === stream)
        .sort((a, b) => (a.at < b.at ? -1 : Number(a.at > b.at)))
        .map(({ text }) => text),
    waitForLine: (pattern, count = 1) =>
      new Promise((resolve, reject) => {
        const finish = (settle: () => void): void => {
          waiters.delete(look);
          clearTimeout(timer);
          settle();
        };
        const fail = (why: string): void =>
          finish(() =>
            reject(new Error(`no line matches ${pattern}: ${why}\n${output.map(({ text }) => text).join('\n')}`)),
          );
        const look = (): void => {
          const matches = output.map(({ text }) => pattern.exec(text)).filter((match) => match !== null);
          const wanted = matches[count - 1];
          if (wanted !== undefined) finish(() => resolve(wanted));
          else if (followed?.closed === true) fail('the container has ended');
        };
        const timer = setTimeout(() => fail(`not within ${patience} ms`), patience);
        waiters.add(look);
        look();
      }),
    exec: (...command) => tryDocker('exec', id, ...command),
    execAs: (user, ...command) => tryDocker('exec', '--user', user, id, ...command),
    stop: async () => {
      await docker('stop', id);
      return exit();
    },
    isRunning: async () => (await docker('inspect', '--format', '{{.State.Running}}', id)) === 'true',
    url: async (port) => `http://${(await docker('port', id, String(port))).split('\n')[0]}/`,
  };
}

/** Resolves with the first value that is not undefined. */
export async function eventually<T>(what: string, probe: () => Promise<T | undefined>): Promise<T> {
  const end = Date.now() + patience;
  for (;;) {
    const value = await probe();
    if (value !== undefined) return value;
    if (Date.now() > end) throw new Error(`gave up waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, pollInterval));
  }
}

/** Resolves when all services are ready. Rejects with the whole log where the container ends before. */
export async function untilReady(container: Container): Promise<void> {
  await eventually('all services are ready', async () => {
    const { status } = await container.exec('/usr/local/lib/chaperone/chaperonectl', 'is-ready');
    if (status === 0) return true;
    if (await container.isRunning()) return undefined;
    throw new Error(`the container has ended:\n${container.lines().join('\n')}`);
  });
}

/** The text of a page, as soon as it is served. */
export function page(url: string): Promise<string> {
  return eventually(`${url} is served`, async () => {
    try {
      // A connection that the engine's proxy closes at once may leave the very first fetch of a process without any answer.
      const signal = AbortSignal.timeout(answerTimeout);
      const response = await fetch(url, { headers: { connection: 'close' }, signal });
      return response.ok ? await response.text() : undefined;
    } catch {
      // Nobody listens yet.
      return undefined;
    }
  });
}

interface Followed {
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
  closed: boolean;
}

function followLog(id: string, output: LogLine[], wake: () => void): Followed {
  const child = spawn('docker', ['logs', '--follow', '--timestamps', id], {
    env: clientEnvironment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const followed: Followed = { child, ended: once(child, 'close'), closed: false };
  for (const stream of ['stdout', 'stderr'] as const) {
    createInterface({ input: child[stream] }).on('line', (line) => {
      const space = line.indexOf(' ');
      output.push({ stream, at: line.slice(0, space), text: line.slice(space + 1) });
      wake();
    });
  }
  child.on('close', () => {
    followed.closed = true;
    wake();
  });
  return followed;
}

/** A directory that every account may read; removed after the test. */
function configuration(files: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(join(tmpdir(), 'chaperone-container-'));
  chmodSync(directory, 0o755);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
