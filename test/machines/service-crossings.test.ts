import { describe, expect, it } from 'vitest';
import { noMemory, type ServiceReport } from '../../src/machines/service-events.ts';
import { cancelled, exit0, exit1, noSuchProgram, scriptedService } from './scripted.ts';

const terminated = { kind: 'signaled', signal: 'SIGTERM', coreDumped: false } as const;

function last(reports: readonly ServiceReport[]): ServiceReport | undefined {
  return reports.at(-1);
}

describe('a simple service', () => {
  it('is ready when startup_pause has passed', () => {
    const { clock, start, run, state, phases } = scriptedService();
    start();
    expect(state()).toEqual({ starting: 'spawning' });
    run().spawned();
    clock.increment(499);
    expect(state()).toEqual({ starting: 'settling' });
    clock.increment(1);
    expect(state()).toEqual({ ready: 'running' });
    expect(phases()).toEqual(['starting', 'ready.running']);
  });

  it('is exited after a normal exit in the pause', () => {
    const { clock, start, run, state, phases, children } = scriptedService();
    start();
    run().spawned();
    clock.increment(100);
    run().exited(exit0);
    expect(state()).toEqual('exited');
    expect(phases()).toEqual(['starting', 'exited']);
    expect(children()).toEqual([]);
    clock.increment(10_000);
    expect(state()).toEqual('exited');
  });

  it('has failed to start after an abnormal exit in the pause, restart or not', () => {
    const { start, run, state, reports } = scriptedService({ restart: true });
    start();
    run().spawned().exited(exit1);
    expect(state()).toBe('failed');
    expect(last(reports)).toEqual({
      type: 'service.changed',
      name: 'web.service',
      change: {
        phase: 'failed',
        cause: { kind: 'exit', status: exit1, pid: 101 },
        during: 'start',
        noTry: { kind: 'start' },
      },
      at: 0,
    });
  });

  it('has failed to start when it cannot be spawned', () => {
    const { start, run, state, reports } = scriptedService({ restart: true });
    start();
    run().spawnFailed();
    expect(state()).toBe('failed');
    expect(last(reports)).toMatchObject({
      change: { phase: 'failed', cause: { kind: 'spawn', error: noSuchProgram }, during: 'start' },
    });
  });

  it('has ended when its exit comes before the report of its spawn', () => {
    const normal = scriptedService();
    normal.start();
    normal.run().exited(exit0);
    expect(normal.state()).toEqual('exited');
    normal.run().spawned();
    expect(normal.state()).toEqual('exited');

    const abnormal = scriptedService();
    abnormal.start();
    abnormal.run().exited(exit1);
    expect(abnormal.state()).toBe('failed');
  });
});

describe('a oneshot service', () => {
  it('is ready when it has exited with 0, however long it takes within process_timeout', () => {
    const { clock, start, run, state, phases } = scriptedService({ type: 'oneshot' });
    start();
    run().spawned();
    clock.increment(29_999);
    expect(state()).toEqual({ starting: 'awaitingExit' });
    run().exited(exit0);
    expect(state()).toEqual({ ready: 'exited' });
    expect(phases()).toEqual(['starting', 'ready.exited']);
  });

  it('fails after a start that takes too long, and only once its process is gone', () => {
    const { clock, start, run, state, phases, reports } = scriptedService({ type: 'oneshot', killSignal: 'SIGINT' });
    start();
    run().spawned();
    clock.increment(30_000);
    expect(state()).toEqual({ stopping: 'clearing' });
    expect(phases()).toEqual(['starting', 'stopping']);
    clock.increment(2_000);
    expect(run().signals).toEqual(['SIGINT at 30000', 'SIGKILL at 32000']);
    expect(state()).toEqual({ stopping: 'killing' });
    run().exited({ kind: 'signaled', signal: 'SIGKILL', coreDumped: false });
    expect(state()).toBe('failed');
    expect(last(reports)).toMatchObject({
      change: { phase: 'failed', cause: { kind: 'timeout', timeout: 30_000, pid: 101 }, during: 'start' },
    });
  });

  it('is decided at the exit of its process, and keeps the processes that it left until a stop', () => {
    const { start, stop, run, state, phases, context } = scriptedService({ type: 'oneshot' });
    start();
    run().spawned().exited(exit0, 2);
    expect(state()).toEqual({ ready: 'exited' });
    expect(context().hasUnit).toBe(true);
    stop();
    expect(run().signals).toEqual(['SIGTERM at 0']);
    run().look(0);
    expect(phases()).toEqual(['starting', 'ready.exited', 'stopping', 'stopped']);
  });

  it.each([
    'stop',
    'kill',
  ] as const)('is stopped, not failed, when a %s comes while such a start is cleared away', (deed) => {
    const service = scriptedService({ type: 'oneshot' });
    const { clock, start, run, state, context, phases } = service;
    start();
    run().spawned();
    clock.increment(30_000);
    service[deed]();
    expect(context().verdict).toBeUndefined();
    run().exited(terminated);
    expect(state()).toBe('stopped');
    expect(phases().filter((phase) => phase === 'failed')).toEqual([]);
  });

  it('does not remember a start that comes while such a start is cleared away', () => {
    const { clock, start, run, state, programs } = scriptedService({ type: 'oneshot' });
    start();
    run().spawned();
    clock.increment(30_000);
    start();
    run().exited(terminated);
    expect(state()).toBe('failed');
    expect(programs.runs).toHaveLength(1);
  });
});

