import { describe, expect, it } from 'vitest';
import { explainState, serviceStages, type WaitFacts } from '../../src/model/why.ts';
import { serviceSpec } from './specs.ts';

function facts(changes: Partial<WaitFacts>): WaitFacts {
  return { stage: 'pending', spec: serviceSpec(), hold: { kind: 'none' }, restartsUsed: 0, ...changes };
}

describe('explainState', () => {
  it.each(serviceStages)('has a sentence, an owner and what comes next for %s', (stage) => {
    const why = explainState(facts({ stage }));
    for (const part of [why.sentence, why.owner, why.next]) expect(part).toMatch(/^\S.*\S$/);
    expect(`${why.sentence} ${why.owner}`).not.toMatch(/undefined|NaN|\bnull\b/);
  });

  it.each<[Partial<WaitFacts>, string]>([
    [
      { hold: { kind: 'prerequisites', names: ['store.service', 'prepare.service'] } },
      'waits for store, prepare to be ready; then it starts',
    ],
    [
      { hold: { kind: 'blocked', names: ['store.service'] } },
      'waits for store, which ended without becoming ready; it never starts unless that is started',
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
      'waits for pid 5 to end after SIGTERM; after 8 s: SIGKILL',
    ],
  ])('%#', (given, sentence) => {
    expect(explainState(facts(given)).sentence).toBe(sentence);
  });
});
