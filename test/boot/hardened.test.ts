/** Pods with a security context: an account without capabilities, groups from outside, a root file system that cannot be written. */

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { inDist } from '../dist.ts';
import type { Outcome } from './by-hand.ts';
import { type Booted, boot, config, fixtures, isRoot, logAll } from './namespace.ts';

const dist = inDist();

interface Pod {
  /** uid:gid:groups of chaperone. */
  readonly account?: string;
  /** The folders that can be written. */
  readonly writable?: string;
  /** A shell script that root runs before chaperone is started. */
  readonly before?: string;
  readonly args?: readonly string[];
}

type Sections = Parameters<typeof config>[0];

function bootPod(sections: Sections, { account = '10001:10001:10001,2000', writable = '', before, args }: Pod): Booted {
  return boot({
    files: { 'x.conf': config({ ...logAll, ...sections }) },
    program: join(fixtures, 'hardened'),
    ownDev: true,
    ...(args === undefined ? {} : { args }),
    env: {
      CHAPERONE: join(dist, 'chaperone'),
      CHAPERONE_SOCKET: '',
      ACCOUNT: account,
      WRITABLE: writable,
      BEFORE: before ?? '',
    },
  });
}

/** Runs a program in the pod, as `kubectl exec` and `docker exec -u` do; nothing tells it where the socket is. */
async function enter(pod: Booted, uid: number, program: string, ...words: readonly string[]): Promise<Outcome> {
  const account = ['setpriv', '--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups'];
  const child = spawn(
    'nsenter',
    ['--target', `${pod.pid()}`, '--mount', '--pid', ...account, join(dist, program), ...words],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'] } },
  );
  const output = Promise.all([text(child.stdout), text(child.stderr)]);
  const status = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? -1));
  });
  const [stdout, stderr] = await output;
  return { status, stdout, stderr, text: `${stdout}${stderr}` };
}

const notifies = { type: 'notify', command: '$(FIXTURES)/notify.py READY=1' };
const sleeps = { command: 'sleep infinity' };
const says = { type: 'oneshot', command: "sh -c 'echo $(id -u) $(id -g) of $(id -G); echo socket $CHAPERONE_SOCKET'" };

