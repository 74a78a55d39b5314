import { describe, expect, it } from 'vitest';
import {
  describeExit,
  type ExitStatus,
  fromWaitStatus,
  isNormal,
  procStatus,
  shellStatus,
  waitStatus,
} from '../../../src/model/service/exit-status.ts';
import { consoleService } from '../../../src/model/service/service-spec.ts';
import { exitStatusOf, type RunOutcome } from '../../../src/model/service/system-end.ts';

const exited = (code: number): ExitStatus => ({ kind: 'exited', code });
const killed: ExitStatus = { kind: 'signaled', signal: 'SIGKILL', coreDumped: false };
const crashed: ExitStatus = { kind: 'signaled', signal: 'SIGSEGV', coreDumped: true };
const unknown: ExitStatus = { kind: 'unknown' };

describe('an exit status', () => {
  it('is normal only as exit 0', () => {
    expect([exited(0), exited(1), killed, unknown].map(isNormal)).toEqual([true, false, false, false]);
  });

  it('is told to people', () => {
    expect([exited(1), killed, crashed, unknown].map(describeExit)).toEqual([
      'exit 1',
      'SIGKILL',
      'SIGSEGV (core dumped)',
      'status unknown',
    ]);
    expect(describeExit({ ...killed, oomKilled: true })).toBe(
      "SIGKILL (out of memory: ended by the kernel's OOM killer)",
    );
  });

  it('is told to scripts', () => {
    expect([exited(3), killed, crashed, unknown].map(procStatus)).toEqual([
      '<ProcStatus exit_status=3>',
      '<ProcStatus signal=9>',
      '<ProcStatus signal=11>',
      '<ProcStatus status=unknown>',
    ]);
  });

  it('is told as wait(2) encodes it', () => {
    expect([exited(0), exited(3), killed, crashed, unknown].map(waitStatus)).toEqual([0, 0x300, 9, 0x80 | 11, 0x100]);
  });

  it('is read as wait(2) encodes it', () => {
    const statuses = [exited(0), exited(3), exited(255), killed, crashed];
    expect(statuses.map((status) => fromWaitStatus(waitStatus(status)))).toEqual(statuses);
    expect(fromWaitStatus(37)).toEqual({ kind: 'signaled', signal: 'SIGRTMIN+3', coreDumped: false });
    expect(fromWaitStatus(32)).toEqual(unknown);
  });

  it('is told to shells', () => {
    const realTime: ExitStatus = { kind: 'signaled', signal: 'SIGRTMIN+3', coreDumped: false };
    expect([exited(255), killed, crashed, realTime, unknown].map(shellStatus)).toEqual([255, 137, 139, 165, 1]);
  });
});

describe('the exit status of chaperone', () => {
  it('follows from why the system ended', () => {
    expect(exitStatusOf({ kind: 'signal', signal: 'SIGTERM' })).toBe(0);
    expect(exitStatusOf({ kind: 'signal', signal: 'SIGINT' })).toBe(130);
    expect(
      exitStatusOf({ kind: 'exitKills', service: 'web.service', outcome: { kind: 'exit', status: exited(3) } }),
    ).toBe(3);
    expect(exitStatusOf({ kind: 'exitKills', service: 'web.service', outcome: { kind: 'exit', status: killed } })).toBe(
      137,
    );
    const cause = { kind: 'exit', status: exited(3), pid: 7 } as const;
    expect(exitStatusOf({ kind: 'serviceFailed', service: 'web.service', cause })).toBe(1);
    expect(exitStatusOf({ kind: 'missingPrograms', problems: [] })).toBe(1);
    expect(exitStatusOf({ kind: 'internalError', message: 'x' })).toBe(1);
    expect(exitStatusOf({ kind: 'noProcesses' })).toBe(0);
    expect(exitStatusOf({ kind: 'nothingStarted' })).toBe(0);
  });

  it('is that of the command on the command line, as a shell has it', () => {
    const ends = (outcome: RunOutcome): readonly number[] => [
      exitStatusOf({ kind: 'noProcesses', command: outcome }),
      exitStatusOf({ kind: 'exitKills', service: consoleService, outcome }),
      exitStatusOf({
        kind: 'serviceFailed',
        service: consoleService,
        cause: outcome.kind === 'exit' ? { ...outcome, pid: 7 } : outcome,
      }),
    ];
    const refused = (code: string): RunOutcome => ({
      kind: 'spawn',
      error: { code, stage: 'exec', program: '/bin/x' },
    });
    expect(ends({ kind: 'exit', status: exited(3) })).toEqual([3, 3, 3]);
    expect(ends({ kind: 'exit', status: killed })).toEqual([137, 137, 137]);
    expect(ends(refused('ENOENT'))).toEqual([127, 127, 127]);
    expect(ends(refused('EACCES'))).toEqual([126, 126, 126]);
    const cause = { kind: 'timeout', timeout: 1_000, pid: 7 } as const;
    expect(exitStatusOf({ kind: 'serviceFailed', service: consoleService, cause })).toBe(1);
  });
});
