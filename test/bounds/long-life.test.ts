/** A container may live for years: memory for runs that are over must not grow with their number. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import type { AnyActorRef } from 'xstate';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import type { Script } from '../../src/runtime/simulated/script.ts';
import { tries } from '../effort.ts';
import { createWorld, serviceActors, simpleService, systemOf } from '../simulation/world.ts';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

/** Runs between two breaks, in which the test runner is answered. */
const atOnce = 1_000;
/** Runs before the measurement, until everything that is made only once has been made. */
const warmUp = 2_000;
/** The most bytes that a run may leave behind: less than the smallest object. */
const mostBytes = 40;
const patience = 180_000;

interface Life {
  readonly runs: number;
  /** Bytes that each ended run has left. */
  readonly bytesPerRun: number;
  /** Every id that an actor of the service has had. */
  readonly ids: readonly string[];
}

/** Runs one service whose program ends soon, again and again. @param rhythm ms from one run to the next */
async function live(spec: ServiceSpec, script: Script, runs: number, rhythm: number): Promise<Life> {
  let spawned = 0;
  // No line is logged, because the simulated kernel keeps all lines.
  const world = createWorld(
    systemOf([spec], { logging: [], detectExit: false, enableSyslog: false }),
    {
      has: () => true,
      script: () => {
        spawned += 1;
        return script;
      },
    },
    { trace: false, keepNotices: false },
  );
  const { assembly, clock, kernel } = world;
  assembly.start();
  const ids = new Set<string>();
  const actor: AnyActorRef | undefined = serviceActors(world).get(spec.name);
  actor?.subscribe(({ children }) => {
    for (const id of Object.keys(children)) ids.add(id);
  });
  const pass = async (count: number): Promise<number> => {
    const end = clock.now() + count * rhythm;
    while (clock.now() < end) {
      clock.run(Math.min(end, clock.now() + atOnce * rhythm));
      // The simulated kernel records every request for tests.
      kernel.spawned.length = 0;
      // The test runner gives up on a process that does not answer for a minute.
      await new Promise((resolve) => setImmediate(resolve));
    }
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = await pass(warmUp);
  const warm = spawned;
  const after = await pass(runs);
  return { runs: spawned - warm, bytesPerRun: (after - before) / (spawned - warm), ids: [...ids].sort() };
}

const exits = (code: number): Script => ({
  steps: [
    { do: 'wait', ms: 10 },
    { do: 'exit', code },
  ],
});

describe('what is kept of runs that are over does not grow', () => {
  const many = tries(25_000, 50_000);
  it(`for ${many} runs of a cron service`, { timeout: patience }, async () => {
    const job = simpleService('job', { type: 'cron', interval: '* * * * * *' });
    const { runs, bytesPerRun, ids } = await live(job, exits(0), many, 1_000);
    expect(runs).toBe(many);
    expect(bytesPerRun).toBeLessThan(mostBytes);
    expect(ids).toEqual(['trigger', 'unit-1']);
  });

  it('for 10,000 restarts of a simple service', { timeout: patience }, async () => {
    const restarts = { restart: true, restartDelay: 0, restartLimit: Number.MAX_SAFE_INTEGER, startupPause: 0 };
    const { runs, bytesPerRun, ids } = await live(simpleService('web', restarts), exits(1), 10_000, 10);
    expect(runs).toBe(10_000);
    expect(bytesPerRun).toBeLessThan(mostBytes);
    expect(ids).toEqual(['unit']);
  });
});
