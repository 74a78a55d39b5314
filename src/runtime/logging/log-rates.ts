import type { LogRate } from '../../model/service/output.ts';
import type { Clock, TimerId } from '../kernel.ts';

interface Meter {
  /** Monotonic ms at which the present window ends. */
  end: number;
  /** Lines of the present window. */
  lines: number;
  /** The lines that were dropped since the last report of dropped lines. */
  untold: number;
  /** All lines that were dropped. */
  dropped: number;
  /** Tells of dropped lines. */
  timer: TimerId | undefined;
}

/** ms between two messages about dropped lines of one service, at least: a flood shall not become one of messages. */
const shortestPause = 10_000;

/** Counts the lines of services that have a `log_rate`, and says which are too many. */
export class LogRates {
  readonly #clock: Pick<Clock, 'now' | 'setTimeout' | 'clearTimeout'>;
  readonly #onDropped: (service: string, lines: number, rate: LogRate) => void;
  readonly #meters = new Map<string, Meter>();

  constructor(
    clock: Pick<Clock, 'now' | 'setTimeout' | 'clearTimeout'>,
    onDropped: (service: string, lines: number, rate: LogRate) => void,
  ) {
    this.#clock = clock;
    this.#onDropped = onDropped;
  }

  /** True where a further line of the service may be logged; else it is counted, and told of at the end of that time. */
  admits(service: string, rate: LogRate | undefined): boolean {
    if (rate === undefined) return true;
    const now = this.#clock.now();
    const meter = this.#meterOf(service);
    if (now >= meter.end) {
      meter.end = now + rate.per;
      meter.lines = 0;
    }
    meter.lines += 1;
    if (meter.lines <= rate.lines) return true;
    meter.untold += 1;
    meter.dropped += 1;
    meter.timer ??= this.#clock.setTimeout(
      () => this.#tell(service, meter, rate),
      Math.max(meter.end - now, shortestPause),
    );
    return false;
  }

  /** How many lines of the service were dropped so far. */
  dropped(service: string): number {
    return this.#meters.get(service)?.dropped ?? 0;
  }

  /** Tells now what has not been told yet. */
  finish(rateOf: (service: string) => LogRate | undefined): void {
    for (const [service, meter] of this.#meters) {
      const rate = rateOf(service);
      if (rate !== undefined) this.#tell(service, meter, rate);
    }
  }

  forget(service: string): void {
    const timer = this.#meters.get(service)?.timer;
    if (timer !== undefined) this.#clock.clearTimeout(timer);
    this.#meters.delete(service);
  }

  #tell(service: string, meter: Meter, rate: LogRate): void {
    if (meter.timer !== undefined) this.#clock.clearTimeout(meter.timer);
    meter.timer = undefined;
    if (meter.untold === 0) return;
    this.#onDropped(service, meter.untold, rate);
    meter.untold = 0;
  }

  #meterOf(service: string): Meter {
    const known = this.#meters.get(service);
    if (known !== undefined) return known;
    const made = { end: Number.NEGATIVE_INFINITY, lines: 0, untold: 0, dropped: 0, timer: undefined };
    this.#meters.set(service, made);
    return made;
  }
}
