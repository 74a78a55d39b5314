/** What follows the ends of services: the table of the reference, status and reasons, and the report of a shutdown. */

import { describe, expect, it } from 'vitest';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import type { Script } from '../../src/runtime/simulated/script.ts';
import { supervised } from './supervised.ts';
import { createWorld, simpleService, systemOf, type World } from './world.ts';

const second = 1_000;
const hangs: Script = { steps: [{ do: 'hang' }] };
const exits = (code: number, after = 0): Script => ({
  steps: [
    { do: 'wait', ms: after },
    { do: 'exit', code },
  ],
});

/** A system of `web` and `other`, which goes on. The last script of `web` is repeated. */
function worldOf(
  spec: Partial<ServiceSpec>,
  scripts: readonly Script[],
  more: Parameters<typeof systemOf>[1] = {},
): World {
  const left = [...scripts];
  return createWorld(systemOf([simpleService('web', spec), simpleService('other')], more), {
    has: () => true,
    script: ([name]) => (name === 'web' ? (left.length > 1 ? left.shift() : left[0]) : hangs),
  });
}

function begun(spec: Partial<ServiceSpec>, scripts: readonly Script[], more: Parameters<typeof systemOf>[1] = {}) {
  const world = worldOf(spec, scripts, more);
  const supervisor = supervised(world);
  world.assembly.start();
  const status = () => supervisor.service('web.service');
  return { ...world, supervisor, status, run: (seconds: number) => world.clock.run(seconds * second) };
}

const policies = {
  default: {},
  ignore_failures: { ignoreFailures: true },
  'on_failure: shutdown': { onFailure: 'shutdown' },
} as const;
type Policy = keyof typeof policies;

/** The exit status of the system, or where it goes on. */
function endOf({ output }: World): number | 'goes on' {
  return output()?.exitStatus ?? 'goes on';
}

describe('the table of events', () => {
  it.each<[Policy, number | 'goes on']>([
    ['default', 1],
    ['ignore_failures', 'goes on'],
    ['on_failure: shutdown', 7],
  ])('a start at boot fails: %s', (policy, expected) => {
    const tried = { restartPolicy: { startFailure: true }, restartLimit: 2, restartDelay: 100 };
    for (const spec of [{}, tried]) {
      const world = begun({ ...policies[policy], ...spec }, [exits(7)]);
      world.run(20);
      expect(endOf(world)).toBe(expected);
      expect(world.kernel.spawned.filter(({ request }) => request.argv[0] === 'web')).toHaveLength(
        'restartLimit' in spec ? 3 : 1,
      );
    }
  });

  it.each<[Policy, number | 'goes on']>([
    ['default', 'goes on'],
    ['ignore_failures', 'goes on'],
    ['on_failure: shutdown', 7],
  ])('a later failure: %s', (policy, expected) => {
    for (const spec of [{}, { restart: true, restartLimit: 2, restartDelay: 100 }]) {
      const world = begun({ ...policies[policy], ...spec }, [exits(7, second)]);
      world.run(20);
      expect(endOf(world)).toBe(expected);
      expect(world.kernel.spawned.filter(({ request }) => request.argv[0] === 'web')).toHaveLength(
        'restart' in spec ? 3 : 1,
      );
    }
  });

  it.each<Policy>(['default', 'ignore_failures', 'on_failure: shutdown'])('a start by hand fails: %s', (policy) => {
    const spec = {
      ...policies[policy],
      restartPolicy: { startFailure: true },
      restartLimit: 1,
      restartDelay: 100,
    } as const;
    const world = begun(spec, [hangs, exits(7)]);
    world.run(2);
    world.supervisor.stop(['web.service'], { disable: false, drain: false });
    world.run(3);
    world.supervisor.start(['web.service'], { enable: false, force: false });
    world.run(20);
    expect(endOf(world)).toBe('goes on');
    expect(world.status()).toMatchObject({ state: 'failed', cause: 'exit 7', restarts: { used: 1, left: 0 } });
  });

  it.each<[string, Partial<ServiceSpec>, Script]>([
    [
      'a watchdog',
      { type: 'notify', watchdog: second },
      { steps: [{ do: 'notify', text: 'READY=1' }, { do: 'hang' }] },
    ],
    ['a time-out', { type: 'oneshot', processTimeout: second }, hangs],
    ['a normal end too many', { restart: true, restartLimit: 1, restartPolicy: { always: true } }, exits(0)],
  ])('%s ends the system with 1, with on_failure: shutdown', (_, spec, script) => {
    const world = begun({ onFailure: 'shutdown', ...spec }, [script]);
    world.run(40);
    expect(endOf(world)).toBe(1);
  });
});

