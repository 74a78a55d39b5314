import { describe, expect, it } from 'vitest';
import { errorsOf, loadText, specOf } from './loading.ts';

const service = 'a.service: { command: "true" }\n';
const metricsOf = (listen: string) => specOf(`settings: { metrics: { listen: "${listen}" } }\n${service}`).metrics;

describe('metrics and otel in the settings', () => {
  it('are off where nobody asks for them', () => {
    const spec = specOf(service);
    expect([spec.metrics, spec.otel]).toEqual([undefined, undefined]);
    expect(specOf(`settings: { otel: yes }\n${service}`).otel).toBe(true);
    expect(metricsOf('$(NONE:-)')).toBeUndefined();
  });

  it('name an address and a port', () => {
    expect(metricsOf('127.0.0.1:9101')).toEqual({ address: '127.0.0.1', port: 9101 });
    expect(metricsOf('9101')).toEqual({ address: '127.0.0.1', port: 9101 });
    expect(metricsOf('[::1]:9101')).toEqual({ address: '::1', port: 9101 });
  });

  it.each([
    'localhost:9101',
    '127.0.0.1',
    '127.0.0.1:0',
    '127.0.0.1:65536',
    '127.0.0.256:1',
    '1.2.3:4',
    '[::g]:1',
    '01.2.3.4:5',
  ])('refuse %s', (listen) => {
    const errors = errorsOf(`settings:\n  metrics:\n    listen: "${listen}"\n${service}`);
    expect(errors).toContain(`x.conf:3:13: listen of metrics is no address with a port: "${listen}"`);
  });

  it.each([
    ['0.0.0.0:9101', 1],
    ['[::]:9101', 1],
    ['10.1.2.3:9101', 1],
    ['127.9.9.9:9101', 0],
    ['[0:0:0:0:0:0:0:1]:9101', 0],
  ])('warn of an address that others reach: %s', (listen, count) => {
    const { diagnostics } = loadText(`settings: { metrics: { listen: "${listen}" } }\n${service}`);
    expect(diagnostics.filter(({ code }) => code === 'exposed-metrics')).toHaveLength(count);
  });
});