describe('commands that cross', () => {
  it('a stop before the start', () => {
    const { start, stop, state, programs } = scriptedService();
    stop();
    expect(state()).toBe('stopped');
    expect(programs.runs).toEqual([]);
    start();
    expect(state()).toEqual({ starting: 'spawning' });
  });

  it('a stop during a start: the start is abandoned, and an exit on its way is no failure', () => {
    const { start, stop, run, state, phases } = scriptedService();
    start();
    run().spawned();
    stop();
    expect(run().signals).toEqual(['SIGTERM at 0']);
    run().exited(exit1);
    expect(state()).toBe('stopped');
    expect(phases()).toEqual(['starting', 'stopping', 'stopped']);
  });

  it('a stop before the report of the spawn cancels the start; where that is too late, the signal follows the report', () => {
    const { start, stop, run, state } = scriptedService();
    start();
    stop();
    expect([run().signals, run().cancels]).toEqual([[], 1]);
    run().spawned();
    expect(run().signals).toEqual(['SIGTERM at 0']);
    run().exited(terminated);
    expect(state()).toBe('stopped');
  });

  it('a stop before a spawn that fails', () => {
    const { start, stop, run, state } = scriptedService();
    start();
    stop();
    run().spawnFailed();
    expect(state()).toBe('stopped');
  });

  it.each([
    ['stop', { restart: true }],
    ['kill', { restart: true }],
    ['stop', { exitKills: true }],
  ] as const)('a %s that cancels a start is no failure of the service (%j)', (end, changes) => {
    const service = scriptedService(changes);
    service.start();
    service[end]();
    service.run().spawnFailed(cancelled);
    expect(service.state()).toBe('stopped');
    expect(service.phases()).toEqual(['starting', 'stopping', 'stopped']);
    expect(last(service.reports)).toMatchObject({ change: { phase: 'stopped' } });
  });

  it('a start during a stop is for the system to remember: it comes again when the service has ended', () => {
    const { clock, start, stop, run, state, programs, phases } = scriptedService();
    start();
    run().spawned();
    clock.increment(500);
    stop();
    start();
    run().exited(terminated);
    expect(state()).toBe('stopped');
    expect(programs.runs).toHaveLength(1);
    start();
    expect(run().serial).toBe(2);
    run().spawned();
    clock.increment(500);
    expect(phases()).toEqual(['starting', 'ready.running', 'stopping', 'stopped', 'starting', 'ready.running']);
  });

  it('a kill during a stop does not wait', () => {
    const { clock, start, stop, kill, run, state } = scriptedService();
    start();
    run().spawned();
    clock.increment(500);
    stop();
    clock.increment(100);
    kill();
    kill();
    expect(run().signals).toEqual(['SIGTERM at 500', 'SIGKILL at 600', 'SIGKILL at 600']);
    run().exited({ kind: 'signaled', signal: 'SIGKILL', coreDumped: false });
    expect(state()).toBe('stopped');
    clock.increment(10_000);
    expect(run().signals).toHaveLength(3);
  });

  it('a kill without a stop', () => {
    const { clock, start, kill, run, state, phases } = scriptedService();
    start();
    run().spawned();
    clock.increment(500);
    kill();
    expect(state()).toEqual({ stopping: 'killing' });
    run().exited({ kind: 'signaled', signal: 'SIGKILL', coreDumped: false });
    expect(phases()).toEqual(['starting', 'ready.running', 'stopping', 'stopped']);
  });

  it('a kill that a process survives is reported, and the service is over when that process has ended', () => {
    const { clock, start, kill, run, state, phases } = scriptedService();
    start();
    run().spawned();
    clock.increment(500);
    kill(200);
    clock.increment(199);
    expect(phases()).not.toContain('survived');
    clock.increment(1);
    expect(phases()).toEqual(['starting', 'ready.running', 'stopping', 'survived']);
    expect(state()).toEqual({ stopping: 'killing' });
    run().exited({ kind: 'signaled', signal: 'SIGKILL', coreDumped: false });
    expect(state()).toBe('stopped');
  });

  it('a stop has no clock of its own: SIGKILL comes from the system', () => {
    const { clock, start, stop, kill, run, state, context } = scriptedService();
    start();
    run().spawned();
    clock.increment(500);
    stop(1_500);
    expect(context().deadline).toBe(2_000);
    clock.increment(60_000);
    expect(run().signals).toEqual(['SIGTERM at 500']);
    kill();
    expect(run().signals).toEqual(['SIGTERM at 500', 'SIGKILL at 60500']);
    expect(state()).toEqual({ stopping: 'killing' });
  });

  it('a second stop sends no second signal', () => {
    const { clock, start, stop, run, context } = scriptedService();
    start();
    run().spawned();
    clock.increment(500);
    stop(5_000);
    clock.increment(500);
    stop(1_000);
    expect(run().signals).toEqual(['SIGTERM at 500']);
    expect(context().deadline).toBe(2_000);
  });

  it('a start while it runs changes nothing', () => {
    const { clock, start, run, state, programs } = scriptedService();
    start();
    start();
    run().spawned();
    start();
    clock.increment(500);
    start();
    expect(state()).toEqual({ ready: 'running' });
    expect(programs.runs).toHaveLength(1);
  });

  it('facts of an earlier run are ignored in every state of the next', () => {
    const { actor, clock, start, stop, run, state } = scriptedService();
    const stale = () => {
      const fact = { serial: 1, at: clock.now() } as const;
      actor.send({ type: 'unit.leaderExited', pid: 101, status: exit1, left: 0, age: 1_000, ...fact });
      actor.send({ type: 'unit.spawned', pid: 101, ...fact });
      actor.send({ type: 'unit.spawnFailed', error: noSuchProgram, ...fact });
      actor.send({ type: 'unit.cleared', ...fact });
      actor.send({ type: 'unit.survived', ...fact });
    };
    start();
    run().spawned();
    clock.increment(500);
    stop();
    run().exited(terminated);
    stale();
    expect(state()).toBe('stopped');
    start();
    stale();
    expect(state()).toEqual({ starting: 'spawning' });
    run().spawned();
    stale();
    expect(state()).toEqual({ starting: 'settling' });
    clock.increment(500);
    stale();
    expect(state()).toEqual({ ready: 'running' });
    stop();
    stale();
    expect(state()).toEqual({ stopping: 'terminating' });
  });

  it('a disabled service takes no command but a start, which the system sends only when it was enabled by hand', () => {
    const { start, stop, kill, state, programs, phases } = scriptedService({ enabled: false });
    stop();
    kill();
    expect(state()).toBe('disabled');
    expect(programs.runs).toEqual([]);
    expect(phases()).toEqual([]);
    start();
    expect(state()).toEqual({ starting: 'spawning' });
  });
});

