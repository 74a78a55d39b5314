import { describe, expect, it } from 'vitest';
import { begin, ctl, edit, put, type Sections, settle, telchap, untilGone, untilState, up } from './by-hand.ts';
import { type Booted, here, isRoot, untilFile } from './namespace.ts';

const stay = (more: Readonly<Record<string, unknown>> = {}) => ({
  command: 'sleep infinity',
  startup_pause: 0.05,
  ...more,
});
const task = (command: string, more: Readonly<Record<string, unknown>> = {}) => ({ type: 'oneshot', command, ...more });

const ready = /chaperone version \S+, ready\.$/;

/** Records the boot, so that `agrees` can compare. */
const journaled: Sections = { settings: { inspect: { journal: `${here}/journal` } } };

/** Ends the system, and compares what it has said of its boot with what its journal says. */
async function agrees(system: Booted): Promise<void> {
  const [chain, blame] = [await ctl(system, 'critical-chain'), await ctl(system, 'blame')];
  system.signal('SIGTERM');
  await system.exit;
  const summary = (await ctl(system, 'replay', '--summary', system.path('journal'))).stdout;
  expect(summary.split('\n')).toContain(chain.stdout.trimEnd());
  const told = summary.split('\n\n').find((part) => part.startsWith('blame\n')) ?? '';
  // The summary also says in a column of its own what a start waited for.
  const words = (line: string): string =>
    line
      .replace(/ +waited \S+ s for \S+/, '')
      .trim()
      .replace(/\s+/g, ' ');
  expect(told.split('\n').slice(1).map(words)).toEqual(blame.stdout.trimEnd().split('\n').map(words));
}

/** The names of the critical chain, the last service first. */
async function chainOf(system: Booted): Promise<readonly string[]> {
  const { stdout } = await ctl(system, 'critical-chain', '--json');
  const links: readonly { readonly service: string }[] = JSON.parse(stdout);
  return links.map(({ service }) => service);
}

async function historyOf(system: Booted, name: string): Promise<readonly string[]> {
  const { stdout } = await ctl(system, 'status', '--history', name);
  return stdout.trimEnd().split('\n');
}

