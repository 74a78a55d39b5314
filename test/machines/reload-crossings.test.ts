/** What a reload does, and when it tells what came of it. */
import { describe, expect, it } from 'vitest';
import { createActor, type EventObject, fromCallback, SimulatedClock } from 'xstate';
import { type ReloadFact, type ReloadReport, type ReloadTarget, reloadMachine } from '../../src/machines/reload.ts';
import type { NotifyMessage } from '../../src/model/service/notify-message.ts';
import type { ReloadMethod } from '../../src/model/service/reload-method.ts';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import type { SignalOutcome } from '../../src/model/service/unit-events.ts';
import { serviceSpec } from '../model/specs.ts';
import { exit0, exit1, hearing, noSuchProgram, ScriptedPrograms } from './scripted.ts';

const signal: ReloadMethod = { kind: 'signal', signal: 'SIGHUP' };
const command: ReloadMethod = { kind: 'command', command: 'ctl', argv: ['ctl'] };
const killed = { kind: 'signaled', signal: 'SIGKILL', coreDumped: false } as const;

/** A reload that begins at 100 ms, and may take 1 s; the kernel's own clock shows 9000 ms then. */
function reloading(method: ReloadMethod, type: ServiceSpec['type'] = 'simple') {
  const clock = new SimulatedClock();
  clock.increment(100);
  const programs = new ScriptedPrograms(clock);
  const { actor: owner, heard: facts } = hearing<ReloadFact>();
  const targets: ReloadTarget[] = [];
  let report: (fact: ReloadReport) => void = () => {};
  const reloader = fromCallback<EventObject, ReloadTarget, ReloadReport>(({ input, sendBack }) => {
    targets.push(input);
    report = sendBack;
  });
  const service = serviceSpec({ type, processTimeout: 1_000 });
  const actor = createActor(reloadMachine.provide({ actors: { unit: programs.unit, reloader } }), {
    clock,
    input: { service, method, serial: 7, pid: 42, owner, at: clock.now() },
  }).start();
  return {
    clock,
    programs,
    facts,
    service,
    targets,
    run: () => programs.run(),
    began: () => report({ type: 'reload.began', monotonic: 9_000, at: clock.now() }),
    signalled: (outcome: SignalOutcome = 'sent') => report({ type: 'reload.signalled', outcome, at: clock.now() }),
    notify: (message: NotifyMessage) => actor.send({ type: 'notify.received', serial: 7, message, at: clock.now() }),
    giveUp: () => actor.send({ type: 'reload.giveUp', at: clock.now() }),
    isOver: () => actor.getSnapshot().status === 'done',
  };
}

const ended = (outcome: (ReloadFact & { type: 'reload.ended' })['outcome'], at: number): ReloadFact => ({
  type: 'reload.ended',
  outcome,
  at,
});
const over = (at: number): ReloadFact => ({ type: 'reload.over', at });

describe('a reload by a signal', () => {
  it('is done once the signal was sent', () => {
    const { clock, began, signalled, facts, targets, service, isOver } = reloading(signal);
    expect(targets).toEqual([{ service, pid: 42, signal: 'SIGHUP' }]);
    clock.increment(3);
    began();
    clock.increment(4);
    signalled();
    expect(facts).toEqual([ended({ kind: 'done', took: 7 }, 107), over(107)]);
    expect(isOver()).toBe(true);
  });

  it.each([
    'denied',
    'vanished',
  ] as const)('has failed where the signal is %s, also for a notify service', (outcome) => {
    for (const type of ['simple', 'notify'] as const) {
      const { clock, began, signalled, facts } = reloading(signal, type);
      began();
      clock.increment(4);
      signalled(outcome);
      expect(facts).toEqual([ended({ kind: outcome }, 104), over(104)]);
    }
  });

  it('is given up before the signal was sent', () => {
    const { clock, giveUp, facts } = reloading(signal);
    clock.increment(5);
    giveUp();
    expect(facts).toEqual([ended({ kind: 'ended' }, 105), over(105)]);
  });
});

