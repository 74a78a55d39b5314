/** What the conditions of a start ask, when, and what they tell whoever has asked for it. */
import { describe, expect, it } from 'vitest';
import { createActor, type EventObject, fromCallback, SimulatedClock } from 'xstate';
import { type ConditionFact, conditionsMachine, type LookedFact } from '../../src/machines/conditions.ts';
import type { Answers, Condition, NoAnswer } from '../../src/model/service/condition.ts';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import type { SignalName } from '../../src/model/service/signal.ts';
import type { UnitFact } from '../../src/model/service/unit-events.ts';
import { serviceSpec } from '../model/specs.ts';
import { cancelled, exit0, exit1, hearing, noSuchProgram, ScriptedPrograms } from './scripted.ts';

const ask = (command: string): Condition => ({ kind: 'command', command, argv: [command] });
const file: Condition = { kind: 'file', path: '/x' };
const killed = { kind: 'signaled', signal: 'SIGKILL', coreDumped: false } as const;

/** The conditions of a start at 100 ms, of which each may take 1 s; the test answers. */
function asking(startIf: Condition = { kind: 'all', of: [file, ask('one'), { kind: 'not', of: ask('two') }] }) {
  const clock = new SimulatedClock();
  clock.increment(100);
  const programs = new ScriptedPrograms(clock);
  const { actor: owner, heard: facts } = hearing<ConditionFact | UnitFact>();
  let answer: (fact: LookedFact) => void = () => {};
  const lookup = fromCallback<EventObject, ServiceSpec, LookedFact>(({ sendBack }) => {
    answer = sendBack;
  });
  const service = serviceSpec({ startIf, processTimeout: 1_000 });
  const actor = createActor(conditionsMachine.provide({ actors: { unit: programs.unit, lookup } }), {
    clock,
    input: { service, serial: 7, owner, at: clock.now() },
  }).start();
  return {
    clock,
    programs,
    facts,
    run: () => programs.run(),
    /** Answers the questions about files. */
    look: (answers: Answers = [true], failure?: NoAnswer) =>
      answer({ type: 'conditions.looked', answers, at: clock.now(), ...(failure === undefined ? {} : { failure }) }),
    terminate: (signal: SignalName = 'SIGTERM') => actor.send({ type: 'unit.terminate', signal, at: clock.now() }),
    kill: (grace = 500) => actor.send({ type: 'unit.kill', grace, at: clock.now() }),
    children: () => Object.keys(actor.getSnapshot().children),
    isOver: () => actor.getSnapshot().status === 'done',
  };
}

/** The first command is asked, and runs since 200 ms. */
function askingOne() {
  const conditions = asking();
  conditions.clock.increment(100);
  conditions.look();
  conditions.run().spawned();
  return conditions;
}

const cleared = (at: number): UnitFact => ({ type: 'unit.cleared', serial: 7, at });

