/** The list of inspectors that `--inspect` knows. The code of each is loaded only where it is asked for. */
import type { Hub } from '../../inspect/hub.ts';
import type { InspectRequest } from '../../model/words/inspect-request.ts';
import type { CloseInspector, InspectorPorts } from './inspector-port.ts';

export async function attachInspector(
  hub: Hub,
  request: InspectRequest,
  ports: InspectorPorts,
): Promise<CloseInspector> {
  switch (request.kind) {
    case 'terminal':
    case 'json':
      return (await import('./inspect-terminal.ts')).attach(hub, request, ports);
    case 'ws':
      return (await import('./inspect-ws.ts')).attach(hub, request, ports);
    case 'journal':
      return (await import('./journal.ts')).attach(hub, request, ports);
    case 'web':
      return (await import('./inspect-web.ts')).attach(hub, request, ports);
  }
}
