import { describe, expect, it } from 'vitest';
import { consoleService } from '../../src/model/service/service-spec.ts';
import { serviceSpec } from '../model/specs.ts';
import { exit0, exit1, noSuchProgram, scriptedSystem } from './scripted.ts';

const store = serviceSpec({ name: 'store.service' });
const web = serviceSpec({ name: 'web.service', prerequisites: ['store.service'] });
const worker = serviceSpec({ name: 'worker.service', prerequisites: ['store.service'] });

describe('the boot', () => {
  it('goes by the dependency graph, independent services at once', () => {
    const { clock, log, state } = scriptedSystem([web, worker, store]);
    expect(state()).toEqual({ booting: 'starting' });
    clock.increment(500);
    clock.increment(500);
    expect(log).toEqual([
      'web queued at 0',
      'worker queued at 0',
      'store queued at 0',
      'store released at 0',
      'store starting at 0',
      'store ready.running at 500',
      'web released at 500',
      'worker released at 500',
      'web starting at 500',
      'worker starting at 500',
      'web ready.running at 1000',
      'worker ready.running at 1000',
      'system ready at 1000',
    ]);
    expect(state()).toBe('up');
  });

  it('has INIT services first and IDLE services after all others and idle_delay', () => {
    const init = serviceSpec({ name: 'init.service', type: 'oneshot', groups: ['INIT'] });
    const idle = serviceSpec({ name: 'idle.service', groups: ['IDLE'] });
    const { clock, order, run, state } = scriptedSystem([idle, store, init]);
    expect(order('starting')).toEqual(['init starting at 0']);
    run('init.service').exited(exit0);
    expect(order('starting')).toEqual(['init starting at 0', 'store starting at 0']);
    clock.increment(500);
    expect(state()).toEqual({ booting: 'idling' });
    clock.increment(999);
    expect(state()).toEqual({ booting: 'idling' });
    clock.increment(1);
    expect(state()).toEqual({ booting: 'lastStage' });
    expect(order('starting')).toEqual(['init starting at 0', 'store starting at 0', 'idle starting at 1500']);
    clock.increment(500);
    expect(state()).toBe('up');
  });

  it('waits for idle_delay only where there is an IDLE service', () => {
    const { clock, state } = scriptedSystem([store]);
    clock.increment(500);
    expect(state()).toBe('up');
  });

  it('does not wait where there are only IDLE services', () => {
    const idle = serviceSpec({ name: 'idle.service', groups: ['IDLE'] });
    expect(scriptedSystem([idle]).state()).toEqual({ booting: 'lastStage' });
    expect(scriptedSystem([idle, { ...store, enabled: false }]).state()).toEqual({ booting: 'lastStage' });
  });

  it('goes on past disabled services', () => {
    const { clock, phase, order } = scriptedSystem([{ ...store, enabled: false }, web]);
    clock.increment(500);
    expect(phase('store.service')).toBe('disabled');
    expect(order('ready.running')).toEqual(['web ready.running at 500']);
  });

  it('ends with status 1 when a start fails, and what waited never started', () => {
    const { clock, run, gone, state, output, phase } = scriptedSystem([store, web, worker]);
    clock.increment(500);
    run('web.service').exited(exit1);
    expect(state()).toEqual({ draining: 'stopping' });
    clock.increment(0);
    clock.increment(0);
    expect(phase('store.service')).toBe('stopped');
    expect(state()).toEqual({ draining: 'clearing' });
    gone();
    expect(state()).toBe('halted');
    expect(output()).toMatchObject({
      exitStatus: 1,
      end: { kind: 'serviceFailed', service: 'web.service', cause: { kind: 'exit', status: exit1 } },
      neverStarted: [],
      stopped: ['worker.service', 'store.service'],
    });
  });

  it('says which services never started', () => {
    const { gone, output } = scriptedSystem([store, web, worker], { absent: ['store.service'] });
    gone();
    expect(output()).toMatchObject({
      exitStatus: 1,
      end: { kind: 'serviceFailed', cause: { kind: 'spawn', error: noSuchProgram } },
      neverStarted: ['web.service', 'worker.service'],
      stopped: [],
    });
  });

  it('lets dependents go when the failure is ignored', () => {
    const { clock, order, state } = scriptedSystem([{ ...store, ignoreFailures: true }, web], {
      absent: ['store.service'],
    });
    expect(order('failed')).toEqual(['store failed at 0']);
    expect(order('starting')).toEqual(['store starting at 0', 'web starting at 0']);
    clock.increment(500);
    expect(state()).toBe('up');
  });

  it('is not ended by a service that fails after it was ready, and says who is blocked by it', () => {
    const slow = serviceSpec({ name: 'slow.service', type: 'oneshot' });
    const last = serviceSpec({ name: 'last.service', prerequisites: ['store.service', 'slow.service'] });
    const { clock, run, log, state, order } = scriptedSystem([store, slow, last]);
    clock.increment(500);
    run('store.service').exited(exit1);
    expect(state()).toEqual({ booting: 'starting' });
    expect(log.filter((line) => line.includes('blocked'))).toEqual(['last blocked at 500']);
    run('slow.service').exited(exit0);
    expect(state()).toBe('up');
    expect(order('starting').some((line) => line.startsWith('last'))).toBe(false);
    // The block is reported once, however many reports come afterwards.
    expect(log.filter((line) => line.includes('blocked'))).toHaveLength(1);
  });

  it('starts nothing where programs are missing', () => {
    const problem = { service: 'web.service', error: noSuchProgram };
    const { programs, state, gone, output } = scriptedSystem([store, web], { missingPrograms: [problem] });
    expect(state()).toEqual({ draining: 'clearing' });
    gone();
    expect(output()).toMatchObject({
      exitStatus: 1,
      end: { kind: 'missingPrograms', problems: [problem] },
      neverStarted: ['store.service', 'web.service'],
      stopped: [],
    });
    expect(programs.runs).toEqual([]);
  });
});

