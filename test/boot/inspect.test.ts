import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { createWebSocketReceiver, type StatelyInspectionEvent } from '@statelyai/inspect';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { statePath } from '../../src/facts/transition.ts';
import type { Entry } from '../../src/inspect/entry.ts';
import { Registry } from '../../src/inspect/registry.ts';
import { type Booted, boot, config, expectOrder, until } from './namespace.ts';

const secret = 'hunter2';

const files = {
  'x.conf': config({
    settings: { env_set: { PASSWORD: secret } },
    'prepare.service': { type: 'oneshot', command: `sh -c 'true ${secret}'` },
    'web.service': {
      command: `sh -c 'echo here I am; exec sleep 1000' ${secret}`,
      after: 'prepare.service',
      startup_pause: 0.05,
    },
    'other.service': { command: 'sleep 1000', startup_pause: 0.05 },
    'all.logging': { selector: '*.info', stdout: true },
  }),
};

const transitionLine = /^ +\d+\.\d{3} {2}\S+ +\S+ → \S+/;

/** The entries that the control socket sends to a watcher, until the expected one has come. */
function watchEntries(system: Booted, query = ''): { readonly entries: Entry[]; readonly status: Promise<number> } {
  const entries: Entry[] = [];
  const call = request({ socketPath: system.path('control.sock'), path: `/v1/inspect${query}`, method: 'GET' });
  onTestFinished(() => {
    call.destroy();
  });
  call.on('error', () => undefined);
  const status = new Promise<number>((resolve) => {
    call.on('response', (response) => {
      resolve(response.statusCode ?? 0);
      let text = '';
      response.setEncoding('utf8');
      response.on('error', () => undefined);
      response.on('data', (chunk: string) => {
        text += chunk;
        const events = text.split('\n\n');
        text = events.pop() ?? '';
        for (const event of events) {
          const [, data] = /^event: entry\ndata: (.*)$/m.exec(event) ?? [];
          if (data !== undefined) entries.push(JSON.parse(data));
        }
      });
    });
  });
  call.end();
  return { entries, status };
}

function statesOf(entries: readonly Entry[]): Readonly<Record<string, string>> {
  const registry = new Registry();
  for (const entry of entries) registry.apply(entry);
  return Object.fromEntries(
    [...registry.actors.values()].map(({ name, snapshot }) => [name, statePath(snapshot.value)]),
  );
}

