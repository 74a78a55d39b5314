import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { config } from '../boot/namespace.ts';
import { listenAt } from '../cli/sdnotify/notify-sockets.ts';
import { inDist } from '../dist.ts';
import { clientEnvironment, eventually, tryDocker } from './engine.ts';

const dist = inDist();
/** The programs under test come in a volume. */
const image = 'chaperone';
let count = 0;

interface Outside {
  readonly child: ReturnType<typeof spawn>;
  /** What has arrived at the socket outside. */
  take(): string[];
  /** With everything on standard error, and what is left of temporary files. */
  readonly end: Promise<{ readonly status: number; readonly stderr: string; readonly left: readonly string[] }>;
  readonly container: string;
}

/** `sdnotify-exec OPTIONS docker run … %{SOCKET_ARGS} IMAGE sh -c LINE`, where in the line `notify` is sdnotify. */
function runInContainer(line: string, options: readonly string[] = [], runOptions: readonly string[] = []): Outside {
  const inside = `notify() { /sdnotify/sdnotify "$@"; }; ${line}`;
  const volume = ['--volume', `${dist}:/sdnotify:ro`, '--entrypoint', '/bin/sh'];
  return startOutside(options, [...volume, ...runOptions], ['-c', inside]);
}

/** The same with chaperone in the container. */
function runChaperone(
  sections: Parameters<typeof config>[0],
  options: readonly string[] = [],
  runOptions: readonly string[] = [],
): Outside {
  const folder = mkdtempSync(join(tmpdir(), 'sdx-config-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'x.conf'), config(sections));
  return startOutside(options, ['--volume', `${folder}:/etc/chaperone.d:ro`, ...runOptions], []);
}

function startOutside(options: readonly string[], runOptions: readonly string[], args: readonly string[]): Outside {
  count += 1;
  const container = `sdnotify-${process.pid}-${count}`;
  const folder = mkdtempSync(join(tmpdir(), 'sdx-container-'));
  const temporary = join(folder, 'tmp');
  mkdirSync(temporary);
  const { path, take } = listenAt(join(folder, 'outside'));
  const words = [...options, 'docker', 'run', '--name', container, ...runOptions, '%{SOCKET_ARGS}', image, ...args];
  const child = spawn(join(dist, 'sdnotify-exec.cjs'), words, {
    env: { ...clientEnvironment, NOTIFY_SOCKET: path, TMPDIR: temporary },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const end = once(child, 'close').then(([status]) => ({ status, stderr, left: readdirSync(temporary) }));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await tryDocker('rm', '--force', container);
    rmSync(folder, { recursive: true, force: true });
  });
  return { child, take, end, container };
}

/** Waits for texts at the socket outside, and returns all there were. */
async function hear(outside: Outside, last: string): Promise<string[]> {
  const heard: string[] = [];
  return eventually(`${last} is heard`, async () => {
    heard.push(...outside.take());
    return heard.includes(last) ? heard : undefined;
  });
}

const isRunning = async (container: string): Promise<boolean> =>
  (await tryDocker('inspect', '--format', '{{.State.Running}}', container)).stdout.trim() === 'true';

describe('sdnotify-exec docker run', () => {
  it('tells outside when the container is ready, and ends with its status', async () => {
    const outside = runInContainer(
      'trap "notify STOPPING=1; exit 5" TERM; notify --status "nearly there" --ready; sleep infinity & wait',
    );
    expect(await hear(outside, 'READY=1')).toEqual(['STATUS=nearly there', 'READY=1']);
    expect(await isRunning(outside.container)).toBe(true);
    // On its way through docker's client.
    outside.child.kill('SIGTERM');
    expect(await outside.end).toEqual({ status: 5, stderr: '', left: [] });
    expect(outside.take()).toEqual(['STOPPING=1']);
  });

  it('tells outside when it fails, and ends with its status', async () => {
    const outside = runInContainer('notify ERRNO=3; exit 4');
    expect(await outside.end).toEqual({ status: 4, stderr: '', left: [] });
    expect(outside.take()).toEqual(['ERRNO=3\nX_CHAPERONE=1']);
  });

  it('hears a program that runs as another account', async () => {
    const outside = runInContainer('notify --ready', [], ['--user', '65534:65534']);
    expect(await outside.end).toEqual({ status: 0, stderr: '', left: [] });
    expect(outside.take()).toEqual(['READY=1']);
  });

  it('has the status of an engine that refuses', async () => {
    const { status, left } = await runInContainer('notify --ready', ['--wait-ready'], ['--no-such-option']).end;
    expect([status, left]).toEqual([125, []]);
  });
});

describe('sdnotify-exec docker run --detach', () => {
  it('ends with --wait-ready when the container is ready, which goes on', async () => {
    const outside = runInContainer('notify --ready; exec sleep infinity', ['--wait-ready'], ['--detach']);
    expect(await outside.end).toEqual({ status: 0, stderr: '', left: [] });
    expect(outside.take()).toEqual(['READY=1']);
    expect(await isRunning(outside.container)).toBe(true);
  });

  it('ends with --wait-ready when it fails, with the number that it gives', async () => {
    const outside = runInContainer('notify ERRNO=3; exit 4', ['--wait-ready'], ['--detach']);
    expect(await outside.end).toEqual({ status: 3, stderr: '', left: [] });
    expect(outside.take()).toEqual(['ERRNO=3\nX_CHAPERONE=1']);
  });

  it('ends with --wait-stop when it stops, and is the main process until then', async () => {
    const outside = runInContainer(
      'trap "notify STOPPING=1; exit" TERM; notify --pid $$ --ready; sleep infinity & wait',
      ['--wait-stop'],
      ['--detach'],
    );
    expect(await hear(outside, 'READY=1')).toEqual(['READY=1']);
    expect(outside.child.exitCode).toBe(null);
    await tryDocker('stop', outside.container);
    expect(await outside.end).toEqual({ status: 0, stderr: '', left: [] });
    expect(outside.take()).toEqual(['STOPPING=1']);
  });
});

describe('sdnotify-exec docker run with chaperone in the container', () => {
  it('tells outside when the services are ready, and when they stop', async () => {
    const outside = runChaperone({ 'web.service': { command: 'sleep infinity', startup_pause: 0.1 } });
    const heard = await hear(outside, 'READY=1');
    outside.child.kill('SIGTERM');
    const { status, left } = await outside.end;
    heard.push(...outside.take());
    expect([status, left]).toEqual([0, []]);
    expect(heard.filter((text) => !text.startsWith('STATUS='))).toEqual(['READY=1', 'STOPPING=1']);
  });

  it('tells outside that a service fails, and ends with the status of chaperone', async () => {
    const outside = runChaperone({ 'web.service': { type: 'oneshot', command: "sh -c 'exit 3'" } });
    const { status, left } = await outside.end;
    expect([status, left]).toEqual([1, []]);
    expect(outside.take()).toContainEqual(expect.stringMatching(/^ERRNO=[1-9]\d*\nX_CHAPERONE=1$/));
  });

  it('fails with --wait-ready where a service does', async () => {
    const sections = { 'web.service': { type: 'oneshot', command: "sh -c 'exit 3'" } };
    const outside = runChaperone(sections, ['--wait-ready'], ['--detach']);
    const { status, left } = await outside.end;
    expect(left).toEqual([]);
    // By STOPPING=1 or by ERRNO, whichever chaperone says first.
    expect(status).toBeGreaterThan(0);
    expect(outside.take().join()).not.toContain('READY');
  });
});
