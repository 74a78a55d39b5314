import { describe, expect, it } from 'vitest';
import {
  begin,
  count,
  ctl,
  edit,
  listed,
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
import { connected, freePort } from './ports.ts';

/** A service that stays and prints its pid. */
const stay = (more: Readonly<Record<string, unknown>> = {}) => ({
  command: "sh -c 'echo up as $$; exec sleep infinity'",
  startup_pause: 0.05,
  ...more,
});
/** A service that ends as a file of its own tells it to. */
const ordered = (file: string, more: Readonly<Record<string, unknown>> = {}) => ({
  command: `$(FIXTURES)/take-order ${here}/${file}`,
  startup_pause: 0.05,
  ...more,
});
const upAs = (name: string): RegExp => new RegExp(`${name}\\[\\d+\\]: up as (\\d+)$`);
const awaits = (name: string): RegExp => new RegExp(`${name}\\[\\d+\\]: awaits an order as (\\d+)$`);

describe.runIf(isRoot)('of a healthy service whose prerequisite', () => {
  const web = (more: Readonly<Record<string, unknown>> = {}) => stay({ after: 'db.service', ...more });

  describe.each<[string, (system: Booted) => Promise<unknown>]>([
    ['was stopped by hand', (system) => telchap(system, 'stop', '--wait', 'db')],
    [
      'has failed since',
      async (system) => {
        await system.waitForLine(awaits('db'));
        put(system, 'order', '3');
        await untilState(system, 'db', 'failed');
      },
    ],
    [
      'was killed since',
      async (system) => {
        signalInner(system, await nthNumber(system, awaits('db'), 1), 'SIGKILL');
        await untilState(system, 'db', 'failed');
      },
    ],
  ])('%s', (_title, fell) => {
    const sections = (changes: Readonly<Record<string, unknown>> = {}): Sections => ({
      'db.service': ordered('order'),
      'web.service': web(changes),
    });

    /** Boots both services, and stops the prerequisite. */
    async function upWithout(): Promise<{ readonly system: Booted; readonly pid: number }> {
      const system = await up(sections());
      const pid = await nthNumber(system, upAs('web'), 1);
      await fell(system);
      return { system, pid };
    }

    it('a restart is refused, says why, and changes nothing', async () => {
      const { system, pid } = await upWithout();
      for (const words of [['web'], ['--wait', 'web']]) {
        const refused = await ctl(system, 'restart', ...words);
        expect(refused.status).not.toBe(0);
        expect(refused.text).toMatch(/\bdb\b/);
      }
      await settle(system);
      expect(lives(system, pid)).toBe(true);
      expect(await listed(system, 'web')).toMatchObject({ state: 'ready', pid });
    });

    it('a reload that would restart it is refused, as its plan says before, and changes nothing', async () => {
      const { system, pid } = await upWithout();
      edit(system, sections({ env_set: { VERSION: '2' } }));
      const plan = await ctl(system, 'reload', '--dry-run');
      expect(plan.text).toMatch(/\bdb\b/);
      const refused = await ctl(system, 'reload');
      expect(refused.status).not.toBe(0);
      expect(refused.text).toMatch(/\bdb\b/);
      await settle(system);
      expect(lives(system, pid)).toBe(true);
      expect(count(system, upAs('web'))).toBe(1);
    });

    it('a restart with --force goes on', async () => {
      const { system, pid } = await upWithout();
      expect(await ctl(system, 'restart', '--force', 'web')).toMatchObject({ status: 0 });
      await untilGone(system, pid);
      expect((await telchap(system, 'start', '--force', '--wait', 'db')).status).toBe(0);
      await untilCount(system, upAs('web'), 2);
      await untilState(system, 'web', 'ready');
    });
  });

  it('is restarted with it, a restart is carried out', async () => {
    const system = await up({ 'db.service': stay(), 'web.service': web() });
    await telchap(system, 'stop', '--wait', 'db');
    expect(await ctl(system, 'restart', '--wait', 'db', 'web')).toMatchObject({ status: 0 });
    await untilCount(system, upAs('web'), 2);
    expectOrder(system.lines(), [upAs('db'), upAs('web'), upAs('db'), upAs('web')]);
  });

  it('has ended normally, a restart is carried out', async () => {
    const system = await up({ 'db.service': ordered('order'), 'web.service': web() });
    await system.waitForLine(awaits('db'));
    put(system, 'order', '0');
    await system.waitForLine(/db\.service exit status for pid=\d+ is '<ProcStatus exit_status=0>'/);
    expect(await ctl(system, 'restart', '--wait', 'web')).toMatchObject({ status: 0 });
    await untilCount(system, upAs('web'), 2);
  });

  it('was stopped by hand, a reload that restarts nothing is carried out', async () => {
    const sections = (limit: number): Sections => ({
      'db.service': ordered('order'),
      'web.service': web({ restart_limit: limit }),
    });
    const system = await up(sections(1));
    const pid = await nthNumber(system, upAs('web'), 1);
    await telchap(system, 'stop', '--wait', 'db');
    edit(system, sections(2));
    expect(await ctl(system, 'reload')).toMatchObject({ status: 0 });
    expect(await listed(system, 'web')).toMatchObject({ state: 'ready', pid });
  });
});

describe.runIf(isRoot)('disable, then enable', () => {
  const slow = { type: 'oneshot', command: `$(FIXTURES)/finish-when ${here}/go`, process_timeout: 600 };

  it('of a service that waits for another lets it start as it would have', async () => {
    const system = begin({ 'slow.service': slow, 'x.service': stay({ after: 'slow.service' }) });
    await system.waitForLine(/slow\[\d+\]: works/);
    expect(await telchap(system, 'disable', 'x')).toMatchObject({ status: 0, stdout: 'services disabled.\n' });
    expect(await listed(system, 'x')).toMatchObject({ enabled: false });
    expect(await telchap(system, 'enable', 'x')).toMatchObject({ status: 0, stdout: 'services enabled.\n' });
    expect(await listed(system, 'x')).toMatchObject({ enabled: true, state: 'pending' });
    put(system, 'go');
    await system.waitForLine(upAs('x'));
    expectOrder(system.lines(), [/slow\[\d+\]: finished/, /x\.service attempting start/]);
  });

  it('of a service in idle_delay, too', async () => {
    const system = begin({
      settings: { idle_delay: 4 },
      'a.service': stay(),
      'x.service': stay({ service_groups: 'IDLE' }),
    });
    await system.waitForLine(/a\.service successfully started/);
    expect(await telchap(system, 'disable', 'x')).toMatchObject({ status: 0 });
    expect(await telchap(system, 'enable', 'x')).toMatchObject({ status: 0 });
    await system.waitForLine(upAs('x'));
  });

  it('of one in a chain, too, and of what waits for it in turn', async () => {
    const system = begin({
      'slow.service': slow,
      'x.service': stay({ after: 'slow.service' }),
      'y.service': stay({ after: 'x.service' }),
    });
    await system.waitForLine(/slow\[\d+\]: works/);
    for (const verb of ['disable', 'enable']) {
      expect(await telchap(system, verb, 'x', 'y')).toMatchObject({ status: 0 });
    }
    put(system, 'go');
    await system.waitForLine(upAs('y'));
    expectOrder(system.lines(), [/slow\[\d+\]: finished/, /x\.service successfully started/, upAs('y')]);
  });

  it('of which only the first was said keeps it from starting, and its dependents do not wait for it', async () => {
    const system = begin({
      'slow.service': slow,
      'x.service': stay({ after: 'slow.service' }),
      'y.service': stay({ after: 'slow.service, x.service' }),
    });
    await system.waitForLine(/slow\[\d+\]: works/);
    expect(await telchap(system, 'disable', 'x')).toMatchObject({ status: 0 });
    put(system, 'go');
    await system.waitForLine(upAs('y'));
    await settle(system);
    expect(count(system, /x\.service attempting start/)).toBe(0);
  });
});

describe.runIf(isRoot)('a service that would wait for ever for what waits for something stopped', () => {
  const chain = {
    'db.service': stay(),
    'a.service': stay({ after: 'db.service' }),
    'web.service': stay({ after: 'a.service' }),
    'stay.service': stay(),
  };

  it('is not stopped by a restart of both', async () => {
    const system = await up(chain);
    await telchap(system, 'stop', '--wait', 'a');
    await telchap(system, 'stop', '--wait', 'db');
    const pid = await nthNumber(system, upAs('web'), 1);
    const refused = await ctl(system, 'restart', 'a', 'web');
    expect(refused.status).not.toBe(0);
    expect(refused.text).toMatch(/web.*a never starts as things stand/);
    await settle(system);
    expect(lives(system, pid)).toBe(true);
    expect(await ctl(system, 'restart', '--wait', 'db', 'a', 'web')).toMatchObject({ status: 0 });
    expect(await nthNumber(system, upAs('web'), 2)).not.toBe(pid);
  });

  it('is not stopped by a reload that puts what waits between the two', async () => {
    const before = { 'db.service': stay(), 'web.service': stay(), 'stay.service': stay() };
    const system = await up(before);
    await telchap(system, 'stop', '--wait', 'db');
    const pid = await nthNumber(system, upAs('web'), 1);
    edit(system, {
      ...before,
      'web.service': stay({ after: 'new.service', env_set: { V: '2' } }),
      'new.service': stay({ after: 'db.service' }),
    });
    expect((await ctl(system, 'reload', '--dry-run')).text).toMatch(/web.*new never starts as things stand/);
    expect((await ctl(system, 'reload')).status).not.toBe(0);
    await settle(system);
    expect(lives(system, pid)).toBe(true);
  });
});

describe.runIf(isRoot)('start of what still ends after a stop', () => {
  const settings = { shutdown_timeout: 15 };
  const linger = `$(FIXTURES)/linger ${here}/may-end`;
  const lingers = (name: string): RegExp => new RegExp(`${name}\\[\\d+\\]: lingers as (\\d+)$`);

  async function upLingering(): Promise<{ readonly system: Booted; readonly pid: number }> {
    const system = await up({
      settings,
      'd.service': { command: linger, startup_pause: 0.05 },
      'stay.service': stay(),
    });
    const pid = await nthNumber(system, lingers('d'), 1);
    expect(await telchap(system, 'stop', 'd')).toMatchObject({ status: 0, stdout: 'services stopping.\n' });
    await system.waitForLine(/d\[\d+\]: is ending/);
    return { system, pid };
  }

  it('is accepted, and it runs again afterwards', async () => {
    const { system, pid } = await upLingering();
    expect(await telchap(system, 'start', 'd')).toMatchObject({ status: 0, stdout: 'service start-up queued.\n' });
    put(system, 'may-end');
    expect(await nthNumber(system, lingers('d'), 2)).not.toBe(pid);
    expectOrder(system.lines(), [/is ending/, new RegExp(`d\\.service exit status for pid=${pid} `), lingers('d')]);
    await untilState(system, 'd', 'ready');
  });

  it('is answered with --wait when it runs again', async () => {
    const { system, pid } = await upLingering();
    const started = telchap(system, 'start', '--wait', 'd');
    // These two requests give the start command the time to arrive.
    await listed(system, 'd');
    await listed(system, 'd');
    put(system, 'may-end');
    expect(await started).toMatchObject({ status: 0, stdout: 'services started.\n' });
    expect(lives(system, pid)).toBe(false);
    expect(await listed(system, 'd')).toMatchObject({ state: 'ready' });
  });

  it('is withdrawn by another stop', async () => {
    const { system } = await upLingering();
    expect(await telchap(system, 'start', 'd')).toMatchObject({ status: 0 });
    expect(await telchap(system, 'stop', 'd')).toMatchObject({ status: 0 });
    put(system, 'may-end');
    await untilState(system, 'd', 'stopped');
    await settle(system);
    expect(count(system, lingers('d'))).toBe(1);
  });

  it('is accepted for a cron service whose job takes its time', async () => {
    const system = await up({
      settings,
      'c.service': { type: 'cron', interval: everySecond, command: linger },
      'stay.service': stay(),
    });
    const pid = await nthNumber(system, lingers('c'), 1);
    expect(await telchap(system, 'stop', 'c')).toMatchObject({ status: 0 });
    expect(await telchap(system, 'start', 'c')).toMatchObject({ status: 0 });
    await system.waitForLine(/c\[\d+\]: is ending/);
    put(system, 'may-end');
    expect(await nthNumber(system, lingers('c'), 2)).not.toBe(pid);
    await untilState(system, 'c', 'ready');
  });

  it('is accepted for an inetd service with a connection', async () => {
    const port = await freePort();
    const system = await up({
      settings,
      'i.service': { type: 'inetd', port, command: linger },
      'stay.service': stay(),
    });
    const first = await connected(port);
    expect(first).toMatch(/^lingers as \d+\n/);
    expect(await telchap(system, 'stop', 'i')).toMatchObject({ status: 0 });
    expect(await telchap(system, 'start', 'i')).toMatchObject({ status: 0 });
    put(system, 'may-end');
    await untilState(system, 'i', 'ready');
    await untilCount(system, /inetd service i\.service listening on port/, 2);
    const second = await connected(port);
    expect(second).toMatch(/^lingers as \d+\n/);
    expect(second).not.toBe(first);
  });
});

describe.runIf(isRoot)('disable', () => {
  const pausing = (name: string): RegExp => new RegExp(`${name}\\.service pausing between restart retries`);
  const restarted = (name: string): RegExp => new RegExp(`${name}\\.service restart succeeded`);
  /** s that is longer than any command takes. */
  const delay = 4;

  it('in backoff ends the wait, and enable takes it up again', async () => {
    const again = { restart: true, restart_delay: delay };
    const system = await up({ 'w.service': ordered('w', again), 'witness.service': ordered('witness', again) });
    await untilCount(system, awaits('(w|witness)'), 2);
    put(system, 'w', '3');
    await system.waitForLine(pausing('w'));
    expect(await telchap(system, 'disable', 'w')).toMatchObject({ status: 0 });
    expect(count(system, awaits('w'))).toBe(1);
    expect(await listed(system, 'w')).toMatchObject({ enabled: false, state: 'disabled' });
    put(system, 'witness', '3');
    await system.waitForLine(restarted('witness'));
    await settle(system);
    expect(count(system, awaits('w'))).toBe(1);
    expect(await telchap(system, 'enable', 'w')).toMatchObject({ status: 0 });
    await untilCount(system, awaits('w'), 2);
    await untilState(system, 'w', 'ready');
  });

  it.each(['3', 'KILL'])('of what is then ended by %s has no restart follow', async (order) => {
    const again = { restart: true, restart_delay: 0.1 };
    const system = await up({ 'w.service': ordered('w', again), 'witness.service': ordered('witness', again) });
    await untilCount(system, awaits('(w|witness)'), 2);
    expect(await telchap(system, 'disable', 'w')).toMatchObject({ status: 0 });
    expect(await listed(system, 'w')).toMatchObject({ enabled: false });
    put(system, 'w', order);
    await system.waitForLine(/w\.service exit status/);
    put(system, 'witness', '3');
    await system.waitForLine(restarted('witness'));
    await settle(system);
    expect([count(system, pausing('w')), count(system, awaits('w'))]).toEqual([0, 1]);
  });

  it('of what runs leaves it running', async () => {
    const system = await up({ 'w.service': stay() });
    const pid = await nthNumber(system, upAs('w'), 1);
    expect(await telchap(system, 'disable', 'w')).toMatchObject({ status: 0 });
    await settle(system);
    expect(lives(system, pid)).toBe(true);
    expect(await telchap(system, 'enable', 'w')).toMatchObject({ status: 0 });
    expect(await listed(system, 'w')).toMatchObject({ enabled: true, state: 'ready', pid });
  });
});

describe.runIf(isRoot)('a cron service whose job runs', () => {
  const tick = /tick\[\d+\]: tick$/;
  const works = /c\[\d+\]: works as (\d+)$/;
  const finished = /c\[\d+\]: finished$/;
  const sections: Sections = {
    'c.service': { type: 'cron', interval: everySecond, command: `$(FIXTURES)/finish-when ${here}/go` },
    'tick.service': { type: 'cron', interval: everySecond, command: 'echo tick' },
  };

  /** Waits until as many more ticks have passed. */
  const ticks = (system: Booted, more: number): Promise<true> => untilCount(system, tick, count(system, tick) + more);

  it('runs no more once it is disabled, but the job goes on', async () => {
    const system = await up(sections);
    const pid = await nthNumber(system, works, 1);
    expect(await telchap(system, 'disable', 'c')).toMatchObject({ status: 0 });
    await settle(system);
    const skipped = count(system, /c\.service is still running when next interval expired/);
    await ticks(system, 3);
    expect(count(system, /c\.service is still running when next interval expired/)).toBeLessThanOrEqual(skipped);
    expect(lives(system, pid)).toBe(true);
    put(system, 'go');
    await system.waitForLine(finished);
    await ticks(system, 2);
    expect([count(system, works), count(system, /c\[\d+\]: cut short/)]).toEqual([1, 0]);
    expect(await telchap(system, 'enable', 'c')).toMatchObject({ status: 0 });
    await untilCount(system, works, 2);
  });

  it('that has left a daemon behind keeps it once it is disabled, until a reset', async () => {
    const system = await up({
      'c.service': { type: 'cron', interval: everySecond, command: "sh -c 'sleep infinity & echo left $!'" },
      'tick.service': { type: 'cron', interval: everySecond, command: 'echo tick' },
    });
    const left = await nthNumber(system, /c\[\d+\]: left (\d+)$/, 1);
    expect(await telchap(system, 'disable', 'c')).toMatchObject({ status: 0 });
    await untilState(system, 'c', 'disabled');
    await ticks(system, 3);
    expect([lives(system, left), count(system, /c\.service terminating|sending SIGTERM to c/)]).toEqual([true, 0]);
    expect(await telchap(system, 'enable', 'c')).toMatchObject({ status: 0 });
    await untilState(system, 'c', 'ready');
    expect(lives(system, left)).toBe(true);
    expect(await telchap(system, 'disable', 'c')).toMatchObject({ status: 0 });
    await untilState(system, 'c', 'disabled');
    expect(await telchap(system, 'reset', 'c')).toMatchObject({ status: 0 });
    await untilGone(system, left);
  });

  it('that has left a daemon behind loses it at a stop with --drain after it was disabled', async () => {
    const system = await up({
      'c.service': {
        type: 'cron',
        interval: everySecond,
        command: `sh -c 'sleep infinity & echo left $!; exec $(FIXTURES)/finish-when ${here}/go'`,
      },
      'stay.service': stay(),
    });
    const left = await nthNumber(system, /c\[\d+\]: left (\d+)$/, 1);
    await system.waitForLine(works);
    expect(await telchap(system, 'disable', 'c')).toMatchObject({ status: 0 });
    expect(await ctl(system, 'stop', '--drain', 'c')).toMatchObject({ status: 0 });
    put(system, 'go');
    await untilGone(system, left);
  });

  it('runs no more once it is stopped with --drain, and the job finishes by itself', async () => {
    const system = await up(sections);
    const pid = await nthNumber(system, works, 1);
    expect(await ctl(system, 'stop', '--drain', 'c')).toMatchObject({ status: 0 });
    await ticks(system, 2);
    expect(lives(system, pid)).toBe(true);
    put(system, 'go');
    await system.waitForLine(finished);
    await untilState(system, 'c', 'stopped');
    await ticks(system, 2);
    expect([count(system, works), count(system, /c\[\d+\]: cut short/)]).toEqual([1, 0]);
  });

  it('is drained, for who waits, when the job has finished', async () => {
    const system = await up(sections);
    const pid = await nthNumber(system, works, 1);
    let answered = false;
    const drained = ctl(system, 'stop', '--drain', '--wait', 'c').finally(() => {
      answered = true;
    });
    await ticks(system, 3);
    expect([answered, lives(system, pid)]).toEqual([false, true]);
    put(system, 'go');
    expect(await drained).toMatchObject({ status: 0, stdout: 'services stopped.\n' });
    expect(count(system, finished)).toBe(1);
    expect(lives(system, pid)).toBe(false);
  });

  it('is drained at once where no job runs', async () => {
    const system = await up({
      'c.service': { type: 'cron', interval: '@yearly', command: 'true' },
      'stay.service': stay(),
    });
    expect(await ctl(system, 'stop', '--drain', '--wait', 'c')).toMatchObject({ status: 0 });
    expect(await listed(system, 'c')).toMatchObject({ state: 'stopped' });
  });

  it('has its job ended by a stop without --drain', async () => {
    const system = await up(sections);
    await system.waitForLine(works);
    expect(await telchap(system, 'stop', '--wait', 'c')).toMatchObject({ status: 0 });
    await system.waitForLine(/c\[\d+\]: cut short/);
  });
});

describe.runIf(isRoot)('a reload after a service was disabled by hand', () => {
  const sections = (version: string): Sections => ({
    'w.service': stay({ env_set: { VERSION: version } }),
    'after.service': stay({ env_set: { VERSION: version }, after: 'w.service' }),
  });

  it('leaves it disabled, though it has changed', async () => {
    const system = await up(sections('1'));
    expect(await telchap(system, 'stop', '--wait', '--disable', 'w')).toMatchObject({ status: 0 });
    edit(system, sections('2'));
    expect(await ctl(system, 'reload')).toMatchObject({ status: 0 });
    await untilCount(system, upAs('after'), 2);
    await settle(system);
    expect(count(system, upAs('w'))).toBe(1);
    expect(await listed(system, 'w')).toMatchObject({ enabled: false, state: 'disabled' });
    expect(await telchap(system, 'start', 'w')).toMatchObject({ status: 3 });
    expect(await telchap(system, 'start', '--enable', '--wait', 'w')).toMatchObject({ status: 0 });
  });

  it('leaves one disabled that runs still', async () => {
    const system = await up(sections('1'));
    expect(await telchap(system, 'disable', 'w')).toMatchObject({ status: 0 });
    edit(system, sections('2'));
    expect(await ctl(system, 'reload')).toMatchObject({ status: 0 });
    await untilCount(system, upAs('after'), 2);
    expect(await listed(system, 'w')).toMatchObject({ enabled: false });
  });

  it('leaves one disabled that was never started', async () => {
    const system = await up({ ...sections('1'), 'w.service': { ...stay(), enabled: false } });
    edit(system, { ...sections('2'), 'w.service': { ...stay({ env_set: { VERSION: '2' } }), enabled: false } });
    expect(await ctl(system, 'reload')).toMatchObject({ status: 0 });
    await untilCount(system, upAs('after'), 2);
    expect(count(system, upAs('w'))).toBe(0);
  });
});

describe.runIf(isRoot)('start --force', () => {
  it('starts what is disabled in the configuration', async () => {
    const system = await up({ 'x.service': stay({ enabled: false }), 'stay.service': stay() });
    expect(await telchap(system, 'start', 'x')).toMatchObject({ status: 3 });
    expect(await telchap(system, 'start', '--force', '--wait', 'x')).toMatchObject({ status: 0 });
    await system.waitForLine(upAs('x'));
  });

  it('starts what was disabled by hand', async () => {
    const system = await up({ 'x.service': stay(), 'stay.service': stay() });
    expect(await telchap(system, 'stop', '--wait', '--disable', 'x')).toMatchObject({ status: 0 });
    expect(await telchap(system, 'start', '--force', '--wait', 'x')).toMatchObject({ status: 0 });
    await untilCount(system, upAs('x'), 2);
  });

  it('starts a disabled cron service', async () => {
    const cron = { type: 'cron', interval: everySecond, command: 'echo tick', enabled: false };
    const system = await up({ 'x.service': cron, 'stay.service': stay() });
    expect(await telchap(system, 'start', '--force', '--wait', 'x')).toMatchObject({ status: 0 });
    await system.waitForLine(/x\[\d+\]: tick$/);
  });
});

describe.runIf(isRoot)('a reload that has one end which ignores SIGTERM', () => {
  const settings = { shutdown_timeout: 15 };
  const deaf = (more: Readonly<Record<string, unknown>> = {}) => ({
    command: 'sh -c \'trap "" TERM; echo deaf as $$; exec sleep infinity\'',
    startup_pause: 0.05,
    ...more,
  });
  const deafAs = /deaf\[\d+\]: deaf as (\d+)$/;
  const version = (number: string) => ({ env_set: { VERSION: number } });

  it.each<[string, Sections, RegExp]>([
    [
      'to restart it has another one ready long before that',
      { 'deaf.service': deaf(version('2')), 'quick.service': stay(version('2')) },
      /^restart +deaf/m,
    ],
    ['to take it out has another one ready long before that', { 'quick.service': stay(version('2')) }, /^stop +deaf/m],
    [
      'to restart it has a new one ready long before that',
      { 'deaf.service': deaf(version('2')), 'quick.service': stay(version('1')), 'new.service': stay() },
      /^restart +deaf/m,
    ],
  ])('%s', async (_title, changed, plan) => {
    const system = await up({ settings, 'deaf.service': deaf(version('1')), 'quick.service': stay(version('1')) });
    const pid = await nthNumber(system, deafAs, 1);
    edit(system, { settings, ...changed });
    expect((await ctl(system, 'reload')).stdout).toMatch(plan);
    await system.waitForLine(/using SIGTERM to terminate deaf\.service/);
    if ('new.service' in changed) await system.waitForLine(/new\.service successfully started/);
    else await untilCount(system, /quick\.service (successfully started|restart succeeded)/, 2);
    expect(lives(system, pid)).toBe(true);
    expect(count(system, /deaf\.service exit status/)).toBe(0);
  });

  it('makes its dependents wait', async () => {
    const two: Sections = {
      settings: { shutdown_timeout: 3 },
      'deaf.service': deaf(version('2')),
      'next.service': stay({ after: 'deaf.service', ...version('2') }),
    };
    const system = await up({
      ...two,
      'deaf.service': deaf(version('1')),
      'next.service': stay({ after: 'deaf.service', ...version('1') }),
    });
    await system.waitForLine(deafAs);
    edit(system, two);
    expect(await ctl(system, 'reload')).toMatchObject({ status: 0 });
    await untilCount(system, upAs('next'), 2);
    expectOrder(system.lines(), [/next\.service exit status/, /deaf\.service exit status/, deafAs, upAs('next')]);
  });
});