describe('--inspect', () => {
  it('prints whole lines in turn with the log, and what decided how long the boot took', async () => {
    const system = boot({ args: ['--inspect'], files });
    await system.waitForLine(/slowest: /);
    await system.waitForLine(/web\[\d+\]: here I am/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    const lines = system.lines('stdout');
    expectOrder(lines, [
      /^ +\d+\.\d{3} {2}system +─ → booting\.starting +3 services, 2 layers, 1 file$/,
      / prepare +pending → starting\.spawning +service\.start$/,
      / prepare +starting\.awaitingExit → ready\.exited +exit 0 after \d+ ms$/,
      / web +pending → starting\.spawning +was waiting for prepare, \d+ ms$/,
      / web +starting\.spawning → starting\.settling +pid \d+ {2}sh -c/,
      / web +starting\.settling → ready\.running +startup_pause of 0\.05 s passed$/,
      / system +booting\.starting → up +ready in \d+\.\d{3} s$/,
      /^ {10}critical chain: \w+ 0\.\d{3} s \(\d+ %\)/,
      /^ {10}slowest: (\w+ 0\.\d{3} s(, )?){3}$/,
      / web +ready\.running → stopping\.terminating +SIGTERM to pid \d+, SIGKILL after/,
      / system +draining\.clearing → halted/,
    ]);
    for (const line of lines) {
      expect(line).toMatch(new RegExp(`${transitionLine.source}|^ {10}(critical chain|slowest): |^\\w{3} [ \\d]\\d `));
    }
  });

  it('prints of services only those that are named, as JSON beside', async () => {
    const system = boot({ args: ['--inspect=terminal:web,json:oth*'], files });
    await system.waitForLine(/"criticalChain"/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    const lines = system.lines('stdout');
    const actors = lines.filter((line) => transitionLine.test(line)).map((line) => line.split(/ +/)[2]);
    expect(new Set(actors)).toEqual(new Set(['system', 'web']));
    const transitions = lines.filter((line) => line.startsWith('{')).map((line): unknown => JSON.parse(line));
    expect(transitions).toContainEqual(
      expect.objectContaining({ actor: 'other', from: 'pending', to: 'starting.spawning', event: 'service.start' }),
    );
    expect(JSON.stringify(transitions)).not.toContain('"actor":"web"');
    expect(JSON.stringify(transitions)).not.toContain(secret);
  });

  it('warns of a service that does not exist', async () => {
    const system = boot({ args: ['--inspect=terminal:wbe'], files });
    await system.waitForLine(
      /chaperone\[\d+\]: nothing of wbe will be seen in the inspection: there is no such service/,
    );
  });

  it('is a mistake where it cannot be understood', async () => {
    const system = boot({ args: ['--inspect=nowhere'], files });
    expect(await system.exit).toBe(2);
    expect(system.lines('stderr')[0]).toMatch(/^chaperone: cannot inspect to "nowhere": expected terminal/);
  });
});

describe('the control socket', () => {
  it('tells who comes late what there is, then what happens, and nothing that is secret', async () => {
    // Without a PID namespace: from outside of one this test would be a guest.
    const system = boot({ files, pid1: false });
    await system.waitForLine(/chaperone version \S+, ready\./);
    const { entries, status } = watchEntries(system, '?records');
    expect(await status).toBe(200);
    await until('the system is told', () => entries.find((entry) => entry.type === '@xstate.actor'));
    expect(entries[0]).toMatchObject({
      type: '@chaperone.boot',
      seq: 1,
      services: [{ name: 'prepare.service', program: 'sh' }, {}, {}],
    });
    await until('all services are told', () => statesOf(entries)['other.service']);
    expect(statesOf(entries)).toMatchObject({
      system: 'up',
      'prepare.service': 'ready.exited',
      'web.service': 'ready.running',
      'other.service': 'ready.running',
    });
    const second = watchEntries(system, `?from=${entries.length}`);
    system.signal('SIGTERM');
    await system.exit;
    await until('the end is told', () => entries.find(({ type }) => type === '@chaperone.end'));
    expect(entries.at(-1)).toMatchObject({ type: '@chaperone.end', exitStatus: 0, cause: 'SIGTERM' });
    expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, index) => index + 1));
    expect(entries.some(({ type }) => type === '@chaperone.log')).toBe(true);
    expect(JSON.stringify(entries)).not.toContain(secret);
    expect(second.entries.some(({ type }) => type === '@chaperone.boot' || type === '@chaperone.log')).toBe(false);
  });
});

/** The address of the WebSocket, as chaperone has printed it. */
async function door(system: Booted): Promise<URL> {
  const [, url = ''] = await system.waitForLine(
    /^chaperone: inspect at (ws:\/\/127\.0\.0\.1:\d+\/\?token=[0-9a-f]{32})$/,
  );
  return new URL(url);
}

/** The HTTP status with which a connection is refused; 101 where it is accepted. */
function knock(url: URL, headers: Readonly<Record<string, string>> = {}): Promise<number> {
  const socket = new WebSocket(url, { headers });
  onTestFinished(() => socket.terminate());
  return new Promise((resolve) => {
    socket.on('open', () => resolve(101));
    socket.on('unexpected-response', (_, { statusCode }) => resolve(statusCode ?? 0));
    socket.on('error', () => undefined);
  });
}

