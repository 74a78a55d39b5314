import { map, merge, type Observable, take, tap } from 'rxjs';
import { fromCallback } from 'xstate';
import { type ExitStatus, isNormal } from '../model/exit-status.ts';
import { environmentOfRun } from '../model/late-environment.ts';
import type { LogRecord } from '../model/log-record.ts';
import {
  about,
  environmentDump,
  exitKillsAhead,
  exitSeen,
  type Message,
  pidChanged,
  signalDenied,
  startAttempt,
  terminating,
} from '../model/messages.ts';
import type { ProcessFact, ProcessRun, ProcessSignal } from '../model/process-events.ts';
import { isScheduled } from '../model/scheduling.ts';
import { ownsRemains, type ServiceSpec, shortName } from '../model/service-spec.ts';
import type { SignalName } from '../model/signal.ts';
import type { SpawnError } from '../model/spawn-error.ts';
import type { ExitRouter } from '../streams/exit-router.ts';
import { outputRecords } from '../streams/output-records.ts';
import type { Clock, Kernel, ProcessExit, ProcessTree, SpawnOutcome, SpawnRequest, TimerId } from './kernel.ts';
import type { LiveProcesses } from './live-processes.ts';
import type { NotifySockets } from './notify-sockets.ts';
import type { Pidfiles } from './pidfiles.ts';

export interface ProcessEnd {
  readonly pid: number;
  readonly status: ExitStatus;
}

export interface ChildProcessPorts {
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly exits: ExitRouter<ProcessExit>;
  readonly live: LiveProcesses;
  readonly pidfiles: Pidfiles;
  readonly notify: NotifySockets;
  /** Takes what services write. */
  readonly onOutput: (service: ServiceSpec, stream: 'stdout' | 'stderr', record: LogRecord) => void;
  /** Is told of each end of a process that is a service, or one of its runs. */
  readonly onEnd: (service: ServiceSpec, end: ProcessEnd) => void;
  /** Takes what chaperone has to say about a service. */
  readonly onMessage: (message: Message) => void;
}

/**
 * The `childProcess` port of the process machine on a kernel: starts a program when it is invoked, or takes over what is there
 * already (`adopts`), reports that and the end, passes on signals. Its output streams outlive it: a grandchild may hold them open.
 */
