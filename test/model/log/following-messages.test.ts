/** What is said when a daemon cannot be followed, or does not notify. */
import { describe, expect, it } from 'vitest';
import { type EndFacts, explainEnd } from '../../../src/model/log/explain.ts';
import { failureText } from '../../../src/model/log/messages.ts';
import type { FailureCause } from '../../../src/model/service/service-phase.ts';
import type { ServiceSpec } from '../../../src/model/service/service-spec.ts';
import { serviceSpec } from '../specs.ts';

function explained(cause: FailureCause, changes: Partial<ServiceSpec>): readonly string[] {
  const spec = serviceSpec(changes);
  const facts: EndFacts = {
    end: { kind: 'serviceFailed', service: spec.name, cause },
    exitStatus: 1,
    neverStarted: [],
    stopped: [],
  };
  return explainEnd(
    facts,
    () => spec,
    () => [],
    0,
  );
}

const file = '/run/web.pid';

describe('the explanation of a failed start', () => {
  it.each<[FailureCause, Partial<ServiceSpec>, string, string]>([
    [
      { kind: 'timeout', timeout: 300_000, pid: 14 },
      { type: 'notify', command: '/usr/bin/redis-server --supervised no' },
      'notify service, no READY=1 within 300 s (process_timeout), pid 14 was alive',
      'add "--supervised systemd": without it redis-server sends no notification',
    ],
    [
      { kind: 'timeout', timeout: 1_000, pid: 0 },
      { type: 'notify' },
      'notify service, no READY=1 within 1 s (process_timeout), its process had ended normally',
      'use type simple or forking for a program that sends no READY=1 (sd_notify)',
    ],
    [
      { kind: 'pidfile', file, trouble: 'absent', timeout: 30_000 },
      { type: 'forking' },
      'forking service, no pid file /run/web.pid within 30 s (process_timeout)',
      '"pidfile" has to name the file that the program writes',
    ],
    [
      { kind: 'pidfile', file, trouble: 'unchanged', timeout: 30_000 },
      { type: 'simple' },
      'simple service, the pid file /run/web.pid was there before the start, and the program has not written it since within 30 s (process_timeout)',
      '"pidfile" has to name the file that the program writes',
    ],
    [
      { kind: 'pidfile', file, trouble: 'refused', timeout: 30_000 },
      { type: 'forking' },
      'forking service, the pid file /run/web.pid names a process that does not belong to the service within 30 s (process_timeout)',
      'the process has to belong to the service, or to run under the account of the service ("uid"), unless root has written the file; PID 1, chaperone and the processes of other services are never followed',
    ],
    [
      { kind: 'exit', status: { kind: 'exited', code: 3 }, pid: 14 },
      { type: 'notify' },
      'notify service, ended with exit 3 before it sent READY=1 (pid 14)',
      'it has said nothing: run its command by hand in the container, as its account; with "ignore_failures: true" the others go on without it',
    ],
    [
      { kind: 'reported', errno: 13, pid: 14 },
      { type: 'notify' },
      'notify service, it sent ERRNO=13 before READY=1 (pid 14)',
      'ERRNO is a number of errno(3), which "errno -l" lists; what the program logs before it tells more',
    ],
  ])('%j of %j', (cause, changes, why, advice) => {
    const lines = explained(cause, changes);
    expect(lines).toContain(`  why     ${why}`);
    expect(lines.filter((line) => line.startsWith('  do'))).toEqual([`  do      ${advice}`]);
  });
});

describe('the lines of the log', () => {
  it.each<[FailureCause, string]>([
    [
      { kind: 'timeout', timeout: 300_000, pid: 14 },
      "notify service 'web.service' did not receive ready notification after 300 second(s), terminating due to 'ignore_failures=False'",
    ],
    [
      { kind: 'pidfile', file, trouble: 'absent', timeout: 30_000 },
      "web.service did not find pid file '/run/web.pid' before 30sec process_timeout expired",
    ],
    [
      { kind: 'pidfile', file, trouble: 'garbage', timeout: 30_000 },
      "web.service found pid file '/run/web.pid' but contents did not contain an integer",
    ],
    [{ kind: 'reported', errno: 3, pid: 14 }, 'web.service failed with reported error <ProcStatus exit_status=3>'],
  ])('%j', (cause, text) => {
    expect(failureText(serviceSpec({ type: 'notify' }), cause)).toBe(text);
  });
});
