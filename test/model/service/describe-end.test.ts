import { expect, it } from 'vitest';
import { describeEnd, describeFailure } from '../../../src/model/service/describe-end.ts';
import type { FailureCause } from '../../../src/model/service/service-phase.ts';
import type { SystemEnd } from '../../../src/model/service/system-end.ts';

const exit3 = { kind: 'exit', status: { kind: 'exited', code: 3 } } as const;
const service = 'web.service';
const ends: readonly (readonly [SystemEnd, string])[] = [
  [{ kind: 'signal', signal: 'SIGQUIT' }, 'SIGQUIT'],
  [{ kind: 'exitKills', service, outcome: exit3 }, 'web ended (exit_kills)'],
  [{ kind: 'serviceFailed', service, cause: { ...exit3, pid: 7 } }, 'web failed to start'],
  [{ kind: 'serviceFailed', service, cause: { ...exit3, pid: 7 }, onFailure: true }, 'web failed (on_failure)'],
  [
    { kind: 'serviceFailed', service, cause: { ...exit3, pid: 7 }, onUnhealthy: true },
    'web is unhealthy (on_unhealthy)',
  ],
  [{ kind: 'succeeded', service, outcome: exit3 }, 'web ended (on_success)'],
  [{ kind: 'command' }, 'shutdown asked for by a command'],
  [{ kind: 'missingPrograms', problems: [] }, 'programs are missing'],
  [{ kind: 'noProcesses' }, 'no process is left (detect_exit)'],
  [{ kind: 'nothingStarted' }, 'nothing was started (detect_exit)'],
  [{ kind: 'internalError', message: 'secret' }, 'internal error'],
];

it.each(ends)('%j is told in few words', (end, text) => {
  expect(describeEnd(end)).toBe(text);
});

it.each<[FailureCause, string]>([
  [{ ...exit3, pid: 7 }, 'exit 3'],
  [{ kind: 'timeout', timeout: 5_000, pid: 7 }, 'no exit within 5 s'],
  [{ kind: 'reported', errno: 5, pid: 7 }, 'ERRNO=5'],
  [{ kind: 'reported', busError: 'org.x', pid: 7 }, 'BUSERROR=org.x'],
  [{ kind: 'watchdog', interval: 5_000, triggered: true, pid: 7 }, 'WATCHDOG=trigger'],
  [{ kind: 'watchdog', interval: 5_000, triggered: false, pid: 7 }, 'no WATCHDOG=1 within 5 s'],
  [{ kind: 'overrun', limit: 5_000, pid: 7 }, 'ran longer than max_runtime, 5 s'],
  [{ kind: 'prerequisite', prerequisite: 'db.service', how: 'failed' }, 'db has failed'],
])('the failure %j is told in few words', (cause, text) => {
  expect(describeFailure('oneshot', cause)).toBe(text);
});

it('a notify service that is late has not said that it is ready', () => {
  expect(describeFailure('notify', { kind: 'timeout', timeout: 5_000, pid: 7 })).toBe('no READY=1 within 5 s');
});
