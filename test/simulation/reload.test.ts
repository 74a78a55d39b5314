import { describe, expect, it } from 'vitest';
import type { ServiceSpec, SystemSpec } from '../../src/model/service/service-spec.ts';
import type { Diagnostic } from '../../src/model/words/diagnostic.ts';
import type { Configured } from '../../src/runtime/boot/configure.ts';
import { Reloader } from '../../src/runtime/boot/reloader.ts';
import type { Script } from '../../src/runtime/simulated/script.ts';
import { loggingSpec } from '../model/specs.ts';
import { supervised } from './supervised.ts';
import { createWorld, simpleService, systemOf } from './world.ts';

const hang: Script = { steps: [{ do: 'hang' }] };
const mistake: Diagnostic = { severity: 'error', code: 'unknown-key', message: 'unknown key "comand" in web.service' };

interface Options {
  readonly scripts?: Readonly<Record<string, Script>>;
  readonly before?: Partial<SystemSpec>;
}

/** A running system whose configuration the test edits. */
function running(services: readonly ServiceSpec[], { scripts = {}, before = {} }: Options = {}) {
  const given = { detectExit: false, ...before };
  const world = createWorld(systemOf(services, given), {
    has: (word) => word !== 'missing',
    script: ([name = '']) => scripts[name] ?? hang,
  });
  const { assembly, inspection, kernel, clock } = world;
  const said: string[] = [];
  assembly.records$.subscribe(({ program, message }) => {
    if (program === 'chaperone') said.push(message);
  });
  const files = {
    spec: systemOf(services, given),
    diagnostics: [] as readonly Diagnostic[],
    read: 0,
    gate: Promise.resolve(),
  };
  const problems: string[] = [];
  const reloader = new Reloader({
    kernel,
    clock,
    assembly,
    configure: async (): Promise<Configured> => {
      files.read += 1;
      await files.gate;
      const { spec, diagnostics } = files;
      const isGood = diagnostics.every(({ severity }) => severity !== 'error');
      return { ...(isGood ? { spec } : {}), diagnostics, messages: [], path: '/etc/chaperone.d' };
    },
    prepare: async () => problems.shift(),
  });
  const supervisor = supervised(
    { assembly, kernel, clock, inspection },
    { reload: (request) => reloader.reload(request), scale: (templates, count) => reloader.scale(templates, count) },
  );
  assembly.start();
  const pass = (ms = 2_000): void => clock.run(clock.now() + ms);
  pass();
  return {
    ...world,
    said,
    files,
    problems,
    reloader,
    supervisor,
    pass,
    edit: (next: readonly ServiceSpec[], changes: Partial<SystemSpec> = {}) => {
      files.spec = systemOf(next, { ...given, ...changes });
    },
    reload: (dryRun = false, force = false) => supervisor.reload({ dryRun, force }),
  };
}

const web = simpleService('web');
const store = simpleService('store');

