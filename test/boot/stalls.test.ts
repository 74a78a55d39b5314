import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { begin, count, put, type Sections, settle, untilGone } from './by-hand.ts';
import { type Booted, expectOrder, here, until, untilFile } from './namespace.ts';

const pause = 0.4;
const complaints = /startup cancelled|system failed|failed on start-up|within 0\.4 s/;

/** A service whose first run ends by itself after this time, with that status; the next run stays. */
const brief = (seconds: number, status: number, more: Readonly<Record<string, unknown>> = {}) => ({
  command: `$(FIXTURES)/brief ${here}/first ${seconds} ${status}`,
  startup_pause: pause,
  restart: true,
  restart_delay: 0.1,
  restart_limit: 1,
  ...more,
});
const next = { type: 'oneshot', command: 'echo next ran', after: 'w.service' };

/** The lines that tell of the end of a process, in whatever words. */
const endOf = (pid: number | string): RegExp => new RegExp(`(exit status for pid=|from unknown pid: )${pid} `);

/** The pid in the file, as its own namespace sees it. */
const pidIn = async (system: Booted, file: string): Promise<number> => Number(await untilFile(system.path(file)));

/** Boots, and stops chaperone from the start of the first run until that run is dead. */
async function stalledWhile(sections: Sections): Promise<{ readonly system: Booted; readonly pid: number }> {
  const system = begin(sections);
  const pid = await pidIn(system, 'first');
  system.stall('SIGSTOP');
  await untilGone(system, pid);
  system.stall('SIGCONT');
  return { system, pid };
}

describe('a service that ends after startup_pause, while chaperone stands still', () => {
  it.each([
    [0.8, 1],
    [1.5, 3],
  ])('(after %d s) has ended after the pause: it is restarted, and the system boots', async (seconds, status) => {
    const { system, pid } = await stalledWhile({ 'w.service': brief(seconds, status), 'next.service': next });
    await system.waitForLine(/w\.service restart succeeded/);
    await system.waitForLine(/chaperone version \S+, ready\.$/);
    await system.waitForLine(/next\[\d+\]: next ran/);
    expectOrder(system.lines('stdout'), [
      new RegExp(`w\\.service exit status for pid=${pid} is '<ProcStatus exit_status=${status}>'`),
      /w\.service pausing between restart retries \(0 left\)/,
      /w\[\d+\]: stays/,
    ]);
    expect(count(system, complaints)).toBe(0);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expect(system.lines('stderr')).toEqual([]);
  });

  it('and is not to be restarted has failed as one that was ready, and the system goes on', async () => {
    const { system } = await stalledWhile({
      'w.service': brief(0.8, 1, { restart: false }),
      'next.service': next,
      'stay.service': { command: 'sleep infinity', startup_pause: 0.1 },
    });
    await system.waitForLine(/chaperone version \S+, ready\.$/);
    await system.waitForLine(/w\.service terminated abnormally with <ProcStatus exit_status=1>/);
    await settle(system);
    expect(count(system, complaints)).toBe(0);
  });

  it('with 0 has been started, and its dependents start', async () => {
    const { system } = await stalledWhile({ 'w.service': brief(1.5, 0), 'next.service': next });
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [/next\[\d+\]: next ran/]);
    expect(count(system, /w\.service pausing/)).toBe(0);
    expect(count(system, complaints)).toBe(0);
  });
});

describe('a service that has written its own pidfile and ends after startup_pause, while chaperone stands still', () => {
  const named = (seconds: number, status: number) =>
    brief(seconds, status, {
      command: `sh -c 'echo $$ > ${here}/w.pid; exec $(FIXTURES)/brief ${here}/first ${seconds} ${status}'`,
      pidfile: `${here}/w.pid`,
      process_timeout: 10,
    });

  it.each([
    [0.8, 1],
    [1.5, 3],
  ])('(after %d s) was ready by then: it is restarted, and the system boots', async (seconds, status) => {
    const { system, pid } = await stalledWhile({ 'w.service': named(seconds, status), 'next.service': next });
    await system.waitForLine(/w\.service restart succeeded/);
    await system.waitForLine(/next\[\d+\]: next ran/);
    expectOrder(system.lines('stdout'), [
      new RegExp(`w\\.service exit status for pid=${pid} is '<ProcStatus exit_status=${status}>'`),
      /w\.service pausing between restart retries \(0 left\)/,
      /w\[\d+\]: stays/,
    ]);
    expect(count(system, complaints)).toBe(0);
  });

  it('with 0 has been ready, and has ended normally after the time that it took', async () => {
    const { system } = await stalledWhile({ 'w.service': named(1.5, 0), 'next.service': next });
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [/next\[\d+\]: next ran/]);
    expect(count(system, /w\.service ended normally with exit 0 after (1\.[5-9]|[2-9])\d* s/)).toBe(1);
    expect(count(system, complaints)).toBe(0);
  });
});

