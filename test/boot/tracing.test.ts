/** Traces of a real system, taken by a collector of the test's own. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { inDist } from '../dist.ts';
import { ask, ctl, edit, telchap, up } from './by-hand.ts';
import { collect } from './collector.ts';
import { boot, config, everySecond, logAll } from './namespace.ts';
import { freePort } from './ports.ts';

const sleeper = { command: '/bin/sleep 1000', startup_pause: 0 };
const settings = { otel: true };

describe('traces', { timeout: 120_000 }, () => {
  it('tell of the boot, of a restart, a stop, a cron run and the shutdown, linked along what was waited for', async () => {
    const collector = await collect();
    const system = await up(
      {
        settings,
        'db.service': sleeper,
        'web.service': { ...sleeper, after: 'db.service' },
        'tick.service': { type: 'cron', interval: everySecond, command: '/bin/true' },
        'weak.service': { ...sleeper, restart: true, restart_delay: 0.1, startup_pause: 0.1 },
      },
      {
        env: {
          OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
          OTEL_SERVICE_NAME: 'shop',
          OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
        },
      },
    );
    const whole = await collector.span('boot');
    const [db, web] = [await collector.span('start db'), await collector.span('start web')];
    expect(new Set([whole.traceId, db.traceId, web.traceId]).size).toBe(1);
    expect([db.parentSpanId, web.parentSpanId, whole.parentSpanId ?? '']).toEqual([whole.spanId, whole.spanId, '']);
    expect(web.links).toEqual([db.spanId]);
    expect(web.attributes).toMatchObject({ 'chaperone.service': 'web', 'chaperone.waited_for': 'db' });
    expect(web.from).toBeGreaterThanOrEqual(db.to);
    expect(whole.to).toBeGreaterThanOrEqual(web.to);
    expect(Math.abs(whole.from - Date.now())).toBeLessThan(60_000);
    expect(web.events).toEqual(['starting.spawning', 'starting.settling', 'ready.running']);
    expect([whole.status, web.status]).toEqual([1, 1]);
    expect(collector.resource).toMatchObject({ 'service.name': 'shop', 'deployment.environment.name': 'test' });
    expect(collector.paths[0]).toBe('/v1/traces');

    await ctl(system, 'kill', 'weak', 'SIGKILL');
    const restart = await collector.span('restart weak');
    expect(restart.events).toContain('backoff');
    expect(restart.links).toEqual([(await collector.span('start weak')).spanId]);
    await telchap(system, 'stop', '--wait', 'web');
    expect((await collector.span('stop web')).attributes).toMatchObject({ 'chaperone.exit': 'SIGTERM' });
    const run = await collector.span('run tick');
    expect(run.attributes).toMatchObject({ 'chaperone.service': 'tick', 'chaperone.exit': 'exit 0' });
    await ctl(system, 'shutdown');
    const [end, last] = [await collector.span('shutdown'), await collector.span('stop db')];
    expect([last.traceId, last.parentSpanId]).toEqual([end.traceId, end.spanId]);
  });

  it('tell why a boot failed', async () => {
    const collector = await collect();
    const system = boot({
      files: {
        'a.conf': config({
          ...logAll,
          settings,
          'bad.service': { type: 'oneshot', command: "/bin/sh -c 'exit 3'" },
        }),
      },
      env: { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/own/place` },
    });
    const bad = await collector.span('start bad');
    expect([bad.status, bad.message]).toEqual([2, expect.stringContaining('exit 3')]);
    expect((await collector.span('boot')).status).toBe(2);
    expect(collector.paths[0]).toBe('/own/place');
    expect(await system.exit).not.toBe(0);
  });

  it.each([
    ['is not there', 'dead'],
    ['never answers', 'silence'],
    ['refuses everything', 'refuses'],
  ])('keep nobody waiting where the collector %s', async (_, kind) => {
    const silent = await collect(() => (kind === 'silence' ? 'silence' : 400));
    const url = kind === 'dead' ? 'http://127.0.0.1:1' : silent.url;
    const system = await up(
      { settings, 'web.service': sleeper },
      { env: { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_EXPORTER_OTLP_TIMEOUT: '500' } },
    );
    await system.waitForLine(/traces are not taken by http:\/\/127\.0\.0\.1:\d+\/v1\/traces: .+; the services go on/);
    expect((await telchap(system, 'restart', '--wait', 'web')).status).toBe(0);
    expect(await ask(system, 'GET', '/metrics')).toMatch(/^chaperone_trace_spans_total\{result="lost"\} [1-9]/m);
    await ctl(system, 'shutdown');
    expect(await system.exit).toBe(0);
    // The warning comes once, and not with each batch.
    expect(system.lines().filter((line) => line.includes('traces are not taken'))).toHaveLength(1);
  });

  it('are not sent where the standard variables say so, and are turned on and off by a reload', async () => {
    const collector = await collect();
    const off = await up({ settings, 'web.service': sleeper }, { env: { OTEL_SDK_DISABLED: 'true' } });
    await off.waitForLine(/no traces are sent: OTEL_SDK_DISABLED is true/);
    const system = await up({ 'web.service': sleeper }, { env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url } });
    edit(system, { settings, 'web.service': sleeper });
    expect((await ctl(system, 'reload')).text).toContain('otel');
    await telchap(system, 'stop', '--wait', 'web');
    await collector.span('stop web');
    expect(collector.spans.some(({ name }) => name === 'boot')).toBe(false);
  });

  it('of a recording are sent by replay --otlp, the same each time', async () => {
    const collector = await collect();
    const system = await up({
      settings: { inspect: { journal: '$(_CHAP_CONFIG_DIR)/journal' } },
      'db.service': sleeper,
      'web.service': { ...sleeper, after: 'db.service' },
    });
    await ctl(system, 'shutdown');
    await system.exit;
    const env = { PATH: process.env['PATH'], OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
    const send = (more: Readonly<Record<string, string>> = {}) =>
      run(inDist('chaperonectl'), ['replay', '--otlp', system.path('journal')], { ...env, ...more });
    expect(await send()).toEqual({ status: 0, text: `6 spans were sent to ${collector.url}/v1/traces\n` });
    const names = collector.spans.map(({ name }) => name).sort();
    expect(names).toEqual(['boot', 'shutdown', 'start db', 'start web', 'stop db', 'stop web']);
    const ids = collector.spans.map(({ traceId, spanId }) => `${traceId} ${spanId}`);
    await send();
    expect(collector.spans.slice(6).map(({ traceId, spanId }) => `${traceId} ${spanId}`)).toEqual(ids);
    const dead = await send({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_EXPORTER_OTLP_TIMEOUT: '500' });
    expect(dead.status).toBe(1);
    expect(dead.text).toMatch(
      /6 spans were not taken by http:\/\/127\.0\.0\.1:1\/v1\/traces, and 0 were: .*ECONNREFUSED/,
    );
  });
});

it('docs/guide/traces.md shows a configuration that does what it says', async () => {
  const guide = readFileSync(new URL('../../docs/guide/traces.md', import.meta.url), 'utf8');
  const [, example = ''] = /```yaml\n([\s\S]*?)```/.exec(guide) ?? [];
  const [collector, port] = [await collect(), await freePort()];
  const system = boot({
    files: { 'a.conf': `${example.replace('9101', String(port))}all.logging: { selector: "*.debug", stdout: true }\n` },
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url },
  });
  await system.waitForLine(/ready\.$/);
  const answer = await fetch(`http://127.0.0.1:${port}/healthz`);
  expect([answer.status, await answer.text()]).toEqual([200, 'ready\n']);
  expect((await collector.span('start web')).links).toEqual([(await collector.span('start db')).spanId]);
});

function run(
  program: string,
  words: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ readonly status: number | null; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, text }));
  });
}
