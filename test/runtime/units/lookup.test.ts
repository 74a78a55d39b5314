import { describe, expect, it } from 'vitest';
import { createActor, setup } from 'xstate';
import { composeValues } from '../../../src/model/service/compose-values.ts';
import type { Condition } from '../../../src/model/service/condition.ts';
import type { ServiceSpec } from '../../../src/model/service/service-spec.ts';
import { SimulatedKernel, type SimulatedPrograms } from '../../../src/runtime/simulated/simulated-kernel.ts';
import { VirtualClock } from '../../../src/runtime/simulated/virtual-clock.ts';
import { lookupLogic } from '../../../src/runtime/units/lookup.ts';
import { serviceOf } from '../../config/loading.ts';
import { serviceSpec } from '../../model/specs.ts';

const file = (path: string): Condition => ({ kind: 'file', path });
const env = (name: string): Condition => ({ kind: 'env', name });
const command: Condition = { kind: 'command', command: 'true', argv: ['true'] };
const all = (...of: readonly Condition[]): Condition => ({ kind: 'all', of });
const reading = serviceOf('web.service: { command: web, env_file: /env }');

/** Looks for the conditions of a service on a machine that has the file /there. */
function look(service: ServiceSpec, programs: Partial<SimulatedPrograms> = {}) {
  const clock = new VirtualClock();
  const kernel = new SimulatedKernel(clock, { has: () => true, script: () => undefined, ...programs });
  kernel.writeFile('/there', '');
  const told: unknown[] = [];
  const said: string[] = [];
  let reads = 0;
  const lookup = lookupLogic({
    kernel: {
      fileExists: (path, answer) => kernel.fileExists(path, answer),
      readValues: (requests, answer) => {
        reads += 1;
        kernel.readValues(requests, answer);
      },
    },
    clock,
    loadValues: () => composeValues,
    onMessage: ({ text }) => said.push(text),
  });
  const machine = setup({
    actors: { lookup },
    types: { events: {} as { readonly type: 'end' } | { readonly type: 'conditions.looked' } },
  }).createMachine({
    initial: 'looking',
    states: {
      looking: {
        invoke: { src: 'lookup', input: service, onError: { actions: ({ event }) => told.push(event.error) } },
        on: { end: 'over', '*': { actions: ({ event }) => told.push(event) } },
      },
      over: { on: { '*': { actions: ({ event }) => told.push(event) } } },
    },
  });
  const actor = createActor(machine);
  actor.start();
  return { clock, told, said, reads: () => reads, end: () => actor.send({ type: 'end' }) };
}

const looked = (answers: readonly (boolean | undefined)[], at = 0) => ({ type: 'conditions.looked', answers, at });

describe('a look at the conditions of a start', () => {
  it('answers for files and variables, and leaves commands open', () => {
    const startIf = all(file('/there'), file('/missing'), env('A'), command, { kind: 'not', of: env('B') });
    const { told, clock } = look(serviceSpec({ startIf, environment: { A: 'a' } }));
    expect(told).toEqual([]);
    clock.run(10);
    expect(told).toEqual([looked([true, false, true, undefined, false])]);
  });

  it('answers at once where nothing is looked for', () => {
    expect(look(serviceSpec({ startIf: command })).told).toEqual([looked([undefined])]);
    expect(look(serviceSpec({ startIf: env('A') })).told).toEqual([looked([false])]);
  });

  it('answers once all is there', () => {
    const startIf = all(file('/there'), env('B'));
    const { told, clock } = look({ ...reading, startIf }, { valueFile: () => 'B=b\n', readDelay: () => 500 });
    clock.run(100);
    expect(told).toEqual([]);
    clock.run(1_000);
    expect(told).toEqual([looked([true, true], 500)]);
  });

  it('reads values only where a variable is asked for', () => {
    const { reads, clock, told } = look({ ...reading, startIf: file('/there') });
    clock.run(1_000);
    expect(told).toEqual([looked([true])]);
    expect(reads()).toBe(0);
  });

  it('tells why values cannot be read, and the answers that it has', () => {
    const startIf = all(file('/there'), env('B'));
    const { told, clock } = look({ ...reading, startIf }, { valueFile: () => ({ code: 'EIO' }) });
    clock.run(1_000);
    expect(told).toMatchObject([
      { answers: [true, undefined], failure: { kind: 'spawn', error: { code: 'EIO', stage: 'values' } } },
    ]);
  });

  it('tells nothing once nobody wants to know it', () => {
    const startIf = all(file('/there'), env('B'));
    const slow = { valueFile: () => 'no assignment\n', readDelay: () => 500 };
    const { told, said, clock, end } = look({ ...reading, startIf }, slow);
    clock.run(100);
    end();
    clock.run(20_000);
    expect(told).toEqual([]);
    expect(said).toEqual([]);
    const kept = look({ ...reading, startIf }, slow);
    kept.clock.run(20_000);
    expect(kept.said).toHaveLength(1);
  });

  it('is asked for no service without conditions', () => {
    expect(look(serviceSpec()).told).toMatchObject([new Error('internal error: web.service has no conditions')]);
  });
});
