/** Units on the simulated kernel, without the machines that own them: a test runs programs, asks for signals and looks, and gets the facts. */
import type { Observable } from 'rxjs';
import { createActor, setup } from 'xstate';
import type { LogRecord } from '../../../src/model/log/log-record.ts';
import type { Message } from '../../../src/model/log/messages.ts';
import { composeValues } from '../../../src/model/service/compose-values.ts';
import type { HookPlace } from '../../../src/model/service/hook.ts';
import type { Claim } from '../../../src/model/service/pidfile.ts';
import type { ServiceSpec } from '../../../src/model/service/service-spec.ts';
import type { SignalName } from '../../../src/model/service/signal.ts';
import type {
  SignalOutcome,
  UnitFact,
  UnitReport,
  UnitRequest,
  UnitRun,
} from '../../../src/model/service/unit-events.ts';
import type {
  Following,
  Kernel,
  OutputControl,
  ProcessTree,
  ProcessView,
  SpawnOutcome,
  SpawnRequest,
} from '../../../src/runtime/kernel.ts';
import type { Script, Step } from '../../../src/runtime/simulated/script.ts';
import { SimulatedKernel, type SimulatedPrograms } from '../../../src/runtime/simulated/simulated-kernel.ts';
import { VirtualClock } from '../../../src/runtime/simulated/virtual-clock.ts';
import { Channels } from '../../../src/runtime/units/channels.ts';
import { Checks } from '../../../src/runtime/units/checks.ts';
import { LiveProcesses } from '../../../src/runtime/units/live-processes.ts';
import { NotifySockets } from '../../../src/runtime/units/notify-sockets.ts';
import { Pidfiles } from '../../../src/runtime/units/pidfiles.ts';
import { Units } from '../../../src/runtime/units/units.ts';
import { routeExits } from '../../../src/streams/exit-router.ts';
import type { LineCutter } from '../../../src/streams/lines.ts';
import { serviceSpec } from '../../model/specs.ts';

export const hang: Step = { do: 'hang' };
export const hanging: Script = { steps: [hang] };
export const wait = (ms: number): Step => ({ do: 'wait', ms });
export const exit = (code: number): Step => ({ do: 'exit', code });
export const print = (text: string, to: 'stdout' | 'stderr' = 'stdout'): Step => ({ do: 'print', text, to });
/** Forks a process into the group of its parent. */
export const fork = (script: Script = hanging): Step => ({ do: 'fork', script });
/** Forks a process into a group of its own. */
export const detach = (script: Script = hanging): Step => ({ do: 'fork', script, detached: true });
export const write = (path: string, text: string): Step => ({ do: 'write', path, text });
export const notify = (text: string): Step => ({ do: 'notify', text });
/** Takes no signal but SIGKILL for an order to end. */
export const stubborn: Script = { steps: [hang], onSignal: { SIGTERM: 'ignore' } };

/** A service whose program is `web`. */
export const web = (changes: Partial<ServiceSpec> = {}): ServiceSpec =>
  serviceSpec({ command: 'web', argv: ['web'], ...changes });

/** Notes the signals that chaperone sends, and what it does with trees of processes. */
class NotingKernel extends SimulatedKernel {
  /** What chaperone did with trees of processes, in order: each entry has the pid of the tree's root. */
  readonly trees: string[] = [];
  /** The processes that were looked at. */
  readonly looked = new Set<number>();
  /** By pid: invocations of processes that this kernel tells although nobody follows their start any more. */
  readonly remembered = new Map<number, string>();
  /** The standard output of all further starts. */
  stdout$: Observable<Uint8Array> | undefined;
  readonly sentSignals: string[] = [];
  /** What comes of signals to these processes. */
  readonly fates = new Map<number, SignalOutcome>();

  override signal(
    pid: number,
    signal: SignalName,
    target: 'process' | 'group',
    told?: (outcome: SignalOutcome) => void,
  ) {
    this.sentSignals.push(`${signal} ${target} ${pid}`);
    const fate = this.fates.get(pid);
    if (fate === undefined) super.signal(pid, signal, target, told);
    else told?.(fate);
  }

  override spawn(request: SpawnRequest, told: (outcome: SpawnOutcome) => void): () => void {
    const { stdout$ } = this;
    return super.spawn(request, (outcome) =>
      told(outcome.ok && stdout$ !== undefined ? { ...outcome, stdout: stdout$ } : outcome),
    );
  }