describe('what decided how long a boot took', () => {
  it('is the service that was ready last of those that were waited for, not the one that was seen last', async () => {
    const system = await up({
      'fast.service': task('true'),
      'slow.service': task('sleep 0.4'),
      'mid.service': task('true', { after: 'slow.service' }),
      'web.service': stay({ after: 'fast.service, mid.service' }),
    });
    expect(await chainOf(system)).toEqual(['web', 'mid', 'slow']);
  });

  it('is found in a larger system, too', async () => {
    const others: Sections = Object.fromEntries(
      Array.from({ length: 8 }, (_, index) => [`f${index}.service`, task('true')] as const),
    );
    const system = await up({
      ...others,
      'slow.service': task('sleep 0.4'),
      'mid.service': task('true', { after: 'slow.service' }),
      'web.service': stay({ after: `${Object.keys(others).join(', ')}, mid.service` }),
    });
    expect(await chainOf(system)).toEqual(['web', 'mid', 'slow']);
  });

  it('may be a start that has failed, and is told with why', async () => {
    const system = await up({
      'broken.service': task("sh -c 'sleep 0.4; exit 3'", { ignore_failures: true }),
      'web.service': stay({ after: 'broken.service' }),
    });
    expect(await chainOf(system)).toEqual(['web', 'broken']);
    expect((await ctl(system, 'critical-chain')).stdout).toMatch(
      /web \d\.\d+ s \(\d+ %\) ← broken 0\.\d+ s \(\d+ %\), failed: exit 3$/m,
    );
    expect((await ctl(system, 'blame')).stdout).toMatch(/0\.\d+ s {2}broken {2}failed: exit 3$/m);
  });

  it('may be a start that has taken too long', async () => {
    const system = await up({
      'late.service': task('sleep 60', { process_timeout: 0.3, ignore_failures: true }),
      'web.service': stay({ after: 'late.service' }),
    });
    expect(await chainOf(system)).toEqual(['web', 'late']);
    expect((await ctl(system, 'critical-chain')).stdout).toMatch(
      /late 0\.[3-9]\d* s \(\d+ %\), failed: no exit within 0\.3 s/,
    );
  });

  it('may be the restart of a service that had been ready before', async () => {
    const system = begin({
      ...journaled,
      'flaky.service': stay({ command: `$(FIXTURES)/take-order ${here}/order`, restart: true, restart_delay: 1 }),
      'slow.service': task(`sh -c 'while ! test -e ${here}/go; do sleep 0.02; done'`),
      'web.service': stay({ after: 'flaky.service, slow.service' }),
    });
    await untilState(system, 'flaky', 'ready');
    put(system, 'order', '5');
    await system.waitForLine(/flaky\.service pausing between restart retries/);
    put(system, 'go');
    await system.waitForLine(ready);
    const { stdout } = await ctl(system, 'critical-chain');
    expect(stdout).toMatch(
      /^critical chain: web \d\.\d+ s \(\d+ %\) ← flaky [1-9]\d*\.\d+ s \(\d+ %\), restarted after exit 5$/m,
    );
    await agrees(system);
  });

  it('is known while the boot goes on, and where it fails: the start that hangs or has failed', async () => {
    const system = begin({
      ...journaled,
      'prepare.service': task('true'),
      'hung.service': {
        type: 'notify',
        command: `sh -c 'while ! test -e ${here}/go; do sleep 0.02; done; exit 3'`,
        after: 'prepare.service',
      },
      'slow.service': task('sleep 60'),
      'extra.service': stay({ enabled: false }),
    });
    await untilState(system, 'hung', 'starting');
    await telchap(system, 'start', '--enable', '--wait', 'extra');

    expect((await ctl(system, 'critical-chain')).stdout).toMatch(/^critical chain: slow \d+\.\d+ s, not ready yet$/m);
    expect((await ctl(system, 'blame')).stdout).toMatch(/ s {2}hung {2}not ready yet$/m);
    put(system, 'go');
    expect(await system.exit).not.toBe(0);
    const summary = (await ctl(system, 'replay', '--summary', system.path('journal'))).stdout;
    expect(summary).toMatch(/^never became ready$/m);
    expect(summary).toMatch(/^critical chain: hung \d+\.\d+ s, failed: .* ← prepare \d+\.\d+ s$/m);
  });

  it('is no service that was started or restarted by hand after the boot', async () => {
    const system = await up({
      ...journaled,
      'broken.service': task("sh -c 'sleep 0.2; exit 3'", { ignore_failures: true }),
      'web.service': stay({ after: 'broken.service' }),
      'extra.service': stay({ enabled: false, after: 'web.service' }),
    });
    const before = (await ctl(system, 'critical-chain')).stdout;
    expect(before).toMatch(/web .* ← broken /);
    await telchap(system, 'start', '--enable', '--wait', 'extra');
    await telchap(system, 'restart', '--wait', 'web');
    expect((await ctl(system, 'blame')).stdout).toMatch(/ s {2}extra {2}started by hand$/m);
    expect((await ctl(system, 'critical-chain')).stdout).toBe(before);
    await agrees(system);
  });
});

describe('what failed', () => {
  it('is told with how long that took, and what became of what waits for it', async () => {
    const system = await up({
      ...journaled,
      'db.service': {
        command: `$(FIXTURES)/take-order ${here}/order`,
        startup_pause: 0.05,
        restart: true,
        restart_delay: 0.5,
      },
      'api.service': stay({ after: 'db.service' }),
      'web.service': stay({ after: 'api.service' }),
    });
    expect((await ctl(system, 'incidents')).stdout).toBe('no service has failed\n');
    put(system, 'order', '3');
    await system.waitForLine(/db\.service restart succeeded/);
    await untilState(system, 'db', 'ready');
    const incident = ' +\\d+\\.\\d+ s {2}db: exit 3, down for \\d(\\.\\d)? s\\n +2 behind it: api kept · web kept\\n';
    // The journal of this boot holds no log.
    const words = ' +before it: "awaits an order as \\d+"\\n';
    expect((await ctl(system, 'incidents')).stdout).toMatch(new RegExp(`^${incident}${words}$`));
    system.signal('SIGTERM');
    await system.exit;
    expect((await ctl(system, 'incidents', system.path('journal'))).stdout).toMatch(new RegExp(`^${incident}$`));
  });
});

