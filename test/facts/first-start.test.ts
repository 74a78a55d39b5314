import { describe, expect, it } from 'vitest';
import type { EventView } from '../../src/facts/fact.ts';
import { type FirstStart, followStart, startTimes } from '../../src/facts/first-start.ts';

type Step = readonly [at: number, to: string, event?: EventView, context?: Readonly<Record<string, string>>];

const release: EventView = { type: 'service.start', waitedFor: 'db.service' };
const begin: Step = [10, 'starting.spawning', release];

/** The first start that these moves make. */
function followed(...steps: readonly Step[]): FirstStart | undefined {
  return steps.reduce<FirstStart | undefined>(
    (start, [at, to, event = { type: 'step' }, context = {}], index) =>
      followStart(start, { seq: index + 1, at, from: steps[index - 1]?.[1] ?? 'pending', to, event, context }),
    undefined,
  );
}

function timesOf(...steps: readonly Step[]) {
  return startTimes('web.service', followed(...steps), 1_000);
}

describe('the first start of a service', () => {
  it('begins with the first move to a starting state, and lasts until it is over', () => {
    expect(followed([0, 'pending'])).toBeUndefined();
    const start = followed([0, 'pending'], begin, [12, 'starting.settling', { type: 'unit.spawned' }]);
    expect(start).toEqual({ seq: 2, at: 10, waitedFor: 'db.service' });
    expect(startTimes('web.service', start, 90_000)).toEqual({
      service: 'web.service',
      started: 10,
      lasts: 90_000,
      waitedFor: 'db.service',
    });
    expect(startTimes('web.service', undefined, 90_000)).toBeUndefined();
  });

  it.each<readonly [string, string, EventView, boolean]>([
    ['that was disabled', 'disabled', { type: 'service.start', askedBy: 'hand' }, true],
    ['that waited after the request', 'disabled', { ...release, askedBy: 'hand' }, true],
    ['that would have started in any case', 'pending', { type: 'service.start', askedBy: 'hand' }, false],
    ['that a reload has enabled', 'disabled', { type: 'service.start', askedBy: 'reload' }, false],
  ])('is by hand where a person asked for a service %s', (_, from, event, byHand) => {
    expect(timesOf([0, from], [10, 'starting.spawning', event])?.byHand ?? false).toBe(byHand);
  });

  it('knows whom the service had waited for from the event, or else from the context of the chart', () => {
    const late: Step = [10, 'starting.settling', { type: 'unit.spawned' }, { waitedFor: 'db.service' }];
    expect(followed(late)).toMatchObject({ waitedFor: 'db.service' });
    expect(followed([10, 'starting.spawning', release, { waitedFor: 'other.service' }])).toMatchObject({
      waitedFor: 'db.service',
    });
  });

  it.each<readonly [string, readonly Step[], object]>([
    ['readiness', [[30, 'ready.running']], { ready: 30 }],
    ['a normal end', [[30, 'exited']], { ready: 30 }],
    [
      'a failure',
      [[30, 'failed', { type: 'unit.leaderExited' }, { cause: 'exit 2' }]],
      { failed: { at: 30, cause: 'exit 2' } },
    ],
    [
      'a stop',
      [
        [20, 'stopping.terminating', { type: 'service.stop' }],
        [30, 'stopped'],
      ],
      { failed: { at: 30, cause: 'it was stopped' } },
    ],
    [
      'the readiness of a restart',
      [
        [20, 'backoff', { type: 'unit.leaderExited' }, { cause: 'exit 2' }],
        [25, 'starting.spawning'],
        [30, 'ready.running'],
      ],
      { ready: 30 },
    ],
  ])('is over with %s', (_, steps, end) => {
    expect(timesOf(begin, ...steps)).toEqual({
      service: 'web.service',
      started: 10,
      waitedFor: 'db.service',
      ...end,
    });
  });

  it.each<readonly [string, Step, string]>([
    ['a crash', [90, 'backoff', { type: 'unit.leaderExited' }, { cause: 'exit 5' }], 'exit 5'],
    ['a stop', [90, 'stopping.terminating', { type: 'service.stop', why: 'hand' }], 'a stop'],
    ['a reload', [90, 'stopping.terminating', { type: 'service.stop', why: 'reload' }], 'a reload'],
  ])('holds until %s, and what comes later changes nothing', (_, loss, cause) => {
    const held = followed(begin, [30, 'ready.running'], [40, 'exited'], [50, 'ready.running']);
    expect(held).not.toHaveProperty('lost');
    const lost = followed(
      begin,
      [30, 'ready.running'],
      loss,
      [100, 'starting.spawning'],
      [110, 'ready.running'],
      [120, 'failed', { type: 'unit.leaderExited' }, { cause: 'exit 6' }],
    );
    expect(startTimes('web', lost, 1_000)).toMatchObject({ ready: 30, lost: { at: 90, cause, again: 100 } });
  });

  it('is not made again where the service goes down for good', () => {
    const times = timesOf(
      begin,
      [30, 'ready.running'],
      [90, 'failed', { type: 'unit.leaderExited' }, { cause: 'exit 5' }],
    );
    expect(times?.lost).toEqual({ at: 90, cause: 'exit 5' });
  });

  it('that has failed holds until the service starts again', () => {
    const failed: Step = [30, 'failed', { type: 'unit.leaderExited' }, { cause: 'exit 2' }];
    expect(timesOf(begin, failed, [40, 'stopped', { type: 'service.reset' }])).not.toHaveProperty('lost');
    expect(timesOf(begin, failed, [90, 'starting.spawning', { type: 'service.start' }])).toMatchObject({
      failed: { at: 30, cause: 'exit 2' },
      lost: { at: 90, cause: 'exit 2', again: 90 },
    });
  });

  it('stays the same object where a move changes nothing of it', () => {
    const start = followed(begin, [30, 'ready.running']);
    expect(
      followStart(start, { seq: 9, at: 50, from: 'ready.running', to: 'exited', event: { type: 'step' }, context: {} }),
    ).toBe(start);
  });
});
