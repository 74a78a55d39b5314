import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ExitStatus } from '../../../src/model/service/exit-status.ts';
import {
  answerTo,
  describeNoTry,
  luckOf,
  mayBeTried,
  nextTry,
  noTries,
  pauseOf,
  stableAfter,
  stableMemory,
  type Tried,
  triesLeft,
} from '../../../src/model/service/restart-policy.ts';
import type { ServiceSpec } from '../../../src/model/service/service-spec.ts';
import { serviceSpec } from '../specs.ts';

const exit = (code: number): ExitStatus => ({ kind: 'exited', code });
const killedBy = (signal: 'SIGTERM' | 'SIGKILL'): ExitStatus => ({ kind: 'signaled', signal, coreDumped: false });

function tried(spec: Partial<ServiceSpec>, status: ExitStatus = exit(1), more: Partial<Tried> = {}): Tried {
  return {
    ...noTries,
    spec: serviceSpec({ restart: true, ...spec }),
    verdict: { kind: 'exit', status, pid: 7 },
    followed: false,
    settled: true,
    hasBeenReady: true,
    retired: false,
    serial: 1,
    seed: 5,
    at: 10_000,
    ...more,
  };
}

const ready = {
  kind: 'probe',
  check: { kind: 'tcp', host: 'localhost', port: 80 },
  interval: 100,
  longest: 1_000,
  timeout: 1_000,
  retries: 1,
  startPeriod: 0,
} as const;
const unhealthy = { kind: 'unhealthy', probe: 'tcp localhost:80', reason: 'ECONNREFUSED', pid: 7 } as const;

const tries = { kind: 'try' };
const none = { kind: 'none', why: undefined };

describe('the answer to an end', () => {
  it.each([
    ['an abnormal end', {}, exit(1), {}, tries],
    ['an abnormal end without restart', { restart: false }, exit(1), {}, none],
    ['a normal end', {}, exit(0), {}, none],
    ['a normal end with always', { restartPolicy: { always: true } }, exit(0), {}, tries],
    ['a normal end before its probes of ready have passed', { ready }, exit(0), { settled: false }, tries],
    ['an end that success_exit has, before them', { ready, successExit: [3] }, exit(3), { settled: false }, tries],
    ['a normal end after they have passed', { ready }, exit(0), {}, none],
    ['an unhealthy end', { ready }, exit(0), { verdict: unhealthy }, tries],
    ['an unhealthy end without restart', { restart: false }, exit(0), { verdict: unhealthy }, none],
    ['an end that success_exit has', { successExit: [143] }, exit(143), {}, none],
    ['the same end without it', {}, exit(143), {}, tries],
    ['an end by a signal that success_exit has', { successExit: ['SIGTERM'] }, killedBy('SIGTERM'), {}, none],
    ['the kill signal of a daemon', {}, killedBy('SIGTERM'), { followed: true }, none],
    ['another signal of a daemon', {}, killedBy('SIGKILL'), { followed: true }, tries],
    ['an end while the system ends', {}, exit(1), { retired: true }, none],
    ['an end with exit_kills', { exitKills: true }, exit(1), {}, none],
    ['a failed start', {}, exit(1), { hasBeenReady: false }, { kind: 'none', why: { kind: 'start' } }],
    [
      'a failed start that may be tried',
      { restartPolicy: { startFailure: true } },
      exit(1),
      { hasBeenReady: false },
      tries,
    ],
    [
      'an end that restart_prevent has',
      { restartPolicy: { prevent: [78, 'SIGKILL'] } },
      exit(78),
      {},
      { kind: 'none', why: { kind: 'prevented', ending: 78 } },
    ],
    [
      'a normal end that restart_prevent has',
      { restartPolicy: { always: true, prevent: [0] } },
      exit(0),
      {},
      { kind: 'none', why: { kind: 'prevented', ending: 0 } },
    ],
    ['the last try but one', { restartLimit: 2 }, exit(1), { restartsUsed: 1 }, tries],
    [
      'no try left',
      { restartLimit: 2 },
      exit(1),
      { restartsUsed: 2 },
      { kind: 'none', why: { kind: 'usedUp', limit: 2 } },
    ],
    ['no limit', { restartLimit: Number.POSITIVE_INFINITY }, exit(1), { restartsUsed: 1e6 }, tries],
    [
      'a normal end after startup_pause, which needs no try',
      { restartLimit: 2, restartPolicy: { always: true } },
      exit(0),
      { restartsUsed: 2 },
      tries,
    ],
    [
      'a normal end within startup_pause, which does',
      { restartLimit: 2, restartPolicy: { always: true } },
      exit(0),
      { restartsUsed: 2, settled: false },
      { kind: 'none', why: { kind: 'usedUp', limit: 2 } },
    ],
  ] as const)('%s', (_, spec, status, more, expected) => {
    expect(answerTo(tried(spec, status, more))).toEqual(expected);
  });

  it('is a try after what chaperone ended itself', () => {
    const spec = { restartPolicy: { prevent: [1], always: true } } as const;
    const verdict = { kind: 'watchdog', interval: 5, triggered: false, pid: 7 } as const;
    expect(answerTo(tried(spec, exit(0), { verdict }))).toEqual(tries);
  });

  it('counts only the restarts within restart_window', () => {
    const window = (recent: readonly number[]) =>
      answerTo(tried({ restartLimit: 2, restartPolicy: { window: 1_000 } }, exit(1), { recent, restartsUsed: 9 }));
    expect(window([8_999, 9_001])).toEqual(tries);
    expect(window([9_001, 9_500])).toEqual({ kind: 'none', why: { kind: 'usedUp', limit: 2, window: 1_000 } });
  });
});

