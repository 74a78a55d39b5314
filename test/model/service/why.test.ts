import { describe, expect, it } from 'vitest';
import { scheduledMachine } from '../../../src/machines/scheduled.ts';
import { serviceMachine } from '../../../src/machines/service.ts';
import { isScheduled } from '../../../src/model/schedule/scheduled-runs.ts';
import type { ServiceType } from '../../../src/model/service/service-spec.ts';
import { isServiceStage, serviceStages } from '../../../src/model/service/service-stage.ts';
import { explainState, type Hold, type WaitFacts } from '../../../src/model/service/why.ts';
import { leaves } from '../../machines/explore.ts';
import { serviceSpec } from '../specs.ts';

function facts(changes: Partial<WaitFacts>): WaitFacts {
  return { stage: 'pending', since: 5, spec: serviceSpec(), hold: { kind: 'none' }, restartsUsed: 0, ...changes };
}

const types: readonly ServiceType[] = ['simple', 'oneshot', 'forking', 'notify', 'inetd', 'cron'];
const holds: Readonly<Record<Hold['kind'], Hold>> = {
  prerequisites: { kind: 'prerequisites', names: ['store.service'] },
  blocked: { kind: 'blocked', names: ['store.service'], roots: ['store.service'] },
  stage: { kind: 'stage', group: 'IDLE', names: ['store.service'] },
  ending: { kind: 'ending' },
  idleDelay: { kind: 'idleDelay' },
  reload: { kind: 'reload', names: ['store.service'] },
  none: { kind: 'none' },
};
/** The states of both charts, in which a service can be found. */
const stages = new Set([...leaves(serviceMachine), ...leaves(scheduledMachine)]);
/** Where a service does what it is for: it waits for nothing. */
const content = ['ready.running', 'ready.exited', 'exited'];

/** Everything that may be known beside the state, in all combinations that read differently. */
function variations(stage: WaitFacts['stage']): readonly WaitFacts[] {
  return types.flatMap((type) =>
    [true, false].flatMap((restart) =>
      Object.values(holds).flatMap((hold) =>
        ([undefined, 'start', 'verdict', 'restart'] as const).flatMap((afterStop) =>
          [
            {},
            { pid: 12, left: 3_000, cause: 'exit 1', nextRun: 60_000, running: 50, restartsUsed: 2 },
            { pid: 0, running: 1, restartsUsed: 5, stopAfter: ['web.service'] },
          ].map((more) =>
            facts({
              stage,
              hold,
              spec: serviceSpec({ type, restart, interval: '@daily', port: 80, pidfile: '/run/x' }),
              ...(afterStop === undefined ? {} : { afterStop }),
              ...more,
            }),
          ),
        ),
      ),
    ),
  );
}

