/** Attacks on what a page may do: from other origins, under other names, from other accounts, and too much of it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { Boundary } from '../../../src/control/boundary.ts';
import type { Caller } from '../../../src/control/rights.ts';
import type { Grant } from '../../../src/model/service/control-policy.ts';
import { gateAct } from '../../../src/runtime/inspection/gate-act.ts';
import type { PageRequest } from '../../../src/runtime/inspection/page-act.ts';
import { servePage } from '../../../src/runtime/inspection/page-server.ts';
import { callerAt } from '../../../src/runtime/inspection/peer-account.ts';
import { recordedSource } from '../../../src/runtime/inspection/recorded-source.ts';
import { VirtualClock } from '../../../src/runtime/simulated/virtual-clock.ts';
import { FakeSupervisor, serviceStatus } from '../../control/fake-supervisor.ts';

const token = '0123456789abcdef0123456789abcdef';
const joe: Caller = { uid: 1_000, gid: 1_000, groups: [] };
const root: Caller = { uid: 0, gid: 0, groups: [] };

interface Served {
  readonly url: URL;
  readonly supervisor: FakeSupervisor;
  /** What was asked of the supervisor. */
  readonly asked: () => readonly string[];
}

async function serve(
  caller: Caller,
  grants: readonly Grant[] = [],
  options: { readonly acts?: boolean } = {},
): Promise<Served> {
  const supervisor = new FakeSupervisor([serviceStatus('web.service', 'ready'), serviceStatus('db.service', 'ready')]);
  const clock = new VirtualClock();
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  const control = { supervisor, uid: 0, policy: () => ({ owners: [], grants }) };
  const server = servePage({
    door: { address: '127.0.0.1', token },
    port: 0,
    assets: '/nonexistent',
    source: recordedSource([]),
    callerOf: async () => caller,
    ...(options.acts === false ? {} : { act: gateAct(control, clock, new Boundary(onError)) }),
    onError,
  });
  onTestFinished(() => {
    server.close();
    expect(errors).toEqual([]);
  });
  return { url: new URL(await server.url), supervisor, asked: () => supervisor.asked };
}

interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body?: string;
}

const restart: PageRequest = { action: 'restart', service: 'web.service' };

/** What the page itself sends, with changes. */
function send({ url }: Served, { method = 'POST', path, headers = {}, body = JSON.stringify(restart) }: Sent = {}) {
  const all = { origin: url.origin, 'content-type': 'application/json', 'sec-fetch-site': 'same-origin', ...headers };
  const given = Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  return new Promise<{ readonly status: number; readonly body: string }>((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port: url.port,
        method,
        path: path ?? `${url.pathname}act`,
        headers: { ...(method === 'GET' ? {} : { 'content-length': Buffer.byteLength(body) }), ...given },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
      },
    );
    sent.on('error', reject);
    sent.end(method === 'GET' ? '' : body);
  });
}

it('the page restarts a service for who may', async () => {
  const served = await serve(root);
  expect(JSON.parse((await send(served, { method: 'GET' })).body)).toEqual({ may: ['start', 'stop', 'restart'] });
  const { status, body } = await send(served);
  expect([status, JSON.parse(body)]).toEqual([200, { ok: true, text: expect.any(String) }]);
  expect(served.asked()).toEqual(['restart web.service']);
});

it.each<[string, Sent, number]>([
  ['without its origin', { headers: { origin: undefined } }, 403],
  ['from another origin', { headers: { origin: 'http://attacker.example' } }, 403],
  ['from another port of this host', { headers: { origin: 'http://127.0.0.1:1' } }, 403],
  ['from this host under another name', { headers: { origin: 'http://localhost' } }, 403],
  ['from a sandboxed frame', { headers: { origin: 'null' } }, 403],
  ['across sites', { headers: { 'sec-fetch-site': 'cross-site' } }, 403],
  ['from another port, as the browser says', { headers: { 'sec-fetch-site': 'same-site' } }, 403],
  ['under a name that resolves to here', { headers: { host: 'attacker.example' } }, 421],
  [
    'under such a name, and from its page',
    { headers: { host: 'attacker.example', origin: 'http://attacker.example' } },
    421,
  ],
  ['as a form sends it', { headers: { 'content-type': 'text/plain' } }, 415],
  [
    'as a form sends its fields',
    { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'action=stop' },
    415,
  ],
  ['without the token', { path: '/act' }, 401],
  ['with another token', { path: `/${'1'.repeat(32)}/act` }, 401],
  ['with PUT', { method: 'PUT' }, 405],
  ['with DELETE', { method: 'DELETE' }, 405],
  ['as a link', { method: 'GET', path: `/${token}/act?action=stop&service=web.service` }, 200],
  ['with too much', { body: JSON.stringify({ ...restart, more: 'x'.repeat(2_000) }) }, 413],
  ['with more than it says', { headers: { 'content-length': '5' } }, 400],
  ['with no JSON', { body: '{' }, 400],
  ['with another action', { body: JSON.stringify({ action: 'kill', service: 'web.service' }) }, 400],
  ['with a list of services', { body: JSON.stringify({ action: 'stop', service: ['web.service'] }) }, 400],
  ['for a prototype', { body: JSON.stringify({ action: 'constructor', service: 'web.service' }) }, 400],
])('nothing is done %s', async (_, sent, status) => {
  const served = await serve(root);
  expect((await send(served, sent)).status).toBe(status);
  expect(served.asked()).toEqual([]);
});

