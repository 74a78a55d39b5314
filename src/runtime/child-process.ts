import type { Subscription } from 'rxjs';
import { fromCallback } from 'xstate';
import { isNormal } from '../model/exit-status.ts';
import { environmentOfRun } from '../model/late-environment.ts';
import {
  environmentDump,
  exitKillsAhead,
  exitSeen,
  type Message,
  signalDenied,
  startAttempt,
  terminating,
} from '../model/messages.ts';
import type { ProcessFact, ProcessRun, ProcessSignal } from '../model/process-events.ts';
import { type ServiceSpec, shortName } from '../model/service-spec.ts';
import type { LogRecord } from '../model/syslog.ts';
import type { ExitRouter } from '../streams/exit-router.ts';
import { outputRecords } from '../streams/output-records.ts';
import type { Clock, Kernel, ProcessExit, SpawnOutcome, SpawnRequest } from './kernel.ts';
import type { LiveProcesses } from './live-processes.ts';

export interface ChildProcessPorts {
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly exits: ExitRouter<ProcessExit>;
  readonly live: LiveProcesses;
  /** Takes what services write. */
  readonly onOutput: (service: ServiceSpec, stream: 'stdout' | 'stderr', record: LogRecord) => void;
  /** Takes what chaperone has to say about a service. */
  readonly onMessage: (message: Message) => void;
}

/**
 * The `childProcess` port of the process machine on a kernel: spawns when it is invoked, reports the spawn and the exit,
 * passes on signals. Its output streams outlive it: a grandchild may hold them open.
 */
export function childProcessLogic({ kernel, clock, exits, live, onOutput, onMessage }: ChildProcessPorts) {
  /** Over all services: what _CHAP_SERVICE_SERIAL counts. */
  let starts = 0;
  return fromCallback<ProcessSignal, ProcessRun, ProcessFact>(({ input, sendBack, receive }) => {
    const { service, serial } = input;
    starts += 1;
    const environment = environmentOfRun(service, {
      _CHAP_SERVICE_SERIAL: String(starts),
      _CHAP_SERVICE_TIME: String(Math.floor(clock.wallTime() / 1000)),
    });
    onMessage(startAttempt(service));
    if (service.debug) for (const message of environmentDump(service, environment)) onMessage(message);
    if (service.exitKills) onMessage(exitKillsAhead(service));
    const outcome = spawnService(kernel, service, environment);
    if (!outcome.ok) {
      sendBack({ type: 'process.spawnFailed', serial, error: outcome.error, at: clock.now() });
      return undefined;
    }

    const { pid } = outcome;
    live.add(pid, service);
    const program = shortName(service.name);
    const wallTime = (): number => clock.wallTime();
    for (const stream of ['stdout', 'stderr'] as const) {
      outcome[stream]
        .pipe(outputRecords({ program, service: service.name, pid, stream, wallTime }))
        .subscribe((record) => onOutput(service, stream, record));
    }
    const subscription: Subscription = exits.exitOf(pid).subscribe(({ status, at }) => {
      live.remove(pid);
      onMessage(exitSeen(service.name, pid, status));
      if (service.ownGroup && service.killMode === 'group' && !isNormal(status))
        clearGroup(kernel, clock, live, pid, service);
      sendBack({ type: 'process.exited', serial, pid, status, at });
    });
    receive(({ signal }) => {
      // `vanished` is no news: the exit is on its way.
      const target = service.ownGroup && service.killMode === 'group' ? 'group' : 'process';
      if (signal !== 'SIGKILL') onMessage(terminating(service.name, signal));
      if (kernel.signal(pid, signal, target) === 'denied') onMessage(signalDenied(service.name, pid, signal));
      // A stopped process takes no other signal before it goes on (systemd does the same).
      if (signal !== 'SIGKILL') kernel.signal(pid, 'SIGCONT', target);
    });
    sendBack({ type: 'process.spawned', serial, pid, at: clock.now() });
    return () => subscription.unsubscribe();
  });
}

/** ms that the rest of a process group has after its leader's abnormal end. */
const groupGrace = 1_000;

/**
 * What a crashed leader leaves in its process group (the workers of a server, on its port) would stand in the way of the
 * next run. A daemon that a service leaves behind on purpose has a group of its own, or a leader that ended normally.
 */
function clearGroup(kernel: Kernel, clock: Clock, live: LiveProcesses, pid: number, service: ServiceSpec): void {
  if (kernel.signal(pid, service.killSignal, 'group') !== 'sent') return;
  kernel.signal(pid, 'SIGCONT', 'group');
  clock.setTimeout(() => {
    // The number of a group that has gone may be a new process's by now.
    if (!live.has(pid)) kernel.signal(pid, 'SIGKILL', 'group');
  }, groupGrace);
}

/** The account's home is where a service starts unless it is told otherwise, but not where it must. */
function spawnService(
  kernel: Kernel,
  service: ServiceSpec,
  environment: Readonly<Record<string, string>>,
): SpawnOutcome {
  const request: SpawnRequest = {
    argv: service.argv,
    environment,
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
