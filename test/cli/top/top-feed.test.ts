import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished, vi } from 'vitest';
import { TopFeed } from '../../../src/cli/top/top-feed.ts';
import { emptyState, type Message } from '../../../src/cli/top/top-state.ts';
import { request } from '../../../src/control/client.ts';

interface Taken {
  readonly words: string;
  answer(text: string): void;
}

const reply = (response: ServerResponse, status: number, told: string): void => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ text: told, exitStatus: status === 200 ? 0 : 1 }));
};

/** A feed whose chaperone answers a command when the test says so. */
async function commanded() {
  const folder = mkdtempSync(join(tmpdir(), 'chaperone-top-'));
  const taken: Taken[] = [];
  const told: string[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      taken.push({ words: body, answer: (answer) => reply(response, 200, answer) });
    });
  });
  const socket = join(folder, 'control.sock');
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  vi.stubEnv('CHAPERONE_SOCKET', socket);
  const feed = new TopFeed({
    tell: (message: Message) => {
      if (message.type === 'answer') told.push(message.text);
    },
    state: () => emptyState,
    visiblePids: () => [],
    onEnd: (reason) => told.push(`end: ${String(reason)}`),
  });
  onTestFinished(async () => {
    feed.close();
    vi.unstubAllEnvs();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true });
  });
  return { feed, taken, told };
}

it('sends a command when the one before it has been answered, so that neither deeds nor answers change places', async () => {
  const { feed, taken, told } = await commanded();
  feed.command(['restart', 'base']);
  feed.command(['reload', 'base']);
  feed.command(['stop', 'base']);
  for (const [index, [word, answer]] of [
    ['restart', 'services restarting.'],
    ['reload', 'services reloading.'],
    ['stop', 'services stopping.'],
  ].entries()) {
    await vi.waitFor(() => expect(taken).toHaveLength(index + 1));
    expect(taken[index]?.words).toContain(word);
    taken[index]?.answer(answer ?? '');
  }
  await vi.waitFor(() => expect(told).toEqual(['services restarting.', 'services reloading.', 'services stopping.']));
});

it('sends nothing more once it is closed', async () => {
  const { feed, taken, told } = await commanded();
  feed.command(['restart', 'base']);
  feed.command(['stop', 'base']);
  await vi.waitFor(() => expect(taken).toHaveLength(1));
  feed.close();
  taken[0]?.answer('services restarting.');
  feed.command(['start', 'base']);
  // The second answer would come over a connection that is made after this one.
  const asked = request(String(process.env['CHAPERONE_SOCKET']), { method: 'GET', path: '/v1/status' });
  await vi.waitFor(() => expect(taken).toHaveLength(2));
  taken[1]?.answer('up');
  await asked;
  expect(taken.map(({ words }) => words)).toEqual([expect.stringContaining('restart'), '']);
  expect(told).toEqual([]);
});