describe('a process that a simple service leaves behind', () => {
  function ready(changes: Parameters<typeof scriptedService>[0] = {}) {
    const service = scriptedService(changes);
    service.start();
    service.run().spawned();
    service.clock.increment(500);
    return service;
  }

  it('after a normal end lives on, until a stop ends it', () => {
    const { clock, run, stop, state, phases, context } = ready();
    run().exited(exit0, 2);
    expect(state()).toBe('exited');
    clock.increment(60_000);
    expect([run().signals, context().hasUnit]).toEqual([[], true]);
    stop();
    expect(state()).toEqual({ stopping: 'terminating' });
    expect(run().signals).toEqual(['SIGTERM at 60500']);
    run().look(0);
    expect(phases()).toEqual(['starting', 'ready.running', 'exited', 'stopping', 'stopped']);
  });

  it('after a normal end may end by itself: then a stop has nothing to end', () => {
    const { run, stop, state, phases, context } = ready();
    run().exited(exit0, 1);
    run().look(0);
    expect([state(), context().hasUnit]).toEqual(['exited', false]);
    stop();
    expect(phases()).toEqual(['starting', 'ready.running', 'exited', 'stopped']);
  });

  it('after a normal end is killed by a kill', () => {
    const { run, kill, state } = ready();
    run().exited(exit0, 1);
    kill();
    expect(state()).toEqual({ stopping: 'killing' });
    expect(run().signals).toEqual(['SIGKILL at 500']);
    run().look(0);
    expect(state()).toBe('stopped');
  });

  it('hears a signal by hand', () => {
    const { actor, run } = ready();
    run().exited(exit0, 1);
    actor.send({ type: 'service.signal', signal: 'SIGHUP', at: 600 });
    expect(run().signals).toEqual(['SIGHUP at 500']);
  });

  it('after a crash is ended by the service itself, and only then comes the restart', () => {
    const { clock, run, state, phases, reports, programs } = ready({ restart: true });
    run().exited(exit1, 1);
    expect(state()).toEqual({ stopping: 'clearing' });
    expect(run().signals).toEqual(['SIGTERM at 500']);
    clock.increment(1_999);
    expect(state()).toEqual({ stopping: 'clearing' });
    clock.increment(1);
    expect(state()).toEqual({ stopping: 'killing' });
    expect(run().signals).toEqual(['SIGTERM at 500', 'SIGKILL at 2500']);
    expect(programs.runs).toHaveLength(1);
    run().look(0);
    expect(phases()).toEqual(['starting', 'ready.running', 'stopping', 'backoff']);
    expect(last(reports)).toMatchObject({ change: { cause: { kind: 'exit', status: exit1, pid: 101 } } });
  });

  it('after a crash is ended before the failure is told, also of a start', () => {
    const { start, run, state, reports } = scriptedService();
    start();
    run().spawned().exited(exit1, 1);
    expect(state()).toEqual({ stopping: 'clearing' });
    run().look(0);
    expect(state()).toBe('failed');
    expect(last(reports)).toMatchObject({ change: { phase: 'failed', during: 'start' } });
  });

  it('after a crash holds up a stop, which drops the failure', () => {
    const { clock, run, stop, state, phases } = ready({ restart: true });
    run().exited(exit1, 1);
    clock.increment(1_000);
    stop();
    expect(state()).toEqual({ stopping: 'terminating' });
    // The service sets no timer for the stop, because the system has the time limit.
    clock.increment(60_000);
    expect(run().signals).toEqual(['SIGTERM at 500']);
    run().look(0);
    expect(phases()).toEqual(['starting', 'ready.running', 'stopping', 'stopped']);
  });

  it('that survives SIGKILL is reported, and holds the verdict up', () => {
    const { clock, run, phases } = ready();
    run().exited(exit1, 1);
    clock.increment(2_000);
    clock.increment(1_000);
    expect(phases()).toEqual(['starting', 'ready.running', 'stopping', 'survived']);
    run().look(0);
    expect(phases().at(-1)).toBe('failed');
  });

  it('in a stop is waited for', () => {
    const { run, stop, state } = ready();
    stop();
    run().exited(terminated, 1);
    expect(state()).toEqual({ stopping: 'terminating' });
    run().look(0);
    expect(state()).toBe('stopped');
  });
});

