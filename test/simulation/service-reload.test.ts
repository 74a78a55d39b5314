import { describe, expect, it } from 'vitest';
import { parseLine } from '../../src/control/command-words.ts';
import { execute } from '../../src/control/execute.ts';
import { Meter } from '../../src/control/meter.ts';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import type { Script, Step } from '../../src/runtime/simulated/script.ts';
import { supervised } from './supervised.ts';
import { createWorld, simpleService, systemOf } from './world.ts';

const second = 1_000;

/** A service that is up, and that programs beside it may tell to reload. */
function reloadWorld(spec: Partial<ServiceSpec>, script: Script, helper: Script = { steps: [] }) {
  const spawned: Readonly<Record<string, string>>[] = [];
  const world = createWorld(systemOf([simpleService('web', spec)]), {
    has: () => true,
    script: ([word]) => (word === 'web' ? script : helper),
    spawnDelay: ({ argv: [word], environment }) => {
      if (word !== 'web') spawned.push(environment);
      return undefined;
    },
  });
  const supervisor = supervised(world);
  world.assembly.start();
  world.clock.run(2 * second);
  return {
    ...world,
    spawned,
    say: (line: string) => {
      const parsed = parseLine(line);
      if (parsed.kind !== 'command') throw new Error(`"${line}" is no command`);
      return execute(parsed.command, { supervisor, timers: world.clock, meter: new Meter() });
    },
    status: () => supervisor.service('web.service'),
    pass: (ms: number) => world.clock.run(world.clock.now() + ms),
    log: () => world.kernel.written.stdout.split('\n'),
  };
}

const notify = (text: string): Step => ({ do: 'notify', text });
const hang: Step = { do: 'hang' };
const hup = { kind: 'signal', signal: 'SIGHUP' } as const;
const command = { kind: 'command', command: 'web-ctl reload', argv: ['web-ctl', 'reload'] } as const;

/** A notify service that is ready, and does this at SIGHUP. */
const atHangup = (...steps: readonly Step[]): Script => ({
  steps: [notify('READY=1'), hang],
  onSignal: { SIGHUP: [...steps, hang] },
});

describe('the reload of a service by a signal', () => {
  it('sends it to the main process alone', async () => {
    const worker: Script = { steps: [hang] };
    const script: Script = {
      steps: [{ do: 'fork', script: worker }, hang],
      onSignal: { SIGHUP: [{ do: 'print', text: 'read again\n' }, hang] },
    };
    const world = reloadWorld({ reload: hup }, script);
    const answered = world.say('reload web');
    world.pass(second);
    expect(await answered).toEqual({ kind: 'done', text: 'services reloaded.' });
    expect(world.log().some((line) => line.includes('read again'))).toBe(true);
    expect(world.kernel.livePids).toHaveLength(2);
    expect(world.status()).toMatchObject({ state: 'ready', pid: expect.any(Number) });
  });

  it('waits for RELOADING=1 and the READY=1 that follows, and the status says so meanwhile', async () => {
    const script = atHangup(
      { do: 'wait', ms: second },
      notify('RELOADING=1'),
      { do: 'wait', ms: 3 * second },
      notify('READY=1'),
    );
    const world = reloadWorld({ type: 'notify', reload: hup }, script);
    const answered = world.say('reload web');
    world.pass(2 * second);
    expect(world.status()).toMatchObject({ state: 'ready', reloading: true });
    expect(world.status()?.why.sentence).toContain('waits for the end of its reload (reloading)');
    expect(await world.say('reload web')).toMatchObject({
      kind: 'refused',
      text: "Command error: can't reload services: web (it is reloading already)",
    });
    world.pass(3 * second);
    expect(await answered).toEqual({ kind: 'done', text: 'services reloaded.' });
    expect(world.status()).not.toHaveProperty('reloading');
    expect(world.log().some((line) => line.includes('web.service reloaded in 4 s'))).toBe(true);
  });

  it('takes no RELOADING=1 of an earlier reload, by its MONOTONIC_USEC', async () => {
    const script = atHangup(notify('RELOADING=1\nMONOTONIC_USEC=5'), notify('READY=1'));
    const world = reloadWorld({ type: 'notify', reload: hup, processTimeout: 5 * second }, script);
    const answered = world.say('reload web');
    world.pass(6 * second);
    expect(await answered).toMatchObject({
      kind: 'failed',
      text: 'Command error: web was not reloaded: no RELOADING=1 within 5 s (process_timeout)',
    });
    expect(world.status()).toMatchObject({
      state: 'ready',
      reloadFailure: 'no RELOADING=1 within 5 s (process_timeout)',
    });
  });

  it.each([
    { what: 'RELOADING=1', steps: [] },
    { what: 'READY=1', steps: [notify('RELOADING=1')] },
  ])('fails where $what does not come in time, and the service goes on', async ({ what, steps }) => {
    const world = reloadWorld({ type: 'notify', reload: hup, processTimeout: 5 * second }, atHangup(...steps));
    const answered = world.say('reload web');
    world.pass(6 * second);
    expect(await answered).toMatchObject({
      kind: 'failed',
      text: `Command error: web was not reloaded: no ${what} within 5 s (process_timeout)`,
    });
    expect(world.status()).toMatchObject({ state: 'ready' });
  });

  it('is given up where the service ends meanwhile', async () => {
    const world = reloadWorld({ type: 'notify', reload: hup, restart: true }, atHangup({ do: 'exit', code: 4 }));
    const answered = world.say('reload web');
    world.pass(second);
    expect(await answered).toMatchObject({ text: 'Command error: web was not reloaded: it has ended meanwhile' });
  });
});

