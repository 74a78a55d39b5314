import type { ServicePhase } from '../../src/model/service-phase.ts';

/** Which phase of a service may follow which. The service chart is held to it, and the system chart explored with it. */
export const phaseSteps: Readonly<Record<ServicePhase, readonly ServicePhase[]>> = {
  // By hand.
  disabled: ['starting'],
  pending: ['starting', 'stopped'],
  starting: ['running', 'exited', 'scheduled', 'stopping', 'backoff', 'failed'],
  running: ['exited', 'stopping', 'backoff', 'failed'],
  exited: ['starting', 'running', 'stopping', 'stopped'],
  scheduled: ['stopping'],
  stopping: ['starting', 'stopped', 'backoff', 'failed'],
  backoff: ['starting', 'stopped'],
  stopped: ['starting'],
  failed: ['starting', 'stopped'],
};
