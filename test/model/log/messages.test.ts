import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  acceptPaused,
  alreadyStarted,
  cannotSubreap,
  configurationError,
  daemonLeft,
  exitKillsAhead,
  exitSeen,
  explicitStatus,
  failureText,
  hangupReceived,
  hostQueueing,
  killing,
  logLevelForced,
  type Message,
  memberReaped,
  messagesFor,
  missingIgnored,
  noProcessesRemain,
  notPid1,
  optionalDisabled,
  orphanReaped,
  pidChanged,
  readyMessage,
  recordsDropped,
  reloadRefused,
  reloadStep,
  seconds,
  shutdownScheduled,
  signalIgnored,
  signalling,
  startAttempt,
  syslogServed,
  terminating,
} from '../../../src/model/log/messages.ts';
import type { ScheduleNews } from '../../../src/model/schedule/scheduled-runs.ts';
import type { FailureCause, ServiceChange } from '../../../src/model/service/service-phase.ts';
import type { ServiceSpec } from '../../../src/model/service/service-spec.ts';
import { describeSpawnError, type SpawnErrorStage } from '../../../src/model/service/spawn-error.ts';
import type { SystemEnd } from '../../../src/model/service/system-end.ts';
import type { SystemNotice } from '../../../src/model/service/system-notice.ts';
import { patternOf, referenceLines } from '../../fixtures/reference-lines.ts';
import { serviceSpec } from '../specs.ts';

const exit0 = { kind: 'exited', code: 0 } as const;
const exit3 = { kind: 'exited', code: 3 } as const;
const terminated = { kind: 'signaled', signal: 'SIGTERM', coreDumped: false } as const;
const exited: FailureCause = { kind: 'exit', status: exit3, pid: 7 };
const missing: FailureCause = { kind: 'spawn', error: { code: 'ENOENT', stage: 'lookup', program: 'web' } };
const late: FailureCause = { kind: 'timeout', timeout: 30_000, pid: 7 };

/** `severity: text` of each line. */
function told(notice: SystemNotice, spec: ServiceSpec = serviceSpec()): readonly string[] {
  return messagesFor(notice, (name) => (name === spec.name ? spec : undefined), 8_000).map(
    ({ severity, text }) => `${severity}: ${text}`,
  );
}

function changed(change: ServiceChange, spec: Partial<ServiceSpec> = {}): readonly string[] {
  const { name, ignoreFailures } = serviceSpec(spec);
  return told({ type: 'service.changed', service: name, change, ignoreFailures }, serviceSpec(spec));
}

function drained(end: SystemEnd, spec?: ServiceSpec): readonly string[] {
  return told({ type: 'system.draining', end }, spec);
}

