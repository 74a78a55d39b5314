/** docs/guide/deploying.md: its configurations are booted, and its other files are read as those who take them read them. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { directives } from '../../src/config/directives.ts';
import { ctl } from '../boot/by-hand.ts';
import { boot } from '../boot/namespace.ts';
import { freePort } from '../boot/ports.ts';
import { inDist } from '../dist.ts';
import { configuration, configurations, file, files, guide } from './deploying-guide.ts';

/** What a stop may take by default, in seconds. */
const stopTime = Number(directives.settings.get('shutdown_timeout')?.default);
const isReady = ['chaperonectl', 'is-ready'];

describe('docs/guide/deploying.md', () => {
  it('marks each example', () => {
    const marked = Object.keys({ ...files, ...configurations });
    expect(guide.match(/^```(?:yaml|dockerfile|ini)$/gm)).toHaveLength(marked.length);
    expect(stopTime).toBe(8);
  });

  it('leaves the time for a stop that chaperone takes, and probes what it answers', () => {
    const compose: unknown = parse(file('compose.yaml'));
    expect(compose).toMatchObject({
      services: { web: { stop_grace_period: '10s', healthcheck: { test: ['CMD', ...isReady] } } },
    });
    const pod: unknown = parse(file('pod.yaml'));
    expect(pod).toMatchObject({
      apiVersion: 'v1',
      kind: 'Pod',
      spec: {
        // The time of preStop counts, too.
        terminationGracePeriodSeconds: expect.toSatisfy((seconds: number) => seconds > stopTime + 3),
        containers: [{ startupProbe: { exec: { command: isReady } }, readinessProbe: { httpGet: { port: 8086 } } }],
      },
    });
    expect(parse(file('job.yaml'))).toMatchObject({
      kind: 'Job',
      spec: { template: { spec: { containers: [{ args: ['--task', '/app/migrate'] }] } } },
    });
    expect(parse(file('workflow.yaml'))).toMatchObject({
      jobs: { test: { services: { web: { options: expect.stringContaining(isReady.join(' ')) } } } },
    });
    expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(file('web.service.ini'))?.[1])).toBeGreaterThan(stopTime);
    expect(file('web.service.ini')).toContain('NotifyAccess=all');
    expect(file('Dockerfile')).toContain('ADD chaperone-');
  });

  it.runIf(existsSync('/usr/bin/systemd-analyze'))('has a unit that systemd takes', () => {
    const unit = join('/tmp', `chaperone-deploying-${process.pid}.service`);
    writeFileSync(
      unit,
      file('web.service.ini')
        .replace('ExecStart=podman', 'ExecStart=/bin/true')
        .replace('ExecStop=podman', 'ExecStop=/bin/true'),
    );
    const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' });
    spawnSync('rm', [unit]);
    expect(stderr.split('\n').filter((line) => line.includes(unit))).toEqual([]);
  });

  it('answers a probe by HTTP, as the services are', async () => {
    const port = await freePort();
    const sections = configuration('probe').replaceAll('8086', String(port));
    const system = boot({ files: { 'x.conf': sections }, env: { PATH: `${inDist()}:/usr/bin:/bin` } });
    const probe = async (): Promise<string> => {
      const answer = await fetch(`http://127.0.0.1:${port}/`);
      return `${answer.status} ${(await answer.text()).trim()}`;
    };
    await expect.poll(async () => (await probe().catch(String)).slice(0, 3)).toBe('200');
    expect((await ctl(system, 'stop', 'web')).status).toBe(0);
    await expect.poll(probe).toMatch(/^503 web is not ready: /);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('waits for postgres', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'chaperone-postgres-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const script = `#!/bin/sh\n[ "$*" = '--quiet --host database' ] && [ -e '${folder}/up' ]\n`;
    writeFileSync(join(folder, 'pg_isready'), script, { mode: 0o755 });
    const text = `${configuration('postgres')}all.logging: { selector: "*.debug", stdout: true }\n`;
    const system = boot({ files: { 'x.conf': text }, env: { PATH: `${folder}:/usr/bin:/bin` } });
    await system.waitForLine(/database\.service attempting start/);
    writeFileSync(join(folder, 'up'), '');
    await system.waitForLine(/web\[\d+\]: the database is there/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('gives Prometheus the metrics at the port that its example asks', async () => {
    const text = configuration('metrics');
    const asked = /"web:(\d+)"/.exec(file('prometheus.yaml'))?.[1] ?? '';
    expect(parse(text)).toMatchObject({ settings: { metrics: { listen: `0.0.0.0:${asked}` } } });
    const port = await freePort();
    const system = boot({ files: { 'x.conf': text.replace(asked, String(port)) } });
    const get = async (path: string): Promise<string> => {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`);
      return `${answer.status} ${await answer.text()}`;
    };
    await expect.poll(async () => await get('/healthz').catch(String)).toBe('200 ready\n');
    await expect
      .poll(async () => await get('/metrics'))
      .toContain('chaperone_service_state{service="web",state="ready"} 1');
    const checked = await ctl(system, 'check', '--config', join(system.directory, 'chaperone.d'));
    expect([checked.status, checked.text]).toEqual([0, expect.stringContaining('0.0.0.0')]);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('writes logs in JSON', async () => {
    const system = boot({ files: { 'x.conf': configuration('json') } });
    const [line = ''] = await system.waitForLine(/^\{.*"message":"hello".*\}$/);
    expect(JSON.parse(line)).toMatchObject({ message: 'hello', program: 'hello' });
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });
});