describe('detect_exit', () => {
  const restarting = { ...store, restart: true };

  it('ends the system when the last process is gone', () => {
    const { clock, run, gone, state, output } = scriptedSystem([store]);
    clock.increment(500);
    run('store.service').exited(exit0);
    expect(state()).toBe('up');
    gone();
    expect(state()).toEqual({ draining: 'clearing' });
    gone();
    expect(output()).toMatchObject({ exitStatus: 0, end: { kind: 'noProcesses' } });
  });

  it('ends it with the status of the command on the command line', () => {
    const { clock, run, gone, output } = scriptedSystem([store, serviceSpec({ name: consoleService })]);
    clock.increment(500);
    run('store.service').exited(exit0);
    run(consoleService).exited(exit1);
    gone();
    gone();
    const command = { kind: 'exit', status: exit1 };
    expect(output()).toMatchObject({ exitStatus: 1, end: { kind: 'noProcesses', command } });
  });

  it('does not end the system while a service is in its restart pause', () => {
    const { clock, run, gone, state, phase } = scriptedSystem([restarting]);
    clock.increment(500);
    run('store.service').exited(exit1);
    gone();
    expect(phase('store.service')).toBe('backoff');
    expect(state()).toBe('up');
    clock.increment(3_000);
    clock.increment(500);
    expect(phase('store.service')).toBe('ready.running');
    run('store.service').exited(exit0);
    expect(state()).toBe('up');
    gone();
    expect(state()).toEqual({ draining: 'clearing' });
  });

  it('does not end the system while an orphan lives', () => {
    const { clock, run, state } = scriptedSystem([store]);
    clock.increment(500);
    run('store.service').exited(exit0);
    clock.increment(60_000);
    expect(state()).toBe('up');
  });

  it('does not end the system while another service is still starting', () => {
    const slow = serviceSpec({ name: 'slow.service', type: 'oneshot' });
    const { clock, run, state } = scriptedSystem([store, slow]);
    run('store.service').exited(exit0);
    expect(state()).toEqual({ booting: 'starting' });
    clock.increment(500);
    expect(state()).toEqual({ booting: 'starting' });
  });

  it('ends a system in which nothing was started, with a reason of its own', () => {
    const { gone, output } = scriptedSystem([{ ...store, enabled: false }]);
    gone();
    expect(output()).toMatchObject({ exitStatus: 0, end: { kind: 'nothingStarted' } });
  });

  it('switched off, keeps an empty system up', () => {
    const { gone, state } = scriptedSystem([{ ...store, enabled: false }], { system: { detectExit: false } });
    gone();
    expect(state()).toBe('up');
  });
});

