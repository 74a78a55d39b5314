import { describe, expect, it } from 'vitest';
import {
  begin,
  count,
  ctl,
  nthNumber,
  put,
  type Sections,
  settle,
  signalInner,
  telchap,
  untilState,
  up,
} from './by-hand.ts';
import {
  type Booted,
  boot,
  config,
  expectOrder,
  here,
  isRoot,
  logAll,
  untilProcesses,
  untilSaid,
} from './namespace.ts';

const obey = (text: string, more: Readonly<Record<string, unknown>> = {}) => ({
  command: `$(FIXTURES)/obey TERM '${text}'`,
  startup_pause: 0.05,
  ...more,
});
/** A service that ends as the file of that name tells it to. */
const ordered = (file: string, more: Readonly<Record<string, unknown>> = {}) => ({
  command: `$(FIXTURES)/take-order ${here}/${file}`,
  startup_pause: 0.05,
  ...more,
});
const awaits = (name: string): RegExp => new RegExp(`${name}\\[\\d+\\]: awaits an order as (\\d+)$`);
const stay = { command: 'sleep infinity', startup_pause: 0.05 };

/** Waits until the service reads orders, and gives it one. */
async function order(system: Booted, name: string, what: string): Promise<void> {
  await system.waitForLine(awaits(name));
  put(system, name, what);
}

/** Expects that the explanation at the end names this service and the reason of the end. */
function expectExplained(system: Booted, name: string, end: RegExp): void {
  const lines = system.lines('stderr');
  const first = lines.findLastIndex((line) => line.startsWith('chaperone: '));
  const explanation = lines.slice(first === -1 ? lines.length : first);
  expect(explanation[0] ?? '').toMatch(/^chaperone: /);
  // All following lines belong to the explanation.
  expect(explanation.slice(1).filter((line) => !line.startsWith('  '))).toEqual([]);
  expect(explanation.join('\n')).toContain(`${name}.service`);
  expect(explanation.join('\n')).toMatch(end);
}

describe('SIGTERM to chaperone ends the command, whose status is that of the container:', () => {
  const commands: readonly (readonly [string, number, readonly string[], RegExp])[] = [
    ['143 where it had no handler', 143, ['sh', '-c', 'echo runs; exec sleep infinity'], /^runs$/],
    ['7 where its handler chose that', 7, ['$(FIXTURES)/obey', 'TERM', 'stops', '7'], /^obeying TERM$/],
    ['0 where its handler chose that', 0, ['$(FIXTURES)/obey', 'TERM', 'stops'], /^obeying TERM$/],
    ['137 where it had to be killed', 137, ['$(FIXTURES)/stubborn'], /^stubborn$/],
  ];
  const files = { 'x.conf': config({ settings: { shutdown_timeout: 2, idle_delay: 0.05 }, ...logAll }) };

  it.each(commands)('%s, of a task', async (_title, status, command, runs) => {
    const system = boot({ files, args: ['--task', ...command] });
    await system.waitForLine(runs);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(status);
  });

  it.each(commands)('%s, of a plain command', async (_title, status, command, runs) => {
    const system = boot({ files, args: command });
    await system.waitForLine(runs);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(status);
  });

  it.each(commands)('%s, beside services', async (_title, status, command, runs) => {
    const sections = { settings: { shutdown_timeout: 4, idle_delay: 0.05 }, 'a.service': obey('a stops') };
    const system = begin(sections, { args: command });
    await untilSaid(system, 'obeying TERM', ['a']);
    await system.waitForLine(runs);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(status);
    expectOrder(system.lines('stdout'), [/a\[\d+\]: a stops/]);
  });

  it('143 after SIGQUIT, too', async () => {
    const system = boot({ files, args: ['sh', '-c', 'echo runs; exec sleep infinity'] });
    await system.waitForLine(/^runs$/);
    system.signal('SIGQUIT');
    expect(await system.exit).toBe(143);
  });
});