describe.runIf(isRoot)('the history of a service', () => {
  it('names for a start by hand who has asked for it, and never the service itself', async () => {
    const system = await up({ 'db.service': stay(), 'web.service': stay({ after: 'db.service' }) });
    expect(await ctl(system, 'restart', '--wait', 'web')).toMatchObject({ status: 0 });
    const lines = await historyOf(system, 'web');
    expect(lines[0]).toMatch(/pending → starting\.spawning +was waiting for db, \d+ ms$/);
    expect(lines.filter((line) => /→ starting\.spawning/.test(line))).toHaveLength(2);
    expect(lines.at(-3)).toMatch(/stopped → starting\.spawning +asked for by "restart"$/);
    expect(lines.join('\n')).not.toMatch(/waiting for web/);
  });

  it('is known to late requests, also for services that came and went before', async () => {
    const system = await up({
      'w.service': {
        command: `$(FIXTURES)/take-order ${here}/order`,
        startup_pause: 0.05,
        restart: true,
        restart_delay: 0.1,
      },
      'stay.service': stay(),
    });
    put(system, 'order', '3');
    await system.waitForLine(/w\.service restart succeeded/);
    await settle(system);
    const lines = (await historyOf(system, 'w')).map((line) => line.replace(/^\s*\S+\s+w\s+/, '').replace(/\s+/g, ' '));
    expect(lines).toEqual([
      'pending → starting.spawning service.start',
      expect.stringMatching(/^starting\.spawning → starting\.settling pid \d+/),
      expect.stringMatching(/^starting\.settling → ready\.running startup_pause/),
      expect.stringMatching(/^ready\.running → backoff exit 3; restart 1 of 5/),
      'backoff → starting.spawning restart 1',
      expect.stringMatching(/^starting\.spawning → starting\.settling pid \d+/),
      expect.stringMatching(/^starting\.settling → ready\.running startup_pause/),
    ]);
    const json = await ctl(system, 'status', '--history', 'w', '--json');
    expect(JSON.parse(json.stdout)).toMatchObject([
      { name: 'w.service', history: [{ kind: 'transition', actor: 'w' }, {}, {}, {}, {}, {}, {}] },
    ]);
  });

  it('does not name an old signal or an old reload for what a later reload or command does', async () => {
    const sections = { 'db.service': stay(), 'web.service': stay({ after: 'db.service' }), 'stay.service': stay() };
    const system = await up(sections);
    expect(await ctl(system, 'kill', 'web', 'CONT')).toMatchObject({ status: 0 });
    edit(system, { ...sections, 'web.service': stay({ after: 'db.service', env_set: { V: '2' } }) });
    expect(await ctl(system, 'reload')).toMatchObject({ status: 0 });
    await untilState(system, 'web', 'ready');
    const starts = async (name: string) =>
      (await historyOf(system, name)).filter((line) => /→ starting\.spawning/.test(line));
    expect((await starts('web')).at(-1)).toMatch(/asked for by a reload$/);
    await telchap(system, 'stop', '--wait', 'web', 'db');
    expect(await telchap(system, 'start', '--force', '--wait', 'web')).toMatchObject({ status: 0 });
    const [, again] = await starts('db');
    expect(again).not.toMatch(/reload/);
    expect((await historyOf(system, 'web')).join('\n')).toMatch(/· "start" was asked for/);
  });

  it('says of one that was disabled and enabled what was asked for', async () => {
    const system = await up({ 'web.service': stay(), 'stay.service': stay() });
    await telchap(system, 'stop', '--wait', '--disable', 'web');
    await telchap(system, 'start', '--enable', 'web');
    await untilState(system, 'web', 'ready');
    const lines = await historyOf(system, 'web');
    expect(lines.filter((line) => line.includes(' · '))).toEqual([
      expect.stringMatching(/· "stop" was asked for$/),
      expect.stringMatching(/· "start" was asked for$/),
    ]);
  });
});

describe('what people are told of times', () => {
  it('never goes back, and is never negative, also where chaperone has stood still', async () => {
    const system = begin({
      'brief.service': task(`sh -c 'echo $$ > ${here}/pid.new; mv ${here}/pid.new ${here}/pid; sleep 1.5'`),
      'web.service': stay({ after: 'brief.service', startup_pause: 0.3 }),
    });
    const pid = Number(await untilFile(system.path('pid')));
    system.stall('SIGSTOP');
    await untilGone(system, pid);
    system.stall('SIGCONT');
    await system.waitForLine(ready);
    const { stdout } = await ctl(system, 'status', '--history', '--json');
    const histories: readonly { readonly history: readonly { readonly at: number; readonly to?: string }[] }[] =
      JSON.parse(stdout);
    const times = histories.map(({ history }) => history.map(({ at }) => at));
    for (const each of times) expect(each).toEqual([...each].sort((a, b) => a - b));
    const services: readonly {
      readonly age: number;
      readonly boot: { readonly started: number; readonly ready: number };
    }[] = JSON.parse((await ctl(system, 'status', '--json')).stdout);
    for (const { age, boot } of services) {
      expect(age).toBeGreaterThanOrEqual(0);
      expect(boot.ready).toBeGreaterThan(boot.started);
    }
    // The service took as long as its process, although chaperone was stopped meanwhile.
    expect((services[0]?.boot.ready ?? 0) - (services[0]?.boot.started ?? 0)).toBeGreaterThan(1_400);
  });
});