describe('a reload of a notify service', () => {
  function told() {
    const reload = reloading(signal, 'notify');
    reload.began();
    reload.clock.increment(10);
    reload.signalled();
    return reload;
  }

  it('is done with the READY=1 after its RELOADING=1', () => {
    const { clock, notify, facts, isOver } = told();
    notify({ ready: true });
    clock.increment(10);
    notify({ reloading: {} });
    notify({ status: 'half' });
    expect(facts).toEqual([]);
    clock.increment(10);
    notify({ ready: true });
    expect(facts).toEqual([ended({ kind: 'done', took: 30 }, 130), over(130)]);
    expect(isOver()).toBe(true);
  });

  it('takes no RELOADING=1 and READY=1 in one', () => {
    const { notify, facts } = told();
    notify({ reloading: {}, ready: true });
    expect(facts).toEqual([]);
  });

  it('takes what was said before the signal was reported', () => {
    const { began, notify, signalled, facts } = reloading(signal, 'notify');
    began();
    notify({ reloading: { at: 9_000 } });
    notify({ ready: true });
    expect(facts).toEqual([]);
    signalled();
    expect(facts).toEqual([ended({ kind: 'done', took: 0 }, 100), over(100)]);
  });

  it('takes no RELOADING=1 that was said before it began', () => {
    const { notify, facts } = told();
    notify({ reloading: { at: 8_999 } });
    notify({ ready: true });
    expect(facts).toEqual([]);
    notify({ reloading: { at: 9_000 } });
    notify({ ready: true });
    expect(facts).toHaveLength(2);
  });

  it('has no more time from RELOADING=1 on, and tells what it waits for', () => {
    const silent = told();
    silent.clock.increment(989);
    expect(silent.facts).toEqual([]);
    silent.clock.increment(1);
    const missing = { kind: 'timeout', waited: 'RELOADING=1', timeout: 1_000 } as const;
    expect(silent.facts).toEqual([ended(missing, 1_100), over(1_100)]);
    const slow = told();
    slow.clock.increment(500);
    slow.notify({ reloading: {} });
    slow.clock.increment(489);
    expect(slow.facts).toEqual([]);
    slow.clock.increment(1);
    const late = { kind: 'timeout', waited: 'READY=1', timeout: 1_000 } as const;
    expect(slow.facts).toEqual([ended(late, 1_100), over(1_100)]);
  });

  it('is given up while it waits', () => {
    const { clock, notify, giveUp, facts } = told();
    notify({ reloading: {} });
    clock.increment(5);
    giveUp();
    expect(facts).toEqual([ended({ kind: 'ended' }, 115), over(115)]);
  });
});

