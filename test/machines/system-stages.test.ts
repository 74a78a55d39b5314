/** The effect of requests for single services in each stage of the system. */
import { describe, expect, it } from 'vitest';
import type { ServiceRequest } from '../../src/model/ledger/requests.ts';
import { consoleService, type ServiceSpec } from '../../src/model/service/service-spec.ts';
import { serviceSpec } from '../model/specs.ts';
import { exit0, exit1, type ScriptedSystemOptions, scriptedSystem } from './scripted.ts';

const spec = (name: string, changes: Partial<ServiceSpec> = {}): ServiceSpec =>
  serviceSpec({ name: `${name}.service`, startupPause: 0, ...changes });
const store = spec('store');
const web = spec('web', { prerequisites: ['store.service'] });
const idle = spec('idle', { groups: ['IDLE'] });
const start = (
  name: string,
  changes: { readonly enable?: boolean; readonly force?: boolean } = {},
): ServiceRequest => ({
  type: 'services.start',
  names: [`${name}.service`],
  enable: false,
  force: false,
  at: 0,
  ...changes,
});
const stop = (again: boolean, ...names: readonly string[]): ServiceRequest => ({
  type: 'services.stop',
  names: names.map((name) => `${name}.service`),
  disable: false,
  again,
  drain: false,
  at: 0,
});

function booted(services: readonly ServiceSpec[], options: ScriptedSystemOptions = {}) {
  const system = scriptedSystem(services, { ...options, system: { detectExit: false, ...options.system } });
  const news = (): readonly string[] => {
    for (let round = 0; round < 8; round += 1) system.clock.increment(0);
    return system.log.splice(0).map((line) => line.replace(/ at \d+$/, ''));
  };
  return { ...system, news };
}

describe('while IDLE services wait', () => {
  it('a start by hand does not let them go', () => {
    const system = booted([store, idle]);
    system.news();
    expect(system.state()).toEqual({ booting: 'idling' });
    system.ask(start('idle'));
    expect(system.news()).toEqual([]);
    system.clock.increment(1_000);
    expect(system.news()).toEqual(['idle released', 'idle starting', 'idle ready.running', 'system ready']);
  });

  it('a service that was ready once and can never start again holds none of them up', () => {
    const slow = spec('slow', { type: 'oneshot' });
    const system = booted([store, web, slow, idle]);
    system.news();
    system.run('store.service').exited(exit1);
    system.ask(stop(true, 'web'));
    expect(system.news().slice(-1)).toEqual(['web blocked']);
    system.run('slow.service').exited(exit0);
    system.news();
    expect(system.state()).toEqual({ booting: 'idling' });
    system.clock.increment(1_000);
    expect(system.news()).toContain('idle ready.running');
  });

  it('a restart or a crash of another service does not let them go', () => {
    const system = booted([{ ...store, restart: true }, web, idle]);
    system.news();
    system.ask(stop(true, 'store', 'web'));
    expect(system.news()).toEqual([
      'web reset',
      'web stopping',
      'web stopped',
      'store reset',
      'store stopping',
      'store stopped',
      'store released',
      'store starting',
      'store ready.running',
      'web released',
      'web starting',
      'web ready.running',
    ]);
    system.run('store.service').exited(exit1);
    expect(system.news()).toEqual(['store backoff']);
    expect(system.state()).toEqual({ booting: 'idling' });
  });

  it('the processes are counted when something scheduled has ended', () => {
    const cron = spec('cron', { type: 'cron', interval: '@daily' });
    const system = booted([store, cron, idle], { system: { detectExit: true } });
    system.news();
    expect(system.state()).toEqual({ booting: 'idling' });
    const before = system.signalled.length;
    system.ask(stop(false, 'cron'));
    system.news();
    expect(system.signalled.slice(before)).toEqual(['count at 0']);
  });
});