describe('an exit that chaperone learns of late', () => {
  it('counts as one after the pause where the pause may have been over', () => {
    const { start, run, state, phases, reports } = scriptedService({ restart: true });
    start();
    run().spawned().exited(exit1, 0, 500);
    expect(state()).toBe('backoff');
    expect(phases()).toEqual(['starting', 'ready.running', 'backoff']);
    expect(last(reports)).toMatchObject({ change: { cause: { kind: 'exit', status: exit1 } } });
  });

  it('is exited after it was ready, where it is a normal one', () => {
    const { start, run, phases, reports } = scriptedService();
    start();
    run().spawned().exited(exit0, 0, 60_000);
    expect(phases()).toEqual(['starting', 'ready.running', 'exited']);
    expect(last(reports)).toMatchObject({ change: { wasReady: true } });
  });

  it('is a failed start where it was seen before the pause can have been over', () => {
    const { start, run, state } = scriptedService({ restart: true });
    start();
    run().spawned().exited(exit1, 0, 499);
    expect(state()).toBe('failed');
  });

  it('is a failed start where a pidfile is still to come', () => {
    const { start, run, state } = scriptedService({ restart: true, pidfile: '/run/web.pid' });
    start();
    run().spawned().exited(exit1, 0, 60_000);
    expect(state()).toBe('failed');
  });
});