describe('on_success: shutdown', () => {
  it.each<[string, Partial<ServiceSpec>, Script, number]>([
    ['a simple service that ends with 0', {}, exits(0, second), 0],
    ['a simple service that ends within its startup_pause', {}, exits(0), 0],
    ['a oneshot', { type: 'oneshot' }, exits(0, second), 0],
    ['a oneshot that success_exit has', { type: 'oneshot', successExit: [3] }, exits(3), 3],
    [
      'an end by a signal',
      { successExit: ['SIGTERM'] },
      {
        steps: [
          { do: 'wait', ms: second },
          { do: 'die', signal: 'SIGTERM' },
        ],
      },
      143,
    ],
  ])('%s', (_, spec, script, expected) => {
    const world = begun({ onSuccess: 'shutdown', ...spec }, [script]);
    world.run(20);
    expect(endOf(world)).toBe(expected);
    expect(world.kernel.written.stdout).toContain(
      'web.service has ended normally, and the system ends with it (on_success: shutdown)',
    );
  });

  it('does not answer a stop by hand, nor a failure', () => {
    const stopped = begun({ onSuccess: 'shutdown' }, [
      { steps: [{ do: 'hang' }], onSignal: { SIGTERM: [{ do: 'exit', code: 0 }] } },
    ]);
    stopped.run(2);
    stopped.supervisor.stop(['web.service'], { disable: false, drain: false });
    stopped.run(20);
    expect(endOf(stopped)).toBe('goes on');
    const failed = begun({ onSuccess: 'shutdown' }, [exits(1, second)]);
    failed.run(20);
    expect(endOf(failed)).toBe('goes on');
  });
});

describe('the status of a service that is tried again', () => {
  it('says which try it is, when the next one comes, and that none is left', () => {
    const { run, status } = begun({ restart: true, restartLimit: 2, restartPolicy: { backoff: 2 } }, [
      exits(1, second),
    ]);
    run(0.7);
    expect(status()?.why.sentence).toBe('runs; after an abnormal end: restart in 3 s, 2 left');
    run(2);
    expect(status()).toMatchObject({ state: 'backoff', restarts: { used: 1, left: 1, nextIn: 2_000 } });
    expect(status()?.why.sentence).toBe('waits for restart_delay to pass (2 s left); restart 1 of 2, after exit 1');
    run(4.7);
    expect(status()?.why.sentence).toBe('runs; after an abnormal end: restart in 6 s, 1 left');
    run(6);
    expect(status()).toMatchObject({ state: 'backoff', restarts: { used: 2, left: 0, nextIn: 5_000 } });
    run(20);
    expect(status()).toMatchObject({ state: 'failed', restarts: { used: 2, left: 0, none: 'restart_limit: 2' } });
    expect(status()?.why.sentence).toContain('failed: exit 1, and no restart follows (restart_limit: 2); ');
  });

  it('says why no try follows', () => {
    const { run, status } = begun({ restart: true, restartPolicy: { prevent: [78] } }, [exits(78, second)]);
    run(5);
    expect(status()).toMatchObject({ state: 'failed', restarts: { used: 0, left: 5, none: 'restart_prevent: 78' } });
    expect(status()?.why.next).toMatch(/^failed: exit 78, and no restart follows \(restart_prevent: 78\)/);
  });

  it('has no number of tries left where there is no limit', () => {
    const spec = { restart: true, restartLimit: Number.POSITIVE_INFINITY, restartDelay: 100 };
    const { run, status } = begun(spec, [exits(1, 600)]);
    run(30);
    const { restarts } = status() ?? {};
    expect(restarts?.used).toBeGreaterThan(20);
    expect(restarts).not.toHaveProperty('left');
    expect(JSON.stringify(status())).not.toContain('null');
  });

  it('counts with a window what lies within it now', () => {
    const { run, status } = begun({ restart: true, restartDelay: 0, restartPolicy: { window: 10 * second } }, [
      exits(1, second),
      exits(1, second),
      hangs,
    ]);
    run(5);
    expect(status()?.restarts).toEqual({ used: 2, left: 3 });
    run(20);
    expect(status()?.restarts).toEqual({ used: 0, left: 5 });
  });

  it('is that of a port that is tried again, for inetd', () => {
    const spec = { type: 'inetd', port: 80, maxConnections: 2, restartPolicy: { startFailure: true } } as const;
    const taken = begun(spec, [hangs]);
    expect(taken.kernel.ports).toEqual([80]);
    let busy = true;
    const world = createWorld(systemOf([simpleService('web', spec), simpleService('other')]), {
      has: () => true,
      script: () => hangs,
      listenFault: () => (busy ? 'EADDRINUSE' : undefined),
    });
    const supervisor = supervised(world);
    world.assembly.start();
    world.clock.run(2 * second);
    expect(supervisor.service('web.service')).toMatchObject({ state: 'backoff', restarts: { used: 1, nextIn: 1_000 } });
    busy = false;
    world.clock.run(4 * second);
    expect(supervisor.service('web.service')).toMatchObject({ state: 'ready' });
    expect(world.kernel.ports).toEqual([80]);
  });
});