describe('once the system is up', () => {
  it('an IDLE service is started and restarted like any other', () => {
    const system = booted([store, { ...idle, prerequisites: ['store.service'] }]);
    system.news();
    system.clock.increment(1_000);
    system.news();
    expect(system.state()).toBe('up');
    system.ask(stop(true, 'idle', 'store'));
    expect(system.news().slice(-3)).toEqual(['idle released', 'idle starting', 'idle ready.running']);
    system.ask(stop(false, 'idle'));
    system.news();
    system.ask(start('idle'));
    expect(system.news()).toEqual(['idle released', 'idle starting', 'idle ready.running']);
  });

  it('the end of an exit_kills service is where the shutdown begins', () => {
    const system = booted([{ ...store, exitKills: true }, spec('other')], { deaf: { 'other.service': ['SIGTERM'] } });
    system.news();
    system.clock.increment(500);
    system.run('store.service').exited(exit0);
    system.news();
    expect(system.state()).toEqual({ draining: 'stopping' });
    expect(system.actor.getSnapshot().context.ledger.drain?.deadline).toBe(8_500);
  });
});

describe('a stop by hand that waits for one whose end ends the system', () => {
  const requires = { ties: { 'store.service': { kind: 'requires', stages: ['ready'] } } } as const;
  const fails = { ...requires, onPrerequisiteFailure: 'fail', onFailure: 'shutdown' } as const;
  const needy = spec('web', { ...fails, prerequisites: ['store.service'] });
  const app = spec('app', { prerequisites: ['store.service'] });
  const deaf = { deaf: { 'app.service': ['SIGTERM'] } } as const;

  it.each([
    { what: 'stop', again: false },
    { what: 'restart', again: true },
  ])('takes its place in the order of the shutdown ($what): whoever needs the service ends first', ({ again }) => {
    const system = booted([store, needy, app], deaf);
    system.news();
    system.ask(stop(again, 'store'));
    const news = system.news();
    expect(news).toContain('app stopping');
    expect(news.filter((line) => line.startsWith('store'))).toEqual([]);
    // In steps that are shorter than the time in which a killed process may end.
    const rest = Array.from({ length: 16 }, () => {
      system.clock.increment(500);
      return system.news();
    }).flat();
    expect(rest.filter((line) => line.startsWith('app') || line.startsWith('store'))).toEqual([
      'app stopped',
      'store stopping',
      'store stopped',
    ]);
  });

  it('goes on at once where nobody else needs the service', () => {
    const system = booted([store, needy]);
    system.news();
    system.ask(stop(false, 'store'));
    const news = system.news();
    expect(news.filter((line) => line.startsWith('store'))).toEqual(['store stopping', 'store stopped']);
    expect(news.indexOf('web failed')).toBeLessThan(news.indexOf('store stopping'));
    expect(system.state()).toEqual({ draining: 'clearing' });
  });
});

