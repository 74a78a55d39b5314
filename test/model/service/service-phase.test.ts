import { expect, it } from 'vitest';
import { publicStateOf } from '../../../src/model/service/public-state.ts';
import { isEnded, isLive, type ServicePhase } from '../../../src/model/service/service-phase.ts';

/** Each phase with: has it a process or is it about to, is nothing to happen any more, its name outside. */
const phases: readonly (readonly [ServicePhase, boolean, boolean, string])[] = [
  ['disabled', false, true, 'disabled'],
  ['pending', false, false, 'pending'],
  ['starting', true, false, 'starting'],
  ['running', true, false, 'ready'],
  ['done', false, false, 'ready'],
  ['exited', false, false, 'exited'],
  ['scheduled', true, false, 'ready'],
  ['stopping', true, false, 'stopping'],
  ['backoff', true, false, 'backoff'],
  ['stopped', false, true, 'stopped'],
  ['failed', false, true, 'failed'],
];

it.each(phases)('%s is live: %s, ended: %s, outside: %s', (phase, live, ended, outside) => {
  expect([isLive(phase), isEnded(phase), publicStateOf(phase)]).toEqual([live, ended, outside]);
});
