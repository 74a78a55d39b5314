import { describe, expect, it } from 'vitest';
import type { ServiceSpec } from '../../../src/model/service/service-spec.ts';
import { VirtualClock } from '../../../src/runtime/simulated/virtual-clock.ts';
import {
  type EnvironmentPorts,
  readPatience,
  type StartEnvironment,
  startEnvironment,
} from '../../../src/runtime/units/start-environment.ts';
import { serviceSpec } from '../../model/specs.ts';

type Told = Parameters<EnvironmentPorts['kernel']['readValues']>[1];
type Compose = Awaited<ReturnType<EnvironmentPorts['loadValues']>>;

const plain = serviceSpec({ environment: { A: 'a' } });
const values = {
  envDir: '/env',
  envFiles: [],
  secrets: [],
  places: [],
  levels: [],
  outer: 0,
  outputs: new Map<string, string>(),
};
const reading: ServiceSpec = { ...plain, values };
const composed = { ok: true, environment: { B: 'b' }, hidden: new Set(['B']), ignored: [] } as const;

/** Makes the environment of a start whose files are read when the test says so. */
function make(service: ServiceSpec, loadValues: EnvironmentPorts['loadValues'] = () => () => composed) {
  const clock = new VirtualClock();
  const results: StartEnvironment[] = [];
  const said: string[] = [];
  let finish: Told | undefined;
  const giveUp = startEnvironment(
    service,
    { SERIAL: '3' },
    {
      kernel: {
        readValues: (_, told) => {
          finish = told;
        },
      },
      clock,
      loadValues,
      onMessage: ({ text }) => said.push(text),
    },
    (result) => results.push(result),
  );
  return { clock, results, said, giveUp, reads: () => finish !== undefined, finish: () => finish?.([]) };
}

const failed = (code: string, detail: string) => ({
  ok: false,
  error: { code, stage: 'values', program: '/bin/web', detail: `read its values: ${detail}` },
});

describe('the environment of a start', () => {
  it('is there at once where nothing is read', () => {
    const { results, giveUp, reads, clock } = make(plain);
    expect(reads()).toBe(false);
    expect(results).toMatchObject([{ ok: true, environment: { A: 'a' } }]);
    giveUp();
    clock.run();
    expect(results).toHaveLength(1);
  });

  it('is made of what is read, once that is there', () => {
    const given: unknown[] = [];
    const compose: Compose = (...args) => {
      given.push(args);
      return composed;
    };
    const { results, finish, clock } = make(reading, () => compose);
    expect(results).toEqual([]);
    finish();
    expect(given).toEqual([[values, [], { SERIAL: '3' }]]);
    expect(results).toMatchObject([{ ok: true, environment: { B: 'b' } }]);
    clock.run();
    expect(results).toHaveLength(1);
    // Nothing waits for the files any more.
    expect(clock.now()).toBe(0);
  });

  it('tells which lines of files it has not taken', () => {
    const ignored = [{ path: '/env/A', lines: [2] }];
    const { said, finish } = make(reading, () => () => ({ ...composed, ignored }));
    finish();
    expect(said).toHaveLength(1);
    expect(said[0]).toContain('/env/A');
  });

  it('fails where it cannot be made', () => {
    const { results, finish, clock } = make(reading, () => () => ({
      ok: false,
      code: 'EACCES',
      detail: 'read its values: no',
    }));
    finish();
    clock.run();
    expect(results).toEqual([failed('EACCES', 'no')]);
  });

  it('fails where its files are not read in time', () => {
    const { results, finish, clock } = make(reading);
    clock.run(readPatience - 1);
    expect(results).toEqual([]);
    clock.run(readPatience);
    expect(results).toEqual([failed('ETIMEDOUT', 'they were not read within 10 s')]);
    finish();
    expect(results).toHaveLength(1);
  });

  it('is made late where what makes it is loaded first', async () => {
    const { results, finish } = make(reading, async () => () => composed);
    finish();
    expect(results).toEqual([]);
    await Promise.resolve();
    expect(results).toMatchObject([{ ok: true }]);
  });

  it.each([
    [Object.assign(new Error('gone'), { code: 'ENOENT' }), 'ENOENT', 'gone'],
    [new Error('broken'), 'EIO', 'broken'],
  ])('fails where what makes it cannot be loaded: %s', async (error, code, detail) => {
    const { results, finish } = make(reading, () => Promise.reject(error));
    finish();
    for (let turn = 0; turn < 4; turn++) await Promise.resolve();
    expect(results).toEqual([failed(code, detail)]);
  });

  it('is told as cancelled, in a later turn, where it is given up', () => {
    const { results, giveUp, finish, clock } = make(reading);
    giveUp();
    expect(results).toEqual([]);
    clock.run();
    expect(results).toEqual([failed('ECANCELED', 'its start was cancelled')]);
    expect(clock.now()).toBe(0);
    finish();
    giveUp();
    clock.run();
    expect(results).toHaveLength(1);
  });

  it('says nothing of files that come too late', () => {
    const ignored = [{ path: '/env/A', lines: [2] }];
    const { said, results, finish, clock } = make(reading, () => () => ({ ...composed, ignored }));
    clock.run(readPatience);
    finish();
    expect(said).toEqual([]);
    expect(results).toHaveLength(1);
  });

  it('is told once as cancelled where what makes it cannot be loaded either', async () => {
    const { results, giveUp, finish, clock } = make(reading, () => Promise.reject(new Error('broken')));
    finish();
    giveUp();
    clock.run();
    for (let turn = 0; turn < 4; turn++) await Promise.resolve();
    expect(results).toEqual([failed('ECANCELED', 'its start was cancelled')]);
  });

  it('stays as it is where it is given up too late', () => {
    const { results, giveUp, finish, clock } = make(reading);
    finish();
    giveUp();
    clock.run();
    expect(results).toMatchObject([{ ok: true }]);
    expect(results).toHaveLength(1);
  });
});
