/** Charts as plain values: they answer the orders of a ledger as the machines of services do, and facts happen to them. */
import type { Ledger, Order } from '../../../src/model/ledger/ledger.ts';
import type { Slot } from '../../../src/model/ledger/slot.ts';
import { type LedgerEvent, step } from '../../../src/model/ledger/step.ts';
import type { PrerequisiteCause } from '../../../src/model/order/prerequisite.ts';
import { isScheduled } from '../../../src/model/schedule/scheduled-runs.ts';
import { isEnded, type ServiceChange, type ServicePhase } from '../../../src/model/service/service-phase.ts';
import { ownsRemains, type ServiceSpec } from '../../../src/model/service/service-spec.ts';

const ended = { pid: 7, status: { kind: 'exited', code: 1 }, ran: 9 } as const;
const crash = { kind: 'exit', status: ended.status, pid: 7 } as const;

/** A report of a service that it is in this phase now. */
export function changeTo(phase: ServicePhase, during: 'start' | 'run' = 'run'): ServiceChange {
  switch (phase) {
    case 'starting':
      return { phase, serial: 1 };
    case 'ready.running':
      return { phase, pid: 7, restarted: false };
    case 'ready.exited':
      return { phase, restarted: false };
    case 'exited':
      return { phase, end: ended, restarted: false, wasReady: true };
    case 'backoff':
      return { phase, cause: crash, restartsLeft: 3, delay: 3_000 };
    case 'failed':
      return { phase, cause: crash, during };
    case 'ready.scheduled':
    case 'stopping':
    case 'stopped':
      return { phase };
    case 'disabled':
      return { phase, skipped: 'the file /etc/web.conf is not there' };
    case 'pending':
      throw new Error(`${phase} is not reported`);
  }
}

interface Chart {
  spec: ServiceSpec;
  phase: ServicePhase;
  retired: boolean;
  /** Stops that it was told of in its current run. */
  told: 'no' | 'unschedule' | 'drain' | 'fully';
  killed: boolean;
  hasBeenReady: boolean;
  /** It stops because it has failed. */
  failing: boolean;
  /** Its stop is a failure because of a prerequisite. */
  doomed: PrerequisiteCause | undefined;
  /** Its program cannot be spawned. */
  broken: boolean;
}

const haste: readonly Chart['told'][] = ['no', 'unschedule', 'drain', 'fully'];

export type Fact =
  | 'ready'
  | 'fail'
  /** The conditions of its start are not met. */
  | 'skip'
  | 'exit'
  | 'crash'
  /** It crashes, and others of its group go on. */
  | 'crashLeaving'
  /** Whatever ends, has ended. */
  | 'clear'
  | 'restart'
  | 'survive'
  | 'break'
  /** The process of its start has been spawned. */
  | 'spawn'
  /** Its health probe passes, or has failed. */
  | 'recover'
  | 'sicken';

/** What a step came to: for whoever looks at each of them. */
export interface Seen {
  readonly before: Ledger;
  readonly event: LedgerEvent;
  readonly after: Ledger;
  readonly orders: readonly Order[];
}

/** A ledger and the charts of its services. A report is heard once all that came before it was, and before any further fact. */
export class Charts {
  ledger: Ledger;
  now = 0;
  readonly stops: string[] = [];
  readonly starts: string[] = [];
  readonly kills: string[] = [];
  readonly reloads: string[] = [];
  /** ms until what got the last SIGKILL is said to survive it. */
  grace = 0;
  readonly #charts = new Map<string, Chart>();
  readonly #mailbox: LedgerEvent[] = [];
  readonly #look: (seen: Seen) => void;
  /** The failure of a start ends the system, as it does at boot. */
  readonly #fragile: boolean;
  #busy = false;

  constructor(ledger: Ledger, look: (seen: Seen) => void = () => {}, fragile = false) {
    this.ledger = ledger;
    this.#look = look;
    this.#fragile = fragile;
    for (const { spec } of ledger.slots) this.#add(spec);
  }

  phase(name: string): ServicePhase | undefined {
    return this.#charts.get(name)?.phase;
  }

