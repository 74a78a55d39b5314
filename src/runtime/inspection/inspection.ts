import { Hub, type HubBounds } from '../../inspect/hub.ts';
import { describeEnd } from '../../model/service/describe-end.ts';
import { type InspectionPorts, inspectionSource } from './inspection-source.ts';

export interface Inspection {
  readonly hub: Hub;
}

/** Whatever is watched of an assembly is watched through this. Nothing is installed until somebody watches. */
export function inspect(ports: InspectionPorts, bounds: Partial<HubBounds> = {}): Inspection {
  const hub = new Hub(inspectionSource(ports), bounds);
  ports.assembly.outcome$.subscribe({
    next: ({ exitStatus, end }) => hub.tell({ type: '@chaperone.end', exitStatus, cause: describeEnd(end) }),
    // A machine broke: the daemon says so itself, and leaves without an end.
    error: () => undefined,
  });
  return { hub };
}
