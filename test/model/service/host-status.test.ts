import { describe, expect, it } from 'vitest';
import { errnoOf, statusText } from '../../../src/model/service/host-status.ts';
import type { SystemEnd } from '../../../src/model/service/system-end.ts';

describe('statusText', () => {
  it('tells what there is, and leaves out what there is not', () => {
    const nothing = { uptime: 0, started: 0, scheduled: 0, failed: 0, errors: 0 };
    expect(statusText(nothing)).toBe('Uptime 00:00:00; 0 services started');
    expect(statusText({ uptime: 3_723_999, started: 1, scheduled: 2, failed: 1, errors: 3 })).toBe(
      'Uptime 01:02:03; 1 service started; 2 scheduled; 1 failed; 3 total errors',
    );
    expect(statusText({ ...nothing, uptime: 400_000_000, errors: 1 })).toBe(
      'Uptime 111:06:40; 0 services started; 1 total error',
    );
  });
});

describe('errnoOf', () => {
  const failed = (cause: (SystemEnd & { kind: 'serviceFailed' })['cause']): SystemEnd => ({
    kind: 'serviceFailed',
    service: 'a.service',
    cause,
  });
  const exited = (code: number) => ({ kind: 'exited', code }) as const;
  const killed = { kind: 'signaled', signal: 'SIGKILL', coreDumped: false } as const;

  it.each<[number | undefined, SystemEnd]>([
    [undefined, { kind: 'signal', signal: 'SIGTERM' }],
    [4, { kind: 'signal', signal: 'SIGINT' }],
    [undefined, { kind: 'noProcesses' }],
    [undefined, { kind: 'nothingStarted' }],
    [2, { kind: 'missingPrograms', problems: [] }],
    [8, failed({ kind: 'exit', status: exited(3), pid: 5 })],
    [4, failed({ kind: 'exit', status: killed, pid: 5 })],
    [2, failed({ kind: 'spawn', error: { code: 'ENOENT', stage: 'exec', program: 'x' } })],
    [22, failed({ kind: 'spawn', error: { code: 'EACCES', stage: 'exec', program: 'x' } })],
    [13, failed({ kind: 'reported', errno: 13, pid: 5 })],
    [5, failed({ kind: 'reported', busError: 'org.example.Error', pid: 5 })],
    [110, failed({ kind: 'timeout', timeout: 1_000, pid: 5 })],
    [2, failed({ kind: 'pidfile', file: '/run/x', trouble: 'absent', timeout: 1_000 })],
    [22, failed({ kind: 'pidfile', file: '/run/x', trouble: 'garbage', timeout: 1_000 })],
    [undefined, { kind: 'exitKills', service: 'a.service', outcome: { kind: 'exit', status: exited(0) } }],
    [8, { kind: 'exitKills', service: 'a.service', outcome: { kind: 'exit', status: exited(9) } }],
    [22, failed({ kind: 'listen', port: 80, code: 'EADDRINUSE', tried: [] })],
    [22, failed({ kind: 'schedule', problem: 'no such time zone' })],
    [8, { kind: 'noProcesses', command: { kind: 'exit', status: exited(1) } }],
    [5, { kind: 'internalError', message: 'internal error: x' }],
  ])('%s for %j', (errno, end) => {
    expect(errnoOf(end)).toBe(errno);
  });
});
