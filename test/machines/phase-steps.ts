import type { ServicePhase } from '../../src/model/service/service-phase.ts';

/** Which phase of a service may follow which. The charts of services are held to it, and the system chart explored with it. */
export const phaseSteps: Readonly<Record<ServicePhase, readonly ServicePhase[]>> = {
  // By hand.
  disabled: ['starting'],
  pending: ['starting', 'stopped'],
  starting: ['ready.running', 'ready.exited', 'exited', 'ready.scheduled', 'stopping', 'backoff', 'failed'],
  'ready.running': ['exited', 'stopping', 'backoff', 'failed'],
  // Its daemon says who it is.
  'ready.exited': ['ready.running', 'stopping', 'stopped'],
  exited: ['ready.running', 'stopping', 'stopped'],
  'ready.scheduled': ['stopping'],
  stopping: ['stopped', 'backoff', 'failed'],
  backoff: ['starting', 'stopped'],
  stopped: ['starting'],
  failed: ['starting', 'stopped'],
};
