import { connect } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { type EntrySource, servePage } from '../../../src/runtime/inspection/page-server.ts';
import { recordedSource } from '../../../src/runtime/inspection/recorded-source.ts';

const token = '0123456789abcdef0123456789abcdef';

async function serve(source: EntrySource): Promise<string> {
  const server = servePage({ door: { address: '127.0.0.1', token }, port: 0, assets: '/nonexistent', source });
  onTestFinished(() => server.close());
  return server.url;
}

const numbered = Array.from({ length: 50_000 }, (_, index) => ({ seq: index + 1, text: 'x'.repeat(100) }));

it('gives a recording whole, and from a number on', async () => {
  const url = await serve(recordedSource(numbered));
  const all = await (await fetch(`${url}entries`)).text();
  expect(all.split('\n').filter((line) => line !== '')).toHaveLength(numbered.length);
  const rest = await fetch(`${url}entries?from=49999`);
  expect(rest.headers.get('chaperone-stream')).toBe('complete');
  expect((await rest.text()).trim().split('\n')).toEqual(numbered.slice(-2).map((entry) => JSON.stringify(entry)));
});

it('takes no more for a page that does not read, and goes on when it does', async () => {
  let given = 0;
  let tell = (): void => undefined;
  const told = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const url = await serve({
    complete: false,
    boot: () => undefined,
    watch: (_, take) => {
      const resume = (): void => {
        while (take(JSON.stringify({ seq: ++given, text: 'x'.repeat(1_000) })));
        tell();
      };
      setImmediate(resume);
      return { resume, close: () => undefined };
    },
  });
  const { port, host, pathname } = new URL(url);
  const socket = connect(Number(port), '127.0.0.1');
  onTestFinished(() => {
    socket.destroy();
  });
  socket.pause();
  socket.write(`GET ${pathname}entries HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  await told;
  // Only the bound and the kernel's buffer have been filled, not one entry for each turn of the loop.
  for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  const stalled = given;
  expect(stalled).toBeLessThan(20_000);
  socket.resume();
  await new Promise<void>((resolve) => {
    let read = 0;
    socket.on('data', (chunk: Buffer) => {
      read += chunk.length;
      if (read > stalled * 1_000 + 1_000_000) resolve();
    });
  });
  expect(given).toBeGreaterThan(stalled);
});

it('serves so many pages, and no more', async () => {
  const closed = new Set<number>();
  let opened = 0;
  const url = await serve({
    complete: false,
    boot: () => 'a',
    watch: () => {
      const number = ++opened;
      return { resume: () => undefined, close: () => closed.add(number) };
    },
  });
  const responses = await Promise.all(Array.from({ length: 17 }, () => fetch(`${url}entries`)));
  expect(responses.map(({ status }) => status).sort()).toEqual([...Array(16).fill(200), 503]);
  await Promise.all(responses.map(({ body }) => body?.cancel()));
});

it('begins from the beginning for a page that knows another boot', async () => {
  const asked: number[] = [];
  const url = await serve({
    complete: true,
    boot: () => 'b',
    watch: (from, _, end) => {
      asked.push(from);
      setImmediate(end);
      return { resume: () => undefined, close: () => undefined };
    },
  });
  for (const query of ['from=7&boot=a', 'from=7&boot=b', 'from=7', 'from=x', 'from=-3'])
    await (await fetch(`${url}entries?${query}`)).text();
  expect(asked).toEqual([0, 7, 7, 0, 0]);
});
