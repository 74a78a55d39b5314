import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { describe, expect, it } from 'vitest';
import { count, lives, nthNumber, put, settle, signalInner, telchap, untilCount, untilState, up } from './by-hand.ts';
import { type Booted, expectOrder, here, isRoot, logAll, untilFile } from './namespace.ts';

/** A limit far beyond the time of any test, s, so that no end comes by time-out. */
const settings = { shutdown_timeout: 600 };
const withPriorities = { 'all.logging': { ...logAll['all.logging'], extended: true } };

/** A service that prints its pid and writes it into a file. */
const web = {
  command: `sh -c 'echo $$ > ${here}/web.new; mv ${here}/web.new ${here}/web.pid; echo up as $$; exec sleep infinity'`,
  startup_pause: 0.1,
  restart: true,
  restart_delay: 0.1,
};
/** A service that prints the pid in that file, which is not its own. */
const gate = {
  type: 'notify',
  command: `sh -c 'read pid < ${here}/web.pid; exec $(FIXTURES)/notify.py READY=1,MAINPID=$pid say said'`,
  startup_pause: 0,
  process_timeout: 20,
  after: 'web.service',
};
const webUp = /web\[\d+\]: up as (\d+)$/;

const endsInOrder = async (system: Booted): Promise<void> => {
  system.signal('SIGTERM');
  expect(await system.exit).toBe(0);
  const lines = system.lines('stdout');
  const ending = lines.slice(lines.findIndex((line) => /Request made to kill system/.test(line)));
  expect(ending.join('\n')).not.toMatch(/SIGKILL|Some processes remain|survives/);
};

describe.runIf(isRoot)('a notify service that names the process of another service', () => {
  async function upBoth(): Promise<{ readonly system: Booted; readonly pid: number }> {
    const system = await up({ settings, ...withPriorities, 'web.service': web, 'gate.service': gate });
    await system.waitForLine(/gate\[\d+\]: said/);
    return { system, pid: await nthNumber(system, webUp, 1) };
  }

  it('does not get it: a warning names both, and the end of the process is that of its owner', async () => {
    const { system, pid } = await upBoth();
    await system.waitForLine(new RegExp(`\\.warn(ing)? .*gate\\.service .*\\b${pid}\\b.*web\\.service`));
    signalInner(system, pid, 'SIGKILL');
    await system.waitForLine(/web\.service restart succeeded/);
    await untilState(system, 'gate', 'ready');
    await settle(system);
    expectOrder(system.lines(), [
      new RegExp(`web\\.service exit status for pid=${pid} is '<ProcStatus signal=9>'`),
      /web\.service terminated abnormally with <ProcStatus signal=9>/,
      /web\.service pausing between restart retries/,
      webUp,
    ]);
    expect(count(system, /gate\.service (changing PID|terminated|exit status|pausing)/)).toBe(0);
    await endsInOrder(system);
  });

  it('is stopped without it', async () => {
    const { system, pid } = await upBoth();
    expect(await telchap(system, 'stop', '--wait', 'gate')).toMatchObject({ status: 0 });
    await system.waitForLine(/gate\[\d+\]: terminated/);
    await settle(system);
    expect(lives(system, pid)).toBe(true);
    expect(count(system, /web\.service exit status/)).toBe(0);
    await endsInOrder(system);
  });

  it('may be in both: each names that of the other', async () => {
    const names = (own: string, other: string) => ({
      ...gate,
      after: '',
      command: `sh -c 'echo up as $$; echo $$ > ${here}/${own}.new; mv ${here}/${own}.new ${here}/${own}.pid; until test -e ${here}/${other}.pid; do sleep 0.02; done; read pid < ${here}/${other}.pid; exec $(FIXTURES)/notify.py READY=1,MAINPID=$pid say said'`,
    });
    const system = await up({ settings, 'a.service': names('a', 'b'), 'b.service': names('b', 'a') });
    const [a, b] = [
      await nthNumber(system, /a\[\d+\]: up as (\d+)/, 1),
      await nthNumber(system, /b\[\d+\]: up as (\d+)/, 1),
    ];
    await system.waitForLine(new RegExp(`a\\.service .*\\b${b}\\b.*b\\.service`));
    await system.waitForLine(new RegExp(`b\\.service .*\\b${a}\\b.*a\\.service`));
    expect(count(system, /changing PID/)).toBe(0);
    await endsInOrder(system);
    for (const [name, pid] of [
      ['a', a],
      ['b', b],
    ] as const) {
      expectOrder(system.lines(), [new RegExp(`${name}\\.service exit status for pid=${pid} `)]);
    }
  });
});