export function childProcessLogic(ports: ChildProcessPorts) {
  const { kernel, clock, exits, live, pidfiles, notify, onOutput, onMessage } = ports;
  /** Over all services: what _CHAP_SERVICE_SERIAL counts. */
  let starts = 0;
  /** By service: what its last start has left behind. */
  const trees = new Map<string, ProcessTree>();
  /** By service: the process that is the service. */
  const mainPids = new Map<string, number>();
  const noteMain = (service: ServiceSpec, pid: number): void => {
    mainPids.set(service.name, pid);
    notify.setMainPid(service.name, pid);
  };

  const start = (run: ProcessRun, say: (message: Message) => void): Unit | SpawnError => {
    const { service, connection } = run;
    starts += 1;
    const notifying = service.type === 'notify' ? openNotify(notify, run) : noNotify;
    if ('code' in notifying) return notifying;
    const invocation = ownsRemains(service) ? kernel.following.newInvocation() : undefined;
    const environment = environmentOfRun(service, {
      _CHAP_SERVICE_SERIAL: String(starts),
      _CHAP_SERVICE_TIME: String(Math.floor(clock.wallTime() / 1000)),
      ...notifying.variables,
      ...(invocation === undefined ? {} : { INVOCATION_ID: invocation }),
      // As systemd.exec(5) has it for socket units with Accept=yes.
      ...(connection === undefined ? {} : { REMOTE_ADDR: connection.address, REMOTE_PORT: String(connection.port) }),
    });
    say(startAttempt(service));
    if (service.debug) for (const message of environmentDump(service, environment)) say(message);
    if (service.exitKills && !isScheduled(service.type)) say(exitKillsAhead(service));
    pidfiles.noteBefore(service);
    const more = { environment, ...notifying.request, ...(connection === undefined ? {} : { connection }) };
    const outcome = spawnService(kernel, service, more);
    // The process has its own copy, and only its end is to end the connection.
    if (connection !== undefined) kernel.closeConnection(connection);
    if (!outcome.ok) return outcome.error;

    const { pid } = outcome;
    const forget = live.add(pid, service);
    noteMain(service, pid);
    trees.get(service.name)?.forget();
    trees.delete(service.name);
    const tree =
      invocation === undefined ? undefined : kernel.following.track(pid, invocation, service.type === 'forking');
    if (tree !== undefined) trees.set(service.name, tree);
    const program = shortName(service.name);
    const wallTime = (): number => clock.wallTime();
    for (const stream of ['stdout', 'stderr'] as const) {
      outcome[stream]
        .pipe(outputRecords({ program, service: service.name, pid, stream, wallTime }))
        .subscribe((record) => onOutput(service, stream, record));
    }
    const end$ = exits.exitOf(pid).pipe(tap(() => tree?.startEnded()));
    const isGroup = service.ownGroup && service.killMode === 'group';
    // What a notify service forks is its own affair, until it says that one of them is the service.
    const remains = service.type === 'notify' ? {} : { tree };
    return { pid, target: isGroup ? 'group' : 'process', end$, forget, ...remains };
  };

  const follow = ({ service }: ProcessRun, pid: number): Unit => {
    onMessage(pidChanged(service.name, pid, mainPids.get(service.name) ?? 0));
    noteMain(service, pid);
    const forget = live.add(pid, service);
    const leads = kernel.following.lookUp(pid)?.group === pid && service.killMode === 'group';
    return {
      pid,
      target: leads ? 'group' : 'process',
      end$: endOf(ports, service, pid),
      forget,
      tree: trees.get(service.name),
    };
  };

  const logic = fromCallback<ProcessSignal, ProcessRun, ProcessFact>(({ input, sendBack, receive }) => {
    const { service, serial, adopts } = input;
    const own: ChildProcessPorts = { ...ports, onMessage: (message) => ports.onMessage(about(service, message)) };
    if (adopts?.kind === 'remains') {
      const tree = ownsRemains(service) ? trees.get(service.name) : undefined;
      sendBack({ type: 'process.spawned', serial, pid: 0, at: clock.now() });
      const over = (): void =>
        sendBack({ type: 'process.exited', serial, pid: 0, status: { kind: 'exited', code: 0 }, at: clock.now() });
      if (tree === undefined) {
        over();
        return undefined;
      }
      const wait = whenEmpty(clock, tree, () => {
        pidfiles.remove(service);
        over();
      });
      receive(({ signal }) => {
        signalUnit(own, service, { pid: 0, target: 'process', tree }, signal);
        wait.lookSoon();
      });
      return wait.end;
    }

    const unit = adopts === undefined ? start(input, own.onMessage) : follow(input, adopts.pid);
    if ('code' in unit) {
      sendBack({ type: 'process.spawnFailed', serial, error: unit, at: clock.now() });
      return undefined;
    }
    const { pid, tree } = unit;
    let stopping = false;
    let isOwned = true;
    let ended = false;
    let wait: Wait | undefined;
    unit.end$.subscribe(({ status, at }) => {
      ended = true;
      unit.forget();
      own.onMessage(exitSeen(service.name, pid, status));
      if (!isOwned) return;
      ports.onEnd(service, { pid, status });
      const crashed = !isNormal(status) && !(stopping && tree !== undefined);
      if (crashed) clearRemains(own, unit, service, stopping);
      const tell = (): void => {
        // Nothing of it is left, so that nobody is who its file names.
        const isOver = stopping || (crashed && tree !== undefined);
        // What a daemon that has ended left in its file would tell of it at the next stop, or of whoever has its number then.
        if (isOver || adopts !== undefined) pidfiles.remove(service, isOver ? undefined : pid);
        sendBack({ type: 'process.exited', serial, pid, status, at: tree === undefined ? at : clock.now() });
      };
      // A stop is over when nothing of the service is left. So is a crash: the next start needs the port.
      if (tree !== undefined && (stopping || crashed)) wait = whenEmpty(clock, tree, tell);
      else tell();
    });
    receive(({ signal }) => {
      stopping = true;
      signalUnit(own, service, ended ? { ...unit, pid: 0 } : unit, signal);
      wait?.lookSoon();
    });
    sendBack({ type: 'process.spawned', serial, pid, at: clock.now() });
    return () => {
      // Where another process is the service from now on, this one's end is still to be noted, but to nobody told.
      isOwned = false;
      wait?.end();
    };
  });
  return {
    logic,
    /** Lets go what is kept of a service that is no more. */
    forget: (service: string): void => {
      trees.get(service)?.forget();
      trees.delete(service);
      mainPids.delete(service);
    },
  };
}

