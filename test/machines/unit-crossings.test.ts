import { describe, expect, it } from 'vitest';
import { createActor, fromCallback, SimulatedClock } from 'xstate';
import { unitMachine } from '../../src/machines/unit.ts';
import type { KillStep } from '../../src/model/service/hook.ts';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import type { SignalName } from '../../src/model/service/signal.ts';
import type { UnitFact, UnitReport, UnitRequest, UnitRun } from '../../src/model/service/unit-events.ts';
import { serviceSpec } from '../model/specs.ts';
import { cancelled, exit0, exit1, noSuchProgram, ScriptedPrograms } from './scripted.ts';

function scriptedUnit(changes: Partial<ServiceSpec> = {}, resumes?: UnitRun['resumes']) {
  const clock = new SimulatedClock();
  const programs = new ScriptedPrograms(clock);
  const told: string[] = [];
  const facts: UnitFact[] = [];
  const owner = createActor(
    fromCallback<UnitFact>(({ receive }) => {
      receive((fact) => {
        facts.push(fact);
        told.push(`${fact.type.slice('unit.'.length)} at ${fact.at}`);
      });
    }),
  ).start();
  const run: UnitRun = { service: serviceSpec(changes), serial: 1, ...(resumes === undefined ? {} : { resumes }) };
  const actor = createActor(programs.unit, { clock, input: { run, owner } }).start();
  return {
    actor,
    clock,
    told,
    facts,
    run: programs.run(),
    state: () => actor.getSnapshot().value,
    isOver: () => actor.getSnapshot().status === 'done',
    context: () => actor.getSnapshot().context,
    terminate: (signal: SignalName = 'SIGQUIT', patience = 0) =>
      actor.send({ type: 'unit.terminate', signal, patience, at: clock.now() }),
    /** Ends the unit with signals, each with its pause. */
    terminateBy: (...steps: readonly [KillStep, ...KillStep[]]) =>
      actor.send({ type: 'unit.terminate', signal: steps[0].signal, steps, at: clock.now() }),
    kill: (grace = 1_000) => actor.send({ type: 'unit.kill', grace, at: clock.now() }),
    lead: (pid: number) => actor.send({ type: 'unit.lead', pid }),
    signal: (signal: SignalName) => actor.send({ type: 'unit.signal', signal }),
  };
}