describe('a reload', () => {
  it('is planned only, where that is all that is asked for', async () => {
    const world = running([web]);
    world.edit([web, store]);
    const result = await world.reload(true);
    expect(result).toMatchObject({ kind: 'planned', plan: { steps: [{ action: 'start' }, { action: 'keep' }] } });
    world.pass();
    expect(world.supervisor.services().map(({ name }) => name)).toEqual(['web.service']);
    expect(world.said.filter((line) => line.startsWith('reload'))).toEqual([]);
  });

  it('stops nothing that it could not start again, unless it is forced', async () => {
    const world = running([web, store]);
    const pids = () => world.supervisor.services().map(({ pid }) => pid);
    const [pid] = pids();
    world.supervisor.stop(['store.service'], { disable: false, drain: false });
    world.pass();
    const reason = { name: 'web.service', reason: 'store is stopped' };
    // The service has another command, and its prerequisite is down.
    world.edit([store, { ...web, argv: ['web', '--new'], prerequisites: ['store.service'] }]);
    expect(await world.reload(true)).toMatchObject({ kind: 'planned', unstartable: [reason] });
    expect(await world.reload()).toEqual({ kind: 'unstartable', services: [reason] });
    await world.reloader.hangUp();
    expect(world.said.filter((line) => line.startsWith('reload'))).toEqual([
      'reload refused: nothing was changed: the reload would stop services that it could not start again: web (store is stopped)',
    ]);
    world.pass();
    expect(pids()).toEqual([pid, undefined]);
    expect(await world.reload(false, true)).toMatchObject({ kind: 'begun' });
    world.pass();
    expect(world.supervisor.services().map(({ name, state }) => [name, state])).toEqual([
      ['store.service', 'stopped'],
      ['web.service', 'pending'],
    ]);
  });

  it('with mistakes says them to whoever asked, and changes nothing', async () => {
    const world = running([web]);
    world.edit([store]);
    world.files.diagnostics = [mistake];
    expect(await world.reload()).toEqual({
      kind: 'mistakes',
      report: `chaperone: 1 mistake in the configuration, nothing was changed\n\n${mistake.message} [unknown-key]\n`,
      diagnostics: [mistake],
    });
    world.files.diagnostics = [];
    world.edit([]);
    expect(await world.reload()).toMatchObject({ kind: 'mistakes', report: /no services in \/etc\/chaperone\.d/ });
    world.edit([web, simpleService('bad', { argv: ['missing'] })]);
    expect(await world.reload()).toMatchObject({
      kind: 'mistakes',
      report: /bad\.service: executable 'missing' not found/,
      diagnostics: [{ severity: 'error', code: 'program-not-found' }],
    });
    world.problems.push('cannot load unix_dgram.node');
    world.edit([web, store]);
    expect(await world.reload()).toMatchObject({ kind: 'mistakes', report: /cannot load unix_dgram\.node/ });
    world.pass();
    expect(world.supervisor.services().map(({ name, state }) => [name, state])).toEqual([['web.service', 'ready']]);
    expect(await world.reload()).toMatchObject({ kind: 'begun' });
  });

  it('tells its warnings, and disables what is optional and not there', async () => {
    const world = running([web]);
    world.files.diagnostics = [{ severity: 'warning', code: 'same-port', message: 'port 80 twice' }];
    world.edit([web, simpleService('extra', { argv: ['missing'], optional: true })]);
    expect(await world.reload()).toMatchObject({ kind: 'begun', warnings: /port 80 twice/ });
    world.pass();
    expect(world.said).toContain("optional service extra.service disabled since 'missing' is not present");
    expect(world.supervisor.services().map(({ name, state }) => [name, state])).toEqual([
      ['web.service', 'ready'],
      ['extra.service', 'disabled'],
    ]);
  });

  it('waits for the one before it, and each is carried out', async () => {
    const world = running([web]);
    const read: number[] = [];
    let open = (): void => undefined;
    world.files.gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const both = [world.reload(), world.reload()].map((result) => result.finally(() => read.push(world.files.read)));
    world.edit([web, store]);
    open();
    const plans = (await Promise.all(both)).map((result) => (result.kind === 'begun' ? result.plan.steps : []));
    expect(plans.map((steps) => steps.map(({ action }) => action))).toEqual([
      ['start', 'keep'],
      ['keep', 'keep'],
    ]);
    expect(read).toEqual([1, 2]);
  });

  it('by SIGHUP says in the log what comes of it; one that waits already is enough', async () => {
    const world = running([web]);
    world.edit([web, store]);
    await Promise.all([world.reloader.hangUp(), world.reloader.hangUp(), world.reloader.hangUp()]);
    expect(world.files.read).toBe(1);
    expect(world.said).toContain('reload: start    store.service  new');
    world.files.diagnostics = [mistake];
    await world.reloader.hangUp();
    expect(world.said.filter((line) => line.startsWith('reload refused: '))).toEqual([
      'reload refused: chaperone: 1 mistake in the configuration, nothing was changed',
      `reload refused: ${mistake.message} [unknown-key]`,
    ]);
  });

  it('that meets the end of the system is refused', async () => {
    const world = running([web], { scripts: { web: { steps: [{ do: 'hang' }], onSignal: { SIGTERM: 'ignore' } } } });
    world.edit([web, store]);
    let open = (): void => undefined;
    world.files.gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const result = world.reload();
    world.kernel.deliver('SIGTERM');
    open();
    expect(await result).toEqual({ kind: 'ending' });
    expect(await world.reload()).toEqual({ kind: 'ending' });
    await world.reloader.hangUp();
    expect(world.said).toContain('reload refused: the system is shutting down');
  });

  it('goes on after one that broke', async () => {
    const world = running([web]);
    world.files.gate = Promise.reject(new Error('broken'));
    await expect(world.reload()).rejects.toThrow('broken');
    world.files.gate = Promise.resolve();
    expect(await world.reload()).toMatchObject({ kind: 'begun' });
  });
});

