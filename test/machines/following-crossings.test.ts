/** Forking services, pidfiles, notify services: events that may arrive in either order, and which of them decides. */
import { describe, expect, it } from 'vitest';
import type { ExitStatus } from '../../src/model/service/exit-status.ts';
import { exit0, exit1, scriptedService } from './scripted.ts';

const terminated = { kind: 'signaled', signal: 'SIGTERM', coreDumped: false } as const;
const pidfile = '/run/web.pid';

describe('a forking service', () => {
  it('is ready.exited when it exited with 0, and has its remains stopped', () => {
    const { start, stop, run, state, phases } = scriptedService({ type: 'forking' });
    start();
    run().spawned().exited(exit0, 2);
    expect(state()).toEqual({ ready: 'exited' });
    stop();
    expect(state()).toEqual({ stopping: 'terminating' });
    expect(run().signals).toEqual(['SIGTERM at 0']);
    run().look(0);
    expect(phases()).toEqual(['starting', 'ready.exited', 'stopping', 'stopped']);
  });

  it('is stopped at once where it has left no process', () => {
    const { start, stop, run, phases } = scriptedService({ type: 'forking' });
    start();
    run().spawned().exited(exit0);
    stop();
    expect(phases()).toEqual(['starting', 'ready.exited', 'stopping', 'stopped']);
  });

  it('has no remains to stop with kill_mode process', () => {
    const { start, stop, run, state, programs, phases } = scriptedService({ type: 'forking', killMode: 'process' });
    start();
    run().spawned().exited(exit0);
    stop();
    expect(state()).toBe('stopped');
    expect(programs.runs).toHaveLength(1);
    expect(phases()).toEqual(['starting', 'ready.exited', 'stopped']);
  });

  it('with a pidfile looks for it only after the exit, and follows the process in it', () => {
    const { start, run, state, findPid, ports, phases, programs } = scriptedService({ type: 'forking', pidfile });
    start();
    run().spawned();
    expect(ports.looking).toBe(false);
    run().exited(exit0);
    expect(state()).toEqual({ starting: 'awaitingPidfile' });
    expect(ports.looking).toBe(true);
    findPid(4711);
    expect(state()).toEqual({ ready: 'running' });
    expect(ports.looking).toBe(false);
    expect([run().leads, programs.runs.length]).toEqual([[4711], 1]);
    expect(phases()).toEqual(['starting', 'ready.running']);
    run().exited(terminated);
    expect(state()).toBe('exited');
  });

  it('has the time-out for exit and pidfile together, and tells what the file was like', () => {
    const { clock, start, run, state, seePidfile, reports } = scriptedService({ type: 'forking', pidfile });
    start();
    run().spawned();
    clock.increment(20_000);
    run().exited(exit0, 1);
    seePidfile('garbage');
    clock.increment(9_999);
    expect(state()).toEqual({ starting: 'awaitingPidfile' });
    clock.increment(1);
    expect(state()).toEqual({ stopping: 'clearing' });
    expect(run().signals).toEqual(['SIGTERM at 30000']);
    run().look(0);
    expect(state()).toBe('failed');
    expect(reports.at(-1)).toMatchObject({
      change: { cause: { kind: 'pidfile', file: pidfile, trouble: 'garbage', timeout: 30_000 }, during: 'start' },
    });
  });

  it('ignores a pidfile that an earlier start was looking for', () => {
    const { start, stop, run, state, findPid } = scriptedService({ type: 'forking', pidfile });
    start();
    run().spawned().exited(exit0);
    stop();
    start();
    expect(state()).toEqual({ starting: 'spawning' });
    run().spawned().exited(exit0);
    findPid(4711, { serial: 1 });
    expect(state()).toEqual({ starting: 'awaitingPidfile' });
    findPid(4712);
    expect(state()).toEqual({ ready: 'running' });
  });

  it('that is stopped while it waits for its pidfile has its remains stopped', () => {
    const { start, stop, run, state, findPid, ports } = scriptedService({ type: 'forking', pidfile });
    start();
    run().spawned().exited(exit0, 1);
    stop();
    findPid(4711);
    expect(ports.looking).toBe(false);
    expect(state()).toEqual({ stopping: 'terminating' });
    run().look(0);
    expect(state()).toBe('stopped');
  });

  it('that follows a process leaves none behind: the rest of its tree is ended with it', () => {
    const { clock, start, run, state, findPid, phases } = scriptedService({ type: 'forking', pidfile, restart: true });
    start();
    run().spawned().exited(exit0, 2);
    findPid(4711);
    run().exited(exit1, 1);
    expect(state()).toEqual({ stopping: 'clearing' });
    clock.increment(20);
    expect(phases()).toEqual(['starting', 'ready.running', 'stopping']);
    run().left = 0;
    clock.increment(40);
    expect(phases().at(-1)).toBe('backoff');
  });
});

