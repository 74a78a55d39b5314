import { describe, expect, it } from 'vitest';
import { createActor, setup } from 'xstate';
import type { ExitStatus } from '../../../src/model/service/exit-status.ts';
import type { Claim } from '../../../src/model/service/pidfile.ts';
import type { ServiceSpec } from '../../../src/model/service/service-spec.ts';
import type { PidfileText, ProcessView } from '../../../src/runtime/kernel.ts';
import { SimulatedKernel } from '../../../src/runtime/simulated/simulated-kernel.ts';
import { VirtualClock } from '../../../src/runtime/simulated/virtual-clock.ts';
import { Pidfiles, pidfilePath } from '../../../src/runtime/units/pidfiles.ts';
import { serviceSpec } from '../../model/specs.ts';

const service = serviceSpec({ name: 'web.service', type: 'forking', pidfile: '/run/web.pid' });
const path = '/run/web.pid';
const owners: Readonly<Record<number, string>> = { 20: 'web.service', 30: 'db.service' };

/** Pidfiles on a machine where all processes from 2 to 99 live. */
function make() {
  const clock = new VirtualClock();
  const { following } = new SimulatedKernel(clock, { has: () => true, script: () => undefined });
  const files = new Map<string, PidfileText>();
  const removed: string[] = [];
  const said: string[] = [];
  const told: unknown[] = [];
  const ends = new Map<number, { readonly status: ExitStatus; readonly at: number }>();
  const state = { removal: undefined as string | undefined, lateness: 0, sinces: [] as number[] };
  /** The times since which somebody has asked for lateness. */
  const lateSinces: number[] = [];
  const read: string[] = [];
  const pidfiles = new Pidfiles({
    following: {
      ...following,
      lookUp: (pid): ProcessView | undefined =>
        pid > 1 && pid < 100 ? { pid, parent: 1, group: pid, uid: pid === 40 ? 7 : 0, began: 5 } : undefined,
      readPidfile: (name) => {
        read.push(name);
        return files.get(name);
      },
      removePidfile: (name) => {
        removed.push(name);
        return state.removal;
      },
    },
    clock: {
      now: () => clock.now(),
      realTime: () => clock.realTime(),
      monotonicTime: () => clock.monotonicTime(),
      wallTime: () => clock.wallTime(),
      onWallJump: (listener) => clock.onWallJump(listener),
      setTimeout: (callback, delay) => clock.setTimeout(callback, delay),
      clearTimeout: (id) => clock.clearTimeout(id),
      lateness: (since) => {
        lateSinces.push(since);
        return state.lateness;
      },
    },
    claimOf: ({ name }, { pid }): Claim => ({
      service: name,
      accountUid: 0,
      owner: owners[pid],
      startBegan: undefined,
      isOwn: false,
    }),
    endOf: (pid, since) => {
      state.sinces.push(since);
      return ends.get(pid);
    },
    onMessage: ({ text }) => said.push(text),
  });
  let stamp = 0;
  const write = (text: string, byRoot = true): void => {
    stamp += 1;
    files.set(path, { stamp: String(stamp), text, byRoot });
  };
  /** Waits for the file, as the readiness machine does. */
  const wait = (spec: ServiceSpec = service) => {
    const machine = setup({ actors: { pidfile: pidfiles.logic() } }).createMachine({
      initial: 'waiting',
      states: {
        waiting: {
          invoke: { src: 'pidfile', input: { service: spec, serial: 3 } },
          on: { stop: 'over', '*': { actions: ({ event }) => told.push(event) } },
        },
        over: {},
      },
    });
    const waiting = createActor(machine);
    waiting.start();
    return { stop: () => waiting.send({ type: 'stop' }) };
  };
  return { pidfiles, clock, files, removed, said, told, ends, state, lateSinces, read, write, wait };
}

describe('a look at a pidfile', () => {
  it.each([
    ['20\n', { pid: 20 }],
    ['nothing', { trouble: 'garbage' }],
    ['1', { trouble: 'refused', pid: 1, refusal: 'first', owner: undefined }],
    ['2', { pid: 2 }],
    ['100', { trouble: 'dead', pid: 100 }],
    ['30', { trouble: 'refused', pid: 30, refusal: 'owned', owner: 'db.service' }],
  ])('finds in %j what it says', (text, found) => {
    const { pidfiles, write } = make();
    pidfiles.noteBefore(service);
    expect(pidfiles.look(service)).toEqual({ trouble: 'absent' });
    write(text);
    expect(pidfiles.look(service)).toEqual(found);
  });

  it('finds nothing in a file that was there before the start, and something once it is written again', () => {
    const { pidfiles, write } = make();
    write('20');
    pidfiles.noteBefore(service);
    expect(pidfiles.look(service)).toEqual({ trouble: 'unchanged' });
    expect(pidfiles.names(service, 20)).toBe(false);
    write('20');
    expect(pidfiles.look(service)).toEqual({ pid: 20 });
    expect(pidfiles.names(service, 20)).toBe(true);
    expect(pidfiles.names(service, 21)).toBe(false);
  });

  it('refuses the process of another account unless root has written the file', () => {
    const { pidfiles, write } = make();
    write('40', false);
    expect(pidfiles.look(service)).toMatchObject({ trouble: 'refused', refusal: 'foreign' });
    write('40', true);
    expect(pidfiles.look(service)).toEqual({ pid: 40 });
  });
});