describe('a unit', () => {
  it('tells its owner of the spawn and of the exit', () => {
    const { clock, run, told, state, isOver, context, terminate } = scriptedUnit();
    expect(context().pid).toBeUndefined();
    run.spawned();
    expect(state()).toEqual({ present: 'alive' });
    const { pid } = context();
    expect(pid).toBeGreaterThan(1);
    terminate();
    expect(run.signals).toEqual(['SIGQUIT at 0']);
    clock.increment(10);
    run.exited();
    expect([state(), isOver()]).toEqual(['reaped', true]);
    expect(context().pid).toBe(pid);
    expect(told).toEqual(['spawned at 0', 'leaderExited at 10']);
  });

  it('is unspawned when the system refuses', () => {
    const { run, told, state, isOver } = scriptedUnit();
    run.spawnFailed(noSuchProgram);
    expect([state(), isOver()]).toEqual(['unspawned', true]);
    expect(told).toEqual(['spawnFailed at 0']);
  });

  it('is unspawned when its start was cancelled, and signals nobody', () => {
    const { run, told, state, isOver, kill } = scriptedUnit();
    kill();
    run.spawnFailed(cancelled);
    expect([state(), isOver()]).toEqual(['unspawned', true]);
    expect(run.signals).toEqual([]);
    expect(told).toEqual(['spawnFailed at 0']);
  });

  it('cancels nothing once it was spawned', () => {
    const { run, terminate, kill } = scriptedUnit();
    run.spawned();
    terminate();
    kill();
    expect(run.cancels).toBe(0);
  });

  it('is over when its exit comes before the report of its spawn', () => {
    const { run, told, state } = scriptedUnit();
    run.exited();
    run.spawned();
    expect(state()).toBe('reaped');
    expect(told).toEqual(['leaderExited at 0']);
  });

  it('cancels a start that is under way, and keeps the wish to end for a program that runs already', () => {
    const { clock, run, terminate, state } = scriptedUnit();
    terminate();
    clock.increment(5_000);
    expect([run.signals, run.cancels]).toEqual([[], 1]);
    run.spawned();
    expect(state()).toEqual({ present: { clearing: 'terminating' } });
    expect(run.signals).toEqual(['SIGQUIT at 5000']);
  });

  it('keeps the wish to end, too, where its exit comes first and something is left', () => {
    const { run, terminate, told, state } = scriptedUnit();
    terminate();
    run.exited(exit0, 1);
    expect(run.signals).toEqual(['SIGQUIT at 0']);
    run.look(0);
    expect(state()).toBe('reaped');
    expect(told).toEqual(['leaderExited at 0', 'cleared at 0']);
  });

  it.each([
    ['terminate, then kill', ['terminate', 'kill']],
    ['kill, then terminate', ['kill', 'terminate']],
  ] as const)('kills at once where both was wished for before the spawn: %s', (_, deeds) => {
    const unit = scriptedUnit();
    for (const deed of deeds) unit[deed]();
    expect(unit.run.cancels).toBe(2);
    unit.run.spawned();
    expect(unit.state()).toEqual({ present: { clearing: 'killing' } });
    expect(unit.run.signals).toEqual(['SIGKILL at 0']);
  });

  it('gets one signal, however often it is told to end, and SIGKILL only when it is told', () => {
    const { clock, run, terminate, kill, state } = scriptedUnit();
    run.spawned();
    terminate();
    clock.increment(900);
    terminate('SIGTERM');
    clock.increment(1_000_000);
    terminate();
    expect(run.signals).toEqual(['SIGQUIT at 0']);
    expect(state()).toEqual({ present: { clearing: 'terminating' } });
    kill();
    terminate();
    expect(run.signals).toEqual(['SIGQUIT at 0', 'SIGKILL at 1000900']);
    expect(state()).toEqual({ present: { clearing: 'killing' } });
  });

  it('says with SIGKILL by which signal, and for how long, it was asked to end', () => {
    const clock = new SimulatedClock();
    const asked: (UnitRequest & { type: 'unit.send' })['asked'][] = [];
    const processes = fromCallback<UnitRequest, UnitRun, UnitFact | UnitReport>(({ sendBack, receive }) => {
      receive((request) => {
        if (request.type === 'unit.send' && request.signal === 'SIGKILL') asked.push(request.asked);
      });
      sendBack({ type: 'unit.spawned', serial: 1, pid: 10, at: 0 });
    });
    const owner = createActor(fromCallback<UnitFact>(() => {}));
    const input = { run: { service: serviceSpec(), serial: 1 }, owner };
    const begin = () => createActor(unitMachine.provide({ actors: { processes } }), { clock, input }).start();
    const asking = begin();
    asking.send({ type: 'unit.terminate', signal: 'SIGINT', at: 100 });
    asking.send({ type: 'unit.kill', grace: 1_000, at: 2_100 });
    begin().send({ type: 'unit.kill', grace: 1_000, at: 2_100 });
    expect(asked).toEqual([{ signal: 'SIGINT', for: 2_000 }, undefined]);
  });

  it('gets several signals after the pause of the one before, and of each once', () => {
    const { clock, run, terminateBy, context } = scriptedUnit();
    run.spawned();
    clock.increment(10);
    terminateBy({ signal: 'SIGQUIT', pause: 100 }, { signal: 'SIGINT', pause: 50 }, { signal: 'SIGTERM', pause: 20 });
    clock.increment(99);
    expect(run.signals).toEqual(['SIGQUIT at 10']);
    clock.increment(1);
    clock.increment(49);
    expect(run.signals).toEqual(['SIGQUIT at 10', 'SIGINT at 110']);
    expect(context().signalled).toEqual({ signal: 'SIGINT', outcome: 'sent' });
    clock.increment(1);
    expect(run.signals).toEqual(['SIGQUIT at 10', 'SIGINT at 110', 'SIGTERM at 160']);
    expect(context()).toMatchObject({ at: 160, signalled: { signal: 'SIGTERM', outcome: 'sent' } });
    clock.increment(5_000);
    expect(run.signals).toHaveLength(3);
  });

  it.each(['kill', 'exit'] as const)('gets no further signal of a stop after its %s', (end) => {
    const { clock, run, terminateBy, kill } = scriptedUnit();
    run.spawned();
    terminateBy({ signal: 'SIGQUIT', pause: 100 }, { signal: 'SIGTERM', pause: 50 });
    clock.increment(99);
    if (end === 'kill') kill();
    else run.exited();
    clock.increment(5_000);
    expect(run.signals).toEqual(end === 'kill' ? ['SIGQUIT at 0', 'SIGKILL at 99'] : ['SIGQUIT at 0']);
  });

  it('says with SIGKILL for how long it has had the last of several signals', () => {
    const { clock, run, terminateBy, kill, context } = scriptedUnit();
    run.spawned();
    terminateBy({ signal: 'SIGQUIT', pause: 100 }, { signal: 'SIGTERM', pause: 50 });
    clock.increment(100);
    expect(context().asked).toEqual({ signal: 'SIGTERM', at: 100 });
    clock.increment(50);
    kill();
    expect(run.asked).toEqual([undefined, undefined, { signal: 'SIGTERM', for: 50 }]);
  });

  it('keeps the first of two requests that came before its spawn, with its signals', () => {
    const { clock, run, terminateBy, terminate } = scriptedUnit();
    terminateBy({ signal: 'SIGQUIT', pause: 100 }, { signal: 'SIGTERM', pause: 50 });
    terminate('SIGHUP');
    run.spawned();
    clock.increment(100);
    expect(run.signals).toEqual(['SIGQUIT at 0', 'SIGTERM at 100']);
  });

  it('knows of a signal that did not arrive', () => {
    const { run, terminate, context } = scriptedUnit();
    run.spawned();
    terminate();
    expect(context().signalled).toEqual({ signal: 'SIGQUIT', outcome: 'sent' });
    run.signalled('SIGQUIT', 'denied');
    expect(context().signalled).toEqual({ signal: 'SIGQUIT', outcome: 'denied' });
  });

  it('says for whom each signal is sent, and what it survives, to the ms', () => {
    const { clock, run, terminate, kill, signal, facts } = scriptedUnit();
    run.spawned();
    signal('SIGHUP');
    terminate();
    clock.increment(10);
    kill(300);
    run.exited(exit0, 1);
    run.look(1, true);
    clock.increment(300);
    expect(run.purposes).toEqual(['hand', 'stop', 'stop', 'again']);
    expect(facts.at(-1)).toEqual({ type: 'unit.survived', serial: 1, at: 310 });
    run.look(0);
    expect(facts.at(-1)).toEqual({ type: 'unit.cleared', serial: 1, at: 310 });
  });

  it('fails loudly where the port is not provided', async () => {
    const owner = createActor(fromCallback<UnitFact>(() => {}));
    const actor = createActor(unitMachine, { input: { run: { service: serviceSpec(), serial: 1 }, owner } });
    const error = await new Promise((resolve) => {
      actor.subscribe({ error: resolve });
      actor.start();
    });
    expect(String(error)).toContain('internal error: the port processes is not provided');
  });
});