describe('SIGTERM to chaperone ends a service with exit_kills, whose status is that of the container:', () => {
  it.each([
    ['143 where it had no handler', 143, { command: "sh -c 'echo runs; exec sleep infinity'" }, /main\[\d+\]: runs$/],
    ['5 where its handler chose that', 5, { command: '$(FIXTURES)/obey TERM stops 5' }, /main\[\d+\]: obeying TERM/],
    ['137 where it had to be killed', 137, { command: '$(FIXTURES)/stubborn' }, /main\[\d+\]: stubborn/],
    ['0 where its handler chose that', 0, { command: '$(FIXTURES)/obey TERM stops' }, /main\[\d+\]: obeying TERM/],
  ] as const)('%s', async (_title, status, main, runs) => {
    const system = await up({
      settings: { shutdown_timeout: 4 },
      'main.service': { ...main, startup_pause: 0.05, exit_kills: true },
      'other.service': obey('other stops'),
    });
    await system.waitForLine(runs);
    await untilSaid(system, 'obeying TERM', ['other']);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(status);
  });
});

describe('a system without a main program', () => {
  it.each<[string, Sections]>([
    ['whose services obey', { 'a.service': obey('stops', { command: "$(FIXTURES)/obey TERM 'stops' 5" }) }],
    ['whose services have no handler', { 'a.service': stay }],
    ['whose services have to be killed', { 'a.service': { ...stay, command: '$(FIXTURES)/stubborn' } }],
  ])('%s ends with 0 after SIGTERM', async (_title, sections) => {
    const system = await up({ settings: { shutdown_timeout: 1 }, ...sections });
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });
});

describe.runIf(isRoot)('a shutdown that a command asked for', () => {
  it.each<[string, readonly string[]]>([
    ['of services alone', []],
    ['of services and a command', ['sh', '-c', 'echo runs; exec sleep infinity']],
  ])('%s ends with 0', async (_title, args) => {
    const system = await up({ settings: { idle_delay: 0.05 }, 'a.service': obey('a stops') }, { args });
    if (args.length > 0) await system.waitForLine(/^runs$/);
    await untilSaid(system, 'obeying TERM', ['a']);
    expect(await telchap(system, 'shutdown', 'now')).toMatchObject({ status: 0 });
    expect(await system.exit).toBe(0);
    expectOrder(system.lines(), [/a stops/]);
  });

  it('does not end with 0 where a service had failed', async () => {
    const system = await up({ 'w.service': ordered('w'), 'stay.service': stay });
    await order(system, 'w', '3');
    await system.waitForLine(/w\.service terminated abnormally/);
    await telchap(system, 'shutdown', 'now');
    expect(await system.exit).not.toBe(0);
  });

  it('ends with 0 where one had failed whose failures are ignored', async () => {
    const system = await up({ 'w.service': ordered('w', { ignore_failures: true }), 'stay.service': stay });
    await order(system, 'w', '3');
    await system.waitForLine(/w\.service terminated abnormally/);
    await telchap(system, 'shutdown', 'now');
    expect(await system.exit).toBe(0);
  });
});

