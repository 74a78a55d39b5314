import { describe, expect, it } from 'vitest';
import { createActor, SimulatedClock } from 'xstate';
import { hookedRunMachine } from '../../src/machines/hooked-run.ts';
import { hooksMachine } from '../../src/machines/hooks.ts';
import type { UnitCommand } from '../../src/machines/unit.ts';
import type { Hook, HookStage } from '../../src/model/service/hook.ts';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import type { UnitFact } from '../../src/model/service/unit-events.ts';
import { serviceSpec } from '../model/specs.ts';
import { cancelled, exit0, exit1, hearing, noSuchProgram, ScriptedPrograms } from './scripted.ts';

const hook: Hook = { command: 'true' };

/** One run of a service with these hooks. Its programs, hooks and command alike, stand in the order of their starts. */
function hookedRun(
  commands: Readonly<Partial<Record<HookStage, readonly Hook[]>>>,
  changes: Pick<ServiceSpec, 'successExit'> = {},
) {
  const clock = new SimulatedClock();
  const programs = new ScriptedPrograms(clock);
  const { actor: owner, heard: facts } = hearing<UnitFact>();
  const { unit } = programs;
  const machine = hookedRunMachine.provide({ actors: { unit, hooks: hooksMachine.provide({ actors: { unit } }) } });
  const service = serviceSpec({ ...changes, type: 'cron', hooks: { commands, afterStopTimeout: 5_000 } });
  const actor = createActor(machine, { clock, input: { run: { service, serial: 1 }, owner } }).start();
  return {
    actor,
    clock,
    programs,
    facts,
    run: (nth: number) => {
      const run = programs.runs[nth];
      if (run === undefined) throw new Error(`there is no program ${nth}`);
      return run;
    },
    told: () => facts.map(({ type }) => type.slice('unit.'.length)),
    children: () => Object.keys(actor.getSnapshot().children),
    send: (command: UnitCommand) => actor.send(command),
    isOver: () => actor.getSnapshot().status === 'done',
  };
}

