import { Boundary } from '../../control/boundary.ts';
import { Hub, type HubBounds } from '../../inspect/hub.ts';
import { describeEnd } from '../../model/service/describe-end.ts';
import { type InspectionPorts, inspectionSource } from './inspection-source.ts';

export interface Inspection {
  readonly hub: Hub;
}

/** Makes the inspection of an assembly, which all inspectors share. Nothing is installed until somebody inspects. */
export function inspect(ports: InspectionPorts, bounds: Partial<HubBounds> = {}): Inspection {
  const hub = new Hub(inspectionSource(ports), bounds);
  const boundary = new Boundary(ports.onError);
  ports.assembly.outcome$.subscribe({
    next: ({ exitStatus, end }) =>
      boundary.run(() => hub.tell({ type: '@chaperone.end', exitStatus, cause: describeEnd(end) })),
    // When a machine breaks, the daemon reports the error itself and exits without an end.
    error: () => undefined,
  });
  return { hub };
}
