import { describe, expect, it } from 'vitest';
import type { ServiceRequest } from '../../src/model/ledger/requests.ts';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import { serviceSpec } from '../model/specs.ts';
import { exit0, exit1, type ScriptedSystemOptions, scriptedSystem } from './scripted.ts';

const spec = (name: string, changes: Partial<ServiceSpec> = {}): ServiceSpec =>
  serviceSpec({ name: `${name}.service`, startupPause: 0, ...changes });
const store = spec('store');
const web = spec('web', { prerequisites: ['store.service'] });
const other = { argv: ['other'], command: 'other' };

function up(services: readonly ServiceSpec[], options: ScriptedSystemOptions = {}) {
  const system = scriptedSystem(services, { ...options, system: { detectExit: false, ...options.system } });
  system.clock.increment(0);
  system.clock.increment(0);
  return system;
}

/** The log since the last call. */
function news(system: ReturnType<typeof up>): readonly string[] {
  for (let round = 0; round < 8; round += 1) system.clock.increment(0);
  return system.log.splice(0).map((line) => line.replace(/ at \d+$/, ''));
}

const byHand = (type: 'start' | 'stop' | 'restart', ...names: readonly string[]): ServiceRequest =>
  type === 'start'
    ? { type: 'services.start', names, enable: false, force: false, at: 0 }
    : { type: 'services.stop', names, disable: false, again: type === 'restart', drain: false, at: 0 };