describe('a daemon that wrote its pidfile and ended while chaperone stood still', () => {
  function missed(status: ExitStatus, changes: Parameters<typeof scriptedService>[0] = {}) {
    const service = scriptedService({ type: 'forking', pidfile, ...changes });
    service.start();
    service.run().spawned().exited(exit0);
    service.clock.increment(5_000);
    service.findPid(4711, { ended: { status, age: 3 } });
    return service;
  }

  it('was ready, and has failed since where nobody knows how it ended', () => {
    const { run, reports, phases } = missed({ kind: 'unknown' }, { restart: true });
    expect(run().leads).toEqual([]);
    expect(phases()).toEqual(['starting', 'ready.running', 'stopping', 'backoff']);
    expect(reports[1]).toMatchObject({ change: { phase: 'ready.running', pid: 4711 } });
    expect(reports.at(-1)).toMatchObject({
      change: { cause: { kind: 'exit', status: { kind: 'unknown' }, pid: 4711 } },
    });
  });

  it('has what it left ended before that counts', () => {
    const service = scriptedService({ type: 'forking', pidfile });
    service.start();
    service.run().spawned().exited(exit0, 1);
    service.findPid(4711, { ended: { status: exit1, age: 3 } });
    expect(service.state()).toEqual({ stopping: 'clearing' });
    service.run().look(0);
    expect(service.state()).toBe('failed');
    expect(service.reports.at(-1)).toMatchObject({ change: { during: 'run', cause: { status: exit1 } } });
  });

  it.each([
    ['with 0', exit0],
    ['by its own kill signal', terminated],
  ] as const)('has ended normally where it ended %s', (_, status) => {
    const { phases, reports } = missed(status, { restart: true });
    expect(phases()).toEqual(['starting', 'ready.running', 'exited']);
    expect(reports.at(-1)).toMatchObject({ change: { end: { pid: 4711, status }, wasReady: true } });
  });

  it('ends the system with exit_kills', () => {
    const { phases, reports } = missed(exit1, { exitKills: true });
    expect(phases()).toEqual(['starting', 'ready.running', 'exitKills', 'stopping', 'failed']);
    expect(reports[2]).toMatchObject({ outcome: { kind: 'exit', status: exit1 } });
  });
});

describe('a simple service with a pidfile', () => {
  it('is ready when the pause has passed and the file names a process', () => {
    const { clock, start, run, state, findPid, ports } = scriptedService({ pidfile });
    start();
    run().spawned();
    clock.increment(499);
    expect(ports.looking).toBe(false);
    clock.increment(1);
    expect(ports.looking).toBe(true);
    findPid(run().pid);
    expect(state()).toEqual({ ready: 'running' });
    expect(run().leads).toEqual([]);
  });

  it('follows the process in the file from then on, also where its own lives', () => {
    const { clock, start, run, state, findPid, context, programs } = scriptedService({ pidfile });
    start();
    run().spawned();
    clock.increment(500);
    findPid(4711);
    expect(run().leads).toEqual([4711]);
    expect(context()).toMatchObject({ pid: 4711, followed: true });
    run().exited(terminated);
    expect([state(), programs.runs.length]).toEqual(['exited', 1]);
  });

  it('counts the pause as a part of process_timeout', () => {
    const { clock, start, run, state } = scriptedService({ pidfile, processTimeout: 2_000 });
    start();
    run().spawned();
    clock.increment(500);
    clock.increment(1_499);
    expect(state()).toEqual({ starting: 'awaitingPidfile' });
    clock.increment(1);
    expect(state()).toEqual({ stopping: 'clearing' });
    expect(run().signals).toEqual(['SIGTERM at 2000']);
  });

  it('fails when it ends abnormally before that, and waits on when it ends normally', () => {
    const abnormal = scriptedService({ pidfile });
    abnormal.start();
    abnormal.run().spawned();
    abnormal.clock.increment(1_000);
    abnormal.run().exited(exit1);
    expect(abnormal.state()).toBe('failed');

    const normal = scriptedService({ pidfile });
    normal.start();
    normal.run().spawned().exited(exit0);
    expect(normal.state()).toEqual({ starting: 'awaitingPidfile' });
  });
});