describe('restart', () => {
  /** Makes a service that is ready. */
  function ready(changes: Parameters<typeof scriptedService>[0]) {
    const service = scriptedService(changes);
    service.start();
    service.run().spawned();
    service.clock.increment(500);
    return service;
  }

  /** Runs the start after the restart pause until the service is ready. */
  function again({ clock, run }: ReturnType<typeof scriptedService>): void {
    clock.increment(3_000);
    run().spawned();
    clock.increment(500);
  }

  it('pauses, then starts again and says that it is a restart', () => {
    const service = ready({ restart: true });
    service.run().exited(exit1);
    expect(service.state()).toBe('backoff');
    expect(last(service.reports)).toMatchObject({
      change: { phase: 'backoff', restartsLeft: 4, delay: 3_000, cause: { kind: 'exit', status: exit1 } },
    });
    again(service);
    expect(service.state()).toEqual({ ready: 'running' });
    expect(last(service.reports)).toMatchObject({ change: { phase: 'ready.running', restarted: true } });
  });

  it('does not come after a normal exit', () => {
    const service = ready({ restart: true });
    service.run().exited(exit0);
    expect(service.state()).toBe('exited');
  });

  it('does not come where it was not asked for', () => {
    const service = ready({ restart: false });
    service.run().exited(exit1);
    expect(service.state()).toBe('failed');
    expect(last(service.reports)).toMatchObject({ change: { phase: 'failed', during: 'run' } });
  });

  it('goes on after a restart that fails, until the limit is reached', () => {
    const service = ready({ restart: true, restartLimit: 2 });
    service.run().exited(exit1);
    service.clock.increment(3_000);
    service.run().spawnFailed();
    expect(service.state()).toBe('backoff');
    service.clock.increment(3_000);
    service.run().spawned().exited(exit1);
    expect(service.state()).toBe('failed');
    expect(last(service.reports)).toMatchObject({ change: { phase: 'failed', during: 'run' } });
    expect(service.programs.runs).toHaveLength(3);
    service.clock.increment(60_000);
    expect(service.programs.runs).toHaveLength(3);
  });

  it('is given up with the number of tries, and the time since the first failure', () => {
    const service = ready({ restart: true, restartLimit: 2 });
    service.clock.increment(10_000);
    service.run().exited(exit1);
    service.clock.increment(3_000);
    service.run().spawnFailed();
    service.clock.increment(3_000);
    service.run().spawnFailed();
    expect(last(service.reports)).toEqual({
      type: 'service.changed',
      name: 'web.service',
      change: {
        phase: 'failed',
        cause: { kind: 'spawn', error: noSuchProgram },
        during: 'run',
        gaveUp: { restarts: 2, after: 6_000 },
        noTry: { kind: 'usedUp', limit: 2 },
      },
      at: 16_500,
    });
  });

  it('says what it follows, whether the service was ready, and how many are left', () => {
    const crashed = ready({ restart: true, restartLimit: 3 });
    crashed.run().exited(exit1);
    const cause = { kind: 'exit', status: exit1, pid: 101 } as const;
    const change = { phase: 'backoff', cause, restartsLeft: 2, delay: 3_000 };
    expect(last(crashed.reports)).toEqual({ type: 'service.changed', name: 'web.service', change, at: 500 });
    const ended = ready({ restart: true, restartPolicy: { always: true } });
    ended.run().exited(exit0);
    expect(last(ended.reports)).toMatchObject({ change: { phase: 'backoff', normal: true, delay: 3_000 } });
    expect(last(ended.reports)).not.toHaveProperty('change.first');
    const first = scriptedService({ restart: true, restartPolicy: { startFailure: true } });
    first.start();
    first.run().spawnFailed();
    expect(last(first.reports)).toMatchObject({ change: { phase: 'backoff', first: true, restartsLeft: 4 } });
    expect(last(first.reports)).not.toHaveProperty('change.normal');
  });

  it('after a normal end comes only once nothing of the run is left', () => {
    const service = ready({ restart: true, restartPolicy: { always: true }, killSignal: 'SIGINT' });
    service.run().exited(exit0, 1);
    expect(service.state()).toEqual({ stopping: 'clearing' });
    expect(service.run().signals).toEqual(['SIGINT at 500']);
    service.clock.increment(10);
    service.run().look(0);
    expect(service.state()).toBe('backoff');
    expect(service.phases()).toEqual(['starting', 'ready.running', 'exited', 'stopping', 'backoff']);
  });

  it('is counted until it has been ready for restart_delay + 1 s', () => {
    const service = ready({ restart: true, restartLimit: 1 });
    service.run().exited(exit1);
    again(service);
    service.clock.increment(3_999);
    expect(service.context().restartsUsed).toBe(1);
    service.clock.increment(1);
    expect(service.context().restartsUsed).toBe(0);
    service.run().exited(exit1);
    expect(service.state()).toBe('backoff');
    again(service);
    service.clock.increment(3_999);
    service.run().exited(exit1);
    expect(service.state()).toBe('failed');
  });

  it('is forgotten by a start', () => {
    const service = ready({ restart: true, restartLimit: 1 });
    service.run().exited(exit1);
    again(service);
    service.run().exited(exit1);
    expect(service.state()).toBe('failed');
    service.start();
    expect(service.context()).toMatchObject({ restartsUsed: 0, hasBeenReady: false, verdict: undefined });
  });

  it('is called off by a stop in the pause, whose timer dies with it', () => {
    const service = ready({ restart: true });
    service.run().exited(exit1);
    service.stop();
    expect(service.state()).toBe('stopped');
    service.clock.increment(60_000);
    expect(service.state()).toBe('stopped');
    expect(service.programs.runs).toHaveLength(1);
  });

  it('is called off by a kill in the pause', () => {
    const service = ready({ restart: true });
    service.run().exited(exit1);
    service.kill();
    expect(service.state()).toBe('stopped');
  });

  it('comes at once with a start in the pause, and only once', () => {
    const service = ready({ restart: true });
    service.run().exited(exit1);
    service.clock.increment(1_000);
    service.start();
    expect(service.state()).toEqual({ starting: 'spawning' });
    service.run().spawned();
    service.clock.increment(60_000);
    expect(service.programs.runs).toHaveLength(2);
    expect(last(service.reports)).toMatchObject({ change: { phase: 'ready.running', restarted: false } });
  });
});

describe('exit_kills', () => {
  it('reports a normal end', () => {
    const { clock, start, run, phases, reports } = scriptedService({ exitKills: true });
    start();
    run().spawned();
    clock.increment(500);
    run().exited(exit0);
    expect(phases()).toEqual(['starting', 'ready.running', 'exitKills', 'exited']);
    expect(reports[2]).toEqual({
      type: 'service.exitKills',
      name: 'web.service',
      outcome: { kind: 'exit', status: exit0 },
      at: 500,
    });
  });

  it('reports an abnormal end, and nothing is restarted', () => {
    const { clock, start, run, state, phases, programs } = scriptedService({ exitKills: true, restart: true });
    start();
    run().spawned();
    clock.increment(500);
    run().exited(exit1);
    expect(phases()).toEqual(['starting', 'ready.running', 'exitKills', 'failed']);
    clock.increment(60_000);
    expect(state()).toBe('failed');
    expect(programs.runs).toHaveLength(1);
  });

  it('reports a normal end during the start', () => {
    const { start, run, phases } = scriptedService({ exitKills: true });
    start();
    run().spawned().exited(exit0);
    expect(phases()).toEqual(['starting', 'exitKills', 'exited']);
  });

  it('leaves a failed start to the system, unless failures are ignored', () => {
    const strict = scriptedService({ exitKills: true });
    strict.start();
    strict.run().spawned().exited(exit1);
    expect(strict.phases()).toEqual(['starting', 'failed']);

    const lenient = scriptedService({ exitKills: true, ignoreFailures: true });
    lenient.start();
    lenient.run().spawned().exited(exit1);
    expect(lenient.phases()).toEqual(['starting', 'exitKills', 'failed']);

    const absent = scriptedService({ exitKills: true, ignoreFailures: true });
    absent.start();
    absent.run().spawnFailed();
    expect(absent.phases()).toEqual(['starting', 'exitKills', 'failed']);
    expect(absent.reports[1]).toMatchObject({ outcome: { kind: 'spawn', error: noSuchProgram } });
  });

  it('says nothing about an end that was asked for', () => {
    const { clock, start, stop, run, phases } = scriptedService({ exitKills: true });
    start();
    run().spawned();
    clock.increment(500);
    stop();
    run().exited(terminated);
    expect(phases()).toEqual(['starting', 'ready.running', 'stopping', 'stopped']);
  });
});

