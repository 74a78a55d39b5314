import { describe, expect, it } from 'vitest';
import {
  begin,
  count,
  ctl,
  edit,
  lives,
  nthNumber,
  put,
  type Sections,
  settle,
  signalInner,
  telchap,
  untilCount,
  untilGone,
  untilState,
  up,
} from './by-hand.ts';
import { type Booted, everySecond, expectOrder, here, isRoot } from './namespace.ts';

const leads = /w\[\d+\]: leads (\d+)$/;
const taken = /the lock is taken/;
const killed = /(?=.*w\.service)(?=.*SIGKILL)/;

/** A leader whose worker ignores SIGTERM, and holds a lock as a server holds its port. */
const led = (more: Readonly<Record<string, unknown>> = {}) => ({
  command: `$(FIXTURES)/lead ${here}/lock ${here}/order`,
  startup_pause: 0.05,
  restart: true,
  restart_delay: 0.1,
  ...more,
});

/** A short limit, s, because processes here ignore SIGTERM. */
const settings = { shutdown_timeout: 2 };
const watcher = { command: `$(FIXTURES)/watch-lock ${here}/lock`, startup_pause: 0.05 };

interface Led {
  readonly system: Booted;
  /** The worker's pid in its own namespace. */
  readonly worker: number;
}

/** Boots a leader, with these sections beside it, and waits until the leader reads orders. */
async function upLed(sections: Sections = {}): Promise<Led> {
  const system = await up({ settings, 'w.service': led(), ...sections });
  await untilOrdered(system, 1);
  return { system, worker: await nthNumber(system, leads, 1) };
}

function untilOrdered(system: Booted, runs: number): Promise<true> {
  return untilCount(system, /w\[\d+\]: awaits an order/, runs);
}

/** The pid of the second run's worker, once it is there; the first worker is gone by then. */
async function untilLedAnew({ system, worker }: Led): Promise<number> {
  const second = await nthNumber(system, leads, 2);
  expect(lives(system, worker)).toBe(false);
  expect(count(system, taken)).toBe(0);
  expect(second).not.toBe(worker);
  return second;
}

function expectToldOf({ system, worker }: Led): void {
  expect(count(system, killed)).toBeGreaterThanOrEqual(1);
  expect(count(system, new RegExp(`unknown pid: ${worker} `))).toBe(0);
}

describe('a leader that ends abnormally before its group', () => {
  it.each(['SEGV', 'ABRT', '3'])('(by %s) is started again once its worker has gone', async (order) => {
    const one = await upLed();
    put(one.system, 'order', order);
    await untilLedAnew(one);
    expectToldOf(one);
    expectOrder(one.system.lines(), [leads, /w\.service exit status for pid=/, killed, leads]);
    expect(count(one.system, /pausing between restart retries/)).toBe(1);
  });

  it('and is not to be started again has its worker ended, and is failed then', async () => {
    const { system, worker } = await upLed({ 'w.service': led({ restart: false }), 'stay.service': watcher });
    put(system, 'order', 'SEGV');
    await system.waitForLine(killed);
    await untilGone(system, worker);
    expect(count(system, new RegExp(`unknown pid: ${worker} `))).toBe(0);
  });

  it('leaves a worker to be ended at a shutdown meanwhile, before a prerequisite is', async () => {
    const { system, worker } = await upLed({
      settings: { shutdown_timeout: 4 },
      'base.service': watcher,
      'w.service': led({ after: 'base.service' }),
    });
    put(system, 'order', 'SEGV');
    await system.waitForLine(/w\.service exit status for pid=\d+ is '<ProcStatus signal=11>'/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines(), [killed, /base\[\d+\]: the lock is free/]);
    expect(count(system, new RegExp(`unknown pid: ${worker} `))).toBe(0);
  });

  it('keeps its worker with kill_mode process', async () => {
    const { system, worker } = await upLed({ 'w.service': led({ kill_mode: 'process', restart_limit: 1 }) });
    put(system, 'order', 'SEGV');
    await system.waitForLine(taken);
    expect(lives(system, worker)).toBe(true);
    expect(count(system, killed)).toBe(0);
  });
});

