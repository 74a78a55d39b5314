import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { Boundary } from '../../control/boundary.ts';
import type { Hub } from '../../inspect/hub.ts';
import { Registry } from '../../inspect/registry.ts';
import { toWire } from '../../inspect/wire.ts';
import { warning } from '../../model/log/messages.ts';
import { messageOf } from '../../model/words/errno.ts';
import type { InspectRequest } from '../../model/words/inspect-request.ts';
import { admits, type Door, loopback, newToken, urlHost } from './inspect-door.ts';
import type { AttachInspector } from './inspector-port.ts';

/** The most inspectors at the same time. */
const mostWatchers = 16;
/** The most connections at the same time, including those that are refused. */
const mostConnections = 64;
/** ms until a request has to be complete. */
const requestTime = 5_000;
/** The most bytes that wait for one inspector; further entries wait in the hub, which drops the oldest. */
const mostWaiting = 256 * 1024;
/** The most bytes of a message from an inspector; inspectors have nothing to send. */
const longestMessage = 1_024;

/** RFC 6455, section 7.4.1. */
const goingAway = 1001;

/** Sends entries in the format of `@statelyai/inspect`, so that its tools can read them. */
export const attach: AttachInspector<Extract<InspectRequest, { kind: 'ws' }>> = (
  hub,
  { address = loopback, port = 0 },
  { announce, say },
) => {
  const door: Door = { address, token: newToken() };
  // The hub keeps the entries from the beginning on for the first inspector, whenever it connects.
  const keeping = hub.watch({ onEntry: () => true });
  const sockets = new WebSocketServer({ noServer: true, maxPayload: longestMessage });
  const boundary = new Boundary((error) => say(warning(`a connection to the inspector failed: ${messageOf(error)}`)));
  const server = createServer({ requestTimeout: requestTime, headersTimeout: requestTime }, (_, response) =>
    response.writeHead(426, { connection: 'close' }).end(),
  );
  server.maxConnections = mostConnections;
  boundary.emitter(server, () => undefined);
  boundary.emitter(sockets, () => undefined);
  server.on('connection', (socket) =>
    boundary.emitter(socket, () => {
      socket.destroy();
    }),
  );
  const take = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on('error', () => socket.destroy());
    const { port: own } = addressOf(server.address());
    const refused = admits(door, own, request);
    if (refused !== undefined || sockets.clients.size >= mostWatchers) {
      socket.end(`HTTP/1.1 ${refused ?? '503 Service Unavailable'}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (watcher) => serve(hub, watcher, boundary));
  };
  server.on('upgrade', (request, socket, head) =>
    boundary.run(
      () => take(request, socket, head),
      () => {
        socket.destroy();
      },
    ),
  );
  server.on('error', (error) => say(warning(`cannot inspect to ws: ${error.message}`)));
  server.listen({ host: address, port }, () => {
    const { port: own } = addressOf(server.address());
    announce(`inspect at ws://${urlHost(address)}:${own}/?token=${door.token}`);
  });
  return async () => {
    keeping.close();
    server.close();
    await Promise.all([...sockets.clients].map(farewell));
  };
};

function serve(hub: Hub, watcher: WebSocket, boundary: Boundary): void {
  const giveUp = (): void => watcher.terminate();
  boundary.emitter(watcher, giveUp);
  const registry = new Registry();
  const onSent = boundary.guard((): void => {
    if (watcher.bufferedAmount < mostWaiting / 2) watch.resume();
  }, giveUp);
  const watch = hub.watch({
    onEntry: (entry) => {
      registry.apply(entry);
      const message = toWire(entry, registry);
      if (message === undefined || watcher.readyState !== watcher.OPEN) return true;
      watcher.send(JSON.stringify(message), () => queueMicrotask(onSent));
      return watcher.bufferedAmount < mostWaiting;
    },
  });
  watcher.on('error', () => watcher.terminate());
  watcher.on('close', () => watch.close());
}

/** Closes a connection after the data on its way; resolves once they have arrived, or the inspector is gone. */
function farewell(watcher: WebSocket): Promise<void> {
  return new Promise((resolve) => {
    watcher.once('close', () => resolve());
    watcher.close(goingAway);
  });
}

function addressOf(address: AddressInfo | string | null): { readonly port: number } {
  return typeof address === 'object' && address !== null ? address : { port: 0 };
}
