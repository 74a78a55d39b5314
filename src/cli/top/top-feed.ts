/** Asks chaperone for what `chaperonectl top` shows, as often as that costs chaperone little, and passes it on as messages. */
import { hostname } from 'node:os';
import { EventReader, UnreachableError } from '../../control/client.ts';
import type { ControlEvent, SystemStatus } from '../../control/supervisor.ts';
import { isObject } from '../../model/words/json.ts';
import { oneLine } from '../../model/words/printable.ts';
import { showsProcesses, UsageMeter } from '../../runtime/linux/process-usage.ts';
import { get, post } from '../chaperonectl/control-call.ts';
import { readHistory, readServices } from '../chaperonectl/read-services.ts';
import { parseJson, readReply } from '../chaperonectl/reply.ts';
import type { LogLine, Message, TopState } from './top-state.ts';

export interface FeedPorts {
  readonly tell: (message: Message) => void;
  readonly state: () => TopState;
  /** The pids of the rows that are drawn. */
  readonly visiblePids: () => readonly number[];
  /** Chaperone has gone, or refuses. */
  readonly onEnd: (reason: UnreachableError | string) => void;
}

/** ms between two looks at the whole table, at least; and how much longer than its answer took. */
const interval = 1_000;
const restFor = 20;
/** ms for which changes are collected before their services are asked for. */
const collect = 150;
/** The most services that are asked for by name; of more the whole table is asked. */
const mostNamed = 50;
/** The most processes that are looked at each second. */
const mostProcesses = 300;
const recordsBefore = 100;
/** ms that a request may take. */
const patience = 30_000;

export class TopFeed {
  readonly #ports: FeedPorts;
  readonly #meter = new UsageMeter();
  readonly #changed = new Set<string>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #gone = new AbortController();
  #over = false;
  #collecting = false;
  /** Settles when the last command has been answered. */
  #commands: Promise<void> = Promise.resolve();
  #log: LogStream | undefined;

  constructor(ports: FeedPorts) {
    this.#ports = ports;
  }

  begin(): void {
    this.#ask(() => this.#askAll());
    this.#ask(() => this.#watch());
    this.#after(interval / 4, () => this.#measure());
  }

  close(): void {
    this.#over = true;
    this.#gone.abort();
    this.#log?.close();
    for (const timer of this.#timers) clearTimeout(timer);
  }

  /** Another service is chosen. */
  follow(name: string): void {
    this.#log?.close();
    this.#log = followLog(name, this.#ports.tell, (error) => this.#fail(error));
    // A user who moves through the table chooses many services for a moment: only the last one's history is asked for.
    this.#after(collect, () => {
      if (this.#ports.state().chosen === name) this.#ask(() => this.#askHistory(name));
    });
  }