describe('a unit that finds the end of its input', () => {
  it('is over without a signal where it ends by itself', () => {
    const { clock, run, isOver, terminate } = scriptedUnit();
    run.spawned();
    terminate('SIGTERM', 500);
    expect([run.finishes, run.signals]).toEqual([1, []]);
    clock.increment(499);
    run.exited();
    expect(isOver()).toBe(true);
    expect(run.signals).toEqual([]);
  });

  it('is signalled once its time is up, and once only', () => {
    const { clock, run, state, terminate } = scriptedUnit();
    run.spawned();
    terminate('SIGTERM', 500);
    terminate('SIGQUIT');
    clock.increment(500);
    expect(run.signals).toEqual(['SIGTERM at 500']);
    expect(state()).toEqual({ present: { clearing: 'terminating' } });
    clock.increment(5_000);
    expect([run.finishes, run.signals]).toEqual([1, ['SIGTERM at 500']]);
  });

  it('has what its leader has left signalled at once', () => {
    const { clock, run, terminate } = scriptedUnit();
    run.spawned();
    terminate('SIGTERM', 500);
    clock.increment(100);
    run.exited(exit0, 2);
    expect(run.signals).toEqual(['SIGTERM at 100']);
    clock.increment(1_000);
    expect(run.signals).toEqual(['SIGTERM at 100']);
  });

  it('is killed at any time', () => {
    const { clock, run, terminate, kill } = scriptedUnit();
    run.spawned();
    terminate('SIGTERM', 500);
    clock.increment(100);
    kill();
    clock.increment(1_000);
    expect(run.signals).toEqual(['SIGKILL at 100']);
  });

  it('finds it also where the stop came before the spawn, and not where the leader is gone', () => {
    const { clock, run, terminate } = scriptedUnit();
    terminate('SIGTERM', 500);
    run.spawned();
    expect([run.finishes, run.signals]).toEqual([1, []]);
    clock.increment(500);
    expect(run.signals).toHaveLength(1);
    const other = scriptedUnit();
    other.run.spawned();
    other.run.exited(exit0, 1);
    other.terminate('SIGTERM', 500);
    expect([other.run.finishes, other.run.signals]).toEqual([0, ['SIGTERM at 0']]);
  });
});