describe('the reload of a service by a command', () => {
  const up: Script = { steps: [hang] };

  it('runs it with MAINPID, beside the service', async () => {
    const world = reloadWorld({ reload: command }, up, { steps: [{ do: 'wait', ms: second }] });
    const pid = world.status()?.pid;
    const answered = world.say('reload web');
    world.pass(2 * second);
    expect(await answered).toEqual({ kind: 'done', text: 'services reloaded.' });
    expect(world.spawned).toEqual([expect.objectContaining({ MAINPID: String(pid) })]);
    expect(world.status()).toMatchObject({ state: 'ready', pid });
    expect(world.status()).not.toHaveProperty('lastExit');
  });

  it('tells why it has failed, and ends what it has left', async () => {
    const helper: Script = {
      steps: [
        { do: 'fork', script: { steps: [hang] } },
        { do: 'exit', code: 3 },
      ],
    };
    const world = reloadWorld({ reload: command }, up, helper);
    const answered = world.say('reload web');
    world.pass(second);
    expect(await answered).toMatchObject({
      kind: 'failed',
      text: 'Command error: web was not reloaded: reload_command: exit 3',
    });
    expect(world.kernel.livePids).toHaveLength(1);
    expect(world.status()).toMatchObject({ state: 'ready', reloadFailure: 'reload_command: exit 3' });
  });

  it('kills it at the time-out, and where the service is stopped', async () => {
    const deaf: Script = { steps: [hang], onSignal: { SIGTERM: 'ignore' } };
    const world = reloadWorld({ reload: command, processTimeout: 5 * second }, up, deaf);
    const late = world.say('reload web');
    world.pass(6 * second);
    expect(await late).toMatchObject({
      text: 'Command error: web was not reloaded: no end of reload_command within 5 s (process_timeout)',
    });
    expect(world.kernel.livePids).toHaveLength(1);
    const cut = world.say('reload web');
    world.pass(second);
    await world.say('stop web');
    world.pass(second);
    expect(await cut).toMatchObject({ text: 'Command error: web was not reloaded: it has ended meanwhile' });
    expect(world.kernel.livePids).toEqual([]);
  });
});

describe('a reload that cannot begin', () => {
  it.each([
    { spec: {}, reason: 'it has neither reload_command nor reload_signal' },
    { spec: { enabled: false, reload: hup }, reason: 'it does not run' },
    { spec: { type: 'cron', interval: '@daily' } as const, reason: 'it has neither reload_command nor reload_signal' },
  ])('is refused: $reason', async ({ spec, reason }) => {
    const world = reloadWorld(spec, { steps: [hang] });
    expect(await world.say('reload web')).toMatchObject({
      kind: 'refused',
      reason: 'unreloadable',
      text: `Command error: can't reload services: web (${reason})`,
    });
  });

  it('takes no options of the reload of the configuration', async () => {
    const world = reloadWorld({ reload: hup }, { steps: [hang] });
    expect(await world.say('reload --dry-run web')).toMatchObject({ kind: 'mistake' });
  });
});
