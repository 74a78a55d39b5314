import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Ajv2020 as Ajv } from 'ajv/dist/2020.js';
import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { usage } from '../../src/control/command-words.ts';
import { readBody, readQuery } from '../../src/control/fields.ts';
import { findRoute } from '../../src/control/http.ts';
import { limits } from '../../src/control/limits.ts';
import { Meter } from '../../src/control/meter.ts';
import { openApi } from '../../src/control/openapi.ts';
import type { Caller } from '../../src/control/rights.ts';
import { routes } from '../../src/control/routes.ts';
import { schemas } from '../../src/control/schema.ts';
import { selectServices } from '../../src/control/select-services.ts';
import type { LogRecord } from '../../src/model/log/log-record.ts';
import { VirtualClock } from '../../src/runtime/simulated/virtual-clock.ts';
import { badRequests } from './bad-requests.ts';
import { FakeSupervisor, serviceStatus } from './fake-supervisor.ts';
import { readAll, readUntil, type Serving, serve } from './serving.ts';

const guest = { uid: 1000, gid: 1000, groups: [] };

function world(): FakeSupervisor {
  return new FakeSupervisor([
    serviceStatus('store.service', 'ready', {
      lastWords: { stream: 'stderr', line: 'the password is hunter2', age: 5 },
      lastExit: { pid: 4, status: { kind: 'signaled', signal: 'SIGTERM', coreDumped: false }, at: 3 },
      boot: { started: 1, ready: 5 },
      restarts: { used: 1, left: 4 },
    }),
    serviceStatus('web.service', 'stopped', { prerequisites: ['store.service'] }),
  ]);
}

function record(message: string, program = 'web'): LogRecord {
  return { time: 1, facility: 'daemon', severity: 'info', program, pid: 7, message };
}

const validator = new Ajv({ strict: false });

function conforms(name: keyof typeof schemas, value: unknown): void {
  const validate = validator.compile(schemas[name]);
  expect([validate(value), validate.errors]).toEqual([true, null]);
}

describe("the original's raw text", () => {
  it('answers one command, and ends the connection', async () => {
    const supervisor = world();
    const { exchange } = await serve(supervisor);
    expect(await exchange('start web\n')).toBe('RESULT\nservice start-up queued.');
    expect(await exchange("stop 'web'")).toBe("RESULT\nCommand error: can't stop services which aren't started: web");
    expect(await exchange('explode')).toBe(`COMMAND-ERROR\nunknown command "explode"\n${usage}`);
    expect(await exchange('\n')).toBe(`COMMAND-ERROR\n${usage}`);
    expect(supervisor.asked).toEqual(['start web.service']);
  });

  it('takes a command without a newline from a client that does not half-close, as the original sends it', async () => {
    const { connect } = await serve(world());
    const socket = await connect();
    socket.write('stop ');
    socket.write('store');
    expect(await readAll(socket)).toBe('RESULT\nservices stopping.');
  });

  it('refuses a line that is too long without waiting for its end', async () => {
    const { connect } = await serve(world());
    const socket = await connect();
    socket.write('s'.repeat(limits.line + 1));
    expect(await readAll(socket)).toMatch(/^COMMAND-ERROR\na command is longer than 4096 bytes\n/);
  });

  it('lets others read the status, and nothing more', async () => {
    const supervisor = world();
    const serving = await serve(supervisor, [{ to: { kind: 'user', uid: 1001 }, actions: ['start'] }]);
    serving.caller = guest;
    expect(await serving.exchange('status')).toMatch(/^RESULT\n\nRunning: /);
    expect(await serving.exchange('shutdown now')).toBe('RESULT\nCommand error: not permitted for uid 1000: shutdown');
    serving.caller = { uid: 1001, gid: 1001, groups: [] };
    expect(await serving.exchange('start web')).toBe('RESULT\nservice start-up queued.');
    expect(await serving.exchange('start --enable web')).toContain('not permitted for uid 1001: enable');
    expect(supervisor.asked).toEqual(['start web.service']);
  });
});