describe('the end of everything by itself, after a service has failed', () => {
  it.each([
    ['3', 3, /exit 3|exit_status=3/],
    ['KILL', 137, /SIGKILL|signal=9/],
  ])('(%s) has its status, and says which that was', async (what, status, end) => {
    const system = await up({ 'w.service': ordered('w') });
    await order(system, 'w', what);
    expect(await system.exit).toBe(status);
    expectExplained(system, 'w', end);
  });

  it('has the status of the last one to fail', async () => {
    const system = await up({ 'a.service': ordered('a'), 'b.service': ordered('b'), 'c.service': ordered('c') });
    await order(system, 'a', '3');
    await system.waitForLine(/a\.service terminated abnormally/);
    await order(system, 'b', '4');
    await system.waitForLine(/b\.service terminated abnormally/);
    await order(system, 'c', '0');
    expect(await system.exit).toBe(4);
    expectExplained(system, 'b', /exit 4|exit_status=4/);
  });

  it('has 0 where the failures of that one are ignored', async () => {
    const system = await up({ 'w.service': ordered('w', { ignore_failures: true }) });
    await order(system, 'w', '3');
    expect(await system.exit).toBe(0);
  });

  it('has the status of one that counts, though one that does not failed later', async () => {
    const system = await up({ 'a.service': ordered('a'), 'b.service': ordered('b', { ignore_failures: true }) });
    await order(system, 'a', '3');
    await system.waitForLine(/a\.service terminated abnormally/);
    await order(system, 'b', '4');
    expect(await system.exit).toBe(3);
    expectExplained(system, 'a', /exit 3|exit_status=3/);
  });

  it('has 0 where it was started again, and ended normally then', async () => {
    const system = await up({ 'w.service': ordered('w', { restart: true, restart_delay: 0.05 }) });
    await order(system, 'w', '3');
    await nthNumber(system, awaits('w'), 2);
    put(system, 'w', '0');
    expect(await system.exit).toBe(0);
  });

  it('tells how often it was started again in vain', async () => {
    const system = begin({
      'w.service': {
        command: `$(FIXTURES)/crash ${here}/starts 99 0.1`,
        startup_pause: 0.02,
        restart: true,
        restart_delay: 0.05,
        restart_limit: 2,
      },
      'all.logging': { ...logAll['all.logging'], extended: true },
    });
    expect(await system.exit).toBe(1);
    expect(count(system, /\.err(or)? .*w\.service.*gave up after 2 restarts in [\d.]+/)).toBe(1);
    expectExplained(system, 'w', /exit 1|exit_status=1/);
  });
});

describe('restart_limit that is used up while others run', () => {
  it('is an error line, and the system goes on', async () => {
    const system = await up({
      'w.service': ordered('w', { restart: true, restart_delay: 0.05, restart_limit: 1 }),
      'stay.service': stay,
    });
    await order(system, 'w', '3');
    await nthNumber(system, awaits('w'), 2);
    put(system, 'w', 'SEGV');
    await system.waitForLine(/w\.service.*gave up after 1 restarts? in [\d.]+/);
    await settle(system);
    await untilProcesses(system, ['sleep']);
  });
});

