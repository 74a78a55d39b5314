/** A supervisor that does what its script says, and notes what it was asked. */

import { NEVER, Subject } from 'rxjs';
import type {
  CommandRun,
  ControlEvent,
  EntryWatch,
  KillOutcome,
  Measurements,
  NotStarted,
  ReloadRequest,
  ReloadResult,
  RunNow,
  ScaleResult,
  ServiceStatus,
  StartRequest,
  StopRequest,
  Supervisor,
  SystemStatus,
  WatchRequest,
} from '../../src/control/supervisor.ts';
import type { HistoryLine } from '../../src/facts/history.ts';
import type { LogRecord } from '../../src/model/log/log-record.ts';
import type { Severity } from '../../src/model/log/syslog-names.ts';
import type { Unstartable } from '../../src/model/order/reload-plan.ts';
import type { RunAnswer, RunResult } from '../../src/model/schedule/scheduled-runs.ts';
import { type PublicState, publicStates } from '../../src/model/service/public-state.ts';
import type { ReloadOutcome } from '../../src/model/service/reload-method.ts';
import type { ServiceStage } from '../../src/model/service/service-stage.ts';
import type { SignalName } from '../../src/model/service/signal.ts';
import { explainState } from '../../src/model/service/why.ts';
import { serviceSpec } from '../model/specs.ts';

const stageOf: Readonly<Record<PublicState, ServiceStage>> = {
  disabled: 'disabled',
  pending: 'pending',
  starting: 'starting.settling',
  ready: 'ready.running',
  exited: 'exited',
  stopping: 'stopping.terminating',
  backoff: 'backoff',
  stopped: 'stopped',
  failed: 'failed',
};

export const bootTime = Date.UTC(2026, 0, 2, 3, 4, 5);

/** A service in a state, with everything that goes with it. */
export function serviceStatus(name: string, state: PublicState, changes: Partial<ServiceStatus> = {}): ServiceStatus {
  const stage = changes.stage ?? stageOf[state];
  const live = state === 'ready' || state === 'starting' || state === 'stopping';
  const pid = live && stage !== 'ready.exited' && stage !== 'ready.scheduled' ? { pid: 61 } : {};
  return {
    name,
    type: 'simple',
    enabled: state !== 'disabled',
    state,
    stage,
    since: bootTime,
    age: 4_000,
    why: explainState({ stage, since: bootTime, spec: serviceSpec(), hold: { kind: 'none' }, restartsUsed: 0, ...pid }),
    ...pid,
    prerequisites: [],
    prerequisitesReady: true,
    ...changes,
  };
}

export class FakeSupervisor implements Supervisor {
  list: readonly ServiceStatus[];
  state: SystemStatus['state'] = 'up';
  level: Severity | undefined;
  killOutcome: KillOutcome = 'sent';
  runAnswer: RunAnswer = 'begun';
  runEnded: Promise<RunResult> = Promise.resolve({
    kind: 'exit',
    status: { kind: 'exited', code: 0 },
    normal: true,
  });
  /** What comes of a service's reload, where that does not succeed. */
  reloadOutcomes: Readonly<Record<string, ReloadOutcome>> = {};
  /** What could not be started again. */
  lost: readonly Unstartable[] = [];
  reloadResult: ReloadResult = { kind: 'planned', plan: { steps: [], settings: [] }, warnings: '', unstartable: [] };
  scaleResult: ScaleResult = { kind: 'begun', changes: [] };
  commandRun: CommandRun = {
    output$: NEVER,
    outcome: Promise.resolve({ kind: 'ended', status: { kind: 'exited', code: 0 } }),
    cancel: () => undefined,
  };
  records: LogRecord[] = [];
  readonly events$ = new Subject<ControlEvent>();
  readonly records$ = new Subject<LogRecord>();
  /** What a watcher is told before anything happens, and how it was asked for. */
  entries: readonly object[] = [];
  watches: WatchRequest[] = [];
  /** What was asked, as text. */
  readonly asked: string[] = [];

  constructor(list: readonly ServiceStatus[] = []) {
    this.list = list;
  }

  async programOf(name: string, argv: readonly string[]): Promise<Uint8Array | NotStarted> {
    this.asked.push(`program of ${name}: ${argv.join(' ')}`);
    return argv[0] === '/bin/sh'
      ? new Uint8Array([1, 2, 3])
      : { message: `cannot execute ${argv[0]}`, exitStatus: 126 };
  }

  /** Puts a service into another state, and tells. */
  move(name: string, state: PublicState, changes: Partial<ServiceStatus> = {}): void {
    this.list = this.list.map((service) => (service.name === name ? serviceStatus(name, state, changes) : service));
    this.events$.next({
      type: 'service',
      time: bootTime,
      service: name,
      state,
      stage: changes.stage ?? stageOf[state],
    });
  }