it.each([
  '*',
  'w*',
  'web.service db.service',
  '',
  '../web.service',
  'web',
])('a name is no pattern, and only whole: %j', async (service) => {
  const served = await serve(root);
  const { status, body } = await send(served, { body: JSON.stringify({ action: 'stop', service }) });
  expect([status, JSON.parse(body).ok]).toEqual([200, false]);
  expect(served.asked()).toEqual([]);
});

it('a page that only looks cannot act, whoever uses it', async () => {
  const served = await serve(root, [], { acts: false });
  expect(JSON.parse((await send(served, { method: 'GET' })).body)).toEqual({ may: [] });
  expect((await send(served)).status).toBe(404);
  expect(served.asked()).toEqual([]);
});

it('an account may what it may on the control socket, and no more', async () => {
  const guest = await serve(joe);
  expect(JSON.parse((await send(guest, { method: 'GET' })).body)).toEqual({ may: [] });
  const refused = await send(guest);
  expect([refused.status, refused.body]).toEqual([403, '403 Forbidden\nnot permitted for uid 1000: restart']);
  expect(guest.asked()).toEqual([]);

  const granted = await serve(joe, [{ to: { kind: 'user', uid: 1_000 }, actions: ['restart'] }]);
  expect((await send(granted, { body: JSON.stringify({ action: 'stop', service: 'web.service' }) })).status).toBe(403);
  expect((await send(granted)).status).toBe(200);
  expect(granted.asked()).toEqual(['restart web.service']);

  // Root of another container is not root here.
  const foreign = await serve({ ...root, isForeign: true }, [{ to: { kind: 'user', uid: 0 }, actions: 'all' }]);
  expect((await send(foreign)).body).toContain('not permitted for uid 0 from outside of the container: restart');
  expect(foreign.asked()).toEqual([]);
});

it('an account that asks all the time is refused, as on the control socket', async () => {
  const served = await serve(joe, [{ to: { kind: 'user', uid: 1_000 }, actions: ['restart'] }]);
  let busy = 0;
  for (let round = 0; round < 120; round += 1) if ((await send(served)).body.includes('too many requests')) busy += 1;
  expect(busy).toBeGreaterThan(0);
  expect(served.asked().length).toBe(120 - busy);
});

/** A listener, and what the kernel says of who connects to it. */
async function listener(host: string) {
  const server = createServer();
  server.listen(0, host);
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('there is no address');
  return { server, port: address.port };
}

it.each([
  ['127.0.0.1', '127.0.0.1'],
  ['::1', '::1'],
  ['::', '127.0.0.1'],
])('the kernel names who connects, at %s from %s', async (host, target) => {
  const { server, port } = await listener(host);
  const client = connect(port, target);
  const [socket]: Socket[] = await once(server, 'connection');
  if (socket === undefined) throw new Error('nobody connected');
  expect(await callerAt(socket)).toMatchObject({ uid: process.getuid?.(), gid: process.getgid?.() });
  expect((await callerAt(socket)).isForeign).toBeUndefined();
  // Nobody is found for an end that there is not.
  const { remoteAddress = '', localAddress = '', localPort = 0 } = socket;
  expect((await callerAt({ remoteAddress, localAddress, localPort, remotePort: 1 })).isForeign).toBe(true);
  client.destroy();
});

it.skipIf(process.getuid?.() !== 0)(
  'another account of this host is named, and one that has half closed is foreign',
  async () => {
    const { server, port } = await listener('127.0.0.1');
    const program = `const s = require('net').connect(${port}, '127.0.0.1'); s.on('error', () => {}); s.on('data', () => s.end()); s.on('end', () => {})`;
    const child = spawn(process.execPath, ['-e', program], { uid: 65_533, gid: 65_532, stdio: 'ignore' });
    onTestFinished(() => void child.kill());
    const [socket]: Socket[] = await once(server, 'connection');
    if (socket === undefined) throw new Error('nobody connected');
    expect(await callerAt(socket)).toEqual({ uid: 65_533, gid: 65_532, groups: expect.any(Array) });
    socket.write('now');
    socket.resume();
    await once(socket, 'end').catch(() => undefined);
    expect((await callerAt(socket)).isForeign).toBe(true);
  },
);
