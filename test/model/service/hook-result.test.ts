import { expect, it } from 'vitest';
import type { ExitStatus } from '../../../src/model/service/exit-status.ts';
import { resultVariables } from '../../../src/model/service/hook-result.ts';
import type { FailureCause } from '../../../src/model/service/service-phase.ts';

const ran = { cause: undefined, status: undefined, overdue: false };
const exited: ExitStatus = { kind: 'exited', code: 3 };
const place = { stage: 'before_start', nth: 1, of: 1 } as const;
const killed: ExitStatus = { kind: 'signaled', signal: 'SIGTERM', coreDumped: false };
const dumped: ExitStatus = { kind: 'signaled', signal: 'SIGSEGV', coreDumped: true };

it.each<[ExitStatus | undefined, Readonly<Record<string, string>>]>([
  [undefined, {}],
  [{ kind: 'unknown' }, {}],
  [exited, { EXIT_CODE: 'exited', EXIT_STATUS: '3', EXIT_SIGNAL: '0' }],
  [killed, { EXIT_CODE: 'killed', EXIT_STATUS: 'TERM', EXIT_SIGNAL: '15' }],
  [dumped, { EXIT_CODE: 'dumped', EXIT_STATUS: 'SEGV', EXIT_SIGNAL: '139' }],
])('after_stop learns of the end %j of a run that has not failed', (status, variables) => {
  expect(resultVariables({ ...ran, status })).toEqual({ SERVICE_RESULT: 'success', ...variables });
});

it.each<[FailureCause, string]>([
  [{ kind: 'exit', pid: 7, status: exited }, 'exit-code'],
  [{ kind: 'exit', pid: 7, status: { kind: 'unknown' } }, 'exit-code'],
  [{ kind: 'exit', pid: 7, status: killed }, 'signal'],
  [{ kind: 'exit', pid: 7, status: dumped }, 'core-dump'],
  [
    { kind: 'exit', pid: 7, status: { kind: 'signaled', signal: 'SIGKILL', coreDumped: false, oomKilled: true } },
    'oom-kill',
  ],
  [{ kind: 'timeout', timeout: 5, pid: 7 }, 'timeout'],
  [{ kind: 'overrun', limit: 5, pid: 7 }, 'timeout'],
  [{ kind: 'unready', probe: 'notify', reason: 'x', timeout: 5, pid: 7 }, 'timeout'],
  [{ kind: 'unhealthy', probe: 'notify', reason: 'x', pid: 7 }, 'watchdog'],
  [{ kind: 'watchdog', interval: 5, triggered: false, pid: 7 }, 'watchdog'],
  [{ kind: 'reported', errno: 1, pid: 7 }, 'protocol'],
  [{ kind: 'schedule', problem: 'x' }, 'resources'],
  [{ kind: 'listen', port: 80, code: 'EACCES', tried: [] }, 'resources'],
  [{ kind: 'spawn', error: { code: 'ENOENT', stage: 'exec', program: 'x' } }, 'resources'],
  [{ kind: 'hook', hook: place, failure: { kind: 'timeout', timeout: 5 } }, 'timeout'],
  [{ kind: 'hook', hook: place, failure: { kind: 'exit', status: killed } }, 'signal'],
  [
    { kind: 'hook', hook: place, failure: { kind: 'spawn', error: { code: 'ENOENT', stage: 'exec', program: 'x' } } },
    'resources',
  ],
  [{ kind: 'prerequisite', prerequisite: 'db.service', how: 'crashed' }, 'success'],
])('after_stop learns of the failure %j as %s', (cause, result) => {
  expect(resultVariables({ ...ran, cause })).toEqual({ SERVICE_RESULT: result });
});

it('after_stop learns that a stop took too long', () => {
  expect(resultVariables({ ...ran, overdue: true })).toEqual({ SERVICE_RESULT: 'timeout' });
  const cause: FailureCause = { kind: 'prerequisite', prerequisite: 'db.service', how: 'crashed' };
  expect(resultVariables({ ...ran, cause, overdue: true })).toEqual({ SERVICE_RESULT: 'timeout' });
  expect(resultVariables({ ...ran, cause: { kind: 'exit', pid: 7, status: exited }, overdue: true })).toEqual({
    SERVICE_RESULT: 'exit-code',
  });
});
