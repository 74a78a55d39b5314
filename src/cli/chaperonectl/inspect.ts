/**
 * Serves the inspector page beside a running chaperone: over its control socket, or through a command that reaches into a
 * container.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { exitStatuses } from '../../control/answer.ts';
import { UnreachableError } from '../../control/client.ts';
import { type EntryStream, type Line, readEntries } from '../../control/entry-stream.ts';
import { callLine, eventsIn } from '../../control/line-call.ts';
import type { BootEntry } from '../../inspect/entry.ts';
import { type FoundRecord, searchRecords } from '../../inspect/record-search.ts';
import type { LogRecord } from '../../model/log/log-record.ts';
import { type ActPort, pageActions } from '../../runtime/inspection/page-act.ts';
import type { EntrySource } from '../../runtime/inspection/page-server.ts';
import { socketPath, withControl } from './control-call.ts';
import { openSocket, unreachable } from './control-line.ts';
import { print } from './print.ts';
import type { Request } from './read-words.ts';
import { readReply } from './reply.ts';
import { serveUntilSignal } from './serve-page.ts';
import { act, listen, port, stdio, via } from './verb-options.ts';

interface Page {
  readonly port: number;
  readonly listen: string | undefined;
  /** A command that reaches into the container, such as `docker exec -i NAME`. */
  readonly via: string | undefined;
  /** The page may act. */
  readonly act: boolean;
}

/** ms between two attempts to reach a chaperone that has gone. */
const pause = 1_000;

export function run({ given }: Request): Promise<number> {
  const { get } = given;
  const through = get(via);
  return withControl(async () => {
    if (!get(stdio)) return serve({ port: get(port) ?? 0, listen: get(listen), via: through, act: get(act) });
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

async function serve({ port, listen, via, act: acts }: Page): Promise<number> {
  const open = via === undefined ? openSocket : () => openVia(via);
  let boot: Pick<BootEntry, 'boot' | 'epoch'> | undefined;
  let heard: { readonly at: number; readonly clock: number } | undefined;
  const now = (): number | undefined => heard && heard.at + (performance.now() - heard.clock);
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
        onClock: (at) => {
          heard = { at, clock: performance.now() };
        },
        onOpen: () => first(undefined),
        onEnd: (refusal) => {
          heard = undefined;
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
  return serveUntilSignal(
    'chaperonectl inspect',
    { port, listen, source: relay(open, () => boot, now), ...(acts ? { act: ownAct(open) } : {}) },
    print,
  );
}

/** Makes a separate connection for each page. */
function relay(
  open: () => Promise<Line>,
  boot: () => Pick<BootEntry, 'boot' | 'epoch'> | undefined,
  now: () => number | undefined,
): EntrySource {
  return {
    complete: false,
    boot: () => boot()?.boot,
    now,
    records: async (query) => searchRecords(await recordsOf(open, boot()?.epoch ?? 0), query, nextTurn),
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

/** Lets the page act for the account that runs this, and for root: the control socket decides what that account may do. */
function ownAct(open: () => Promise<Line>): ActPort {
  const own = process.getuid?.();
  return {
    may: ({ uid, isForeign }) => (isForeign !== true && (uid === own || uid === 0) ? pageActions : []),
    act: async ({ action, service }) => {
      const path = `/v1/services/${encodeURIComponent(service)}/${action}`;
      // A name is never a pattern here: what the person has seen is what happens.
      if (/[*?[]/.test(service)) return { ok: false, text: `there is no service ${JSON.stringify(service)}` };
      const { status, body } = await callLine(await open(), 'POST', path, {});
      return { ok: status === 200, text: readReply(body).text };
    },
  };
}

/** The records that chaperone keeps, as it tells them on the control socket. */
async function recordsOf(open: () => Promise<Line>, epoch: number): Promise<readonly FoundRecord[]> {
  const { status, body } = await callLine(await open(), 'GET', '/v1/logs');
  if (status !== 200) return [];
  return eventsIn(body, 'record').map((data) => {
    const { time, severity, facility, program, pid, service, message }: LogRecord = JSON.parse(data);
    return {
      at: Math.max(0, time - epoch),
      ...{ severity, facility, program, message },
      ...(pid === undefined ? {} : { pid }),
      ...(service === undefined ? {} : { service }),
    };
  });
}

function bootOf(json: string): Pick<BootEntry, 'boot' | 'epoch'> | undefined {
  if (!json.includes('"@chaperone.boot"')) return undefined;
  const entry: unknown = JSON.parse(json);
  return isBoot(entry) ? entry : undefined;
}

function isBoot(entry: unknown): entry is Pick<BootEntry, 'boot' | 'epoch'> {
  return (
    typeof entry === 'object' &&
    entry !== null &&
    'boot' in entry &&
    typeof entry.boot === 'string' &&
    'epoch' in entry &&
    typeof entry.epoch === 'number'
  );
}
