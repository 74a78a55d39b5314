import { expect, it } from 'vitest';
import { publicStateOf } from '../../../src/model/service/public-state.ts';
import {
  isEnded,
  isLive,
  phaseOfPath,
  type ServicePhase,
  servicePhases,
} from '../../../src/model/service/service-phase.ts';
import { serviceStages } from '../../../src/model/service/service-stage.ts';

/** Each phase with: has it a process or is it about to, is nothing to happen any more, its name outside. */
const phases: readonly (readonly [ServicePhase, boolean, boolean, string])[] = [
  ['disabled', false, true, 'disabled'],
  ['pending', false, false, 'pending'],
  ['starting', true, false, 'starting'],
  ['ready.running', true, false, 'ready'],
  ['ready.exited', false, false, 'ready'],
  ['exited', false, false, 'exited'],
  ['ready.scheduled', true, false, 'ready'],
  ['stopping', true, false, 'stopping'],
  ['backoff', true, false, 'backoff'],
  ['stopped', false, true, 'stopped'],
  ['failed', false, true, 'failed'],
];

it.each(phases)('%s is live: %s, ended: %s, outside: %s', (phase, live, ended, outside) => {
  expect([isLive(phase), isEnded(phase), publicStateOf(phase)]).toEqual([live, ended, outside]);
});

/** The first part of a path: `starting` of `starting.settling`. */
function compoundOf(path: string): string {
  return path.split('.')[0] ?? '';
}

it.each(
  serviceStages,
)('the state %s of a chart lies in exactly one phase: itself, or the compound state around it', (stage) => {
  const around = servicePhases.filter((phase) => phase === stage || phase === compoundOf(stage));
  expect(around).toEqual([phaseOfPath(stage)]);
});

it.each(servicePhases)('the phase %s has a state of a chart in it', (phase) => {
  expect(serviceStages.map(phaseOfPath)).toContain(phase);
});

it.each(servicePhases)('the public name of the phase %s is the first part of its path', (phase) => {
  expect(publicStateOf(phase)).toBe(compoundOf(phase));
});

it.each(['starting', 'stopping'])('%s as a whole is a phase', (path) => {
  expect(phaseOfPath(path)).toBe(path);
});

it.each(['ready', 'judging', 'starting-up', ''])('no phase is known for %j', (path) => {
  expect(phaseOfPath(path)).toBeUndefined();
});