/** What is signalled together, and ends together. */
interface Unit {
  /** 0: no process that is known by its pid. */
  readonly pid: number;
  readonly target: 'group' | 'process';
  readonly end$: Observable<{ readonly status: ExitStatus; readonly at: number }>;
  /** It is not live any more. */
  readonly forget: () => void;
  /** What its start has left behind, where that belongs to the service. */
  readonly tree?: ProcessTree | undefined;
}

/** What a start needs for sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3). */
interface NotifyNeeds {
  readonly variables: Readonly<Record<string, string>>;
  readonly request: Pick<SpawnRequest, 'descriptors' | 'pidVariables'>;
}

const noNotify: NotifyNeeds = { variables: {}, request: {} };

function openNotify(notify: NotifySockets, { service, serial }: ProcessRun): NotifyNeeds | SpawnError {
  const kept = notify.kept(service.name);
  let path: string;
  try {
    path = notify.open(service, serial);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
    if (code === undefined) throw error;
    return { code, stage: 'notify', program: service.argv[0] ?? '' };
  }
  const { watchdog } = service;
  return {
    variables: {
      NOTIFY_SOCKET: path,
      ...(watchdog === undefined ? {} : { WATCHDOG_USEC: String(Math.round(watchdog * 1000)) }),
      ...(kept.length === 0
        ? {}
        : { LISTEN_FDS: String(kept.length), LISTEN_FDNAMES: kept.map(({ name }) => name).join(':') }),
    },
    request: {
      ...(kept.length === 0 ? {} : { descriptors: kept.map(({ descriptor }) => descriptor) }),
      pidVariables: [...(watchdog === undefined ? [] : ['WATCHDOG_PID']), ...(kept.length === 0 ? [] : ['LISTEN_PID'])],
    },
  };
}

/**
 * The end of a process that chaperone did not start. Where chaperone is its parent by then, waitid(2) tells its status; otherwise
 * only that it is gone can be known, and what it said about that itself (EXIT_STATUS).
 */
function endOf({ kernel, clock, exits, notify }: ChildProcessPorts, service: ServiceSpec, pid: number): Unit['end$'] {
  const gone$ = kernel.following.watchEnd(pid).pipe(
    // What can be reaped is reaped now, which ends this stream by the other branch.
    tap(() => kernel.hasChildren()),
    map(() => ({
      status: { kind: 'exited' as const, code: notify.exitStatus(service.name) ?? 0 },
      at: clock.now(),
    })),
  );
  return merge(exits.exitOf(pid), gone$).pipe(take(1));
}

function signalUnit(
  { kernel, onMessage }: ChildProcessPorts,
  { name }: ServiceSpec,
  { pid, target, tree }: Pick<Unit, 'pid' | 'target' | 'tree'>,
  signal: SignalName,
): void {
  if (signal !== 'SIGKILL') onMessage(terminating(name, signal));
  const send = (to: number, whom: 'group' | 'process'): void => {
    // `vanished` is no news: the exit is on its way.
    if (kernel.signal(to, signal, whom) === 'denied') onMessage(signalDenied(name, to, signal));
    // A stopped process takes no other signal before it goes on (systemd does the same).
    if (signal !== 'SIGKILL') kernel.signal(to, 'SIGCONT', whom);
  };
  const members = tree?.members() ?? [];
  if (pid > 0) send(pid, target);
  for (const member of members) {
    const reached = member.pid === pid || (pid > 0 && target === 'group' && member.group === pid);
    if (!reached) send(member.pid, 'process');
  }
}

/** ms from one look at what is left to the next. */
const firstLook = 20;
const longestLook = 250;

/** Waits for a start to leave nothing behind. */
interface Wait {
  /** Something has been done that may end it. */
  readonly lookSoon: () => void;
  readonly end: () => void;
}