describe('what control shows after a reload', () => {
  it('is the new configuration, and what has still to leave', async () => {
    const world = running([web, store], {
      scripts: { store: { steps: [{ do: 'hang' }], onSignal: { SIGTERM: 'ignore' } } },
    });
    const events: string[] = [];
    world.supervisor.events$.subscribe((event) => {
      if (event.type === 'service') events.push(`${event.service} ${event.state}`);
    });
    world.edit([web, simpleService('new')]);
    await world.reload();
    world.pass(1_000);
    const states = () => world.supervisor.services().map(({ name, state }) => `${name} ${state}`);
    // The new service needs nothing that the other one still holds.
    expect(states()).toEqual(['web.service ready', 'new.service ready', 'store.service stopping']);
    world.pass(10_000);
    await Promise.resolve();
    expect(states()).toEqual(['web.service ready', 'new.service ready']);
    expect(world.supervisor.status()).toMatchObject({ services: 2, enabled: 2 });
    expect(events).toContain('new.service ready');
    expect(Object.keys(world.supervisor.measurements().restarts)).toEqual(['web.service', 'new.service']);
    // A later service of the same name begins without descriptors.
    world.edit([web, store]);
    await world.reload();
    world.pass(10_000);
    expect(world.supervisor.services().find(({ name }) => name === 'store.service')).not.toHaveProperty('lastExit');
  });
});

describe('a new service that needs the port or the pidfile of a service that the reload stops', () => {
  const pidfile = '/run/store.pid';
  const daemon: Script = {
    steps: [
      { do: 'fork', detached: true, script: { steps: [{ do: 'write', path: pidfile, text: '$$\n' }, { do: 'hang' }] } },
      { do: 'wait', ms: 100 },
    ],
  };
  const linger: Script = { steps: [{ do: 'hang' }], onSignal: { SIGTERM: [{ do: 'wait', ms: 3_000 }] } };

  it.each([
    ['a port', { type: 'inetd', port: 80 }, { type: 'inetd', port: 80 }],
    ['a pidfile', { pidfile }, { type: 'forking', pidfile }],
  ] as const)('%s, waits for its end, and says so', async (_what, old, next) => {
    const world = running([web, simpleService('store', old)], {
      scripts: {
        store:
          'pidfile' in old
            ? { ...linger, steps: [{ do: 'write', path: pidfile, text: '$$\n' }, ...linger.steps] }
            : linger,
        new: 'pidfile' in next ? daemon : linger,
      },
    });
    if ('port' in old) world.kernel.connect(old.port);
    world.pass(100);
    world.edit([web, simpleService('new', next)]);
    await world.reload();
    world.pass(1_000);
    const states = () => world.supervisor.services().map((service) => `${service.name} ${service.state}`);
    expect(states()).toEqual(['web.service ready', 'new.service pending', 'store.service stopping']);
    expect(world.supervisor.services()[1]?.why.sentence).toBe(
      'waits for store to end, which the reload stops; then it starts',
    );
    world.pass(10_000);
    expect(states()).toEqual(['web.service ready', 'new.service ready']);
  });
});