describe('the log lines of the start', () => {
  it('tell of services on their way', () => {
    expect(told({ type: 'service.skipped', service: 'web.service' })).toEqual([
      'debug: service web.service not enabled, will be skipped',
    ]);
    expect(told({ type: 'service.queued', service: 'web.service' })).toEqual([
      'debug: service web.service enabled, queueing start request',
    ]);
    expect(told({ type: 'service.released', service: 'web.service' })).toEqual([
      'debug: service web.service prerequisites satisfied',
    ]);
    expect(told({ type: 'service.blocked', service: 'web.service', roots: ['db.service'] })).toEqual([
      'warning: service web.service will not start: it waits for db.service, which does not become ready by itself',
    ]);
    const roots = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => `${name}.service`);
    expect(told({ type: 'service.blocked', service: 'web.service', roots: roots.slice(0, 2) })).toEqual([
      'warning: service web.service will not start: it waits for a.service, b.service, which do not become ready by themselves',
    ]);
    expect(told({ type: 'service.blocked', service: 'web.service', roots })).toEqual([
      'warning: service web.service will not start: it waits for a.service, b.service, c.service, d.service, e.service and 2 more, which do not become ready by themselves',
    ]);
    expect(startAttempt(serviceSpec())).toEqual({
      severity: 'debug',
      text: "web.service attempting start '/bin/web --port 80'...",
      revealing: true,
    });
  });

  it('tell of success', () => {
    expect(changed({ phase: 'starting', serial: 1 })).toEqual([]);
    expect(changed({ phase: 'ready.running', pid: 7, restarted: false })).toEqual([
      'debug: web.service successfully started',
    ]);
    expect(changed({ phase: 'ready.running', pid: 7, restarted: true })).toEqual([
      'debug: web.service restart succeeded',
    ]);
    expect(changed({ phase: 'ready.exited', restarted: false })).toEqual(['debug: web.service successfully started']);
    expect(changed({ phase: 'ready.exited', restarted: true })).toEqual(['debug: web.service restart succeeded']);
    const end = { pid: 7, status: exit0, ran: 1_500 };
    expect(changed({ phase: 'exited', end, restarted: false, wasReady: false })).toEqual([
      'debug: web.service successfully started',
      'info: web.service ended normally with exit 0 after 1.5 s (pid 7)',
    ]);
    expect(changed({ phase: 'exited', end, restarted: false, wasReady: true })).toEqual([
      'info: web.service ended normally with exit 0 after 1.5 s (pid 7)',
    ]);
    expect([1, 2].map((count) => daemonLeft('web.service', count).text)).toEqual([
      'web.service has left 1 process behind, as a daemon does: chaperone follows a daemon under type forking with a pidfile',
      'web.service has left 2 processes behind, as a daemon does: chaperone follows a daemon under type forking with a pidfile',
    ]);
    expect(daemonLeft('web.service', 1).severity).toBe('info');
    expect(told({ type: 'service.reset', service: 'web.service' })).toEqual(['debug: web.service received reset']);
    expect(readyMessage('1.2.3')).toEqual({ severity: 'info', text: 'chaperone version 1.2.3, ready.' });
  });

  it('tell of a failed start', () => {
    expect(changed({ phase: 'failed', cause: exited, during: 'start' })).toEqual([
      "debug: web.service received exception during attempted start. Exception: web.service failed on start-up with result '<ProcStatus exit_status=3>'",
    ]);
    expect(changed({ phase: 'failed', cause: exited, during: 'start' }, { ignoreFailures: true })).toEqual([
      "debug: web.service received exception during attempted start. Exception: web.service failed on start-up with result '<ProcStatus exit_status=3>'",
      "warning: web.service (ignored) failure on start-up with result '<ProcStatus exit_status=3>'",
      "info: service web.service ignoring failures. Exception: web.service failed on start-up with result '<ProcStatus exit_status=3>'",
    ]);
    const main = { ignoreFailures: true, exitKills: true };
    expect(changed({ phase: 'failed', cause: exited, during: 'start' }, main).slice(2)).toEqual([
      "info: service web.service ignoring failures. Exception: web.service failed on start-up with result '<ProcStatus exit_status=3>'",
      'warning: web.service terminated abnormally with <ProcStatus exit_status=3>',
    ]);
    expect(changed({ phase: 'failed', cause: missing, during: 'start' }, { ignoreFailures: true })).toEqual([
      "debug: web.service received exception during attempted start. Exception: executable 'web' not found",
      "info: service web.service ignoring failures. Exception: executable 'web' not found",
    ]);
  });

  it('tell of a start that took too long', () => {
    const spec = serviceSpec({ type: 'oneshot' });
    expect(failureText(spec, late)).toBe(
      "oneshot service 'web.service' did not exit after 30 second(s), terminating due to 'ignore_failures=False'",
    );
    expect(failureText({ ...spec, ignoreFailures: true }, late)).toBe(
      "oneshot service 'web.service' did not exit after 30 second(s), proceeding due to 'ignore_failures=True'",
    );
  });

  it('tell of programs that are not there', () => {
    expect(optionalDisabled('web.service', '/bin/web')).toEqual({
      severity: 'info',
      text: "optional service web.service disabled since '/bin/web' is not present",
    });
    expect(missingIgnored('web.service', 'web')).toEqual({
      severity: 'warning',
      text: "service web.service disabled, executable 'web' not found (ignore_failures)",
    });
  });
});

