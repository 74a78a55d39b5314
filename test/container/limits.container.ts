import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { config, expectOrder, logAll } from '../boot/namespace.ts';
import { type Container, docker, eventually, start } from './engine.ts';

const obey = (text: string) => ({ command: `$(FIXTURES)/obey TERM '${text}'`, startup_pause: 0.1 });
const inShell = ['--entrypoint', '/bin/sh'];
const chaperone = '/usr/local/lib/chaperone/chaperone';
/** ms; as long as the issue has it. */
const pause = 5_000;

/** A start that takes until /tmp/done is there, with a time-out shorter than the pause. */
const slowStart = {
  'x.conf': config({
    'slow.service': { type: 'oneshot', command: '/programs/slow', process_timeout: 4 },
    'web.service': { ...obey('web stops'), after: 'slow.service' },
    ...logAll,
  }),
};

/** So many services that only sleep. */
function sleepers(count: number, more: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, string>> {
  const services = Array.from({ length: count }, (_, index) => [
    `sleep${index}.service`,
    { command: 'sleep infinity', startup_pause: 0.1, ...more },
  ]);
  return { 'x.conf': config({ ...Object.fromEntries(services), ...logAll }) };
}

describe('docker pause', () => {
  it('changes nothing for what runs', async () => {
    const container = await start({
      files: { 'x.conf': config({ 'web.service': obey('web stops'), ...logAll }) },
    });
    await container.waitForLine(/ready\.$/);
    const before = container.lines();
    await docker('pause', container.id);
    await setTimeout(pause);
    await docker('unpause', container.id);
    expect(await container.stop()).toBe(0);
    expect(container.lines().slice(before.length)[0]).toMatch(/Request made to kill system\.$/);
    expectOrder(container.lines(), [/web stops/]);
  });

  // The kernel's clock runs on while the container is paused; chaperone's own stands still with it.
  it('of a start that is longer than its time-out makes it no false one', async () => {
    const container = await start({ files: slowStart });
    await container.waitForLine(/slow\[\d+\]: working/);
    await docker('pause', container.id);
    await setTimeout(pause);
    await docker('unpause', container.id);
    await container.exec('touch', '/tmp/done');
    await container.waitForLine(/ready\.$/);
  });
});

describe('a chaperone that stood still while a service ended in time', () => {
  it('hears of that before it judges the time-out', async () => {
    const container = await start({ files: slowStart });
    await container.waitForLine(/slow\[\d+\]: working/);
    const body = Number(await docker('inspect', '--format', '{{.State.Pid}}', container.id));
    const [brain = 0] = readFileSync(`/proc/${body}/task/${body}/children`, 'latin1').split(' ').map(Number);
    const both = [brain, body];
    for (const pid of both) process.kill(pid, 'SIGSTOP');
    await container.exec('touch', '/tmp/done');
    await setTimeout(pause);
    for (const pid of both) process.kill(pid, 'SIGCONT');
    await container.waitForLine(/slow\.service exit status for pid=\d+ is '<ProcStatus exit_status=0>'/);
    await container.waitForLine(/ready\.$/);
    expect(await container.stop()).toBe(0);
  });
});

describe('a memory limit', () => {
  it('that one service exceeds ends that service; it is told as an OOM kill, and the rest lives', async () => {
    const container = await start({
      options: ['--memory', '160m', '--memory-swap', '160m'],
      files: {
        'x.conf': config({
          'web.service': obey('web stops'),
          'hog.service': { command: '/programs/hog', startup_pause: 0.1, after: 'web.service' },
          ...logAll,
        }),
      },
    });
    await container.waitForLine(/ready\.$/);
    await container.waitForLine(/hog\[\d+\]: waiting/);
    await container.exec('touch', '/tmp/eat');
    await container.waitForLine(/hog\.service terminated abnormally with <ProcStatus signal=9>/);
    await container.waitForLine(/hog\.service .*OOM/i);
    expect(await container.isRunning()).toBe(true);
    expect(await container.stop()).toBe(0);
    expectOrder(container.lines(), [/web\[\d+\]: web stops/]);
  });
});

interface Limit {
  readonly limit: string;
  readonly why: RegExp;
  readonly more: Readonly<Record<string, unknown>>;
}

const descriptors: Limit = { limit: 'nofile=64:64', why: /no descriptor left.*\(EMFILE\)/, more: {} };
const processes: Limit = {
  limit: 'nproc=3:3',
  why: /no more processes are allowed.*\(EAGAIN\)/,
  // Root may go beyond it, and it counts what a user runs on the whole machine.
  more: { uid: 54_321 },
};

describe.each([descriptors, processes])('--ulimit $limit', ({ limit, why, more }) => {
  it('that the start exceeds fails the system with the reason', async () => {
    const container = await start({ options: ['--ulimit', limit], files: sleepers(40, more) });
    await expectRefusal(container, why);
  });

  it('costs only the services that cannot be started, where failures are ignored', async () => {
    const container = await start({
      options: ['--ulimit', limit],
      files: sleepers(40, { ...more, ignore_failures: true }),
    });
    await expectSurvival(container, why);
  });
});

describe('--pids-limit 30', () => {
  const options = ['--pids-limit', '30'];

  it('that the start exceeds fails the system with the reason', async () => {
    await expectRefusal(await start({ options, files: sleepers(40) }), processes.why);
  });

  // PID 1 aborts: libuv creates the threads that write the log only when the first record is written.
  it('costs only the services that cannot be started, where failures are ignored', async () => {
    await expectSurvival(await start({ options, files: sleepers(40, { ignore_failures: true }) }), processes.why);
  });
});

async function expectRefusal(container: Container, why: RegExp): Promise<void> {
  expect(await container.exit()).toBe(1);
  expectOrder(container.lines('stderr'), [
    /^chaperone: system failed: sleep\d+\.service could not be started$/,
    new RegExp(`why +.*${why.source}`),
    /command sleep infinity$/,
    /stopped .*exit status 1$/,
  ]);
}

async function expectSurvival(container: Container, why: RegExp): Promise<void> {
  await container.waitForLine(/ready\.$/);
  await container.waitForLine(new RegExp(`ignoring failures\\. Exception: .*${why.source}`));
  expect(await container.stop()).toBe(0);
  expect(container.lines().filter((line) => /signal=15/.test(line)).length).toBeGreaterThan(1);
}

describe('a full', () => {
  it("/dev/shm is a service's own failure, with its words", async () => {
    const container = await start({
      options: ['--shm-size', '64k'],
      files: {
        'x.conf': config({
          'web.service': obey('web stops'),
          'fill.service': {
            type: 'oneshot',
            command: 'dd if=/dev/zero of=/dev/shm/file bs=1M count=1 status=none',
            after: 'web.service',
          },
          ...logAll,
        }),
      },
    });
    expect(await container.exit()).toBe(1);
    expectOrder(container.lines('stderr'), [/fill\.service did not become ready/, /last +".*No space left on device/]);
    expectOrder(container.lines(), [/web\[\d+\]: web stops/]);
  });

  it.each([
    { where: 'log volume', target: '/full/log', options: ['--tmpfs', '/full:size=64k'] },
    { where: 'device', target: '/dev/full', options: [] },
  ])('$where for stdout ends nobody', async ({ target, options }) => {
    const container = await start({
      options: [...options, ...inShell],
      args: ['-c', `exec ${chaperone} > ${target}`],
      files: {
        'x.conf': config({
          'talk.service': { type: 'oneshot', command: 'seq 20000' },
          'web.service': { command: "$(FIXTURES)/obey TERM 'web stops' 0 /tmp/stopped", after: 'talk.service' },
          ...logAll,
        }),
      },
    });
    await eventually('web.service runs', async () => {
      const { stdout } = await container.exec('ps', '-eo', 'args=');
      return /\/obey TERM/.test(stdout) ? true : undefined;
    });
    expect(await container.isRunning()).toBe(true);
    expect(await container.stop()).toBe(0);
    expect(container.lines('stderr').join('\n')).not.toMatch(/internal error/);
    expect(await docker('diff', container.id)).toMatch(/\/tmp\/stopped/);
  });
});