describe.runIf(isRoot)('a hardened pod', () => {
  it.each<[string, string, Sections[string], string]>([
    ['its own account by number', '10001:10001:10001,2000', { uid: 10001 }, '10001 10001 of 10001 2000'],
    ['a group that is not its uid', '10001:3000:2000', { uid: 10001 }, '10001 3000 of 3000 2000'],
    ['a uid without a gid', '10001:0:2000', { uid: '10001' }, '10001 0 of 0 2000'],
    ['uid and gid', '10001:3000:2000,4000', { uid: 10001, gid: 3000 }, '10001 3000 of 3000 2000 4000'],
    ['an account with an entry', '65534:65534:2000', { uid: 'nobody' }, '65534 65534 of 65534 2000'],
    ['root without capabilities', '0:0:0,2000', { uid: 'root' }, '0 0 of 0 2000'],
  ])('keeps its supplementary groups where a service has %s', async (_, account, own, groups) => {
    const pod = bootPod({ 'x.service': { ...says, ...own } }, { account, writable: '/dev/shm' });
    await pod.waitForLine(new RegExp(`x\\[\\d+\\]: ${groups}$`));
    expect(await pod.exit).toBe(0);
  });

  it('keeps its groups with --user, also for the command and in backticks', async () => {
    const sections = { 'x.service': { type: 'oneshot', command: 'echo groups `id -G`' } };
    const pod = bootPod(sections, { writable: '/dev/shm', args: ['--user', '10001', 'sh', '-c', 'echo $(id -G)'] });
    await pod.waitForLine(/x\[\d+\]: groups 10001 2000$/);
    await pod.waitForLine(/^10001 2000$/);
    expect(await pod.exit).toBe(0);
  });

  it.each<[string, Sections[string], string]>([
    ['another account', { uid: 'nobody' }, 'gid'],
    ['another group', { uid: 10001, gid: 2000 }, 'gid'],
  ])('is refused %s', async (_, other) => {
    const pod = bootPod({ 'x.service': { ...says, ...other } }, { writable: '/dev/shm' });
    await pod.waitForLine(/cannot take the account's g\w+: not permitted \(EPERM\)/);
    expect(await pod.exit).toBe(1);
  });

  it('has its sockets in /dev/shm where nothing else can be written, and every exec finds them', async () => {
    const pod = bootPod(
      { 'a.service': { ...notifies }, 'b.service': sleeps, 'x.service': says },
      { writable: '/dev/shm' },
    );
    await pod.waitForLine(/ready\.$/);
    await pod.waitForLine(/x\[\d+\]: socket \/dev\/shm\/chaperone-10001\/chaperone\.sock$/);
    for (const uid of [0, 10_001]) {
      expect(await enter(pod, uid, 'telchap', 'status')).toMatchObject({ status: 0, stderr: '' });
      expect(await enter(pod, uid, 'chaperonectl', 'is-ready', 'b')).toMatchObject({ status: 0, stderr: '' });
    }
    const stranger = await enter(pod, 65_534, 'telchap', 'status');
    expect(stranger).toMatchObject({ status: 6, stdout: '' });
    expect(await enter(pod, 65_534, 'chaperonectl', 'is-ready')).toMatchObject({ status: 6, stderr: stranger.stderr });
    pod.signal('SIGTERM');
    expect(await pod.exit).toBe(0);
  });

  it('is told by the doctor what it cannot have, with services by name', async () => {
    const other = { ...sleeps, uid: 'nobody', ignore_failures: true };
    const files = { selector: '*.*', file: '/var/log/all' };
    const pod = bootPod({ 'a.service': notifies, 'x.service': other, 'f.logging': files }, { writable: '/dev/shm' });
    await pod.waitForLine(/cannot take the account's g\w+: not permitted/);
    await pod.waitForLine(/ready\.$/);
    const { status, stdout } = await enter(
      pod,
      0,
      'chaperonectl',
      'doctor',
      '--config',
      `${pod.directory}/chaperone.d`,
    );
    expect(stdout).toMatch(/^ {2}pid 1 +chaperone is PID 1$/m);
    expect(stdout).toMatch(/^ {2}rights +the account 10001, with no capabilities$/m);
    expect(stdout).toMatch(
      /^✗ rights +x\.service cannot be started as another account: chaperone lacks CAP_SETUID or CAP_SETGID$/m,
    );
    expect(stdout).toMatch(/^· ports +ports below \d+ cannot be listened on$/m);
    expect(stdout).toMatch(/^\d+ things here \(✗\) cannot work as configured\.$/m);
    expect(status).toBe(1);
    const json = await enter(pod, 10_001, 'chaperonectl', 'doctor', '--json', '--config', '/nowhere');
    const answer: unknown = JSON.parse(json.stdout);
    expect(answer).toMatchObject({
      place: { uid: 10_001, init: { kind: 'chaperone' }, capabilities: { effective: [] } },
    });
    expect(json.status).toBe(0);
    pod.signal('SIGTERM');
    expect(await pod.exit).toBe(0);
  });

  it('has the socket of sdnotify-exec in /dev/shm where /tmp cannot be written', async () => {
    const words = [process.execPath, join(dist, 'sdnotify-exec.cjs'), 'sh', '-c', '"echo made $NOTIFY_SOCKET"'];
    const pod = bootPod({ 'x.service': { type: 'oneshot', command: words.join(' ') } }, { writable: '/dev/shm' });
    await pod.waitForLine(/x\[\d+\]: made \/dev\/shm\/sdnotify-\w+\/notify\.sock$/);
    expect(await pod.exit).toBe(0);
  });

  it('does not use a folder in /dev/shm that another account has made', async () => {
    const make = (name: string) => `mkdir -m 777 /dev/shm/${name} && chown 65534 /dev/shm/${name}`;
    const before = `${make('chaperone-10001')} && ${make('chaperone-notify-10001')}`;
    const sections = { 'a.service': notifies, 'b.service': sleeps, 'x.service': says };
    const pod = bootPod(sections, { writable: '/dev/shm /tmp', before });
    await pod.waitForLine(/ready\.$/);
    await pod.waitForLine(/x\[\d+\]: socket \/tmp\/chaperone-10001\/chaperone\.sock$/);
    for (const uid of [0, 10_001]) {
      expect(await enter(pod, uid, 'telchap', 'status')).toMatchObject({ status: 0 });
      expect(await enter(pod, uid, 'chaperonectl', 'is-ready', 'b')).toMatchObject({ status: 0 });
    }
    pod.signal('SIGTERM');
    expect(await pod.exit).toBe(0);
  });

  it('says in one line what is missing where nothing can be written, and what mends it', async () => {
    const pod = bootPod({ 'x.service': says }, {});
    const lines = await pod.exit.then(() => pod.lines());
    expect(lines.filter((line) => line.includes('emptyDir'))).toEqual([
      expect.stringMatching(
        /no directory for the control socket can be written, so telchap and chaperonectl cannot reach this chaperone \(tried: \/dev, \/run\/chaperone, \/dev\/shm\/chaperone-10001, \/tmp\/chaperone-10001\): mount a writable folder at \/tmp, in Kubernetes an emptyDir volume, with docker --tmpfs \/tmp$/,
      ),
    ]);
    expect(await pod.exit).toBe(0);
    const failing = bootPod({ 'a.service': notifies }, {});
    expect(await failing.exit).toBe(1);
    expect(failing.lines('stderr').join('\n')).toMatch(
      /why +cannot make the notify socket: .*\(E\w+\); mount a writable folder at \/tmp, in Kubernetes an emptyDir volume/,
    );
  });
});