describe('the log lines of the run', () => {
  it('tell of every exit', () => {
    expect(exitSeen('web.service', 7, exit0)).toEqual({
      severity: 'debug',
      text: "web.service exit status for pid=7 is '<ProcStatus exit_status=0>'",
    });
    expect(exitSeen('web.service', 7, terminated)).toEqual({
      severity: 'info',
      text: "web.service exit status for pid=7 is '<ProcStatus signal=15>'",
    });
    expect(orphanReaped(9, exit3)).toEqual({
      severity: 'info',
      text: 'Caught subprocess termination from unknown pid: 9 -> 768',
    });
  });

  it('tell of an abnormal end and of the restart', () => {
    expect(changed({ phase: 'failed', cause: exited, during: 'run' })).toEqual([
      'err: web.service terminated abnormally with <ProcStatus exit_status=3>',
    ]);
    expect(changed({ phase: 'failed', cause: exited, during: 'run' }, { ignoreFailures: true })).toEqual([
      'warning: web.service terminated abnormally with <ProcStatus exit_status=3>',
    ]);
    expect(changed({ phase: 'backoff', cause: exited, restartsLeft: 4, delay: 3_000 })).toEqual([
      'err: web.service terminated abnormally with <ProcStatus exit_status=3>',
      'info: web.service pausing between restart retries (4 left)',
    ]);
    expect(changed({ phase: 'backoff', cause: missing, restartsLeft: 0, delay: 3_000 })).toEqual([
      "err: web.service could not be restarted: executable 'web' not found",
      'info: web.service pausing between restart retries (0 left)',
    ]);
  });

  it('tell beside an abnormal end that the kernel lacked memory', () => {
    const status = { kind: 'signaled', signal: 'SIGKILL', coreDumped: false, oomKilled: true } as const;
    for (const change of [
      { phase: 'failed', cause: { ...exited, status }, during: 'run' },
      { phase: 'backoff', cause: { ...exited, status }, restartsLeft: 4, delay: 3_000 },
    ] as const) {
      const [end, why] = changed(change);
      expect(end).toBe('err: web.service terminated abnormally with <ProcStatus signal=9>');
      expect(why).toContain('memory');
    }
  });

  it('tell that a service was given up', () => {
    const failed = { phase: 'failed', cause: exited, during: 'run' } as const;
    const gaveUp = { restarts: 5, after: 62_000 };
    expect(changed({ ...failed, gaveUp })).toEqual([
      'err: web.service terminated abnormally with <ProcStatus exit_status=3>',
      'err: web.service gave up after 5 restarts in 1 m 2 s (restart_limit)',
    ]);
    expect(changed({ ...failed, gaveUp: { restarts: 1, after: 300 } }, { ignoreFailures: true })).toEqual([
      'warning: web.service terminated abnormally with <ProcStatus exit_status=3>',
      'warning: web.service gave up after 1 restart in 0.3 s (restart_limit)',
    ]);
  });

  it('tell whom SIGKILL ends, and why it came to that', () => {
    const killed = (pids: readonly number[], asked?: Parameters<typeof killing>[2]): string =>
      killing('web.service', pids, asked).text;
    expect(killing('web.service', [7], undefined).severity).toBe('warning');
    expect(killed([7])).toBe('using SIGKILL to terminate web.service (pid 7)');
    expect(killed([7, 9], { signal: 'SIGTERM', for: 4_000 })).toBe(
      'using SIGKILL to terminate web.service (pid 7, 9): it has not ended within 4 s of SIGTERM',
    );
    expect(killed([])).toBe('using SIGKILL to terminate web.service');
    expect(killed(Array.from({ length: 23 }, (_, index) => index + 2))).toMatch(/ \(pid 2, 3, .*, 21 and 3 more\)$/);
    expect(memberReaped('web.service', 9, terminated)).toEqual({
      severity: 'debug',
      text: "web.service exit status for pid=9 of its group is '<ProcStatus signal=15>'",
    });
  });

  it('tell of chaperone itself', () => {
    expect(notPid1(42)).toEqual({ severity: 'info', text: 'not PID 1 (pid 42): working as a child subreaper' });
    expect(cannotSubreap('EINVAL').text).toBe(
      'cannot become a child subreaper (EINVAL): orphans of services will not be reaped here',
    );
    expect(signalIgnored('SIGUSR1')).toEqual({ severity: 'info', text: 'SIGUSR1 received, nothing to do' });
    expect(hangupReceived().text).toBe('SIGHUP received, reloading the configuration');
    expect(reloadStep('start  web').text).toBe('reload: start  web');
    expect(reloadRefused('1 mistake')).toEqual({ severity: 'err', text: 'reload refused: 1 mistake' });
    expect(recordsDropped(3, 'stdout')).toEqual({
      severity: 'warning',
      text: '3 log records were dropped because stdout did not take them in time',
    });
  });
});

