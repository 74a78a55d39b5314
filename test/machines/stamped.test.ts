import { describe, expect, it } from 'vitest';
import { assign, setup } from 'xstate';
import { stamped } from '../../src/machines/stamped.ts';
import { explore } from './explore.ts';

interface Clock {
  readonly at: number;
  readonly rings: number;
}

type ClockEvent =
  | { readonly type: 'clock.rang'; readonly times: number; readonly at: number }
  | { readonly type: 'clock.chimed'; readonly times: number; readonly at: number }
  | { readonly type: 'clock.stopped' };

const when = stamped<Clock, ClockEvent>();
const ring = when('clock.rang', ({ rings }, { times }) => ({ rings: rings + times }));
const sound = when(['clock.rang', 'clock.chimed'], ({ rings }, { times }) => ({ rings: rings + times }));
const stop = when('clock.stopped', () => ({ rings: 0 }));
const context: Clock = { at: 3, rings: 1 };

describe('stamped', () => {
  it('notes the time of the event that it is for, beside what changes', () => {
    expect(ring({ context, event: { type: 'clock.rang', times: 2, at: 9 } })).toEqual({ at: 9, rings: 3 });
  });

  it('leaves the time alone where the event has none', () => {
    expect(stop({ context, event: { type: 'clock.stopped' } })).toEqual({ rings: 0 });
  });

  it('throws at an event of another type', () => {
    expect(() => ring({ context, event: { type: 'clock.stopped' } })).toThrow(
      'internal error: an action for clock.rang meets clock.stopped',
    );
  });

  it('makes one assignment for several types of events', () => {
    expect(sound({ context, event: { type: 'clock.rang', times: 2, at: 9 } })).toEqual({ at: 9, rings: 3 });
    expect(sound({ context, event: { type: 'clock.chimed', times: 4, at: 8 } })).toEqual({ at: 8, rings: 5 });
  });

  it('names all types of an assignment that meets another one', () => {
    expect(() => sound({ context, event: { type: 'clock.stopped' } })).toThrow(
      'internal error: an action for clock.rang or clock.chimed meets clock.stopped',
    );
  });

  it('is so found by a walk through a chart that wires it wrongly', () => {
    const chart = setup({
      types: { context: {} as Clock, events: {} as ClockEvent },
      actions: { ring: assign(ring) },
    }).createMachine({
      context,
      initial: 'ringing',
      states: {
        ringing: { on: { 'clock.stopped': 'still' } },
        still: { on: { 'clock.stopped': { actions: ['ring'] } } },
      },
    });
    const walk = () =>
      explore(chart, { input: undefined, events: () => [{ type: 'clock.stopped' }], distinguish: () => 0 });
    expect(walk).toThrow('internal error: an action for clock.rang meets clock.stopped');
  });
});