  send(event: LedgerEvent): void {
    this.#mailbox.push(event);
    if (this.#busy) return;
    this.#busy = true;
    for (let next = this.#mailbox.shift(); next !== undefined; next = this.#mailbox.shift()) {
      this.#take(next);
      if (this.#endsSystem(next)) this.#take({ type: 'drain.begun', at: this.now });
    }
    this.#busy = false;
  }

  /** Time passes; whatever stop is due then is judged. */
  wait(ms: number): void {
    this.now += ms;
    const { due } = this.ledger;
    if (due !== undefined && due <= this.now) this.send({ type: 'stops.due', at: this.now });
  }

  /** Something happens to a service, if it can. */
  happen(name: string, fact: Fact): void {
    const chart = this.#charts.get(name);
    if (chart === undefined) return;
    const { phase } = chart;
    switch (fact) {
      case 'ready':
        if (phase === 'starting') this.#enter(chart, readyPhase(chart.spec));
        break;
      case 'fail':
        if (phase === 'starting') this.#judge(chart);
        break;
      case 'skip':
        if (phase === 'starting') this.#enter(chart, 'disabled');
        break;
      case 'exit':
        if (phase === 'ready.running') this.#enter(chart, 'exited');
        break;
      case 'crash':
        if (phase === 'ready.running') this.#judge(chart);
        break;
      case 'crashLeaving':
        if (phase !== 'ready.running' && phase !== 'starting') break;
        chart.failing = true;
        this.#enter(chart, 'stopping');
        break;
      case 'clear':
        if (phase !== 'stopping') break;
        if (chart.failing) this.#judge(chart);
        else this.#rest(chart);
        break;
      case 'restart':
        if (phase === 'backoff') this.#begin(chart);
        break;
      case 'survive':
        if (phase === 'stopping' && chart.killed) this.send({ type: 'service.survived', name, at: this.now });
        break;
      case 'break':
        chart.broken = !chart.broken;
        break;
      case 'spawn':
        if (phase === 'starting') this.send({ type: 'service.spawned', name, at: this.now });
        break;
      case 'recover':
      case 'sicken':
        if (phase === 'ready.running')
          this.send({ type: fact === 'recover' ? 'service.healthy' : 'service.unhealthy', name, at: this.now });
        break;
    }
  }

  #take(event: LedgerEvent): void {
    const before = this.ledger;
    const { ledger, orders } = step(before, event);
    this.ledger = ledger;
    this.#look({ before, event, after: ledger, orders });
    for (const order of orders) this.#obey(order);
  }

  #endsSystem(event: LedgerEvent): boolean {
    if (!this.#fragile || this.ledger.drain !== undefined || event.type !== 'service.changed') return false;
    return event.change.phase === 'failed' && event.change.during === 'start';
  }

  #obey(order: Order): void {
    if (order.kind === 'tell') return;
    if (order.kind === 'add') {
      if (this.#charts.has(order.spec.name)) throw new Error(`${order.spec.name} has a chart already`);
      this.#add(order.spec);
      return;
    }
    const name = order.kind === 'replace' ? order.spec.name : order.name;
    const chart = this.#charts.get(name);
    if (chart === undefined) throw new Error(`${order.kind} for ${name}, which has no chart`);
    switch (order.kind) {
      case 'start':
        this.starts.push(name);
        if (!isEnded(chart.phase) && chart.phase !== 'pending') throw new Error(`${name} starts while ${chart.phase}`);
        if (chart.retired) throw new Error(`${name} starts while the system ends`);
        chart.hasBeenReady = false;
        this.#begin(chart);
        break;
      case 'stop':
        this.stops.push(name);
        chart.doomed = order.fails === true ? order.because : undefined;
        this.#stop(chart, order.leaves ? 'unschedule' : order.drain ? 'drain' : 'fully');
        break;
      case 'kill':
        this.kills.push(name);
        this.grace = order.grace;
        chart.killed = true;
        if (chart.phase === 'backoff' || chart.phase === 'pending') this.#enter(chart, 'stopped');
        else if (!isEnded(chart.phase)) {
          chart.failing = false;
          if (chart.phase !== 'stopping') this.#enter(chart, 'stopping');
        }
        break;
      case 'retire':
        chart.retired = true;
        if (chart.phase === 'backoff' || chart.phase === 'pending') this.#enter(chart, 'stopped');
        break;
      case 'reset':
        if (chart.phase === 'failed') this.#enter(chart, 'stopped');
        break;
      case 'reconfigure':
        // The ledger may reconfigure a running chart where its new definition is disabled, and a chart in a restart pause, which has no process.
        if (runs(chart) && chart.phase !== 'backoff' && chart.spec.enabled && needsAnother(chart.spec, order.spec))
          throw new Error(`${name} is another while it runs`);
        chart.spec = order.spec;
        break;
      case 'replace':
        if (runs(chart)) throw new Error(`${name} is replaced while it is ${chart.phase}`);
        this.#charts.delete(name);
        this.#add(order.spec);
        break;
      case 'reload':
        this.reloads.push(name);
        break;
      case 'remove':
        if (runs(chart)) throw new Error(`${name} is removed while it is ${chart.phase}`);
        this.#charts.delete(name);
        break;
    }
  }

  #add(spec: ServiceSpec): void {
    this.#charts.set(spec.name, {
      spec,
      phase: spec.enabled ? 'pending' : 'disabled',
      retired: this.ledger.drain !== undefined,
      told: 'no',
      killed: false,
      hasBeenReady: false,
      failing: false,
      doomed: undefined,
      broken: false,
    });
  }

  #begin(chart: Chart): void {
    chart.told = 'no';
    chart.killed = false;
    chart.failing = false;
    chart.doomed = undefined;
    this.#enter(chart, 'starting');
    if (chart.broken) this.#judge(chart);
  }

  /** Each further word ends more than the one before. */
  #stop(chart: Chart, told: Exclude<Chart['told'], 'no'>): void {
    if (haste.indexOf(told) <= haste.indexOf(chart.told)) throw new Error(`${chart.spec.name} is told twice`);
    if (isEnded(chart.phase)) return;
    chart.told = told;
    chart.failing = false;
    switch (chart.phase) {
      case 'pending':
      case 'backoff':
        this.#rest(chart);
        break;
      case 'ready.exited':
      case 'exited':
        if (ownsRemains(chart.spec)) this.#enter(chart, 'stopping');
        else this.#rest(chart);
        break;
      case 'stopping':
        break;
      default:
        this.#enter(chart, 'stopping');
    }
  }

  #judge(chart: Chart): void {
    const restarts = chart.spec.restart && chart.hasBeenReady && !chart.retired;
    chart.failing = false;
    this.#enter(chart, restarts ? 'backoff' : 'failed');
  }

  /** A stop is over. */
  #rest(chart: Chart): void {
    this.#enter(chart, chart.doomed === undefined ? 'stopped' : 'failed');
  }

  #enter(chart: Chart, phase: ServicePhase): void {
    chart.phase = phase;
    if (isEnded(phase)) chart.told = 'no';
    const during = chart.hasBeenReady ? 'run' : 'start';
    if (phase === 'ready.running' || phase === 'ready.exited' || phase === 'ready.scheduled' || phase === 'exited')
      chart.hasBeenReady = true;
    const change = changeTo(phase, during);
    const cause = chart.doomed === undefined ? undefined : ({ kind: 'prerequisite', ...chart.doomed } as const);
    this.send({
      type: 'service.changed',
      name: chart.spec.name,
      change: change.phase === 'failed' && cause !== undefined ? { ...change, cause } : change,
      at: this.now,
    });
  }
}