describe('--inspect=ws', () => {
  it("tells @statelyai/inspect's own receiver every actor and every state, in order", async () => {
    // Without a PID namespace: from outside of one this test would be a guest of the control socket.
    const system = boot({ args: ['--inspect=ws'], files, pid1: false });
    const url = await door(system);
    const seen: StatelyInspectionEvent[] = [];
    createWebSocketReceiver({ server: url.href }).subscribe((event) => {
      seen.push(event);
    });
    await until('the system is up', () =>
      seen.find((event) => event.type === '@xstate.snapshot' && stateOf(event) === 'up'),
    );
    const { entries, status } = watchEntries(system);
    expect(await status).toBe(200);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    await until('the end is told', () => entries.find(({ type }) => type === '@chaperone.end'));
    await until('the receiver has read on', () =>
      seen.find((event) => event.type === '@xstate.snapshot' && stateOf(event) === 'draining.clearing'),
    );
    // The watcher of the control socket has come late, and has got the same entries.
    const wanted = entries.filter(({ type }) => type.startsWith('@xstate.'));
    expect(seen.slice(0, wanted.length).map(({ id }) => Number(id))).toEqual(
      wanted.slice(0, seen.length).map(({ seq }) => seq),
    );
    const actors = seen.flatMap((event) => (event.type === '@xstate.actor' ? [event] : []));
    expect(actors.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['system', 'prepare.service', 'web.service', 'other.service', 'unit', 'processes']),
    );
    const web = actors.find(({ name }) => name === 'web.service');
    expect(web?.parentId).toBe(actors.find(({ name }) => name === 'system')?.sessionId);
    const states = seen.flatMap((event) =>
      event.type === '@xstate.snapshot' && event.sessionId === web?.sessionId ? [stateOf(event)] : [],
    );
    expectOrder(states, [
      /^starting\.spawning$/,
      /^starting\.settling$/,
      /^ready\.running$/,
      /^stopping\.terminating$/,
    ]);
    expect(JSON.stringify(seen)).not.toContain(secret);
  });

  it('is open only for the token, from this host, under its own name', async () => {
    const system = boot({ args: ['--inspect=ws'], files });
    const url = await door(system);
    const without = new URL(url);
    without.searchParams.delete('token');
    expect(await knock(url)).toBe(101);
    expect(await knock(url, { origin: 'http://localhost:3000' })).toBe(101);
    expect(await knock(without)).toBe(401);
    expect(await knock(url, { origin: 'http://evil.example' })).toBe(403);
    expect(await knock(url, { host: `evil.example:${url.port}` })).toBe(421);
    // The token is for the person at this terminal and must not be in the log.
    expect(system.lines('stdout').join('\n')).not.toContain(url.searchParams.get('token'));
  });

  it('takes a bounded number of watchers, and survives what is no request', async () => {
    const system = boot({ args: ['--inspect=ws'], files });
    const url = await door(system);
    const statuses = [];
    for (let count = 0; count < 20; count += 1) statuses.push(await knock(url));
    expect(statuses).toEqual([...Array.from({ length: 16 }, () => 101), ...Array.from({ length: 4 }, () => 503)]);
    const garbage = connect(Number(url.port), '127.0.0.1', () => garbage.end('\0\xff nonsense\r\n\r\n'));
    garbage.on('error', () => undefined).resume();
    await once(garbage, 'close');
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('a port that is taken keeps nothing from starting', async () => {
    const first = boot({ args: ['--inspect=ws'], files });
    const { port } = await door(first);
    const second = boot({ args: [`--inspect=ws:${port}`], files });
    await second.waitForLine(/cannot inspect to ws: .*EADDRINUSE/);
    await second.waitForLine(/chaperone version \S+, ready\./);
  });
});

function stateOf(event: StatelyInspectionEvent): string {
  if (event.type !== '@xstate.snapshot') return '';
  return 'value' in event.snapshot ? statePath(event.snapshot.value) : '';
}