describe.runIf(isRoot)('a leader that ends with 0 at SIGTERM before its group', () => {
  it('is stopped, for who waits, only when its worker has gone', async () => {
    const one = await upLed({ 'stay.service': watcher });
    expect(await telchap(one.system, 'stop', '--wait', 'w')).toMatchObject({
      status: 0,
      stdout: 'services stopped.\n',
    });
    expect(lives(one.system, one.worker)).toBe(false);
    expectToldOf(one);
    expect(await telchap(one.system, 'start', '--wait', 'w')).toMatchObject({ status: 0 });
    await untilLedAnew(one);
  });

  it('is restarted, for who waits, only when its worker has gone', async () => {
    const one = await upLed();
    expect(await ctl(one.system, 'restart', '--wait', 'w')).toMatchObject({ status: 0 });
    expect(lives(one.system, one.worker)).toBe(false);
    await untilLedAnew(one);
    expectToldOf(one);
  });

  it('is restarted by a reload only when its worker has gone', async () => {
    const one = await upLed();
    edit(one.system, { settings, 'w.service': led({ env_set: { VERSION: '2' } }) });
    expect((await ctl(one.system, 'reload')).stdout).toMatch(/^restart +w\.service/m);
    await untilLedAnew(one);
    expectToldOf(one);
    expectOrder(one.system.lines(), [leads, killed, /w\.service attempting start/, leads]);
  });

  it('and that a reload takes out is removed only when its worker has gone', async () => {
    const { system, worker } = await upLed({ 'stay.service': watcher });
    edit(system, { settings, 'stay.service': watcher });
    expect((await ctl(system, 'reload')).stdout).toMatch(/^stop +w\.service/m);
    await system.waitForLine(/service w\.service removed/);
    expect(lives(system, worker)).toBe(false);
    expect(count(system, killed)).toBeGreaterThanOrEqual(1);
  });

  it('is stopped twice, and started in between, without two at once', async () => {
    const one = await upLed({ 'stay.service': watcher });
    expect(await telchap(one.system, 'stop', 'w')).toMatchObject({ status: 0 });
    expect(await telchap(one.system, 'start', 'w')).toMatchObject({ status: 0 });
    await untilLedAnew(one);
    await untilOrdered(one.system, 2);
    expect(await telchap(one.system, 'stop', '--wait', 'w')).toMatchObject({ status: 0 });
    expect(lives(one.system, await nthNumber(one.system, leads, 2))).toBe(false);
  });
});

describe('at a shutdown', () => {
  it('a prerequisite gets its SIGTERM only when the worker of its dependent has gone', async () => {
    const one = await upLed({
      settings: { shutdown_timeout: 4 },
      'base.service': watcher,
      'w.service': led({ after: 'base.service' }),
    });
    await one.system.waitForLine(/base\[\d+\]: watches the lock/);
    one.system.signal('SIGTERM');
    expect(await one.system.exit).toBe(0);
    expectToldOf(one);
    expectOrder(one.system.lines(), [/Request made to kill system/, killed, /base\[\d+\]: the lock is free/]);
  });

  it('a prerequisite of a prerequisite does, too, and still ends by its own signal', async () => {
    const { system } = await upLed({
      settings: { shutdown_timeout: 6 },
      'store.service': { command: "$(FIXTURES)/obey USR1 'store saves'", kill_signal: 'USR1', startup_pause: 0.05 },
      'base.service': { ...watcher, after: 'store.service' },
      'w.service': led({ after: 'base.service' }),
    });
    await system.waitForLine(/store\[\d+\]: obeying USR1/);
    await system.waitForLine(/base\[\d+\]: watches the lock/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines(), [killed, /base\[\d+\]: the lock is free/, /store\[\d+\]: store saves/]);
  });

  it('a prerequisite does not wait for what kill_mode process leaves alone', async () => {
    const { system } = await upLed({
      settings: { shutdown_timeout: 4 },
      'base.service': watcher,
      'w.service': led({ after: 'base.service', kill_mode: 'process' }),
    });
    await system.waitForLine(/base\[\d+\]: watches the lock/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines(), [/base\[\d+\]: the lock is held/, /Final termination phase/]);
  });
});