describe('on_failure: shutdown', () => {
  const beside: Sections = {
    'base.service': obey('base stops'),
    'other.service': obey('other stops', { after: 'base.service' }),
  };
  const stopped = [/other\[\d+\]: other stops/, /base\[\d+\]: base stops/, /Final termination phase/];

  it.each([
    ['3', 3, /exit 3|exit_status=3/],
    ['KILL', 137, /SIGKILL|signal=9/],
    ['SEGV', 139, /SIGSEGV|signal=11/],
  ])('(%s) ends the container with the status of the service, and stops others in order', async (what, status, end) => {
    const system = await up({
      ...beside,
      'w.service': ordered('w', { on_failure: 'shutdown', after: 'base.service' }),
    });
    await untilSaid(system, 'obeying TERM', ['base', 'other']);
    await order(system, 'w', what);
    expect(await system.exit).toBe(status);
    expectOrder(system.lines('stdout'), stopped);
    expectExplained(system, 'w', end);
  });

  it('waits until the restarts are used up', async () => {
    const again = { restart: true, restart_delay: 0.05, restart_limit: 1 };
    const system = await up({ ...beside, 'w.service': ordered('w', { on_failure: 'shutdown', ...again }) });
    await untilSaid(system, 'obeying TERM', ['base', 'other']);
    await order(system, 'w', '3');
    await nthNumber(system, awaits('w'), 2);
    put(system, 'w', '4');
    expect(await system.exit).toBe(4);
    expectOrder(system.lines('stdout'), [/gave up after 1 restarts? in/]);
    expectOrder(system.lines('stdout'), stopped);
  });

  it('is nothing to a normal end', async () => {
    const system = await up({ ...beside, 'w.service': ordered('w', { on_failure: 'shutdown' }) });
    await untilSaid(system, 'obeying TERM', ['base', 'other']);
    await order(system, 'w', '0');
    await system.waitForLine(/w\.service exit status for pid=\d+ is '<ProcStatus exit_status=0>'/);
    await settle(system);
    expect(count(system, /(base|other)\[\d+\]: (base|other) stops/)).toBe(0);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it.each<[string, Readonly<Record<string, unknown>>, number]>([
    ['a oneshot', { type: 'oneshot', command: "sh -c 'exit 3'" }, 3],
    ['a oneshot that is killed', { type: 'oneshot', command: "sh -c 'kill -KILL $$'" }, 137],
    ['a simple service', { command: "sh -c 'exit 4'", startup_pause: 20 }, 4],
    ['a notify service', { type: 'notify', command: "sh -c 'exit 5'" }, 5],
    ['a start that times out', { type: 'oneshot', command: 'sleep infinity', process_timeout: 0.2 }, 1],
  ])('gives the status of %s that fails at boot', async (_title, service, status) => {
    const system = begin({
      'base.service': obey('base stops'),
      'w.service': { ...service, on_failure: 'shutdown', after: 'base.service' },
    });
    expect(await system.exit).toBe(status);
    expectOrder(system.lines('stderr'), [/^chaperone: .*w\.service/]);
    expect(system.lines('stderr').join('\n')).not.toMatch(/mistake in the configuration/);
  });

  it('leaves the system up where a restart by hand fails: that is told to the caller', async () => {
    const brief = { type: 'oneshot', command: `sh -c 'test ! -e ${here}/broken'`, remain_after_exit: true };
    const system = await up({ 'w.service': { ...brief, on_failure: 'shutdown' }, 'stay.service': stay });
    put(system, 'broken', '');
    expect(await ctl(system, 'restart', '--wait', 'w')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/w/),
    });
    await settle(system);
    expect(system.processes().map(({ name }) => name)).toContain('sleep');
  });

  it('counts for more than ignore_failures of the settings, which is a default', async () => {
    const system = begin({
      settings: { ignore_failures: true },
      'w.service': { type: 'oneshot', command: "sh -c 'exit 6'", on_failure: 'shutdown' },
      'stay.service': stay,
    });
    expect(await system.exit).toBe(6);
  });

  it('is a mistake beside ignore_failures of the service', async () => {
    const system = begin({ 'w.service': { ...stay, on_failure: 'shutdown', ignore_failures: true } });
    expect(await system.exit).toBe(1);
    const text = system.lines('stderr').join('\n');
    expect(text).toMatch(/mistake in the configuration, nothing was started/);
    expect(text).toMatch(/on_failure/);
    expect(text).toMatch(/ignore_failures/);
    expect(text).not.toMatch(/unknown key/);
  });

  it('takes no other word than it knows', async () => {
    const system = begin({ 'w.service': { ...stay, on_failure: 'explode' } });
    expect(await system.exit).toBe(1);
    const text = system.lines('stderr').join('\n');
    expect(text).toMatch(/on_failure/);
    expect(text).toMatch(/shutdown/);
    expect(text).not.toMatch(/unknown key/);
  });
});

