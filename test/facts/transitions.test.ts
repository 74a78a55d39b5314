import { describe, expect, it } from 'vitest';
import type { EventView, Fact } from '../../src/facts/fact.ts';
import type { Transition } from '../../src/facts/transition.ts';
import { noticeText, Transitions } from '../../src/facts/transitions.ts';
import type { JsonObject } from '../../src/model/words/json.ts';
import { serviceEntry } from '../inspect/hand-made.ts';

const web = 'web.service';

type Step = readonly [at: number, from: string, to: string, event?: EventView, context?: JsonObject];

function moved(actor: string, [at, from, to, event = { type: 'x' }, context = {}]: Step, seq = 1): Fact {
  return { type: 'moved', seq, at, actor, from, to, event, context };
}

/** The transitions of the moves of one actor. */
function transitionsOf(actor: string, steps: readonly Step[]): readonly Transition[] {
  const transitions = new Transitions();
  transitions.configure([serviceEntry('web')]);
  return steps.flatMap((step, index) =>
    transitions
      .take(moved(actor, step, index + 1))
      .flatMap((line) => (line.kind === 'transition' ? [line.transition] : [])),
  );
}

const lastOf = (actor: string, steps: readonly Step[]) => transitionsOf(actor, steps).at(-1);

describe('the first line of a system', () => {
  it.each<[JsonObject, string]>([
    [{ services: 3, layers: 1, files: 0 }, '3 services, 1 layer, 0 files'],
    [{ services: 1, layers: 2, files: 1, end: 'SIGTERM' }, '1 service, 2 layers, 1 file; SIGTERM'],
    [{}, '0 services, 0 layers, 0 files'],
  ])('has its size, and the end where that is known already: %j', (context, detail) => {
    const first: Step = [0, '─', 'booting.starting', { type: 'xstate.init' }, context];
    expect(transitionsOf('system', [first])).toEqual([
      { at: 0, actor: 'system', from: '─', to: 'booting.starting', detail },
    ]);
  });
});

describe('the end of a boot', () => {
  const start: readonly Step[] = [
    [0, '─', 'pending', { type: 'xstate.init' }],
    [10, 'pending', 'starting.spawning', { type: 'service.start' }],
    [40, 'starting.spawning', 'ready.running'],
  ];

  it.each([
    ['booting.starting', 'up'],
    ['booting.starting', 'draining.stopping'],
    ['booting.idling', 'failed'],
  ])('tells what decided its length: %s → %s', (from, to) => {
    const transitions = new Transitions();
    for (const step of start) transitions.take(moved(web, step));
    const lines = transitions.take(moved('system', [50, from, to]));
    expect(lines.map(({ kind }) => kind)).toEqual(['transition', 'booted']);
    expect(lines[1]).toMatchObject({ at: 50, criticalChain: [{ service: 'web' }], slowest: [{ service: 'web' }] });
  });

  it.each([
    ['up', 'draining.stopping'],
    ['draining.killing', 'failed'],
    ['booting.starting', 'booting.idling'],
  ])('is not what comes before or long after: %s → %s', (from, to) => {
    const transitions = new Transitions();
    for (const step of start) transitions.take(moved(web, step));
    expect(transitions.take(moved('system', [50, from, to])).map(({ kind }) => kind)).toEqual(['transition']);
  });

  it('tells nothing of starts where nothing was started', () => {
    expect(new Transitions().take(moved('system', [50, 'booting.starting', 'up']))).toHaveLength(1);
  });
});

describe('the end of the first process of a run', () => {
  const ended = (to: string, left: number) =>
    lastOf(web, [
      [100, 'starting.spawning', 'starting.settling', { type: 'unit.spawned', pid: 7 }],
      [400, 'starting.settling', to, { type: 'unit.leaderExited', ended: 'exit 1', left }, { cause: 'exit 1' }],
    ]);

  it.each([
    [0, 'exit 1 after 300 ms'],
    [1, 'exit 1 after 300 ms; 1 process of its run is left'],
    [2, 'exit 1 after 300 ms; 2 processes of its run are left'],
  ])('says how many are left: %i', (left, detail) => {
    expect(ended('stopping.clearing', left)).toMatchObject({ detail, exit: 'exit 1', cause: 'exit 1' });
  });

  it('is shown with the move behind it where the service becomes ready first', () => {
    expect(ended('ready.running', 0)).toEqual({
      ...{ at: 400, actor: 'web', from: 'starting.settling', to: 'ready.running', event: 'unit.leaderExited' },
      ...{ cause: 'exit 1', detail: 'startup_pause of 0.5 s passed' },
    });
  });
});

describe('a notification', () => {
  it.each<[JsonObject, string]>([
    [{ ready: true, status: 'up' }, 'READY=1  "up"'],
    [{ mainPid: 42 }, 'MAINPID=42'],
    [{ errno: 2, busError: 'x' }, 'ERRNO=2  BUSERROR=x'],
    [{ stopping: true, watchdog: 'trigger' }, 'STOPPING=1  WATCHDOG=trigger'],
    [{ reloading: true, extend: 1.5 }, 'RELOADING=1  EXTEND_TIMEOUT_USEC=1500'],
    [{ watchdogInterval: 500 }, 'WATCHDOG_USEC=500000'],
    [{ ready: false, watchdog: 'off' }, ''],
  ])('is shown as it was sent: %j', (message, text) => {
    expect(noticeText(message)).toBe(text);
  });
});
