import type { PublicState, SystemState } from '../model/service/public-state.ts';

export type Hue = 'grey' | 'blue' | 'green' | 'cyan' | 'amber' | 'purple' | 'red';

/** States of a platform's containers that services do not have. */
type ContainerState = 'absent' | 'creating' | 'running';

/** By the first part of a state's path: that is a public state, or how the system's chart ends. */
const hues: Readonly<Record<PublicState | SystemState | 'halted' | ContainerState, Hue>> = {
  absent: 'grey',
  creating: 'blue',
  running: 'blue',
  disabled: 'grey',
  pending: 'grey',
  stopped: 'grey',
  halted: 'grey',
  starting: 'blue',
  booting: 'blue',
  ready: 'green',
  exited: 'cyan',
  up: 'green',
  stopping: 'amber',
  draining: 'amber',
  backoff: 'purple',
  failed: 'red',
};

const known: ReadonlyMap<string, Hue> = new Map(Object.entries(hues));

/** The colour of a state, the same wherever terminals show states; undefined for a path that is none of those. */
export function hueOf(path: string): Hue | undefined {
  return known.get(path.split('.')[0] ?? '');
}