describe('the log lines of the end', () => {
  it('tell why', () => {
    expect(drained({ kind: 'signal', signal: 'SIGTERM' })).toEqual(['warning: Request made to kill system.']);
    expect(drained({ kind: 'signal', signal: 'SIGINT' })).toEqual([
      'warning: Ctrl-C ... killing chaperone.',
      'warning: Request made to kill system.',
    ]);
    expect(drained({ kind: 'exitKills', service: 'web.service', outcome: { kind: 'exit', status: exit0 } })).toEqual([
      'warning: web.service terminated with exit_kills enabled',
      'warning: Request made to kill system.',
    ]);
    expect(drained({ kind: 'serviceFailed', service: 'web.service', cause: exited })).toEqual([
      "err: system startup cancelled due to error: web.service failed on start-up with result '<ProcStatus exit_status=3>'",
      'warning: Request made to kill system.',
    ]);
    const error = { code: 'ENOENT', stage: 'lookup', program: 'web' } as const;
    expect(drained({ kind: 'serviceFailed', service: 'web.service', cause: exited, onFailure: true })).toEqual([
      'err: web.service has failed, and the system ends with it (on_failure: shutdown)',
      'warning: Request made to kill system.',
    ]);
    expect(drained({ kind: 'command' })).toEqual(['warning: Request made to kill system.']);
    expect(drained({ kind: 'missingPrograms', problems: [{ service: 'web.service', error }] })).toEqual([
      "err: system startup cancelled due to error: executable 'web' not found",
      'warning: Request made to kill system.',
    ]);
    expect(drained({ kind: 'noProcesses' })).toEqual(['debug: no child processes present']);
    expect(drained({ kind: 'nothingStarted' })).toEqual([
      "warning: No service startups attempted (all disabled?) - exiting due to 'detect_exit=true'",
      'warning: Request made to kill system.',
    ]);
    expect(drained({ kind: 'internalError', message: 'internal error: x' })).toEqual(['crit: internal error: x']);
  });

  it('tell how', () => {
    expect(changed({ phase: 'stopping' })).toEqual([]);
    expect(changed({ phase: 'stopped' })).toEqual(['debug: web.service stopped']);
    expect(told({ type: 'system.forced' })).toEqual(['warning: Request made to kill system. (forced)']);
    expect(told({ type: 'system.clearing', signal: 'SIGTERM', begun: 0 })).toEqual(['debug: Final termination phase.']);
    expect(told({ type: 'system.clearing', signal: 'SIGKILL', begun: 250 })).toEqual([
      'info: Some processes remain after 7.75secs.  Forcing kill',
    ]);
    expect(noProcessesRemain()).toEqual({
      severity: 'debug',
      text: 'No processes remain when attempting to kill system, just stop.',
    });
    expect(told({ type: 'service.survives', service: 'web.service', waits: false })).toEqual([
      'warning: service web.service survives SIGKILL; the shutdown goes on without it',
    ]);
    expect(told({ type: 'service.survives', service: 'web.service', waits: true })).toEqual([
      'warning: service web.service survives SIGKILL: one of its processes hangs in the kernel, and chaperone waits for its end',
    ]);
    expect(told({ type: 'system.ready' })).toEqual([]);
    expect(told({ type: 'system.halted' })).toEqual([]);
  });

  it('say nothing about a service that nobody knows', () => {
    const change = { phase: 'stopped' } as const;
    expect(told({ type: 'service.changed', service: 'x.service', change, ignoreFailures: false })).toEqual([]);
  });
});

