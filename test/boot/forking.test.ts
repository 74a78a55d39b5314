import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { listed, telchap, up } from './by-hand.ts';
import { boot, config, expectOrder, here, logAll, until, untilFile, untilSaid } from './namespace.ts';

const pidfile = `${here}/job.pid`;
const next = { type: 'oneshot', command: 'echo next ran', after: 'job.service' } as const;
const waiting = 'sleep infinity';

interface Case {
  readonly title: string;
  readonly service: Readonly<Record<string, unknown>>;
  readonly why: RegExp;
  readonly log: RegExp;
  readonly ignored: RegExp;
}

/** Every way for the start of a forking service to fail, and of a simple one with a pidfile. */
const failures: readonly Case[] = [
  {
    title: 'exits with another status than 0',
    service: { command: "sh -c 'exit 3'" },
    why: /why {5}forking service, ended with exit 3 instead of exit 0 \(pid \d+\)$/,
    log: /cancelled due to error: job\.service failed on start-up with result '<ProcStatus exit_status=3>'/,
    ignored: /job\.service \(ignored\) failure on start-up with result '<ProcStatus exit_status=3>'/,
  },
  {
    title: 'does not exit in time',
    service: { command: waiting, process_timeout: 0.3 },
    why: /why {5}forking service, no exit within 0\.3 s \(process_timeout\), pid \d+ was alive$/,
    log: /forking service 'job\.service' did not exit after 0\.3 second\(s\), terminating due to 'ignore_failures=False'/,
    ignored:
      /forking service 'job\.service' did not exit after 0\.3 second\(s\), proceeding due to 'ignore_failures=True'/,
  },
  {
    title: 'writes no pidfile',
    service: { command: `$(FIXTURES)/daemonize - ${waiting}`, pidfile, process_timeout: 0.3 },
    why: /why {5}forking service, no pid file \S+job\.pid within 0\.3 s \(process_timeout\)$/,
    log: /job\.service did not find pid file '\S+job\.pid' before 0\.3sec process_timeout expired/,
    ignored: /ignoring failures\. Exception: job\.service did not find pid file/,
  },
  {
    title: 'writes garbage into its pidfile',
    service: { command: `sh -c 'echo none > ${pidfile}'`, pidfile, process_timeout: 0.3 },
    why: /why {5}forking service, no number in the pid file \S+job\.pid within 0\.3 s \(process_timeout\)$/,
    log: /job\.service found pid file '\S+job\.pid' but contents did not contain an integer/,
    ignored: /ignoring failures\. Exception: job\.service found pid file/,
  },
  {
    title: 'writes a pid that nothing lives under',
    service: { command: `sh -c 'echo $$ > ${pidfile}'`, pidfile, process_timeout: 0.3 },
    why: /why {5}forking service, no process has the number in the pid file \S+job\.pid within 0\.3 s/,
    log: /job\.service found pid file '\S+job\.pid' but no process lives under the pid in it/,
    ignored: /ignoring failures\. Exception: job\.service found pid file/,
  },
  {
    title: 'names PID 1',
    service: { command: `sh -c 'echo 1 > ${pidfile}'`, pidfile, process_timeout: 0.3 },
    why: /why {5}forking service, the pid file \S+job\.pid names a process that does not belong to the service within 0\.3 s/,
    log: /job\.service does not follow pid 1 from pid file/,
    ignored: /job\.service does not follow pid 1 from pid file/,
  },
  {
    title: 'is a simple service without the pidfile it promised',
    service: { type: 'simple', command: waiting, pidfile, process_timeout: 0.3, startup_pause: 0.1 },
    why: /why {5}simple service, no pid file \S+job\.pid within 0\.3 s \(process_timeout\)$/,
    log: /job\.service did not find pid file '\S+job\.pid' before 0\.3sec process_timeout expired/,
    ignored: /ignoring failures\. Exception: job\.service did not find pid file/,
  },
];

const forking = (changes: Readonly<Record<string, unknown>>) => ({ type: 'forking', ...changes });

describe.each(failures)('a forking service that $title', ({ service, why, log, ignored }) => {
  it('is a system failure', async () => {
    const system = boot({
      files: { 'x.conf': config({ 'job.service': forking(service), 'next.service': next, ...logAll }) },
    });
    expect(await system.exit).toBe(1);
    expectOrder(system.lines('stderr'), [/^chaperone: system failed: job\.service did not become ready$/, why]);
    expectOrder(system.lines('stdout'), [log]);
    expect(system.lines().join('\n')).not.toMatch(/next ran/);
  });

  it('is told and goes on with ignore_failures, and leaves nothing', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'job.service': forking({ ...service, ignore_failures: true }),
          'next.service': next,
          ...logAll,
        }),
      },
    });
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [ignored]);
    expectOrder(system.lines('stdout'), [/next ran/]);
  });
});

