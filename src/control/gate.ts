/** The entrance of all commands: checks the caller's rights and rate; execute.ts carries them out. */
import type { GrantedAction } from '../model/service/control-policy.ts';
import { type Answer, mistake } from './answer.ts';
import type { Command } from './command.ts';
import { type CommandParse, usage } from './command-words.ts';
import { neededFor } from './commands.ts';
import { type ExecuteOptions, execute } from './execute.ts';
import { limits } from './limits.ts';
import type { Caller, Rights } from './rights.ts';
import type { Supervisor } from './supervisor.ts';
import { TokenBucket } from './token-bucket.ts';

export interface GateOptions {
  readonly supervisor: Supervisor;
  readonly rights: Rights;
  /** Monotonic ms. */
  readonly now: () => number;
  readonly timers: ExecuteOptions['timers'];
}

/** Most accounts whose rate is remembered; the one that has been quiet for longest is forgotten first. */
const mostAccounts = 1_000;

export class Gate {
  readonly supervisor: Supervisor;
  readonly rights: Rights;
  readonly timers: ExecuteOptions['timers'];
  readonly #now: () => number;
  readonly #buckets = new Map<number, TokenBucket>();

  constructor({ supervisor, rights, now, timers }: GateOptions) {
    this.supervisor = supervisor;
    this.rights = rights;
    this.timers = timers;
    this.#now = now;
  }

  /** Counts one request; returns an answer if there were too many. */
  admit({ uid }: Caller): Answer | undefined {
    return this.#bucketOf(uid).take(this.#now())
      ? undefined
      : { kind: 'busy', text: 'Command error: too many requests' };
  }

  /** The refusal for a caller who lacks a right; undefined if it may go on. */
  refuse(caller: Caller, needed: readonly GrantedAction[]): Answer | undefined {
    const missing = needed.filter((action) => !this.rights.may(caller, action));
    if (missing.length === 0) return undefined;
    return { kind: 'forbidden', text: `Command error: not permitted for uid ${caller.uid}: ${missing.join(', ')}` };
  }

  /** Carries a command out if the caller has the rights. */
  async command(
    command: Command,
    caller: Caller,
    options: Pick<ExecuteOptions, 'aborted' | 'unattended'> = {},
  ): Promise<Answer> {
    const refusal = this.refuse(caller, neededFor(command));
    return refusal ?? execute(command, { supervisor: this.supervisor, timers: this.timers, ...options });
  }

  /** Carries out a command that came as words, or answers with the mistake in them. */
  async words(
    parse: CommandParse,
    caller: Caller,
    options: Pick<ExecuteOptions, 'aborted' | 'unattended'> = {},
  ): Promise<Answer> {
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
