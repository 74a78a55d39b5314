/** Metrics and health over TCP, and what somebody who reaches the port can do with it. */
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { ask, ctl, edit, telchap, up } from './by-hand.ts';
import { freePort } from './ports.ts';

const sleeper = { command: '/bin/sleep 1000', startup_pause: 0 };

async function begun(listen = '127.0.0.1') {
  const port = await freePort();
  const address = listen.includes(':') ? `[${listen}]` : listen;
  const system = await up({
    settings: { metrics: { listen: `${address}:${port}` } },
    'web.service': sleeper,
    'other.service': sleeper,
  });
  return { port, system };
}

/** Sends bytes, and gives all that comes back. */
function exchange(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    let heard = '';
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(heard));
  });
}

const get = (port: number, path: string, head = 'Host: 127.0.0.1\r\n', method = 'GET') =>
  exchange(port, `${method} ${path} HTTP/1.1\r\n${head}\r\n`);

describe('the port of metrics', { timeout: 120_000 }, () => {
  it('gives what the control socket gives, and whether all is ready', async () => {
    const { port, system } = await begun();
    const there = await get(port, '/metrics');
    expect(there).toMatch(/^HTTP\/1\.1 200 OK\r\ncontent-type: text\/plain; version=0\.0\.4/);
    const families = (text: string) => [...text.matchAll(/^# TYPE (\S+ \S+)$/gm)].map(([, name]) => name);
    expect(families(there)).toEqual(families(await ask(system, 'GET', '/metrics')));
    expect(there).toContain('chaperone_service_state{service="web",state="ready"} 1');
    expect(await get(port, '/healthz')).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nready\n$/);
    await telchap(system, 'stop', '--wait', 'web');
    // An answer is given again for a second.
    let answer = '';
    while (!answer.includes(' 503 ')) answer = await get(port, '/healthz');
    expect(answer).toMatch(/\r\n\r\nweb is not ready: waits for a start/);
  });

  it('takes no other method, path, body or name, and nothing that is no HTTP', async () => {
    const { port } = await begun();
    const first = async (answer: Promise<string>) => (await answer).split('\r\n')[0];
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])
      expect(await first(get(port, '/metrics', 'Host: localhost\r\n', method))).toMatch(/^HTTP\/1\.1 405 /);
    for (const path of ['/', '/v1/services', '/v1/commands', '/metrics/', '/..%2fmetrics', '//metrics'])
      expect(await first(get(port, path))).toMatch(/^HTTP\/1\.1 404 /);
    for (const host of ['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example:80'])
      expect(await first(get(port, '/metrics', `Host: ${host}\r\n`))).toMatch(/^HTTP\/1\.1 421 /);
    for (const host of ['localhost', `LOCALHOST:${port}`, '[::1]', `127.0.0.1:${port}`])
      expect(await first(get(port, '/healthz', `Host: ${host}\r\n`))).toMatch(/^HTTP\/1\.1 200 /);
    expect(await get(port, '/metrics', 'Host: localhost\r\n', 'HEAD')).toMatch(/\r\n\r\n$/);
    for (const nonsense of [
      '\x00\x01\x02\r\n\r\n',
      'GET\r\n\r\n',
      `GET / HTTP/1.1\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`,
    ])
      expect(await exchange(port, nonsense)).toMatch(/^(?:HTTP\/1\.1 4\d\d |$)/);
    expect(await first(exchange(port, 'CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n'))).toBe('');
    const upgrade = 'Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
    expect(await first(get(port, '/metrics', upgrade))).toBe('');
  });

  it('is not kept from others by clients that say nothing, little, or too many of them', async () => {
    const { port, system } = await begun();
    const silent = Array.from({ length: 60 }, () => exchange(port, ''));
    const slow = connect(port, '127.0.0.1');
    slow.on('error', () => undefined);
    const drip = setInterval(() => slow.write('G'), 200);
    const ended = Promise.all(silent);
    await ended;
    clearInterval(drip);
    slow.destroy();
    expect(await get(port, '/healthz')).toMatch(/^HTTP\/1\.1 200 OK/);
    expect((await ctl(system, 'status')).status).toBe(0);
  });

  it('goes and comes with a reload, and a port that is taken keeps nothing from starting', async () => {
    const { port, system } = await begun();
    edit(system, { 'web.service': sleeper });
    await ctl(system, 'reload');
    expect(await get(port, '/metrics')).toBe('');
    const { port: taken } = await begun();
    const second = await up({ settings: { metrics: { listen: taken } }, 'web.service': sleeper });
    await second.waitForLine(new RegExp(`metrics cannot be served at 127\\.0\\.0\\.1 port ${taken}: EADDRINUSE`));
  });
});