describe('the conditions of a start', () => {
  it('are met once the last of their commands has answered, and each is asked after the one before', () => {
    const { clock, programs, run, facts, isOver } = askingOne();
    expect(programs.runs).toHaveLength(1);
    expect(run().beside).toEqual({ kind: 'helper', role: 'start_if', variables: {} });
    clock.increment(10);
    run().exited(exit0);
    expect([programs.runs.length, facts]).toEqual([2, []]);
    run().spawned();
    clock.increment(20);
    run().exited(exit1);
    expect(facts).toEqual([{ type: 'conditions.met', serial: 7, at: 230 }]);
    expect(isOver()).toBe(true);
  });

  it('have one command at a time, each under a name of its own', () => {
    const { run, children } = askingOne();
    expect(children()).toEqual(['ask-1']);
    run().exited(exit0);
    expect(children()).toEqual(['ask-2']);
  });

  it('have their commands run for the start that they are asked for', () => {
    const { run } = askingOne();
    expect(run().serial).toBe(7);
  });

  it('are met at the look where there is no command', () => {
    const { look, facts, clock } = asking(file);
    clock.increment(5);
    look([true]);
    expect(facts).toEqual([{ type: 'conditions.met', serial: 7, at: 105 }]);
  });

  it('are not met where a file is not there, and no command is asked', () => {
    const { look, facts, programs, isOver } = asking();
    look([false]);
    expect(facts).toEqual([{ type: 'conditions.unmet', serial: 7, why: 'the file /x is not there', at: 100 }]);
    expect([programs.runs.length, isOver()]).toEqual([0, true]);
  });

  it('are not met where a command says no', () => {
    const { run, facts, clock } = askingOne();
    clock.increment(10);
    run().exited(exit1);
    expect(facts).toEqual([{ type: 'conditions.unmet', serial: 7, why: 'its command in start_if says no', at: 210 }]);
  });

  it('cannot be judged where the look has failed', () => {
    const { look, facts } = asking();
    const failure = { kind: 'timeout', timeout: 1 } as const;
    look([true], failure);
    expect(facts).toEqual([{ type: 'conditions.failed', serial: 7, failure, at: 100 }]);
  });

  it('cannot be judged where a command cannot be spawned, or gives no answer', () => {
    const absent = asking();
    absent.look();
    absent.clock.increment(3);
    absent.run().spawnFailed(noSuchProgram);
    const failure = { kind: 'spawn', error: noSuchProgram };
    expect(absent.facts).toEqual([{ type: 'conditions.failed', serial: 7, failure, at: 103 }]);
    expect(absent.isOver()).toBe(true);
    const unclear = askingOne();
    const status = { kind: 'exited', code: 255 } as const;
    unclear.run().exited(status);
    expect(unclear.facts).toEqual([
      { type: 'conditions.failed', serial: 7, failure: { kind: 'exit', status }, at: 200 },
    ]);
  });
});

describe('the time for conditions', () => {
  const failure = { kind: 'timeout', timeout: 1_000 } as const;

  it('is up where the look does not end', () => {
    const { clock, look, facts } = asking();
    clock.increment(999);
    expect(facts).toEqual([]);
    clock.increment(1);
    expect(facts).toEqual([{ type: 'conditions.failed', serial: 7, failure, at: 1_100 }]);
    look();
    expect(facts).toHaveLength(1);
  });

  it('spans the look and the commands, and the command that has used it up is killed before the start fails', () => {
    const { clock, run, facts } = askingOne();
    clock.increment(899);
    expect(run().signals).toEqual([]);
    clock.increment(1);
    expect([run().signals, facts]).toEqual([['SIGKILL at 1100'], []]);
    clock.increment(5);
    run().exited(killed);
    expect(facts).toEqual([{ type: 'conditions.failed', serial: 7, failure, at: 1_105 }]);
  });

  it('is up for a command, too, whose spawn is not reported yet', () => {
    const { clock, look, run, facts, isOver } = asking();
    look();
    clock.increment(1_000);
    expect([run().cancels, facts]).toEqual([1, []]);
    clock.increment(5);
    run().spawnFailed(cancelled);
    expect(facts).toEqual([{ type: 'conditions.failed', serial: 7, failure, at: 1_105 }]);
    expect(isOver()).toBe(true);
  });

  it('does not count once a command has answered', () => {
    const { clock, run, facts } = askingOne();
    run().exited(exit0, 1);
    clock.increment(950);
    run().look(0);
    run().spawned().exited(exit1);
    expect(facts).toEqual([{ type: 'conditions.met', serial: 7, at: 1_150 }]);
  });
});