describe('exit_kills', () => {
  it('ends the system with the status of the service', () => {
    const main = { ...web, exitKills: true };
    const { clock, run, gone, state, output, order } = scriptedSystem([store, main]);
    clock.increment(500);
    clock.increment(500);
    run('web.service').exited({ kind: 'exited', code: 3 });
    expect(state()).toEqual({ draining: 'stopping' });
    clock.increment(0);
    expect(order('stopped')).toEqual(['store stopped at 1000']);
    gone();
    expect(output()).toMatchObject({ exitStatus: 3, end: { kind: 'exitKills', service: 'web.service' } });
  });
});

describe('a shutdown', () => {
  function booted(options: Parameters<typeof scriptedSystem>[1] = {}) {
    const system = scriptedSystem([store, web, worker], options);
    system.clock.increment(500);
    system.clock.increment(500);
    expect(system.state()).toBe('up');
    return system;
  }

  it('stops against the order of the start', () => {
    const { clock, shutdown, order, state, run } = booted({ deaf: { 'worker.service': ['SIGTERM'] } });
    shutdown();
    clock.increment(0);
    expect(order('stopped')).toEqual(['web stopped at 1000']);
    expect(order('stopping')).toEqual(['web stopping at 1000', 'worker stopping at 1000']);
    clock.increment(700);
    run('worker.service').exited(exit0);
    expect(order('stopping').at(-1)).toBe('store stopping at 1700');
    clock.increment(0);
    expect(order('stopped').at(-1)).toBe('store stopped at 1700');
    expect(state()).toEqual({ draining: 'clearing' });
  });

  it('signals what is left, and halts when it is gone', () => {
    const { clock, shutdown, signalled, gone, state, output, log } = booted();
    shutdown();
    clock.increment(0);
    clock.increment(0);
    expect(signalled).toEqual(['SIGTERM at 1000']);
    gone();
    expect(state()).toBe('halted');
    expect(log.at(-1)).toBe('system halted at 1000');
    expect(output()).toEqual({
      end: { kind: 'signal', signal: 'SIGTERM' },
      exitStatus: 0,
      neverStarted: [],
      stopped: ['web.service', 'worker.service', 'store.service'],
      deadline: 9_000,
    });
  });

  it('kills what is left when the budget is used up, and leaves anyway a second later', () => {
    const { clock, shutdown, signalled, state, log } = booted();
    shutdown();
    clock.increment(0);
    clock.increment(0);
    // 8 s, less half of the reserve of 0.5 s.
    clock.increment(7_749);
    expect(state()).toEqual({ draining: 'clearing' });
    clock.increment(1);
    expect(state()).toEqual({ draining: 'killing' });
    expect(signalled).toEqual(['SIGTERM at 1000', 'SIGKILL at 8750']);
    expect(log.some((line) => line.startsWith('system clearing SIGKILL'))).toBe(true);
    clock.increment(1_000);
    expect(state()).toBe('halted');
  });

  it('shares the budget: one layer that overruns leaves the next its part', () => {
    const deaf = ['SIGTERM'] as const;
    const { clock, shutdown, run } = booted({ deaf: { 'web.service': deaf, 'store.service': deaf } });
    shutdown();
    // 8 s, less the reserve of 0.5 s, for two layers.
    clock.increment(3_749);
    expect(run('web.service').signals).toEqual(['SIGTERM at 1000']);
    clock.increment(1);
    expect(run('web.service').signals).toEqual(['SIGTERM at 1000', 'SIGKILL at 4750']);
    clock.increment(0);
    expect(run('store.service').signals).toEqual(['SIGTERM at 4750']);
    clock.increment(3_750);
    expect(run('store.service').signals).toEqual(['SIGTERM at 4750', 'SIGKILL at 8500']);
  });

  it('gives what a layer did not need to the next', () => {
    const { clock, shutdown, run } = booted({ deaf: { 'store.service': ['SIGTERM'] } });
    shutdown();
    clock.increment(0);
    expect(run('store.service').signals).toEqual(['SIGTERM at 1000']);
    // At the time limit of the others the service is looked at, too, and not killed yet.
    clock.increment(3_750);
    clock.increment(3_749);
    expect(run('store.service').signals).toHaveLength(1);
    clock.increment(1);
    expect(run('store.service').signals).toEqual(['SIGTERM at 1000', 'SIGKILL at 8500']);
  });

  it('goes on without a process that survives SIGKILL, after a second', () => {
    const { clock, shutdown, signalled, state, phase, log, output } = booted({
      deaf: { 'web.service': ['SIGTERM', 'SIGKILL'] },
    });
    shutdown();
    clock.increment(0);
    clock.increment(3_750);
    clock.increment(999);
    expect(log.at(-1)).toBe('worker stopped at 1000');
    clock.increment(1);
    expect(log.slice(-4)).toEqual([
      'web survives at 5750',
      'store stopping at 5750',
      'store stopped at 5750',
      'system clearing SIGTERM since 1000 at 5750',
    ]);
    clock.increment(2_000);
    expect(state()).toEqual({ draining: 'clearing' });
    clock.increment(1_000);
    expect(signalled[0]).toBe('SIGTERM at 5750');
    expect(signalled[1]).toMatch(/^SIGKILL at /);
    clock.increment(1_000);
    expect(state()).toBe('halted');
    expect(phase('web.service')).toBe('stopping');
    expect(output()).toMatchObject({ exitStatus: 0 });
  });

  it('that is forced skips the order', () => {
    const deaf = ['SIGTERM'] as const;
    const { clock, shutdown, run, state, signalled, log, output } = booted({
      deaf: { 'web.service': deaf, 'store.service': deaf, 'worker.service': deaf },
    });
    shutdown('SIGINT');
    clock.increment(100);
    shutdown('SIGINT', true);
    expect(state()).toEqual({ draining: 'killing' });
    expect(log).toContain('system forced at 1100');
    expect(signalled).toEqual(['SIGKILL at 1100']);
    for (const service of ['web.service', 'store.service', 'worker.service']) {
      expect(run(service).signals.at(-1)).toBe('SIGKILL at 1100');
    }
    clock.increment(1_000);
    expect(output()).toMatchObject({ exitStatus: 130, end: { kind: 'signal', signal: 'SIGINT' } });
  });

  it('that comes again, unforced, changes nothing', () => {
    const { clock, shutdown, run, state, gone, output } = booted({ deaf: { 'web.service': ['SIGTERM'] } });
    shutdown('SIGTERM');
    clock.increment(100);
    shutdown('SIGINT');
    expect(state()).toEqual({ draining: 'stopping' });
    expect(run('web.service').signals).toHaveLength(1);
    run('web.service').exited(exit0);
    clock.increment(0);
    gone();
    expect(output()).toMatchObject({ end: { kind: 'signal', signal: 'SIGTERM' }, exitStatus: 0 });
  });

  it('during the boot wins: what starts is stopped, what waits never starts', () => {
    const { clock, shutdown, programs, order, gone, output } = scriptedSystem([store, web, worker]);
    clock.increment(100);
    shutdown();
    clock.increment(0);
    expect(order('ready.running')).toEqual([]);
    expect(programs.runs.map(({ service, signals }) => [service, signals])).toEqual([
      ['store.service', ['SIGTERM at 100']],
    ]);
    gone();
    expect(output()).toMatchObject({
      neverStarted: ['web.service', 'worker.service'],
      stopped: ['store.service'],
      exitStatus: 0,
    });
  });

  it('while an IDLE service waits', () => {
    const idle = serviceSpec({ name: 'idle.service', groups: ['IDLE'] });
    const { clock, shutdown, programs, gone, output } = scriptedSystem([store, idle]);
    clock.increment(500);
    shutdown();
    clock.increment(0);
    clock.increment(60_000);
    gone();
    expect(programs.runs).toHaveLength(1);
    expect(output()).toMatchObject({ neverStarted: ['idle.service'] });
  });

  it('in a restart pause: nothing is restarted', () => {
    const { clock, shutdown, run, programs, gone, state } = scriptedSystem([{ ...store, restart: true }]);
    clock.increment(500);
    run('store.service').exited(exit1);
    shutdown();
    gone();
    expect(state()).toBe('halted');
    clock.increment(60_000);
    expect(programs.runs).toHaveLength(1);
  });

  it('and a crash before the stop came: nothing is restarted', () => {
    const { clock, shutdown, run, programs, phase } = scriptedSystem([{ ...store, restart: true }, web], {
      deaf: { 'web.service': ['SIGTERM'] },
    });
    clock.increment(500);
    clock.increment(500);
    shutdown();
    run('store.service').exited(exit1);
    expect(phase('store.service')).toBe('failed');
    clock.increment(3_000);
    expect(programs.runs).toHaveLength(2);
  });

  it('and a failure that comes after it: the first reason counts', () => {
    const { shutdown, run, gone, output } = scriptedSystem([store]);
    shutdown();
    run('store.service').exited(exit1);
    gone();
    expect(output()).toMatchObject({ exitStatus: 0, end: { kind: 'signal' } });
  });
});

