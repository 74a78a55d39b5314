import type { Entry } from '../../src/inspect/entry.ts';
import type { SystemSpec } from '../../src/model/service/service-spec.ts';
import type { SimulatedPrograms } from '../../src/runtime/simulated/simulated-kernel.ts';
import { createWorld } from '../simulation/world.ts';

const hanging: SimulatedPrograms = { has: () => true, script: () => ({ steps: [{ do: 'hang' }] }) };

/** All entries of a boot in virtual time, from its beginning to the end that SIGTERM brings after 10 s. */
export function recorded(spec: SystemSpec, programs: SimulatedPrograms = hanging): readonly Entry[] {
  const world = createWorld(spec, programs);
  const entries: Entry[] = [];
  world.inspection.hub.watch({
    records: true,
    onEntry: (entry) => {
      entries.push(entry);
      return true;
    },
  });
  world.assembly.start();
  world.clock.setTimeout(() => world.kernel.deliver('SIGTERM'), 10_000);
  world.clock.run();
  return entries;
}