describe('what a command of conditions leaves behind', () => {
  it('gets SIGKILL before the next command is asked', () => {
    const { clock, programs, run, facts } = askingOne();
    clock.increment(10);
    run().exited(exit0, 1);
    expect([run().signals, programs.runs.length]).toEqual([['SIGKILL at 210'], 1]);
    clock.increment(5);
    run().look(0);
    expect(programs.runs).toHaveLength(2);
    run().spawned().exited(exit1);
    expect(facts).toEqual([{ type: 'conditions.met', serial: 7, at: 215 }]);
  });

  it('gets it, too, where its command ends only after SIGKILL', () => {
    const { clock, run, facts } = askingOne();
    clock.increment(900);
    run().exited(killed, 1);
    expect(facts).toEqual([]);
    clock.increment(5);
    run().look(0);
    expect(facts).toMatchObject([{ type: 'conditions.failed', at: 1_105 }]);
  });

  it('holds nothing up where it lives on after SIGKILL', () => {
    const { clock, run, facts } = askingOne();
    run().exited(exit1, 1);
    clock.increment(999);
    expect(facts).toEqual([]);
    clock.increment(1);
    expect(facts).toMatchObject([{ type: 'conditions.unmet', at: 1_200 }]);
  });
});

describe('conditions whose start is given up', () => {
  it.each(['terminate', 'kill'] as const)('are over at once during the look (%s)', (deed) => {
    const conditions = asking();
    conditions.clock.increment(10);
    conditions[deed]();
    expect(conditions.facts).toEqual([cleared(110)]);
    expect(conditions.isOver()).toBe(true);
  });

  it('end their command as they are told, and are over when nothing of it is left', () => {
    const { clock, run, terminate, facts, isOver } = askingOne();
    terminate('SIGINT');
    terminate('SIGQUIT');
    expect([run().signals, facts]).toEqual([['SIGINT at 200'], []]);
    clock.increment(10);
    run().exited(exit0, 1);
    expect(facts).toEqual([]);
    clock.increment(1);
    run().look(0);
    expect(facts).toEqual([cleared(211)]);
    expect(isOver()).toBe(true);
  });

  it('are over with their command where that leaves nothing, whatever it answers', () => {
    const { clock, run, terminate, facts, programs } = askingOne();
    terminate();
    clock.increment(10);
    run().exited(exit0);
    expect(facts).toEqual([cleared(210)]);
    expect(programs.runs).toHaveLength(1);
  });

  it('are over where their command was not spawned any more', () => {
    const { clock, look, run, terminate, facts } = asking();
    look();
    terminate();
    clock.increment(10);
    run().spawnFailed(cancelled);
    expect(facts).toEqual([cleared(110)]);
  });

  it('have their command killed, and tell of what lives on', () => {
    const { clock, run, terminate, kill, facts, isOver } = askingOne();
    terminate();
    clock.increment(10);
    kill(500);
    expect(run().signals).toEqual(['SIGTERM at 200', 'SIGKILL at 210']);
    clock.increment(500);
    expect(facts).toEqual([{ type: 'unit.survived', serial: 7, at: 710 }]);
    expect(isOver()).toBe(false);
    run().exited(killed);
    expect(facts.at(-1)).toEqual(cleared(710));
  });

  it('have their command killed at once by a kill', () => {
    const { run, kill } = askingOne();
    kill();
    expect(run().signals).toEqual(['SIGKILL at 200']);
  });

  it('wait for what their command has left, which has got SIGKILL already', () => {
    const { clock, run, terminate, facts } = askingOne();
    run().exited(exit0, 1);
    clock.increment(5);
    terminate();
    expect(run().signals).toEqual(['SIGKILL at 200']);
    run().look(0);
    expect(facts).toEqual([cleared(205)]);
  });

  it('have what their command has left killed again by a kill', () => {
    const { clock, run, kill, facts } = askingOne();
    run().exited(exit0, 1);
    clock.increment(5);
    kill(300);
    expect(run().signals).toEqual(['SIGKILL at 200', 'SIGKILL at 205']);
    clock.increment(300);
    expect(facts).toEqual([{ type: 'unit.survived', serial: 7, at: 505 }]);
  });
});
