import { describe, expect, it } from 'vitest';
import { createActor, fromCallback } from 'xstate';
import { serviceMachine } from '../../src/machines/service.ts';
import { type SystemCommand, systemMachine } from '../../src/machines/system.ts';
import { unitMachine } from '../../src/machines/unit.ts';
import { phaseOf } from '../../src/model/ledger/slot.ts';
import { buildDependencyGraph } from '../../src/model/order/dependency-graph.ts';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import type { UnitFact, UnitReport, UnitRequest, UnitRun } from '../../src/model/service/unit-events.ts';
import { serviceSpec, systemSpec } from '../model/specs.ts';

type Given = Partial<ServiceSpec> & { readonly name: string };

/** A system whose services are ready at once, and end when they are told to. */
function system(...given: readonly Given[]) {
  const log: string[] = [];
  let pid = 10;
  const processes = fromCallback<UnitRequest, UnitRun, UnitFact | UnitReport>(({ input, sendBack, receive }) => {
    const { service, serial } = input;
    const own = pid++;
    log.push(`start ${service.name}`);
    receive(() => {
      log.push(`stop ${service.name}`);
      const status = { kind: 'exited', code: 0 } as const;
      sendBack({ type: 'unit.leaderExited', serial, pid: own, status, left: 0, age: 0, at: 1 });
    });
    sendBack({ type: 'unit.spawned', serial, pid: own, at: 1 });
  });
  const unit = unitMachine.provide({ actors: { processes } });
  const services = given.map((changes) => serviceSpec({ startupPause: 0, ...changes }));
  const spec = systemSpec(services, { detectExit: false });
  const timers: (() => void)[] = [];
  const actor = createActor(
    systemMachine.provide({
      actors: { service: serviceMachine.provide({ actors: { unit } }), processTable: fromCallback(() => undefined) },
    }),
    {
      input: { spec, graph: buildDependencyGraph(services), missingPrograms: [] },
      // Only timers of length 0 fire: no test here waits for time.
      clock: {
        setTimeout: (callback, delay) => (delay === 0 ? timers.push(callback) : 0),
        clearTimeout: () => undefined,
      },
    },
  ).start();
  const settle = (): void => {
    for (let timer = timers.shift(); timer !== undefined; timer = timers.shift()) timer();
  };
  settle();
  return {
    phases: () =>
      Object.fromEntries(
        actor
          .getSnapshot()
          .context.ledger.slots.all()
          .map((slot) => [slot.spec.name, phaseOf(slot)]),
      ),
    hasStopped: () => actor.getSnapshot().matches({ draining: 'clearing' }),
    ask: (request: SystemCommand): readonly string[] => {
      log.length = 0;
      actor.send(request);
      settle();
      return [...log];
    },
  };
}

const start = (names: readonly string[], changes: { readonly enable?: boolean; readonly force?: boolean } = {}) =>
  ({ type: 'services.start', names, enable: false, force: false, at: 2, ...changes }) as const;
const stop = (names: readonly string[], changes: { readonly disable?: boolean; readonly again?: boolean } = {}) =>
  ({ type: 'services.stop', names, disable: false, again: false, drain: false, at: 2, ...changes }) as const;

const chain = [{ name: 'a' }, { name: 'b', prerequisites: ['a'] }, { name: 'c', prerequisites: ['b'] }];

