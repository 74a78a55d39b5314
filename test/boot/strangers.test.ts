/** Attacks on notify sockets and followed pids by an unprivileged account in the container, each of them bounded in time. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it, onTestFinished } from 'vitest';
import { inDist } from '../dist.ts';
import { count, ctl, put, settle, telchap, untilCount, untilState, up } from './by-hand.ts';
import { type Booted, fixtures, here, isRoot, readProcess, until } from './namespace.ts';

const settings = { shutdown_timeout: 600, detect_exit: false };
/** Root's, and only of this test: other systems on this machine have sockets in the same table. */
const victim = `victim-${process.pid}`;
const sdnotify = inDist('sdnotify');
const refused = new RegExp(`${victim}\\.service got a notification from pid \\d+, which may not send any`);
const attack = (seconds: number, ...texts: readonly string[]) => ({
  type: 'oneshot',
  uid: 1000,
  gid: 1000,
  directory: '/',
  ignore_failures: true,
  process_timeout: 60,
  command: `$(FIXTURES)/attack-notify.py ${victim} ${seconds} ${texts.join(' ')}`,
});
const notify = (words: string, more: object = {}) => ({
  type: 'notify',
  command: `$(FIXTURES)/notify.py ${words}`,
  startup_pause: 0.1,
  process_timeout: 60,
  ...more,
});

interface Entry {
  readonly name: string;
  readonly state: string;
  readonly note?: string;
  readonly pid?: number;
}

async function statusOf(system: Booted, name: string): Promise<Entry> {
  const { stdout } = await ctl(system, 'status', name, '--json');
  const [entry]: readonly Entry[] = JSON.parse(stdout);
  if (entry === undefined) throw new Error(`nothing is told of ${name}`);
  return entry;
}

