import type { ServicePhase } from './service-phase.ts';

/** The states of a service as everybody outside knows them (reference, "Names of states"). */
export const publicStates = [
  'disabled',
  'pending',
  'starting',
  'ready',
  'exited',
  'stopping',
  'backoff',
  'stopped',
  'failed',
] as const;

export type PublicState = (typeof publicStates)[number];

/** The states of the system as everybody outside knows them; what follows on `draining` is the end of chaperone. */
export const systemStates = ['booting', 'up', 'draining'] as const;

export type SystemState = (typeof systemStates)[number];

/** `ready` is one state outside, whatever makes a service ready. */
export function publicStateOf(phase: ServicePhase): PublicState {
  switch (phase) {
    case 'ready.running':
    case 'ready.exited':
    case 'ready.scheduled':
      return 'ready';
    case 'disabled':
    case 'pending':
    case 'starting':
    case 'exited':
    case 'stopping':
    case 'backoff':
    case 'stopped':
    case 'failed':
      return phase;
  }
}