describe('a stop by hand', () => {
  const stop = (name: string, changes: { readonly again?: boolean; readonly drain?: boolean } = {}) =>
    ({
      type: 'services.stop',
      names: [name],
      disable: false,
      again: false,
      drain: false,
      at: 0,
      ...changes,
    }) as const;

  function up(...given: Parameters<typeof scriptedSystem>) {
    const [services, options] = given;
    const system = scriptedSystem(services, { ...options, system: { detectExit: false, ...options?.system } });
    system.clock.increment(500);
    system.clock.increment(500);
    expect(system.state()).toBe('up');
    return system;
  }

  it('has its time limit in the system: SIGKILL comes after the whole budget', () => {
    const { clock, ask, run, phase } = up([store], { deaf: { 'store.service': ['SIGTERM'] } });
    ask(stop('store.service'));
    clock.increment(7_999);
    expect(run('store.service').signals).toEqual(['SIGTERM at 1000']);
    clock.increment(1);
    expect(run('store.service').signals).toEqual(['SIGTERM at 1000', 'SIGKILL at 9000']);
    clock.increment(0);
    expect(phase('store.service')).toBe('stopped');
    clock.increment(60_000);
    expect(run('store.service').signals).toHaveLength(2);
  });

  it('is put off for a service that asks for time, and not in a shutdown', () => {
    const asking = serviceSpec({ name: 'asking.service', type: 'notify', startupPause: 0 });
    const begin = () => {
      const system = scriptedSystem([asking], { deaf: { 'asking.service': ['SIGTERM'] } });
      const say = (message: object): void =>
        system.service('asking.service')?.send({
          type: 'notify.received',
          serial: 1,
          message,
          at: system.clock.now(),
        });
      say({ ready: true });
      return { ...system, say };
    };
    const byHand = begin();
    byHand.ask(stop('asking.service'));
    byHand.clock.increment(7_000);
    byHand.say({ extend: 5_000 });
    byHand.clock.increment(1_000);
    byHand.clock.increment(3_999);
    expect(byHand.run('asking.service').signals).toEqual(['SIGTERM at 0']);
    byHand.clock.increment(1);
    expect(byHand.run('asking.service').signals).toEqual(['SIGTERM at 0', 'SIGKILL at 12000']);
    const ending = begin();
    ending.shutdown();
    ending.say({ extend: 60_000 });
    ending.clock.increment(7_500);
    expect(ending.run('asking.service').signals).toEqual(['SIGTERM at 0', 'SIGKILL at 7500']);
  });

  it('waits for a process that survives SIGKILL, and says so', () => {
    const { clock, ask, phase, log, run } = up([store], { deaf: { 'store.service': ['SIGTERM', 'SIGKILL'] } });
    ask(stop('store.service'));
    clock.increment(8_000);
    clock.increment(1_000);
    expect(log.at(-1)).toBe('store survives at 10000');
    expect(phase('store.service')).toBe('stopping');
    run('store.service').exited(exit1);
    expect(phase('store.service')).toBe('stopped');
  });

  it('ends what a normal end has left behind, and so does a restart before it starts', () => {
    const { clock, ask, run, order, phase } = up([store]);
    run('store.service').exited(exit0, 2);
    clock.increment(60_000);
    expect([phase('store.service'), run('store.service').signals]).toEqual(['exited', []]);
    ask(stop('store.service', { again: true }));
    expect(run('store.service').signals).toEqual(['SIGTERM at 61000']);
    expect(order('starting')).toHaveLength(1);
    clock.increment(0);
    expect(order('starting')).toHaveLength(2);
    expect(run('store.service').serial).toBe(2);
  });

  it('lets the runs of a scheduled service finish where that is asked for', () => {
    const cron = serviceSpec({ name: 'cron.service', type: 'cron', interval: '@daily' });
    const { clock, ask, fire, run, phase } = up([store, cron]);
    fire('cron.service');
    ask(stop('cron.service', { drain: true }));
    clock.increment(3_600_000);
    expect([phase('cron.service'), run('cron.service').signals]).toEqual(['stopping', []]);
    run('cron.service').exited(exit0);
    expect(phase('cron.service')).toBe('stopped');
  });

  it('hastens a stop that lets runs finish', () => {
    const cron = serviceSpec({ name: 'cron.service', type: 'cron', interval: '@daily' });
    const { clock, ask, fire, run } = up([store, cron], { deaf: { 'cron.service': ['SIGTERM'] } });
    fire('cron.service');
    ask(stop('cron.service', { drain: true }));
    clock.increment(60_000);
    ask(stop('cron.service'));
    expect(run('cron.service').signals).toEqual(['SIGTERM at 61000']);
    clock.increment(8_000);
    expect(run('cron.service').signals).toEqual(['SIGTERM at 61000', 'SIGKILL at 69000']);
  });

  it('is answered by a start that was asked for meanwhile only when nothing is left', () => {
    const { clock, ask, run, order } = up([store], { deaf: { 'store.service': ['SIGTERM'] } });
    ask(stop('store.service'));
    ask({ type: 'services.start', names: ['store.service'], enable: false, force: false, at: 0 });
    run('store.service').exited(exit0, 1);
    clock.increment(1_000);
    expect(order('starting')).toHaveLength(1);
    run('store.service').look(0);
    expect(order('starting')).toHaveLength(2);
  });
});

