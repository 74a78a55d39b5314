import { describe, expect, it } from 'vitest';
import { grantableActions } from '../../../src/model/service/control-policy.ts';
import { publicStateOf, publicStates, systemStates } from '../../../src/model/service/public-state.ts';
import {
  isAtRest,
  isEnded,
  isLive,
  isReadyPhase,
  liveCount,
  servicePhases,
} from '../../../src/model/service/service-phase.ts';

describe('the states that everybody knows', () => {
  it('are nine of a service, and three of the system', () => {
    expect(publicStates.join(' ')).toBe('disabled pending starting ready exited stopping backoff stopped failed');
    expect(systemStates.join(' ')).toBe('booting up draining');
  });

  it('tell nothing of what makes a service ready', () => {
    expect(servicePhases.filter((phase) => publicStateOf(phase) === 'ready')).toEqual(
      servicePhases.filter((phase) => phase.startsWith('ready.')),
    );
    const others = servicePhases.filter((phase) => !phase.startsWith('ready.'));
    expect(others.map(publicStateOf)).toEqual(others);
    expect(new Set(servicePhases.map(publicStateOf))).toEqual(new Set(publicStates));
  });
});

describe('a phase', () => {
  const sorted = (is: (phase: (typeof servicePhases)[number]) => boolean) => servicePhases.filter(is).sort();

  it('is live, ended, at rest or ready', () => {
    expect(sorted(isLive)).toEqual(['backoff', 'ready.running', 'ready.scheduled', 'starting', 'stopping']);
    expect(sorted(isEnded)).toEqual(['disabled', 'failed', 'stopped']);
    expect(sorted(isAtRest)).toEqual(['disabled', 'failed', 'pending', 'stopped']);
    expect(sorted(isReadyPhase)).toEqual(['exited', 'ready.exited', 'ready.running', 'ready.scheduled']);
  });

  it('is counted where it has, or is about to have, a process', () => {
    const none = {
      ...{ disabled: 0, pending: 0, starting: 0, 'ready.running': 0, 'ready.exited': 0, 'ready.scheduled': 0 },
      ...{ exited: 0, stopping: 0, backoff: 0, stopped: 0, failed: 0 },
    };
    expect(liveCount(none)).toBe(0);
    expect(liveCount({ ...none, starting: 1, 'ready.running': 20, backoff: 300, failed: 4_000, pending: 7 })).toBe(321);
  });
});

it('each action with a running chaperone may be granted', () => {
  expect(grantableActions.join(' ')).toBe(
    'start stop restart reset kill enable disable loglevel logs reload scale run run-now shutdown',
  );
});