describe('a notify service', () => {
  it('is ready at READY, in the pause too, and never by the end of the pause', () => {
    const { clock, start, run, state, notify } = scriptedService({ type: 'notify' });
    start();
    run().spawned();
    clock.increment(10_000);
    expect(state()).toEqual({ starting: 'awaitingNotify' });
    notify({ ready: true });
    expect(state()).toEqual({ ready: 'running' });

    const early = scriptedService({ type: 'notify' });
    early.start();
    early.run().spawned();
    early.notify({ ready: true });
    expect(early.state()).toEqual({ ready: 'running' });
  });

  it('has its time-out from the end of the pause', () => {
    const { clock, start, run, state, reports } = scriptedService({ type: 'notify' });
    start();
    run().spawned();
    clock.increment(30_499);
    expect(state()).toEqual({ starting: 'awaitingNotify' });
    clock.increment(1);
    run().exited(terminated);
    expect(state()).toBe('failed');
    expect(reports.at(-1)).toMatchObject({ change: { cause: { kind: 'timeout', timeout: 30_000, pid: 101 } } });
  });

  it('may move its time-out, again and again, and never to an earlier moment', () => {
    const { clock, start, run, state, notify } = scriptedService({ type: 'notify' });
    start();
    run().spawned();
    notify({ extend: 1_000 });
    clock.increment(30_000);
    notify({ extend: 5_000 });
    clock.increment(4_900);
    notify({ extend: 5_000 });
    clock.increment(4_999);
    expect(state()).toEqual({ starting: 'awaitingNotify' });
    clock.increment(1);
    expect(state()).toEqual({ stopping: 'clearing' });
  });

  it('goes on waiting after a normal exit, and follows the process that MAINPID names', () => {
    const { start, run, state, notify } = scriptedService({ type: 'notify' });
    start();
    run().spawned().exited(exit0);
    expect(state()).toEqual({ starting: 'awaitingNotify' });
    notify({ ready: true, mainPid: 4711 });
    expect(state()).toEqual({ ready: 'running' });
    expect(run().leads).toEqual([4711]);
  });

  it('has the time that is left when it goes on waiting after a normal exit', () => {
    const { clock, start, run, state, notify } = scriptedService({ type: 'notify' });
    start();
    run().spawned();
    notify({ extend: 40_000 });
    clock.increment(10_000);
    run().exited(exit0);
    clock.increment(29_999);
    expect(state()).toEqual({ starting: 'awaitingNotify' });
    clock.increment(1);
    // No process is left that would have to be ended.
    expect(state()).toBe('failed');
  });

  it('fails by an abnormal exit before READY', () => {
    const { start, run, state } = scriptedService({ type: 'notify' });
    start();
    run().spawned().exited(exit1);
    expect(state()).toBe('failed');
  });

  it('that has ended normally, and names its daemon with MAINPID, runs again', () => {
    const { start, run, state, notify, phases } = scriptedService({ type: 'notify' });
    start();
    run().spawned();
    notify({ ready: true });
    run().exited(exit0, 1);
    expect(state()).toBe('exited');
    notify({ status: 'still here' });
    expect(state()).toBe('exited');
    notify({ mainPid: 4711 });
    expect(run().leads).toEqual([4711]);
    expect(phases()).toEqual(['starting', 'ready.running', 'exited', 'ready.running']);
  });

  it('is ready.exited where nobody knows who said READY, and its remains are stopped', () => {
    const { start, stop, run, state, notify, phases } = scriptedService({ type: 'notify' });
    start();
    run().spawned().exited(exit0, 1);
    notify({ ready: true });
    expect(state()).toEqual({ ready: 'exited' });
    stop();
    expect(run().signals).toEqual(['SIGTERM at 0']);
    run().look(0);
    expect(phases()).toEqual(['starting', 'ready.exited', 'stopping', 'stopped']);
  });

  it('that is ready.exited runs once MAINPID comes', () => {
    const { start, run, notify, phases } = scriptedService({ type: 'notify' });
    start();
    run().spawned().exited(exit0, 1);
    notify({ ready: true });
    notify({ mainPid: 4711 });
    expect(phases()).toEqual(['starting', 'ready.exited', 'ready.running']);
    run().exited(exit1);
    expect(phases().at(-1)).toBe('failed');
  });

  it('that moved is over when the new process ends', () => {
    const { start, run, state, notify, context, programs } = scriptedService({ type: 'notify' });
    start();
    run().spawned();
    notify({ ready: true });
    notify({ mainPid: 4711 });
    expect([run().leads, context().pid, programs.runs.length]).toEqual([[4711], 4711, 1]);
    run().exited(exit1);
    expect(state()).toBe('failed');
  });

  it('fails by ERRNO even with READY in the same datagram', () => {
    const { start, run, state, notify, reports } = scriptedService({ type: 'notify' });
    start();
    run().spawned();
    notify({ ready: true, errno: 5 });
    expect(state()).toEqual({ stopping: 'clearing' });
    run().exited(exit0);
    expect(state()).toBe('failed');
    expect(reports.at(-1)).toMatchObject({ change: { cause: { kind: 'reported', errno: 5 }, during: 'start' } });
  });

  it('is stopped, not failed, when a stop comes while its failure is cleared away', () => {
    const { start, stop, run, state, notify } = scriptedService({ type: 'notify' });
    start();
    run().spawned();
    notify({ errno: 5 });
    stop();
    run().exited(terminated);
    expect(state()).toBe('stopped');
  });

  it('ignores what an earlier start still says', () => {
    const { start, stop, run, state, notify } = scriptedService({ type: 'notify' });
    start();
    run().spawned();
    stop();
    run().exited(terminated);
    start();
    run().spawned();
    notify({ ready: true }, 1);
    notify({ errno: 5 }, 1);
    expect(state()).toEqual({ starting: 'awaitingNotify' });
  });

  it('closes its socket when it is stopped or has failed', () => {
    const { start, stop, run, ports } = scriptedService({ type: 'notify' });
    start();
    run().spawned();
    expect(ports.closed).toBe(0);
    stop();
    run().exited(terminated);
    expect(ports.closed).toBe(1);
  });

  it('may ask for more time to stop, but not of a system that is ending', () => {
    const begin = () => {
      const service = scriptedService({ type: 'notify' });
      service.start();
      service.run().spawned();
      service.notify({ ready: true });
      return service;
    };
    const byHand = begin();
    byHand.stop(1_000);
    byHand.clock.increment(900);
    byHand.notify({ extend: 2_000 });
    expect(byHand.reports.at(-1)).toEqual({
      type: 'service.extended',
      name: 'web.service',
      until: 2_900,
      at: 900,
    });

    const ending = begin();
    ending.actor.send({ type: 'service.retire', at: 0 });
    ending.stop(1_000);
    ending.notify({ extend: 9_000 });
    expect(ending.phases()).toEqual(['starting', 'ready.running', 'stopping']);
  });

  it('has a limit to the time that it may ask for', () => {
    const { start, stop, run, notify, reports } = scriptedService({ type: 'notify' });
    start();
    run().spawned();
    stop();
    notify({ extend: Number.POSITIVE_INFINITY });
    const report = reports.at(-1);
    expect(report?.type === 'service.extended' && Number.isFinite(report.until)).toBe(true);
  });
});

