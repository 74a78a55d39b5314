import { constants } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadEdge } from '../runtime/linux/load-edge.ts';
import type { NativeEdge } from '../runtime/native.ts';
import { describeOptionError, joinValues } from './notify-options.ts';
import { complain, describeErrno, print } from './notify-output.ts';
import { version } from './version.ts';

const helpText = `usage: sdnotify [options] [VARIABLE=VALUE...]

Tells the service manager how a service is doing: sends notifications to the
socket that NOTIFY_SOCKET names, each in a datagram of its own, in the order
below. Without NOTIFY_SOCKET it does nothing.

  --pid PID             MAINPID=PID; "self" is the process that runs sdnotify
  --status TEXT         STATUS=TEXT
  --ready               READY=1
  --booted              was this system booted by systemd? no: exit status 1
  --ignore              exit status 0 also where nothing can be sent
  --version             print the version
  --help                print this text

Then each VARIABLE=VALUE as it is given; names are in upper case.
Exit status: 0 done, 1 something was not sent, 2 a mistake on the command line.
`;

/** ms; how long a full queue is waited for, which is longer than a healthy receiver ever needs. */
const patience = 10_000;
/** ms */
const pause = 10;

type Job =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'mistake'; readonly message: string }
  | ({ readonly kind: 'notify' } & Operation);

interface Operation {
  readonly messages: readonly string[];
  readonly booted: boolean;
  readonly ignore: boolean;
}

const knownOptions = {
  booted: { type: 'boolean' },
  help: { type: 'boolean' },
  ignore: { type: 'boolean' },
  pid: { type: 'string' },
  ready: { type: 'boolean' },
  status: { type: 'string' },
  version: { type: 'boolean' },
} as const;

function readWords(words: readonly string[]): Job {
  try {
    const { values, positionals } = parseArgs({
      args: joinValues(words, knownOptions).all,
      allowPositionals: true,
      options: knownOptions,
    });
    if (values.help === true) return { kind: 'help' };
    if (values.version === true) return { kind: 'version' };
    const { pid, status } = values;
    if (pid !== undefined && pid !== 'self' && !/^[1-9]\d{0,9}$/.test(pid)) {
      return mistake(`--pid takes a process id or "self", not "${pid}"`);
    }
    for (const word of positionals) {
      const name = /^([^=]*)=/.exec(word)?.[1];
      if (name === undefined) return mistake(`"${word}" is not of the form VARIABLE=VALUE`);
      if (!/^[A-Z_][A-Z0-9_]*$/.test(name)) return mistake(`"${name}" is no name in upper case`);
    }
    const messages = [
      // Its own pid would be that of a dead process when the manager reads it.
      ...(pid === undefined ? [] : [`MAINPID=${pid === 'self' ? process.ppid : pid}`]),
      ...(status === undefined ? [] : [`STATUS=${status}`]),
      ...(values.ready === true ? ['READY=1'] : []),
      ...positionals,
    ];
    const broken = messages.find((message) => /[\n\r]/.test(message));
    // It would be taken for another variable.
    if (broken !== undefined) return mistake(`the value of ${broken.split('=')[0]} has more than one line`);
    const booted = values.booted === true;
    if (messages.length === 0 && !booted) return mistake('there is nothing to send');
    return { kind: 'notify', messages, booted, ignore: values.ignore === true };
  } catch (error) {
    return mistake(describeOptionError(error));
  }
}

function mistake(message: string): Job {
  return { kind: 'mistake', message };
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
    case 'help':
      return print('sdnotify', helpText);
    case 'version':
      return print('sdnotify', `sdnotify ${version}\n`);
  }
}

main().then((status) => {
  process.exitCode = status;
});
