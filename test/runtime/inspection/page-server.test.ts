import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { LogEntry } from '../../../src/inspect/entry.ts';
import { type EntrySource, servePage } from '../../../src/runtime/inspection/page-server.ts';
import { recordedSource } from '../../../src/runtime/inspection/recorded-source.ts';

const token = '0123456789abcdef0123456789abcdef';

/** @param errors takes those of the server itself */
async function serve(source: EntrySource, errors: unknown[] = []): Promise<string> {
  const server = servePage({
    door: { address: '127.0.0.1', token },
    port: 0,
    assets: '/nonexistent',
    source,
    onError: (error) => errors.push(error),
  });
  onTestFinished(() => server.close());
  return server.url;
}

const numbered = Array.from(
  { length: 50_000 },
  (_, index): LogEntry => ({
    type: '@chaperone.log',
    seq: index + 1,
    at: index,
    severity: 'info',
    facility: 'daemon',
    program: 'web',
    message: `${index} ${'x'.repeat(100)}`,
  }),
);

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

/** Sends a request as it stands, and gives the first line of the answer; '' where there is none. */
async function firstLine(url: string, target: string, method = 'GET'): Promise<string> {
  const { port, host } = new URL(url);
  const socket = connect(Number(port), '127.0.0.1');
  onTestFinished(() => {
    socket.destroy();
  });
  let answer = '';
  socket.on('data', (chunk: Buffer) => {
    answer += chunk.toString();
  });
  socket.on('error', () => undefined);
  socket.write(`${method} ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  await new Promise((resolve) => socket.once('close', resolve));
  return answer.split('\r\n')[0] ?? '';
}

const silent: EntrySource = {
  complete: false,
  boot: () => undefined,
  watch: () => ({ resume: () => undefined, close: () => undefined }),
};

it.each([
  ['//', '401'],
  ['//[', '401'],
  ['///x', '401'],
  ['http://', '401'],
  ['http://[/', '401'],
  ['*', '401'],
  ['/?', '401'],
  ['/%', '401'],
  [`/${token}`, '404'],
  [`/${token}/constructor`, '404'],
  [`/${token}/__proto__`, '404'],
  [`/${token}/toString`, '404'],
  [`/${token}/..%2fpage.js`, '404'],
  [`/${token}/../page.js`, '404'],
])('answers %s with %s, and it is no fault of the server', async (target, status) => {
  const errors: unknown[] = [];
  const url = await serve(silent, errors);
  expect(await firstLine(url, target)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(errors).toEqual([]);
});

describe('a source that throws', () => {
  const boom = (): never => {
    throw new Error('boom');
  };
  const sources: readonly (readonly [string, EntrySource])[] = [
    ['at once', { ...silent, watch: boom }],
    ['in a question', { ...silent, boot: boom }],
    [
      'when the page takes entries again',
      {
        ...silent,
        watch: (_, take) => {
          setImmediate(() => {
            while (take('x'.repeat(100_000)));
          });
          return { resume: boom, close: () => undefined };
        },
      },
    ],
  ];

  it.each(sources)('%s: the connection ends, the error is reported, and the next page is served', async (_, source) => {
    const errors: unknown[] = [];
    let faulty = true;
    const url = await serve(
      {
        complete: false,
        boot: () => (faulty ? source.boot() : undefined),
        watch: (from, take, end) => {
          if (faulty) return source.watch(from, take, end);
          setImmediate(end);
          return { resume: () => undefined, close: () => undefined };
        },
      },
      errors,
    );
    await firstLine(url, `/${token}/entries`);
    expect(errors.map(String)).toEqual(['Error: boom']);
    faulty = false;
    expect(await firstLine(url, `/${token}/entries`)).toBe('HTTP/1.1 200 OK');
  });

  it('when its page leaves: the error is reported', async () => {
    const errors: unknown[] = [];
    let tell = (): void => undefined;
    const left = new Promise<void>((resolve) => {
      tell = resolve;
    });
    const leave = (): never => {
      tell();
      return boom();
    };
    const url = await serve(
      {
        ...silent,
        watch: (_, take, end) => {
          take('{}');
          setImmediate(end);
          return { resume: () => undefined, close: leave };
        },
      },
      errors,
    );
    await firstLine(url, `/${token}/entries`);
    await left;
    expect(errors.map(String)).toEqual(['Error: boom']);
  });
});

it('finds older records by text and by expression, and says how far it has looked', async () => {
  const url = await serve(recordedSource(numbered));
  const ask = async (query: Readonly<Record<string, string>>) => {
    const response = await fetch(`${url}records?${new URLSearchParams(query)}`);
    return response.ok ? await response.json() : response.status;
  };
  expect(await ask({ before: '10', find: '' })).toMatchObject({
    kind: 'found',
    records: numbered.slice(0, 10).map(({ at }) => ({ at })),
  });
  const found = await ask({ before: '50000', find: '^49[0-9]{3} ', expression: 'true' });
  // The newest 500, and where the next request goes on.
  expect(found).toMatchObject({ kind: 'found', before: 49_500 });
  expect(await ask({ before: '49500', find: '^499', expression: 'true' })).toMatchObject({
    kind: 'found',
    records: [
      { at: 499 },
      { at: 4_990 },
      { at: 4_991 },
      { at: 4_992 },
      { at: 4_993 },
      { at: 4_994 },
      { at: 4_995 },
      { at: 4_996 },
      { at: 4_997 },
      { at: 4_998 },
      { at: 4_999 },
    ],
  });
  expect(await ask({ before: '50000', find: '(', expression: 'true' })).toEqual({
    kind: 'wrong',
    reason: expect.stringContaining('missing closing )'),
  });
  expect(await ask({ before: '50000', find: '(?<=x)y', expression: 'true' })).toMatchObject({ kind: 'wrong' });
  expect(await ask({ before: '50000', find: 'x'.repeat(1_001) })).toMatchObject({ kind: 'wrong' });
  const { records: _, ...nothing } = recordedSource([]);
  for (const query of [{}, { before: 'now' }, { before: '-1' }]) expect(await ask(query)).toBe(400);
  expect(await fetch(`${await serve(nothing)}records?before=1`)).toMatchObject({
    status: 404,
  });
});

it('looks for an expression that hangs other engines in bounded time, and for one page at a time', async () => {
  const url = await serve(recordedSource(numbered));
  const search = () =>
    fetch(`${url}records?${new URLSearchParams({ before: '50000', find: '(x+x+)+y', expression: 'true' })}`);
  const [first, second] = await Promise.all([search(), search()]);
  expect([first.status, second.status].sort()).toEqual([200, 503]);
  expect(await (first.ok ? first : second).json()).toMatchObject({ kind: 'found', records: [] });
});
