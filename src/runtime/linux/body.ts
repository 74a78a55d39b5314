/**
 * The brain's end of the connection to the body, the small program that is PID 1 (native/body/). Requests go out in
 * order; facts come in order, and are acknowledged once they have been dealt with. Nothing here waits: what the body
 * cannot take yet is kept and sent when it can.
 */
import { closeSync } from 'node:fs';
import { firstValueFrom, Subject } from 'rxjs';
import { codeOf } from '../../model/words/errno.ts';
import {
  type BodyFact,
  type BodyRequest,
  type BodySpawn,
  decodeFact,
  encodeRequest,
  encodeSpawn,
  type NumberedFact,
  type SpawnStage,
  type Target,
} from './body-protocol.ts';
import { errnoName } from './errno-name.ts';
import type { NativeEdge, NativeWatch } from './native.ts';

export type BodyVerdict =
  | { readonly ok: true; readonly pid: number }
  /** A number as stage: the index of the step that failed. */
  | { readonly ok: false; readonly code: string; readonly stage: SpawnStage | number };

/** A signal's target; `spawned` where this end has started the process. */
export interface SignalTarget {
  readonly pid: number;
  readonly group: boolean;
}

type Fact<Type extends BodyFact['type']> = Extract<BodyFact, { readonly type: Type }>;

/** A request that waits for room in the connection; it gets its number when it goes. */
interface Waiting {
  readonly request: BodyRequest;
  readonly descriptors: readonly number[];
  /** For a signal: who hears what came of it. */
  readonly told: SignalTold | undefined;
}

/** Signals of one number that travel in one request, and who hears of how many of its targets. */
interface GatheredSignal {
  readonly signal: number;
  readonly targets: Target[];
  readonly askers: { readonly count: number; readonly told: SignalTold }[];
}

type SignalTold = (errors: readonly (string | undefined)[]) => void;

interface WaitingSpawn {
  /** A function is called when the request is about to go: what waits holds no descriptors. */
  request: BodySpawn | (() => BodySpawn);
  readonly told: (verdict: BodyVerdict) => void;
  /** Its number once it was sent. */
  number?: bigint;
}

/** ms until a full connection is tried again. */
const retryDelay = 2;
/** Targets that are gathered before they go: the first services of many end while the brain still deals with the next ones. */
const mostGathered = 64;
/** A packet of facts is never larger. */
const receiveBuffer = new Uint8Array(64 * 1024);

export class Body {
  /** Facts that no request of this end has asked for, in order. */
  readonly facts$ = new Subject<Fact<'signal' | 'exits' | 'alone'>>();
  /** The first fact: what the body is. */
  readonly welcome: Promise<Fact<'welcome'>>;
  /** Emits when the connection has ended: the body is dead. */
  readonly gone$ = new Subject<void>();
  readonly pid: number;
  readonly #edge: NativeEdge;
  readonly #fd: number;
  readonly #watch: NativeWatch;
  /** They go before spawns, which wait until the body has room for more children on their way. */
  readonly #requests: Waiting[] = [];
  readonly #spawnRequests: WaitingSpawn[] = [];
  readonly #verdicts = new Map<bigint, (verdict: BodyVerdict) => void>();
  readonly #signals = new Map<bigint, SignalTold>();
  /** The signals of this turn, which go together: a stop of many services would else cost a packet and an answer each. */
  #gathered: GatheredSignal[] = [];
  #gatheredTargets = 0;
  /** By pid: the spawn requests of the processes that live. */
  readonly #spawns = new Map<number, bigint>();
  readonly #welcome$ = new Subject<Fact<'welcome'>>();
  #number = 0n;
  /** Facts that were read, with the turn in which they were. */
  readonly #received: (NumberedFact & { readonly turn: number })[] = [];
  #turn = 0;
  #dealsLater = false;
  /** True once the connection has ended, until that is told. */
  #hasEnded = false;
  #handled = 0n;
  #acknowledged = 0n;
  #verdictsDue = 0;
  /** How many starts the body takes at once; 0 until the body's first fact has told the number. */
  #spawnsAtOnce = 0;
  #retry = false;