describe('the removal of a pidfile', () => {
  it.each([
    ['that names the process that has ended', '20', 20, true],
    ['that names another one meanwhile', '21', 20, false],
    ['that holds no number', 'nothing', 20, false],
    ['of whatever content, when none is named', 'nothing', undefined, true],
    ['that names a process of another service', '30', undefined, false],
    ['that names a process that has gone', '100', undefined, true],
  ])('of a file %s', (_, text, of, expected) => {
    const { pidfiles, removed, said, write } = make();
    pidfiles.noteBefore(service);
    write(text);
    pidfiles.remove(service, of);
    expect(removed).toEqual(expected ? [path] : []);
    expect(said).toEqual([]);
  });

  it('spares what was there before the start, and what is not there', () => {
    const { pidfiles, removed, write } = make();
    pidfiles.remove(service);
    write('20');
    pidfiles.noteBefore(service);
    pidfiles.remove(service);
    expect(removed).toEqual([]);
    pidfiles.forget(service.name);
    pidfiles.remove(service);
    expect(removed).toEqual([path]);
  });

  it('tells where the file cannot be removed', () => {
    const { pidfiles, said, state, write } = make();
    state.removal = 'EROFS';
    write('20');
    pidfiles.remove(service);
    expect(said).toEqual([`web.service is stopped, but its pid file '${path}' cannot be removed (EROFS)`]);
  });
});

describe('the start that a pidfile names', () => {
  it('is the one that is under way', () => {
    const { pidfiles, write } = make();
    write('20');
    expect(pidfiles.starterOf(20)).toBeUndefined();
    pidfiles.noteBefore(service);
    write('20');
    expect(pidfiles.starterOf(20)).toBe('web.service');
    expect(pidfiles.starterOf(21)).toBeUndefined();
    pidfiles.forget(service.name);
    expect(pidfiles.starterOf(20)).toBeUndefined();
  });

  it('is none for a service without a pidfile', () => {
    const { pidfiles, read, write } = make();
    const { pidfile: _, ...without } = service;
    pidfiles.noteBefore(without);
    write('20');
    expect(pidfiles.starterOf(20)).toBeUndefined();
    expect(pidfiles.names(without, 20)).toBe(false);
    expect(read).toEqual([]);
  });

  it('is under way until nobody waits for the file any more', () => {
    const { pidfiles, clock, wait, write } = make();
    pidfiles.noteBefore(service);
    const looking = wait();
    clock.run(10);
    write('20');
    expect(pidfiles.starterOf(20)).toBe('web.service');
    looking.stop();
    expect(pidfiles.starterOf(20)).toBeUndefined();
  });
});

