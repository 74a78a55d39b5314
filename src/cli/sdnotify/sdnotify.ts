import { constants } from 'node:os';
import { join } from 'node:path';
import { loadEdge } from '../../runtime/linux/load-edge.ts';
import type { NativeEdge } from '../../runtime/linux/native.ts';
import { mistake, type Reply, readProgramWords } from '../program-words.ts';
import { complain, describeErrno, print } from './notify-output.ts';
import * as options from './sdnotify-options.ts';

/** ms; how long a full queue is waited for, which is longer than a healthy receiver ever needs. */
const patience = 10_000;
/** ms */
const pause = 10;

type Job = Reply | ({ readonly kind: 'notify' } & Operation);

interface Operation {
  readonly messages: readonly string[];
  readonly booted: boolean;
  readonly ignore: boolean;
}

function readWords(given: readonly string[]): Job {
  const reading = readProgramWords('sdnotify', options.sdnotify, given);
  if (reading.kind !== 'given') return reading;
  const { get } = reading.given;
  const { words } = reading;
  for (const word of words) {
    const name = /^([^=]*)=/.exec(word)?.[1];
    if (name === undefined) return mistake(`"${word}" is not of the form VARIABLE=VALUE`);
    if (!/^[A-Z_][A-Z0-9_]*$/.test(name)) return mistake(`"${name}" is no name in upper case`);
  }
  const pid = get(options.pid);
  const status = get(options.status);
  const messages = [
    // sdnotify's own pid would be that of a dead process when the manager reads it.
    ...(pid === undefined ? [] : [`MAINPID=${pid === 'self' ? process.ppid : pid}`]),
    ...(status === undefined ? [] : [`STATUS=${status}`]),
    ...(get(options.ready) ? ['READY=1'] : []),
    ...words,
  ];
  const broken = messages.find((message) => /[\n\r]/.test(message));
  // A second line would be taken for another variable.
  if (broken !== undefined) return mistake(`the value of ${broken.split('=')[0]} has more than one line`);
  const booted = get(options.booted);
  if (messages.length === 0 && !booted) return mistake('there is nothing to send');
  return { kind: 'notify', messages, booted, ignore: get(options.ignore) };
}

/** Waits where the receiver's queue is full, as a blocking socket would. Returns 0 or the errno. */
function send(edge: NativeEdge, path: string, message: string): number {
  const bytes = Buffer.from(message);
  const end = performance.now() + patience;
  for (;;) {
    const errno = edge.sendDatagram(path, bytes);
    if (errno !== constants.errno.EAGAIN || performance.now() > end) return errno;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pause);
  }
}

/** @returns why not everything could be sent */
function sendAll({ messages, ignore }: Operation, path: string): string | undefined {
  const edge = loadEdge(join(__dirname, 'edge.node'));
  let failure: string | undefined;
  for (const message of messages) {
    // The parent of who entered a container from outside: nobody in here can name it.
    const errno = message === 'MAINPID=0' ? constants.errno.ESRCH : send(edge, path, message);
    if (errno === 0) continue;
    failure ??= `cannot send ${message.split('=')[0]} to ${path}: ${describeErrno(errno)}`;
    if (!ignore) return failure;
  }
  return failure;
}

async function notify(operation: Operation): Promise<number> {
  const { messages, booted, ignore } = operation;
  const path = process.env['NOTIFY_SOCKET'] ?? '';
  if (path !== '' && messages.length > 0) {
    const failure = sendAll(operation, path);
    if (failure !== undefined && !ignore) {
      await complain('sdnotify', failure);
      return 1;
    }
  }
  return booted ? 1 : 0;
}

async function main(): Promise<number> {
  const job = readWords(process.argv.slice(2));
  switch (job.kind) {
    case 'notify':
      return notify(job);
    case 'mistake':
      await complain('sdnotify', `${job.message}\ntry "sdnotify --help"`);
      return 2;
    case 'information':
      return print('sdnotify', job.text);
  }
}

main().then((status) => {
  process.exitCode = status;
});