describe('seconds', () => {
  it('have no needless digits', () => {
    expect([500, 60_000, 1, 0, 1_234.5678].map(seconds)).toEqual(['0.5', '60', '0.001', '0', '1.235']);
  });
});

describe('a spawn error', () => {
  it('is one sentence for every stage', () => {
    const said = (stage: SpawnErrorStage, code: string): string =>
      describeSpawnError({ stage, code, program: '/bin/web', directory: '/srv' });
    expect(said('lookup', 'ENOENT')).toBe("executable '/bin/web' not found");
    expect(said('exec', 'ENOENT')).toBe(
      'cannot execute /bin/web: it, or the interpreter it names, does not exist (ENOENT)',
    );
    expect(said('exec', 'EACCES')).toBe('cannot execute /bin/web: permission denied (EACCES)');
    expect(said('directory', 'ENOENT')).toBe('cannot enter directory /srv: no such file or directory (ENOENT)');
    expect(said('uid', 'EPERM')).toBe(
      "cannot take the account's uid: not permitted (EPERM); chaperone needs root to change accounts",
    );
    expect(said('clone', 'EAGAIN')).toBe(
      'cannot create a process: no more processes are allowed (ulimit -u, or the pids limit of the container) (EAGAIN)',
    );
    expect(said('pipe', 'EMFILE')).toBe('cannot make a pipe: chaperone has no descriptor left (ulimit -n) (EMFILE)');
    expect(said('limit', 'EWEIRD')).toBe('cannot prepare the process (limit): EWEIRD (EWEIRD)');
    const setting = { stage: 'setting', program: 'x', detail: 'set nice to -5', needs: 'CAP_SYS_NICE' } as const;
    expect(describeSpawnError({ ...setting, code: 'EPERM' })).toBe(
      'cannot set nice to -5: not permitted (EPERM); chaperone needs CAP_SYS_NICE',
    );
    expect(describeSpawnError({ ...setting, code: 'EINVAL' })).toBe('cannot set nice to -5: invalid argument (EINVAL)');
  });
});