describe('what a leader leaves behind', () => {
  it('lives on, and is ended by a stop', () => {
    const { clock, run, told, state, terminate } = scriptedUnit();
    run.spawned().exited(exit0, 2);
    expect(state()).toEqual({ present: 'remaining' });
    clock.increment(60_000);
    run.look(1);
    expect([run.signals, run.looks, state()]).toEqual([[], 0, { present: 'remaining' }]);
    terminate();
    expect(run.signals).toEqual(['SIGQUIT at 60000']);
    expect(state()).toEqual({ present: { clearing: 'terminating' } });
    run.left = 0;
    clock.increment(20);
    expect(state()).toBe('reaped');
    expect(told).toEqual(['spawned at 0', 'leaderExited at 0', 'cleared at 60020']);
  });

  it('is over when it has ended by itself', () => {
    const { run, told, state } = scriptedUnit();
    run.spawned().exited(exit1, 1);
    run.look(0);
    expect(state()).toBe('reaped');
    expect(told.at(-1)).toBe('cleared at 0');
  });

  it('is looked for again and again while it is to end, less and less often', () => {
    const { clock, run, terminate } = scriptedUnit();
    run.spawned();
    terminate();
    run.exited(exit0, 1);
    const looks = [20, 40, 80, 160, 250, 250].map((pause) => {
      clock.increment(pause - 1);
      const before = run.looks;
      clock.increment(1);
      return [before, run.looks];
    });
    expect(looks).toEqual([
      [0, 1],
      [1, 2],
      [2, 3],
      [3, 4],
      [4, 5],
      [5, 6],
    ]);
    expect(run.signals).toHaveLength(1);
  });

  it('gets SIGKILL, and is said to survive it, and is over all the same when it ends at last', () => {
    const { clock, run, told, state, terminate, kill } = scriptedUnit();
    run.spawned();
    terminate();
    run.exited(exit0, 1);
    clock.increment(2_000);
    kill(500);
    clock.increment(499);
    expect(state()).toEqual({ present: { clearing: 'killing' } });
    clock.increment(1);
    expect(state()).toEqual({ present: { clearing: 'surviving' } });
    expect(told.at(-1)).toMatch(/^survived/);
    kill(500);
    expect(run.signals).toEqual(['SIGQUIT at 0', 'SIGKILL at 2000', 'SIGKILL at 2500']);
    clock.increment(500);
    expect(told.filter((line) => line.startsWith('survived'))).toHaveLength(2);
    run.left = 0;
    clock.increment(250);
    expect(state()).toBe('reaped');
    expect(told.at(-1)).toMatch(/^cleared/);
  });

  it('is looked for after SIGKILL, too, and what was forked meanwhile gets it as well', () => {
    const { clock, run, state, kill } = scriptedUnit();
    run.spawned();
    kill();
    run.exited({ kind: 'signaled', signal: 'SIGKILL', coreDumped: false }, 1);
    run.look(1, true);
    expect(run.signals).toEqual(['SIGKILL at 0', 'SIGKILL at 0']);
    for (const pause of [40, 80, 160]) clock.increment(pause);
    expect(run.looks).toBeGreaterThan(1);
    expect(run.signals).toHaveLength(2);
    run.left = 0;
    clock.increment(250);
    expect(state()).toBe('reaped');
  });

  it('is not said to survive where it ends in time', () => {
    const { clock, run, told, state, kill } = scriptedUnit();
    run.spawned();
    kill(500);
    run.exited({ kind: 'signaled', signal: 'SIGKILL', coreDumped: false }, 1);
    run.left = 0;
    clock.increment(400);
    expect(state()).toBe('reaped');
    clock.increment(60_000);
    expect(told.some((line) => line.startsWith('survived'))).toBe(false);
  });

  it('of a service that may name another leader is kept though nothing is left', () => {
    const { run, state, told, terminate } = scriptedUnit({ type: 'notify' });
    run.spawned().exited();
    run.look(0);
    expect(state()).toEqual({ present: 'remaining' });
    expect(told).toEqual(['spawned at 0', 'leaderExited at 0']);
    terminate();
    expect(state()).toBe('reaped');
    expect(told.at(-1)).toBe('cleared at 0');
  });
});