/** A process of root's that enters the container from outside, as that of `docker exec` does. Resolves with its pid inside. */
async function entered(system: Booted, account: readonly string[] = []): Promise<{ pid: number; child: ChildProcess }> {
  const words = ['-t', String(system.pid()), '-p', '-m', ...account, 'sh', '-c', 'echo $$; exec sleep 1000'];
  const child = spawn('nsenter', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  if (child.stdout === null) throw new Error('there is no output');
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  return { pid: Number(line), child };
}

/** The pid of a process, or the id of a thread, inside of its namespace. */
function innerPid(pid: number): number {
  return readProcess(pid)?.innerPid ?? 0;
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null;

describe.runIf(isRoot)("a notify service of root's", () => {
  it('is not changed by what another account sends, starting or ready, and the account is named once', async () => {
    const system = await up({
      settings,
      [`${victim}.service`]: notify('sleep 1 STATUS=mine READY=1', { watchdog: 600 }),
      'early.service': attack(2),
      'late.service': { ...attack(2), after: `${victim}.service` },
    });
    for (const name of ['early', 'late'])
      await system.waitForLine(new RegExp(`${name}\\[\\d+\\]: attacked [1-9]\\d+ times at 1 `));
    expect(await statusOf(system, victim)).toMatchObject({ state: 'ready', note: 'mine' });
    await settle(system);
    expect(count(system, refused)).toBe(1);
    await system.waitForLine(new RegExp(`${refused.source} \\(NOTIFYACCESS=exec\\): the sender, of uid 1000,`));
    expect(count(system, new RegExp(`${victim}\\.service (changing PID|failed|terminated|got explicit)`))).toBe(0);
    await telchap(system, 'stop', '--wait', victim);
    await telchap(system, 'start', '--wait', victim);
    expect(await statusOf(system, victim)).toMatchObject({ state: 'ready', note: 'mine' });
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('keeps no descriptor of another account: its next start inherits none', async () => {
    const system = await up({
      settings,
      [`${victim}.service`]: notify(`inherited READY=1 until ${here}/now exit 1`, {
        restart: true,
        restart_delay: 0.1,
      }),
      'late.service': { ...attack(1, '"FDSTORE=1,FDNAME=x"'), after: `${victim}.service` },
    });
    await system.waitForLine(/late\[\d+\]: attacked/);
    writeFileSync(system.path('now'), '');
    await untilCount(system, /inherited 0 \(mine False\) - ports \[\]/, 2);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('is not changed by root outside of the pid namespace, who shares the folder of the socket', async () => {
    const system = await up({
      settings,
      [`${victim}.service`]: notify('STATUS=mine READY=1'),
    });
    const outside = spawn(join(fixtures, 'attack-notify.py'), [victim, '0.5'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(createInterface({ input: outside.stdout }), 'line');
    expect(line).toMatch(/^attacked [1-9]\d+ times at 1 sockets$/);
    await system.waitForLine(
      new RegExp(`${victim}\\.service got a notification from pid 0, .*from outside of the pid`),
    );
    await settle(system);
    expect(count(system, new RegExp(`${victim}\\.service (changing PID|failed|terminated|got explicit)`))).toBe(0);
    expect(await statusOf(system, victim)).toMatchObject({ state: 'ready', note: 'mine' });
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('is there, and answers, while another account floods its socket', async () => {
    const attackers = ['a', 'b', 'c'];
    const system = await up({
      settings,
      [`${victim}.service`]: notify('STATUS=mine READY=1'),
      ...Object.fromEntries(
        attackers.map((name) => [`${name}.service`, { ...attack(4), type: 'simple', after: `${victim}.service` }]),
      ),
    });
    let answers = 0;
    while (count(system, /[abc]\[\d+\]: attacked/) < attackers.length) {
      expect(await statusOf(system, victim)).toMatchObject({ state: 'ready', note: 'mine' });
      answers += 1;
    }
    // The attacks take four seconds: none of the answers took much longer than one.
    expect(answers).toBeGreaterThan(3);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('hears everybody with notify_access: all, and only its main process with main', async () => {
    const all = await up({
      settings,
      [`${victim}.service`]: notify('STATUS=mine READY=1', { notify_access: 'all' }),
      'late.service': { ...attack(0.5, 'STATUS=theirs'), after: `${victim}.service` },
    });
    await all.waitForLine(/late\[\d+\]: attacked/);
    expect(await statusOf(all, victim)).toMatchObject({ state: 'ready', note: 'theirs' });
    all.signal('SIGTERM');
    await all.exit;
    const main = await up({
      settings,
      'web.service': {
        ...notify(''),
        notify_access: 'main',
        command: `sh -c '$(FIXTURES)/notify.py STATUS=helper exit 0; exec $(FIXTURES)/notify.py READY=1'`,
      },
    });
    expect((await statusOf(main, 'web')).note).toBeUndefined();
    expect(count(main, /web\.service got a notification .*NOTIFYACCESS=main/)).toBe(1);
    main.signal('SIGTERM');
    expect(await main.exit).toBe(0);
  });
});

describe.runIf(isRoot)('a service of another account', () => {
  const account = { uid: 1000, gid: 1000, directory: '/' };

  it('may speak itself, by short programs, as a daemon, and by processes that it starts as others', async () => {
    const system = await up({
      settings,
      'short.service': {
        type: 'notify',
        ...account,
        command: `sh -c '${sdnotify} --ready --status short; exec sleep 1000'`,
      },
      'daemon.service': {
        type: 'notify',
        ...account,
        command: '$(FIXTURES)/notify.py fork sleep 0.3 READY=1,MAINPID=$$',
      },
      'other.service': {
        type: 'notify',
        command: `sh -c 'setpriv --reuid 1000 --regid 1000 --clear-groups $(FIXTURES)/notify.py STATUS=other READY=1 & wait'`,
      },
    });
    for (const name of ['short', 'daemon', 'other']) expect((await statusOf(system, name)).state).toBe('ready');
    expect((await statusOf(system, 'other')).note).toBe('other');
    expect(count(system, /which may not send any/)).toBe(0);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });
});

describe('helpers of a service', () => {
  it.each([
    ['systemctl', 'systemctl is-active nothing'],
    ['invoke-rc.d', 'invoke-rc.d --force nothing start'],
    ['a program that reports its own error', '$(FIXTURES)/notify.py ERRNO=2 BUSERROR=org.e.X EXIT_STATUS=1 exit 1'],
  ])('may fail, and the service starts and goes on: %s', async (_what, helper) => {
    const system = await up({
      settings,
      'web.service': {
        type: 'notify',
        command: `sh -c '${helper}; ${sdnotify} --ready; ${helper}; echo helped; exec sleep 1000'`,
      },
    });
    await system.waitForLine(/web\[\d+\]: helped/);
    await settle(system);
    expect((await statusOf(system, 'web')).state).toBe('ready');
    expect(count(system, /web\.service (failed|terminated|got explicit)/)).toBe(0);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('leave a note', async () => {
    const system = await up({
      settings,
      'web.service': {
        type: 'notify',
        command: `sh -c '${sdnotify} --ready; $(FIXTURES)/notify.py ERRNO=2 exit 1; echo helped; exec sleep 1000'`,
      },
    });
    await system.waitForLine(/web\[\d+\]: helped/);
    await settle(system);
    expect((await statusOf(system, 'web')).note).toMatch(/^ERRNO=2 from a helper \(pid \d+\)$/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it.each([
    [
      'a shell script',
      `sh -c '${sdnotify} --ready; until test -e ${here}/now; do sleep 0.02; done; ${sdnotify} ERRNO=5; exec sleep 1000'`,
    ],
    [
      'a daemonized one',
      `sh -c 'setsid sh -c "${sdnotify} --ready; until test -e ${here}/now; do sleep 0.02; done; ${sdnotify} ERRNO=5; exec sleep 1000" &'`,
    ],
    [
      'a daemonized one that has named itself',
      `sh -c 'setsid sh -c "${sdnotify} --pid self --ready; until test -e ${here}/now; do sleep 0.02; done; ${sdnotify} ERRNO=5; exec sleep 1000" &'`,
    ],
  ])('are not sdnotify, by which %s reports an error of its own', async (_what, command) => {
    const system = await up({ settings, 'web.service': { type: 'notify', command, ignore_failures: true } });
    writeFileSync(system.path('now'), '');
    await system.waitForLine(/web\.service got explicit return code '<ProcStatus exit_status=5>'/);
    system.signal('SIGTERM');
    await system.exit;
  });
});

/** Claims of a service of another account, and of somebody who may write to the folder of a pidfile. */
describe.runIf(isRoot)('a process that somebody claims', () => {
  const account = { uid: 1000, gid: 1000, directory: '/' };
  /** Names the pid in the file `named`, once that is there. */
  const claimant = {
    type: 'notify',
    ...account,
    watchdog: 1,
    restart: true,
    restart_delay: 0.1,
    command: `sh -c '${sdnotify} --ready; until test -e ${here}/named; do ${sdnotify} WATCHDOG=1; sleep 0.05; done; read pid < ${here}/named; ${sdnotify} MAINPID=$pid; echo said; exec sleep 1000'`,
  };
  const open = { before: 'chmod 755 . && mkdir theirs && chown 1000 theirs' };

  /** A service names the pid. Its watchdog runs out, and the signal of that is for its own process alone. */
  async function claimed(pidIn: (system: Booted) => number | Promise<number>, why: string): Promise<Booted> {
    const system = await up({ settings, 'web.service': claimant }, open);
    const pid = await pidIn(system);
    put(system, 'named', `${pid}\n`);
    await system.waitForLine(/web\[\d+\]: said/);
    await system.waitForLine(new RegExp(`web\\.service does not follow pid ${pid} from MAINPID: ${why}`));
    await system.waitForLine(/web\.service failed: no WATCHDOG=1/);
    await system.waitForLine(/web\.service exit status for pid=\d+ is '<ProcStatus signal=6>'/);
    expect(count(system, /web\.service changing PID/)).toBe(0);
    return system;
  }

  async function end(system: Booted): Promise<void> {
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  }

  it("by MAINPID is left alone where it is root's", async () => {
    const roots: ChildProcess[] = [];
    const system = await claimed(async (booted) => {
      const { pid, child } = await entered(booted);
      roots.push(child);
      return pid;
    }, 'it neither belongs to the service');
    await telchap(system, 'stop', '--wait', 'web');
    expect(roots.map(hasEnded)).toEqual([false]);
    await end(system);
  });

  it('by MAINPID is left alone where it is the brain, or a thread of the brain', async () => {
    await end(await claimed((booted) => innerPid(booted.brain()), 'it is a process of chaperone itself'));
    const threadOf = (pid: number): number => {
      const threads = readdirSync(`/proc/${pid}/task`).map(Number);
      return innerPid(threads.find((thread) => thread !== pid) ?? 0);
    };
    await end(await claimed((booted) => threadOf(booted.brain()), 'there is no such process'));
  });

  it('by MAINPID is followed where it has the account of the service', async () => {
    const system = await up({ settings, 'web.service': { ...claimant, watchdog: 0 } }, open);
    const { pid } = await entered(system, ['-S', '1000', '-G', '1000']);
    put(system, 'named', `${pid}\n`);
    await system.waitForLine(new RegExp(`web\\.service changing PID to ${pid} `));
    await telchap(system, 'stop', '--wait', 'web');
    await system.waitForLine(new RegExp(`web\\.service exit status for pid=${pid} is `));
    await end(system);
  });

  it.each([
    [
      'file of its own',
      `cat ${here}/named > ${here}/theirs/web.pid`,
      'does not follow pid .* from pid file .*only root may name',
    ],
    ["link to a file of root's", `ln -s ${here}/named ${here}/theirs/web.pid`, 'did not find pid file'],
  ])("by another account's %s is left alone", async (_what, write, refusal) => {
    const system = await up(
      {
        settings,
        'web.service': {
          type: 'simple',
          command: 'sleep 1000',
          pidfile: `${here}/theirs/web.pid`,
          enabled: false,
          ignore_failures: true,
          process_timeout: 1,
        },
        'their.service': {
          ...account,
          command: `sh -c 'until test -e ${here}/named; do sleep 0.02; done; ${write}; echo written; exec sleep 1000'`,
        },
      },
      open,
    );
    await telchap(system, 'start', '--enable', 'web');
    await system.waitForLine(/web\.service attempting start/);
    const { pid, child } = await entered(system);
    put(system, 'named', `${pid}\n`);
    await system.waitForLine(/their\[\d+\]: written/);
    await system.waitForLine(new RegExp(`web\\.service ${refusal}`));
    await untilState(system, 'web', 'failed');
    expect(hasEnded(child)).toBe(false);
    await end(system);
  });

  it('by a pidfile of root is followed, whosever it is', async () => {
    const system = await up({
      settings,
      'web.service': {
        type: 'forking',
        command: 'true',
        pidfile: `${here}/named`,
        enabled: false,
        process_timeout: 60,
      },
    });
    await telchap(system, 'start', '--enable', 'web');
    await system.waitForLine(/web\.service attempting start/);
    const { pid, child } = await entered(system, ['-S', '1000', '-G', '1000']);
    put(system, 'named', `${pid}\n`);
    await system.waitForLine(new RegExp(`web\\.service changing PID to ${pid} `));
    await telchap(system, 'stop', '--wait', 'web');
    await until('the process has ended', () => hasEnded(child) || undefined);
    await end(system);
  });
});
