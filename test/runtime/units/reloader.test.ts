import { describe, expect, it } from 'vitest';
import { createActor, setup } from 'xstate';
import type { SignalName } from '../../../src/model/service/signal.ts';
import type { SignalOutcome } from '../../../src/model/service/unit-events.ts';
import { VirtualClock } from '../../../src/runtime/simulated/virtual-clock.ts';
import { LiveProcesses } from '../../../src/runtime/units/live-processes.ts';
import { reloaderLogic } from '../../../src/runtime/units/reloader.ts';
import { serviceSpec } from '../../model/specs.ts';

const service = serviceSpec();

/** Reloads the service, whose main process is 7, by a signal. */
function reload(pid: number, signal: SignalName | undefined) {
  const clock = new VirtualClock();
  const live = new LiveProcesses();
  live.add(7, service);
  live.add(8, serviceSpec({ name: 'db.service' }));
  const told: unknown[] = [];
  const said: string[] = [];
  const sent: string[] = [];
  const answers: ((outcome: SignalOutcome) => void)[] = [];
  const reloader = reloaderLogic({
    kernel: {
      signal: (target, name, whom, answer) => {
        sent.push(`${name} ${whom} ${target}`);
        if (answer !== undefined) answers.push(answer);
      },
    },
    clock,
    live,
    onMessage: ({ text }) => said.push(text),
  });
  const machine = setup({
    actors: { reloader },
    types: { events: {} as { readonly type: 'end' } | { readonly type: 'reload.began' | 'reload.signalled' } },
  }).createMachine({
    initial: 'reloading',
    on: { '*': { actions: ({ event }) => told.push(event) } },
    states: {
      reloading: { invoke: { src: 'reloader', input: { service, pid, signal } }, on: { end: 'over' } },
      over: {},
    },
  });
  const actor = createActor(machine);
  actor.start();
  return {
    began: { type: 'reload.began', monotonic: clock.monotonicTime(), at: clock.now() },
    told,
    said,
    sent,
    answer: (outcome: SignalOutcome) => {
      for (const answer of answers.splice(0)) answer(outcome);
    },
    end: () => actor.send({ type: 'end' }),
  };
}

describe('a reload', () => {
  it('by a signal tells when it began, sends the signal to the main process alone, and tells what came of it', () => {
    const { began, told, said, sent, answer } = reload(7, 'SIGHUP');
    expect(told).toEqual([began]);
    expect(said).toEqual(['using SIGHUP to reload web.service, pid 7']);
    expect(sent).toEqual(['SIGHUP process 7']);
    answer('denied');
    expect(told.slice(1)).toEqual([{ type: 'reload.signalled', outcome: 'denied', at: 0 }]);
  });

  it('without a signal tells when it began, and sends none', () => {
    const { began, told, said, sent } = reload(7, undefined);
    expect([told, said, sent]).toEqual([[began], [], []]);
  });

  it.each([8, 9])('sends no signal to process %i, which is not the main process of the service', (pid) => {
    const { told, said, sent } = reload(pid, 'SIGHUP');
    expect(told.slice(1)).toEqual([{ type: 'reload.signalled', outcome: 'vanished', at: 0 }]);
    expect([said, sent]).toEqual([[], []]);
  });

  it('tells nothing of the signal once it is given up', () => {
    const { told, answer, end } = reload(7, 'SIGHUP');
    end();
    answer('sent');
    expect(told).toHaveLength(1);
  });
});
