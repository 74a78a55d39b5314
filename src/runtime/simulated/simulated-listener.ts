import { Subject } from 'rxjs';
import type { Connection } from '../../model/schedule/scheduled-runs.ts';
import type { Clock, Listener, TimerId } from '../kernel.ts';

export interface ListenerEnvironment {
  /** The errno's name where the next client cannot be accepted. */
  acceptFault(): string | undefined;
  onTaken(connection: Connection): void;
  /** Called for each client that still waited when the port was closed. */
  onRefused(connection: Connection): void;
  onClosed(): void;
}

/** A port in memory, with a backlog from which one client is accepted in each turn. */
export class SimulatedListener implements Listener {
  readonly connections$ = new Subject<Connection>();
  readonly refusals$ = new Subject<string>();
  readonly #clock: Clock;
  readonly #environment: ListenerEnvironment;
  readonly #backlog: Connection[] = [];
  #paused = false;
  #closed = false;
  #turn: TimerId | undefined;

  constructor(clock: Clock, environment: ListenerEnvironment) {
    this.#clock = clock;
    this.#environment = environment;
  }

  /** Adds a client to the backlog. */
  enqueue(connection: Connection): void {
    this.#backlog.push(connection);
    this.#plan();
  }

  pause(): void {
    this.#paused = true;
    if (this.#turn !== undefined) this.#clock.clearTimeout(this.#turn);
    this.#turn = undefined;
  }

  resume(): void {
    if (this.#closed) return;
    this.#paused = false;
    this.#plan();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.pause();
    for (const client of this.#backlog.splice(0)) this.#environment.onRefused(client);
    this.#environment.onClosed();
  }

  #plan(): void {
    if (this.#paused || this.#turn !== undefined || this.#backlog.length === 0) return;
    this.#turn = this.#clock.setTimeout(() => {
      this.#turn = undefined;
      const fault = this.#environment.acceptFault();
      if (fault !== undefined) {
        this.pause();
        this.refusals$.next(fault);
        return;
      }
      const client = this.#backlog.shift();
      if (client === undefined) return;
      this.#environment.onTaken(client);
      this.connections$.next(client);
      this.#plan();
    }, 0);
  }
}