  /** The kernel as the units get it. */
  noting(): Kernel {
    const { following, trees, looked, remembered } = this;
    const note = (pid: number, tree: ProcessTree): ProcessTree => ({
      startEnded: () => {
        trees.push(`started ${pid}`);
        tree.startEnded();
      },
      members: () => {
        trees.push(`members ${pid}`);
        return tree.members();
      },
      forget: () => {
        trees.push(`forgot ${pid}`);
        tree.forget();
      },
    });
    const noted: Following = {
      ...following,
      lookUp: (pid) => {
        looked.add(pid);
        return following.lookUp(pid);
      },
      invocationOf: (pid) => following.invocationOf(pid) ?? remembered.get(pid),
      track: (pid, invocation, isDaemon) => {
        trees.push(`${isDaemon ? 'daemon' : 'tree'} ${pid}`);
        return note(pid, following.track(pid, invocation, isDaemon));
      },
      trackGroup: (pid) => {
        trees.push(`group ${pid}`);
        return note(pid, following.trackGroup(pid));
      },
    };
    return new Proxy(this, {
      get: (target, key) => {
        if (key === 'following') return noted;
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }
}

/** A machine with these programs, by their names. */
export function machineOf(scripts: Readonly<Record<string, Script>>, more: Partial<SimulatedPrograms> = {}) {
  const clock = new VirtualClock();
  const kernel = new NotingKernel(clock, { has: () => true, script: ([name = '']) => scripts[name], ...more });
  const ports = portsOf(kernel);
  const { said, units } = ports;
  const pass = (ms: number): void => clock.run(clock.now() + ms);

  /** Begins a run of the service and lets it come to its program. */
  const run = (service: ServiceSpec, rest: Partial<UnitRun> = {}) => {
    const facts: (UnitFact | UnitReport)[] = [];
    const chart = setup({
      types: { events: {} as UnitFact | UnitReport | { readonly type: 'end' } },
      actors: { processes: units.logic() },
    }).createMachine({
      initial: 'running',
      states: {
        running: {
          invoke: { src: 'processes', id: 'processes', input: { service, serial: 1, ...rest } },
          on: {
            end: 'over',
            '*': {
              actions: ({ event }) => {
                if (event.type !== 'end') facts.push(event);
              },
            },
          },
        },
        over: {},
      },
    });
    const owner = createActor(chart);
    owner.start();
    return {
      facts,
      /** The pid that the unit has told of its start. */
      pid: (): number => facts.map((fact) => (fact.type === 'unit.spawned' ? fact.pid : 0)).find((pid) => pid > 0) ?? 0,
      ask: (request: UnitRequest): void => owner.getSnapshot().children['processes']?.send(request),
      /** Looks at once, and returns what the look has found. */
      look: (): UnitFact | UnitReport | undefined => {
        owner.getSnapshot().children['processes']?.send({ type: 'unit.look' });
        return facts.at(-1);
      },
      end: (): void => owner.send({ type: 'end' }),
    };
  };

  return {
    ...ports,
    clock,
    kernel,
    pass,
    run,
    /** Takes the messages that have come since it was called last. */
    news: (): readonly string[] => said.splice(0),
    /** A process ends that is of no unit. */
    endOrphan: (): void => {
      units.takeOrphan({ pid: 9_999, status: { kind: 'exited', code: 0 } });
      pass(100);
    },
    view: (pid: number): ProcessView => {
      const view = kernel.following.lookUp(pid);
      if (view === undefined) throw new Error(`no process ${pid}`);
      return view;
    },
    signals: (): readonly string[] => kernel.sentSignals.splice(0),
  };
}

function portsOf(simulated: NotingKernel) {
  const clock = simulated.supervisorClock;
  const kernel = simulated.noting();
  const said: string[] = [];
  const messages: Message[] = [];
  const lines: { readonly stream: string; readonly record: LogRecord }[] = [];
  const began: { readonly service: string; readonly pid: number; readonly hook: HookPlace | undefined }[] = [];
  const ended: { readonly service: string; readonly pid: number; readonly hook: HookPlace | undefined }[] = [];
  const signalled: Promise<SignalOutcome>[] = [];
  /** The outputs that are read, and the streams that are open. */
  const flows = new Set<OutputControl>();
  const open = new Map<LineCutter, string>();
  const onMessage = (message: Message): void => {
    messages.push(message);
    said.push(message.text);
  };
  const exits = routeExits(kernel.exits$);
  const live = new LiveProcesses();
  const claimOf = ({ name, account }: ServiceSpec, process: ProcessView): Claim => ({
    service: name,
    accountUid: account?.uid ?? 0,
    owner: units.ownerOf(process),
    startBegan: live.startOf(name),
    isOwn: kernel.following.isOwn(process.pid),
  });
  const pidfiles = new Pidfiles({
    following: kernel.following,
    clock,
    claimOf,
    endOf: (pid, since) => units.endOf(pid, since),
    onMessage,
  });
  const notified: string[] = [];
  const errors: number[] = [];
  const notify = new NotifySockets({
    kernel,
    clock,
    claimOf,
    onMessage,
    onNotice: (_, { status, errno }) => {
      notified.push(status ?? '');
      if (errno !== undefined) errors.push(errno);
    },
  });
  const consumers = new Map<string, ServiceSpec>();
  const channels = new Channels({ kernel, serviceOf: (name) => consumers.get(name), onMessage });
  const checks = new Checks({ kernel, clock });
  const uses = { ofChecks: 0 };
  const units: Units = new Units({
    kernel,
    clock,
    exits,
    live,
    pidfiles,
    notify,
    loadValues: () => composeValues,
    checks: () => {
      uses.ofChecks += 1;
      return checks;
    },
    channels,
    onOutput: (_, stream, record) => lines.push({ stream, record }),
    onOpen: (_, stream, cutter) => {
      open.set(cutter, stream);
      return () => open.delete(cutter);
    },
    onFlow: (_, output) => {
      flows.add(output);
      return () => flows.delete(output);
    },
    maxLine: () => 100,
    onBegin: ({ name }, pid, hook) => began.push({ service: name, pid, hook }),
    onEnd: ({ name }, { pid }, hook) => ended.push({ service: name, pid, hook }),
    onSignalled: (outcome) => signalled.push(outcome),
    onMessage,
  });
  exits.orphans$.subscribe((end) => units.takeOrphan(end));
  return {
    units,
    live,
    pidfiles,
    notify,
    channels,
    consumers,
    checks,
    uses,
    said,
    messages,
    lines,
    began,
    ended,
    signalled,
    notified,
    errors,
    flows,
    open,
  };
}
