/** What the hooks of one stage do one after another, and what they tell their service. */
import { describe, expect, it } from 'vitest';
import { createActor, SimulatedClock } from 'xstate';
import { type HooksFact, type HooksInput, hooksMachine } from '../../src/machines/hooks.ts';
import type { Hook } from '../../src/model/service/hook.ts';
import type { SignalName } from '../../src/model/service/signal.ts';
import { serviceSpec } from '../model/specs.ts';
import { cancelled, exit0, exit1, hearing, noSuchProgram, ScriptedPrograms } from './scripted.ts';

const strict: Hook = { command: 'true' };
const lenient: Hook = { command: 'true', mayFail: true };

/** The hooks of before_start of one start. */
function stageOf(hooks: readonly Hook[], resumes?: HooksInput['resumes']) {
  const clock = new SimulatedClock();
  const programs = new ScriptedPrograms(clock);
  const { actor: owner, heard: facts } = hearing<HooksFact>();
  const service = serviceSpec({ hooks: { commands: { before_start: hooks }, afterStopTimeout: 5_000 } });
  const input = { service, stage: 'before_start', serial: 7, owner, variables: { MAINPID: '42' } } as const;
  const actor = createActor(hooksMachine.provide({ actors: { unit: programs.unit } }), {
    clock,
    input: { ...input, ...(resumes === undefined ? {} : { resumes }) },
  }).start();
  return {
    clock,
    programs,
    facts,
    run: () => programs.run(),
    terminate: (signal: SignalName = 'SIGTERM') => actor.send({ type: 'hooks.terminate', signal, at: clock.now() }),
    kill: (grace = 500) => actor.send({ type: 'hooks.kill', grace, at: clock.now() }),
    children: () => Object.keys(actor.getSnapshot().children),
    isOver: () => actor.getSnapshot().status === 'done',
  };
}

const place = (nth: number, of: number) => ({ stage: 'before_start', nth, of }) as const;
const began = (nth: number, of: number, at: number): HooksFact => ({
  type: 'hooks.began',
  serial: 7,
  hook: place(nth, of),
  pid: 107,
  at,
});
const ended = (type: 'hooks.passed' | 'hooks.ended' | 'hooks.survived', at: number): HooksFact => ({
  type,
  serial: 7,
  at,
});

describe('the hooks of a stage', () => {
  it('run one after another, and pass with the last', () => {
    const { clock, programs, run, facts, isOver, children } = stageOf([strict, strict]);
    expect(run().beside).toEqual({ kind: 'hook', ...place(1, 2), hook: strict, variables: { MAINPID: '42' } });
    run().spawned();
    clock.increment(10);
    run().exited(exit0);
    expect(programs.runs).toHaveLength(2);
    expect(run().beside).toEqual({ kind: 'hook', ...place(2, 2), hook: strict, variables: { MAINPID: '42' } });
    clock.increment(1);
    run().spawned();
    clock.increment(10);
    run().exited(exit0);
    expect(facts).toEqual([began(1, 2, 0), began(2, 2, 11), ended('hooks.passed', 21)]);
    expect([isOver(), children()]).toEqual([true, []]);
  });

  it('end with the first that fails, and say which and how', () => {
    const { clock, programs, run, facts, isOver, children } = stageOf([strict, strict, strict]);
    run().spawned().exited(exit0);
    run().spawned();
    clock.increment(5);
    run().exited(exit1);
    const failure = { kind: 'exit', status: exit1 } as const;
    expect(facts.slice(2)).toEqual([{ type: 'hooks.failed', serial: 7, hook: place(2, 3), failure, at: 5 }]);
    expect([programs.runs.length, isOver(), children()]).toEqual([2, true, []]);
  });

  it('end with one that cannot be spawned', () => {
    const { clock, run, facts, isOver, children } = stageOf([strict, strict]);
    clock.increment(5);
    run().spawnFailed();
    const failure = { kind: 'spawn', error: noSuchProgram } as const;
    expect(facts).toEqual([{ type: 'hooks.failed', serial: 7, hook: place(1, 2), failure, at: 5 }]);
    expect([isOver(), children()]).toEqual([true, []]);
  });

  it('go on after one that may fail, and pass with it where it is the last', () => {
    const { clock, programs, run, facts, isOver } = stageOf([lenient, lenient]);
    run().spawnFailed();
    expect([programs.runs.length, facts]).toEqual([2, []]);
    clock.increment(5);
    run().spawnFailed();
    expect(facts).toEqual([ended('hooks.passed', 5)]);
    expect(isOver()).toBe(true);
  });

  it('go on after the exit of one that may fail', () => {
    const { clock, programs, run, facts } = stageOf([lenient, strict]);
    run().exited(exit1);
    expect(programs.runs).toHaveLength(2);
    clock.increment(5);
    run().exited(exit0);
    expect(facts).toEqual([ended('hooks.passed', 5)]);
  });

  it('judge each of them by itself', () => {
    const { run, facts } = stageOf([lenient, strict]);
    run().exited(exit1);
    run().exited(exit1);
    expect(facts).toMatchObject([{ type: 'hooks.failed', hook: place(2, 2) }]);
  });
});

