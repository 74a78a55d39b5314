import { describe, expect, it, vi } from 'vitest';
import { statePath } from '../../src/facts/transition.ts';
import type { Entry } from '../../src/inspect/entry.ts';
import { Registry } from '../../src/inspect/registry.ts';
import { inspect } from '../../src/runtime/inspection/inspection.ts';
import { Random } from './random.ts';
import { randomWorld } from './random-world.ts';
import { supervised } from './supervised.ts';
import { createWorld, serviceActors, simpleService, systemOf, type World } from './world.ts';

const seeds = Array.from({ length: 60 }, (_, index) => index + 1);
const secret = 'hunter2';

function record(world: World, options: { readonly records?: boolean } = {}): readonly Entry[] {
  const entries: Entry[] = [];
  world.inspection.hub.watch({
    ...options,
    onEntry: (entry) => {
      entries.push(entry);
      return true;
    },
  });
  return entries;
}

/** Every state of every actor, in order, as XState itself reports them. */
function watchXState({ assembly }: World): readonly string[] {
  const seen: string[] = [];
  assembly.system.system.inspect((event) => {
    // Steps that an actor takes while it is made belong to the state in which it begins.
    if (event.type !== '@xstate.microstep' || event.event.type === 'xstate.init') return;
    const value = 'value' in event.snapshot ? statePath(event.snapshot.value) : '';
    seen.push(`${event.actorRef.sessionId} ${event.event.type} ${value} ${event.snapshot.status}`);
  });
  return seen;
}

function fold(entries: readonly Entry[]): readonly Entry[] {
  const registry = new Registry();
  for (const entry of entries) registry.apply(entry);
  return registry.entries();
}

describe('the entries of random worlds', () => {
  it.each(seeds)('tell every step of every machine, in order (seed %i)', (seed) => {
    const world = randomWorld(seed, secret);
    const entries = record(world);
    const expected = watchXState(world);
    world.assembly.start();
    world.clock.run();
    const machines = new Set(
      entries.flatMap((entry) =>
        entry.type === '@xstate.actor' && entry.machine !== undefined ? [entry.sessionId] : [],
      ),
    );
    const steps = entries.flatMap((entry) =>
      entry.type === '@xstate.snapshot' && machines.has(entry.sessionId)
        ? [`${entry.sessionId} ${entry.event.type} ${statePath(entry.snapshot.value)} ${entry.snapshot.status}`]
        : [],
    );
    expect(steps).toEqual(expected);
    expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, index) => index + 1));
    expect(entries.at(0)?.type).toBe('@chaperone.boot');
    expect(entries.at(-1)).toMatchObject({ type: '@chaperone.end', exitStatus: world.output()?.exitStatus });
    expect(JSON.parse(JSON.stringify(entries))).toEqual(entries);
  });

  it.each(seeds.slice(0, 20))('never hold an environment, or the words of a command (seed %i)', (seed) => {
    const world = randomWorld(seed, secret);
    const entries = record(world, { records: true });
    world.assembly.start();
    world.clock.run();
    expect(entries.filter((entry) => JSON.stringify(entry).includes(secret))).toEqual([]);
  });

  it.each(seeds.slice(0, 20))('lead to the same for who comes late, whatever is kept (seed %i)', (seed) => {
    const random = new Random(seed);
    const world = randomWorld(seed, secret);
    const ports = {
      assembly: world.assembly,
      kernel: world.kernel,
      clock: world.clock,
      version: '0.0.0',
      onError: (error: unknown) => {
        throw error;
      },
    };
    const { hub } = inspect(ports, { ring: random.integer(1, 60), queue: random.integer(1, 20) });
    const early: Entry[] = [];
    hub.watch({ onEntry: (entry) => early.push(entry) > 0 });
    const compare = (): void => {
      const late: Entry[] = [];
      hub.watch({ onEntry: (entry) => late.push(entry) > 0 }).close();
      expect(fold(late)).toEqual(fold(early));
    };
    for (let looks = 5; looks > 0; looks -= 1) world.clock.setTimeout(compare, random.integer(0, 20_000));
    world.assembly.start();
    world.clock.run();
    compare();
    expect(early.length).toBeGreaterThan(10);
  });

  it.each(seeds.slice(0, 20))('have the states of now for who comes when nobody has watched (seed %i)', (seed) => {
    const world = randomWorld(seed, secret);
    world.watch?.close();
    const look = (): void => {
      const { value, status } = world.assembly.system.getSnapshot();
      const seen = new Map<string, string>();
      const watch = world.inspection.hub.watch({
        onEntry: (entry) => {
          if (entry.type === '@xstate.actor') seen.set(entry.name, statePath(entry.snapshot.value));
          return true;
        },
      });
      watch.close();
      expect(seen.get('system')).toBe(statePath(value));
      if (status !== 'active') return;
      for (const [name, ref] of serviceActors(world)) {
        expect([name, seen.get(name)]).toEqual([name, statePath(ref.getSnapshot().value)]);
      }
    };
    for (let at = 0; at < 20_000; at += 1_234) world.clock.setTimeout(look, at);
    world.assembly.start();
    world.clock.run();
  });
});

