import { describe, expect, it } from 'vitest';
import type { ProbeCheck, ProbeTree } from '../../src/model/service/probe.ts';
import { errorsOf, serviceOf } from './loading.ts';

const web = (more: string): string => `web.service: { command: /bin/true, ${more} }`;

function readyOf(value: string, more = ''): ProbeTree | undefined {
  return serviceOf(web(`${more}ready: ${value}`)).ready;
}

function checkOf(value: string, more = ''): ProbeCheck | undefined {
  const tree = readyOf(value, more);
  return tree?.kind === 'probe' ? tree.check : undefined;
}

describe('the probes of a service', () => {
  it.each<readonly [string, string, ProbeCheck]>([
    ['', '{ tcp: 80 }', { kind: 'tcp', host: 'localhost', port: 80 }],
    ['', '{ tcp: "db:5432" }', { kind: 'tcp', host: 'db', port: 5432 }],
    ['', '{ tcp: "[::1]:5432" }', { kind: 'tcp', host: '::1', port: 5432 }],
    ['', '{ unix: /run/x.sock }', { kind: 'unix', path: '/run/x.sock' }],
    [
      '',
      '{ http: "http://localhost/x" }',
      { kind: 'http', url: 'http://localhost/x', status: [[200, 399]], headers: {} },
    ],
    [
      '',
      '{ http: "http://x/", status: "200-299, 404", contains: "/o+k/i", headers: { Host: y, X-A: "b c" }, unix: /run/s }',
      {
        kind: 'http',
        url: 'http://x/',
        status: [
          [200, 299],
          [404, 404],
        ],
        contains: '(?i)o+k',
        headers: { Host: 'y', 'X-A': 'b c' },
        unix: '/run/s',
      },
    ],
    ['', '{ command: "pg_isready -q \'a b\'" }', { kind: 'command', argv: ['pg_isready', '-q', 'a b'] }],
    ['', '{ log: "/ready (to|for)/" }', { kind: 'log', pattern: 'ready (to|for)' }],
    ['', '{ file: /run/web.ok }', { kind: 'file', path: '/run/web.ok' }],
    ['', '{ delay: 2s }', { kind: 'delay', time: 2_000 }],
    ['', '{ fd: 3 }', { kind: 'fd', descriptor: 3 }],
    ['', '{ fd: READY_FD }', { kind: 'fd', descriptor: 'READY_FD' }],
    ['type: notify, ', 'notify', { kind: 'notify' }],
  ])('%sready: %s', (more, text, check) => {
    expect(checkOf(text, more)).toEqual(check);
  });

  it('have the defaults of what they decide', () => {
    const spec = serviceOf(web('restart: true, ready: { tcp: 80 }, healthy: { tcp: 80 }'));
    const check = { kind: 'tcp', host: 'localhost', port: 80 };
    const rest = { startPeriod: 0, kind: 'probe', check };
    expect(spec.ready).toEqual({ ...rest, interval: 100, longest: 1_000, timeout: 1_000, retries: 1 });
    expect(spec.healthy).toEqual({ ...rest, interval: 10_000, longest: 10_000, timeout: 5_000, retries: 3 });
  });

  it('take times with units, and an interval that is given does not grow', () => {
    const more = 'interval: 500ms, timeout: 2, retries: 5, start_period: 1m';
    expect(serviceOf(web(`healthy: { tcp: 80, ${more} }`)).healthy).toMatchObject({
      interval: 500,
      longest: 500,
      timeout: 2_000,
      retries: 5,
      startPeriod: 60_000,
    });
  });

  it('make trees', () => {
    const tree = readyOf('{ all: [notify, { any: [{ tcp: 80 }, { file: /x }] }] }', 'type: notify, ');
    expect(tree).toMatchObject({
      kind: 'all',
      of: [
        { check: { kind: 'notify' } },
        { kind: 'any', of: [{ check: { kind: 'tcp' } }, { check: { kind: 'file' } }] },
      ],
    });
  });

  it('are expanded', () => {
    const text = web('env_set: { PORT: 81, HEALTH: ok }, ready: { http: "http://localhost:$(PORT)/$(HEALTH)" }');
    expect(serviceOf(text).ready).toMatchObject({ check: { url: 'http://localhost:81/ok' } });
    expect(serviceOf(web('env_set: { PORT: 81 }, ready: { tcp: "$(PORT)" }')).ready).toMatchObject({
      check: { port: 81 },
    });
  });
});