describe('a run with hooks', () => {
  it('starts its command once those of before_start have passed, and is over after those of after_stop', () => {
    const { programs, run, told, isOver } = hookedRun({ before_start: [hook, hook], after_stop: [hook] });
    run(0).spawned().exited(exit0);
    run(1).spawned();
    expect(programs.runs).toHaveLength(2);
    run(1).exited(exit0);
    expect(programs.runs).toHaveLength(3);
    run(2).spawned();
    expect(told()).toEqual(['spawned']);
    run(2).exited(exit1);
    run(3).spawned();
    expect([told(), isOver()]).toEqual([['spawned'], false]);
    run(3).exited(exit0);
    expect([told(), isOver()]).toEqual([['spawned', 'leaderExited'], true]);
  });

  it('has one of its programs at a time, under a name that says what it is', () => {
    const { actor, run, children } = hookedRun({ before_start: [hook, hook] });
    const inHooks = (): readonly string[] => {
      const { hooks } = actor.getSnapshot().context;
      return hooks === undefined ? [] : Object.keys(hooks.getSnapshot().children);
    };
    expect([children(), inHooks()]).toEqual([['hooks'], ['unit']]);
    run(0).spawned().exited(exit0);
    expect([children(), inHooks()]).toEqual([['hooks'], ['unit']]);
    run(1).spawned().exited(exit0);
    expect([children(), inHooks()]).toEqual([['unit'], []]);
  });

  it('does not start its command where a hook of before_start has failed, and says which', () => {
    const { programs, run, facts, isOver } = hookedRun({ before_start: [hook, hook], after_stop: [hook] });
    run(0).spawned().exited(exit1);
    expect(programs.runs).toHaveLength(2);
    run(1).spawned().exited(exit0);
    const error = { stage: 'hook', program: '/bin/web', code: 'EINVAL' };
    expect(facts).toMatchObject([{ type: 'unit.spawnFailed', serial: 1, error }]);
    expect(facts).toMatchObject([{ error: { detail: expect.stringContaining('before_start 1 of 2') } }]);
    expect(isOver()).toBe(true);
  });

  it('that is told to end during before_start ends that hook, starts no command, and has after_stop', () => {
    const { programs, run, facts, send, isOver } = hookedRun({ before_start: [hook, hook], after_stop: [hook] });
    run(0).spawned();
    send({ type: 'unit.terminate', signal: 'SIGINT', at: 0 });
    expect(run(0).signals).toEqual(['SIGTERM at 0']);
    run(0).exited(exit1);
    expect([programs.runs.length, facts]).toEqual([2, []]);
    run(1).spawned().exited(exit0);
    expect(facts).toMatchObject([{ type: 'unit.spawnFailed', error: { code: 'ECANCELED' } }]);
    expect(isOver()).toBe(true);
  });

  it('lets before_start pass while the system ends, and starts no command', () => {
    const { programs, run, facts, send, isOver } = hookedRun({ before_start: [hook, hook] });
    run(0).spawned();
    send({ type: 'unit.retire' });
    run(0).exited(exit0);
    run(1).spawned();
    expect(run(1).signals).toEqual([]);
    run(1).exited(exit0);
    expect(programs.runs).toHaveLength(2);
    expect(facts).toMatchObject([{ type: 'unit.spawnFailed', error: { code: 'ECANCELED' } }]);
    expect(isOver()).toBe(true);
  });

  it('tells of a process that a hook has left and that lives on after SIGKILL', () => {
    const { clock, run, told } = hookedRun({ before_start: [hook, hook] });
    run(0).spawned().exited(exit0, 1);
    clock.increment(10_000);
    expect(run(0).signals.at(-1)).toMatch(/^SIGKILL at /);
    clock.increment(10_000);
    run(0).look(1);
    expect(told()).toEqual(['survived']);
    run(0).look(0);
    expect(told()).toEqual(['survived']);
    run(1).spawned().exited(exit0);
    run(2).spawned();
    expect(told()).toEqual(['survived', 'spawned']);
  });

  it('passes on to its command what it is told', () => {
    const { run, send, told, isOver } = hookedRun({ before_start: [hook] });
    run(0).spawned().exited(exit0);
    run(1).spawned();
    send({ type: 'unit.signal', signal: 'SIGHUP' });
    send({ type: 'unit.terminate', signal: 'SIGINT', at: 0 });
    send({ type: 'unit.kill', grace: 1_000, at: 0 });
    expect(run(1).signals).toEqual(['SIGHUP at 0', 'SIGINT at 0', 'SIGKILL at 0']);
    expect(run(0).signals).toEqual([]);
    run(1).exited(exit1);
    expect([told(), isOver()]).toEqual([['spawned', 'leaderExited'], true]);
  });

  it('ends after_stop by its own time limit, and by no signal of a stop', () => {
    const { clock, run, send, facts, told, isOver } = hookedRun({ after_stop: [hook] });
    run(0).spawned().exited(exit0);
    run(1).spawned();
    send({ type: 'unit.terminate', signal: 'SIGTERM', at: 0 });
    clock.increment(4_999);
    expect(run(1).signals).toEqual([]);
    clock.increment(1);
    expect(run(1).signals).toEqual(['SIGKILL at 5000']);
    expect(run(1).asked).toEqual([undefined]);
    clock.increment(1_000);
    expect(told()).toEqual(['spawned', 'survived']);
    expect(facts.at(-1)).toEqual({ type: 'unit.survived', serial: 1, at: 6_000 });
    run(1).exited(exit1);
    expect(facts.at(-1)).toMatchObject({ type: 'unit.leaderExited', status: exit0, at: 6_000 });
    expect([told(), isOver()]).toEqual([['spawned', 'survived', 'leaderExited'], true]);
  });

  it.each([
    [exit0, { SERVICE_RESULT: 'success', EXIT_STATUS: '0' }],
    [exit1, { SERVICE_RESULT: 'exit-code', EXIT_STATUS: '1' }],
    [{ kind: 'signaled', signal: 'SIGSEGV', coreDumped: false } as const, { SERVICE_RESULT: 'signal' }],
  ])('tells after_stop, and no other, how its command has ended: %j', (status, variables) => {
    const { run } = hookedRun({ before_start: [hook], after_stop: [hook] });
    run(0).spawned().exited(exit0);
    run(1).spawned().exited(status);
    expect(run(0).beside).toEqual({ kind: 'hook', stage: 'before_start', nth: 1, of: 1, hook, variables: {} });
    expect(run(2).beside).toMatchObject({ stage: 'after_stop', variables });
  });

  const bySigterm = { kind: 'signaled', signal: 'SIGTERM', coreDumped: false } as const;
  it.each([
    ['was told to end', {}, false, bySigterm, 'success'],
    ['was told to end, and fails', {}, false, exit1, 'success'],
    ['has lasted for too long', { overran: true as const }, false, bySigterm, 'timeout'],
    ['did not end when it was told to', {}, true, { ...bySigterm, signal: 'SIGKILL' } as const, 'timeout'],
  ])('tells after_stop of a command that %s', (_, why, isKilled, status, result) => {
    const { run, send } = hookedRun({ after_stop: [hook] });
    run(0).spawned();
    send({ type: 'unit.terminate', signal: 'SIGTERM', ...why, at: 0 });
    if (isKilled) send({ type: 'unit.kill', grace: 1_000, at: 0 });
    run(0).exited(status);
    expect(run(1).beside).toMatchObject({ stage: 'after_stop', variables: { SERVICE_RESULT: result } });
  });

  it('takes an exit status of success_exit for a normal end', () => {
    const { run } = hookedRun({ after_stop: [hook] }, { successExit: [1] });
    run(0).spawned().exited(exit1);
    expect(run(1).beside).toMatchObject({ variables: { SERVICE_RESULT: 'success', EXIT_STATUS: '1' } });
  });

  it('tells after_stop of no failure where a stop during before_start has kept the command from starting', () => {
    const { run, send } = hookedRun({ before_start: [hook], after_stop: [hook] });
    run(0).spawned();
    send({ type: 'unit.retire' });
    run(0).exited(exit0);
    expect(run(1).beside).toMatchObject({ variables: { SERVICE_RESULT: 'success' } });
  });

  it('tells after_stop of a command that was not started', () => {
    const { run } = hookedRun({ after_stop: [hook] });
    run(0).spawnFailed();
    expect(run(1).beside).toMatchObject({ stage: 'after_stop', variables: { SERVICE_RESULT: 'resources' } });
  });

  it.each([
    [{ last: true as const }, 1],
    [{}, 2],
  ])('has after_stop after SIGKILL, unless everybody gets that: %j', (all, count) => {
    const { programs, run, send } = hookedRun({ after_stop: [hook] });
    run(0).spawned();
    send({ type: 'unit.kill', grace: 1_000, ...all, at: 0 });
    run(0).exited(exit1);
    expect(programs.runs).toHaveLength(count);
  });

  it('does not wait with after_stop for what its command has left, and is over when that has ended', () => {
    const { run, facts, isOver } = hookedRun({ after_stop: [hook] });
    run(0).spawned().exited(exit0, 2);
    run(1).spawned().exited(exit0);
    expect(facts.slice(1)).toMatchObject([{ type: 'unit.leaderExited', left: 2 }]);
    expect(isOver()).toBe(false);
    run(0).look(0);
    expect(facts.slice(2)).toMatchObject([{ type: 'unit.cleared' }]);
    expect(isOver()).toBe(true);
  });

  it('tells nothing of what its command has left where that ends during after_stop', () => {
    const { run, facts, isOver } = hookedRun({ after_stop: [hook] });
    run(0).spawned().exited(exit0, 2);
    run(1).spawned();
    run(0).look(0);
    run(1).exited(exit0);
    expect(facts.slice(1)).toMatchObject([{ type: 'unit.leaderExited', left: 0 }]);
    expect(isOver()).toBe(true);
  });

  it('has the hook of before_start killed that runs, by the grace of the kill, and tells of what lives on', () => {
    const { clock, run, send, facts, isOver } = hookedRun({ before_start: [hook] });
    run(0).spawned();
    clock.increment(10);
    send({ type: 'unit.kill', grace: 300, at: 10 });
    expect(run(0).signals).toEqual(['SIGKILL at 10']);
    clock.increment(300);
    expect(facts).toEqual([{ type: 'unit.survived', serial: 1, at: 310 }]);
    run(0).exited(exit1);
    const error = { stage: 'hook', program: '/bin/web', code: 'ECANCELED' };
    expect(facts.slice(1)).toEqual([{ type: 'unit.spawnFailed', serial: 1, error, at: 310 }]);
    expect(isOver()).toBe(true);
  });

  it('has the hook of after_stop killed by a kill, and tells the end of its command with that time', () => {
    const { clock, run, send, facts, isOver } = hookedRun({ after_stop: [hook] });
    run(0).spawned();
    clock.increment(10);
    run(0).exited(exit1);
    run(1).spawned();
    clock.increment(10);
    send({ type: 'unit.kill', grace: 300, at: 20 });
    expect(run(1).signals).toEqual(['SIGKILL at 20']);
    clock.increment(5);
    run(1).exited(exit1);
    expect(facts.slice(1)).toEqual([
      { type: 'unit.leaderExited', serial: 1, pid: 101, status: exit1, left: 0, age: 10, at: 25 },
    ]);
    expect(isOver()).toBe(true);
  });

  it.each([
    'hooks that pass',
    'hooks that fail',
  ])('tells the end of its command once, after those of after_stop: %s', (how) => {
    const { clock, run, facts, children } = hookedRun({ after_stop: [hook] });
    run(0).spawned().exited(exit0);
    run(1).spawned();
    clock.increment(40);
    run(1).exited(how === 'hooks that pass' ? exit0 : exit1);
    expect(facts.slice(1)).toMatchObject([{ type: 'unit.leaderExited', status: exit0, left: 0, at: 40 }]);
    expect(children()).toEqual([]);
  });

  it('tells a spawn that fails with its own error, after the hooks of after_stop', () => {
    const { clock, run, facts } = hookedRun({ after_stop: [hook] });
    run(0).spawnFailed();
    run(1).spawned();
    clock.increment(5);
    run(1).exited(exit0);
    expect(facts).toEqual([{ type: 'unit.spawnFailed', serial: 1, error: noSuchProgram, at: 5 }]);
  });

  it('does not take a spawn that was given up for a failure', () => {
    const { run, send } = hookedRun({ after_stop: [hook] });
    send({ type: 'unit.retire' });
    expect(run(0).cancels).toBe(1);
    run(0).spawnFailed(cancelled);
    expect(run(1).beside).toMatchObject({ variables: { SERVICE_RESULT: 'success' } });
  });

  it('keeps to its first order: a run that has lasted for too long fails, though a stop follows', () => {
    const { run, send } = hookedRun({ after_stop: [hook] });
    run(0).spawned();
    send({ type: 'unit.terminate', signal: 'SIGTERM', overran: true, at: 0 });
    send({ type: 'unit.terminate', signal: 'SIGTERM', at: 0 });
    run(0).exited(exit0);
    expect(run(1).beside).toMatchObject({ variables: { SERVICE_RESULT: 'timeout' } });
    const stopped = hookedRun({ after_stop: [hook] });
    stopped.run(0).spawned();
    stopped.send({ type: 'unit.terminate', signal: 'SIGTERM', at: 0 });
    stopped.send({ type: 'unit.terminate', signal: 'SIGTERM', overran: true, at: 0 });
    stopped.run(0).exited(exit0);
    expect(stopped.run(1).beside).toMatchObject({ variables: { SERVICE_RESULT: 'success' } });
  });

  it('has no after_stop once everybody gets SIGKILL, though another kill follows', () => {
    const { programs, run, send, isOver } = hookedRun({ after_stop: [hook] });
    run(0).spawned();
    send({ type: 'unit.kill', grace: 1_000, last: true, at: 0 });
    send({ type: 'unit.kill', grace: 1_000, at: 0 });
    run(0).exited(exit1);
    expect([programs.runs.length, isOver()]).toEqual([1, true]);
  });

  it('tells of what its command has left and that lives on, also while after_stop runs', () => {
    const { clock, run, send, told } = hookedRun({ after_stop: [hook] });
    run(0).spawned().exited(exit0, 2);
    run(1).spawned();
    send({ type: 'unit.kill', grace: 300, at: 0 });
    expect([run(0).signals, run(1).signals]).toEqual([['SIGKILL at 0'], ['SIGKILL at 0']]);
    clock.increment(300);
    expect(told()).toEqual(['spawned', 'survived', 'survived']);
  });
});