describe('dependents', () => {
  it('start after a normal end within startup_pause, and go on through the restarts', () => {
    const spec = { restart: true, restartPolicy: { always: true } } as const;
    const world = createWorld(
      systemOf([simpleService('web', spec), simpleService('user', { prerequisites: ['web.service'] })]),
      { has: () => true, script: ([name]) => (name === 'web' ? exits(0) : hangs) },
    );
    world.assembly.start();
    world.clock.run(40 * second);
    expect(world.transitions.filter((line) => /user .*→ ready\.running/.test(line))).toHaveLength(1);
    expect(world.kernel.written.stdout).toContain('web.service gave up after 5 restarts');
  });
});

describe('the report of a shutdown', () => {
  const log = ({ kernel }: World): readonly string[] =>
    kernel.written.stdout
      .split('\n')
      .flatMap((line) => /(?:chaperone\[1\]: )((?:shutdown took| {2}).*)/.exec(line)?.[1] ?? []);

  it('has a row for each service that was stopped, slowest first, and warns of those that were killed', () => {
    const slow: Script = {
      steps: [{ do: 'hang' }],
      onSignal: {
        SIGTERM: [
          { do: 'wait', ms: 700 },
          { do: 'exit', code: 0 },
        ],
      },
    };
    const stubborn: Script = { steps: [{ do: 'hang' }], onSignal: { SIGTERM: 'ignore' } };
    const services = ['slow', 'stubborn', 'quick', 'done'].map((name) => simpleService(name));
    const world = createWorld(systemOf(services, { shutdownTimeout: 2 * second }), {
      has: () => true,
      script: ([name]) =>
        name === 'slow' ? slow : name === 'stubborn' ? stubborn : name === 'done' ? exits(0) : hangs,
    });
    const moves: string[] = [];
    world.assembly.feed.facts$.subscribe((fact) => {
      if (fact.type === 'moved' && fact.to === 'halted') moves.push(JSON.stringify(fact.context['stops']));
    });
    world.assembly.start();
    world.clock.run(second);
    world.kernel.deliver('SIGTERM');
    world.clock.run(10 * second);
    expect(log(world)).toEqual([
      'shutdown took 1.800 s of 2.000 s; 3 services stopped:',
      '  stubborn.service  1.800 s  SIGTERM, then SIGKILL',
      '  slow.service      0.700 s  SIGTERM, exit 0',
      '  quick.service     0.000 s  SIGTERM',
    ]);
    const told = world.notices.filter(({ notice }) => notice.type === 'system.stopped');
    expect(told).toHaveLength(1);
    expect(moves).toEqual([
      JSON.stringify([
        { service: 'stubborn.service', took: 1_800, how: 'SIGTERM, then SIGKILL', killed: true },
        { service: 'slow.service', took: 700, how: 'SIGTERM, exit 0' },
        { service: 'quick.service', took: 0, how: 'SIGTERM' },
      ]),
    ]);
    expect(world.transitions.at(-1)).toMatch(/→ halted +no process is left; killed: stubborn$/);
  });

  it('says nothing where nothing had to be stopped', () => {
    const world = createWorld(systemOf([simpleService('done')]), { has: () => true, script: () => exits(0) });
    world.assembly.start();
    world.clock.run(10 * second);
    expect(world.output()?.exitStatus).toBe(0);
    expect(log(world)).toEqual([]);
  });
});
