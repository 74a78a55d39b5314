import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { serveControl } from '../../../src/runtime/control/serve-control.ts';
import { LinuxClock } from '../../../src/runtime/linux/linux-clock.ts';
import { FakeSupervisor } from '../../control/fake-supervisor.ts';
import { readAll } from '../../control/serving.ts';

const loading = vi.hoisted(() => ({ fails: true }));

vi.mock('../../../src/control/server.ts', async (importOriginal) => {
  const { ControlServer } = await importOriginal<typeof import('../../../src/control/server.ts')>();
  return {
    get ControlServer() {
      if (loading.fails) throw new Error('EMFILE');
      return ControlServer;
    },
  };
});

it('ends a connection for which the server cannot be loaded, and serves the next one', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'chaperone-serve-'));
  const path = join(directory, 'sock');
  let accept: (socket: Socket) => void = () => undefined;
  const listener = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => accept(socket));
  listener.listen(path);
  await once(listener, 'listening');
  onTestFinished(async () => {
    listener.close();
    await once(listener, 'close');
    rmSync(directory, { recursive: true });
  });
  const said: string[] = [];
  serveControl({
    socket: {
      problems: [],
      serve: (onConnection) => {
        accept = onConnection;
      },
      end: () => Promise.resolve(),
      shutdownCallersGone: () => Promise.resolve(),
      close: () => undefined,
    },
    supervisor: new FakeSupervisor([]),
    edge: { peerCredentials: () => ({ pid: 1, uid: 0, gid: 0 }), peerGroups: () => [] },
    clock: new LinuxClock(),
    uid: 0,
    policy: () => ({ owners: [], grants: [] }),
    say: ({ text }) => said.push(text),
  });
  expect(await readAll(connect(path))).toBe('');
  expect(said).toEqual(['the control socket cannot be served: EMFILE']);
  loading.fails = false;
  const socket = connect(path);
  socket.end('stop web\n');
  expect(await readAll(socket)).toMatch(/^RESULT\n/);
});

it('takes a peer whose pid reads 0 for a guest, whatever its uid', async () => {
  loading.fails = false;
  const directory = mkdtempSync(join(tmpdir(), 'chaperone-serve-'));
  const path = join(directory, 'sock');
  let accept: (socket: Socket) => void = () => undefined;
  const listener = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => accept(socket));
  listener.listen(path);
  await once(listener, 'listening');
  onTestFinished(async () => {
    listener.close();
    await once(listener, 'close');
    rmSync(directory, { recursive: true });
  });
  const supervisor = new FakeSupervisor([]);
  let pid = 0;
  serveControl({
    socket: {
      problems: [],
      serve: (onConnection) => {
        accept = onConnection;
      },
      end: () => Promise.resolve(),
      shutdownCallersGone: () => Promise.resolve(),
      close: () => undefined,
    },
    supervisor,
    edge: { peerCredentials: () => ({ pid, uid: 0, gid: 0 }), peerGroups: () => [0] },
    clock: new LinuxClock(),
    uid: 0,
    policy: () => ({ owners: [0], grants: [{ to: { kind: 'user', uid: 0 }, actions: 'all' }] }),
    say: () => undefined,
  });
  const ask = (): Promise<string> => {
    const socket = connect(path);
    socket.end('shutdown 5\n');
    return readAll(socket);
  };
  expect(await ask()).toContain('not permitted for uid 0 from outside of the container: shutdown');
  pid = 7;
  expect(await ask()).toContain('Shutting down in 5 seconds');
  expect(supervisor.asked).toEqual(['shutdown 5000']);
});