describe('what a hook leaves behind', () => {
  it('is ended before the next hook runs', () => {
    const { clock, programs, run, facts, children } = stageOf([strict, strict]);
    run().spawned();
    clock.increment(10);
    run().exited(exit0, 1);
    expect([run().signals, programs.runs.length]).toEqual([['SIGTERM at 10'], 1]);
    clock.increment(5);
    run().look(0);
    expect([programs.runs.length, children()]).toEqual([2, ['unit']]);
    run().exited(exit0);
    expect(facts.at(-1)).toEqual(ended('hooks.passed', 15));
  });

  it('is ended before the failure of the hook is told', () => {
    const { clock, run, facts, isOver } = stageOf([strict, strict]);
    run().spawned().exited(exit1, 1);
    expect(facts).toHaveLength(1);
    clock.increment(5);
    run().look(0);
    const failure = { kind: 'exit', status: exit1 } as const;
    expect(facts.slice(1)).toEqual([{ type: 'hooks.failed', serial: 7, hook: place(1, 2), failure, at: 5 }]);
    expect(isOver()).toBe(true);
  });

  it('is ended after the last hook, too', () => {
    const { clock, run, facts, isOver } = stageOf([strict]);
    run().spawned().exited(exit0, 1);
    clock.increment(5);
    run().look(0);
    expect(facts.slice(1)).toEqual([ended('hooks.passed', 5)]);
    expect(isOver()).toBe(true);
  });

  it('gets SIGKILL where it does not end in time, and is told of where it lives on', () => {
    const { clock, run, facts, isOver } = stageOf([strict]);
    run().spawned();
    clock.increment(10);
    run().exited(exit0, 1);
    clock.increment(1_999);
    expect(run().signals).toEqual(['SIGTERM at 10']);
    clock.increment(1);
    expect(run().signals).toEqual(['SIGTERM at 10', 'SIGKILL at 2010']);
    expect(run().asked.at(-1)).toEqual({ signal: 'SIGTERM', for: 2_000 });
    clock.increment(1_999);
    expect(facts).toHaveLength(1);
    clock.increment(1);
    expect(facts.slice(1)).toEqual([ended('hooks.survived', 4_010)]);
    run().look(0);
    expect(facts.slice(2)).toEqual([ended('hooks.passed', 4_010)]);
    expect(isOver()).toBe(true);
  });
});

