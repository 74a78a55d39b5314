import { beforeEach, expect, it, vi } from 'vitest';
import {
  connection,
  cursor,
  flush,
  goTo,
  hearClock,
  instant,
  noteComplete,
  now,
  openPlace,
  placeHash,
  receive,
  recording,
  tick,
} from '../../../src/inspect/page/store.ts';
import { renumbered, withFacts } from '../entries.ts';
import { bootEntry, courseOf, numbered, serviceEntry } from '../hand-made.ts';

vi.useFakeTimers({ toFake: ['performance'] });

/** What a boot tells that goes on until 70 ms. */
function quietBoot(boot: string) {
  const course = courseOf('web', [
    [60, { starting: 'settling' }],
    [70, { ready: 'running' }],
  ]);
  return renumbered(withFacts([bootEntry([serviceEntry('web')], { boot }), ...numbered(course)]));
}

function pass(ms: number): void {
  vi.advanceTimersByTime(ms);
  tick();
}

let boots = 0;

beforeEach(() => {
  boots += 1;
  connection.value = { kind: 'live' };
  receive(quietBoot(String(boots)));
  flush();
});

it('the time goes on without entries, from what the server says', () => {
  expect(instant.value.at).toBe(70);
  hearClock(1_260_000);
  expect(instant.value.at).toBe(1_260_000);
  pass(5_000);
  expect([now.value, instant.value.at]).toEqual([1_265_000, 1_265_000]);
  expect(instant.value.services.get('web.service')?.since).toBe(70);
});

it('the time that was heard before the first entries counts', () => {
  hearClock(90_000);
  receive(quietBoot('another'));
  flush();
  expect(instant.value.at).toBe(90_000);
});

it('the time of an earlier boot does not count', () => {
  hearClock(1_260_000);
  flush();
  receive([]);
  connection.value = { kind: 'live' };
  // Entries of this boot have come since the time was heard.
  const last = quietBoot(String(boots)).at(-1);
  receive(last === undefined ? [] : [{ ...last, seq: 1_000, at: 1_260_001 }]);
  flush();
  receive(quietBoot('the next one'));
  flush();
  expect(instant.value.at).toBe(70);
});

it('an address beyond the last entry is reached when the recording is complete, whenever its entries were read', () => {
  openPlace('#service=web.service&t=60000');
  expect([cursor.value, placeHash.value]).toEqual([undefined, undefined]);
  noteComplete();
  expect(cursor.value).toBe(recording.entries.length);
  expect(placeHash.value).toContain('t=70');
  goTo(undefined);
});

it('the time stands still without a connection, and at an instant of the past', () => {
  hearClock(10_000);
  connection.value = { kind: 'lost', since: 0 };
  pass(60_000);
  expect(now.value).toBe(10_000);
  connection.value = { kind: 'live' };
  pass(0);
  expect(now.value).toBe(70_000);
  goTo(1);
  pass(1_000);
  expect(instant.value.at).toBe(0);
  goTo(undefined);
});
