/** The entrance of all commands: checks the caller's rights and rate; execute.ts carries them out. */
import type { GrantedAction } from '../model/service/control-policy.ts';
import { type Answer, mistake } from './answer.ts';
import type { Boundary } from './boundary.ts';
import type { Command } from './command.ts';
import { type CommandParse, usage } from './command-words.ts';
import { neededFor } from './commands.ts';
import { type ExecuteOptions, execute } from './execute.ts';
import { limits } from './limits.ts';
import { type Meter, readingCost } from './meter.ts';
import { accountOf, type Caller, describeCaller, type Rights } from './rights.ts';
import type { Supervisor } from './supervisor.ts';
import { TokenBucket } from './token-bucket.ts';

export interface GateOptions {
  readonly supervisor: Supervisor;
  readonly rights: Rights;
  /** Monotonic ms. */
  readonly now: () => number;
  readonly timers: ExecuteOptions['timers'];
  /** Keeps what goes wrong in a request from the rest of the system. */
  readonly boundary: Boundary;
}

type CallOptions = Pick<ExecuteOptions, 'aborted' | 'unattended' | 'meter'>;

/** Most accounts whose rate is remembered; the one that has been quiet for longest is forgotten first. */
const mostAccounts = 1_000;
/** Most processes that are remembered for having asked for the end of the system. */
const mostShutdownCallers = 16;

export class Gate {
  readonly supervisor: Supervisor;
  readonly rights: Rights;
  readonly timers: ExecuteOptions['timers'];
  readonly boundary: Boundary;
  readonly #now: () => number;
  readonly #buckets = new Map<number, TokenBucket>();
  readonly #shutdownCallers = new Set<number>();

  constructor({ supervisor, rights, now, timers, boundary }: GateOptions) {
    this.supervisor = supervisor;
    this.rights = rights;
    this.boundary = boundary;
    this.timers = {
      setTimeout: (callback, delay) => timers.setTimeout(boundary.guard(callback), delay),
      clearTimeout: (id) => timers.clearTimeout(id),
    };
    this.#now = now;
  }

  /** Counts one request of so many bytes; returns an answer if there were too many. An owner's requests all weigh the same. */
  admit(caller: Caller, bytes = 0): Answer | undefined {
    const cost = this.rights.isOwner(caller) ? 1 : readingCost(bytes);
    return this.#bucketOf(accountOf(caller)).take(this.#now(), cost)
      ? undefined
      : { kind: 'busy', text: 'Command error: too many requests' };
  }

  /** Counts what answering the request of a guest has cost. */
  charge(caller: Caller, meter: Meter): void {
    if (!this.rights.isOwner(caller)) this.#bucketOf(accountOf(caller)).charge(meter.cost);
  }

  /** The refusal for a caller who lacks a right; undefined if it may go on. */
  refuse(caller: Caller, needed: readonly GrantedAction[]): Answer | undefined {
    const missing = needed.filter((action) => !this.rights.may(caller, action));
    if (missing.length === 0) return undefined;
    return {
      kind: 'forbidden',
      text: `Command error: not permitted for ${describeCaller(caller)}: ${missing.join(', ')}`,
    };
  }

  /** Carries a command out if the caller has the rights. */
  async command(command: Command, caller: Caller, options: CallOptions): Promise<Answer> {
    const refusal = this.refuse(caller, neededFor(command));
    if (refusal !== undefined) return refusal;
    if (
      command.verb === 'shutdown' &&
      command.now &&
      caller.pid !== undefined &&
      this.#shutdownCallers.size < mostShutdownCallers
    )
      this.#shutdownCallers.add(caller.pid);
    return execute(command, { supervisor: this.supervisor, timers: this.timers, ...options });
  }

  /** The pids of those who have asked for the end of the system at once. */
  shutdownCallers(): readonly number[] {
    return [...this.#shutdownCallers];
  }

  /** Carries out a command that came as words, or answers with the mistake in them. */
  async words(parse: CommandParse, caller: Caller, options: CallOptions): Promise<Answer> {
    switch (parse.kind) {
      case 'command':
        return this.command(parse.command, caller, options);
      case 'mistake':
        return mistake(`${parse.message}\n${usage}`);
      case 'empty':
        return mistake(usage);
    }
  }

  #bucketOf(uid: number): TokenBucket {
    const known = this.#buckets.get(uid);
    const bucket = known ?? new TokenBucket(limits.requestBurst, limits.requestsPerSecond, this.#now());
    // Accounts stand in the order of their last requests.
    this.#buckets.delete(uid);
    this.#buckets.set(uid, bucket);
    const [quietest] = this.#buckets.keys();
    if (quietest !== undefined && this.#buckets.size > mostAccounts) this.#buckets.delete(quietest);
    return bucket;
  }
}
