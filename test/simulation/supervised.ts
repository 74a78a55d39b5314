/** The supervisor of a simulated system, which answers commands as that of a real one does. */
import { AssemblySupervisor, type ControlPorts } from '../../src/runtime/control/assembly-supervisor.ts';
import type { World } from './world.ts';

/** @param more what is not as usual: nothing is reloaded or scaled without it */
export function supervised(
  { assembly, kernel, clock, inspection }: Pick<World, 'assembly' | 'kernel' | 'clock' | 'inspection'>,
  more: Partial<ControlPorts> = {},
): AssemblySupervisor {
  return new AssemblySupervisor({
    assembly,
    kernel,
    clock,
    version: '1.2.3',
    environment: {},
    widen: () => undefined,
    reload: () => Promise.resolve({ kind: 'ending' }),
    scale: () => Promise.resolve({ kind: 'ending' }),
    inspection: () => Promise.resolve(inspection),
    ...more,
  });
}