describe('the log lines of cron and inetd services', () => {
  const cron = serviceSpec({ name: 'job.service', type: 'cron', interval: '@hourly', command: 'tidy up' });
  const inetd = serviceSpec({ name: 'git.service', type: 'inetd', port: 9418, command: 'git daemon' });
  const scheduled = (spec: ServiceSpec) =>
    told(
      { type: 'service.changed', service: spec.name, change: { phase: 'ready.scheduled' }, ignoreFailures: false },
      spec,
    );
  const noticed = (spec: ServiceSpec, news: ScheduleNews) =>
    told({ type: 'service.noticed', service: spec.name, news }, spec);

  it('tell that they are scheduled', () => {
    expect(scheduled(cron)).toEqual([
      "info: cron service job.service scheduled using interval spec '@hourly'",
      'debug: job.service successfully started',
    ]);
    expect(scheduled(inetd)).toEqual([
      'info: inetd service git.service listening on port 9418',
      'debug: git.service successfully started',
    ]);
  });

  it('tell of each run', () => {
    expect(startAttempt(cron)).toEqual({
      severity: 'info',
      text: 'cron service job.service running CMD ( tidy up )',
      revealing: true,
    });
    expect(startAttempt(inetd)).toEqual({
      severity: 'debug',
      text: "git.service received connection on port 9418; attempting start 'git daemon'...",
      revealing: true,
    });
  });

  it('tell what goes wrong, and that nothing of it is the end of the service', () => {
    expect(noticed(cron, { kind: 'skipped' })).toEqual([
      'warning: cron service job.service is still running when next interval expired, will not run again',
    ]);
    expect(noticed(cron, { kind: 'runFailed', pid: 7, status: exit3 })).toEqual([
      'err: job.service terminated abnormally with <ProcStatus exit_status=3>',
    ]);
    expect(noticed(inetd, { kind: 'runFailed', pid: 7, status: exit3 })).toEqual([
      'warning: git.service connection handler with pid 7 ended with exit 3',
    ]);
    expect(
      noticed(cron, { kind: 'runUnspawned', error: { code: 'ENOENT', stage: 'lookup', program: 'tidy' } }),
    ).toEqual(["err: cron service job.service failed to start: executable 'tidy' not found"]);
    expect(noticed(cron, { kind: 'reset' })).toEqual(['debug: job.service received reset']);
    const pids = Array.from({ length: 25 }, (_, index) => index + 2);
    expect(noticed(inetd, { kind: 'clearing', pids })).toEqual([
      'warning: git.service terminating 25 processes on port 9418 that are still running',
      `info: git.service still running: pid ${pids.slice(0, 20).join(', ')} and 5 more`,
    ]);
    expect(acceptPaused(inetd, 'EMFILE', 1_000).text).toBe(
      'git.service cannot take a connection on port 9418 (EMFILE): clients wait, and chaperone tries again every 1 s',
    );
  });

  it("are of the facilities cron and daemon; those of other services are chaperone's own", () => {
    const facilityOf = (spec: ServiceSpec) => {
      const change = { type: 'service.changed', service: spec.name, change: { phase: 'stopped' } } as const;
      return messagesFor({ ...change, ignoreFailures: false }, () => spec, 0).map(({ facility }) => facility);
    };
    expect([cron, inetd, serviceSpec()].flatMap(facilityOf)).toEqual(['cron', 'daemon', undefined]);
  });

  it('tell why one cannot be', () => {
    const listen: FailureCause = { kind: 'listen', port: 9418, code: 'EACCES', tried: [] };
    expect(failureText(inetd, listen)).toBe('git.service cannot listen on port 9418: not permitted (EACCES)');
    expect(failureText(inetd, { ...listen, code: 'ENOBUFS' })).toBe('git.service cannot listen on port 9418: ENOBUFS');
    expect(failureText(cron, { kind: 'schedule', problem: 'no such zone' })).toBe(
      "job.service cannot be scheduled using interval spec '@hourly': no such zone",
    );
  });

  it('tell who keeps the system alive', () => {
    expect(told({ type: 'system.waiting', services: ['a.service', 'b.service'] })).toEqual([
      'warning: system will remain active since there are scheduled services: a.service, b.service',
    ]);
  });
});

