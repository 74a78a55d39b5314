/**
 * Runs a command with a notify socket of its own.
 *
 * Two things happen in any order: the command ends, and it (or what it started: `docker run --detach` ends long before its
 * container does) says something. What ends sdnotify-exec:
 *
 * |                      | default | --wait-ready     | --wait-stop      |
 * |----------------------|---------|------------------|------------------|
 * | the command ends, 0  | 0       | the wait goes on | the wait goes on |
 * | it ends, not with 0  | its own | its own          | its own          |
 * | READY=1              | –       | 0                | –                |
 * | ERRNO=n              | –       | n                | n                |
 * | STOPPING=1           | –       | 1                | 0                |
 * | time is up           | –       | 1                | 1                |
 *
 * The first of these counts. When the command ends, what it has said before is read first. A signal that asks for the end goes
 * on to the command, whose end is then the end in every mode; where it has ended already, the signal ends sdnotify-exec.
 */
import { closeSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { parseNotifyMessage } from '../../model/service/notify-message.ts';
import { describeSpawnError } from '../../model/service/spawn-error.ts';
import { givenBy, parseOptions } from '../../model/words/option-parser.ts';
import { printable } from '../../model/words/printable.ts';
import { findProgram } from '../../runtime/linux/find-program.ts';
import { loadEdge } from '../../runtime/linux/load-edge.ts';
import type { NativeEdge, NativeSpawnResult } from '../../runtime/linux/native.ts';
import { help, helpText, optionsOf, version as versionOption } from '../command-help.ts';
import { version } from '../version.ts';
import { defaultTemplate, expandCommand, NotifyCommandError } from './notify-command.ts';
import { forwardedPart } from './notify-forward.ts';
import { complain, describeErrno, print } from './notify-output.ts';
import { createRelay } from './notify-relay.ts';
import { NotifySocketError, openNotifySocket } from './notify-socket.ts';
import * as options from './sdnotify-exec-options.ts';

type Mode = 'command' | 'ready' | 'stop';

type Job =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'mistake'; readonly message: string }
  | ({ readonly kind: 'run' } & Operation);

interface Operation {
  readonly command: readonly string[];
  readonly mode: Mode;
  readonly proxy: boolean;
  readonly verbose: boolean;
  readonly template: string;
  /** Seconds. */
  readonly timeout?: number;
  readonly socket?: string;
}

function readWords(given: readonly string[]): Job {
  const parsed = parseOptions(given, optionsOf(options.sdnotifyExec), { untilWord: true });
  if (parsed.kind === 'mistake') return parsed;
  const { get } = givenBy(parsed.texts);
  if (get(help)) return { kind: 'help' };
  if (get(versionOption)) return { kind: 'version' };
  if (parsed.words.length === 0) return mistake('no command is given');
  const timeout = get(options.timeout);
  const socket = get(options.socket);
  return {
    kind: 'run',
    command: parsed.words,
    mode: get(options.waitStop) ? 'stop' : get(options.waitReady) ? 'ready' : 'command',
    proxy: !get(options.noproxy),
    verbose: get(options.verbose),
    template: get(options.template) ?? defaultTemplate,
    ...(timeout === undefined ? {} : { timeout }),
    ...(socket === undefined ? {} : { socket }),
  };
}

function mistake(message: string): Job {
  return { kind: 'mistake', message };
}

/** What goes on to the command. SIGTSTP and SIGCONT stop and continue sdnotify-exec itself. */
const passedOn = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGPWR', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const;
/** glibc's SIGRTMIN+3, with which Podman and systemd's containers are told to end; Node has no name for it. */
const endOfContainer = 37;
const asksForEnd = new Set<number>([
  ...(['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGPWR'] as const).map((name) => constants.signals[name]),
  endOfContainer,
]);
/** What a terminal sends to every process in its foreground, so that the command has it already. */
const fromTerminal = new Set<number>([constants.signals.SIGINT, constants.signals.SIGQUIT, constants.signals.SIGWINCH]);

const awaited = { command: 'the end', ready: 'READY=1', stop: 'STOPPING=1' } as const;
/** How many datagrams and exits are taken at a time. */
const batch = 64;
/** ms; setTimeout takes no more, and that is 24 days. */
const longestTimeout = 2 ** 31 - 1;
const highestStatus = 255;

