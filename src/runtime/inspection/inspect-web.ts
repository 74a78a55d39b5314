import { join } from 'node:path';
import { Boundary } from '../../control/boundary.ts';
import { warning } from '../../model/log/messages.ts';
import { messageOf } from '../../model/words/errno.ts';
import type { InspectRequest } from '../../model/words/inspect-request.ts';
import { gateAct } from './gate-act.ts';
import { hubSource } from './hub-source.ts';
import { loopback, newToken } from './inspect-door.ts';
import type { AttachInspector } from './inspector-port.ts';
import { servePage } from './page-server.ts';

/** Serves the inspector page from chaperone itself. */
export const attach: AttachInspector<Extract<InspectRequest, { kind: 'web' }>> = (
  hub,
  { address = loopback, port = 0, act },
  { announce, say, control, clock },
) => {
  const source = hubSource(hub, () => control?.supervisor.recentRecords() ?? []);
  const onError = (error: unknown): void => say(warning(`a request to the inspector page failed: ${messageOf(error)}`));
  const server = servePage({
    door: { address, token: newToken() },
    port,
    assets: join(__dirname, 'inspect-page'),
    source,
    ...(act === true && control !== undefined ? { act: gateAct(control, clock, new Boundary(onError)) } : {}),
    onError,
  });
  server.url.then(
    (url) => announce(`inspect at ${url}`),
    (error: unknown) => say(warning(`cannot inspect to web: ${messageOf(error)}`)),
  );
  return async () => {
    await server.end();
    source.close();
  };
};
