/** A small OpenTelemetry collector: takes traces over HTTP, and gives their spans. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { isObject } from '../../src/model/words/json.ts';
import { until } from './namespace.ts';

export interface SentSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  /** Unix ms. */
  readonly from: number;
  readonly to: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly string[];
  /** The ids of spans. */
  readonly links: readonly string[];
  /** 0 unset, 1 ok, 2 error. */
  readonly status: number;
  readonly message: string | undefined;
}

export interface Collector {
  readonly url: string;
  readonly spans: readonly SentSpan[];
  readonly resource: Readonly<Record<string, unknown>>;
  readonly paths: readonly string[];
  /** The first span of that name. */
  span(name: string): Promise<SentSpan>;
}

/** @param answer what becomes of each request: its status, or no answer at all */
export async function collect(answer: () => number | 'silence' = () => 200): Promise<Collector> {
  const spans: SentSpan[] = [];
  const paths: string[] = [];
  const resource: Record<string, unknown> = {};
  const server = createServer((request, response) => {
    paths.push(request.url ?? '');
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      const status = answer();
      if (status === 'silence') return;
      if (status === 200) take(JSON.parse(body), spans, resource);
      response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    paths,
    resource,
    span: (name) => until(`the span "${name}" is sent`, () => spans.find((span) => span.name === name)),
  };
}

function take(body: unknown, spans: SentSpan[], resource: Record<string, unknown>): void {
  for (const group of listOf(body, 'resourceSpans')) {
    Object.assign(resource, attributesOf(isObject(group) ? group['resource'] : undefined));
    for (const scope of listOf(group, 'scopeSpans')) spans.push(...listOf(scope, 'spans').flatMap(spanOf));
  }
}

function spanOf(span: unknown): readonly SentSpan[] {
  if (!isObject(span)) return [];
  const status = isObject(span['status']) ? span['status'] : {};
  return [
    {
      traceId: String(span['traceId']),
      spanId: String(span['spanId']),
      parentSpanId: typeof span['parentSpanId'] === 'string' ? span['parentSpanId'] : undefined,
      name: String(span['name']),
      from: Number(span['startTimeUnixNano']) / 1e6,
      to: Number(span['endTimeUnixNano']) / 1e6,
      attributes: attributesOf(span),
      events: listOf(span, 'events').map((event) => (isObject(event) ? String(event['name']) : '')),
      links: listOf(span, 'links').map((link) => (isObject(link) ? String(link['spanId']) : '')),
      status: Number(status['code'] ?? 0),
      message: typeof status['message'] === 'string' ? status['message'] : undefined,
    },
  ];
}

function listOf(value: unknown, key: string): readonly unknown[] {
  const list = isObject(value) ? value[key] : undefined;
  return Array.isArray(list) ? list : [];
}

function attributesOf(value: unknown): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    listOf(value, 'attributes').flatMap((pair) => {
      if (!isObject(pair) || !isObject(pair['value'])) return [];
      return [[String(pair['key']), Object.values(pair['value'])[0]]];
    }),
  );
}