  /** @param pid of the body */
  constructor(edge: NativeEdge, fd: number, pid: number) {
    this.#edge = edge;
    this.#fd = fd;
    this.pid = pid;
    this.welcome = firstValueFrom(this.#welcome$);
    this.#watch = edge.watchReadable(fd, () => this.#receive());
  }

  /**
   * Starts a program; calls back once, in a later turn.
   *
   * @returns cancels the start: unless its program runs already, it fails with ECANCELED
   */
  spawn(request: WaitingSpawn['request'], told: (verdict: BodyVerdict) => void): () => void {
    this.#sendGathered();
    const spawn: WaitingSpawn = { request, told };
    this.#spawnRequests.push(spawn);
    this.#sendAll();
    return () => this.#cancel(spawn);
  }

  #cancel(spawn: WaitingSpawn): void {
    const at = this.#spawnRequests.indexOf(spawn);
    if (at >= 0) {
      this.#spawnRequests.splice(at, 1);
      setImmediate(() => spawn.told({ ok: false, code: 'ECANCELED', stage: 'exec' }));
    } else if (spawn.number !== undefined && this.#verdicts.has(spawn.number))
      this.ask({ type: 'cancel', spawn: spawn.number });
  }

  /**
   * Signals processes or groups, once this turn or this fact has been dealt with, or before the next other request; calls back
   * once, with the errno's name of each, or undefined where it was sent. One process gets its signals in their order.
   */
  signal(signal: number, targets: readonly SignalTarget[], told: SignalTold): void {
    if (this.#gatheredTargets === 0) queueMicrotask(() => this.#sendGathered());
    const one = this.#gatherIn(signal, targets);
    for (const target of targets) one.targets.push({ ...target, spawn: this.#spawns.get(target.pid) ?? 0n });
    one.askers.push({ count: targets.length, told });
    this.#gatheredTargets += targets.length;
    if (this.#gatheredTargets >= mostGathered) this.#sendGathered();
  }

  /** The request for a signal to these targets: one that comes behind all that they were sent in this turn. */
  #gatherIn(signal: number, targets: readonly SignalTarget[]): GatheredSignal {
    for (const one of this.#gathered.toReversed()) {
      if (one.signal === signal) return one;
      if (one.targets.some(({ pid }) => targets.some((target) => target.pid === pid))) break;
    }
    const made = { signal, targets: [], askers: [] };
    this.#gathered.push(made);
    return made;
  }

  #sendGathered(): void {
    const gathered = this.#gathered;
    this.#gathered = [];
    this.#gatheredTargets = 0;
    for (const { signal, targets, askers } of gathered) {
      const told: SignalTold = (errors) => {
        let at = 0;
        for (const asker of askers) {
          asker.told(errors.slice(at, at + asker.count));
          at += asker.count;
        }
      };
      this.#requests.push({ request: { type: 'signal', signal, targets }, descriptors: [], told });
    }
    if (gathered.length > 0) this.#sendAll();
  }

  /** Calls back in a later turn, when all that the body knows by now was told. */
  catchUp(caughtUp: () => void): void {
    // The answer to a request is a fact, too, and facts come in order.
    this.signal(0, [], caughtUp);
  }

  /** Any other request. */
  ask(request: Exclude<BodyRequest, { type: 'signal' | 'acknowledge' }>, descriptors: readonly number[] = []): void {
    this.#ask({ request, descriptors, told: undefined });
  }

  /** Says that this end is going to end, and with which exit status the container is to; calls back once that was sent. */
  end(status: number, sent: () => void): void {
    this.ask({ type: 'end', status });
    const look = (): void => {
      if (this.#requests.length === 0) sent();
      else setTimeout(look, retryDelay);
    };
    look();
  }

  #ask(waiting: Waiting): void {
    this.#sendGathered();
    this.#requests.push(waiting);
    this.#sendAll();
  }

  #sendAll(): void {
    if (this.#retry) return;
    while (this.#sendRequest() || this.#sendSpawn());
  }

  /** Sends the first request, and returns whether one was sent. */
  #sendRequest(): boolean {
    const [waiting] = this.#requests;
    if (waiting === undefined) return false;
    const { request, descriptors, told } = waiting;
    if (!this.#send(encodeRequest(this.#number + 1n, request), descriptors).taken) return false;
    this.#requests.shift();
    if (told !== undefined) this.#signals.set(this.#number, told);
    return true;
  }

  /** Sends the first spawn request where the body has room for it, and returns whether one was sent. */
  #sendSpawn(): boolean {
    const [waiting] = this.#spawnRequests;
    if (waiting === undefined || this.#verdictsDue >= this.#spawnsAtOnce) return false;
    const { told } = waiting;
    let bytes: Uint8Array;
    let descriptors: readonly number[];
    let file: number | undefined;
    try {
      if (typeof waiting.request === 'function') waiting.request = waiting.request();
      const encoded = encodeSpawn(this.#number + 1n, waiting.request);
      ({ bytes, descriptors } = encoded);
      if (encoded.memory !== undefined) file = this.#edge.memoryFile(encoded.memory);
    } catch (error) {
      this.#spawnRequests.shift();
      const code = codeOf(error);
      if (code === undefined) throw error;
      setImmediate(() => told({ ok: false, code, stage: 'pipe' }));
      return true;
    }
    const { taken, errno } = this.#send(bytes, file === undefined ? descriptors : [file, ...descriptors]);
    if (file !== undefined) closeSync(file);
    if (!taken) return false;
    this.#spawnRequests.shift();
    waiting.number = this.#number;
    this.#verdicts.set(this.#number, told);
    this.#verdictsDue += 1;
    // That the body is gone is told where the connection is read.
    if (errno !== 0 && errno !== EPIPE) this.#refuse(this.#number, errno);
    return true;
  }

  /** Sends a packet that has the next number. It is taken unless it has to be sent again later. */
  #send(bytes: Uint8Array, descriptors: readonly number[]): { readonly taken: boolean; readonly errno: number } {
    const errno = this.#edge.sendPacket(this.#fd, bytes, descriptors);
    const taken = !retried.includes(errno);
    if (taken) this.#number += 1n;
    else this.#tryAgain();
    return { taken, errno };
  }

  #tryAgain(): void {
    if (this.#retry) return;
    this.#retry = true;
    setTimeout(() => {
      this.#retry = false;
      this.#sendAll();
    }, retryDelay);
  }

  /** Reads what has come; it is dealt with when the loop has called back for all else that was there. */
  #receive(): void {
    for (;;) {
      const bytes = this.#edge.receivePacket(this.#fd, receiveBuffer);
      if (bytes < 0) break;
      if (bytes === 0) {
        this.#watch.close();
        this.#hasEnded = true;
        break;
      }
      const numbered = decodeFact(receiveBuffer.subarray(0, bytes));
      if (numbered !== undefined) this.#received.push({ ...numbered, turn: this.#turn });
    }
    this.#dealLater();
  }

  #dealLater(): void {
    if (this.#dealsLater) return;
    this.#dealsLater = true;
    setImmediate(() => this.#deal());
  }

  /**
   * Deals with facts in their order. An exit waits until the loop has looked for input once more since the fact was read: what
   * the process has written, which may have come after the loop's last look, is read first.
   */
  #deal(): void {
    this.#dealsLater = false;
    this.#turn += 1;
    for (let next = this.#received[0]; next !== undefined; next = this.#received[0]) {
      if (next.fact?.type === 'exits' && next.turn === this.#turn - 1) break;
      this.#received.shift();
      // Whatever the handling throws, the facts behind this one are dealt with.
      if (this.#received.length > 0) this.#dealLater();
      if (next.number <= this.#handled) continue;
      this.#handled = next.number;
      if (next.fact !== undefined) this.#take(next.fact);
      this.#sendGathered();
    }
    if (this.#received.length > 0) this.#dealLater();
    if (this.#handled > this.#acknowledged) {
      this.#acknowledged = this.#handled;
      this.#ask({ request: { type: 'acknowledge', fact: this.#handled }, descriptors: [], told: undefined });
    }
    this.#sendAll();
    if (this.#hasEnded && this.#received.length === 0) {
      this.#hasEnded = false;
      this.gone$.next();
    }
  }

  #take(fact: BodyFact): void {
    switch (fact.type) {
      case 'spawned':
        this.#spawns.set(fact.pid, fact.request);
        this.#judge(fact.request, { ok: true, pid: fact.pid });
        break;
      case 'spawnFailed':
        this.#judge(fact.request, { ok: false, code: fact.code, stage: fact.stage });
        break;
      case 'signalled': {
        const told = this.#signals.get(fact.request);
        this.#signals.delete(fact.request);
        told?.(fact.errors);
        break;
      }
      case 'welcome':
        this.#spawnsAtOnce = fact.spawnsAtOnce;
        this.#welcome$.next(fact);
        break;
      case 'exits':
        for (const { pid, spawn } of fact.exits) if (this.#spawns.get(pid) === spawn) this.#spawns.delete(pid);
        this.facts$.next(fact);
        break;
      case 'signal':
      case 'alone':
        this.facts$.next(fact);
        break;
    }
  }

  #judge(request: bigint, verdict: BodyVerdict): void {
    const told = this.#verdicts.get(request);
    if (told === undefined) return;
    this.#verdicts.delete(request);
    this.#verdictsDue -= 1;
    told(verdict);
  }

  /** The kernel does not take the request at all, for instance because one of the descriptors is closed. */
  #refuse(request: bigint, errno: number): void {
    setImmediate(() => {
      this.#judge(request, { ok: false, code: errnoName(errno), stage: 'pipe' });
      this.#sendAll();
    });
  }
}

const ENOMEM = 12;
const EAGAIN = 11;
const EPIPE = 32;
const ENOBUFS = 105;
const ETOOMANYREFS = 109;
/** The errors of a full connection, and of a kernel that is short of memory or of room for descriptors under way. */
const retried: readonly number[] = [EAGAIN, ENOMEM, ENOBUFS, ETOOMANYREFS];