describe('a reload', () => {
  it('starts what is new, stops what is gone and touches nothing else', () => {
    const system = up([store, web]);
    news(system);
    const pid = system.run('store.service').pid;
    const actor = system.service('store.service');
    system.reload([store, spec('cache', { prerequisites: ['store.service'] })]);
    expect(news(system)).toEqual([
      'cache queued',
      'cache released',
      'web stopping',
      'cache starting',
      'web stopped',
      'web removed',
      'cache ready.running',
    ]);
    expect(system.service('web.service')).toBeUndefined();
    expect(Object.keys(system.actor.getSnapshot().children)).toEqual([
      'service:store',
      'processTable',
      'service:cache',
    ]);
    expect(system.service('store.service')).toBe(actor);
    expect([system.phase('store.service'), system.run('store.service').pid]).toEqual(['ready.running', pid]);
    expect(system.run('store.service').signals).toEqual([]);
  });

  it('ends services, dependents first, and keeps no unrelated service waiting', () => {
    const system = up([store, web, spec('old', { prerequisites: ['web.service'] })]);
    news(system);
    system.reload([{ ...store, ...other }, { ...web, ...other }, spec('new')]);
    expect(news(system)).toEqual([
      'new queued',
      'new released',
      'old stopping',
      'new starting',
      'old stopped',
      'old removed',
      'web stopping',
      'new ready.running',
      'web stopped',
      'store stopping',
      'store stopped',
      'store released',
      'store starting',
      'store ready.running',
      'web released',
      'web starting',
      'web ready.running',
    ]);
  });

  it('stops by the old graph and starts by the new one', () => {
    const system = up([store, web]);
    news(system);
    system.reload([
      { ...store, ...other, prerequisites: ['web.service'] },
      { ...web, ...other, prerequisites: [] },
    ]);
    const told = news(system).filter((line) => / (stopping|starting)$/.test(line));
    expect(told).toEqual(['web stopping', 'store stopping', 'web starting', 'store starting']);
  });

  it('ends a program with the signal that it was started with, and starts it with the new definition', () => {
    const system = up([store], { deaf: { 'store.service': ['SIGHUP'] } });
    system.reload([{ ...store, ...other, killSignal: 'SIGHUP' }]);
    news(system);
    expect(system.programs.runs.map(({ signals }) => signals)).toEqual([['SIGTERM at 0'], []]);
    system.ask(byHand('stop', 'store.service'));
    expect(system.run('store.service').signals).toEqual(['SIGHUP at 0']);
  });

  it('changes a service in place that needs no other process', () => {
    const system = up([{ ...store, restart: true, restartLimit: 1 }]);
    news(system);
    system.reload([{ ...store, restart: true, restartLimit: 1, restartDelay: 10, killSignal: 'SIGINT' }]);
    expect(news(system)).toEqual([]);
    system.run('store.service').exited(exit1);
    system.clock.increment(10);
    expect(news(system)).toEqual(['store backoff', 'store reset', 'store starting', 'store ready.running']);
    system.ask(byHand('stop', 'store.service'));
    expect(system.run('store.service').signals).toEqual(['SIGINT at 10']);
  });

  it('keeps decisions that were made by hand', () => {
    const system = up([store, web]);
    system.ask(byHand('stop', 'web.service'));
    system.ask({ type: 'services.disable', names: ['store.service'], at: 0 });
    news(system);
    system.reload([
      { ...store, restartLimit: 1 },
      { ...web, ...other },
    ]);
    expect(news(system)).toEqual([]);
    expect(system.phase('web.service')).toBe('stopped');
    system.ask(byHand('stop', 'store.service'));
    expect(news(system)).toEqual(['store reset', 'store stopping', 'store stopped']);
    expect(system.phase('store.service')).toBe('disabled');
  });

  it('starts what is enabled now, and stops what is disabled now', () => {
    const system = up([{ ...store, enabled: false }, web]);
    news(system);
    system.reload([store, { ...web, enabled: false }]);
    expect([...news(system)].sort()).toEqual(
      ['web stopping', 'web stopped', 'store released', 'store starting', 'store ready.running'].sort(),
    );
    expect(system.phase('web.service')).toBe('disabled');
    system.reload([{ ...store, enabled: false }, web]);
    // The new start waits for the other service, which is disabled now and still has to end.
    expect(news(system)).toEqual([
      'store stopping',
      'store stopped',
      'web released',
      'web starting',
      'web ready.running',
    ]);
  });

  it('lets no service pass the group INIT before the services restarted there are ready again', () => {
    const init = spec('init', { type: 'oneshot', groups: ['INIT'] });
    const system = up([init, store]);
    system.run('init.service').exited(exit0);
    news(system);
    system.reload([{ ...init, ...other }, store, spec('new')]);
    expect(news(system)).toEqual(['new queued', 'init stopped', 'init released', 'init starting']);
    system.run('init.service').exited(exit0);
    expect(news(system)).toEqual(['init ready.exited', 'new released', 'new starting', 'new ready.running']);
  });

  it('gives a failed service another try where its definition is another one', () => {
    const bad = { ...web, ignoreFailures: true };
    const system = up([store, bad], { absent: ['web.service'] });
    expect(system.phase('web.service')).toBe('failed');
    news(system);
    system.reload([store, structuredClone(bad)]);
    expect(news(system)).toEqual([]);
    system.reload([store, { ...bad, ...other }]);
    expect(news(system)).toEqual(['web released', 'web starting', 'web failed']);
  });

  it('during the boot adds to the boot', () => {
    const slow = spec('slow', { type: 'oneshot', groups: ['INIT'] });
    const idle = spec('idle', { groups: ['IDLE'] });
    const system = up([slow, store, idle]);
    expect(system.state()).toEqual({ booting: 'starting' });
    news(system);
    system.reload([slow, spec('first', { type: 'oneshot', groups: ['INIT'] }), store, idle]);
    expect(news(system)).toEqual(['first queued', 'first released', 'first starting']);
    system.run('slow.service').exited(exit0);
    expect(news(system)).toEqual(['slow ready.exited']);
    system.run('first.service').exited(exit0);
    expect(news(system)).toEqual(['first ready.exited', 'store released', 'store starting', 'store ready.running']);
    expect(system.state()).toEqual({ booting: 'idling' });
    system.reload([slow, store, web, idle]);
    expect(news(system)).toEqual([
      'web queued',
      'web released',
      'first stopped',
      'first removed',
      'web starting',
      'web ready.running',
    ]);
    expect(system.state()).toEqual({ booting: 'idling' });
    system.clock.increment(1_000);
    expect(news(system)).toEqual(['idle released', 'idle starting', 'idle ready.running', 'system ready']);
  });

  it('takes out a service that starts, pauses, has failed or waits', () => {
    const services = [
      spec('starting', { startupPause: 500 }),
      spec('pausing', { restart: true }),
      spec('failed', { ignoreFailures: true }),
      spec('waiting', { prerequisites: ['starting.service'] }),
      spec('done', { type: 'oneshot' }),
      spec('off', { enabled: false }),
    ];
    const system = up([store, ...services], { absent: ['failed.service'] });
    system.run('done.service').exited(exit0);
    system.run('pausing.service').exited(exit1);
    news(system);
    system.reload([store]);
    expect(system.actor.getSnapshot().context.ledger.graph.names).toEqual(['store.service']);
    expect([...news(system)].filter((line) => line.endsWith('removed')).sort()).toEqual(
      services.map(({ name }) => `${name.replace('.service', '')} removed`).sort(),
    );
    expect(Object.keys(system.actor.getSnapshot().children)).toEqual(['service:store', 'processTable']);
    expect(system.actor.getSnapshot().context.ledger.slots.names()).toEqual(['store.service']);
  });

  it('of a service that fails to start while it waits to be replaced does not end the boot', () => {
    const slow = spec('slow', { type: 'oneshot' });
    const first = spec('first', { startupPause: 500 });
    const second = spec('second', { prerequisites: ['first.service'] });
    const system = up([slow, first, second], { deaf: { 'second.service': ['SIGTERM'] } });
    system.clock.increment(500);
    system.ask(byHand('restart', 'first.service'));
    news(system);
    expect(system.phase('first.service')).toBe('starting');
    system.reload([slow, spec('next')]);
    // The reload waits for the other service, which ignores its kill signal.
    system.run('first.service').exited(exit1);
    expect(news(system)).toEqual([
      'next queued',
      'next released',
      'second stopping',
      'next starting',
      'first failed',
      'first removed',
      'next ready.running',
    ]);
    expect(system.state()).toEqual({ booting: 'starting' });
    system.clock.increment(8_000);
    expect(news(system)).toEqual(['second stopped', 'second removed']);
  });

  it('that brings a service back while it is being stopped starts it again', () => {
    const system = up([store, web], { deaf: { 'web.service': ['SIGTERM'] } });
    news(system);
    system.reload([store]);
    expect(news(system)).toEqual(['web stopping']);
    // A service that is not in the configuration cannot be started.
    system.ask(byHand('start', 'web.service'));
    system.ask(byHand('restart', 'web.service'));
    system.reload([store, { ...web, ...other }]);
    system.clock.increment(8_000);
    expect(news(system)).toEqual(['web stopped', 'web released', 'web starting', 'web ready.running']);
    expect(system.slot('web.service')?.intent).toEqual({ kind: 'none' });
  });

  it('meets a stop by hand, and a restart by hand, which end with the new definition', () => {
    const deaf = { 'store.service': ['SIGTERM'], 'web.service': ['SIGTERM'] } as const;
    const system = up([store, spec('web')], { deaf });
    system.ask(byHand('stop', 'store.service'));
    system.ask(byHand('restart', 'web.service'));
    news(system);
    system.reload([
      { ...store, ...other },
      { ...spec('web'), ...other },
    ]);
    system.clock.increment(8_000);
    expect(news(system)).toEqual(['store stopped', 'web stopped', 'web released', 'web starting', 'web ready.running']);
    const commands = ['store.service', 'web.service'].map(
      (name) => system.service(name)?.getSnapshot().context.spec.command,
    );
    expect(commands).toEqual(['other', 'other']);
  });

  it.each([
    ['stopped', 'stop'],
    ['restarted', 'restart'],
  ] as const)('does not end a service before one that needs it and is %s by hand meanwhile', (_, deed) => {
    const last = spec('last', { prerequisites: ['store.service'] });
    const deaf = { 'web.service': ['SIGTERM'], 'last.service': ['SIGTERM'] } as const;
    const system = up([store, web, last], { deaf });
    system.reload([{ ...store, ...other }, { ...web, ...other }, last]);
    expect(news(system).slice(-1)).toEqual(['web stopping']);
    system.clock.increment(5_000);
    system.ask(byHand(deed, 'last.service'));
    system.clock.increment(3_000);
    expect(news(system)).toEqual(['last reset', 'last stopping', 'web stopped']);
    expect(system.phase('store.service')).toBe('ready.running');
    system.clock.increment(5_000);
    expect(news(system).slice(0, 3)).toEqual(['last stopped', 'store stopping', 'store stopped']);
  });

  it('does not wait for a stop by hand that would wait for it in turn', () => {
    const base = spec('base');
    const extra = spec('extra');
    const middle = { ...store, prerequisites: ['base.service'] };
    const system = up([base, middle, web, extra], { deaf: { 'web.service': ['SIGTERM'] } });
    // Until now the store needs the base; from now on the extra needs the store, and the base the extra.
    system.reload([
      { ...base, ...other, prerequisites: ['extra.service'] },
      { ...store, ...other },
      { ...web, ...other },
      { ...extra, prerequisites: ['store.service'] },
    ]);
    system.ask(byHand('restart', 'extra.service'));
    expect(news(system)).toContain('web stopping');
    system.clock.increment(8_000);
    expect(news(system).filter((line) => line.endsWith('stopping'))).toEqual([
      'store stopping',
      'base stopping',
      'extra stopping',
    ]);
  });

  it('after a reload changes the steps of it that are not carried out yet', () => {
    const system = up([store, web], { deaf: { 'web.service': ['SIGTERM'] } });
    news(system);
    system.reload([
      { ...store, ...other },
      { ...web, ...other },
    ]);
    system.reload([store, spec('cache')]);
    system.clock.increment(8_000);
    expect(news(system)).toEqual([
      'web stopping',
      'cache queued',
      'cache released',
      'cache starting',
      'cache ready.running',
      'web stopped',
      'web removed',
      'store stopping',
      'store stopped',
      'store released',
      'store starting',
      'store ready.running',
    ]);
    expect(system.service('store.service')?.getSnapshot().context.spec.command).toBe(store.command);
  });

  it('is ignored once the system ends, and ends with it', () => {
    const system = up([store, web, spec('old')], { deaf: { 'old.service': ['SIGTERM'] } });
    system.reload([{ ...store, ...other }, web, spec('new')]);
    news(system);
    system.shutdown();
    system.reload([spec('late')]);
    expect(system.phase('late.service')).toBeUndefined();
    expect(news(system)).toEqual([
      'system draining signal',
      'new stopping',
      'web stopping',
      'new stopped',
      'web stopped',
      'store stopping',
      'store stopped',
    ]);
    expect(system.state()).toEqual({ draining: 'stopping' });
    system.clock.increment(4_000);
    expect(news(system)[0]).toBe('old stopped');
    system.gone();
    expect(system.output()).toMatchObject({ exitStatus: 0, neverStarted: [] });
    expect(system.output()?.stopped).toEqual(['old.service', 'new.service', 'web.service', 'store.service']);
  });

  it('leaves a system with nothing to do to detect_exit', () => {
    const system = up([store], { system: { detectExit: true } });
    system.reload([{ ...store, enabled: false }], { detectExit: true });
    news(system);
    expect(system.state()).toBe('up');
    system.gone();
    expect(system.state()).toMatchObject({ draining: 'clearing' });
  });
});

describe('a shutdown', () => {
  it('does not wait for a service that was started by hand and never began', () => {
    const system = up([store, web]);
    system.ask(byHand('stop', 'store.service'));
    news(system);
    system.ask(byHand('restart', 'web.service'));
    expect(news(system)).toEqual(['web reset', 'web stopping', 'web stopped', 'web blocked']);
    expect(system.phase('web.service')).toBe('pending');
    system.shutdown();
    expect(system.state()).toEqual({ draining: 'clearing' });
  });
});
