import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ProjectOnDisk, requirePrograms } from './dockerops.ts';

const folder = mkdtempSync(join(tmpdir(), 'podman-'));
const socket = join(folder, 'podman.sock');
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
const options = [...places, '--storage-driver', 'vfs'];
const env = { ...process.env, CONTAINERS_CONF: join(folder, 'containers.conf') };
let stopService: () => Promise<void> = async () => {};

function podman(...words: readonly string[]): Promise<string> {
  const child = spawn('podman', [...options, ...words], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.once('close', (code) =>
      code === 0
        ? resolve(stdout.trim())
        : reject(new Error(`podman ${words.join(' ')} ended with ${code}: ${stderr}`)),
    );
  });
}

beforeAll(async () => {
  requirePrograms();
  mkdirSync(join(folder, 'net'));
  writeFileSync(join(folder, 'containers.conf'), conf);
  await podman('import', smallRoot(), 'localhost/small');
  const service = spawn('podman', [...options, 'system', 'service', '--time=0', `unix://${socket}`], {
    env,
    stdio: 'ignore',
  });
  const ended = new Promise((resolve) => service.once('close', resolve));
  stopService = async () => {
    service.kill();
    await ended;
  };
}, 300_000);

afterAll(async () => {
  await stopService();
  await podman('rm', '--all', '--force', '--time', '0');
  await podman('network', 'prune', '--force');
  rmSync(folder, { recursive: true, force: true });
});

/** The root of a small image, as a tar: the driver copies all of an image for each of its layers. */
function smallRoot(): string {
  const root = join(folder, 'small');
  for (const name of ['bin', 'etc', 'tmp']) mkdirSync(join(root, name), { recursive: true });
  cpSync('/usr/bin/busybox', join(root, 'bin/busybox'), { dereference: true });
  for (const name of ['sh', 'sleep', 'cat', 'true']) symlinkSync('busybox', join(root, 'bin', name));
  const tar = join(folder, 'small.tar');
  execFileSync('tar', ['-C', root, '-cf', tar, '.']);
  return tar;
}

/** Says when it was stopped, and takes a second for it. */
const orderly = `FROM localhost/small
CMD ["sh", "-c", "trap 'sleep 1; echo ended in order; exit 0' TERM; sleep 1000000 & wait"]
`;

it('a project runs, is shown, stops and is cleaned on the socket of Podman', async () => {
  const project = new ProjectOnDisk('pod', { DOCKER_HOST: `unix://${socket}` });
  const foreign = await podman('run', '--detach', '--name', 'pod-api-two', 'localhost/small', 'sleep', '1000000');
  project.write({
    'apps_containers/db/Dockerfile': orderly,
    'apps_containers/api/Dockerfile': orderly,
    'apps_containers/run.conf': `[
 { "container": "db", "instance": "one" },
 { "container": "api", "instance": "one", "links": ["db-one:store"] }
]`,
  });
  await project.must('build', 'all');
  await project.must('run', 'all');
  const rows: unknown = JSON.parse(await project.must('ps', '--json'));
  expect(rows).toMatchObject([
    { instance: 'db-one', state: 'running' },
    { instance: 'api-one', state: 'running' },
  ]);
  const address = (await project.must('ip', 'db')).trim();
  expect(await project.must('exec', 'api', 'cat', '/etc/hosts')).toMatch(
    new RegExp(`^${address}\\s.*\\bstore\\b`, 'm'),
  );
  expect(await project.must('run', 'all')).toContain('nothing has to be done');

  await project.must('stop', 'all');
  expect(await project.must('ps')).toMatch(/db-one +exited \(0\)[\s\S]*api-one +exited \(0\)/);
  expect(await project.must('logs', 'db')).toContain('ended in order');

  await project.must('run', 'all');
  await project.must('clean', 'all', '--yes');
  expect(await podman('ps', '--all', '--format', '{{.Names}}')).toBe('pod-api-two');
  expect(await podman('inspect', '--format', '{{.State.Running}}', foreign)).toBe('true');
  expect(await podman('network', 'ls', '--format', '{{.Name}}')).toBe('podman');
}, 300_000);