describe('HTTP', () => {
  it('gives what a shell needs to be as a service to owners alone, whatever others are granted', async () => {
    const supervisor = world();
    const serving = await serve(supervisor, [{ to: { kind: 'everybody' }, actions: 'all' }]);
    const shell = { argv: ['/bin/sh'] };
    expect(await serving.http('POST', '/v1/services/web/program', shell)).toMatchObject({ status: 200 });
    expect((await serving.http('POST', '/v1/services/web/program', { argv: ['nothing'] })).status).toBe(409);
    expect((await serving.http('POST', '/v1/services/web/program', { argv: [] })).status).toBe(400);
    expect((await serving.http('POST', '/v1/services/*/program', shell)).status).toBe(400);
    expect((await serving.http('POST', '/v1/services/no/program', shell)).status).toBe(404);
    expect(supervisor.asked).toEqual(['program of web.service: /bin/sh', 'program of web.service: nothing']);
    serving.caller = guest;
    expect((await serving.http('POST', '/v1/services/web/program', shell)).status).toBe(403);
    expect(supervisor.asked).toHaveLength(2);
  });

  it('tells the system and the services as their schemas say', async () => {
    const { http } = await serve(world());
    const system = await http('GET', '/v1/status');
    expect(system.status).toBe(200);
    conforms('System', system.json);
    const services = await http('GET', '/v1/services');
    expect(services.json).toHaveLength(2);
    for (const service of Array.isArray(services.json) ? services.json : []) conforms('Service', service);
    expect((await http('GET', '/v1/services?name=w*')).json).toMatchObject([{ name: 'web.service' }]);
    expect((await http('GET', '/v1/services/store')).json).toMatchObject({ name: 'store.service', state: 'ready' });
  });

  it('acts, and says how it went in words, kind and status', async () => {
    const supervisor = world();
    const { http } = await serve(supervisor);
    const started = await http('POST', '/v1/services/web/start', {});
    expect([started.status, started.json]).toEqual([
      200,
      { kind: 'done', text: 'service start-up queued.', exitStatus: 0 },
    ]);
    const refused = await http('POST', '/v1/services/store/start');
    expect([refused.status, refused.json]).toMatchObject([
      409,
      { kind: 'refused', reason: 'alreadyStarted', exitStatus: 3 },
    ]);
    const unknown = await http('POST', '/v1/services/nobody/stop');
    expect([unknown.status, unknown.json]).toMatchObject([404, { kind: 'noSuchService', exitStatus: 4 }]);
    for (const { json } of [started, refused, unknown]) conforms('Answer', json);
    await http('POST', '/v1/services/store/kill', { signal: 'HUP' });
    await http('POST', '/v1/services/%2A/restart', {});
    await http('POST', '/v1/commands', { words: ['stop', '--disable', 'store'] });
    await http('POST', '/v1/shutdown', { delay: 1.5 });
    await http('POST', '/v1/loglevel', { level: 'debug' });
    await http('POST', '/v1/reload', { dryRun: true });
    expect(supervisor.asked).toEqual([
      'start web.service',
      'kill SIGHUP store.service',
      'restart store.service web.service',
      'stop --disable store.service',
      'shutdown 1500',
      'loglevel debug',
      'reload --dry-run',
    ]);
  });

  it.each([
    ['a b', 'a b.service'],
    ['--force', '--force.service'],
    ['-f', '-f.service'],
    ['--', '--.service'],
    ["it's", "it's.service"],
    ['say "x" \\', 'say "x" \\.service'],
    ['$(reboot)', '$(reboot).service'],
  ])('takes %j in a path for the name of a service', async (name, service) => {
    const supervisor = new FakeSupervisor([serviceStatus(service, 'ready'), serviceStatus('other.service', 'ready')]);
    const { http } = await serve(supervisor);
    const path = `/v1/services/${encodeURIComponent(name)}`;
    expect((await http('POST', `${path}/stop`, { drain: false, disable: true })).status).toBe(200);
    expect((await http('POST', `${path}/kill`, { signal: 'HUP' })).status).toBe(200);
    expect(supervisor.asked).toEqual([`stop --disable ${service}`, `kill SIGHUP ${service}`]);
  });

  it.each([
    ['kill', { signal: '--force' }, 'no such signal: --force'],
    ['kill', { signal: 'TERM HUP' }, 'no such signal: TERM HUP'],
    ['kill', { signal: '' }, 'no such signal: '],
    ['kill', {}, 'signal is missing'],
    ['wait', { for: '"ready"' }, 'for is not one of ready, stopped, failed'],
    ['stop', { timeout: '5' }, 'timeout is not a number of seconds, 0 or more'],
    ['stop', { timeout: 1e300 }, 'timeout is not a number of seconds, 0 or more'],
    ['stop', { wait: 'true' }, 'wait is not true or false'],
    ['stop', { names: ['store'] }, 'unknown field "names"'],
  ])('says what is wrong with a field: %s %j', async (verb, body, text) => {
    const { http } = await serve(world());
    const reply = await http('POST', `/v1/services/store/${verb}`, body);
    expect([reply.status, reply.json]).toEqual([400, { kind: 'mistake', text, exitStatus: 2 }]);
  });

  it('takes times that JSON writes as no command line would', async () => {
    const supervisor = world();
    const { http } = await serve(supervisor);
    expect((await http('POST', '/v1/shutdown', '{"delay":1.25e1}')).json).toMatchObject({
      text: 'Shutting down in 12.5 seconds',
    });
    expect((await http('POST', '/v1/shutdown', '{"delay":1e-7}')).status).toBe(200);
    expect((await http('POST', '/v1/shutdown', '{"delay":"now"}')).status).toBe(400);
    expect((await http('POST', '/v1/shutdown')).json).toMatchObject({ text: 'Shutting down now' });
    expect(supervisor.asked).toEqual(['shutdown 12500', 'shutdown 0', 'shutdown 100']);
  });

  it('says in its description which field needs what', async () => {
    const { http } = await serve(world());
    const { json } = await http('GET', '/openapi.json');
    const body = (properties: object) => ({
      requestBody: { content: { 'application/json': { schema: { properties } } } },
    });
    expect(json).toMatchObject({
      paths: {
        '/v1/services/{name}/start': {
          post: {
            'x-needs': ['start'],
            ...body({ enable: { 'x-needs': ['enable'] }, force: { 'x-needs': ['stop'] } }),
          },
        },
        '/v1/loglevel': { post: { 'x-needs': ['loglevel'] } },
        '/v1/services/{name}/wait': { post: { 'x-needs': [] } },
      },
    });
  });

  it.each([
    ['GET', '/', undefined, 404],
    ['GET', '/v1/services/a/b/c', undefined, 404],
    ['GET', '/v1/services/%', undefined, 404],
    ['DELETE', '/v1/services/web', undefined, 405],
    ['GET', '/v1/services/web/start', undefined, 405],
    ['POST', '/v1/services/web/start', '{"force": 1}', 400],
    ['POST', '/v1/services/web/start', '{"fierce": true}', 400],
    ['POST', '/v1/services/web/start', '{"__proto__": {"force": true}}', 400],
    ['POST', '/v1/services/web/start', 'force', 400],
    ['POST', '/v1/services/web/start', '[]', 400],
    ['POST', '/v1/services/web/start', '{"timeout": -1}', 400],
    ['POST', '/v1/services/web/kill', '{}', 400],
    ['POST', '/v1/commands', '{"words": ["start", 1]}', 400],
    ['POST', '/v1/commands', `{"words": ["${'x'.repeat(limits.body)}"]}`, 413],
    ['GET', '/v1/logs?lines=many', undefined, 400],
    ['GET', '/v1/services?name=nobody', undefined, 404],
  ])('is strict about requests: %#', async (method, path, body, status) => {
    const supervisor = world();
    const serving = await serve(supervisor);
    expect((await serving.http(method, path, body)).status).toBe(status);
    expect([supervisor.asked, serving.errors]).toEqual([[], []]);
  });

  it('answers what is no HTTP with 400, and goes on', async () => {
    const serving = await serve(world());
    expect(await serving.exchange('GET lots of words\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    expect(await serving.exchange(`GET /v1/status HTTP/1.1\r\nX: ${'x'.repeat(limits.head)}\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 4/,
    );
    expect(
      await serving.exchange('GET /v1/status HTTP/1.1\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
    ).not.toContain('HTTP/1.1 101');
    expect((await serving.http('GET', '/v1/status')).status).toBe(200);
    expect(serving.errors).toEqual([]);
  });

  it('shows last words, logs and actions only to those who may have them', async () => {
    const supervisor = world();
    const serving = await serve(supervisor);
    expect((await serving.http('GET', '/v1/services/store')).text).toContain('hunter2');
    serving.caller = guest;
    expect((await serving.http('GET', '/v1/services/store')).text).not.toContain('hunter2');
    expect((await serving.http('GET', '/v1/services')).text).not.toContain('hunter2');
    for (const route of routes.filter(({ needs }) => needs.length > 0)) {
      const body = Object.fromEntries(
        route.fields.required.map(({ name, json }) => [name, json === 'strings' ? ['x'] : 'TERM']),
      );
      const reply = await serving.http(
        route.method,
        route.path.replace('{name}', 'store'),
        route.method === 'GET' ? undefined : body,
      );
      expect([route.id, reply.status]).toEqual([route.id, 403]);
    }
    expect(supervisor.asked).toEqual([]);
  });

  it('says by its status whether all is ready', async () => {
    const supervisor = world();
    const { http } = await serve(supervisor);
    const waiting = await http('GET', '/v1/ready');
    expect([waiting.status, waiting.json]).toMatchObject([503, { ready: false, waitsFor: { 'web.service': /start/ } }]);
    expect(waiting.json).toMatchObject({ text: expect.stringMatching(/^web is not ready: waits for a start/) });
    expect((await http('GET', '/v1/ready?name=store')).status).toBe(200);
    supervisor.move('web.service', 'exited');
    expect((await http('GET', '/v1/ready')).status).toBe(200);
    expect((await http('GET', '/v1/ready?name=web')).json).toMatchObject({
      ready: false,
      waitsFor: { 'web.service': /ended normally/ },
    });
    supervisor.move('web.service', 'exited', { remainAfterExit: true });
    expect((await http('GET', '/v1/ready?name=web')).status).toBe(200);
    supervisor.move('web.service', 'ready');
    expect((await http('GET', '/v1/ready')).status).toBe(200);
    supervisor.state = 'draining';
    const ending = await http('GET', '/v1/ready');
    expect([ending.status, ending.json]).toMatchObject([503, { text: 'the system is shutting down' }]);
    supervisor.state = 'up';
    supervisor.list = Array.from({ length: 23 }, (_, index) => serviceStatus(`s${index}.service`, 'failed'));
    const { text = '' } = Object(Object((await http('GET', '/v1/ready')).json));
    expect([text.split('\n').length, text.split('\n').at(-1)]).toEqual([21, 'and 3 more']);
  });

  it('gives metrics that parse', async () => {
    const { http } = await serve(world());
    const { text, headers } = await http('GET', '/metrics');
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    const samples = new Map<string, number>();
    const types = new Map<string, string>();
    for (const line of text.trimEnd().split('\n')) {
      const type = /^# TYPE ([a-z_]+) (counter|gauge)$/.exec(line);
      if (type !== null) types.set(type[1] ?? '', type[2] ?? '');
      else if (!/^# HELP [a-z_]+ \S.*$/.test(line)) {
        const sample = /^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*\})? ([0-9.e+-]+)$/.exec(line);
        expect(sample, line).not.toBeNull();
        expect(types.has(sample?.[1] ?? '')).toBe(true);
        expect(samples.has(`${sample?.[1]}${sample?.[2] ?? ''}`)).toBe(false);
        samples.set(`${sample?.[1]}${sample?.[2] ?? ''}`, Number(sample?.[3]));
      }
    }
    expect(samples.get('chaperone_service_state{service="store",state="ready"}')).toBe(1);
    expect(samples.get('chaperone_services{state="stopped"}')).toBe(1);
    expect(samples.get('chaperone_service_exits_total{service="web",status="exit 1"}')).toBe(4);
    expect(samples.get('chaperone_log_records_dropped_total{sink="stdout"}')).toBe(2);
    for (const [name, type] of types) expect([name, type === 'counter']).toEqual([name, name.endsWith('_total')]);
  });

  it('describes itself', async () => {
    const { http } = await serve(world());
    const { json } = await http('GET', '/openapi.json');
    expect(json).toEqual(JSON.parse(JSON.stringify(openApi(routes, '1.2.3'))));
  });
});

