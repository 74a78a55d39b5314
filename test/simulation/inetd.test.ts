import { describe, expect, it } from 'vitest';
import type { ServiceSpec, SystemSpec } from '../../src/model/service/service-spec.ts';
import type { Script } from '../../src/runtime/simulated/script.ts';
import type { SimulatedPrograms } from '../../src/runtime/simulated/simulated-kernel.ts';
import { createWorld, simpleService, systemOf, type World } from './world.ts';

interface InetdWorld extends World {
  pass(ms: number): void;
  log(): string;
  /** Resets the service by hand, which ends its handlers. */
  reset(): void;
}

const greets: Script = {
  steps: [
    { do: 'print', text: 'hello\n' },
    { do: 'wait', ms: 100 },
  ],
};
const hangs: Script = { steps: [{ do: 'print', text: 'hello\n' }, { do: 'hang' }] };

function inetdWorld(
  handler: Script,
  {
    service = {},
    system = {},
    programs = {},
    others = [],
  }: {
    readonly service?: Partial<ServiceSpec>;
    readonly system?: Partial<SystemSpec>;
    readonly programs?: Partial<SimulatedPrograms>;
    readonly others?: readonly ServiceSpec[];
  } = {},
): InetdWorld {
  const echo = simpleService('echo', { type: 'inetd', port: 80, maxConnections: 2, ...service });
  const world = createWorld(systemOf([echo, ...others], system), {
    has: () => true,
    script: () => handler,
    ...programs,
  });
  world.assembly.start();
  return {
    ...world,
    pass: (ms) => world.clock.run(world.clock.now() + ms),
    log: () => world.kernel.written.stdout,
    reset: () =>
      world.assembly.system.send({
        type: 'services.reset',
        names: [echo.name],
        force: false,
        at: world.clock.now(),
      }),
  };
}