it('nothing is installed while nobody watches', () => {
  const world = createWorld(systemOf([simpleService('web')]), {
    has: () => true,
    script: () => ({ steps: [{ do: 'hang' }] }),
  });
  world.watch?.close();
  const installed = vi.spyOn(world.assembly.system.system, 'inspect');
  world.assembly.start();
  expect(installed).not.toHaveBeenCalled();
  const told: Entry[] = [];
  const watch = world.inspection.hub.watch({ records: true, onEntry: (entry) => told.push(entry) > 0 });
  expect(installed).toHaveBeenCalledTimes(1);
  const subscription = installed.mock.results[0]?.value;
  const ended = vi.spyOn(subscription, 'unsubscribe');
  watch.close();
  expect(ended).toHaveBeenCalledTimes(1);
  const before = told.length;
  world.clock.setTimeout(() => world.kernel.deliver('SIGTERM'), 5_000);
  world.clock.run();
  expect(world.output()?.exitStatus).toBe(0);
  expect(told.length).toBe(before);
});

it('orphans, records and the end are told', () => {
  const world = createWorld(systemOf([simpleService('web'), simpleService('daemon')]), {
    has: () => true,
    script: ([name]) => ({
      steps:
        name === 'web'
          ? [{ do: 'print', text: 'hello\n' }, { do: 'hang' }]
          : [
              {
                do: 'fork',
                script: {
                  steps: [
                    { do: 'wait', ms: 100 },
                    { do: 'exit', code: 3 },
                  ],
                },
                detached: true,
              },
            ],
    }),
  });
  const entries = record(world, { records: true });
  world.assembly.start();
  world.clock.setTimeout(() => world.kernel.deliver('SIGTERM'), 1_000);
  world.clock.run();
  expect(entries).toContainEqual(
    expect.objectContaining({
      type: '@chaperone.fact',
      fact: expect.objectContaining({ type: 'orphan.reaped', status: { kind: 'exited', code: 3 } }),
    }),
  );
  expect(entries).toContainEqual(
    expect.objectContaining({ type: '@chaperone.log', service: 'web.service', message: 'hello' }),
  );
  expect(entries.at(-1)).toMatchObject({ type: '@chaperone.end', exitStatus: 0, cause: 'SIGTERM' });
});

it('commands beside the services are told by their pids, not by their words', () => {
  const world = createWorld(systemOf([simpleService('web')]), {
    has: () => true,
    script: ([name]) => ({
      steps:
        name === 'web'
          ? [{ do: 'hang' }]
          : [
              { do: 'wait', ms: 50 },
              { do: 'exit', code: 4 },
            ],
    }),
  });
  const supervisor = supervised(world, { version: '0.0.0', environment: { PASSWORD: secret } });
  const entries = record(world);
  world.assembly.start();
  supervisor.run(['tool', secret]);
  world.clock.setTimeout(() => world.kernel.deliver('SIGTERM'), 1_000);
  world.clock.run();
  const commands = entries.flatMap((entry) =>
    entry.type === '@chaperone.fact' && entry.fact.type.startsWith('command') ? [entry.fact] : [],
  );
  expect(commands).toMatchObject([
    { type: 'command.began', at: 0 },
    { type: 'command.ended', at: 50, status: { kind: 'exited', code: 4 } },
  ]);
  expect(JSON.stringify(entries)).not.toContain(secret);
});

it('a configuration that is replaced is told before what it brings', () => {
  const before = systemOf([simpleService('web')]);
  const after = systemOf([simpleService('web', { killSignal: 'SIGQUIT' }), simpleService('new')]);
  const world = createWorld(before, { has: () => true, script: () => ({ steps: [{ do: 'hang' }] }) });
  const entries = record(world);
  world.assembly.start();
  world.clock.setTimeout(
    () =>
      world.assembly.reload(after, {
        steps: [
          { action: 'change', name: 'web.service', reasons: [] },
          { action: 'start', name: 'new.service', reasons: [] },
        ],
        settings: [],
      }),
    1_000,
  );
  world.clock.setTimeout(() => world.kernel.deliver('SIGTERM'), 2_000);
  world.clock.run();
  const at = entries.findIndex(({ type }) => type === '@chaperone.reload');
  expect(entries[at]).toMatchObject({
    services: [{ name: 'web.service', killSignal: 'SIGQUIT' }, { name: 'new.service' }],
  });
  expect(entries.findIndex((entry) => entry.type === '@xstate.actor' && entry.name === 'new.service')).toBeGreaterThan(
    at,
  );
  expect(entries.filter(({ type }) => type === '@chaperone.reload')).toHaveLength(1);
});