describe('a pause', () => {
  const growing = { restartDelay: 1_000, restartPolicy: { backoff: 2, delayMax: 6_000 } };

  it('grows by restart_backoff up to restart_delay_max', () => {
    expect([1, 2, 3, 4, 5, 400].map((number) => pauseOf(growing, number, 0))).toEqual([
      1_000, 2_000, 4_000, 6_000, 6_000, 6_000,
    ]);
  });

  it('is never shorter than restart_delay, and without restart_backoff always that', () => {
    expect(pauseOf({ restartDelay: 90_000, restartPolicy: { backoff: 2 } }, 3, 0)).toBe(90_000);
    expect(pauseOf({ restartDelay: 90_000 }, 7, 1)).toBe(90_000);
    expect(pauseOf({ restartDelay: 0, restartPolicy: { backoff: 3 } }, 7, 1)).toBe(0);
  });

  it('is off by restart_jitter at the most', () => {
    const near = { restartDelay: 1_000, restartPolicy: { jitter: 0.25 } };
    expect([-1, 0, 1].map((luck) => pauseOf(near, 1, luck))).toEqual([750, 1_000, 1_250]);
    fc.assert(
      fc.property(fc.integer(), fc.string(), fc.nat(), (seed, name, serial) => {
        const luck = luckOf(seed, name, serial);
        expect(luck).toBeGreaterThanOrEqual(-1);
        expect(luck).toBeLessThanOrEqual(1);
        expect(luckOf(seed, name, serial)).toBe(luck);
      }),
    );
  });

  it('leaves services that fail together apart from each other', () => {
    const lucks = Array.from({ length: 200 }, (_, index) => luckOf(42, `s${index}.service`, 1));
    expect(new Set(lucks).size).toBe(200);
    // Of evenly spread numbers each quarter of the range has about a quarter.
    for (const from of [-1, -0.5, 0, 0.5])
      expect(lucks.filter((luck) => luck >= from && luck < from + 0.5).length).toBeGreaterThan(25);
  });
});

