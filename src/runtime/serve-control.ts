/** Joins the control socket with what answers on it, which is loaded once somebody asks. */
import type { Socket } from 'node:net';
import { type Caller, createRights, type Grant } from '../control/rights.ts';
import type { ControlServer } from '../control/server.ts';
import type { Supervisor } from '../control/supervisor.ts';
import { type Message, warning } from '../model/messages.ts';
import type { ControlSocket } from './control-socket.ts';
import type { Clock } from './kernel.ts';
import type { NativeEdge } from './native.ts';

export interface ServeControlOptions {
  readonly socket: ControlSocket;
  readonly supervisor: Supervisor;
  readonly edge: Pick<NativeEdge, 'peerCredentials'>;
  readonly clock: Clock;
  /** The accounts that may do everything, besides root. */
  readonly owners: readonly number[];
  readonly grants: readonly Grant[];
  readonly say: (message: Message) => void;
}

export function serveControl(options: ServeControlOptions): void {
  const { socket, say } = options;
  let server: Promise<ControlServer> | undefined;
  const withServer = (use: (server: ControlServer) => void): void => {
    server ??= loadServer(options);
    server.then(use, (error: unknown) => say(warning(`the control socket cannot be served: ${String(error)}`)));
  };
  socket.serve(
    (connection) => withServer((ready) => ready.accept(connection)),
    (chunk) => withServer((ready) => ready.takeLines(chunk)),
  );
}

async function loadServer(options: ServeControlOptions): Promise<ControlServer> {
  const { supervisor, edge, clock, owners, grants, say } = options;
  const { ControlServer } = await import('../control/server.ts');
  return new ControlServer({
    supervisor,
    rights: createRights({ owners, grants, isMember: () => false }),
    now: () => clock.now(),
    timers: clock,
    callerOf: (connection) => callerOf(edge, connection),
    onError: (error) => say(warning(`a request to the control socket failed: ${String(error)}`)),
    onLine: ({ kind, text }) => {
      if (kind !== 'done') say(warning(`a command in the FIFO was not carried out: ${text.split('\n')[0]}`));
    },
  });
}

function callerOf(edge: Pick<NativeEdge, 'peerCredentials'>, connection: Socket): Caller | undefined {
  try {
    const fd = descriptorOf(connection);
    return fd === undefined ? undefined : edge.peerCredentials(fd);
  } catch {
    return undefined;
  }
}

/** Node tells the descriptor of a connection nowhere else. */
function descriptorOf(connection: Socket): number | undefined {
  if (!('_handle' in connection)) return undefined;
  const { _handle: handle } = connection;
  if (typeof handle !== 'object' || handle === null || !('fd' in handle)) return undefined;
  return typeof handle.fd === 'number' && handle.fd >= 0 ? handle.fd : undefined;
}
