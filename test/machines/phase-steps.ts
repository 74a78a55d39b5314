import type { ServicePhase } from '../../src/model/service/service-phase.ts';

/** The phases that may follow each phase: services are checked against this table, the system is explored with it. */
export const phaseSteps: Readonly<Record<ServicePhase, readonly ServicePhase[]>> = {
  // Only by hand.
  disabled: ['starting'],
  pending: ['starting', 'stopped'],
  // To `stopped` where a forking service has left nothing, and its probes are still to pass.
  starting: [
    'disabled',
    'ready.running',
    'ready.exited',
    'exited',
    'ready.scheduled',
    'stopping',
    'stopped',
    'backoff',
    'failed',
  ],
  'ready.running': ['exited', 'stopping', 'backoff', 'failed'],
  // The daemon that the start has left names itself.
  // A service fails in these and in its pause only because of its prerequisite.
  'ready.exited': ['ready.running', 'stopping', 'stopped', 'failed'],
  exited: ['ready.running', 'stopping', 'stopped', 'failed'],
  'ready.scheduled': ['stopping'],
  // The hooks of after_stop follow a normal end, too.
  stopping: ['stopped', 'backoff', 'failed', 'exited', 'ready.exited'],
  backoff: ['starting', 'stopped', 'failed'],
  stopped: ['starting'],
  failed: ['starting', 'stopped'],
};