/** Calls back once nothing of a start is left. */
function whenEmpty(clock: Clock, tree: ProcessTree, done: () => void): Wait {
  let timer: TimerId | undefined;
  const end = (): void => {
    if (timer !== undefined) clock.clearTimeout(timer);
    timer = undefined;
  };
  const look = (delay: number): void => {
    timer = undefined;
    if (tree.members().length === 0) done();
    else timer = clock.setTimeout(() => look(Math.min(longestLook, delay * 2)), delay);
  };
  look(firstLook);
  return {
    lookSoon: () => {
      if (timer === undefined) return;
      end();
      timer = clock.setTimeout(() => look(firstLook), firstLook);
    },
    end,
  };
}

/** ms that the rest of a process group has after its leader's abnormal end. */
const groupGrace = 1_000;

/**
 * What a crashed leader leaves in its process group (the workers of a server, on its port) would stand in the way of the
 * next run, and so would what a crashed daemon leaves. A daemon that a service leaves behind on purpose has a group of its own,
 * or a leader that ended normally.
 */
function clearRemains(
  ports: ChildProcessPorts,
  { pid, target, tree }: Unit,
  service: ServiceSpec,
  stopping: boolean,
): void {
  const { kernel, clock, live } = ports;
  // Those that a stop has signalled together with their leader are on their way: a second signal means haste to many programs.
  const signal = stopping ? 'SIGCONT' : service.killSignal;
  // The number may be a new process's already.
  const isGroup = target === 'group' && !live.has(pid) && kernel.signal(pid, signal, 'group') === 'sent';
  if (isGroup && !stopping) kernel.signal(pid, 'SIGCONT', 'group');
  const members = tree?.members() ?? [];
  for (const member of members) {
    if (isGroup && member.group === pid) continue;
    kernel.signal(member.pid, service.killSignal, 'process');
    kernel.signal(member.pid, 'SIGCONT', 'process');
  }
  if (!isGroup && members.length === 0) return;
  const number = live.watch(pid);
  const deadline = clock.now() + groupGrace;
  const look = (delay: number): void => {
    const left = tree?.members() ?? [];
    // The number of a group that has gone may be a new process's by now: where nobody can say who is in it, it is watched. The
    // kernel gives it to nobody while the group lives, so that a process of that number, whoever started it, has a new group.
    const remains =
      tree === undefined
        ? !number.reused &&
          kernel.following.lookUp(pid) === undefined &&
          kernel.signal(pid, 'SIGCONT', 'group') === 'sent'
        : left.some(({ group }) => group === pid);
    if (clock.now() < deadline) {
      if (!remains && left.length === 0) live.unwatch(pid);
      else clock.setTimeout(() => look(Math.min(longestLook, delay * 2)), Math.min(delay, deadline - clock.now()));
      return;
    }
    live.unwatch(pid);
    if (isGroup && remains) kernel.signal(pid, 'SIGKILL', 'group');
    const alive = new Set(left.map((member) => member.pid));
    for (const member of members) if (alive.has(member.pid)) kernel.signal(member.pid, 'SIGKILL', 'process');
  };
  clock.setTimeout(() => look(firstLook), firstLook);
}

/** The account's home is where a service starts unless it is told otherwise, but not where it must. */
function spawnService(
  kernel: Kernel,
  service: ServiceSpec,
  more: Pick<SpawnRequest, 'environment' | 'descriptors' | 'pidVariables' | 'connection'>,
): SpawnOutcome {
  const request: SpawnRequest = {
    ...more,
    argv: service.argv,
    ownGroup: service.ownGroup,
    stdin: service.stdin,
    stdout: service.stdout === 'log' ? 'pipe' : 'inherit',
    stderr: service.stderr === 'log' ? 'pipe' : 'inherit',
    ...(service.account === undefined ? {} : { account: service.account }),
  };
  if (service.directory !== undefined) return spawnAtTerminal(kernel, { ...request, directory: service.directory });
  const home = service.account?.home;
  if (home === undefined) return spawnAtTerminal(kernel, request);
  const outcome = spawnAtTerminal(kernel, { ...request, directory: home });
  return outcome.ok || outcome.error.stage !== 'directory' ? outcome : spawnAtTerminal(kernel, request);
}

/** A terminal that is not chaperone's controlling one has no foreground group to give: the program does without. */
function spawnAtTerminal(kernel: Kernel, request: SpawnRequest): SpawnOutcome {
  const outcome = kernel.spawn(request);
  if (outcome.ok || outcome.error.stage !== 'terminal') return outcome;
  return kernel.spawn({ ...request, stdin: 'inherit' });
}