describe('a run that lasts longer than max_runtime', () => {
  const running = (changes: Parameters<typeof scriptedService>[0] = {}) => {
    const service = scriptedService({ maxRuntime: 2_000, ...changes });
    service.clock.increment(100);
    service.start();
    service.clock.increment(50);
    service.run().spawned();
    service.clock.increment(500);
    return service;
  };

  it('is ended, and has failed, counted from its spawn', () => {
    const { clock, run, state, reports } = running();
    clock.increment(1_499);
    expect([state(), run().signals]).toEqual([{ ready: 'running' }, []]);
    clock.increment(1);
    expect([state(), run().signals]).toEqual([{ stopping: 'clearing' }, ['SIGTERM at 2150']]);
    expect(last(reports)).toMatchObject({ change: { phase: 'stopping' }, at: 2_150 });
    clock.increment(10);
    run().exited(terminated);
    expect(last(reports)).toMatchObject({
      change: { phase: 'failed', cause: { kind: 'overrun', limit: 2_000, pid: 101 }, during: 'run' },
      at: 2_160,
    });
  });

  it('counts during the start, too', () => {
    const { clock, run, state } = running({ type: 'oneshot' });
    clock.increment(1_499);
    expect(state()).toEqual({ starting: 'awaitingExit' });
    clock.increment(1);
    expect([state(), run().signals]).toEqual([{ stopping: 'clearing' }, ['SIGTERM at 2150']]);
  });

  it('does not end once it has been stopped, or has ended by itself', () => {
    const stopped = running();
    stopped.stop();
    stopped.clock.increment(5_000);
    expect(stopped.run().signals).toEqual(['SIGTERM at 650']);
    const ended = running();
    ended.run().exited(exit0, 1);
    ended.clock.increment(5_000);
    expect([ended.state(), ended.run().signals]).toEqual(['exited', []]);
  });
});

describe('the watchdog', () => {
  const watched = () => {
    const service = scriptedService({ type: 'notify', watchdog: 1_000, startupPause: 0 });
    service.start();
    service.run().spawned();
    service.clock.increment(100);
    service.notify({ ready: true });
    service.clock.increment(0);
    return service;
  };

  it('ends a service that is silent by SIGABRT, and that is its failure', () => {
    const { clock, state, run, reports } = watched();
    expect(state()).toEqual({ ready: 'running' });
    clock.increment(999);
    expect(state()).toEqual({ ready: 'running' });
    clock.increment(1);
    expect([state(), run().signals]).toEqual([{ stopping: 'clearing' }, ['SIGABRT at 1100']]);
    run().exited({ kind: 'signaled', signal: 'SIGABRT', coreDumped: true });
    expect(last(reports)).toMatchObject({
      change: { phase: 'failed', cause: { kind: 'watchdog', interval: 1_000, triggered: false, pid: 101 } },
      at: 1_100,
    });
  });

  it('is fed by WATCHDOG=1, and by no other word', () => {
    const { clock, state, notify } = watched();
    clock.increment(900);
    notify({ watchdog: 'alive' });
    clock.increment(900);
    notify({ status: 'busy' });
    expect(state()).toEqual({ ready: 'running' });
    clock.increment(100);
    expect(state()).toEqual({ stopping: 'clearing' });
  });

  it('takes another interval from WATCHDOG_USEC, and rests with 0 and with STOPPING=1', () => {
    const longer = watched();
    longer.notify({ watchdogInterval: 5_000 });
    longer.clock.increment(4_999);
    expect(longer.state()).toEqual({ ready: 'running' });
    longer.clock.increment(1);
    expect(longer.state()).toEqual({ stopping: 'clearing' });
    for (const message of [{ watchdogInterval: 0 }, { stopping: true }] as const) {
      const resting = watched();
      resting.notify(message);
      resting.clock.increment(60_000);
      expect(resting.state()).toEqual({ ready: 'running' });
    }
  });

  it('is triggered by the service itself', () => {
    const { notify, run, clock, reports } = watched();
    clock.increment(5);
    notify({ watchdog: 'trigger' });
    expect(run().signals).toEqual(['SIGABRT at 105']);
    run().exited(exit1);
    expect(last(reports)).toMatchObject({ change: { cause: { kind: 'watchdog', triggered: true } } });
  });
});

