/** The states in which a service's chart can be found between two events. */
export const serviceStages = [
  'disabled',
  'pending',
  'starting.asking',
  'starting.beforeStart',
  'starting.spawning',
  'starting.settling',
  'starting.awaitingExit',
  'starting.awaitingPidfile',
  'starting.awaitingNotify',
  'starting.awaitingProbe',
  'starting.afterStart',
  'ready.running',
  'ready.exited',
  'ready.scheduled',
  'exited',
  'stopping.beforeStop',
  'stopping.stopCommand',
  'stopping.terminating',
  'stopping.clearing',
  'stopping.draining',
  'stopping.killing',
  'stopping.afterStop',
  'backoff',
  'stopped',
  'failed',
] as const;

export type ServiceStage = (typeof serviceStages)[number];

export function isServiceStage(path: string): path is ServiceStage {
  return serviceStages.some((stage) => stage === path);
}