describe('hooks that are told to end', () => {
  it('end the one that runs, start no other, and tell of nothing else, however it ends', () => {
    const { clock, programs, run, facts, terminate, isOver, children } = stageOf([strict, strict]);
    run().spawned();
    clock.increment(5);
    terminate('SIGINT');
    terminate('SIGQUIT');
    expect(run().signals).toEqual(['SIGINT at 5']);
    clock.increment(5);
    run().exited(exit1);
    expect(facts.slice(1)).toEqual([ended('hooks.ended', 10)]);
    expect([programs.runs.length, isOver(), children()]).toEqual([1, true, []]);
  });

  it('wait for what the one that runs has left', () => {
    const { clock, run, facts, terminate, isOver } = stageOf([strict]);
    run().spawned();
    terminate();
    run().exited(exit0, 1);
    expect(facts).toHaveLength(1);
    clock.increment(5);
    run().look(0);
    expect(facts.slice(1)).toEqual([ended('hooks.ended', 5)]);
    expect(isOver()).toBe(true);
  });

  it('cancel a spawn, and still tell of one that comes', () => {
    const gone = stageOf([strict]);
    gone.terminate();
    gone.clock.increment(5);
    gone.run().spawnFailed(cancelled);
    expect(gone.facts).toEqual([ended('hooks.ended', 5)]);
    const late = stageOf([strict]);
    late.terminate();
    late.clock.increment(5);
    late.run().spawned();
    expect(late.facts).toEqual([began(1, 1, 5)]);
    expect(late.run().signals).toEqual(['SIGTERM at 5']);
  });

  it('are killed at once by a kill, or later, and tell of what lives on', () => {
    const { clock, run, facts, terminate, kill } = stageOf([strict]);
    run().spawned();
    terminate();
    clock.increment(5);
    kill(500);
    expect(run().signals).toEqual(['SIGTERM at 0', 'SIGKILL at 5']);
    clock.increment(500);
    expect(facts.slice(1)).toEqual([ended('hooks.survived', 505)]);
    run().exited(exit1);
    expect(facts.slice(2)).toEqual([ended('hooks.ended', 505)]);
    const other = stageOf([strict]);
    other.run().spawned();
    other.clock.increment(5);
    other.kill(300);
    expect(other.run().signals).toEqual(['SIGKILL at 5']);
    other.clock.increment(300);
    expect(other.facts.slice(1)).toEqual([ended('hooks.survived', 305)]);
  });

  it('send no second signal to what is being ended, but kill it', () => {
    const { clock, run, facts, terminate } = stageOf([strict]);
    run().spawned().exited(exit0, 1);
    clock.increment(5);
    terminate('SIGINT');
    expect(run().signals).toEqual(['SIGTERM at 0']);
    clock.increment(5);
    run().look(0);
    expect(facts.slice(1)).toEqual([ended('hooks.ended', 10)]);
    const other = stageOf([strict]);
    other.run().spawned().exited(exit0, 1);
    other.clock.increment(5);
    other.kill(300);
    expect(other.run().signals).toEqual(['SIGTERM at 0', 'SIGKILL at 5']);
    other.clock.increment(300);
    expect(other.facts.slice(1)).toEqual([ended('hooks.survived', 305)]);
  });
});

describe('hooks of a chart that is made anew', () => {
  it('go on with the one that runs, and then with the next', () => {
    const { programs, run, facts } = stageOf([strict, strict, strict], { nth: 2, pid: 4711, asked: false });
    expect(run().beside).toMatchObject(place(2, 3));
    expect(run().pid).toBe(4711);
    run().exited(exit0);
    expect(programs.runs).toHaveLength(2);
    expect(run().pid).toBe(107);
    run().spawned();
    expect(facts).toEqual([began(3, 3, 0)]);
  });

  it('start the one whose spawn was not reported', () => {
    const { run, facts } = stageOf([strict], { nth: 1, pid: 0, asked: false });
    run().spawned();
    expect(facts).toEqual([began(1, 1, 0)]);
  });

  it('go on ending the one that was told to end, without another signal', () => {
    const { run, facts, programs, isOver } = stageOf([strict, strict], { nth: 1, pid: 4711, asked: true });
    expect(run().signals).toEqual([]);
    run().exited(exit0);
    expect(facts).toEqual([ended('hooks.ended', 0)]);
    expect([programs.runs.length, isOver()]).toEqual([1, true]);
  });
});