describe.runIf(isRoot)('a normal end', () => {
  const ended = /w\.service ended normally/;
  const info = { 'all.logging': { selector: '*.info', stdout: true } };
  const next = { type: 'oneshot', command: 'echo next ran', after: 'w.service' };

  async function upInfo(w: Readonly<Record<string, unknown>>): Promise<Booted> {
    const system = await up({ ...info, 'w.service': w, 'next.service': next, 'stay.service': stay });
    await order(system, 'w', '0');
    return system;
  }

  it('is one line of its own, which tells pid, status and how long it ran', async () => {
    const system = await upInfo(ordered('w'));
    const pid = await nthNumber(system, awaits('w'), 1);
    await system.waitForLine(ended);
    await settle(system);
    const lines = system.lines('stdout').filter((line) => ended.test(line));
    expect(lines).toHaveLength(1);
    const [, told = ''] = lines[0]?.split(ended) ?? [];
    expect(told).toMatch(new RegExp(`\\b${pid}\\b`));
    expect(told).toMatch(/exit 0/);
    expect(told).toMatch(/\b\d+(\.\d+)? ?(ms|s|m|min)\b/);
    expect(count(system, /w\.service (terminated|exit status)/)).toBe(0);
  });

  it('is the same within startup_pause', async () => {
    const w = ordered('w', { startup_pause: 600 });
    const system = begin({ ...info, 'w.service': w, 'next.service': next, 'stay.service': stay });
    await order(system, 'w', '0');
    await system.waitForLine(ended);
    await system.waitForLine(/next\[\d+\]: next ran/);
  });

  it('is no line for a service that is stopped, nor for a oneshot', async () => {
    const system = await up({
      ...info,
      'w.service': obey('stops'),
      'o.service': { type: 'oneshot', command: 'true' },
      'stay.service': stay,
    });
    await untilSaid(system, 'obeying TERM', ['w']);
    expect(await telchap(system, 'stop', '--wait', 'w')).toMatchObject({ status: 0 });
    await settle(system);
    expect(count(system, /ended normally/)).toBe(0);
  });

  const types: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
    ['simple', ordered('w')],
    [
      'notify',
      {
        type: 'notify',
        command: `sh -c '$(FIXTURES)/notify.py READY=1 exit 0; exec $(FIXTURES)/take-order ${here}/w'`,
        startup_pause: 0.05,
      },
    ],
    [
      'forking',
      {
        type: 'forking',
        command: `$(FIXTURES)/daemonize ${here}/w.pid $(FIXTURES)/take-order ${here}/w`,
        pidfile: `${here}/w.pid`,
      },
    ],
  ];

  it.each(types)('of a %s service is its state: it is not ready, and the system is', async (_type, w) => {
    const system = await upInfo(w);
    await system.waitForLine(ended);
    await untilState(system, 'w', 'exited');
    expect((await ctl(system, 'status', 'w')).stdout).toMatch(/^w\.service {2}exited/);
    expect((await ctl(system, 'status')).stdout).toMatch(/^w\s.*exited/m);
    expect((await ctl(system, 'is-ready', 'w')).status).not.toBe(0);
    expect((await ctl(system, 'is-ready')).status).toBe(0);
    expect((await ctl(system, 'is-ready', 'stay')).status).toBe(0);
  });

  it.each(types)('of a %s service counts as up with remain_after_exit', async (_type, w) => {
    const system = await upInfo({ ...w, remain_after_exit: true });
    await system.waitForLine(ended);
    expect((await ctl(system, 'is-ready', 'w')).status).toBe(0);
    expect((await ctl(system, 'is-ready')).status).toBe(0);
  });

  it('of a oneshot is what it is there for', async () => {
    const system = await up({ ...info, 'o.service': { type: 'oneshot', command: 'true' }, 'stay.service': stay });
    await untilState(system, 'o', 'ready');
    expect((await ctl(system, 'is-ready', 'o')).status).toBe(0);
  });

  it('of what is to be restarted after a failure restarts nothing, and a kill does', async () => {
    const system = await up({
      'w.service': ordered('w', { restart: true, restart_delay: 0.05 }),
      'stay.service': stay,
    });
    signalInner(system, await nthNumber(system, awaits('w'), 1), 'SIGKILL');
    await nthNumber(system, awaits('w'), 2);
    put(system, 'w', '0');
    await system.waitForLine(ended);
    await untilState(system, 'w', 'exited');
    await settle(system);
    expect(count(system, awaits('w'))).toBe(2);
  });
});