describe('requests that meet each other', () => {
  it('a start does not make a stop forget the services that are still to be stopped', () => {
    const system = booted([store, web, spec('other')], { deaf: { 'web.service': ['SIGTERM'] } });
    system.ask(stop(false, 'other'));
    system.news();
    system.ask(stop(false, 'store', 'web'));
    system.ask(start('other'));
    expect(system.news()).toEqual([
      'web reset',
      'web stopping',
      'other released',
      'other starting',
      'other ready.running',
    ]);
    system.clock.increment(8_000);
    expect(system.news()).toEqual(['web stopped', 'store reset', 'store stopping', 'store stopped']);
  });

  it('a forced start first ends an exited service with the processes that it left', () => {
    const task = spec('task', { type: 'oneshot' });
    const daemon = spec('daemon', { type: 'forking' });
    const system = booted([task, daemon]);
    system.run('task.service').exited(exit0);
    system.run('daemon.service').exited(exit0);
    system.news();
    system.ask(start('task'));
    system.ask(start('daemon'));
    expect(system.news()).toEqual([]);
    system.ask(start('task', { force: true }));
    expect(system.news()).toEqual(['task reset', 'task stopped', 'task released', 'task starting']);
    system.ask(start('daemon', { force: true }));
    expect(system.news()).toEqual([
      'daemon reset',
      'daemon stopping',
      'daemon stopped',
      'daemon released',
      'daemon starting',
    ]);
  });

  it('a forced start leaves a prerequisite alone that is starting already', () => {
    const slow = { ...store, type: 'oneshot' } as const;
    const system = booted([slow, web]);
    system.news();
    system.ask(start('web', { force: true }));
    expect(system.news()).toEqual([]);
    expect(system.programs.runs).toHaveLength(1);
  });

  it('a forced start waits for a service that is being stopped, and starts it again', () => {
    const system = booted([store, web], { deaf: { 'store.service': ['SIGTERM'] } });
    system.ask(stop(false, 'web', 'store'));
    system.news();
    system.ask(start('web', { force: true }));
    expect(system.news()).toEqual([]);
    system.clock.increment(8_000);
    expect(system.news().filter((line) => / (stopped|ready\.running)$/.test(line))).toEqual([
      'store stopped',
      'store ready.running',
      'web ready.running',
    ]);
  });

  it('a stop waits for a dependent that a reload takes out', () => {
    const system = booted([store, web], { deaf: { 'web.service': ['SIGTERM'] } });
    system.news();
    system.reload([store]);
    system.ask(stop(false, 'store'));
    expect(system.news()).toEqual(['web stopping']);
    system.clock.increment(8_000);
    expect(system.news()).toEqual(['web stopped', 'store reset', 'web removed', 'store stopping', 'store stopped']);
  });

  it('a service that comes back disabled while it is being stopped stays so', () => {
    const system = booted([store, web], { deaf: { 'web.service': ['SIGTERM'] } });
    system.news();
    system.reload([store]);
    system.news();
    system.reload([store, { ...web, enabled: false }]);
    system.clock.increment(8_000);
    expect(system.news()).toEqual(['web stopped']);
    expect(system.phase('web.service')).toBe('disabled');
  });

  it('a service that is new and disabled is said to be skipped', () => {
    const system = booted([store]);
    system.news();
    system.reload([store, { ...web, enabled: false }]);
    expect(system.news()).toEqual(['web skipped']);
  });
});

describe('what the system counts as ready', () => {
  it('is a schedule, too: it holds up no later stage from then on', () => {
    const first = spec('first', { type: 'inetd', port: 80, groups: ['INIT'] });
    const system = booted([first, store], { system: { detectExit: true } });
    expect(system.news()).toContain('store ready.running');
    expect(system.slot('first.service')?.hasBeenReady).toBe(true);
  });

  it('is the command of the command line that has ended normally: its status is the end', () => {
    const system = booted([{ ...spec('task'), name: consoleService }], {
      system: { detectExit: true },
    });
    system.news();
    system.run(consoleService).exited(exit0);
    system.gone();
    expect(system.actor.getSnapshot().context.end).toEqual({
      kind: 'noProcesses',
      command: { kind: 'exit', status: exit0 },
    });
  });
});

describe('a shutdown that meets a reload', () => {
  it('ends a service that one reload takes out before its prerequisite that the next reload takes out', () => {
    const system = booted([store, web], { deaf: { 'web.service': ['SIGTERM'] } });
    system.news();
    system.reload([store]);
    system.reload([]);
    system.shutdown();
    expect(system.news()).toEqual(['web stopping', 'system draining signal']);
    expect(system.phase('store.service')).toBe('ready.running');
    system.clock.increment(4_000);
    expect(system.news().slice(0, 3)).toEqual(['web stopped', 'store stopping', 'store stopped']);
  });

  it('gives a service that is taken out half of the time that is left', () => {
    const system = booted([store, web], { deaf: { 'web.service': ['SIGTERM'], 'store.service': ['SIGTERM'] } });
    system.news();
    system.reload([{ ...web, prerequisites: [] }]);
    system.clock.increment(1_000);
    system.shutdown();
    const { signals } = system.run('store.service');
    system.clock.increment(3_750);
    expect(signals).toEqual(['SIGTERM at 0', 'SIGKILL at 4750']);
  });
});
