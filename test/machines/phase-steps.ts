import type { ServicePhase } from '../../src/model/service/service-phase.ts';

/** The phases that may follow each phase: services are checked against this table, the system is explored with it. */
export const phaseSteps: Readonly<Record<ServicePhase, readonly ServicePhase[]>> = {
  // Only by hand.
  disabled: ['starting'],
  pending: ['starting', 'stopped'],
  starting: ['ready.running', 'ready.exited', 'exited', 'ready.scheduled', 'stopping', 'backoff', 'failed'],
  'ready.running': ['exited', 'stopping', 'backoff', 'failed'],
  // The daemon that the start has left names itself.
  'ready.exited': ['ready.running', 'stopping', 'stopped'],
  exited: ['ready.running', 'stopping', 'stopped'],
  'ready.scheduled': ['stopping'],
  stopping: ['stopped', 'backoff', 'failed'],
  backoff: ['starting', 'stopped'],
  stopped: ['starting'],
  failed: ['starting', 'stopped'],
};
