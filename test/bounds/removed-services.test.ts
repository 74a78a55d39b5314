/** A container may be reloaded for years, each time with services of other names: nothing may be kept by a name that is gone. */
import { expect, it } from 'vitest';
import { Spans } from '../../src/facts/spans.ts';
import { Transitions } from '../../src/facts/transitions.ts';
import type { Configured } from '../../src/runtime/boot/configure.ts';
import { Reloader } from '../../src/runtime/boot/reloader.ts';
import { inspect } from '../../src/runtime/inspection/inspection.ts';
import type { Script } from '../../src/runtime/simulated/script.ts';
import { serviceSpec } from '../model/specs.ts';
import { supervised } from '../simulation/supervised.ts';
import { createWorld, systemOf } from '../simulation/world.ts';
import { keptStrings } from './kept-strings.ts';

const rounds = 20;
const perRound = 3;
/** The last ones may still be remembered, until the next reload or until a promise is dropped. */
const mayStay = 3;

it('nothing is kept of services that reloads have taken out', async () => {
  const crash: Script = {
    steps: [
      { do: 'wait', ms: 500 },
      { do: 'exit', code: 1 },
    ],
  };
  const hang: Script = { steps: [{ do: 'hang' }] };
  const restless = serviceSpec({
    name: 'restless.service',
    command: 'crash',
    argv: ['crash'],
    restart: true,
    restartLimit: 1e9,
    restartDelay: 10,
  });
  const guests = (round: number) =>
    Array.from({ length: perRound }, (_, nth) =>
      serviceSpec({
        name: `guest-${round}-${nth}.service`,
        command: nth === 0 ? 'crash' : 'hang',
        argv: [nth === 0 ? 'crash' : 'hang'],
        ignoreFailures: true,
        restart: true,
        ...(nth === 1 ? { type: 'notify', pidfile: '/run/guest.pid' } : {}),
        ...(nth === 2 ? { prerequisites: [`guest-${round}-1.service`], logRate: { lines: 1, per: 1_000 } } : {}),
      }),
    );
  const system = (round: number) =>
    systemOf([restless, ...guests(round)], { logging: [], detectExit: false, enableSyslog: false });
  const world = createWorld(
    system(0),
    { has: () => true, script: ([name]) => (name === 'crash' ? crash : hang) },
    { trace: false, keepNotices: false },
  );
  const { assembly, kernel, clock } = world;
  let round = 0;
  const reloader = new Reloader({
    kernel,
    clock,
    assembly,
    configure: async (): Promise<Configured> => ({
      spec: system(round),
      diagnostics: [],
      messages: [],
      path: '/etc/chaperone.d',
    }),
    prepare: async () => undefined,
  });
  const { hub } = inspect(
    {
      assembly,
      kernel,
      clock,
      version: '0',
      onError: (error) => {
        throw error;
      },
    },
    { ring: 50, records: 50 },
  );
  const supervisor = supervised(
    { assembly, kernel, clock, inspection: { hub } },
    { reload: (request) => reloader.reload(request) },
  );
  hub.watch({ records: true, onEntry: () => true });
  const spans = new Spans(() => undefined);
  const transitions = new Transitions();
  const services = () => assembly.spec().services;
  spans.configure(services());
  assembly.feed.facts$.subscribe((fact) => {
    spans.take(fact);
    transitions.take(fact);
  });
  assembly.start();
  const pass = (ms: number): void => {
    clock.run(clock.now() + ms);
    // The simulated kernel keeps all that was spawned and written, for tests.
    kernel.spawned.length = 0;
  };
  pass(2_000);
  for (round = 1; round <= rounds; round += 1) {
    const reloaded = supervisor.reload({ dryRun: false, force: false });
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    pass(5_000);
    await reloaded;
    spans.configure(services());
  }
  // The rings are filled with what the services that are still there do.
  for (let turn = 0; turn < 10; turn += 1) pass(60_000);
  const kept = keptStrings(/guest-\d+/);
  const generations = new Map([...kept].map(([text, way]) => [Number(/guest-(\d+)/.exec(text)?.[1]), way]));
  expect(generations.has(rounds)).toBe(true);
  // XState keeps the input of the first actor, with the first configuration in it.
  const old = [...generations].filter(([generation]) => generation > 0 && generation < rounds - mayStay);
  expect(old).toEqual([]);
});