describe('an inetd service', () => {
  it('is ready when it listens, and serves each client by a process of its own', () => {
    const world = inetdWorld(greets);
    world.pass(1);
    expect(world.log()).toContain(': inetd service echo.service listening on port 80\n');
    const clients = [world.kernel.connect(80), world.kernel.connect(80)];
    world.pass(10);
    expect(world.kernel.livePids).toHaveLength(2);
    world.pass(1_000);
    expect(clients).toEqual([
      { text: 'hello\n', ended: true },
      { text: 'hello\n', ended: true },
    ]);
    expect(world.log()).toContain(": echo.service received connection on port 80; attempting start 'echo'...\n");
    expect(world.kernel.openConnections).toBe(0);
  });

  it('serves max_connections at a time; the others wait, and none is lost', () => {
    const world = inetdWorld(greets);
    world.pass(1);
    const clients = Array.from({ length: 100 }, () => world.kernel.connect(80));
    let most = 0;
    for (let step = 0; step < 6_000; step += 10) {
      world.pass(10);
      most = Math.max(most, world.kernel.livePids.length);
    }
    expect(most).toBe(2);
    expect(clients.filter((client) => client?.text === 'hello\n' && client.ended)).toHaveLength(100);
  });

  it('lists what still runs when it is stopped, ends it, and closes the port', () => {
    const world = inetdWorld(hangs, { service: { maxConnections: 3 } });
    world.pass(1);
    for (let client = 0; client < 3; client += 1) world.kernel.connect(80);
    const waiting = world.kernel.connect(80);
    world.pass(10);
    world.kernel.deliver('SIGTERM');
    world.pass(10_000);
    expect(world.log()).toContain(': echo.service terminating 3 processes on port 80 that are still running\n');
    expect(world.log()).toContain(': echo.service still running: pid 2, 3, 4\n');
    expect(world.kernel.ports).toEqual([]);
    expect(waiting).toEqual({ text: '', ended: true });
    expect(world.output()).toMatchObject({ exitStatus: 0, stopped: ['echo.service'] });
    expect(world.clock.pending).toBe(0);
  });

  it('ends its handlers at a reset and goes on listening', () => {
    const world = inetdWorld(hangs);
    world.pass(1);
    const clients = [world.kernel.connect(80), world.kernel.connect(80), world.kernel.connect(80)];
    world.pass(10);
    world.reset();
    world.pass(10);
    expect(clients.map((client) => client?.ended)).toEqual([true, true, false]);
    expect(clients[2]?.text).toBe('hello\n');
    expect(world.log()).toContain('echo.service received reset');
  });

  it('logs a handler that fails, and a handler that cannot be started, and serves the next', () => {
    let spawns = 0;
    const fails: Script = { steps: [{ do: 'exit', code: 7 }] };
    const world = inetdWorld(fails, {
      programs: {
        fault: () => {
          spawns += 1;
          return spawns === 1 ? { code: 'EAGAIN', stage: 'clone' } : undefined;
        },
      },
    });
    world.pass(1);
    const clients = [world.kernel.connect(80), world.kernel.connect(80)];
    world.pass(100);
    expect(clients.map((client) => client?.ended)).toEqual([true, true]);
    expect(world.log()).toContain('inetd service echo.service failed to start: cannot create a process');
    expect(world.log()).toContain('echo.service connection handler with pid 2 ended with exit 7');
    expect(world.output()).toBeUndefined();
  });

  it('waits a moment without descriptors, says so once, and loses nobody', () => {
    let refused = 0;
    const world = inetdWorld(greets, {
      programs: {
        acceptFault: () => {
          refused += 1;
          return refused <= 3 ? 'EMFILE' : undefined;
        },
      },
    });
    world.pass(1);
    const client = world.kernel.connect(80);
    world.pass(2_900);
    expect(client?.text).toBe('');
    world.pass(1_000);
    expect(client?.text).toBe('hello\n');
    expect(world.log().match(/cannot take a connection on port 80 \(EMFILE\)/g)).toHaveLength(1);
  });

  it('is a system failure where its port is taken, and with ignore_failures is not', () => {
    const busy = { programs: { listenFault: () => 'EADDRINUSE' } };
    const failed = inetdWorld(greets, busy);
    failed.pass(10_000);
    expect(failed.output()).toMatchObject({
      exitStatus: 1,
      end: { kind: 'serviceFailed', cause: { kind: 'listen', port: 80, code: 'EADDRINUSE' } },
    });
    const ignored = inetdWorld(greets, {
      ...busy,
      service: { ignoreFailures: true },
      others: [simpleService('next', { prerequisites: ['echo.service'], type: 'oneshot' })],
    });
    ignored.pass(10_000);
    expect(ignored.log()).toContain('service echo.service ignoring failures. Exception: echo.service cannot listen');
    expect(ignored.log()).toContain('next.service attempting start');
    expect(ignored.output()).toMatchObject({ exitStatus: 0, end: { kind: 'noProcesses' } });
  });

  it('begins nothing any more once the system is ending, while something else still stops', () => {
    const world = inetdWorld(hangs, {
      others: [simpleService('slow', { prerequisites: ['echo.service'] })],
      programs: {
        script: ([name]) =>
          name === 'slow' ? { steps: [{ do: 'hang' }], onSignal: { SIGTERM: [{ do: 'wait', ms: 2_000 }] } } : hangs,
      },
    });
    world.pass(1_000);
    world.kernel.connect(80);
    world.pass(10);
    world.kernel.deliver('SIGTERM');
    world.pass(1_000);
    // The handler lives on until the service's turn to stop, but the port accepts no client.
    expect(world.kernel.livePids).toHaveLength(2);
    expect(world.kernel.connect(80)).toBeUndefined();
    world.pass(10_000);
    expect(world.output()).toMatchObject({ exitStatus: 0 });
  });

  it('keeps the system alive with nothing running', () => {
    const world = inetdWorld(greets);
    world.pass(60_000);
    expect(world.log()).toContain('system will remain active since there are scheduled services: echo.service');
    expect(world.output()).toBeUndefined();
  });
});

describe('the command without a terminal', () => {
  it('ends the system only where nothing is scheduled', () => {
    const command = simpleService('x', { name: 'CONSOLE', groups: ['IDLE'], ignoreFailures: true });
    const script = () => ({ steps: [{ do: 'wait', ms: 100 } as const, { do: 'exit', code: 3 } as const] });
    const alone = createWorld(systemOf([command]), { has: () => true, script });
    alone.assembly.start();
    alone.clock.run();
    expect(alone.output()).toMatchObject({ exitStatus: 3, end: { kind: 'noProcesses' } });

    const scheduled = inetdWorld(greets, { others: [command], programs: { script } });
    scheduled.pass(60_000);
    expect(scheduled.output()).toBeUndefined();
    expect(scheduled.log()).toContain('system will remain active');
  });
});
