import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { runInNewContext } from 'node:vm';
import { createBrowserReceiver, createWebSocketReceiver, type StatelyInspectionEvent } from '@statelyai/inspect';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { type Booted, boot, until } from '../boot/namespace.ts';
import { freePort } from '../boot/ports.ts';
import { inDist } from '../dist.ts';

const guide = readFileSync(new URL('../../docs/guide/xstate-inspector.md', import.meta.url), 'utf8');
const root = join(import.meta.dirname, '../..');
const [, configuration = ''] = /```yaml\n([\s\S]*?)```/.exec(guide) ?? [];
/** What the guide says that `states.mjs` prints. */
const printed = (/\$ node states\.mjs .*\n([\s\S]*?)```/.exec(guide)?.[1] ?? '').trimEnd().split('\n');

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'chaperone-stately-'));
  const path = folder;
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  for (const [, name = '', script = ''] of guide.matchAll(/```js\n(?=\/\/ (\S+\.mjs)\n)([\s\S]*?)```/g))
    writeFileSync(join(folder, name), script);
});

interface Running {
  readonly child: ChildProcess;
  readonly lines: readonly string[];
}

/** Runs a script of the guide, or a program of Chaperone, until the end of the test. */
function run(file: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
  const child = spawn(file, args, { cwd: folder, env: { PATH: process.env['PATH'] ?? '', ...env } });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  createInterface({ input: child.stderr }).on('line', (line) => lines.push(`stderr: ${line}`));
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const end = once(child, 'exit');
    child.kill();
    await end;
  });
  return { child, lines };
}

const node = (args: readonly string[], env?: Readonly<Record<string, string>>): Running =>
  run(process.execPath, args, env);

/** The boot of the guide's example, with a WebSocket and a journal. */
async function example(): Promise<{ readonly system: Booted; readonly url: string; readonly journal: string }> {
  const journal = join(folder, 'boots');
  const system = boot({ args: [`--inspect=ws,journal:${journal}`], files: { 'x.conf': configuration } });
  const [, url = ''] = await system.waitForLine(/inspect at (ws:\S+)/);
  return { system, url, journal };
}

/** Ends the boot once the watcher has seen what the guide shows before the stop. */
async function end(system: Booted, watcher: Running): Promise<void> {
  await until('the boot is over', () => watcher.lines.find((line) => line === 'report.service failed'));
  system.signal('SIGTERM');
  expect(await system.exit).toBe(0);
}

/** The script of the guide that serves Stately's inspector; the address of its page. */
async function bridge(args: readonly string[], input?: string): Promise<string> {
  const { child, lines } = node(['stately.mjs', ...args], { PORT: String(await freePort()) });
  child.stdin?.end(input);
  const line = await until('the bridge is open', () => lines[0]);
  const [, address = ''] = /^open (http:\S+)$/.exec(line) ?? [];
  expect({ lines, address }).toMatchObject({ address: expect.stringMatching(/^http/) });
  return address;
}

async function exported(journal: string): Promise<string> {
  const { child, lines } = run(inDist('chaperonectl'), ['replay', journal, '--xstate']);
  expect((await once(child, 'close'))[0]).toBe(0);
  return lines.join('\n');
}

const webSocketOf = (address: string): string => address.replace('http', 'ws');

describe('docs/guide/xstate-inspector.md', () => {
  it('shows the five named states, and the services that start, in their order', () => {
    const states = new Set(printed.map((line) => line.split(' ')[1]));
    for (const state of ['pending', 'starting', 'ready', 'stopping', 'failed']) expect(states).toContain(state);
    expect(printed.filter((line) => line.endsWith(' starting'))).toEqual([
      'store.service starting',
      'web.service starting',
      'report.service starting',
    ]);
  });

  it('has a receiver that prints this, live, and again of the journal', async () => {
    const { system, url, journal } = await example();
    const live = node(['states.mjs', url]);
    await end(system, live);
    await until('the last state is printed', () => live.lines[printed.length - 1]);
    expect(live.lines).toEqual(printed);

    const again = node(['states.mjs', webSocketOf(await bridge([], await exported(journal)))]);
    await until('the last state is printed', () => again.lines[printed.length - 1]);
    expect(again.lines).toEqual(printed);
  });

  it('gives of a journal what was told live, message by message', async () => {
    const { system, url, journal } = await example();
    const live: StatelyInspectionEvent[] = [];
    createWebSocketReceiver({ server: url }).subscribe((event) => {
      live.push(event);
    });
    await end(system, node(['states.mjs', url]));
    const messages: StatelyInspectionEvent[] = (await exported(journal)).split('\n').map((line) => JSON.parse(line));
    expect(live.length).toBeGreaterThan(20);
    expect(messages.slice(0, live.length)).toEqual(live);
    const names = new Map(
      messages.flatMap((each) => (each.type === '@xstate.actor' ? [[each.sessionId, each.name]] : [])),
    );
    const started = messages.flatMap(({ sessionId, ...each }) =>
      each.type === '@xstate.event' && each.event.type === 'service.start' ? [names.get(sessionId)] : [],
    );
    expect(started).toEqual(['store.service', 'web.service', 'report.service']);
  });

  it('has a page that gives all to the receiver of an inspector, whenever that is loaded', async () => {
    const { system, url } = await example();
    const address = await bridge([url, 'http://inspector.example/inspect']);
    await end(system, node(['states.mjs', url]));
    const html = await (await fetch(address)).text();
    expect(html).toContain('<iframe id="inspector" src="http://inspector.example/inspect"');
    const seen = load(html, address, 'http://inspector.example');
    await until('the failure is told', () => seen.find((event) => JSON.stringify(event).includes('"failed"')));
    expect(seen[0]).toMatchObject({ type: '@xstate.actor', name: 'system' });
  });

  it('has a page that no other page reads along with', async () => {
    const address = await bridge([], '');
    const socket = new WebSocket(webSocketOf(address), { origin: 'http://evil.example' });
    socket.on('error', () => undefined);
    const [, response] = await once(socket, 'unexpected-response');
    expect(response.statusCode).toBe(401);
    response.resume();
  });
});

/** Runs the script of the page, with @statelyai/inspect's own receiver in its frame; what that receives. */
function load(html: string, address: string, origin: string): readonly StatelyInspectionEvent[] {
  const [, script = ''] = /<script>([\s\S]*?)<\/script>/.exec(html) ?? [];
  const outer = new EventTarget();
  const inner = new EventTarget();
  const frame = {
    postMessage: (data: unknown, target: string): void => {
      expect(target).toBe(origin);
      inner.dispatchEvent(new MessageEvent('message', { data }));
    },
  };
  const sockets: WebSocket[] = [];
  onTestFinished(() => {
    for (const socket of sockets) socket.terminate();
  });
  class Socket extends WebSocket {
    constructor(server: string) {
      super(server, { origin: new URL(address).origin });
      sockets.push(this);
    }
  }
  runInNewContext(script, {
    document: { getElementById: (id: string) => (id === 'inspector' ? { contentWindow: frame } : null) },
    addEventListener: outer.addEventListener.bind(outer),
    location: new URL(address),
    WebSocket: Socket,
  });
  const parent = {
    postMessage: (data: unknown): void => {
      // Node's MessageEvent takes no other sources than ports.
      const message = new MessageEvent('message', { data });
      outer.dispatchEvent(Object.defineProperty(message, 'source', { value: frame }));
    },
  };
  const seen: StatelyInspectionEvent[] = [];
  createBrowserReceiver({ window: Object.assign(inner, { self: inner, top: parent, parent, opener: null }) }).subscribe(
    (event) => {
      seen.push(event);
    },
  );
  return seen;
}
