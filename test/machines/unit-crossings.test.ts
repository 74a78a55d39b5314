import { describe, expect, it } from 'vitest';
import { createActor, fromCallback, SimulatedClock } from 'xstate';
import { processMachine } from '../../src/machines/process.ts';
import type { ProcessFact } from '../../src/model/process-events.ts';
import { serviceSpec } from '../model/specs.ts';
import { exit0, ScriptedPrograms } from './scripted.ts';

function scriptedProcess() {
  const clock = new SimulatedClock();
  const programs = new ScriptedPrograms(clock);
  const told: string[] = [];
  const owner = createActor(
    fromCallback<ProcessFact>(({ receive }) => {
      receive(({ type }) => told.push(type));
    }),
  ).start();
  const machine = processMachine.provide({ actors: { childProcess: programs.childProcess } });
  const actor = createActor(machine, { clock, input: { run: { service: serviceSpec(), serial: 1 }, owner } }).start();
  return {
    clock,
    told,
    run: programs.run(),
    state: () => actor.getSnapshot().value,
    isOver: () => actor.getSnapshot().status === 'done',
    pid: () => actor.getSnapshot().context.pid,
    terminate: (killAfter: number) => actor.send({ type: 'process.terminate', signal: 'SIGQUIT', killAfter }),
    extend: (killAfter: number) => actor.send({ type: 'process.extend', killAfter }),
    kill: () => actor.send({ type: 'process.kill' }),
  };
}

describe('a process', () => {
  it('tells its owner of the spawn and of the exit', () => {
    const { run, told, state, isOver, pid, terminate } = scriptedProcess();
    expect(pid()).toBeUndefined();
    run.spawned();
    expect(state()).toEqual({ alive: 'running' });
    const known = pid();
    expect(known).toBeGreaterThan(1);
    terminate(1_000);
    expect(run.signals).toEqual(['SIGQUIT at 0']);
    run.exited();
    expect([state(), isOver()]).toEqual(['reaped', true]);
    expect(pid()).toBe(known);
    expect(told).toEqual(['process.spawned', 'process.exited']);
  });

  it('is unspawned when the system refuses', () => {
    const { run, told, state, isOver } = scriptedProcess();
    run.spawnFailed();
    expect([state(), isOver()]).toEqual(['unspawned', true]);
    expect(told).toEqual(['process.spawnFailed']);
  });

  it('is over when its exit comes before the report of its spawn', () => {
    const { run, told, state } = scriptedProcess();
    run.exited();
    expect(state()).toBe('reaped');
    expect(told).toEqual(['process.exited']);
  });

  it('keeps the wish to end until there is a pid to signal', () => {
    const { clock, run, terminate, state } = scriptedProcess();
    terminate(1_000);
    clock.increment(5_000);
    expect(run.signals).toEqual([]);
    run.spawned();
    expect(state()).toEqual({ alive: 'terminating' });
    clock.increment(1_000);
    expect(run.signals).toEqual(['SIGQUIT at 5000', 'SIGKILL at 6000']);
  });

  it('kills at once where both was wished for before the spawn', () => {
    const { run, terminate, kill, state } = scriptedProcess();
    terminate(1_000);
    kill();
    run.spawned();
    expect(state()).toEqual({ alive: 'killing' });
    expect(run.signals).toEqual(['SIGKILL at 0']);
  });

  it('gets SIGKILL after killAfter and not before', () => {
    const { clock, run, terminate, state } = scriptedProcess();
    run.spawned();
    terminate(1_000);
    clock.increment(999);
    expect(state()).toEqual({ alive: 'terminating' });
    clock.increment(1);
    expect(state()).toEqual({ alive: 'killing' });
    expect(run.signals).toEqual(['SIGQUIT at 0', 'SIGKILL at 1000']);
  });

  it('repeats the signal at a second terminate, and waits the shorter of the two times', () => {
    const { clock, run, terminate } = scriptedProcess();
    run.spawned();
    terminate(1_000);
    clock.increment(900);
    terminate(60_000);
    clock.increment(1_000);
    expect(run.signals).toEqual(['SIGQUIT at 0', 'SIGQUIT at 900', 'SIGKILL at 1900']);
  });

  it('that asks for more time gets SIGKILL that much later, and another signal never', () => {
    const { clock, run, terminate, extend } = scriptedProcess();
    // Before anybody has asked it to end there is nothing to put off.
    extend(50);
    run.spawned();
    extend(50);
    clock.increment(100);
    terminate(1_000);
    clock.increment(900);
    extend(500);
    extend(700);
    clock.increment(699);
    expect(run.signals).toEqual(['SIGQUIT at 100']);
    clock.increment(1);
    expect(run.signals).toEqual(['SIGQUIT at 100', 'SIGKILL at 1700']);
  });

  it('stays in killing until it is reaped, and repeats SIGKILL when asked', () => {
    const { clock, run, kill, terminate, state } = scriptedProcess();
    run.spawned();
    kill();
    clock.increment(1_000_000);
    terminate(1);
    kill();
    clock.increment(10);
    expect(state()).toEqual({ alive: 'killing' });
    expect(run.signals).toEqual(['SIGKILL at 0', 'SIGKILL at 1000000']);
    run.exited(exit0);
    expect(state()).toBe('reaped');
  });

  it('fails loudly where the port is not provided', async () => {
    const owner = createActor(fromCallback<ProcessFact>(() => {}));
    const actor = createActor(processMachine, { input: { run: { service: serviceSpec(), serial: 1 }, owner } });
    const error = await new Promise((resolve) => {
      actor.subscribe({ error: resolve });
      actor.start();
    });
    expect(String(error)).toContain('internal error: the port childProcess is not provided');
  });
});