describe('waiting for a pidfile', () => {
  it('looks at once in a later turn, and ends with the process that is named', () => {
    const { pidfiles, clock, told, wait, write } = make();
    pidfiles.noteBefore(service);
    write('20');
    wait();
    expect(told).toEqual([]);
    clock.run(0);
    expect(told).toEqual([{ type: 'pidfile.found', serial: 3, pid: 20, at: 0 }]);
    clock.run();
    expect(told).toHaveLength(1);
  });

  it('tells each trouble once, and looks less and less often', () => {
    const { pidfiles, clock, told, wait, write } = make();
    pidfiles.noteBefore(service);
    wait();
    // 0, 20, 50, 95, 163, 265: each pause is half as long again.
    clock.run(94);
    write('nothing');
    clock.run(200);
    write('20');
    clock.run(264);
    expect(told).toEqual([{ type: 'pidfile.seen', serial: 3, trouble: 'garbage', at: 95 }]);
    clock.run(265);
    expect(told[1]).toEqual({ type: 'pidfile.found', serial: 3, pid: 20, at: 265 });
  });

  it('looks at least every 3 seconds', () => {
    const { pidfiles, clock, told, wait, write } = make();
    pidfiles.noteBefore(service);
    wait();
    clock.run(60_000);
    write('20');
    clock.run(63_000);
    expect(told).toHaveLength(1);
  });

  it('ends with its wait', () => {
    const { pidfiles, clock, told, said, wait, write } = make();
    pidfiles.noteBefore(service);
    const looking = wait();
    clock.run(10);
    looking.stop();
    // It would be refused.
    write('30');
    clock.run();
    expect(told).toEqual([]);
    expect(said).toEqual([]);
  });

  it('warns once of each process that it refuses', () => {
    const { pidfiles, clock, said, wait, write } = make();
    pidfiles.noteBefore(service);
    wait();
    write('30');
    clock.run(1_000);
    expect(said).toHaveLength(1);
    expect(said[0]).toContain(`web.service does not follow pid 30 from pid file '${path}'`);
    write('40', false);
    clock.run(10_000);
    expect(said).toHaveLength(2);
  });

  it('takes the end of a process that it could not see alive as the end of the service, and only then', () => {
    const { pidfiles, clock, told, ends, state, wait, write } = make();
    const end = { status: { kind: 'exited', code: 3 }, at: 70 } as const;
    clock.run(50);
    pidfiles.noteBefore(service);
    ends.set(100, end);
    wait();
    clock.run(55);
    write('100');
    // Chaperone was awake: the process was dead before the file named it.
    clock.run(80);
    expect(told).toEqual([{ type: 'pidfile.seen', serial: 3, trouble: 'dead', at: 70 }]);
    expect(state.sinces).toEqual([]);
    // A file that named a dead process at the last look names it still.
    state.lateness = 101;
    clock.run(110);
    expect(state.sinces).toEqual([]);
    write('nothing');
    clock.run(150);
    write('100');
    clock.run(220);
    expect(state.sinces).toEqual([50]);
    expect(told.at(-1)).toMatchObject({ type: 'pidfile.found', pid: 100, ended: { status: end.status, age: 20 } });
  });

  it('believes that it was awake where it was late by 100 ms', () => {
    const { pidfiles, clock, told, ends, state, wait, write } = make();
    pidfiles.noteBefore(service);
    ends.set(100, { status: { kind: 'exited', code: 0 }, at: 0 });
    state.lateness = 100;
    write('100');
    wait();
    clock.run(0);
    expect(told).toEqual([{ type: 'pidfile.seen', serial: 3, trouble: 'dead', at: 0 }]);
  });

  it.each([
    [100, 'pidfile.seen'],
    [101, 'pidfile.found'],
  ])('knows from a spawn that took %i ms what no timer has noticed', (took, type) => {
    const { pidfiles, clock, told, ends, wait, write } = make();
    clock.run(500);
    pidfiles.noteBefore(service);
    ends.set(100, { status: { kind: 'exited', code: 0 }, at: 501 });
    clock.setTimeout(() => {
      pidfiles.noteSpawned(service);
      write('100');
      wait();
    }, took);
    clock.run(500 + took);
    expect(told).toMatchObject([{ type }]);
  });

  it('asks whether it was awake since the start, and then since the look before', () => {
    const { pidfiles, clock, lateSinces, wait } = make();
    clock.run(50);
    pidfiles.noteBefore(service);
    clock.run(60);
    wait();
    clock.run(110);
    expect(lateSinces).toEqual([50, 60, 80]);
  });

  it('asks for the end of a process since whenever where it knows of no start', () => {
    const { clock, ends, state, lateSinces, told, wait, write } = make();
    clock.run(50);
    state.lateness = 101;
    ends.set(100, { status: { kind: 'exited', code: 0 }, at: 40 });
    write('100');
    wait();
    clock.run(50);
    expect(state.sinces).toEqual([0]);
    expect(lateSinces).toEqual([50]);
    expect(told).toMatchObject([{ type: 'pidfile.found', ended: { age: 40 } }]);
  });

  it('knows nothing of the starts of a service that was forgotten', () => {
    const forgotten = (pass: (made: ReturnType<typeof make>) => void) => {
      const made = make();
      made.ends.set(100, { status: { kind: 'exited', code: 0 }, at: 900 });
      made.pidfiles.noteBefore(service);
      made.clock.run(200);
      pass(made);
      made.write('100');
      made.clock.run(1_000);
      made.wait();
      made.clock.run(1_000);
      return made;
    };
    const late = forgotten(({ pidfiles }) => {
      pidfiles.forget(service.name);
      pidfiles.noteSpawned(service);
    });
    expect(late.told).toMatchObject([{ type: 'pidfile.seen' }]);
    expect(late.lateSinces).toEqual([1_000]);
    const again = forgotten(({ pidfiles }) => {
      pidfiles.noteSpawned(service);
      pidfiles.forget(service.name);
      pidfiles.noteBefore(service);
    });
    expect(again.told).toMatchObject([{ type: 'pidfile.seen' }]);
  });
});

describe('the path of a pidfile', () => {
  it.each([
    [{ pidfile: '/run/a.pid', directory: '/srv' }, '/run/a.pid'],
    // Chaperone leaves `..` in the path: behind a symbolic link the kernel alone knows which folder that is.
    [{ pidfile: '/run/link/../a.pid' }, '/run/link/../a.pid'],
    [{ pidfile: 'a.pid', directory: '/srv' }, '/srv/a.pid'],
    [{ pidfile: 'a.pid', account: { uid: 1, gid: 1, groups: [], name: 'a', home: '/home/a' } }, '/home/a/a.pid'],
  ])('of %j', (changes, expected) => {
    expect(pidfilePath(serviceSpec(changes))).toBe(expected);
  });
});