describe('another leader', () => {
  it('is the one whose end counts, whether the first one lives or not', () => {
    const { run, state, context, told, lead } = scriptedUnit({ type: 'notify' });
    run.spawned();
    lead(4711);
    expect([run.leads, context().pid]).toEqual([[4711], 4711]);
    run.exited(exit0, 1);
    expect(state()).toEqual({ present: 'remaining' });
    lead(4712);
    expect(state()).toEqual({ present: 'alive' });
    run.exited(exit0, 0);
    expect(told.filter((line) => line.startsWith('leaderExited'))).toHaveLength(2);
  });

  it('is ignored before the spawn', () => {
    const { run, lead } = scriptedUnit({ type: 'notify' });
    lead(4711);
    expect(run.leads).toEqual([]);
  });

  it('that is named while it is to end has to end, too', () => {
    const { clock, run, state, lead, terminate } = scriptedUnit({ type: 'forking', pidfile: '/run/web.pid' });
    run.spawned().exited(exit0, 1);
    terminate();
    lead(4711);
    run.look(0);
    clock.increment(60_000);
    expect(state()).toEqual({ present: { clearing: 'terminating' } });
    run.exited(exit0);
    expect(state()).toBe('reaped');
  });
});

describe('a signal by hand', () => {
  it('is passed on in every state in which something may hear it, and moves nothing', () => {
    const { run, state, signal, terminate, context } = scriptedUnit();
    signal('SIGHUP');
    run.spawned();
    signal('SIGUSR1');
    run.exited(exit0, 1);
    signal('SIGUSR2');
    expect(state()).toEqual({ present: 'remaining' });
    terminate();
    signal('SIGHUP');
    expect(run.signals).toEqual(['SIGUSR1 at 0', 'SIGUSR2 at 0', 'SIGQUIT at 0', 'SIGHUP at 0']);
    expect(context().signalled).toEqual({ signal: 'SIGHUP', outcome: 'sent' });
  });
});

describe('a unit with kill_mode: mixed', () => {
  it('has what its leader has left killed at a stop, without another signal', () => {
    const { run, terminate } = scriptedUnit({ killMode: 'mixed' });
    run.spawned().exited(exit0, 1);
    expect(run.signals).toEqual([]);
    terminate();
    expect(run.signals).toEqual(['SIGKILL at 0']);
  });

  it('has it killed once its leader has ended by the signal', () => {
    const { clock, run, terminate, isOver } = scriptedUnit({ killMode: 'mixed' });
    run.spawned();
    terminate();
    clock.increment(10);
    run.exited(exit0, 1);
    expect(run.signals).toEqual(['SIGQUIT at 0', 'SIGKILL at 10']);
    run.look(0);
    expect(isOver()).toBe(true);
  });

  it('has it killed where the leader ends at the end of its input', () => {
    const { clock, run, terminate, isOver } = scriptedUnit({ killMode: 'mixed' });
    run.spawned();
    terminate('SIGTERM', 500);
    clock.increment(10);
    run.exited(exit0, 1);
    expect(run.signals).toEqual(['SIGKILL at 10']);
    run.look(0);
    expect(isOver()).toBe(true);
  });

  it('has nothing killed where its leader leaves nothing', () => {
    const { run, terminate, isOver, told } = scriptedUnit({ killMode: 'mixed' });
    run.spawned();
    terminate();
    run.exited(exit0, 0);
    expect([run.signals, isOver()]).toEqual([['SIGQUIT at 0'], true]);
    expect(told).toEqual(['spawned at 0', 'leaderExited at 0']);
  });

  it('has it killed where the stop came before the spawn, and the exit before its report', () => {
    const { run, terminate } = scriptedUnit({ killMode: 'mixed' });
    terminate();
    run.exited(exit0, 1);
    expect(run.signals).toEqual(['SIGKILL at 0']);
  });
});

describe('a unit that is there already', () => {
  it('is not spawned, and ends like any other', () => {
    const { run, state, told, terminate } = scriptedUnit({}, { pid: 4711, asked: false });
    expect(state()).toEqual({ present: 'alive' });
    terminate();
    run.exited();
    expect(state()).toBe('reaped');
    expect(told).toEqual(['leaderExited at 0']);
  });

  it('is not signalled again where it has been asked to end', () => {
    const { run, told, state } = scriptedUnit({}, { pid: 4711, asked: true });
    expect(state()).toEqual({ present: { clearing: 'resuming' } });
    expect(run.signals).toEqual([]);
    run.exited();
    expect(state()).toBe('reaped');
    expect(told).toEqual(['leaderExited at 0']);
  });

  it('may have lost its leader: what is left is over once nobody is found', () => {
    const { run, state, told, terminate } = scriptedUnit({ type: 'forking' }, { pid: 0, asked: false });
    run.leaderGone = true;
    run.left = 1;
    terminate();
    expect(run.signals).toEqual(['SIGQUIT at 0']);
    run.look(0);
    expect(state()).toBe('reaped');
    expect(told).toEqual(['cleared at 0']);
  });
});