describe('a mistake in a probe', () => {
  it.each([
    ['ready: { tcp: 80, http: "http://x/" }', 'ready of web.service has two probes in one map: tcp and http'],
    ['ready: { tcp: 80, all: [{ tcp: 81 }] }', 'has two probes in one map: tcp and all'],
    ['ready: { tpc: 80 }', 'did you mean "tcp"?'],
    ['ready: { interval: 1s }', 'ready of web.service has no probe'],
    ['ready: 80', 'ready of web.service is "80"'],
    ['ready: [{ tcp: 80 }]', 'ready of web.service is a list'],
    ['ready: { all: [] }', 'all in ready of web.service is empty'],
    ['ready: { all: { tcp: 80 } }', 'all in ready of web.service is a map'],
    ['ready: { all: [{ tcp: 80 }], interval: 1s }', 'interval beside all in ready of web.service has no effect'],
    ['ready: { tcp: http }', 'names no port: "http"'],
    ['ready: { tcp: 0 }', 'is out of range: "0"'],
    ['ready: { tcp: 65536 }', 'is out of range: "65536"'],
    ['ready: { tcp: [80] }', 'tcp in ready of web.service is a list'],
    ['ready: { unix: run/x }', 'is not an absolute path: "run/x"'],
    ['ready: { unix: "@x" }', 'is not an absolute path: "@x"'],
    ['ready: { http: "localhost:80/" }', 'is neither http nor https'],
    ['ready: { http: "ftp://x/" }', 'is neither http nor https'],
    ['ready: { http: nonsense }', 'is not a URL'],
    ['ready: { http: "http://x/", status: ok }', 'is no status: "ok"'],
    ['ready: { http: "http://x/", status: 300-200 }', 'is no status: "300-200"'],
    ['ready: { http: "http://x/", contains: ok }', 'is not an expression: "ok"'],
    ['ready: { http: "http://x/", contains: "/(/" }', 'is not valid: missing closing )'],
    ['ready: { http: "http://x/", headers: { "A:": b } }', 'is no name of a header'],
    ['ready: { http: "http://x/", headers: { A: "b\\r\\nC: d" } }', 'holds characters that no header may hold'],
    ['ready: { tcp: 80, status: 200 }', 'unknown key "status"'],
    ['ready: { command: "sh -c \'x" }', 'a quote in the command in ready of web.service is never closed'],
    ['ready: { command: "" }', 'the command in ready of web.service is empty'],
    ['ready: { log: "/(?=x)/" }', 'it has a look-around'],
    ['stdout: inherit, stderr: inherit, ready: { log: /x/ }', 'has no effect: stdout and stderr are inherit'],
    ['stdout: sink.service, stderr: stdout, ready: { log: /x/ }', 'stdout and stderr go elsewhere than into the log'],
    ['stdout: sink.service, stderr: inherit, ready: { log: /x/ }', 'stdout and stderr go elsewhere than into the log'],
    ['ready: { file: x }', 'is not an absolute path: "x"'],
    ['ready: { delay: soon }', 'is not a time: "soon"'],
    ['ready: { delay: 0 }', 'is too short a time: "0"'],
    ['ready: { delay: -1s }', 'is not a time: "-1s"'],
    ['ready: { fd: 2 }', 'is out of range: "2"'],
    ['ready: { fd: A-B }', 'is neither a number nor a name: "A-B"'],
    ['ready: { all: [{ fd: 3 }, { fd: 3 }] }', 'has two probes for fd 3'],
    ['ready: notify', 'has no effect: its type is simple'],
    ['type: notify, healthy: notify', 'has no effect: READY=1 comes once'],
    ['ready: { tcp: 80, retries: 3 }', 'it is for healthy; ready tries until process_timeout'],
    ['ready: { delay: 1s, interval: 1s }', 'delay is told, and not asked'],
    ['ready: { tcp: 80, interval: 1ms }', 'is too short a time: "1ms"'],
    ['healthy: { tcp: 80, retries: 0 }', 'is out of range: "0"'],
    ['healthy: { tcp: 80, retries: many }', 'is not a whole number: "many"'],
    ['healthy: { tcp: 80, timeout: [1] }', 'timeout in healthy of web.service is a list'],
  ])('is told: %s', (text, message) => {
    expect(errorsOf(web(text))).toContain(message);
  });

  it.each(['oneshot', 'inetd, port: 80', 'cron, interval: hourly'])('is a probe of type %s', (type) => {
    const name = type.replace(/,.*/, '');
    for (const key of ['ready', 'healthy'])
      expect(errorsOf(web(`type: ${type}, ${key}: { tcp: 80 }`))).toContain(
        `${key} of web.service has no effect: its type is ${name}`,
      );
  });

  it('is the health of a daemon that nobody follows', () => {
    expect(errorsOf(web('type: forking, healthy: { tcp: 80 }'))).toContain('it is forking and has no pidfile');
    expect(errorsOf(web('type: forking, pidfile: /run/x, healthy: { tcp: 80 }'))).toBe('');
    expect(errorsOf(web('type: forking, ready: { tcp: 80 }'))).toBe('');
  });
});