describe('a daemon that wrote its pidfile, and died while chaperone stands still', () => {
  /** The first start waits for a file that comes while chaperone is stopped; the second start's daemon stays. */
  const pidfile = `${here}/w.pid`;
  const waiting = `test -e ${here}/first && exec $(FIXTURES)/daemonize ${pidfile} sleep infinity; echo $$ > ${here}/first.new; mv ${here}/first.new ${here}/first; until test -e ${here}/go; do sleep 0.02; done; `;
  const daemon = (status: number, more: Readonly<Record<string, unknown>> = {}) => ({
    type: 'forking',
    command: `sh -c '${waiting}exec $(FIXTURES)/daemonize ${pidfile} sh -c "sleep 0.2; exit ${status}"'`,
    pidfile,
    process_timeout: 10,
    restart: true,
    restart_delay: 0.1,
    restart_limit: 1,
    ...more,
  });

  /** Boots, stops chaperone while the daemon dies, and returns the daemon's pid. */
  async function stalledWhileDaemon(sections: Sections): Promise<{ readonly system: Booted; readonly pid: number }> {
    const system = begin(sections);
    const starter = await pidIn(system, 'first');
    system.stall('SIGSTOP');
    put(system, 'go');
    const pid = await until('the pidfile is written', () => {
      const file = system.path('w.pid');
      const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
      return /^\d+\n$/.test(text) ? Number(text) : undefined;
    });
    await untilGone(system, pid);
    // Otherwise the daemon could die before its start was over, and would never have been ready.
    await untilGone(system, starter);
    system.stall('SIGCONT');
    return { system, pid };
  }

  it('has been ready, and is restarted', async () => {
    const { system, pid } = await stalledWhileDaemon({ 'w.service': daemon(3), 'next.service': next });
    await system.waitForLine(/w\.service restart succeeded/);
    await system.waitForLine(/next\[\d+\]: next ran/);
    await system.waitForLine(/chaperone version \S+, ready\.$/);
    expectOrder(system.lines('stdout'), [
      new RegExp(`w\\.service exit status for pid=${pid} is '<ProcStatus exit_status=3>'`),
      /w\.service pausing between restart retries \(0 left\)/,
    ]);
    expect(count(system, endOf(pid))).toBe(1);
    expect(count(system, complaints)).toBe(0);
  });

  it('with 0 has been ready, and has ended normally', async () => {
    const { system, pid } = await stalledWhileDaemon({ 'w.service': daemon(0), 'next.service': next });
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [
      new RegExp(`w\\.service exit status for pid=${pid} is '<ProcStatus exit_status=0>'`),
    ]);
    expectOrder(system.lines('stdout'), [/next\[\d+\]: next ran/]);
    expect(count(system, endOf(pid))).toBe(1);
    expect(count(system, /w\.service pausing/)).toBe(0);
    expect(count(system, complaints)).toBe(0);
  });

  it('cannot be told from a wrong number where its own parent has reaped it: the start fails', async () => {
    const watched = `sh -c \\"sleep 0.2; exit 3\\" & echo \\$! > ${pidfile}; wait; exec sleep infinity`;
    const command = `sh -c '${waiting}exec $(FIXTURES)/daemonize - sh -c "${watched}"'`;
    const { system, pid } = await stalledWhileDaemon({
      'w.service': daemon(3, { command, process_timeout: 1 }),
      'next.service': next,
    });
    expect(await system.exit).toBe(1);
    expectOrder(system.lines('stderr'), [
      /^chaperone: system failed: w\.service did not become ready$/,
      /why {5}forking service, no process has the number in the pid file \S+w\.pid within 1 s \(process_timeout\)$/,
    ]);
    expect(count(system, endOf(pid))).toBe(0);
    expect(count(system, /w\.service pausing|next ran/)).toBe(0);
  });
});

describe('a service that ends within startup_pause', () => {
  it('has failed to start where chaperone did not stand still', async () => {
    const system = begin({ 'w.service': brief(0.1, 1, { startup_pause: 20 }), 'next.service': next });
    expect(await system.exit).toBe(1);
    expectOrder(system.lines('stderr'), [
      /^chaperone: system failed: w\.service did not become ready$/,
      /why {5}simple service, ended with exit 1 within 20 s of its start \(startup_pause\), pid \d+$/,
    ]);
    expect(count(system, /w\.service pausing|next ran/)).toBe(0);
  });

  it('has failed to start where chaperone stood still for less than that', async () => {
    const { system } = await stalledWhile({ 'w.service': brief(1, 1, { startup_pause: 60 }), 'next.service': next });
    expect(await system.exit).toBe(1);
    expectOrder(system.lines('stderr'), [/^chaperone: system failed: w\.service did not become ready$/]);
    expect(count(system, /w\.service pausing|next ran/)).toBe(0);
  });

  it('and with 0 has been started, where chaperone stood still for less than that', async () => {
    const { system } = await stalledWhile({ 'w.service': brief(1, 0, { startup_pause: 60 }), 'next.service': next });
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [/next\[\d+\]: next ran/]);
  });
});
