/** Reads what Chaperone in each running container tells, through the engine's exec: no port is opened. */
import { Readable, Writable } from 'node:stream';
import { type Line, readEntries } from '../../control/entry-stream.ts';
import { type Fact, systemActor, textOf } from '../../facts/fact.ts';
import type { Feed } from '../../facts/feed.ts';
import { type Entry, isReadable, type ServiceEntry } from '../../inspect/entry.ts';
import type { Hub } from '../../inspect/hub.ts';
import { isObject } from '../../model/words/json.ts';
import type { Engine, Session } from '../engine/engine.ts';
import type { InstanceKey } from '../model/instance.ts';
import { askers } from '../runtime/requests.ts';
import type { Timers } from '../streams/engine-news.ts';
import { type Inside, insideOf } from './inside.ts';

export interface WatchInsideOptions {
  readonly engine: Pick<Engine, 'containers'>;
  readonly hub: Hub;
  readonly feed: Pick<Feed, 'facts$' | 'past'>;
  /** Unix ms at which the platform's time is 0. */
  readonly epoch: number;
  /** The platform's own services: its instances. */
  readonly members: readonly ServiceEntry[];
  readonly timers: Timers;
}

export interface InsideWatch {
  /** Resolves once each Chaperone that was found has told what there is, or after a moment. */
  readonly settled: () => Promise<void>;
  readonly close: () => void;
}

/** ms between two attempts to reach a Chaperone that does not listen yet, or that has gone. */
const pause = 1_000;
/** ms after which a Chaperone that tells nothing is not waited for. */
const patience = 3_000;

export function watchInside(options: WatchInsideOptions): InsideWatch {
  const { feed, members } = options;
  const insides = new Map<InstanceKey, Room>();
  /** Each container's services stand behind those of the platform. */
  const tellServices = (): void => {
    const services = [...members, ...[...insides.values()].flatMap((room) => room.services())];
    options.hub.tell({ type: '@chaperone.reload', services });
  };
  const take = (fact: Fact): void => {
    if (fact.type !== 'moved' || fact.actor === systemActor) return;
    const { actor: key, to, context } = fact;
    const container = textOf(context, 'container');
    const runs = to.startsWith('running') || to.startsWith('ready');
    const known = insides.get(key);
    if (runs && known !== undefined && known.container === container) return;
    known?.close();
    if (!runs || container === undefined) return;
    const layer = members.find(({ name }) => name === key)?.layer ?? 0;
    insides.set(key, new Room(options, container, insideOf(key, options.epoch, layer), tellServices));
  };
  const { kept, facts } = feed.past();
  const latest = new Map<string, Fact>();
  for (const fact of [...kept, ...facts]) if (fact.type === 'moved') latest.set(fact.actor, fact);
  for (const fact of latest.values()) take(fact);
  const told = feed.facts$.subscribe(take);
  return {
    settled: async () => {
      await Promise.all([...insides.values()].map((room) => room.settled));
    },
    close: () => {
      told.unsubscribe();
      for (const room of insides.values()) room.close();
    },
  };
}

/** The connection with one container. */
class Room {
  readonly container: string;
  /** Resolves once its Chaperone is up, there is none, or it has told nothing for a while. */
  readonly settled: Promise<void>;
  #settle: () => void = () => {};
  readonly #options: WatchInsideOptions;
  readonly #inside: Inside;
  readonly #tellServices: () => void;
  #session: Session | undefined;
  readonly #leaving = new AbortController();
  #timer: number | undefined;
  #closed = false;
  /** The commands that may be there. */
  #candidates: readonly string[] = askers;
  /** The next entry of the container's present boot. */
  #next = 0;

  constructor(options: WatchInsideOptions, container: string, inside: Inside, tellServices: () => void) {
    this.#options = options;
    this.container = container;
    this.#inside = inside;
    this.#tellServices = tellServices;
    this.settled = new Promise((resolve) => {
      const timer = options.timers.setTimeout(resolve, patience);
      this.#settle = () => {
        options.timers.clearTimeout(timer);
        resolve();
      };
    });
    void this.#open();
  }

  services(): readonly ServiceEntry[] {
    return this.#inside.services();
  }

  close(): void {
    this.#closed = true;
    this.#settle();
    this.#leaving.abort();
    this.#session?.close();
    if (this.#timer !== undefined) this.#options.timers.clearTimeout(this.#timer);
  }

  async #open(): Promise<void> {
    const [asker] = this.#candidates;
    if (asker === undefined || this.#closed) return;
    const command = [asker, 'inspect', '--stdio'];
    const answer = await this.#options.engine.containers.exec(this.container, {
      command,
      terminal: false,
      input: true,
      signal: this.#leaving.signal,
    });
    if (this.#closed) {
      if (answer.ok) answer.value.close();
      return;
    }
    if (!answer.ok) {
      if (/not found|no such file/i.test(answer.failure.message)) this.#candidates = this.#candidates.slice(1);
      this.#again();
      return;
    }
    this.#session = answer.value;
    readEntries(lineOf(answer.value), { from: this.#next, take: (json) => this.#take(json), onEnd: () => {} });
    const ended = await answer.value.ended;
    // 126 and 127: there is no such command inside.
    if (ended.ok && (ended.value === 127 || ended.value === 126)) this.#candidates = this.#candidates.slice(1);
    this.#again();
  }

  #again(): void {
    if (this.#candidates.length === 0) this.#settle();
    if (this.#closed || this.#candidates.length === 0) return;
    this.#timer = this.#options.timers.setTimeout(() => void this.#open(), pause);
  }

  #take(json: string): boolean {
    const entry: unknown = JSON.parse(json);
    if (!isEntry(entry)) return true;
    // Another version's entries would be misread.
    if (entry.type === '@chaperone.boot' && !isReadable(entry)) {
      this.close();
      return false;
    }
    this.#next = entry.type === '@chaperone.boot' ? 2 : Math.max(this.#next, entry.seq + 1);
    for (const news of this.#inside.take(entry)) this.#options.hub.tell(news);
    const isUp = entry.type === '@chaperone.fact' && entry.fact.type === 'moved' && entry.fact.actor === systemActor;
    if (isUp && entry.fact.to === 'up') this.#settle();
    if (entry.type === '@chaperone.boot' || entry.type === '@chaperone.reload') this.#tellServices();
    return true;
  }
}

function isEntry(value: unknown): value is Entry {
  return isObject(value) && typeof value['type'] === 'string' && typeof value['seq'] === 'number';
}

/** The two directions of a session, as streams. */
function lineOf(session: Session): Line {
  let output: { readonly unsubscribe: () => void } | undefined;
  const readable = new Readable({ read: () => {}, destroy: (error, done) => done(error) });
  const writable = new Writable({
    write: (chunk: Uint8Array, _encoding, done) => {
      session.write(chunk);
      done();
    },
  });
  output = session.output.subscribe({
    next: ({ stream, bytes }) => {
      if (stream === 'stdout') readable.push(bytes);
    },
    complete: () => readable.push(null),
  });
  return {
    readable,
    writable,
    close: () => {
      output?.unsubscribe();
      session.close();
    },
  };
}
