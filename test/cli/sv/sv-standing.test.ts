import { describe, expect, it } from 'vitest';
import { type ProcessLook, standingLine, standingOf } from '../../../src/cli/sv/sv-standing.ts';
import type { ServiceStatus } from '../../../src/control/supervisor.ts';

const now = 1_000_000_000;
const status: ServiceStatus = {
  name: 'web.service',
  type: 'simple',
  enabled: true,
  state: 'ready',
  stage: 'ready.running',
  since: now - 1_000,
  age: 1_000,
  why: { owner: 'web.service', since: now, next: 'nothing', sentence: 'web runs' },
  prerequisites: [],
  prerequisitesReady: true,
};

/** The line for a service, with the process as it is looked at. */
function lineOf(more: Partial<ServiceStatus>, look?: Partial<ProcessLook>, isDown = false): string {
  const seen = look === undefined ? undefined : { started: now - 45_000, isStopped: false, ...look };
  return standingLine(
    'web',
    standingOf({ ...status, ...more }, () => seen, now),
    { now, isDown },
  );
}

describe('how a service stands in the words of sv', () => {
  it.each<[string, string]>([
    ['run: web: (pid 12) 45s', lineOf({ pid: 12 }, {})],
    ['run: web: (pid 12) 1s', lineOf({ pid: 12 })],
    ['run: web: (pid 12) 45s, normally down', lineOf({ pid: 12 }, {}, true)],
    ['run: web: (pid 12) 45s, paused', lineOf({ pid: 12 }, { isStopped: true })],
    ['run: web: (pid 12) 45s, want down', lineOf({ pid: 12, enabled: false }, {})],
    ['run: web: (pid 12) 45s, want down, got TERM', lineOf({ pid: 12, enabled: false, state: 'stopping' }, {})],
    ['run: web: (pid 12) 45s', lineOf({ pid: 12, state: 'starting' }, {})],
    ['down: web: 1s, normally up, want up', lineOf({ state: 'backoff' })],
    ['down: web: 1s, normally up', lineOf({ state: 'stopped' })],
    ['down: web: 1s', lineOf({ state: 'disabled', enabled: false }, undefined, true)],
    ['down: web: 1s, want up', lineOf({ state: 'pending' }, undefined, true)],
    [
      'down: web: 9s, normally up',
      lineOf({
        state: 'stopped',
        lastExit: { pid: 3, status: { kind: 'exited', code: 0 }, at: now - 9_000 },
      }),
    ],
    [
      'finish: web: (pid 13) 2s',
      lineOf(
        {
          state: 'stopping',
          hook: { stage: 'after_stop', nth: 1, of: 1, pid: 13, ran: 10 },
          lastExit: { pid: 3, status: { kind: 'exited', code: 0 }, at: now - 2_000 },
        },
        {},
      ),
    ],
    [
      'down: web: 1s, normally up, want up',
      lineOf({ state: 'starting', hook: { stage: 'before_start', nth: 1, of: 1, pid: 13, ran: 10 } }, {}),
    ],
  ])('%s', (expected, line) => {
    expect(line).toBe(expected);
  });
});