describe.runIf(isRoot)('two services with one pidfile', () => {
  const pidfile = `${here}/job.pid`;
  const first = {
    type: 'forking',
    command: `$(FIXTURES)/daemonize ${pidfile} $(FIXTURES)/take-order ${here}/order`,
    pidfile,
    restart: true,
    restart_delay: 0.1,
  };
  const followed = /a\.service changing PID to (\d+)/;
  /** A service that writes the pid in the file anew. */
  const second = {
    type: 'forking',
    command: `sh -c 'cp ${pidfile} ${here}/copy; mv ${here}/copy ${pidfile}'`,
    pidfile,
    process_timeout: 1,
    ignore_failures: true,
    after: 'a.service',
  };

  it('are told so, by their names, and the first one owns the process', async () => {
    const system = await up({ settings, ...withPriorities, 'a.service': first, 'b.service': second });
    const pid = await nthNumber(system, followed, 1);
    await system.waitForLine(new RegExp(`\\.warn(ing)? .*b\\.service .*\\b${pid}\\b.*a\\.service`));
    await untilState(system, 'b', 'failed');
    expect(lives(system, pid)).toBe(true);
    put(system, 'order', '3');
    await system.waitForLine(/a\.service restart succeeded/);
    expectOrder(system.lines(), [
      new RegExp(`a\\.service exit status for pid=${pid} is '<ProcStatus exit_status=3>'`),
      /a\.service terminated abnormally with <ProcStatus exit_status=3>/,
      followed,
    ]);
    expect(count(system, /b\.service (changing PID|terminated|pausing)/)).toBe(0);
    await endsInOrder(system);
  });

  it('do not end each other: the failed start of one leaves the process and the file to the other', async () => {
    const system = await up({
      settings,
      'a.service': first,
      'b.service': { ...second, process_timeout: 0.3 },
      'stay.service': { command: 'sleep infinity', startup_pause: 0.1 },
    });
    const pid = await nthNumber(system, followed, 1);
    await untilState(system, 'b', 'failed');
    await settle(system);
    expect(lives(system, pid)).toBe(true);
    expect(count(system, /a\.service exit status for pid=\d+ is '<ProcStatus signal/)).toBe(0);
    expect(Number(readFileSync(system.path('job.pid'), 'utf8'))).toBe(pid);
    expect(await telchap(system, 'stop', '--wait', 'a')).toMatchObject({ status: 0 });
    expect(existsSync(system.path('job.pid'))).toBe(false);
    await endsInOrder(system);
  });

  it('may both be simple ones', async () => {
    const simple = { type: 'simple', pidfile, startup_pause: 0.1, process_timeout: 20 };
    const system = await up({
      settings,
      'a.service': { ...simple, command: `sh -c 'echo $$ > ${pidfile}; echo up as $$; exec sleep infinity'` },
      'b.service': {
        ...simple,
        command: `sh -c 'cp ${pidfile} ${here}/copy; mv ${here}/copy ${pidfile}; exec sleep infinity'`,
        process_timeout: 1,
        ignore_failures: true,
        after: 'a.service',
      },
    });
    const pid = await nthNumber(system, /a\[\d+\]: up as (\d+)/, 1);
    await system.waitForLine(new RegExp(`b\\.service .*\\b${pid}\\b.*a\\.service`));
    await untilState(system, 'b', 'failed');
    expect(lives(system, pid)).toBe(true);
    signalInner(system, pid, 'SIGKILL');
    await system.waitForLine(/a\.service terminated abnormally with <ProcStatus signal=9>/);
  });
});

/** From this version on, PIDFD_GET_INFO tells the exit status of a process that is not the caller's child. */
const [major = 0, minor = 0] = release().split('.').map(Number);
const tellsStatus = major > 6 || (major === 6 && minor >= 15);

describe.runIf(isRoot)('a daemon that is the child of its wrapper', () => {
  const pidfile = `${here}/job.pid`;
  const wrapped = (more: Readonly<Record<string, unknown>> = {}) => ({
    command: `$(FIXTURES)/wrap ${pidfile} $(FIXTURES)/take-order ${here}/order`,
    pidfile,
    startup_pause: 0.1,
    process_timeout: 20,
    restart: true,
    restart_delay: 0.1,
    ...more,
  });
  const orders = /job\[\d+\]: awaits an order as (\d+)/;

  async function upWrapped(more: Readonly<Record<string, unknown>> = {}): Promise<{ system: Booted; pid: number }> {
    const system = await up({
      settings,
      'job.service': wrapped(more),
      'stay.service': { command: 'sleep infinity', startup_pause: 0.1 },
    });
    const pid = await nthNumber(system, orders, 1);
    await system.waitForLine(new RegExp(`job\\.service changing PID to ${pid} `));
    return { system, pid };
  }

  it.runIf(tellsStatus)('is known to have been killed where it was, and is started again', async () => {
    const { system, pid } = await upWrapped();
    signalInner(system, pid, 'SIGKILL');
    await system.waitForLine(/job\.service restart succeeded/);
    expectOrder(system.lines(), [
      new RegExp(`job\\.service exit status for pid=${pid} is '<ProcStatus signal=9>'`),
      /job\.service terminated abnormally with <ProcStatus signal=9>/,
      /job\.service pausing between restart retries \(4 left\)/,
      orders,
    ]);
    expect(count(system, new RegExp(`pid=${pid} is '<ProcStatus exit_status=0>'`))).toBe(0);
    await endsInOrder(system);
  });

  it.runIf(tellsStatus).each([
    { order: '3', status: 'exit_status=3' },
    { order: 'SEGV', status: 'signal=11' },
  ])('is known to have ended with $status', async ({ order, status }) => {
    const { system, pid } = await upWrapped();
    put(system, 'order', order);
    await system.waitForLine(/job\.service restart succeeded/);
    expectOrder(system.lines(), [
      new RegExp(`job\\.service exit status for pid=${pid} is '<ProcStatus ${status}>'`),
      new RegExp(`job\\.service terminated abnormally with <ProcStatus ${status}>`),
      orders,
    ]);
    await endsInOrder(system);
  });

  it.runIf(tellsStatus)('is known to have ended normally, which restarts nothing', async () => {
    const { system, pid } = await upWrapped();
    put(system, 'order', '0');
    await system.waitForLine(new RegExp(`job\\.service exit status for pid=${pid} is '<ProcStatus exit_status=0>'`));
    await untilState(system, 'job', 'exited');
    await settle(system);
    expect(count(system, /job\.service (terminated|pausing)/)).toBe(0);
    await endsInOrder(system);
  });

  it.runIf(tellsStatus)('decides what exit_kills ends the system with', async () => {
    const { system } = await upWrapped({ exit_kills: true, restart: false });
    put(system, 'order', '7');
    expect(await system.exit).toBe(7);
  });

  it('is ended by a stop, and its wrapper with it', async () => {
    const { system, pid } = await upWrapped();
    const wrapper = await untilFile(system.path('job.pid')).then(() =>
      system.processes().find(({ name }) => name === 'wrap'),
    );
    expect(await telchap(system, 'stop', '--wait', 'job')).toMatchObject({ status: 0 });
    expect([lives(system, pid), lives(system, wrapper?.innerPid ?? 0)]).toEqual([false, false]);
    expect(count(system, /job\.service (terminated|pausing)/)).toBe(0);
    await endsInOrder(system);
  });

  it.runIf(tellsStatus)('whose wrapper stays is started again once that has gone', async () => {
    const { system, pid } = await upWrapped({
      command: `sh -c 'echo wraps as $$; $(FIXTURES)/take-order ${here}/order & echo $! > ${pidfile}; wait; exec sleep infinity'`,
    });
    const wrapper = await nthNumber(system, /job\[\d+\]: wraps as (\d+)/, 1);
    signalInner(system, pid, 'SIGKILL');
    await untilCount(system, orders, 2);
    expect(lives(system, wrapper)).toBe(false);
    await system.waitForLine(/job\.service restart succeeded/);
    await endsInOrder(system);
  });
});