  status(): SystemStatus {
    const count = (state: PublicState): number => this.list.filter((service) => service.state === state).length;
    const states: Record<PublicState, number> = {
      disabled: 0,
      pending: 0,
      starting: 0,
      ready: 0,
      exited: 0,
      stopping: 0,
      backoff: 0,
      stopped: 0,
      failed: 0,
    };
    for (const state of publicStates) states[state] = count(state);
    return {
      version: '1.2.3',
      state: this.state,
      uptime: 242_000,
      ...(this.state === 'booting' ? {} : { ready: 1_664 }),
      pid: 1,
      brain: 2,
      services: this.list.length,
      enabled: this.list.filter(({ enabled }) => enabled).length,
      states,
      ...(this.level === undefined ? {} : { logLevel: this.level }),
    };
  }

  services(): readonly ServiceStatus[] {
    return this.list;
  }

  history(name: string): readonly HistoryLine[] | undefined {
    return this.service(name) === undefined ? undefined : [{ kind: 'note', at: 1_500, text: '"start" was asked for' }];
  }

  service(name: string): ServiceStatus | undefined {
    return this.list.find((service) => service.name === name);
  }

  recentRecords(): readonly LogRecord[] {
    return this.records;
  }

  dependencyChart(): string {
    return 'the chart\n';
  }

  measurements(): Measurements {
    return {
      orphansReaped: 3,
      recordsIn: 40,
      sinks: { stdout: { waitingBytes: 0, dropped: 2 } },
      exits: [{ service: 'web.service', status: 'exit 1', count: 4 }],
      restarts: { 'web.service': 4 },
      loopDelay: 1.5,
      memory: { resident: 50_000_000, heap: 9_000_000 },
    };
  }

  start(names: readonly string[], { enable, force }: StartRequest): void {
    this.#note('start', names, { enable, force });
  }

  stop(names: readonly string[], { disable, drain }: StopRequest): void {
    this.#note('stop', names, { disable, drain });
  }

  reset(names: readonly string[], { force }: { readonly force: boolean }): void {
    this.#note('reset', names, { force });
  }

  restart(names: readonly string[], { force }: { readonly force: boolean }): void {
    this.#note('restart', names, { force });
  }

  unrestartable(names: readonly string[]): readonly Unstartable[] {
    return this.lost.filter(({ name }) => names.includes(name));
  }

  runNow(name: string): RunNow {
    this.#note('run-now', [name], {});
    return { answer: this.runAnswer, ended: this.runEnded };
  }

  async reloadService(name: string): Promise<ReloadOutcome> {
    this.#note('reload', [name], {});
    return this.reloadOutcomes[name] ?? { kind: 'done', took: 12 };
  }

  setEnabled(names: readonly string[], enabled: boolean): void {
    this.#note(enabled ? 'enable' : 'disable', names, {});
  }

  async kill(name: string, signal: SignalName): Promise<KillOutcome> {
    this.#note(`kill ${signal}`, [name], {});
    return this.killOutcome;
  }

  shutdown(delay: number): void {
    this.asked.push(`shutdown ${delay}`);
  }

  forceLogLevel(level: Severity): void {
    this.level = level;
    this.asked.push(`loglevel ${level}`);
  }

  run(argv: readonly string[]): CommandRun {
    this.asked.push(`run ${argv.join(' ')}`);
    return this.commandRun;
  }

  async scale(templates: readonly string[], count: number): Promise<ScaleResult> {
    this.#note('scale', [...templates, String(count)], {});
    return this.scaleResult;
  }

  async reload({ dryRun, force }: ReloadRequest): Promise<ReloadResult> {
    this.#note('reload', [], { 'dry-run': dryRun, force });
    return this.reloadResult;
  }

  watch(request: WatchRequest): Promise<EntryWatch> {
    this.watches.push(request);
    const waiting = [...this.entries];
    const resume = (): void => {
      for (let entry = waiting.shift(); entry !== undefined; entry = waiting.shift()) {
        if (!request.onEntry(entry)) return;
      }
    };
    resume();
    return Promise.resolve({
      resume,
      close: () => {
        this.watches = this.watches.filter((other) => other !== request);
      },
    });
  }

  #note(what: string, names: readonly string[], flags: Readonly<Record<string, boolean>>): void {
    const set = Object.entries(flags).flatMap(([name, value]) => (value ? [`--${name}`] : []));
    this.asked.push([what, ...set, ...names].join(' '));
  }
}