  /** Sends a command once the one before it has been answered: two connections would not keep their order. */
  command(words: readonly string[]): void {
    const before = this.#commands;
    const send = async (): Promise<void> => {
      await before;
      if (this.#over) return;
      const reply = readReply((await post('/v1/commands', { words })).body);
      if (!this.#over) this.#ports.tell({ type: 'answer', text: reply.text, good: reply.exitStatus === 0 });
    };
    this.#commands = send().catch((error: unknown) => this.#fail(error));
  }

  #end(reason: UnreachableError | string): void {
    if (this.#over) return;
    this.close();
    this.#ports.onEnd(reason);
  }

  #fail(error: unknown): void {
    if (!(error instanceof UnreachableError)) throw error;
    this.#end(error);
  }

  /** Runs what asks chaperone; what it throws ends the feed. */
  #ask(act: () => Promise<void>): void {
    act().catch((error: unknown) => this.#fail(error));
  }

  #after(delay: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!this.#over) act();
    }, delay);
    this.#timers.add(timer);
  }

  async #askAll(): Promise<void> {
    const began = performance.now();
    const [system, services] = await Promise.all([
      get('/v1/status', undefined, patience),
      get('/v1/services', undefined, patience),
    ]);
    if (this.#over) return;
    if (services.status !== 200) {
      this.#end(readReply(services.body).text);
      return;
    }
    const now = performance.now();
    const status = readSystem(system.body);
    const { tell } = this.#ports;
    if (status !== undefined) tell({ type: 'system', status, host: oneLine(hostname()), now });
    tell({ type: 'services', services: readServices(services.body), all: true, now });
    this.#after(Math.max(interval, (now - began) * restFor), () => this.#ask(() => this.#askAll()));
  }

  async #askChanged(): Promise<void> {
    this.#collecting = false;
    const names = [...this.#changed].slice(0, mostNamed);
    this.#changed.clear();
    const query = names.map((name) => `name=${encodeURIComponent(name)}`).join('&');
    const { status, body } = await get(`/v1/services?${query}`, undefined, patience);
    const now = performance.now();
    // A service that a reload has taken out is found out with the next whole table.
    if (status === 200 && !this.#over)
      this.#ports.tell({ type: 'services', services: readServices(body), all: false, now });
    const { chosen } = this.#ports.state();
    if (chosen !== undefined && names.includes(chosen)) await this.#askHistory(chosen);
  }

  async #askHistory(name: string): Promise<void> {
    const { status, body } = await get(`/v1/services/${encodeURIComponent(name)}/history`, undefined, patience);
    if (status === 200 && !this.#over) this.#ports.tell({ type: 'history', name, lines: readHistory(body) });
  }

  async #watch(): Promise<void> {
    const reader = new EventReader((name, data) => {
      if (!this.#over && (name === 'service' || name === 'system') && isEvent(data)) this.#take(data);
      return !this.#over;
    });
    const { status, body } = await get('/v1/events', reader, undefined, this.#gone.signal);
    this.#end(status === 200 ? new UnreachableError('chaperone has closed the connection') : readReply(body).text);
  }

  #take(event: ControlEvent): void {
    this.#ports.tell({ type: 'event', event, now: performance.now() });
    if (event.type !== 'service') return;
    this.#changed.add(event.service);
    if (this.#collecting) return;
    this.#collecting = true;
    this.#after(collect, () => this.#ask(() => this.#askChanged()));
  }

  #measure(): void {
    const { state, tell, visiblePids } = this.#ports;
    const brain = state().system?.status.brain;
    if (brain !== undefined && showsProcesses(brain)) {
      const others = state().rows.flatMap(({ service: { pid } }) => pid ?? []);
      tell({ type: 'usage', usage: this.#meter.measure(visiblePids(), others, mostProcesses, performance.now()) });
    }
    this.#after(interval, () => this.#measure());
  }
}

interface LogStream {
  close(): void;
}

/** Takes the records of one service, once it has been the chosen one for a moment. */
function followLog(name: string, tell: FeedPorts['tell'], fail: (error: unknown) => void): LogStream {
  const gone = new AbortController();
  const reader = new EventReader((event, data) => {
    const line = lineOf(event, data);
    if (line !== undefined && !gone.signal.aborted) tell({ type: 'log', name, line });
    return true;
  });
  const timer = setTimeout(() => {
    const path = `/v1/logs?name=${encodeURIComponent(name)}&follow&lines=${recordsBefore}`;
    get(path, reader, undefined, gone.signal).then(
      ({ status, body }) => {
        if (!gone.signal.aborted && status !== 200) tell({ type: 'noLog', name, why: readReply(body).text });
      },
      (error: unknown) => {
        if (!gone.signal.aborted) fail(error);
      },
    );
  }, collect);
  return {
    close: () => {
      gone.abort();
      clearTimeout(timer);
    },
  };
}

function lineOf(event: string, data: unknown): LogLine | undefined {
  if (!isObject(data)) return undefined;
  if (event === 'missed') return { time: Date.now(), text: `… ${String(data['count'])} records were not read in time` };
  const { time, message } = data;
  return typeof time === 'number' && typeof message === 'string' ? { time, text: message } : undefined;
}

/** Checks only the fields that identify an event, since chaperone's own server wrote it. */
function isEvent(value: unknown): value is ControlEvent {
  return isObject(value) && (value['type'] === 'system' || typeof value['service'] === 'string');
}

function readSystem(body: string): SystemStatus | undefined {
  const value = parseJson(body);
  return isSystem(value) ? value : undefined;
}

/** Checks only the fields that identify a system, since chaperone's own server wrote it. */
function isSystem(value: unknown): value is SystemStatus {
  return isObject(value) && typeof value['state'] === 'string' && typeof value['uptime'] === 'number';
}