function readyPhase({ type }: ServiceSpec): ServicePhase {
  if (isScheduled(type)) return 'ready.scheduled';
  return type === 'oneshot' || type === 'forking' ? 'ready.exited' : 'ready.running';
}

function runs({ phase }: Chart): boolean {
  return !isEnded(phase) && phase !== 'pending';
}

function needsAnother(before: ServiceSpec, after: ServiceSpec): boolean {
  return (['type', 'command', 'port', 'pidfile'] as const).some((key) => before[key] !== after[key]);
}

/** Of a step's orders, those of one kind, by name. */
export function named(orders: readonly Order[], kind: Exclude<Order['kind'], 'tell'>): readonly string[] {
  return orders.flatMap((order) => {
    if (order.kind === 'tell' || order.kind !== kind) return [];
    return [order.kind === 'add' || order.kind === 'replace' ? order.spec.name : order.name];
  });
}

/** The orders that charts get, in words: `stop web (drain)`. */
export function words(orders: readonly Order[]): readonly string[] {
  return orders.flatMap((order) => {
    if (order.kind === 'tell') return [];
    const name = order.kind === 'add' || order.kind === 'replace' ? order.spec.name : order.name;
    return [`${order.kind} ${name}${order.kind === 'stop' && order.drain ? ' (drain)' : ''}`];
  });
}

/** Why a service is being stopped, whether its chart was told, and what comes after: `hand, told, start`. */
export function intentOf({ intent }: Slot): string {
  if (intent.kind !== 'stopping') return intent.kind;
  const { why, told, next, drain } = intent;
  return [why, told ? 'told' : 'waits', ...(drain ? ['drain'] : []), next].join(', ');
}

export function slotOf({ slots }: Ledger, name: string): Slot {
  const slot = slots.get(name);
  if (slot === undefined) throw new Error(`${name} has no slot`);
  return slot;
}
