/**
 * Sends spans to an OpenTelemetry collector, by OpenTelemetry's own exporter, which reads the standard variables OTEL_EXPORTER_OTLP_* itself.
 * Of spans that the collector does not take in time a bounded number waits; the others are dropped and counted. Nothing here keeps
 * a service waiting. The code is loaded only where traces are asked for.
 */
import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { type Attributes, ROOT_CONTEXT, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOnSampler,
  BasicTracerProvider,
  BatchSpanProcessor,
  type ReadableSpan,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-base';
import { type Span, type SpanPlace, Spans } from '../../facts/spans.ts';

type ExportResult = Parameters<Parameters<SpanExporter['export']>[1]>[0];

export interface TracingOptions {
  readonly version: string;
  /** The ids of spans are made of this, so that the same recording gives the same spans each time. */
  readonly seed: string;
  /** Unix ms at which the times of facts are 0. */
  readonly epoch: () => number;
  /** Hears why the collector takes nothing, once until it takes something again, which is `undefined`. */
  readonly onChange: (problem: string | undefined) => void;
}

export interface TraceCounts {
  readonly sent: number;
  /** Spans that the collector refused or did not take in time. */
  readonly lost: number;
}

/** The most spans that wait for the collector, and ms until a batch is sent. */
export const mostWaiting = 2_048;
const batchDelay = 1_000;
/** ms that sending a batch may take, tries included. */
const exportTimeout = 10_000;

export class Tracing {
  readonly spans: Spans;
  readonly #options: TracingOptions;
  readonly #provider: BasicTracerProvider;
  /** The span that is being made. */
  #next: SpanPlace = { id: 0, trace: 0 };
  #sent = 0;
  #lost = 0;
  #waiting = 0;
  #hasProblem = false;

  constructor(options: TracingOptions) {
    this.#options = options;
    this.spans = new Spans((span) => this.#tell(span));
    const resource = resourceFromAttributes({
      'service.name': 'chaperone',
      'service.version': options.version,
      'host.name': hostname(),
    }).merge(detectResources({ detectors: [envDetector] }));
    const exporter = this.#counting(new OTLPTraceExporter());
    this.#provider = new BasicTracerProvider({
      resource,
      // What a variable for another program says of sampling would leave holes in a boot.
      sampler: new AlwaysOnSampler(),
      idGenerator: {
        generateTraceId: () => this.#traceId(this.#next.trace),
        generateSpanId: () => this.#spanId(this.#next.id),
      },
      spanProcessors: [
        new BatchSpanProcessor(exporter, {
          maxQueueSize: mostWaiting,
          scheduledDelayMillis: batchDelay,
          exportTimeoutMillis: exportTimeout,
        }),
      ],
    });
  }

  counts(): TraceCounts {
    return { sent: this.#sent, lost: this.#lost };
  }

  /** How many spans wait for the collector. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Sends what waits. */
  async flush(): Promise<void> {
    await this.#provider.forceFlush().catch(() => undefined);
  }

  /**
   * Sends what is left.
   *
   * @param at ms since chaperone began, at which open spans are cut
   * @param limit ms
   */
  async end(at: number, limit: number): Promise<void> {
    this.spans.close(at);
    const late = new Promise<void>((resolve) => {
      setTimeout(resolve, limit).unref();
    });
    await Promise.race([this.#provider.shutdown().catch(() => undefined), late]);
    this.#lost += this.#waiting;
    this.#waiting = 0;
  }

  #tell({ id, trace: root, parent, name, from, to, attributes, events, links, outcome, message }: Span): void {
    if (this.#waiting >= mostWaiting) {
      this.#lost += 1;
      return;
    }
    this.#waiting += 1;
    const start = this.#options.epoch();
    this.#next = { id, trace: root };
    const context =
      parent === undefined
        ? ROOT_CONTEXT
        : trace.setSpanContext(ROOT_CONTEXT, this.#contextOf({ id: parent, trace: root }));
    const span = this.#provider.getTracer('chaperone', this.#options.version).startSpan(
      name,
      {
        startTime: start + from,
        attributes: { ...attributes, ...(outcome === 'unfinished' ? { 'chaperone.unfinished': true } : {}) },
        links: links.map((place) => ({ context: this.#contextOf(place) })),
      },
      context,
    );
    for (const { at, name: event, attributes: more } of events)
      span.addEvent(event, more satisfies Attributes, start + at);
    if (outcome === 'failed')
      span.setStatus({ code: SpanStatusCode.ERROR, ...(message === undefined ? {} : { message }) });
    else if (outcome === 'done') span.setStatus({ code: SpanStatusCode.OK });
    span.end(start + to);
  }

  #contextOf({ id, trace: root }: SpanPlace) {
    return { traceId: this.#traceId(root), spanId: this.#spanId(id), traceFlags: TraceFlags.SAMPLED };
  }

  #traceId(root: number): string {
    return this.#hash(`trace ${root}`).slice(0, 32);
  }

  #spanId(id: number): string {
    return this.#hash(`span ${id}`).slice(0, 16);
  }

  #hash(text: string): string {
    return createHash('sha256').update(`${this.#options.seed} ${text}`).digest('hex');
  }

  /** Counts what becomes of each batch. */
  #counting(exporter: SpanExporter): SpanExporter {
    return {
      export: (spans: ReadableSpan[], done: (result: ExportResult) => void) => {
        const settle = (result: ExportResult): void => {
          this.#settle(spans.length, result);
          done(result);
        };
        exporter.export(spans, settle);
      },
      shutdown: () => exporter.shutdown(),
      forceFlush: async () => exporter.forceFlush?.(),
    };
  }

  #settle(count: number, { code, error }: ExportResult): void {
    this.#waiting = Math.max(0, this.#waiting - count);
    const taken = code === 0;
    if (taken) this.#sent += count;
    else this.#lost += count;
    if (taken !== this.#hasProblem) return;
    this.#hasProblem = !taken;
    this.#options.onChange(taken ? undefined : problemOf(error));
  }
}

function problemOf(error: Error | undefined): string {
  const text = error?.message ?? '';
  const code = error !== undefined && 'code' in error ? String(error.code) : '';
  // An error of several addresses has no words of its own.
  const parts = [text, ...(text.includes(code) ? [] : [code])].filter((part) => part !== '');
  return parts.length === 0 ? 'no answer' : parts.join(', ');
}

/** Where the exporter sends traces to, for people; without the credentials that a URL may hold. */
export function collectorOf(environment: Readonly<Record<string, string | undefined>>): string {
  const own = environment['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] ?? '';
  const common = environment['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? '';
  const text = own !== '' ? own : `${(common === '' ? 'http://localhost:4318' : common).replace(/\/$/, '')}/v1/traces`;
  return URL.canParse(text) ? `${new URL(text).origin}${new URL(text).pathname}` : text;
}

/** Why the standard variables turn traces off, or ask for what is not there; undefined where they do not. */
export function refusalOf(environment: Readonly<Record<string, string | undefined>>): string | undefined {
  if (environment['OTEL_SDK_DISABLED']?.toLowerCase() === 'true') return 'OTEL_SDK_DISABLED is true';
  const exporter = environment['OTEL_TRACES_EXPORTER'] ?? '';
  if (exporter !== '' && exporter !== 'otlp') return `OTEL_TRACES_EXPORTER is ${exporter}, and only otlp is there`;
  const protocol =
    environment['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'] ?? environment['OTEL_EXPORTER_OTLP_PROTOCOL'] ?? 'http/json';
  return protocol === 'grpc' ? 'OTEL_EXPORTER_OTLP_PROTOCOL is grpc, and only HTTP is there' : undefined;
}
