/** Joins the control socket with the code that answers, which is loaded at the first request. */
import type { Socket } from 'node:net';
import { Boundary } from '../../control/boundary.ts';
import type { ControlCounts } from '../../control/metrics.ts';
import { type Caller, createRights } from '../../control/rights.ts';
import type { ControlServer } from '../../control/server.ts';
import type { Supervisor } from '../../control/supervisor.ts';
import { type Message, warning } from '../../model/log/messages.ts';
import type { ControlPolicy } from '../../model/service/control-policy.ts';
import { codeOf, messageOf } from '../../model/words/errno.ts';
import type { Clock } from '../kernel.ts';
import type { NativeEdge } from '../linux/native.ts';
import { onDemand } from '../on-demand.ts';
import type { ControlSocket } from './control-socket.ts';

type PeerEdge = Pick<NativeEdge, 'peerCredentials' | 'peerGroups'>;

export interface ServeControlOptions {
  readonly socket: ControlSocket;
  readonly supervisor: Supervisor;
  readonly edge: PeerEdge;
  readonly clock: Clock;
  /** Chaperone's own uid. */
  readonly uid: number;
  /** The policy of the configuration in force. */
  readonly policy: () => ControlPolicy;
  readonly say: (message: Message) => void;
}

/** @returns the measurements of the control surface */
export function serveControl(options: ServeControlOptions): () => ControlCounts {
  const { socket, say } = options;
  let loaded: ControlServer | undefined;
  const server = onDemand(async () => {
    loaded = await loadServer(options);
    return loaded;
  });
  const boundary = new Boundary((error) => say(warning(`the control socket cannot be served: ${messageOf(error)}`)));
  const withServer = (use: (server: ControlServer) => void, giveUp: () => void): void =>
    boundary.settle(server().then(use), giveUp);
  socket.serve(
    (connection) =>
      withServer(
        (ready) => ready.accept(connection),
        () => connection.destroy(),
      ),
    (chunk) =>
      withServer(
        (ready) => ready.takeLines(chunk),
        () => undefined,
      ),
    {
      end: async () => loaded?.end(),
      shutdownCallersGone: async () => loaded?.shutdownCallersGone(),
    },
  );
  return () => loaded?.counts() ?? { connections: 0, refused: 0, unread: 0 };
}

async function loadServer(options: ServeControlOptions): Promise<ControlServer> {
  const { supervisor, edge, clock, uid, policy, say } = options;
  const { ControlServer } = await import('../../control/server.ts');
  return new ControlServer({
    supervisor,
    rights: createRights({ uid, policy }),
    now: () => clock.now(),
    timers: clock,
    callerOf: (connection) => callerOf(edge, connection),
    isAlive,
    onError: (error) => say(warning(`a request to the control socket failed: ${String(error)}`)),
    onLine: ({ kind, text }) => {
      if (kind !== 'done') say(warning(`a command in the FIFO was not carried out: ${text.split('\n')[0]}`));
    },
  });
}

function callerOf(edge: PeerEdge, connection: Socket): Caller | undefined {
  try {
    const fd = descriptorOf(connection);
    if (fd === undefined) return undefined;
    const { pid, uid, gid } = edge.peerCredentials(fd);
    return { uid, gid, groups: groupsOf(edge, fd), ...(pid > 0 ? { pid } : { isForeign: true }) };
  } catch {
    return undefined;
  }
}

/** True while there is such a process, also one that nobody has reaped yet. */
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** The peer's groups; only the primary one where the kernel does not tell them (gVisor, Linux before 4.13). */
function groupsOf(edge: PeerEdge, fd: number): readonly number[] {
  try {
    return edge.peerGroups(fd);
  } catch {
    return [];
  }
}

/** The descriptor of a connection, from an undocumented field: Node has no other access to it. */
function descriptorOf(connection: Socket): number | undefined {
  if (!('_handle' in connection)) return undefined;
  const { _handle: handle } = connection;
  if (typeof handle !== 'object' || handle === null || !('fd' in handle)) return undefined;
  return typeof handle.fd === 'number' && handle.fd >= 0 ? handle.fd : undefined;
}