describe('why a service is where it is', () => {
  it('is known for each state of the two charts, and for no other', () => {
    expect([...serviceStages].sort()).toEqual([...stages].sort());
  });

  it.each([...stages])('has a condition, an owner, a time and what comes next for %s', (leaf) => {
    if (!isServiceStage(leaf)) throw new Error(`${leaf} is no stage`);
    for (const given of variations(leaf)) {
      const why = explainState(given);
      for (const part of [why.sentence, why.owner, why.next]) expect(part).toMatch(/^\S.*\S$/);
      if (!content.includes(leaf) || given.stopAfter !== undefined) {
        expect(why.condition).toMatch(/^\S.*\S$/);
        expect(why.sentence).toBe(`waits for ${why.condition}; ${why.next}`);
      }
      expect(why.since).toBe(5);
      expect(`${why.sentence} ${why.owner}`).not.toMatch(/undefined|NaN|\bnull\b|\?| {2}/);
    }
  });

  it('tells the states of what is scheduled apart, where it waits there', () => {
    const of = (type: ServiceType, stage: WaitFacts['stage'], running = 0) =>
      explainState(
        facts({ stage, running, spec: serviceSpec({ type, port: 80, interval: '@daily', maxConnections: 2 }) }),
      ).sentence;
    const sentences: Readonly<Record<string, readonly string[]>> = {
      'starting.spawning': [of('inetd', 'starting.spawning'), of('cron', 'starting.spawning')],
      'ready.scheduled': [of('inetd', 'ready.scheduled', 1), of('cron', 'ready.scheduled')],
      'ready.scheduled, full': [of('inetd', 'ready.scheduled', 2), of('cron', 'ready.scheduled', 1)],
      'stopping.draining': [of('inetd', 'stopping.draining', 2), of('cron', 'stopping.draining', 1)],
      'stopping.terminating': [of('inetd', 'stopping.terminating', 2), of('cron', 'stopping.terminating', 1)],
      'stopping.clearing': [of('inetd', 'stopping.clearing'), of('cron', 'stopping.clearing')],
      'stopping.killing': [of('inetd', 'stopping.killing', 2), of('cron', 'stopping.killing', 1)],
      // The system is ending: held up by what has to end first.
      retired: [explainState(facts({ stage: 'ready.scheduled', stopAfter: ['web.service'] })).sentence],
    };
    expect(sentences).toMatchInlineSnapshot(`
      {
        "ready.scheduled": [
          "waits for connections on port 80; one process starts for each connection",
          "waits for its next run; then a run starts; its result does not affect the next run",
        ],
        "ready.scheduled, full": [
          "waits for one of its 2 connections to end (max_connections); the next client in the backlog is served",
          "waits for its next run; then a run starts, unless the present run still goes on",
        ],
        "retired": [
          "waits for web to end; then it is told to stop",
        ],
        "starting.spawning": [
          "waits for port 80 to be bound; then it is ready, or failed where the port is taken",
          "waits for the schedule "@daily" to be read; then it is ready, or failed where the schedule makes no sense",
        ],
        "stopping.clearing": [
          "waits for the remaining processes of its run to end after SIGTERM; else SIGKILL; then stopped",
          "waits for the remaining processes of its run to end after SIGTERM; else SIGKILL; then stopped",
        ],
        "stopping.draining": [
          "waits for its 2 processes to finish; no new run starts; then stopped",
          "waits for its process to finish; no new run starts; then stopped",
        ],
        "stopping.killing": [
          "waits for the kernel to end its 2 processes after SIGKILL; then stopped",
          "waits for the kernel to end its process after SIGKILL; then stopped",
        ],
        "stopping.terminating": [
          "waits for its 2 processes to end after SIGTERM; else SIGKILL; then stopped",
          "waits for its process to end after SIGTERM; else SIGKILL; then stopped",
        ],
      }
    `);
    expect(types.filter(isScheduled)).toEqual(['inetd', 'cron']);
  });

  it.each<[Partial<WaitFacts>, string]>([
    [
      { stage: 'ready.running', spec: serviceSpec({ restart: true, restartLimit: 3 }), restartsUsed: 2, pid: 7 },
      'runs; after an abnormal end: restart in 3 s, 1 left',
    ],
    [
      { hold: { kind: 'stage', group: 'INIT', names: ['a', 'b', 'c', 'd', 'e'].map((n) => `${n}.service`) } },
      'waits for the INIT services: a, b, c, d, e; then it starts',
    ],
    [
      { hold: { kind: 'prerequisites', names: ['store.service', 'prepare.service'] } },
      'waits for store, prepare to be ready; then it starts',
    ],
    [
      { hold: { kind: 'blocked', names: ['store.service'], roots: ['store.service'] } },
      'waits for store, which does not become ready by itself; it never starts unless store is started',
    ],
    [
      { hold: { kind: 'blocked', names: ['cache.service'], roots: ['store.service', 'disk.service'] } },
      'waits for cache, which does not become ready by itself; it never starts unless store, disk are started',
    ],
    [
      { hold: { kind: 'stage', group: 'INIT', names: ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((n) => `${n}.service`) } },
      'waits for the INIT services: a, b, c, d, e and 2 more; then it starts',
    ],
    [
      {
        stage: 'starting.awaitingNotify',
        spec: serviceSpec({ type: 'notify', restart: true }),
        restartsUsed: 2,
        left: 27_000,
        pid: 88,
      },
      'waits for READY=1 on its notify socket; after 27 s: failed, then restart 3 of 5',
    ],
    [
      { stage: 'backoff', spec: serviceSpec({ restart: true }), restartsUsed: 1, left: 2_100, cause: 'exit 1' },
      'waits for restart_delay to pass (2.1 s left); restart 1 of 5, after exit 1',
    ],
    [
      { stage: 'stopping.terminating', pid: 5, left: 8_000 },
      'waits for pid 5 to end after SIGTERM; after 8 s: SIGKILL; then stopped',
    ],
    [
      { stage: 'stopping.killing', pid: 5, afterStop: 'start' },
      'waits for the kernel to end pid 5 after SIGKILL; then it starts again',
    ],
    [
      { stage: 'stopping.terminating', pid: 5, afterStop: 'verdict', cause: 'not ready in 30 s' },
      'waits for pid 5 to end after SIGTERM; else SIGKILL; then failed: not ready in 30 s',
    ],
    [
      { stage: 'disabled' },
      'waits for somebody to enable it; "start --enable" enables and starts it; as long as it is disabled, no other service waits for it',
    ],
    [{ stage: 'exited' }, 'its process has ended normally; "reset" and "start" run it again'],
    [
      { stage: 'stopping.clearing', left: 2_000, cause: 'exit 1' },
      'waits for the remaining processes of its run to end after SIGTERM; after 2 s: SIGKILL; then failed, after exit 1',
    ],
    [
      { stage: 'stopping.clearing', spec: serviceSpec({ restart: true }) },
      'waits for the remaining processes of its run to end after SIGTERM; else SIGKILL; then a restart, or failed',
    ],
    [
      { stage: 'stopping.clearing', spec: serviceSpec({ restart: true }), afterStop: 'restart', cause: 'exit 1' },
      'waits for the remaining processes of its run to end after SIGTERM; else SIGKILL; then restart 1 of 5, after exit 1',
    ],
    [
      { stage: 'stopping.clearing', spec: serviceSpec({ restart: true }), afterStop: 'verdict', restartsUsed: 5 },
      'waits for the remaining processes of its run to end after SIGTERM; else SIGKILL; then failed, and no restart is left',
    ],
    [
      { stage: 'ready.running', stopAfter: ['web.service'], afterStop: 'start' },
      'waits for web to end; then it is told to stop, and starts again',
    ],
  ])('%#', (given, sentence) => {
    expect(explainState(facts(given)).sentence).toBe(sentence);
  });
});