describe('on_unhealthy', () => {
  const answer = (more: string) => serviceOf(web(`healthy: { tcp: 80 }, ${more}`)).onUnhealthy;

  it('is restart where restart is on, else log', () => {
    expect(answer('')).toBe('log');
    for (const on of ['true', 'on-failure', 'on-failure:3', 'always']) expect(answer(`restart: ${on}`)).toBe('restart');
    for (const off of ['false', '"no"']) expect(answer(`restart: ${off}`)).toBe('log');
    expect(answer('restart: true, on_unhealthy: log')).toBe('log');
    expect(answer('on_unhealthy: shutdown')).toBe('shutdown');
    expect(answer('env_set: { A: shutdown }, on_unhealthy: "$(A)"')).toBe('shutdown');
  });

  it('cannot be restart where there is no restart, and needs a probe', () => {
    expect(errorsOf(web('healthy: { tcp: 80 }, on_unhealthy: restart'))).toContain(
      'on_unhealthy of web.service is restart, and its restart is off',
    );
    expect(errorsOf(web('restart: "no", healthy: { tcp: 80 }, on_unhealthy: restart'))).toContain('its restart is off');
    expect(errorsOf(web('restart: always, healthy: { tcp: 80 }, on_unhealthy: restart'))).toBe('');
    expect(errorsOf(web('on_unhealthy: log'))).toContain(
      'on_unhealthy of web.service has no effect: it has no healthy',
    );
    expect(errorsOf(web('healthy: { tcp: 80 }, on_unhealthy: restrat'))).toContain('did you mean "restart"?');
  });
});

describe('healthcheck', () => {
  const check = (more: string) => serviceOf(web(`restart: true, healthcheck: { ${more} }`));

  it("has Compose's defaults, and logs", () => {
    expect(check('test: "curl -f http://localhost"')).toMatchObject({
      healthy: {
        check: { kind: 'command', argv: ['/bin/sh', '-c', 'curl -f http://localhost'] },
        interval: 30_000,
        timeout: 30_000,
        retries: 3,
        startPeriod: 0,
        startInterval: 30_000,
      },
      onUnhealthy: 'log',
    });
  });

  it('reads each form of a test', () => {
    const argv = (test: string) => {
      const tree = check(`test: ${test}`).healthy;
      return tree?.kind === 'probe' && tree.check.kind === 'command' ? tree.check.argv : undefined;
    };
    expect(argv('[CMD, curl, -f, "a b"]')).toEqual(['curl', '-f', 'a b']);
    expect(argv('[CMD-SHELL, "curl -f | grep x"]')).toEqual(['/bin/sh', '-c', 'curl -f | grep x']);
    expect(argv('[NONE]')).toBeUndefined();
    expect(check('disable: true').healthy).toBeUndefined();
    expect(check('test: [CMD, x], start_period: 1m30s, interval: 10s').healthy).toMatchObject({
      startPeriod: 90_000,
      startInterval: 5_000,
      interval: 10_000,
    });
  });

  it.each([
    ['test: [CURL, x]', 'test of healthcheck is not known: "CURL x"'],
    ['test: { a: b }', 'test of healthcheck is a map'],
    ['interval: 3s', 'healthcheck has no test'],
    ['test: x, retires: 3', 'did you mean "retries"?'],
    ['test: x, disable: perhaps', 'is neither true nor false'],
    ['test: x, interval: often', 'is not a time: "often"'],
  ])('tells of a mistake: %s', (text, message) => {
    expect(errorsOf(web(`healthcheck: { ${text} }`))).toContain(message);
  });

  it('does not stand beside healthy', () => {
    expect(errorsOf(web('healthy: { tcp: 80 }, healthcheck: { test: x }'))).toContain(
      'healthcheck of web.service has no effect: it has healthy',
    );
  });
});
