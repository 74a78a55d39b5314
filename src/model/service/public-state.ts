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

/** `ready` is one state outside, whatever makes a service ready. */
export function publicStateOf(phase: ServicePhase): PublicState {
  switch (phase) {
    case 'running':
    case 'done':
    case 'scheduled':
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