describe('a reload by a command', () => {
  /** Its command runs since 110 ms. */
  function commanding(type: ServiceSpec['type'] = 'simple') {
    const reload = reloading(command, type);
    reload.clock.increment(10);
    reload.began();
    reload.run().spawned();
    return reload;
  }

  it('runs the command with the pid of the main process, and sends no signal itself', () => {
    const { run, targets } = commanding();
    expect(run().beside).toEqual({ kind: 'helper', role: 'reload_command', variables: { MAINPID: '42' } });
    expect([run().serial, run().service]).toEqual([7, 'web.service']);
    expect(targets).toMatchObject([{ pid: 42, signal: undefined }]);
  });

  it('is done when the command has succeeded, and has failed when it has not', () => {
    const good = commanding();
    good.clock.increment(20);
    good.run().exited(exit0);
    expect(good.facts).toEqual([ended({ kind: 'done', took: 30 }, 130), over(130)]);
    const bad = commanding();
    bad.clock.increment(20);
    bad.run().exited(exit1);
    expect(bad.facts).toEqual([ended({ kind: 'exit', status: exit1 }, 130), over(130)]);
  });

  it('has failed where the command cannot be spawned', () => {
    const { clock, began, run, facts } = reloading(command);
    began();
    clock.increment(5);
    run().spawnFailed(noSuchProgram);
    expect(facts).toEqual([ended({ kind: 'spawn', error: noSuchProgram }, 105), over(105)]);
  });

  it.each([
    exit0,
    exit1,
  ])('tells its outcome at the end of the command, and is over when nothing of it is left ($code)', (status) => {
    const { clock, run, facts } = commanding();
    run().exited(status, 1);
    expect(facts).toHaveLength(1);
    expect(facts).toMatchObject([{ type: 'reload.ended', at: 110 }]);
    expect(run().signals).toEqual(['SIGKILL at 110']);
    clock.increment(5);
    run().look(0);
    expect(facts.slice(1)).toEqual([over(115)]);
  });

  it('is over, too, where what the command has left lives on after SIGKILL', () => {
    const { clock, run, facts } = commanding();
    run().exited(exit0, 1);
    clock.increment(999);
    expect(facts).toHaveLength(1);
    clock.increment(1);
    expect(facts.slice(1)).toEqual([over(1_110)]);
  });

  it('kills the command that has used up the time', () => {
    const { clock, run, facts } = commanding();
    clock.increment(989);
    expect([facts, run().signals]).toEqual([[], []]);
    clock.increment(1);
    expect(facts).toEqual([ended({ kind: 'timeout', waited: 'command', timeout: 1_000 }, 1_100)]);
    expect(run().signals).toEqual(['SIGKILL at 1100']);
    clock.increment(5);
    run().exited(killed, 1);
    expect(facts).toHaveLength(1);
    run().look(0);
    expect(facts.slice(1)).toEqual([over(1_105)]);
  });

  it('gives up a command whose spawn is not reported yet', () => {
    const { clock, began, run, giveUp, facts } = reloading(command);
    began();
    clock.increment(5);
    giveUp();
    expect([facts, run().cancels]).toEqual([[ended({ kind: 'ended' }, 105)], 1]);
    run().spawnFailed(noSuchProgram);
    expect(facts.slice(1)).toEqual([over(105)]);
  });

  it('kills the command where it is given up', () => {
    const { clock, run, giveUp, facts } = commanding();
    clock.increment(5);
    giveUp();
    expect(facts).toEqual([ended({ kind: 'ended' }, 115)]);
    expect(run().signals).toEqual(['SIGKILL at 115']);
    clock.increment(5);
    run().exited(killed);
    expect(facts.slice(1)).toEqual([over(120)]);
  });

  it('of a notify service waits for its words after the command, and lets live what that has left until then', () => {
    const { clock, run, notify, facts } = commanding('notify');
    run().exited(exit0, 1);
    expect([facts, run().signals]).toEqual([[], []]);
    notify({ reloading: {} });
    clock.increment(10);
    notify({ ready: true });
    expect(facts).toEqual([ended({ kind: 'done', took: 20 }, 120)]);
    expect(run().signals).toEqual(['SIGKILL at 120']);
    run().look(0);
    expect(facts.slice(1)).toEqual([over(120)]);
  });

  it('of a notify service has nothing to kill where what the command has left has ended meanwhile', () => {
    const { run, notify, facts } = commanding('notify');
    run().exited(exit0, 1);
    run().look(0);
    notify({ reloading: {} });
    notify({ ready: true });
    expect(facts).toEqual([ended({ kind: 'done', took: 10 }, 110), over(110)]);
    expect(run().signals).toEqual([]);
  });

  it('of a notify service that is given up kills what the command has left', () => {
    const { clock, run, giveUp, facts } = commanding('notify');
    run().exited(exit0, 1);
    clock.increment(5);
    giveUp();
    expect(facts).toEqual([ended({ kind: 'ended' }, 115)]);
    expect(run().signals).toEqual(['SIGKILL at 115']);
    run().look(0);
    expect(facts.slice(1)).toEqual([over(115)]);
  });
});