describe('a forking service', () => {
  it('is ready when it exited with 0, and what it left behind is stopped with it', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'job.service': forking({ command: "$(FIXTURES)/daemonize - $(FIXTURES)/obey TERM 'daemon stops'" }),
          'other.service': forking({ command: "$(FIXTURES)/daemonize - $(FIXTURES)/obey TERM 'other stops'" }),
          'base.service': { command: "$(FIXTURES)/obey TERM 'base stops'", before: 'job.service', startup_pause: 0.1 },
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/ready\.$/);
    await untilSaid(system, 'obeying TERM', ['job', 'other', 'base']);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [
      /using SIGTERM to terminate job\.service/,
      /daemon stops/,
      /job\.service stopped/,
      /base stops/,
      /Final termination phase/,
    ]);
    expectOrder(system.lines('stdout'), [/other stops/, /Final termination phase/]);
  });

  it('kill_mode process leaves the daemon to the last round', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'job.service': forking({
            command: "$(FIXTURES)/daemonize - $(FIXTURES)/obey TERM 'daemon stops'",
            kill_mode: 'process',
          }),
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/ready\.$/);
    await untilSaid(system, 'obeying TERM', ['job']);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [/job\.service stopped/, /Final termination phase/, /daemon stops/]);
  });

  it('with a pidfile becomes the process in it, which is stopped, and the file is removed', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'job.service': forking({
            command: `$(FIXTURES)/daemonize ${pidfile} $(FIXTURES)/obey TERM 'daemon stops'`,
            pidfile,
          }),
          'next.service': next,
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/ready\.$/);
    await untilSaid(system, 'obeying TERM', ['job']);
    const pid = readFileSync(system.path('job.pid'), 'utf8').trim();
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [
      new RegExp(`job\\.service changing PID to ${pid} \\(from \\d+\\)`),
      /job\.service successfully started/,
      /next ran/,
      /daemon stops/,
      new RegExp(`job\\.service exit status for pid=${pid} is '<ProcStatus exit_status=0>'`),
      /job\.service stopped/,
    ]);
    expect(existsSync(system.path('job.pid'))).toBe(false);
    const told = new RegExp(`(exit status for pid=|from unknown pid: )${pid} `);
    expect(system.lines().filter((line) => told.test(line))).toHaveLength(1);
  });

  it('counts a pidfile that was there before only once it was written anew', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'old.service': {
            command: `sh -c 'echo $$ > ${pidfile}; exec sleep infinity'`,
            startup_pause: 0.2,
            before: 'job.service',
          },
          'job.service': forking({
            command: `sh -c 'until test -e ${here}/go; do sleep 0.02; done; $(FIXTURES)/daemonize ${pidfile} sleep infinity' `,
            pidfile,
          }),
          'late.service': forking({
            command: `sh -c '(until test -e ${here}/late; do sleep 0.02; done; exec $(FIXTURES)/daemonize ${here}/late.pid sleep infinity) &'`,
            pidfile: `${here}/late.pid`,
          }),
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/job\.service attempting start/);
    const old = await untilFile(system.path('job.pid'));
    writeFileSync(system.path('go'), '');
    const [, pid] = await system.waitForLine(/job\.service changing PID to (\d+)/);
    expect(pid).not.toBe(old.trim());
    await system.waitForLine(/late\.service exit status/);
    writeFileSync(system.path('late'), '');
    await system.waitForLine(/late\.service successfully started/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('fails later only with a pidfile: its process ends abnormally, and is started again with restart', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'job.service': forking({
            command: `$(FIXTURES)/daemonize ${pidfile} sh -c 'echo waiting for death; until rm ${here}/now 2>/dev/null; do sleep 0.02; done; exit 3'`,
            pidfile,
            restart: true,
            restart_delay: 0.1,
          }),
          'plain.service': forking({
            command: `$(FIXTURES)/daemonize - $(FIXTURES)/die-when ${here}/plain 3`,
            restart: true,
            restart_delay: 0.1,
          }),
          'stay.service': { command: waiting, startup_pause: 0.1 },
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/ready\.$/);
    await untilSaid(system, 'waiting for death', ['job', 'plain']);
    writeFileSync(system.path('now'), '');
    writeFileSync(system.path('plain'), '');
    await system.waitForLine(/job\.service restart succeeded/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [
      /job\.service terminated abnormally with <ProcStatus exit_status=3>/,
      /job\.service pausing between restart retries \(4 left\)/,
      /job\.service restart succeeded/,
    ]);
    expect(system.lines().join('\n')).not.toMatch(/plain\.service (terminated|pausing)/);
  });

  it('counts its own kill_signal as a normal end, and exit_kills when that process ends', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'job.service': forking({
            command: `$(FIXTURES)/daemonize ${pidfile} sleep infinity`,
            pidfile,
            kill_signal: 'USR1',
          }),
          'main.service': forking({
            command: `$(FIXTURES)/daemonize ${here}/main.pid $(FIXTURES)/die-when ${here}/now 7`,
            pidfile: `${here}/main.pid`,
            exit_kills: true,
          }),
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/ready\.$/);
    const pid = Number(readFileSync(system.path('job.pid'), 'utf8'));
    const daemon = await until('the daemon is there', () =>
      system.processes().find(({ innerPid }) => innerPid === pid),
    );
    process.kill(daemon.pid, 'SIGUSR1');
    await system.waitForLine(/job\.service exit status for pid=\d+ is '<ProcStatus signal=10>'/);
    writeFileSync(system.path('now'), '');
    expect(await system.exit).toBe(7);
    expectOrder(system.lines('stdout'), [/main\.service terminated with exit_kills enabled/]);
    expect(system.lines().join('\n')).not.toMatch(/job\.service terminated abnormally/);
  });

  it('follows a process that is not its child, and learns of its end', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'keeper.service': {
            // The child leaves the group and so the service. Another service is to follow it; it never becomes
            // chaperone's child.
            command: `sh -c 'until test -e ${here}/go; do sleep 0.02; done; setsid $(FIXTURES)/die-when ${here}/now 0 & echo $! > ${pidfile}; wait; echo keeper saw it; exec sleep infinity'`,
            startup_pause: 0.1,
          },
          'job.service': forking({ command: `touch ${here}/go`, pidfile, after: 'keeper.service' }),
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/ready\.$/);
    writeFileSync(system.path('now'), '');
    const pid = readFileSync(system.path('job.pid'), 'utf8').trim();
    await system.waitForLine(new RegExp(`job\\.service exit status for pid=${pid} is '<ProcStatus exit_status=0>'`));
    await system.waitForLine(/keeper saw it/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    const told = new RegExp(`(exit status for pid=|from unknown pid: )${pid} `);
    expect(system.lines().filter((line) => told.test(line))).toHaveLength(1);
  });
});