describe('a signal by hand', () => {
  it('reaches the services that are named, and no others', () => {
    const deaf = { 'store.service': ['SIGHUP'], 'web.service': ['SIGHUP'] } as const;
    const { clock, ask, run } = scriptedSystem([store, web, worker], { deaf });
    clock.increment(500);
    clock.increment(500);
    ask({ type: 'services.signal', names: ['web.service', 'none.service'], signal: 'SIGHUP', at: 0 });
    expect(run('web.service').signals).toEqual(['SIGHUP at 1000']);
    expect([run('store.service').signals, run('worker.service').signals]).toEqual([[], []]);
  });
});

describe('what a crash has left behind', () => {
  it('is ended before the restart, and before dependents could count on it', () => {
    const { clock, run, order, phase } = scriptedSystem([{ ...store, restart: true }], {
      deaf: { 'store.service': ['SIGTERM'] },
    });
    clock.increment(500);
    run('store.service').exited(exit1, 1);
    expect(phase('store.service')).toBe('stopping');
    clock.increment(2_000);
    expect(run('store.service').signals).toEqual(['SIGTERM at 500', 'SIGKILL at 2500']);
    clock.increment(0);
    expect(phase('store.service')).toBe('backoff');
    clock.increment(3_000);
    expect(order('starting')).toHaveLength(2);
  });

  it('holds up the end of a boot that it has failed', () => {
    const { clock, run, state, gone, output } = scriptedSystem([store, web]);
    clock.increment(500);
    run('web.service').exited(exit1, 1);
    expect(state()).toEqual({ booting: 'starting' });
    clock.increment(0);
    clock.increment(0);
    expect(state()).toEqual({ draining: 'clearing' });
    gone();
    expect(output()).toMatchObject({ exitStatus: 1, end: { kind: 'serviceFailed', service: 'web.service' } });
  });

  it('is ended in its turn where the system ends meanwhile', () => {
    const { clock, run, shutdown, phase, order } = scriptedSystem([store, { ...web, restart: true }], {
      deaf: { 'web.service': ['SIGTERM'] },
    });
    clock.increment(500);
    clock.increment(500);
    run('web.service').exited(exit1, 1);
    shutdown();
    clock.increment(1_000);
    expect([phase('web.service'), phase('store.service')]).toEqual(['stopping', 'ready.running']);
    run('web.service').look(0);
    expect(order('stopped')).toEqual(['web stopped at 2000']);
    expect(phase('store.service')).toBe('stopping');
  });
});

describe('a system that has halted', () => {
  it('can still be looked at, and changes no more', () => {
    const { actor, shutdown, clock, gone, state, output, log } = scriptedSystem([store]);
    shutdown();
    expect(output()).toBeUndefined();
    clock.increment(0);
    gone();
    const before = output();
    expect([state(), actor.getSnapshot().status]).toEqual(['halted', 'active']);
    const length = log.length;
    shutdown('SIGINT', true);
    gone();
    clock.increment(60_000);
    expect(output()).toEqual(before);
    expect(log).toHaveLength(length);
  });
});