/** @throws NotifySocketError, NotifyCommandError */
function run(operation: Operation, edge: NativeEdge): void {
  const { mode, verbose } = operation;
  const outer = process.env['NOTIFY_SOCKET'] || undefined;
  const say = (message: string): void => {
    edge.writeNow(2, Buffer.from(`sdnotify-exec: ${message}\n`), 1000);
  };
  const tell = (message: string): void => {
    if (verbose) say(message);
  };
  /** Of the command; undefined before and after its life. */
  let pid: number | undefined;
  /** A signal has asked for the end. */
  let asked = false;
  let finished = false;
  let timer: NodeJS.Timeout | undefined;

  // From here to the command's start the loop does not turn: no signal is lost, and none finds half of this.
  for (const name of passedOn) process.on(name, () => passOn(constants.signals[name], name));
  edge.watchSignal(endOfContainer, () => passOn(endOfContainer));
  process.on('SIGCHLD', reap);
  const socket = openNotifySocket(edge, operation.socket);
  process.on('exit', socket.remove);
  const command = expandCommand(operation.command, {
    environment: process.env,
    socket: socket.path,
    outer,
    pid: process.pid,
    template: operation.template,
  });
  const [program = ''] = command;

  const watch = edge.watchReadable(socket.fd, () => receive());
  const relay =
    outer === undefined || !operation.proxy
      ? undefined
      : createRelay({
          edge,
          path: outer,
          onFull: watch.pause,
          onFree: watch.resume,
          onLost: (errno) => say(`cannot pass on to ${outer}: ${describeErrno(errno)}`),
        });

  tell(`listening at ${socket.path}`);
  const result = start(edge, command, socket.path, mode);
  if (!('pid' in result)) {
    say(describeSpawnError({ ...result, program }));
    finish(result.code === 'ENOENT' ? 127 : 126);
    return;
  }
  pid = result.pid;
  tell(`running ${program}, pid ${pid}`);
  const { timeout } = operation;
  if (timeout !== undefined && mode !== 'command') {
    const late = (): void => {
      say(`${program} has not sent ${awaited[mode]} within ${timeout} s`);
      finish(1);
    };
    timer = setTimeout(late, Math.min(timeout * 1000, longestTimeout));
  } else if (timeout !== undefined) {
    say('--timeout has no effect without --wait-ready or --wait-stop');
  }

  function receive(): void {
    for (;;) {
      const datagrams = edge.receiveDatagrams(socket.fd, batch);
      for (const { bytes, truncated, descriptors } of datagrams) {
        if (truncated) say('a notification of more than 256 KiB is left out');
        else handle(bytes);
        // Only now: it is what BARRIER=1 waits for.
        for (const descriptor of descriptors) closeSync(descriptor);
      }
      if (datagrams.length < batch) return;
    }
  }

  function handle(bytes: Buffer): void {
    const forwarded = relay && forwardedPart(bytes, { keepMainPid: mode !== 'stop' });
    if (forwarded !== undefined) relay?.pass(forwarded);
    tell(`${printable(bytes)}${forwarded === undefined ? '' : ' (passed on)'}`);
    if (finished || mode === 'command') return;
    const { errno, ready, stopping } = parseNotifyMessage(bytes);
    if (errno !== undefined) {
      finish(Math.min(errno, highestStatus));
    } else if (mode === 'ready' ? ready : stopping) {
      finish(0);
    } else if (stopping) {
      // What a container says that cannot start; it will never be ready.
      say(`${program} stops before it is ready`);
      finish(1);
    }
  }

  function reap(): void {
    for (;;) {
      const { exits } = edge.reap(batch);
      const exit = exits.find((candidate) => candidate.pid === pid);
      if (exit !== undefined) ended(exit.code ?? 128 + (exit.signal ?? 0));
      if (exits.length < batch) return;
    }
  }

  function ended(status: number): void {
    pid = undefined;
    receive();
    if (finished) return;
    tell(`${program} has ended with ${status}`);
    if (mode === 'command' || asked || status !== 0) finish(status);
    else tell(`waiting for ${awaited[mode]}`);
  }

  function passOn(number: number, name?: NodeJS.Signals): void {
    const ends = asksForEnd.has(number);
    if (pid !== undefined && !finished) {
      asked ||= ends;
      if (mode === 'command' && fromTerminal.has(number) && isInForeground()) return;
      tell(`passing on signal ${name ?? number}`);
      edge.kill(pid, number);
    } else if (ends) {
      socket.remove();
      if (name !== undefined) {
        // As if nobody had listened: whoever waits for us sees the signal. PID 1 of a namespace cannot die like that.
        process.removeAllListeners(name);
        process.kill(process.pid, name);
      }
      process.exit(128 + number);
    }
  }

  /** The first call counts. Nothing that has arrived is lost: the relay gets the time it needs. */
  function finish(status: number): void {
    if (finished) return;
    finished = true;
    tell(`ending with ${status}`);
    clearTimeout(timer);
    socket.remove();
    const exit = (): never => process.exit(status);
    // Later, since more datagrams of the same batch may follow.
    setImmediate(() => {
      watch.close();
      if (relay === undefined) exit();
      else relay.whenEmpty(exit);
    });
  }
}

function start(edge: NativeEdge, command: readonly string[], path: string, mode: Mode): StartResult {
  const [program = ''] = command;
  const file = findProgram(program, process.env['PATH'], process.cwd());
  if (file === undefined) return { code: 'ENOENT', stage: program.includes('/') ? 'exec' : 'lookup' };
  return edge.spawn({
    file,
    argv: command,
    environment: Object.entries({ ...process.env, NOTIFY_SOCKET: path }).map(([name, value]) => `${name}=${value}`),
    stdio: [0, 1, 2],
    // It may live on when we end.
    group: mode === 'command' ? 'none' : 'session',
    // What a service manager watches is the command.
    ...(process.env['WATCHDOG_PID'] === String(process.pid) ? { pidVariables: ['WATCHDOG_PID'] } : {}),
  });
}

type StartResult = NativeSpawnResult | { readonly code: string; readonly stage: 'lookup' | 'exec' };

/** proc(5), stat: the process group, and that in the foreground of the terminal. */
function isInForeground(): boolean {
  const stat = readFileSync('/proc/self/stat', 'latin1');
  const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return group === foreground;
}

async function main(): Promise<void> {
  const job = readWords(process.argv.slice(2));
  if (job.kind === 'help')
    process.exitCode = await print('sdnotify-exec', helpText('sdnotify-exec', options.sdnotifyExec));
  else if (job.kind === 'version') process.exitCode = await print('sdnotify-exec', `sdnotify-exec ${version}\n`);
  else if (job.kind === 'mistake') {
    await complain('sdnotify-exec', `${job.message}\ntry "sdnotify-exec --help"`);
    process.exitCode = 2;
  } else {
    try {
      run(job, loadEdge(join(__dirname, 'edge.node')));
    } catch (error) {
      if (!(error instanceof NotifySocketError || error instanceof NotifyCommandError)) throw error;
      await complain('sdnotify-exec', error.message);
      process.exit(1);
    }
  }
}

main();
