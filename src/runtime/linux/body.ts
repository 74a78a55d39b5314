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
  type SpawnStage,
} from './body-protocol.ts';
import type { NativeEdge, NativeWatch } from './native.ts';

export type BodyVerdict =
  | { readonly ok: true; readonly pid: number }
  | { readonly ok: false; readonly code: string; readonly stage: SpawnStage };

/** A signal's target; `spawned` where this end has started the process. */
export interface SignalTarget {
  readonly pid: number;
  readonly group: boolean;
}

type Fact<Type extends BodyFact['type']> = Extract<BodyFact, { readonly type: Type }>;

interface Waiting {
  readonly bytes: Uint8Array;
  readonly descriptors: readonly number[];
  /** A descriptor that is closed once the packet was sent. */
  readonly memory: number | undefined;
  readonly spawns: boolean;
}

/** ms until a full connection is tried again. */
const retryDelay = 2;
/** How many spawns the body may have before it: descriptors under way count against a limit of the account. */
const mostSpawns = 64;
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
  readonly #queue: Waiting[] = [];
  readonly #verdicts = new Map<bigint, (verdict: BodyVerdict) => void>();
  readonly #signals = new Map<bigint, (errors: readonly (string | undefined)[]) => void>();
  /** By pid: the spawn requests of the processes that live. */
  readonly #spawns = new Map<number, bigint>();
  readonly #welcome$ = new Subject<Fact<'welcome'>>();
  #number = 0n;
  #handled = 0n;
  #acknowledged = 0n;
  #underWay = 0;
  #retry = false;

  /** @param pid of the body */
  constructor(edge: NativeEdge, fd: number, pid: number) {
    this.#edge = edge;
    this.#fd = fd;
    this.pid = pid;
    this.welcome = firstValueFrom(this.#welcome$);
    this.#watch = edge.watchReadable(fd, () => this.#receive());
  }

  /** Starts a program; calls back once, in a later turn. */
  spawn(request: BodySpawn, told: (verdict: BodyVerdict) => void): void {
    this.#number += 1n;
    const { bytes, memory, descriptors } = encodeSpawn(this.#number, request);
    let file: number | undefined;
    try {
      file = memory === undefined ? undefined : this.#edge.memoryFile(memory);
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      setImmediate(() => told({ ok: false, code, stage: 'pipe' }));
      return;
    }
    this.#verdicts.set(this.#number, told);
    this.#send({
      bytes,
      descriptors: file === undefined ? descriptors : [file, ...descriptors],
      memory: file,
      spawns: true,
    });
  }

  /** Signals processes or groups; calls back once, with the errno's name of each, or undefined where it was sent. */
  signal(
    signal: number,
    targets: readonly SignalTarget[],
    told: (errors: readonly (string | undefined)[]) => void,
  ): void {
    const numbered = targets.map((target) => ({ ...target, spawn: this.#spawns.get(target.pid) ?? 0n }));
    this.#signals.set(this.#ask({ type: 'signal', signal, targets: numbered }), told);
  }

  /** Calls back in a later turn, when all that the body knows by now was told. */
  catchUp(caughtUp: () => void): void {
    // The answer to a request is a fact, too, and facts come in order.
    this.signal(0, [], caughtUp);
  }

  /** Any other request. */
  ask(request: Exclude<BodyRequest, { type: 'signal' | 'acknowledge' }>, descriptors: readonly number[] = []): void {
    this.#ask(request, descriptors);
  }

  /** Says that this end is going to end, and with which exit status the container is to; calls back once that was sent. */
  end(status: number, sent: () => void): void {
    this.ask({ type: 'end', status });
    const look = (): void => {
      if (this.#queue.length === 0) sent();
      else setTimeout(look, retryDelay);
    };
    look();
  }

  #ask(request: BodyRequest, descriptors: readonly number[] = []): bigint {
    this.#number += 1n;
    this.#send({ bytes: encodeRequest(this.#number, request), descriptors, memory: undefined, spawns: false });
    return this.#number;
  }

  #send(packet: Waiting): void {
    this.#queue.push(packet);
    if (this.#queue.length === 1) this.#sendQueue();
  }

  #sendQueue(): void {
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      if (next.spawns && this.#underWay >= mostSpawns) return;
      const errno = this.#edge.sendPacket(this.#fd, next.bytes, next.descriptors);
      if (errno === EAGAIN || errno === ETOOMANYREFS || errno === ENOBUFS) {
        this.#tryAgain();
        return;
      }
      // Any other error means that the body is gone, which is told where the connection is read.
      this.#queue.shift();
      if (next.spawns) this.#underWay += 1;
      if (next.memory !== undefined) closeSync(next.memory);
    }
  }

  #tryAgain(): void {
    if (this.#retry) return;
    this.#retry = true;
    setTimeout(() => {
      this.#retry = false;
      this.#sendQueue();
    }, retryDelay);
  }

  #receive(): void {
    for (;;) {
      const bytes = this.#edge.receivePacket(this.#fd, receiveBuffer);
      if (bytes < 0) break;
      if (bytes === 0) {
        this.#watch.close();
        this.gone$.next();
        return;
      }
      const numbered = decodeFact(receiveBuffer.subarray(0, bytes));
      if (numbered === undefined || numbered.number <= this.#handled) continue;
      this.#handled = numbered.number;
      if (numbered.fact !== undefined) this.#take(numbered.fact);
    }
    if (this.#handled > this.#acknowledged) {
      this.#acknowledged = this.#handled;
      this.#ask({ type: 'acknowledge', fact: this.#handled });
    }
    this.#sendQueue();
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
    this.#verdicts.delete(request);
    this.#underWay -= 1;
    told?.(verdict);
  }
}

const EAGAIN = 11;
const ENOBUFS = 105;
const ETOOMANYREFS = 109;