describe('what a reload changes beside services', () => {
  it('is logging: entries and places count at once', async () => {
    const entry = (name: string, selector: string) =>
      loggingSpec({ name: `${name}.logging`, selector, stdout: false, file: `/${name}`, format: 'plain' });
    const world = running([web], { before: { logging: [entry('one', '*.info')] } });
    world.edit([web], { logging: [entry('two', '*.err')] });
    expect(await world.reload()).toMatchObject({ plan: { settings: ['logging'] } });
    world.assembly.say({ severity: 'err', text: 'after' });
    world.assembly.say({ severity: 'info', text: 'quiet' });
    world.pass();
    expect(world.kernel.files.get('/two')).toContain('after');
    expect(world.kernel.files.get('/two')).not.toContain('quiet');
    expect(world.kernel.files.get('/one')).not.toContain('after');
    expect(world.assembly.sinks.all().map(({ name }) => name)).toEqual(['stdout', 'stderr', '/two']);
  });

  it('is the log socket', async () => {
    const world = running([web]);
    expect(world.kernel.sendLog('/dev/log', 'x: 1')).toBe(true);
    world.edit([web], { logSocket: '/run/log' });
    await world.reload();
    expect([world.kernel.sendLog('/dev/log', 'x: 1'), world.kernel.sendLog('/run/log', 'x: 1')]).toEqual([false, true]);
    world.edit([web], { enableSyslog: false });
    await world.reload();
    expect(world.kernel.sendLog('/run/log', 'x: 1')).toBe(false);
  });

  it('is the time zone of cron services, which are scheduled anew', async () => {
    const job = simpleService('job', { type: 'cron', interval: '0 3 * * *' });
    const world = running([job], { before: { timeZone: 'Etc/UTC' } });
    world.clock.setWallTime(Date.parse('2030-01-01T22:00:00Z'));
    world.edit([job], { timeZone: 'Europe/Berlin' });
    expect(await world.reload()).toMatchObject({
      plan: { steps: [{ action: 'restart', reasons: ['time zone changed'] }], settings: ['time zone'] },
    });
    world.pass();
    expect(world.supervisor.services()[0]?.nextRun).toBe(Date.parse('2030-01-02T02:00:00Z'));
  });

  it('keeps no line that a process of a removed service writes after the removal', async () => {
    const late: Script = {
      steps: [
        { do: 'wait', ms: 10_000 },
        { do: 'print', text: 'late\n' },
      ],
    };
    const world = running([web, simpleService('leaver')], {
      scripts: {
        leaver: {
          steps: [{ do: 'print', text: 'early\n' }, { do: 'fork', detached: true, script: late }, { do: 'hang' }],
        },
      },
    });
    const lines: string[] = [];
    world.assembly.records$.subscribe(({ program, message }) => {
      if (program === 'leaver') lines.push(message);
    });
    expect(world.assembly.lastWords('leaver.service').map(({ line }) => line)).toEqual(['early']);
    world.edit([web]);
    await world.reload();
    world.pass();
    expect(world.supervisor.service('leaver.service')).toBeUndefined();
    expect(lines).toEqual([]);
    world.pass(20_000);
    expect(lines).toEqual(['late']);
    expect(world.assembly.lastWords('leaver.service')).toEqual([]);
  });

  it('closes the descriptors that a removed service has stored', async () => {
    const world = running([web, simpleService('keeper', { type: 'notify' })], {
      scripts: {
        keeper: {
          steps: [
            { do: 'notify', text: 'FDSTORE=1', descriptors: 2 },
            { do: 'notify', text: 'READY=1' },
            { do: 'hang' },
          ],
        },
      },
    });
    world.edit([web]);
    const before = world.kernel.openDescriptors.size;
    await world.reload();
    world.pass();
    expect([before, world.kernel.openDescriptors.size]).toEqual([2, 0]);
  });
});