describe('by hand', () => {
  it('several stop against the order and start along it, whatever order they are named in', () => {
    const { ask, phases } = system(...chain);
    expect(ask(stop(['a', 'c', 'b']))).toEqual(['stop c', 'stop b', 'stop a']);
    expect(phases()).toEqual({ a: 'stopped', b: 'stopped', c: 'stopped' });
    expect(ask(start(['c', 'b', 'a']))).toEqual(['start a', 'start b', 'start c']);
    expect(phases()).toEqual({ a: 'ready.running', b: 'ready.running', c: 'ready.running' });
  });

  it('a stop or a restart of one service leaves the others alone', () => {
    const { ask, phases } = system(...chain);
    expect(ask(stop(['a']))).toEqual(['stop a']);
    expect(phases()).toEqual({ a: 'stopped', b: 'ready.running', c: 'ready.running' });
    expect(ask(stop(['b'], { again: true }))).toEqual(['stop b']);
    expect(phases()).toMatchObject({ b: 'pending' });
    expect(ask(start(['a']))).toEqual(['start a', 'start b']);
  });

  it('a restart of several is a stop against the order and a start along it', () => {
    const { ask } = system(...chain);
    expect(ask(stop(['b', 'c'], { again: true }))).toEqual(['stop c', 'stop b', 'start b', 'start c']);
  });

  it('a forced start also starts prerequisites, and starts running services anew', () => {
    const { ask } = system(...chain);
    ask(stop(['a', 'b', 'c']));
    expect(ask(start(['c'], { force: true }))).toEqual(['start a', 'start b', 'start c']);
    expect(ask(start(['b'], { force: true }))).toEqual(['stop b', 'start b']);
  });

  it('a disabled service starts only when it is enabled, and holds up no other service', () => {
    const { ask, phases } = system({ name: 'a', enabled: false }, { name: 'b', prerequisites: ['a'] });
    expect(ask(start(['a']))).toEqual([]);
    expect(ask(start(['a'], { enable: true }))).toEqual(['start a']);
    expect(ask(stop(['a'], { disable: true }))).toEqual(['stop a']);
    expect(phases()).toEqual({ a: 'disabled', b: 'ready.running' });
    ask({ type: 'services.enable', names: ['a'], at: 3 });
    expect(phases()).toEqual({ a: 'stopped', b: 'ready.running' });
    ask({ type: 'services.disable', names: ['b'], at: 3 });
    expect(phases()).toEqual({ a: 'stopped', b: 'ready.running' });
    expect(ask(stop(['b']))).toEqual(['stop b']);
    expect(phases()).toEqual({ a: 'stopped', b: 'disabled' });
  });

  it('a stop cancels a queued restart, which then keeps no end of the system waiting', () => {
    const { ask, phases } = system(...chain);
    ask(stop(['a']));
    ask(stop(['b'], { again: true }));
    expect(ask(stop(['b']))).toEqual([]);
    expect(phases()).toEqual({ a: 'stopped', b: 'stopped', c: 'ready.running' });
    expect(ask(start(['a']))).toEqual(['start a']);
    expect(ask(start(['b']))).toEqual(['start b']);
    ask(stop(['a']));
    ask(stop(['b'], { again: true }));
    expect(phases()).toMatchObject({ b: 'pending' });
    const end = { kind: 'signal', signal: 'SIGTERM' } as const;
    expect(ask({ type: 'system.shutdown', end, forced: false, at: 4 })).toEqual(['stop c']);
    expect(phases()).toEqual({ a: 'stopped', b: 'stopped', c: 'stopped' });
  });

  it('a service whose account is missing is not started, however it is asked', () => {
    const { ask } = system({ name: 'a', enabled: false, missingAccount: 'nobody' });
    expect(ask(start(['a'], { enable: true, force: true }))).toEqual([]);
  });

  it('a reset makes an exited service startable again', () => {
    const { ask, phases } = system(...chain);
    ask({ type: 'services.reset', names: ['c'], force: false, at: 3 });
    expect(phases()).toMatchObject({ c: 'ready.running' });
    expect(ask({ type: 'services.reset', names: ['c'], force: true, at: 3 })).toEqual(['stop c']);
    expect(phases()).toMatchObject({ c: 'stopped' });
  });

  it('a service that has ended and is queued again holds up neither the end of the system nor a stop', () => {
    const shutdown = {
      type: 'system.shutdown',
      end: { kind: 'signal', signal: 'SIGTERM' },
      forced: false,
      at: 4,
    } as const;
    const stopped = { a: 'stopped', b: 'stopped', c: 'stopped' };
    const waiting = () => {
      const world = system(...chain);
      world.ask(stop(['a', 'b', 'c']));
      world.ask(start(['c']));
      expect(world.phases()).toEqual({ a: 'stopped', b: 'stopped', c: 'pending' });
      return world;
    };

    const ending = waiting();
    expect(ending.ask(shutdown)).toEqual([]);
    expect(ending.phases()).toEqual(stopped);
    expect(ending.hasStopped()).toBe(true);

    const restarted = system(...chain);
    restarted.ask(stop(['a']));
    restarted.ask(stop(['b'], { again: true }));
    expect(restarted.ask(shutdown)).toEqual(['stop c']);
    expect(restarted.hasStopped()).toBe(true);

    const byHand = waiting();
    byHand.ask(stop(['c']));
    expect(byHand.phases()).toEqual(stopped);
    expect(byHand.ask(start(['a', 'b', 'c']))).toEqual(['start a', 'start b', 'start c']);

    const again = waiting();
    again.ask(stop(['c'], { again: true }));
    expect(again.phases()).toEqual({ a: 'stopped', b: 'stopped', c: 'pending' });
    again.ask(stop(['c'], { disable: true }));
    expect(again.phases()).toEqual({ a: 'stopped', b: 'stopped', c: 'disabled' });
  });

  it('a service that was disabled and waits for its first start holds up no end of the system', () => {
    const { ask, hasStopped } = system({ name: 'a' }, { name: 'b', prerequisites: ['a'], enabled: false });
    ask(stop(['a']));
    expect(ask(start(['b'], { enable: true }))).toEqual([]);
    ask({ type: 'system.shutdown', end: { kind: 'signal', signal: 'SIGTERM' }, forced: false, at: 4 });
    expect(hasStopped()).toBe(true);
  });
});
