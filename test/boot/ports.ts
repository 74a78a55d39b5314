/** Ports and clients for services that listen. */
import { createConnection, createServer, type Server } from 'node:net';
import { onTestFinished } from 'vitest';

/** A free port, chosen by the system. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server, 0);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A port that is in use until the test ends. */
export async function busyPort(host?: string): Promise<number> {
  const server = createServer();
  onTestFinished(() => {
    server.close();
  });
  return listen(server, 0, host);
}

function listen(server: Server, port: number, host?: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(port, host, () => {
      const address = server.address();
      if (typeof address === 'object' && address !== null) resolve(address.port);
      else reject(new Error('the server has no port'));
    });
  });
}

/** Sends a text and closes the sending side; resolves with all received text once the other side has closed, too. */
export function talk(port: number, text: string, host = '127.0.0.1'): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ port, host, allowHalfOpen: true });
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('end', () => resolve(answer));
    socket.on('error', reject);
    socket.end(text);
  });
}

/** Connects, and resolves with the first piece of text; the connection stays open until the other side closes it. */
export function connected(port: number, host = '127.0.0.1'): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ port, host });
    socket.setEncoding('utf8').once('data', resolve);
    socket.on('error', reject);
  });
}