/** Every line of the catalogue that section 7 of the reference knows, for services of every type. */
function catalogue(): readonly Message[] {
  const { name } = serviceSpec();
  const pidfile = { kind: 'pidfile', file: '/run/web.pid', timeout: 30_000 } as const;
  const causes: readonly FailureCause[] = [
    ...[exited, missing, late],
    { ...pidfile, trouble: 'absent' },
    { ...pidfile, trouble: 'garbage' },
    { kind: 'reported', errno: 5, pid: 7 },
  ];
  const changes: readonly ServiceChange[] = [
    { phase: 'ready.scheduled' },
    ...[false, true].map((restarted) => ({ phase: 'ready.running', pid: 7, restarted }) as const),
    ...causes.flatMap((cause): readonly ServiceChange[] => [
      { phase: 'failed', cause, during: 'start' },
      { phase: 'failed', cause, during: 'run' },
      { phase: 'backoff', cause, restartsLeft: 2, delay: 3_000 },
    ]),
  ];
  const news: readonly ScheduleNews[] = [{ kind: 'skipped' }, { kind: 'reset' }, { kind: 'clearing', pids: [7, 8] }];
  const ends: readonly SystemEnd[] = [
    { kind: 'signal', signal: 'SIGTERM' },
    { kind: 'noProcesses' },
    { kind: 'nothingStarted' },
    { kind: 'exitKills', service: name, outcome: { kind: 'exit', status: exit0 } },
    ...causes.map((cause): SystemEnd => ({ kind: 'serviceFailed', service: name, cause })),
  ];
  const notices: readonly SystemNotice[] = [
    { type: 'service.skipped', service: name },
    { type: 'service.queued', service: name },
    { type: 'service.released', service: name },
    { type: 'system.waiting', services: [name, 'job.service'] },
    { type: 'system.forced' },
    { type: 'system.clearing', signal: 'SIGTERM', begun: 0 },
    { type: 'system.clearing', signal: 'SIGKILL', begun: 0 },
    ...ends.map((end): SystemNotice => ({ type: 'system.draining', end })),
    ...news.map((each): SystemNotice => ({ type: 'service.noticed', service: name, news: each })),
    ...changes.map(
      (change): SystemNotice => ({ type: 'service.changed', service: name, change, ignoreFailures: false }),
    ),
  ];
  const types = ['simple', 'oneshot', 'forking', 'notify', 'inetd', 'cron'] as const;
  const specs = types.flatMap((type) =>
    [false, true].map((ignoreFailures) => serviceSpec({ type, ignoreFailures, interval: '@hourly', port: 80 })),
  );
  return [
    ...specs.flatMap((spec) => [
      startAttempt(spec),
      ...notices.flatMap((notice) => messagesFor(notice, () => spec, 8_000)),
      ...causes.map((cause): Message => ({ severity: 'err', text: failureText(spec, cause) })),
    ]),
    ...[exit0, exit3].map((status) => exitSeen(name, 7, status)),
    ...['READY=1', 'STOPPING=1', 'STATUS=Uptime 00:00:01', 'ERRNO=8'].map((text) => hostQueueing(text, '/run/notify')),
    configurationError({ message: 'a.service has no command', code: 'no-services' }),
    alreadyStarted(name),
    shutdownScheduled(2_500),
    exitKillsAhead(serviceSpec()),
    explicitStatus(name, exit3),
    logLevelForced('debug'),
    noProcessesRemain(),
    optionalDisabled(name, 'web'),
    orphanReaped(9, exit3),
    pidChanged(name, 9, 7),
    readyMessage('1.2.3'),
    syslogServed('/dev/log'),
    terminating(name, 'SIGTERM'),
    signalling(name, 'SIGUSR1'),
  ];
}

describe('the lines of the reference, section 7', () => {
  const all = catalogue();
  const isSaid = (line: (typeof referenceLines)[number]) =>
    all.some(
      ({ severity, text }) => patternOf(line).test(text) && (line.severity === undefined || line.severity === severity),
    );

  it.each(referenceLines)('$line ($severity)', (line) => {
    expect(isSaid(line)).toBe(true);
  });

  it('stand nowhere but in the catalogue', () => {
    const source = join(import.meta.dirname, '../../../src');
    const others = readdirSync(source, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && file !== 'model/log/messages.ts')
      .map((file) => ({ file, text: readFileSync(join(source, file), 'utf8') }));
    const found = referenceLines.flatMap(({ line }) => {
      // What a program would have to repeat to say the same: the longest part of it that never differs.
      const [part = ''] = line
        .replace(/<.*>/, 'STATUS')
        .split(/\b[A-Z](?:[A-Z]+)?\b|[^\w\s]/)
        .map((each) => each.trim())
        .sort((a, b) => b.length - a.length);
      return others.filter(({ text }) => part.length > 17 && text.includes(part)).map(({ file }) => `${file}: ${part}`);
    });
    expect(found).toEqual([]);
  });
});
