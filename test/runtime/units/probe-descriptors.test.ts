import { describe, expect, it } from 'vitest';
import type { ProbeTree } from '../../../src/model/service/probe.ts';
import { descriptorsOf, fdProbes } from '../../../src/runtime/units/probe-descriptors.ts';
import { serviceOf } from '../../config/loading.ts';

const service = serviceOf('web.service: { command: web --port 80 }');
const probe = (descriptor: number | string): ProbeTree => {
  const { ready } = serviceOf('web.service: { command: web, ready: { fd: 3 } }');
  if (ready === undefined || ready.kind === 'all' || ready.kind === 'any') throw new Error('no probe');
  return { ...ready, check: { kind: 'fd', descriptor } };
};
const ready = (...descriptors: readonly (number | string)[]): ProbeTree => ({
  kind: 'all',
  of: descriptors.map(probe),
});

describe('the descriptors of probes', () => {
  it('are none for a service without probes', () => {
    expect(descriptorsOf(service, 2)).toEqual({ pipes: [], variables: {} });
  });

  it('are none for a service whose probes need none', () => {
    const { ready: tree } = serviceOf('web.service: { command: web, ready: { tcp: 80 } }');
    expect(tree).toBeDefined();
    if (tree !== undefined) expect(descriptorsOf({ ...service, ready: tree }, 0)).toEqual({ pipes: [], variables: {} });
  });

  it('have the numbers that are named', () => {
    expect(descriptorsOf({ ...service, ready: ready(5, 3) }, 0)).toEqual({ pipes: [5, 3], variables: {} });
  });

  it('have the first free numbers where a variable is named, and the variables tell them', () => {
    expect(descriptorsOf({ ...service, ready: ready('A', 'B') }, 0)).toEqual({
      pipes: [3, 4],
      variables: { A: '3', B: '4' },
    });
  });

  it('leave the descriptors out that the service gets back', () => {
    expect(descriptorsOf({ ...service, ready: ready('A') }, 2)).toEqual({ pipes: [5], variables: { A: '5' } });
    expect(descriptorsOf({ ...service, ready: ready(5) }, 2)).toEqual({ pipes: [5], variables: {} });
  });

  it('leave the numbers out that are named, wherever they stand', () => {
    expect(descriptorsOf({ ...service, ready: ready('A', 3, 'B', 5, 'C') }, 0)).toEqual({
      pipes: [4, 3, 6, 5, 7],
      variables: { A: '4', B: '6', C: '7' },
    });
  });

  it('are refused where the service gets one of the numbers back', () => {
    expect(descriptorsOf({ ...service, ready: ready(7, 4, 3) }, 2)).toEqual({
      code: 'EBUSY',
      stage: 'descriptor',
      program: 'web',
      detail: 'descriptor 4 for its probe: LISTEN_FDS is 2, and those descriptors are 3 to 4',
    });
  });

  it('are those of ready and of healthy, each once', () => {
    const both = { ...service, ready: ready('A', 4), healthy: ready(4, 'B', 'A') };
    expect(fdProbes(both)).toEqual(['A', 4, 'B']);
    expect(descriptorsOf({ ...service, healthy: ready('A') }, 0)).toEqual({ pipes: [3], variables: { A: '3' } });
  });
});
