import { randomBytes } from 'node:crypto';
import type { ControlCounts } from '../../control/metrics.ts';
import type { Measurements, Supervisor } from '../../control/supervisor.ts';
import type { Fact } from '../../facts/fact.ts';
import { warning } from '../../model/log/messages.ts';
import type { MetricsSpec, SystemSpec } from '../../model/service/service-spec.ts';
import { codeOf, messageOf } from '../../model/words/errno.ts';
import type { Assembly } from '../assembly.ts';
import { type MetricsPort, openMetricsPort } from '../control/metrics-port.ts';
import type { Tracing } from '../inspection/tracing.ts';
import type { Clock } from '../kernel.ts';

export interface OutwardPorts {
  readonly assembly: Assembly;
  readonly clock: Clock;
  readonly supervisor: Supervisor;
  readonly counts: () => ControlCounts;
  readonly version: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Traces and metrics over TCP, as the settings in force ask for them. */
export class Outward {
  readonly #ports: OutwardPorts;
  #port: { readonly at: string; readonly server: MetricsPort | undefined } | undefined;
  #tracing: { readonly tracing: Tracing; readonly stop: () => void } | undefined;
  #hasRefused = false;

  constructor(ports: OutwardPorts) {
    this.#ports = ports;
  }

  async settle({ metrics, otel, services }: SystemSpec): Promise<void> {
    await this.#settlePort(metrics);
    if (otel === true) await this.#trace();
    else if (this.#tracing !== undefined) await this.#endTracing(0);
    this.#tracing?.tracing.spans.configure(services);
  }

  traces(): Measurements['traces'] {
    return this.#tracing?.tracing.counts();
  }

  async close(limit: number): Promise<void> {
    this.#port?.server?.close();
    await this.#endTracing(limit);
  }

  async #settlePort(metrics: MetricsSpec | undefined): Promise<void> {
    const at = metrics === undefined ? undefined : `${metrics.address} port ${metrics.port}`;
    if (this.#port?.at === at) return;
    this.#port?.server?.close();
    this.#port = undefined;
    if (metrics === undefined || at === undefined) return;
    const { supervisor, counts, clock, assembly } = this.#ports;
    try {
      this.#port = { at, server: await openMetricsPort({ ...metrics, supervisor, counts, now: () => clock.now() }) };
    } catch (error) {
      assembly.say(warning(`metrics cannot be served at ${at}: ${codeOf(error) ?? messageOf(error)}`));
    }
  }

  async #trace(): Promise<void> {
    if (this.#tracing !== undefined || this.#hasRefused) return;
    const { assembly, clock, version, environment } = this.#ports;
    const { collectorOf, refusalOf, Tracing } = await import('../inspection/tracing.ts');
    const refusal = refusalOf(environment);
    if (refusal !== undefined) {
      this.#hasRefused = true;
      assembly.say(warning(`no traces are sent: ${refusal}`));
      return;
    }
    const collector = collectorOf(environment);
    const tracing = new Tracing({
      version,
      seed: randomBytes(16).toString('hex'),
      epoch: () => clock.wallTime() - assembly.feed.now(),
      onChange: (problem) =>
        assembly.say(
          warning(
            problem === undefined
              ? `traces are taken again by ${collector}; ${tracing.counts().lost} spans were lost`
              : `traces are not taken by ${collector}: ${problem}; the services go on, and spans are lost until it takes some`,
          ),
        ),
    });
    const subscription = assembly.feed.facts$.subscribe((fact: Fact) => {
      try {
        tracing.spans.take(fact);
      } catch (error) {
        subscription.unsubscribe();
        assembly.say(warning(`traces end here: ${messageOf(error)}`));
      }
    });
    this.#tracing = { tracing, stop: () => subscription.unsubscribe() };
  }

  async #endTracing(limit: number): Promise<void> {
    const { tracing, stop } = this.#tracing ?? {};
    this.#tracing = undefined;
    stop?.();
    await tracing?.end(this.#ports.assembly.feed.now(), limit);
  }
}