describe('the kill signal from somebody else', () => {
  it('is a normal end for a daemon, and a failure for the spawned process', () => {
    const daemon = scriptedService({ type: 'forking', pidfile, restart: true });
    daemon.start();
    daemon.run().spawned().exited(exit0);
    daemon.findPid(4711);
    daemon.run().exited(terminated);
    expect(daemon.state()).toBe('exited');
    const own = scriptedService({ restart: true });
    own.start();
    own.run().spawned();
    own.clock.increment(500);
    own.run().exited(terminated);
    expect(own.state()).toBe('backoff');
  });

  it('is the only signal that is a normal end for a daemon', () => {
    const { start, run, findPid, state } = scriptedService({ type: 'forking', pidfile, restart: true });
    start();
    run().spawned().exited(exit0);
    findPid(4711);
    run().exited({ kind: 'signaled', signal: 'SIGSEGV', coreDumped: false });
    expect(state()).toBe('backoff');
  });
});

describe('the watchdog', () => {
  function watched(changes = {}) {
    const service = scriptedService({ type: 'notify', watchdog: 1_000, ...changes });
    service.start();
    service.run().spawned();
    return service;
  }

  it('runs from READY on, and each beat begins it anew', () => {
    const { clock, run, state, notify } = watched();
    clock.increment(5_000);
    notify({ ready: true });
    clock.increment(999);
    notify({ watchdog: 'alive' });
    clock.increment(999);
    notify({ status: 'no beat' });
    expect(state()).toEqual({ ready: 'running' });
    clock.increment(1);
    expect(state()).toEqual({ stopping: 'clearing' });
    expect(run().signals).toEqual(['SIGABRT at 6999']);
    clock.increment(2_000);
    expect(run().signals).toEqual(['SIGABRT at 6999', 'SIGKILL at 8999']);
  });

  it('has sent the signal that the process is to end by, also where a stop takes over', () => {
    const { clock, run, notify, stop, state, context } = watched();
    notify({ ready: true });
    clock.increment(1_000);
    expect(context().endSignal).toBe('SIGABRT');
    stop();
    expect(state()).toEqual({ stopping: 'terminating' });
    expect(context()).toMatchObject({ endSignal: 'SIGABRT', verdict: undefined });
    stop();
    expect(context().endSignal).toBe('SIGABRT');
    expect(run().signals).toEqual(['SIGABRT at 1000']);
  });

  it('that is missed counts for nothing after a stop, which sends no other signal', () => {
    const { clock, run, notify, stop, state, phases } = watched();
    notify({ ready: true });
    clock.increment(1_000);
    stop();
    expect(state()).toEqual({ stopping: 'terminating' });
    run().exited({ kind: 'signaled', signal: 'SIGABRT', coreDumped: false });
    expect(run().signals).toEqual(['SIGABRT at 1000']);
    expect(phases().at(-1)).toBe('stopped');
  });

  it('counts as a failure, which may be answered by a restart', () => {
    const { clock, run, state, notify, phases } = watched({ restart: true });
    notify({ ready: true });
    clock.increment(1_000);
    run().exited({ kind: 'signaled', signal: 'SIGABRT', coreDumped: true });
    expect(state()).toBe('backoff');
    expect(phases()).toEqual(['starting', 'ready.running', 'stopping', 'backoff']);
    clock.increment(3_000);
    run().spawned();
    notify({ ready: true });
    clock.increment(999);
    expect(state()).toEqual({ ready: 'running' });
  });

  it.each([
    ['a beat that is missing', false],
    ['its trigger', true],
  ])('tells what it was: %s', (_, triggered) => {
    const { clock, run, notify, reports } = watched();
    notify({ ready: true });
    const { pid } = run();
    if (triggered) notify({ watchdog: 'trigger' });
    else clock.increment(1_000);
    run().exited({ kind: 'signaled', signal: 'SIGABRT', coreDumped: false });
    expect(reports.at(-1)).toMatchObject({
      change: { phase: 'failed', cause: { kind: 'watchdog', interval: 1_000, triggered, pid }, during: 'run' },
    });
  });

  it.each([
    [{ errno: 5 }],
    [{ busError: 'org.example.Error' }],
    [{ errno: 5, busError: 'org.example.Error' }],
  ])('or that it has said so: %j', (reported) => {
    const { run, notify, reports } = watched();
    notify({ ready: true });
    const { pid } = run();
    notify(reported);
    run().exited(exit1);
    const report = reports.at(-1);
    const change = report?.type === 'service.changed' ? report.change : undefined;
    expect(change).toEqual({ phase: 'failed', cause: { kind: 'reported', pid, ...reported }, during: 'run' });
  });

  it('ends the system with exit_kills', () => {
    const { clock, run, notify, phases } = watched({ exitKills: true });
    notify({ ready: true });
    clock.increment(1_000);
    run().exited({ kind: 'signaled', signal: 'SIGABRT', coreDumped: false });
    expect(phases()).toEqual(['starting', 'ready.running', 'stopping', 'exitKills', 'failed']);
  });

  it('is changed by WATCHDOG_USEC, rests after STOPPING, and dies with the state that owns it', () => {
    const { clock, run, state, notify, stop } = watched();
    notify({ ready: true });
    notify({ watchdogInterval: 5_000 });
    clock.increment(4_999);
    expect(state()).toEqual({ ready: 'running' });
    notify({ watchdogInterval: 0 });
    clock.increment(60_000);
    notify({ watchdogInterval: 1_000 });
    notify({ stopping: true });
    clock.increment(60_000);
    expect(state()).toEqual({ ready: 'running' });
    stop();
    run().exited(exit0);
    clock.increment(60_000);
    expect(state()).toBe('stopped');
  });

  it('ends the service at once with WATCHDOG=trigger', () => {
    const { run, notify } = watched();
    notify({ ready: true });
    notify({ watchdog: 'trigger' });
    expect(run().signals).toEqual(['SIGABRT at 0']);
  });
});
