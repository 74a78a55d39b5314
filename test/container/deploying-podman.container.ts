/** The pod of docs/guide/deploying.md, as `podman kube play` runs it, and the two commands of its unit. */
import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { config, logAll } from '../boot/namespace.ts';
import { listenAt } from '../cli/sdnotify/notify-sockets.ts';
import { configuration, file } from '../docs/deploying-guide.ts';
import { docker, eventually, tryDocker } from './engine.ts';

const folder = mkdtempSync(join(tmpdir(), 'podman-deploying-'));
// Limits cannot be raised everywhere, and crun refuses the cgroups of some machines.
const conf = '[containers]\ndefault_ulimits=["nofile=1024:1024","nproc=64:64"]\n[engine]\nruntime="runc"\n';
const places = [
  '--root',
  join(folder, 'root'),
  '--runroot',
  join(folder, 'run'),
  '--network-config-dir',
  join(folder, 'net'),
];
const env = { ...process.env, CONTAINERS_CONF: join(folder, 'containers.conf') };

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const tryPodman = (...words: readonly string[]): Promise<Outcome> => podmanWith({}, words);

async function podmanWith(variables: Readonly<Record<string, string>>, words: readonly string[]): Promise<Outcome> {
  const child = spawn('podman', [...places, '--storage-driver', 'vfs', ...words], {
    env: { ...env, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr, status] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { status, stdout: stdout.trim(), stderr };
}

async function podman(...words: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await tryPodman(...words);
  if (status !== 0) throw new Error(`podman ${words.join(' ')} ended with ${status}: ${stderr}`);
  return stdout;
}

/** Chaperone's folder and busybox, as an image: the driver copies all of an image for each of its containers. */
beforeAll(async () => {
  const image = join(folder, 'image');
  for (const name of ['bin', 'etc', 'tmp', 'usr']) mkdirSync(join(image, name), { recursive: true });
  chmodSync(join(image, 'tmp'), 0o1777);
  mkdirSync(join(folder, 'net'));
  writeFileSync(join(folder, 'containers.conf'), conf);
  copyFileSync('/bin/busybox', join(image, 'bin/busybox'));
  for (const name of ['sh', 'sleep', 'id', 'cat', 'touch']) symlinkSync('busybox', join(image, 'bin', name));
  const id = await docker('create', 'chaperone');
  await docker('cp', `${id}:/usr/local`, join(image, 'usr'));
  await tryDocker('rm', id);
  const tar = join(folder, 'image.tar');
  await new Promise((resolve) => spawn('tar', ['-C', image, '-cf', tar, '.']).once('close', resolve));
  const changes = ['ENTRYPOINT ["/usr/local/bin/chaperone"]', 'ENV PATH=/usr/local/bin:/bin'];
  await podman('import', ...changes.flatMap((change) => ['--change', change]), tar, 'example/web:latest');
});

afterAll(async () => {
  await tryPodman('pod', 'rm', '--all', '--force', '--time', '0');
  rmSync(folder, { recursive: true, force: true });
});

it('the pod is ready by both probes, has its secret and no other rights, and ends in order', async () => {
  const named = (kind: string, content: object): string =>
    stringify({ apiVersion: 'v1', kind, metadata: { name: 'web' }, ...content });
  const password = Buffer.from('correct horse').toString('base64');
  const documents = [
    named('ConfigMap', { data: { 'web.conf': configuration('probe') } }),
    named('Secret', { data: { password } }),
    // Nothing is pulled: the image is this machine's own.
    file('pod.yaml').replace(/^( +)image: .*$/m, '$&\n$1imagePullPolicy: Never'),
  ];
  const play = join(folder, 'pod.yaml');
  writeFileSync(play, documents.join('---\n'));
  await podman('kube', 'play', play);

  await eventually('is-ready says so', async () =>
    (await tryPodman('exec', 'web-web', 'chaperonectl', 'is-ready')).status === 0 ? true : undefined,
  );
  const probe = async (): Promise<string> =>
    (await tryPodman('exec', 'web-web', 'busybox', 'wget', '-q', '-O', '-', 'http://127.0.0.1:8086/')).stderr;
  // A request that the service did not read to its end would reset the connection.
  expect(await probe()).toBe('');
  expect(await podman('exec', 'web-web', 'id', '-u')).toBe('10001');
  // Podman 4.3 hands the content on as it stands in the Secret, which is base64.
  expect(['correct horse', password]).toContain(await podman('exec', 'web-web', 'cat', '/run/secrets/password'));
  expect((await tryPodman('exec', 'web-web', 'touch', '/file')).stderr).toContain('Read-only file system');
  await podman('exec', 'web-web', 'touch', '/tmp/file');
  await podman('exec', 'web-web', 'chaperonectl', 'stop', 'web');
  expect((await tryPodman('exec', 'web-web', 'chaperonectl', 'is-ready')).status).toBe(1);
  expect(await probe()).toContain('503 Service Unavailable');
  await podman('exec', 'web-web', 'chaperonectl', 'start', 'web');

  await podman('pod', 'stop', 'web');
  expect(await podman('inspect', '--format', '{{.State.ExitCode}}', 'web-web')).toBe('0');
  expect(await podman('logs', 'web-web')).toMatch(/shutdown took \S+ s of 8\.000 s; 2 services stopped:/);
  await podman('kube', 'down', play);
});

it('the unit tells systemd that it is ready once all services are, and ends in order', async () => {
  const command = (key: string): readonly string[] =>
    new RegExp(`^${key}=podman (.*)$`, 'm').exec(file('web.service.ini'))?.[1]?.split(' ') ?? [];
  const chaperoneD = join(folder, 'chaperone.d');
  mkdirSync(chaperoneD);
  writeFileSync(
    join(chaperoneD, 'web.conf'),
    config({
      'gate.service': { type: 'oneshot', command: "sh -c 'until [ -e /etc/chaperone.d/open ]; do sleep 0.1; done'" },
      'web.service': { command: 'sleep infinity', after: 'gate.service', startup_pause: 0.1 },
      ...logAll,
    }),
  );
  const { path, take } = listenAt(join(folder, 'notify'));
  const arrived: string[] = [];
  const start = command('ExecStart');
  const configured = [...start.slice(0, -1), '--volume', `${chaperoneD}:/etc/chaperone.d:ro`, ...start.slice(-1)];
  const ended = podmanWith({ NOTIFY_SOCKET: path }, configured);
  await eventually('chaperone answers', async () =>
    (await tryPodman('exec', 'web', 'chaperonectl', 'status')).status === 0 ? true : undefined,
  );
  arrived.push(...take());
  expect(arrived.join('\n')).not.toContain('READY=1');
  writeFileSync(join(chaperoneD, 'open'), '');
  await eventually('READY=1 has come', () => {
    arrived.push(...take());
    return Promise.resolve(arrived.some((text) => text.startsWith('READY=1')) || undefined);
  });
  expect(arrived.join('\n')).toMatch(/^MAINPID=\d+$/m);
  await podman(...command('ExecStop'));
  const { status, stdout } = await ended;
  expect(status).toBe(0);
  expect(stdout).toMatch(/shutdown took \S+ s of 8\.000 s; 1 service stopped:/);
});