describe.runIf(isRoot)('a leader that has ended normally by itself', () => {
  /** Boots a leader with a dependent, and lets the leader end. */
  async function upEnded(): Promise<Led & { readonly dependent: number }> {
    const one = await upLed({
      'd.service': {
        command: "sh -c 'echo depends as $$; exec sleep infinity'",
        startup_pause: 0.05,
        after: 'w.service',
      },
    });
    const dependent = await nthNumber(one.system, /d\[\d+\]: depends as (\d+)/, 1);
    put(one.system, 'order', '0');
    await one.system.waitForLine(/w\.service exit status for pid=\d+ is '<ProcStatus exit_status=0>'/);
    return { ...one, dependent };
  }

  it('leaves its worker to live on, and its dependents up', async () => {
    const { system, worker, dependent } = await upEnded();
    await untilState(system, 'w', 'exited');
    await untilState(system, 'd', 'ready');
    await settle(system);
    expect([lives(system, worker), lives(system, dependent)]).toEqual([true, true]);
    expect(count(system, killed)).toBe(0);
  });

  it('has its worker ended by a stop', async () => {
    const one = await upEnded();
    expect(await telchap(one.system, 'stop', '--wait', 'w')).toMatchObject({
      status: 0,
      stdout: 'services stopped.\n',
    });
    expect([lives(one.system, one.worker), lives(one.system, one.dependent)]).toEqual([false, true]);
    expectToldOf(one);
  });

  it.each<[string, (system: Booted) => Promise<{ readonly status: number }>]>([
    ['start', (system) => telchap(system, 'start', '--wait', 'w')],
    ['restart', (system) => ctl(system, 'restart', '--wait', 'w')],
  ])('has its worker ended by a %s before it runs again', async (_verb, command) => {
    const one = await upEnded();
    expect(await command(one.system)).toMatchObject({ status: 0 });
    await untilLedAnew(one);
    expectToldOf(one);
  });

  it('has its worker ended at a shutdown before a prerequisite is', async () => {
    const { system } = await upLed({
      settings: { shutdown_timeout: 4 },
      'base.service': watcher,
      'w.service': led({ after: 'base.service' }),
    });
    await system.waitForLine(/base\[\d+\]: watches the lock/);
    put(system, 'order', '0');
    await system.waitForLine(/w\.service exit status for pid=\d+ is '<ProcStatus exit_status=0>'/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines(), [killed, /base\[\d+\]: the lock is free/]);
  });
});

describe('a oneshot that leaves a process behind', () => {
  const oneshot = { type: 'oneshot', command: "sh -c 'sleep infinity & echo left $!'" };
  const left = /o\[\d+\]: left (\d+)$/;

  it('is ready with its exit, and the process lives', async () => {
    const system = await up({
      'o.service': oneshot,
      'next.service': { type: 'oneshot', command: 'echo next ran', after: 'o.service' },
    });
    await system.waitForLine(/next\[\d+\]: next ran/);
    const process = await nthNumber(system, left, 1);
    await settle(system);
    expect(lives(system, process)).toBe(true);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('has it ended before its own prerequisite at a shutdown', async () => {
    const system = await up({
      'base.service': { ...watcher },
      'o.service': {
        type: 'oneshot',
        command: `sh -c 'exec 9>${here}/lock; flock 9; sleep infinity & echo left $!'`,
        after: 'base.service',
      },
    });
    await system.waitForLine(/base\[\d+\]: watches the lock/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines(), [/base\[\d+\]: the lock is free/]);
  });

  it('and fails has it ended', async () => {
    const system = begin({
      'o.service': { type: 'oneshot', command: "sh -c 'sleep infinity & echo left $!; exit 3'", ignore_failures: true },
      'stay.service': watcher,
    });
    const process = await nthNumber(system, left, 1);
    await untilGone(system, process);
    expect(count(system, new RegExp(`unknown pid: ${process} `))).toBe(0);
  });
});

describe.runIf(isRoot)('a cron service whose job leaves a process behind', () => {
  const left = /c\[\d+\]: left (\d+)$/;
  const cron = { type: 'cron', interval: everySecond, command: "sh -c 'sleep infinity & echo left $!'" };

  it('runs again at the next tick, and the process lives until a stop', async () => {
    const system = await up({ 'c.service': cron, 'stay.service': watcher });
    const first = await nthNumber(system, left, 1);
    const second = await nthNumber(system, left, 2);
    expect([lives(system, first), lives(system, second)]).toEqual([true, true]);
    expect(count(system, /still running when next interval expired/)).toBe(0);
    expect(await telchap(system, 'stop', '--wait', 'c')).toMatchObject({ status: 0 });
    expect([lives(system, first), lives(system, second)]).toEqual([false, false]);
  });

  it('keeps the process over a failed run, too, with kill_mode process', async () => {
    const command = "sh -c 'sleep infinity & echo left $!; exit 3'";
    const system = await up({ 'c.service': { ...cron, command, kill_mode: 'process' } });
    const first = await nthNumber(system, left, 1);
    await nthNumber(system, left, 2);
    expect(lives(system, first)).toBe(true);
  });
});

it('a worker that was killed from outside is nothing to its leader', async () => {
  const { system, worker } = await upLed();
  signalInner(system, worker, 'SIGKILL');
  await untilGone(system, worker);
  await settle(system);
  expect(count(system, /w\.service (exit status|terminated|pausing)/)).toBe(0);
});