describe('telchap reset', () => {
  const daemon = `$(FIXTURES)/daemonize ${pidfile} $(FIXTURES)/obey TERM 'daemon stops'`;
  const notifier = '$(FIXTURES)/notify.py fork READY=1,MAINPID=$$ say "obeying TERM"';

  it.each([
    ['a forking service with a pidfile', forking({ command: daemon, pidfile }), /\]: daemon stops$/],
    ['a simple service with a pidfile', { command: daemon, pidfile, startup_pause: 0.1 }, /\]: daemon stops$/],
    ['a service that others need', forking({ command: daemon, pidfile, before: 'other.service' }), /\]: daemon stops$/],
    ['a notify service with MAINPID', { type: 'notify', command: notifier, startup_pause: 0.1 }, /\]: terminated$/],
  ])('of %s ends the daemon, and the service starts anew', async (_title, job, stops) => {
    const system = await up({
      'job.service': job,
      'other.service': { command: 'sleep infinity', startup_pause: 0.05 },
    });
    await untilSaid(system, 'obeying TERM', ['job']);
    const first = (await listed(system, 'job')).pid;
    expect(await telchap(system, 'reset', 'job')).toMatchObject({ status: 0, text: 'services reset.\n' });
    expect(await telchap(system, 'start', 'job', '--wait')).toMatchObject({ status: 0, text: 'services started.\n' });
    const second = (await listed(system, 'job')).pid;
    expect(second).not.toBe(first);
    expectOrder(system.lines('stdout'), [
      /job\.service received reset/,
      /using SIGTERM to terminate job\.service/,
      stops,
      /job\.service stopped/,
      /job\.service attempting start/,
      /obeying TERM/,
    ]);
    expect(await telchap(system, 'reset', '--wait', 'job')).toMatchObject({ status: 0, text: 'services reset.\n' });
    expect(await listed(system, 'job')).toMatchObject({ state: 'stopped' });
    expect(system.lines().filter((line) => stops.test(line))).toHaveLength(2);
    expect(existsSync(system.path('job.pid'))).toBe(false);
    expect(await telchap(system, 'reset', 'other')).toMatchObject({
      text: "Command error: can't reset services which are running: other\n",
    });
  });
});

describe('a simple service with a pidfile', () => {
  it.each([
    ['its own', `sh -c 'echo $$ > ${pidfile}; echo up; trap "echo ended; exit 0" TERM; while :; do sleep 0.02; done'`],
    ['another', `sh -c '$(FIXTURES)/daemonize ${pidfile} $(FIXTURES)/obey TERM ended; echo up; exec sleep infinity'`],
    ['that of a daemon', `sh -c '$(FIXTURES)/daemonize ${pidfile} $(FIXTURES)/obey TERM ended; echo up'`],
  ])('is %s process from then on', async (_title, command) => {
    const system = boot({
      files: { 'x.conf': config({ 'job.service': { command, pidfile, startup_pause: 0.1 }, ...logAll }) },
    });
    await system.waitForLine(/ready\.$/);
    await system.waitForLine(/job\[\d+\]: up/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [/using SIGTERM to terminate job\.service/, /ended/, /job\.service stopped/]);
    expect(existsSync(system.path('job.pid'))).toBe(false);
  });
});