describe('the memory of tries', () => {
  const growing = { restartDelay: 100, restartPolicy: { always: true, backoff: 2 } } as const;

  it('counts what is used up, and the pauses in a row', () => {
    const first = nextTry(tried(growing));
    expect(first).toEqual({ ...noTries, restartsUsed: 1, streak: 1, pause: 100, firstLoss: 10_000 });
    const second = nextTry(tried(growing, exit(1), { ...first, at: 10_500 }));
    expect(second).toEqual({ ...noTries, restartsUsed: 2, streak: 2, pause: 200, firstLoss: 10_000 });
    // A normal end after startup_pause neither counts nor makes the pause longer.
    expect(nextTry(tried(growing, exit(0), { ...second, at: 11_000 }))).toEqual(second);
    expect(nextTry(tried(growing, exit(0)))).toEqual({ ...noTries, streak: 1, pause: 100 });
    expect(stableMemory(serviceSpec(growing), second)).toEqual(noTries);
  });

  it('keeps with a window when the restarts come, and forgets none by being stable', () => {
    const spec = { restartDelay: 100, restartLimit: 3, restartPolicy: { window: 1_000 } };
    const first = nextTry(tried(spec));
    expect(first).toMatchObject({ restartsUsed: 1, recent: [10_100] });
    const second = nextTry(tried(spec, exit(1), { ...first, at: 10_600 }));
    expect(second).toMatchObject({ restartsUsed: 2, recent: [10_100, 10_700], streak: 2 });
    const stable = stableMemory(serviceSpec(spec), second);
    expect(stable).toMatchObject({ restartsUsed: 2, recent: [10_100, 10_700], streak: 0, pause: undefined });
    expect(triesLeft({ ...tried(spec), ...stable, at: 11_050 })).toBe(1);
    expect(triesLeft({ ...tried(spec), ...stable, at: 11_200 })).toBe(2);
    expect(nextTry(tried(spec, exit(1), { ...stable, at: 12_000 }))).toMatchObject({
      restartsUsed: 1,
      recent: [12_100],
    });
  });

  it('never lets more restarts come within a window than the limit says', () => {
    const spec = { restartLimit: 3, restartDelay: 400, restartPolicy: { window: 5_000, backoff: 1.5, jitter: 0.5 } };
    fc.assert(
      fc.property(
        fc.integer(),
        fc.array(fc.integer({ min: 0, max: 4_000 }), { minLength: 5, maxLength: 40 }),
        (seed, runs) => {
          let memory = noTries;
          let at = 0;
          const starts: number[] = [];
          for (const [serial, ran] of runs.entries()) {
            at += ran;
            const known = tried(spec, exit(1), { ...memory, at, seed, serial });
            // Whoever looks again later finds room again, as a start by hand would.
            if (answerTo(known).kind !== 'try') continue;
            memory = nextTry(known);
            at += memory.pause ?? 0;
            starts.push(at);
          }
          for (const start of starts)
            expect(starts.filter((other) => other > start - 5_000 && other <= start).length).toBeLessThanOrEqual(3);
          expect(memory.recent.length).toBeLessThanOrEqual(3);
        },
      ),
    );
  });
});

it('each reason has its words', () => {
  expect(describeNoTry({ kind: 'prevented', ending: 78 })).toBe('restart_prevent: 78');
  expect(describeNoTry({ kind: 'usedUp', limit: 5 })).toBe('restart_limit: 5');
  expect(describeNoTry({ kind: 'usedUp', limit: 5, window: 60_000 })).toBe('restart_limit: 5 in 1 m');
  expect(describeNoTry({ kind: 'start' })).toBe('restart_on_start_failure: false');
});

describe('the rest of the policy', () => {
  it('lets a service be stable a second after its last pause', () => {
    expect(stableAfter(0)).toBe(1_000);
    expect(stableAfter(500)).toBe(1_500);
  });

  it('tries a service again where any end of it may be followed by a try', () => {
    expect(mayBeTried({ restart: true })).toBe(true);
    expect(mayBeTried({ restart: false })).toBe(false);
    expect(mayBeTried({ restart: false, restartPolicy: {} })).toBe(false);
    expect(mayBeTried({ restart: false, restartPolicy: { startFailure: true } })).toBe(true);
  });

  it('begins with no tries', () => {
    expect(noTries).toStrictEqual({
      restartsUsed: 0,
      streak: 0,
      pause: undefined,
      recent: [],
      firstLoss: undefined,
      noTry: undefined,
    });
  });

  it('counts no tries where there is no limit, and never fewer than none', () => {
    expect(triesLeft(tried({ restartLimit: Number.POSITIVE_INFINITY }))).toBeUndefined();
    expect(triesLeft(tried({ restartLimit: 2 }, exit(1), { restartsUsed: 3 }))).toBe(0);
    expect(triesLeft(tried({ restartLimit: 2 }, exit(1), { restartsUsed: 1 }))).toBe(1);
  });

  it('gives no reason where a service has no tries at all, or ends because of its prerequisite', () => {
    const none = { kind: 'none', why: undefined };
    expect(answerTo(tried({ restartLimit: 0 }))).toStrictEqual(none);
    const verdict = { kind: 'prerequisite', prerequisite: 'db.service', how: 'failed' } as const;
    expect(answerTo(tried({}, exit(1), { verdict }))).toStrictEqual(none);
    expect(answerTo(tried({}, exit(1), { verdict: undefined }))).toStrictEqual(none);
    expect(answerTo(tried({ restartLimit: 1 }, exit(1), { restartsUsed: 1 }))).toStrictEqual({
      kind: 'none',
      why: { kind: 'usedUp', limit: 1 },
    });
  });

  it('forgets why no other try followed once one follows', () => {
    expect(nextTry(tried({}))).toHaveProperty('noTry', undefined);
    const windowed = nextTry(tried({ restartPolicy: { window: 10_000 }, restartDelay: 100 }, exit(1), { at: 5_000 }));
    expect(windowed).toMatchObject({ restartsUsed: 1, recent: [5_100], firstLoss: 5_100 });
  });
});
