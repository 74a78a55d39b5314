/** The command of docs/guide/deploying.md for systemd-nspawn, on a machine where systemd need not be the init. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { loadEdge } from '../../src/runtime/linux/load-edge.ts';
import { config, logAll } from '../boot/namespace.ts';
import { inDist } from '../dist.ts';
import { commandLines } from '../docs/deploying-guide.ts';
import { docker, eventually, tryDocker } from './engine.ts';

const edge = loadEdge(inDist('edge.node'));
const scratch = mkdtempSync(join(tmpdir(), 'chaperone-nspawn-'));
// The name of the directory is the name of the machine.
const directory = join(scratch, `chaperone-${process.pid}`);

/** Chaperone's folder, busybox, and what nspawn asks of a root directory. */
beforeAll(async () => {
  for (const name of ['bin', 'etc/chaperone.d', 'usr', 'gate']) mkdirSync(join(directory, name), { recursive: true });
  copyFileSync('/bin/busybox', join(directory, 'bin/busybox'));
  for (const name of ['sh', 'sleep']) symlinkSync('busybox', join(directory, 'bin', name));
  writeFileSync(join(directory, 'etc/os-release'), 'ID=none\n');
  const id = await docker('create', 'chaperone');
  await docker('cp', `${id}:/usr/local`, join(directory, 'usr'));
  await tryDocker('rm', id);
});

afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
  // nspawn leaves its folder behind where /run is no file system in memory.
  rmSync(join('/run/systemd/nspawn/propagate', basename(directory)), { recursive: true, force: true });
});

it('systemd-nspawn runs the services in their order, hears when they are up, and ends them by its signal', async () => {
  writeFileSync(
    join(directory, 'etc/chaperone.d/web.conf'),
    config({
      'gate.service': { type: 'oneshot', command: "sh -c 'echo waits; until [ -e /gate/open ]; do sleep 0.1; done'" },
      'web.service': {
        command: `sh -c 'trap "echo web stops; exit" TERM; while :; do sleep 0.1; done'`,
        after: 'gate.service',
        startup_pause: 0.1,
      },
      ...logAll,
    }),
  );
  const [line = ''] = commandLines('nspawn');
  const [program = '', ...words] = line.replace('/srv/web', directory).split(' ');
  expect(words).toContain(`--directory=${directory}`);
  // A systemd that is the init would keep a list of machines, and a unit for each.
  const manager = join(scratch, 'notify');
  const socket = edge.bindDatagram(manager);
  const child = spawn(program, ['--register=no', '--keep-unit', ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NOTIFY_SOCKET: manager },
  });
  onTestFinished(() => {
    closeSync(socket);
    if (child.exitCode !== null || child.pid === undefined) return;
    // What nspawn has started would outlive it.
    const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim();
    for (const pid of children === '' ? [] : children.split(' ')) process.kill(Number(pid), 'SIGKILL');
    child.kill('SIGKILL');
  });
  const heard: string[] = [];
  const hears = (text: string): boolean => {
    heard.push(...edge.receiveDatagrams(socket, 64).map(({ bytes }) => bytes.toString()));
    return heard.some((each) => each.includes(text));
  };
  const lines: string[] = [];
  for (const input of [child.stdout, child.stderr]) createInterface({ input }).on('line', (text) => lines.push(text));
  const ended = once(child, 'close');
  const has = async (pattern: RegExp): Promise<void> => {
    const found = () => lines.some((text) => pattern.test(text)) || undefined;
    await eventually(`${pattern} is in the log`, () => Promise.resolve(found())).catch((error: unknown) => {
      throw new Error(lines.join('\n'), { cause: error });
    });
  };

  await has(/gate\[\d+\]: waits$/);
  expect(hears('READY=1')).toBe(false);
  writeFileSync(join(directory, 'gate/open'), '');
  await has(/chaperone version .*, ready\.$/);
  await eventually('the manager of nspawn has heard of it', () => Promise.resolve(hears('READY=1') || undefined));
  child.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
  const log = lines.join('\n');
  expect(log).toMatch(/web\[\d+\]: web stops$/m);
  expect(log).toMatch(/shutdown took \S+ s of 8\.000 s; 1 service stopped:/);
  expect(log).toContain('exited successfully');
});
