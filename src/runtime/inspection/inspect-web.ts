import { join } from 'node:path';
import { warning } from '../../model/log/messages.ts';
import { messageOf } from '../../model/words/errno.ts';
import type { InspectRequest } from '../../model/words/inspect-request.ts';
import { hubSource } from './hub-source.ts';
import { loopback, newToken } from './inspect-door.ts';
import type { AttachInspector } from './inspector-port.ts';
import { servePage } from './page-server.ts';

/** Serves the inspector page from chaperone itself. */
export const attach: AttachInspector<Extract<InspectRequest, { kind: 'ws' | 'web' }>> = (
  hub,
  { address = loopback, port = 0 },
  { announce, say },
) => {
  const source = hubSource(hub);
  const server = servePage({
    door: { address, token: newToken() },
    port,
    assets: join(__dirname, 'inspect-page'),
    source,
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