describe('what a service says of itself', () => {
  const notifying = () => {
    const service = scriptedService({ type: 'notify', startupPause: 0 });
    service.start();
    service.run().spawned();
    service.notify({ ready: true, status: 'warm' });
    return service;
  };

  it('is remembered: STATUS= until another one, RELOADING=1 and STOPPING=1 until READY=1', () => {
    const { notify, context } = notifying();
    expect(context()).toMatchObject({ status: 'warm', announced: undefined });
    notify({ reloading: {} });
    expect(context()).toMatchObject({ status: 'warm', announced: 'reloading' });
    notify({ ready: true, status: '' });
    expect(context()).toMatchObject({ status: undefined, announced: undefined });
    notify({ stopping: true });
    notify({ status: 'bye' });
    expect(context()).toMatchObject({ status: 'bye', announced: 'stopping' });
  });

  it('may be a failure, which ends it', () => {
    const { clock, notify, run, reports } = notifying();
    clock.increment(10);
    notify({ errno: 2 });
    expect(run().signals).toEqual(['SIGTERM at 10']);
    run().exited(exit0);
    expect(last(reports)).toMatchObject({
      change: { phase: 'failed', cause: { kind: 'reported', errno: 2, pid: 101 } },
    });
  });

  it('is no failure with ERRNO=0', () => {
    const { notify, state } = notifying();
    notify({ errno: 0 });
    expect(state()).toEqual({ ready: 'running' });
  });

  it('asks for time during a stop, and not once the system ends', () => {
    const { actor, clock, notify, stop, reports } = notifying();
    stop();
    clock.increment(10);
    notify({ extend: 5_000 });
    expect(last(reports)).toEqual({ type: 'service.extended', name: 'web.service', until: 5_010, at: 10 });
    actor.send({ type: 'service.retire', at: 10 });
    const before = reports.length;
    notify({ extend: 9_000 });
    expect(reports).toHaveLength(before);
  });

  it('names another main process, whose kill signal is a normal end', () => {
    const { notify, run, state, context } = notifying();
    notify({ mainPid: 4711 });
    expect([context().pid, run().leads]).toEqual([4711, [4711]]);
    notify({ mainPid: 4711 });
    expect(run().leads).toEqual([4711]);
    run().exited(terminated);
    expect(state()).toBe('exited');
  });
});

describe('another start', () => {
  it('forgets all that the last run has left in the memory', () => {
    const end = { pid: 7, status: exit1, ran: 5 };
    const memory = {
      ...noMemory,
      serial: 4,
      pid: 7,
      owes: false,
      aim: 'done',
      overdue: true,
      followed: true,
      verdict: { kind: 'exit', status: exit1, pid: 7 },
      deadline: 9,
      watchdog: 5,
      status: 'warm',
      announced: 'stopping',
      skipped: 'the file /x is not there',
      lastReload: { kind: 'ended' },
      endSignal: 'SIGABRT',
      settled: true,
      health: 'unhealthy',
      hasBeenReady: true,
      lastEnd: end,
    } as const;
    const service = scriptedService({ watchdog: 1_000 }, { stage: 'stopped', memory, left: {} });
    expect(service.context()).toMatchObject({ serial: 4, status: 'warm', lastEnd: end });
    service.start();
    expect(service.context()).toMatchObject({
      serial: 5,
      pid: 0,
      hasUnit: true,
      hook: undefined,
      owes: true,
      aim: undefined,
      overdue: false,
      followed: false,
      verdict: undefined,
      deadline: undefined,
      watchdog: 1_000,
      status: undefined,
      announced: undefined,
      skipped: undefined,
      lastReload: undefined,
      endSignal: undefined,
      settled: false,
      health: undefined,
      hasBeenReady: false,
      lastEnd: undefined,
    });
  });

  it('of a notify service finds the socket of the first one, which is closed while nothing runs', () => {
    const { start, stop, run, children, ports } = scriptedService({ type: 'notify' });
    expect(children()).toEqual([]);
    start();
    expect(children().sort()).toEqual(['notifications', 'unit']);
    run().spawned();
    stop();
    run().exited(terminated);
    expect([children(), ports.closed]).toEqual([['notifications'], 1]);
    start();
    expect(children().sort()).toEqual(['notifications', 'unit']);
    expect(ports.closed).toBe(1);
  });

  it('of any other service opens no socket', () => {
    const { start, children } = scriptedService();
    start();
    expect(children()).toEqual(['unit']);
  });
});

