/**
 * Serves the inspector page beside a running chaperone: over its control socket, or through a command that reaches into a
 * container.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { exitStatuses } from '../../control/answer.ts';
import { UnreachableError } from '../../control/client.ts';
import { type EntryStream, type Line, readEntries } from '../../control/entry-stream.ts';
import { codeOf } from '../../model/words/errno.ts';
import type { EntrySource } from '../../runtime/inspection/page-server.ts';
import { socketPath, withControl } from './control-call.ts';
import { print } from './print.ts';
import type { Request } from './read-words.ts';
import { readReply } from './reply.ts';
import { serveUntilSignal } from './serve-page.ts';
import { listen, port, stdio, via } from './verb-options.ts';

interface Page {
  readonly port: number;
  readonly listen: string | undefined;
  /** A command that reaches into the container, such as `docker exec -i NAME`. */
  readonly via: string | undefined;
}

/** ms between two attempts to reach a chaperone that has gone. */
const pause = 1_000;

export function run({ given }: Request): Promise<number> {
  const { get } = given;
  const through = get(via);
  return withControl(async () => {
    if (!get(stdio)) return serve({ port: get(port) ?? 0, listen: get(listen), via: through });
    if (through === undefined) return bridge();
    await print(2, 'chaperonectl inspect: --stdio and --via exclude each other\ntry "chaperonectl inspect --help"\n');
    return exitStatuses.mistake;
  });
}

/** Connects standard input and output to the control socket, for the process that started this one. */
function bridge(): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath());
    let reached = false;
    socket.once('connect', () => {
      reached = true;
      process.stdin.pipe(socket);
      socket.pipe(process.stdout);
    });
    socket.once('error', (error) => {
      if (!reached) reject(unreachable(error));
    });
    socket.once('close', () => resolve(exitStatuses.done));
    // The reader has gone.
    process.stdout.once('error', () => socket.destroy());
  });
}

async function serve({ port, listen, via }: Page): Promise<number> {
  const open = via === undefined ? openSocket : () => openVia(via);
  let boot: string | undefined;
  const take = (json: string): boolean => {
    boot = bootOf(json) ?? boot;
    return true;
  };
  // While one watcher is connected, chaperone keeps the entries that a page misses while it is away for a moment.
  const keep = async (first: (status: number | undefined) => void): Promise<void> => {
    const line = await open();
    await new Promise<void>((resolve) => {
      readEntries(line, {
        from: 0,
        take,
        onOpen: () => first(undefined),
        onEnd: (refusal) => {
          if (refusal === undefined) first(exitStatuses.unreachable);
          else {
            const { text, exitStatus } = readReply(refusal);
            print(2, `${text}\n`).then(() => first(exitStatus));
          }
          resolve();
        },
      });
    });
  };
  const failure = await new Promise<number | undefined>((resolve, reject) => {
    const again = (): void => {
      setTimeout(() => keep(() => undefined).then(again, again), pause);
    };
    keep(resolve).then(again, reject);
  });
  if (failure !== undefined) {
    if (failure === exitStatuses.unreachable) throw new UnreachableError('chaperone hung up before it answered');
    return failure;
  }
  return serveUntilSignal('chaperonectl inspect', { port, listen, source: relay(open, () => boot) }, print);
}

/** Makes a separate connection for each page. */
function relay(open: () => Promise<Line>, boot: () => string | undefined): EntrySource {
  return {
    complete: false,
    boot,
    watch: (from, take, end) => {
      let stream: EntryStream | undefined;
      let over = false;
      open().then((line) => {
        if (over) line.close();
        else stream = readEntries(line, { from, take, onEnd: end });
      }, end);
      return {
        resume: () => stream?.resume(),
        close: () => {
          over = true;
          stream?.close();
        },
      };
    },
  };
}

function openSocket(): Promise<Line> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath());
    socket.once('connect', () => resolve({ readable: socket, writable: socket, close: () => socket.destroy() }));
    socket.once('error', (error) => reject(unreachable(error)));
  });
}

/** The words of the command are the shell's to split. One that ends with `--stdio` is whole. */
function openVia(command: string): Promise<Line> {
  const whole = /\s--stdio\s*$/.test(command) ? command : `${command} chaperonectl inspect --stdio`;
  return new Promise((resolve, reject) => {
    const child: ChildProcess = spawn('sh', ['-c', `exec ${whole}`], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const { stdin, stdout } = child;
    child.once('error', (error) => reject(unreachable(error)));
    if (stdin === null || stdout === null) return;
    resolve({
      readable: stdout,
      writable: stdin,
      close: () => {
        stdin.destroy();
        stdout.destroy();
        child.kill();
      },
    });
  });
}

function bootOf(json: string): string | undefined {
  if (!json.includes('"@chaperone.boot"')) return undefined;
  const entry: unknown = JSON.parse(json);
  return typeof entry === 'object' && entry !== null && 'boot' in entry && typeof entry.boot === 'string'
    ? entry.boot
    : undefined;
}

function unreachable(error: Error): UnreachableError {
  return new UnreachableError(
    `chaperone does not seem to be listening, is it running?\n(Error is: ${codeOf(error) ?? error.message})`,
  );
}