describe('streams', () => {
  it('send events as they happen', async () => {
    const supervisor = world();
    const { connect } = await serve(supervisor);
    const socket = await connect();
    socket.write('GET /v1/events?name=web HTTP/1.0\r\n\r\n');
    await readUntil(socket, ': connected');
    const seen = readUntil(socket, 'event: system');
    supervisor.move('store.service', 'stopping');
    supervisor.move('web.service', 'starting');
    supervisor.events$.next({ type: 'system', time: 1, state: 'draining' });
    const text = await seen;
    expect(text).not.toContain('store.service');
    const data = [...text.matchAll(/^data: (.*)$/gm)].map(([, json = '']) => JSON.parse(json));
    for (const event of data) conforms('Event', event);
    expect(data).toHaveLength(2);
    socket.destroy();
    await expect.poll(() => supervisor.events$.observed).toBe(false);
  });

  it('tell owners, and only them, everything that happens inside', async () => {
    const supervisor = world();
    supervisor.entries = [
      { seq: 1, type: '@chaperone.boot' },
      { seq: 2, type: '@xstate.actor' },
    ];
    const serving = await serve(supervisor);
    const socket = await serving.connect();
    socket.write('GET /v1/inspect?records&from=7 HTTP/1.0\r\n\r\n');
    const text = await readUntil(socket, '"seq":2');
    expect([...text.matchAll(/^event: entry\ndata: (.*)$/gm)].map(([, json = '']) => JSON.parse(json))).toEqual(
      supervisor.entries,
    );
    expect(supervisor.watches).toMatchObject([{ records: true, from: 7 }]);
    socket.destroy();
    await expect.poll(() => supervisor.watches).toEqual([]);
    serving.caller = guest;
    const refused = await serving.http('GET', '/v1/inspect');
    expect([refused.status, refused.json]).toMatchObject([403, { kind: 'forbidden' }]);
    expect(supervisor.watches).toEqual([]);
  });

  it('give a reader who takes his time all entries that he was promised', async () => {
    const supervisor = world();
    const large = 'x'.repeat(10_000);
    supervisor.entries = Array.from({ length: 200 }, (_, index) => ({ seq: index + 1, large }));
    const { connect } = await serve(supervisor);
    const socket = await connect();
    socket.write('GET /v1/inspect HTTP/1.0\r\n\r\n');
    const text = await readUntil(socket, '"seq":200,');
    expect([...text.matchAll(/"seq":(\d+)/g)].map(([, seq]) => Number(seq))).toEqual(
      Array.from({ length: 200 }, (_, index) => index + 1),
    );
    expect(text).not.toContain('event: missed');
  });

  it('send the last records, and those to come', async () => {
    const supervisor = world();
    supervisor.records = [record('one'), record('other', 'store'), record('two'), record('three')];
    const { http, connect } = await serve(supervisor);
    const { text } = await http('GET', '/v1/logs?name=web&lines=2');
    expect([...text.matchAll(/"message":"(\w+)"/g)].map(([, word]) => word)).toEqual(['two', 'three']);
    for (const [, json = ''] of text.matchAll(/^event: record\ndata: (.*)$/gm)) conforms('Record', JSON.parse(json));
    expect(text).toMatch(/^: connected\n\nevent: clock\ndata: \{"at":[\d.]+\}\n\n/);
    const socket = await connect();
    socket.write('GET /v1/logs?follow&lines=0 HTTP/1.0\r\n\r\n');
    await readUntil(socket, ': connected');
    const next = readUntil(socket, 'event: record');
    supervisor.records$.next(record('four'));
    expect(await next).toContain('four');
  });

  it('run a command, and end it with the connection', async () => {
    const supervisor = world();
    const output$ = new Subject<{ stream: 'stdout'; text: string }>();
    let cancelled = false;
    supervisor.commandRun = {
      output$,
      outcome: new Promise(() => undefined),
      cancel: () => {
        cancelled = true;
      },
    };
    const { connect } = await serve(supervisor);
    const socket = await connect();
    const body = '{"argv":["echo","hello"]}';
    socket.write(`POST /v1/run HTTP/1.0\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    await readUntil(socket, ': connected');
    const seen = readUntil(socket, 'event: output');
    output$.next({ stream: 'stdout', text: 'hello' });
    expect(await seen).toContain('{"stream":"stdout","text":"hello"}');
    expect(supervisor.asked).toEqual(['run echo hello']);
    socket.destroy();
    await expect.poll(() => cancelled).toBe(true);
  });

  it('cost only a bounded rest where the reader never reads, and tell what it missed', async () => {
    const supervisor = world();
    const { connect, server } = await serve(supervisor);
    const socket = await connect();
    socket.write('GET /v1/logs?follow&lines=0 HTTP/1.0\r\n\r\n');
    await readUntil(socket, ': connected');
    socket.pause();
    const long = 'x'.repeat(1_000);
    for (let count = 0; count < 5_000; count += 1) supervisor.records$.next(record(long));
    await expect.poll(() => server.counts().unread).toBeGreaterThan(1_000);
    // Another one is answered meanwhile.
    const other = await connect();
    other.end('loglevel\n');
    expect(await readAll(other)).toContain('NOT SET');
    const missed = readUntil(socket, 'event: missed');
    socket.resume();
    expect(await missed).toMatch(/event: missed\ndata: {"count":\d+}/);
  });
});

it('streams end with their last chunk, and with what was missed', async () => {
  const supervisor = world();
  const { connect, server } = await serve(supervisor);
  const streams = await Promise.all(
    ['/v1/events', '/v1/logs?follow&lines=0', '/v1/inspect'].map(async (path) => {
      const socket = await connect();
      socket.write(`GET ${path} HTTP/1.1\r\n\r\n`);
      await readUntil(socket, ': connected');
      return { rest: readAll(socket) };
    }),
  );
  await server.end();
  for (const { rest } of streams) expect(await rest).toMatch(/0\r\n\r\n$/);
  await expect.poll(() => server.counts().connections).toBe(0);
});

describe('limits', () => {
  it('of time: a reader who takes nothing for half a minute is let go, one who reads is not', async () => {
    const supervisor = world();
    const clock = new VirtualClock();
    const { connect, server } = await serve(supervisor, [], clock);
    const follow = async () => {
      const socket = await connect();
      socket.write('GET /v1/logs?follow&lines=0 HTTP/1.0\r\n\r\n');
      await readUntil(socket, ': connected');
      return socket;
    };
    const stalled = await follow();
    stalled.pause();
    const reader = await follow();
    const missed = readUntil(reader, 'event: missed');
    for (let count = 0; count < 5_000; count += 1) supervisor.records$.next(record('x'.repeat(1_000)));
    await expect.poll(() => server.counts().unread).toBeGreaterThan(1_000);
    // By then it has taken all that there was.
    await missed;
    // One look sees that something waits, the next that nothing of it was taken.
    clock.run(clock.now() + limits.stalledTime);
    expect(server.counts().connections).toBe(2);
    clock.run(clock.now() + limits.stalledTime);
    await expect.poll(() => server.counts().connections).toBe(1);
    supervisor.records$.next(record('still there'));
    expect(await readUntil(reader, 'still there')).toContain('still there');
    expect(stalled.bytesRead).toBeLessThan(limits.unread * 2);
  });

  it('of time: a watcher of everything may pause, loses entries, and is told how many', async () => {
    const supervisor = world();
    const clock = new VirtualClock();
    const { connect, server } = await serve(supervisor, [], clock);
    const socket = await connect();
    socket.write('GET /v1/inspect HTTP/1.0\r\n\r\n');
    await readUntil(socket, ': connected');
    socket.pause();
    await expect.poll(() => supervisor.watches.length).toBe(1);
    const [watch] = supervisor.watches;
    for (let seq = 1; seq < 5_000; seq += 1) watch?.onEntry({ seq, text: 'x'.repeat(1_000) });
    expect(server.counts().unread).toBeGreaterThan(1_000);
    for (let times = 0; times < 10; times += 1) clock.run(clock.now() + limits.stalledTime);
    expect(server.counts().connections).toBe(1);
    const heard = readUntil(socket, 'event: missed');
    socket.resume();
    expect(await heard).toContain('event: entry');
  });

  it('of time: who does not finish a request is let go', async () => {
    const clock = new VirtualClock();
    const { connect, server } = await serve(world(), [], clock);
    const socket = await connect();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.resume();
    socket.write('GET /v1/status HT');
    await expect.poll(() => server.counts().connections).toBe(1);
    clock.run(clock.now() + limits.requestTime);
    await closed;
    await expect.poll(() => server.counts().connections).toBe(0);
  });

  it('of connections: guests cannot lock out who may do everything', async () => {
    const serving = await serve(world());
    serving.caller = guest;
    const guests = [];
    for (let count = 0; count < limits.accountConnections; count += 1) {
      const socket = await serving.connect();
      socket.write('GET /v1/events HTTP/1.0\r\n\r\n');
      await readUntil(socket, ': connected');
      guests.push(socket);
    }
    const over = await serving.connect();
    over.resume();
    await once(over, 'close');
    expect(serving.server.counts().refused).toBe(1);
    serving.caller = { uid: 0, gid: 0, groups: [] };
    expect(await serving.exchange('loglevel')).toContain('NOT SET');
  });

  /** Opens a stream for an account; undefined where it finds no room. */
  const openStream = async (serving: Serving, caller: Caller): Promise<Socket | undefined> => {
    serving.caller = caller;
    const socket = await serving.connect();
    socket.write('GET /v1/events HTTP/1.0\r\n\r\n');
    return readUntil(socket, ': connected').then(
      () => socket,
      () => undefined,
    );
  };

  it('of connections: two accounts that take all places give each that comes its share', async () => {
    const serving = await serve(world());
    const greedy: Socket[] = [];
    for (let count = 0; count < limits.connections.guest; count += 1) {
      const socket = await openStream(serving, { ...guest, uid: 1000 + (count % 2) });
      if (socket === undefined) throw new Error('there was room');
      greedy.push(socket);
    }
    const gone = (): number => greedy.filter(({ destroyed }) => destroyed).length;
    expect(gone()).toBe(0);
    const modest: (Socket | undefined)[] = [];
    for (let count = 0; count < 12; count += 1) modest.push(await openStream(serving, { ...guest, uid: 1002 }));
    // A third account gets places until it has nearly as many as the others: of 32, not more than 11.
    expect(modest.map((socket) => socket !== undefined)).toEqual([...Array(10).fill(true), false, false]);
    await expect.poll(gone).toBe(10);
    // The eldest connections are the last to go.
    expect(greedy.slice(0, 20).some(({ destroyed }) => destroyed)).toBe(false);
    expect(await openStream(serving, { ...guest, uid: 1003 })).toBeDefined();
    expect(serving.server.counts().connections).toBe(limits.connections.guest);
  });

  it.each([
    { who: 'root', caller: { uid: 0, gid: 0, groups: [] } },
    { who: "chaperone's own account", caller: { uid: 400, gid: 400, groups: [] } },
  ])('of connections: $who gets in, however many others there are', async ({ caller }) => {
    const serving = await serve(world(), [], undefined, { uid: 400, owners: [500, 501, 502] });
    for (let count = 0; count < limits.connections.owner + 3; count += 1) {
      await openStream(serving, { uid: 500 + (count % 3), gid: 1, groups: [] });
    }
    for (let count = 0; count < limits.connections.guest + 3; count += 1) {
      await openStream(serving, { uid: 1000 + (count % 5), gid: 1, groups: [] });
    }
    serving.caller = caller;
    expect(await serving.exchange('loglevel')).toContain('NOT SET');
  });

  it('of connections: foreign callers are one account, whatever uid they have, and take no place of root', async () => {
    const serving = await serve(world());
    const opened: (Socket | undefined)[] = [];
    for (let count = 0; count < limits.accountConnections + 2; count += 1) {
      opened.push(await openStream(serving, { uid: count % 3, gid: 0, groups: [0], isForeign: true }));
    }
    expect(opened.filter((socket) => socket !== undefined)).toHaveLength(limits.accountConnections);
    expect(serving.server.counts().refused).toBe(2);
    serving.caller = { uid: 0, gid: 0, groups: [] };
    expect(await serving.exchange('loglevel')).toContain('NOT SET');
  });

  it('a foreign caller reads the status, and is refused what root may do', async () => {
    const supervisor = world();
    const serving = await serve(supervisor, [{ to: { kind: 'everybody' }, actions: ['start'] }]);
    serving.caller = { uid: 0, gid: 0, groups: [0], isForeign: true };
    expect(await serving.exchange('status')).toMatch(/^RESULT\n/);
    expect(await serving.exchange('start web')).toBe('RESULT\nservice start-up queued.');
    expect(await serving.exchange('shutdown now')).toBe(
      'RESULT\nCommand error: not permitted for uid 0 from outside of the container: shutdown',
    );
    expect((await serving.http('GET', '/v1/inspect')).status).toBe(403);
    expect(supervisor.asked).toEqual(['start web.service']);
  });

  it('of requests', async () => {
    const serving = await serve(world());
    serving.caller = guest;
    const replies = [];
    for (let count = 0; count < limits.requestBurst * 3; count += 1) replies.push(await serving.exchange('loglevel\n'));
    expect(replies.slice(0, limits.requestBurst).every((text) => text.includes('NOT SET'))).toBe(true);
    expect(replies.some((text) => text.includes('too many requests'))).toBe(true);
    serving.caller = { uid: 1002, gid: 1002, groups: [] };
    expect(await serving.exchange('loglevel\n')).toContain('NOT SET');
  });

  it('whoever the kernel does not name is not served', async () => {
    const serving = await serve(world());
    serving.caller = undefined;
    const socket = await serving.connect();
    socket.resume();
    await once(socket, 'close');
    expect(serving.server.counts()).toMatchObject({ connections: 0, refused: 1 });
  });
});

describe('the end of the system', () => {
  /** True where nobody was waited for. The promise resolves once the end has come, when all of these have gone. */
  async function endsAtOnce(words: string, pid: number | undefined, alive: readonly number[]): Promise<boolean> {
    const serving = await serve(world());
    serving.caller = { uid: 0, gid: 0, groups: [], ...(pid === undefined ? {} : { pid }) };
    await serving.exchange(words);
    for (const each of alive) serving.alive.add(each);
    let over = false;
    serving.server.shutdownCallersGone().then(() => {
      over = true;
    });
    const first = await new Promise<boolean>((resolve) => setImmediate(() => resolve(over)));
    serving.alive.clear();
    await expect.poll(() => over).toBe(true);
    return first;
  }

  it.each([
    ['who has asked for it, and still has the answer to tell', 'shutdown', 7, [7], false],
    ['nobody who has gone', 'shutdown', 7, [8], true],
    ['nobody who has asked for something else', 'status', 7, [7], true],
    ['nobody who has asked for an end in an hour', 'shutdown 60', 7, [7], true],
    ['nobody whose pid is not known', 'shutdown', undefined, [7], true],
  ] as const)('waits for %s', async (_, words, pid, alive, atOnce) => {
    expect(await endsAtOnce(words, pid, alive)).toBe(atOnce);
  });
});

describe('the FIFO', () => {
  it('takes command lines in any pieces, without an answer', async () => {
    const supervisor = world();
    const { server, lines } = await serve(supervisor);
    for (const piece of ['sta', 'rt --wait web\nstop sto', 're\n\nexplode\n', 'y'.repeat(9_000), '\nloglevel info\n']) {
      server.takeLines(Buffer.from(piece));
    }
    await expect.poll(() => lines.length).toBe(5);
    expect(supervisor.asked).toEqual(['start web.service', 'stop store.service', 'loglevel info']);
    expect(lines.map(({ kind }) => kind).sort()).toEqual(['done', 'done', 'done', 'mistake', 'mistake']);
  });
});

describe('bad requests of a guest', () => {
  it.each(badRequests)('$what: is answered, and is no fault of chaperone', async (bad) => {
    const serving = await serve(world());
    serving.caller = guest;
    const socket = await serving.connect();
    const body = bad.body ?? '';
    const length = bad.bytewise === true ? 'transfer-encoding: chunked' : `content-length: ${Buffer.byteLength(body)}`;
    const sent = bad.bytewise === true ? [...body].map((byte) => `1\r\n${byte}\r\n`).join('') : body;
    // The rest of a refused request may find the connection closed, so an error of the socket is none of the test.
    let answer = '';
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString();
    });
    socket.write(`${bad.method} ${bad.target} HTTP/1.1\r\n${length}\r\n\r\n${sent}`);
    await new Promise((resolve) => socket.once('close', resolve));
    expect(answer).toMatch(/^HTTP\/1\.1 (200|400|403|404|411|413) /);
    expect(serving.errors).toEqual([]);
    serving.caller = { uid: 1001, gid: 1001, groups: [] };
    expect(await serving.exchange('status')).toMatch(/^RESULT\n/);
  });

  it.each(badRequests)('$what: takes a bounded number of steps among 5,000 services', ({ target, body }) => {
    const services = Array.from({ length: 5_000 }, (_, index) => ({ name: `service-number-${index}.service` }));
    const found = findRoute(body === undefined ? 'GET' : 'POST', target);
    if (found.kind !== 'route') return;
    const { route, query, name } = found;
    const read = body === undefined ? readQuery(query, route.fields) : readBody(Buffer.from(body), route.fields);
    if (read.kind === 'mistake') return;
    const [list] = route.fields.parameters;
    const given: unknown = list === undefined ? [] : read.given.get(list);
    const names = [name, ...(Array.isArray(given) ? given : [])];
    const meter = new Meter();
    selectServices(services, names, meter);
    // What one glob may take beyond the bound is its own length.
    expect(meter.steps).toBeLessThan(limits.globSteps + (limits.globs + 1) * limits.glob);
  });

  it('refuses more parameters than a query may have, before it looks at them', async () => {
    const { http } = await serve(world());
    const many = Array.from({ length: limits.parameters + 1 }, (_, index) => `${index}=`).join('&');
    expect((await http('GET', `/v1/services?${many}`)).json).toMatchObject({
      kind: 'mistake',
      text: `the query has more than ${limits.parameters} parameters`,
    });
  });

  it('refuses globs that need too much work, and tells what is allowed', async () => {
    const services = Array.from({ length: 2_000 }, (_, index) => serviceStatus(`${'e'.repeat(60)}${index}`, 'ready'));
    const { http } = await serve(new FakeSupervisor(services));
    const costly = await http('POST', '/v1/commands', { words: ['status', `*${'e*'.repeat(20)}x*`] });
    expect([costly.status, costly.json]).toMatchObject([
      400,
      { text: expect.stringContaining('the names need too much work: at most 100 globs') },
    ]);
    expect((await http('POST', '/v1/commands', { words: ['status', 'eee*7'] })).status).toBe(200);
  });
});