describe('the reports of a service', () => {
  const changes = ({ reports }: ReturnType<typeof scriptedService>) =>
    reports.flatMap((report) => (report.type === 'service.changed' ? [report.change] : []));

  it('name its start, its process, its last end, and whether it was a restart', () => {
    const service = scriptedService({ restart: true });
    const { clock, start, stop, run } = service;
    start();
    run().spawned();
    clock.increment(500);
    run().exited(exit1);
    clock.increment(3_000);
    run().spawned();
    clock.increment(500);
    stop();
    clock.increment(10);
    run().exited(terminated);
    const cause = { kind: 'exit', status: exit1, pid: 101 };
    expect(changes(service)).toEqual([
      { phase: 'starting', serial: 1 },
      { phase: 'ready.running', pid: 101, restarted: false },
      { phase: 'backoff', cause, restartsLeft: 4, delay: 3_000 },
      { phase: 'starting', serial: 2 },
      { phase: 'ready.running', pid: 102, restarted: true },
      { phase: 'stopping' },
      { phase: 'stopped', end: { pid: 102, status: terminated, ran: 510 } },
    ]);
  });

  it('name the end of a oneshot, and of a service that has ended normally', () => {
    const oneshot = scriptedService({ type: 'oneshot' });
    oneshot.start();
    oneshot.run().spawned();
    oneshot.clock.increment(20);
    oneshot.run().exited(exit0);
    const end = { pid: 101, status: exit0, ran: 20 };
    expect(changes(oneshot).slice(1)).toEqual([{ phase: 'ready.exited', end, restarted: false }]);
    const early = scriptedService();
    early.start();
    early.run().spawned();
    early.clock.increment(20);
    early.run().exited(exit0);
    expect(changes(early).slice(1)).toEqual([{ phase: 'exited', end, restarted: false, wasReady: false }]);
    const late = scriptedService();
    late.start();
    late.run().spawned();
    late.clock.increment(600);
    late.run().exited(exit0);
    expect(changes(late).slice(2)).toEqual([
      { phase: 'exited', end: { ...end, ran: 600 }, restarted: false, wasReady: true },
    ]);
  });

  it.each([
    'simple',
    'oneshot',
    'forking',
    'notify',
  ] as const)('name the spawn only where another service waits for it (%s)', (type) => {
    const service = scriptedService({ type, announcesSpawn: true });
    service.start();
    service.clock.increment(5);
    service.run().spawned();
    expect(last(service.reports)).toEqual({ type: 'service.spawned', name: 'web.service', at: 5 });
    const quiet = scriptedService({ type });
    quiet.start();
    quiet.run().spawned();
    expect(quiet.phases()).toEqual(['starting']);
  });

  it('name no end where there was no process', () => {
    const service = scriptedService();
    service.start();
    service.stop();
    service.run().spawnFailed(cancelled);
    expect(changes(service).slice(1)).toEqual([{ phase: 'stopping' }, { phase: 'stopped' }]);
    service.start();
    expect(changes(service).at(-1)).toEqual({ phase: 'starting', serial: 2 });
  });

  it('name no try that is left out where none was configured', () => {
    const service = scriptedService({ restart: true, restartPolicy: { always: true }, restartLimit: 0 });
    service.start();
    service.run().spawned();
    service.clock.increment(500);
    service.run().exited(exit1);
    const cause = { kind: 'exit', status: exit1, pid: 101 };
    expect(changes(service).at(-1)).toEqual({ phase: 'failed', cause, during: 'run' });
  });

  it('name a normal end whose tries are used up as the end of the service, at rest', () => {
    const service = scriptedService({ restart: true, restartPolicy: { always: true }, restartLimit: 0 });
    service.start();
    service.run().spawned();
    service.clock.increment(20);
    service.run().exited(exit0);
    expect(service.state()).toBe('exited');
    expect(changes(service).at(-1)).toMatchObject({ phase: 'exited', wasReady: false });
  });
});

describe('the time in reports', () => {
  it('is that of the fact that caused them', () => {
    const { clock, start, run, reports } = scriptedService();
    clock.increment(1_000);
    start();
    clock.increment(10);
    run().spawned();
    clock.increment(700);
    run().exited(exit1);
    // The timer's event has no time, so the report has the time at which the pause was over.
    expect(reports.map(({ at }) => at)).toEqual([1_000, 1_510, 1_710]);
  });

  it('is that of the end of a pause, whatever came meanwhile', () => {
    const { actor, clock, start, run, reports, context } = scriptedService();
    start();
    run().spawned();
    clock.increment(400);
    actor.send({ type: 'service.signal', signal: 'SIGHUP', at: 400 });
    clock.increment(100);
    expect(last(reports)).toMatchObject({ change: { phase: 'ready.running' }, at: 500 });
    clock.increment(500);
    run().exited(exit1, 1);
    clock.increment(1_000);
    actor.send({ type: 'service.signal', signal: 'SIGHUP', at: 2_000 });
    clock.increment(1_000);
    expect(run().signals.at(-1)).toBe('SIGKILL at 3000');
    expect(context().at).toBe(3_000);
  });

  it('is that of the end in what is told of exit_kills', () => {
    const { clock, start, run, reports } = scriptedService({ exitKills: true });
    start();
    run().spawned();
    clock.increment(60_000);
    run().exited(exit0);
    expect(reports.slice(-2).map(({ type, at }) => [type, at])).toEqual([
      ['service.exitKills', 60_000],
      ['service.changed', 60_000],
    ]);
  });
});
