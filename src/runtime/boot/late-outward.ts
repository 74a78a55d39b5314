/** What leaves the container because the settings ask for it: traces, and metrics over TCP. Its code is loaded only then. */
import type { Measurements } from '../../control/supervisor.ts';
import { warning } from '../../model/log/messages.ts';
import { messageOf } from '../../model/words/errno.ts';
import { onDemand } from '../on-demand.ts';
import type { Outward, OutwardPorts } from './outward.ts';

export class LateOutward {
  readonly #ports: OutwardPorts;
  readonly #load: () => Promise<Outward>;
  #outward: Outward | undefined;

  constructor(ports: OutwardPorts) {
    this.#ports = ports;
    this.#load = onDemand(async () => {
      const { Outward } = await import('./outward.ts');
      this.#outward = new Outward(ports);
      return this.#outward;
    });
  }

  /** Does what the settings ask for, now and after each reload. */
  async follow(): Promise<void> {
    this.#ports.assembly.feed.facts$.subscribe(({ type }) => {
      // The new configuration is in force once the reload has been told to all.
      if (type === 'reloaded') queueMicrotask(() => void this.#settle());
    });
    await this.#settle();
  }

  /** The spans that were sent and lost; undefined where no traces are sent. */
  traces(): Measurements['traces'] {
    return this.#outward?.traces();
  }

  /** @param limit ms */
  async close(limit: number): Promise<void> {
    await this.#outward?.close(limit);
  }

  async #settle(): Promise<void> {
    const { assembly } = this.#ports;
    const { otel, metrics } = assembly.spec();
    if (otel !== true && metrics === undefined && this.#outward === undefined) return;
    try {
      await (await this.#load()).settle(assembly.spec());
    } catch (error) {
      assembly.say(warning(`there are no traces, and no metrics over TCP: ${messageOf(error)}`));
    }
  }
}
