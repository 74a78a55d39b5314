import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ctl } from './by-hand.ts';
import { boot, config, expectOrder, fixtures, here, logAll } from './namespace.ts';

const next = { type: 'oneshot', command: 'echo next ran', after: 'job.service' } as const;
const notify = (words: string, changes: Readonly<Record<string, unknown>> = {}) => ({
  type: 'notify',
  command: `$(FIXTURES)/notify.py ${words}`,
  startup_pause: 0.1,
  process_timeout: 10,
  ...changes,
});

/** Every way for the start of a notify service to fail. */
const failures = [
  {
    title: 'exits abnormally before READY',
    service: notify("say 'wrong disk' exit 3"),
    headline: /^chaperone: system failed: job\.service did not become ready$/,
    why: /why {5}notify service, ended with exit 3 before it sent READY=1 \(pid \d+\)$/,
    log: /cancelled due to error: job\.service failed on start-up with result '<ProcStatus exit_status=3>'/,
    ignored: /job\.service \(ignored\) failure on start-up with result '<ProcStatus exit_status=3>'/,
  },
  {
    title: 'never says READY',
    service: notify("STATUS=working say 'wrong disk'", { process_timeout: 0.5 }),
    headline: /^chaperone: system failed: job\.service did not become ready$/,
    why: /why {5}notify service, no READY=1 within 0\.5 s \(process_timeout\), pid \d+ was alive$/,
    log: /notify service 'job\.service' did not receive ready notification after 0\.5 second\(s\), terminating due to 'ignore_failures=False'/,
    ignored: /notify service 'job\.service' did not receive ready notification after 0\.5 second\(s\), proceeding/,
  },
  {
    title: 'exits normally and never says READY',
    service: notify("say 'wrong disk' exit 0", { process_timeout: 0.5 }),
    headline: /^chaperone: system failed: job\.service did not become ready$/,
    why: /why {5}notify service, no READY=1 within 0\.5 s \(process_timeout\), its process had ended normally$/,
    log: /notify service 'job\.service' did not receive ready notification after 0\.5 second\(s\)/,
    ignored: /notify service 'job\.service' did not receive ready notification after 0\.5 second\(s\), proceeding/,
  },
  {
    title: 'reports an errno before READY',
    service: notify("say 'wrong disk' ERRNO=13"),
    headline: /^chaperone: system failed: job\.service reported an error$/,
    why: /why {5}notify service, it sent ERRNO=13 before READY=1 \(pid \d+\)$/,
    log: /cancelled due to error: job\.service failed with reported error <ProcStatus exit_status=13>/,
    ignored: /ignoring failures\. Exception: job\.service failed with reported error <ProcStatus exit_status=13>/,
  },
  {
    title: 'reports a D-Bus error before READY',
    service: notify("say 'wrong disk' BUSERROR=org.example.Full"),
    headline: /^chaperone: system failed: job\.service reported an error$/,
    why: /why {5}notify service, it sent BUSERROR=org\.example\.Full before READY=1 \(pid \d+\)$/,
    log: /cancelled due to error: job\.service failed with reported error <ProcStatus org\.example\.Full>/,
    ignored: /ignoring failures\. Exception: job\.service failed with reported error <ProcStatus org\.example\.Full>/,
  },
];

describe.each(failures)('a notify service that $title', ({ service, headline, why, log, ignored }) => {
  it('is a system failure', async () => {
    const system = boot({ files: { 'x.conf': config({ 'job.service': service, 'next.service': next, ...logAll }) } });
    expect(await system.exit).toBe(1);
    expectOrder(system.lines('stderr'), [headline, why, /last {4}"wrong disk"/]);
    expectOrder(system.lines('stdout'), [log]);
    expect(system.lines().join('\n')).not.toMatch(/next ran/);
  });

  it('is told and goes on with ignore_failures, and leaves nothing', async () => {
    const files = { 'job.service': { ...service, ignore_failures: true }, 'next.service': next, ...logAll };
    const system = boot({ files: { 'x.conf': config(files) } });
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [ignored]);
    expectOrder(system.lines('stdout'), [/next ran/]);
  });
});

describe('a notify service', () => {
  it('is ready at READY=1, and not before', async () => {
    const system = boot({
      args: ['--inspect'],
      files: {
        'x.conf': config({
          'job.service': notify("say 'not yet' sleep 0.5 say now READY=1,STATUS=up"),
          'next.service': next,
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/next ran/);
    await system.waitForLine(/chaperone version \S+, ready\./);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [
      /not yet/,
      /job\[\d+\]: now/,
      /awaitingNotify → ready\.running +READY=1 {2}"up"/,
      /job\.service successfully started/,
      /next ran/,
      /job\[\d+\]: terminated/,
    ]);
  });

  it('may become a daemon before READY, which says who it is and is stopped', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'job.service': notify('fork sleep 0.3 READY=1,MAINPID=$$'),
          'next.service': next,
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/next ran/);
    await system.waitForLine(/ready\.$/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [
      /job\.service exit status for pid=\d+ is '<ProcStatus exit_status=0>'/,
      /job\.service changing PID to \d+ \(from \d+\)/,
      /job\.service successfully started/,
      /job\[\d+\]: terminated/,
      /job\.service stopped/,
    ]);
  });

  it('stops a daemon that did not say who it is', async () => {
    const system = boot({
      files: { 'x.conf': config({ 'job.service': notify('fork sleep 0.2 READY=1'), ...logAll }) },
    });
    await system.waitForLine(/ready\.$/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [/job\[\d+\]: terminated/, /job\.service stopped/, /Final termination phase/]);
  });

  it('moves to MAINPID, and does not follow what is none of its own', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'job.service': notify(`child READY=1 MAINPID=$C MAINPID=4194300 say moved until ${here}/now exit 3`, {
            exit_kills: true,
          }),
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/job\[\d+\]: moved/);
    await system.waitForLine(/job\.service does not follow pid 4194300 from MAINPID: there is no such process/);
    await system.waitForLine(/ready\.$/);
    writeFileSync(system.path('now'), '');
    // The started process is no longer the service's main process: its end ends nothing.
    await system.waitForLine(/job\.service exit status for pid=\d+ is '<ProcStatus exit_status=3>'/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [
      /job\.service changing PID/,
      /job\[\d+\]: terminated/,
      /job\.service stopped/,
    ]);
  });

  it.each([
    [
      'abnormal exit',
      `until ${here}/now exit 4`,
      [/job\.service terminated abnormally with <ProcStatus exit_status=4>/],
    ],
    [
      'ERRNO',
      `until ${here}/now ERRNO=5`,
      [
        /job\.service got explicit return code '<ProcStatus exit_status=5>'/,
        /job\.service failed with reported error <ProcStatus exit_status=5>/,
      ],
    ],
    [
      'BUSERROR',
      `until ${here}/now BUSERROR=org.e.X`,
      [/job\.service failed with reported error <ProcStatus org\.e\.X>/],
    ],
    [
      'WATCHDOG=trigger',
      `until ${here}/now WATCHDOG=trigger`,
      [/job\.service failed: it declared itself failed with WATCHDOG=trigger/],
    ],
  ])('fails later by %s, the system goes on, and restart begins it anew', async (_title, words, logs) => {
    const system = boot({
      files: {
        'x.conf': config({
          'job.service': notify(`READY=1 ${words}`, { restart: true, restart_delay: 0.1, restart_limit: 1 }),
          'stay.service': { command: 'sleep infinity', startup_pause: 0.1 },
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/ready\.$/);
    writeFileSync(system.path('now'), '');
    await system.waitForLine(/job\.service pausing between restart retries \(0 left\)/);
    await system.waitForLine(/job\.service restart succeeded/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [...logs, /job\.service restart succeeded/]);
  });

  it('is ended with SIGABRT when it misses its watchdog, and not as long as it feeds it', async () => {
    const beats = Array.from({ length: 10 }, () => 'sleep 0.15 WATCHDOG=1').join(' ');
    const system = boot({
      files: {
        'x.conf': config({
          'job.service': notify(`READY=1 ${beats} say fed`, { watchdog: 1 }),
          'env.service': {
            type: 'notify',
            command: "sh -c 'echo $WATCHDOG_USEC $WATCHDOG_PID $$; systemd-notify --ready; exec sleep infinity'",
            watchdog: 60,
          },
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/job\.service failed: no WATCHDOG=1 within 1 second\(s\)/);
    const [, pid, own] = await system.waitForLine(/env\[\d+\]: 60000000 (\d+) (\d+)$/);
    expect(pid).toBe(own);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [/fed/, /using SIGABRT to terminate job\.service/, /<ProcStatus signal=6>/]);
  });

  it('may ask for more time to start', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'job.service': notify('EXTEND_TIMEOUT_USEC=8000000 sleep 1 READY=1', { process_timeout: 0.3 }),
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/job\.service successfully started/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('gets its descriptors back at the next start, and a barrier at once', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'job.service': notify(`inherited store web barrier READY=1 until ${here}/now exit 1`, {
            restart: true,
            restart_delay: 0.1,
          }),
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/inherited 0 \(mine False\) - ports \[\]/);
    const [, port] = await system.waitForLine(/stored port (\d+)/);
    await system.waitForLine(/barrier b''/);
    await system.waitForLine(/ready\.$/);
    writeFileSync(system.path('now'), '');
    await system.waitForLine(new RegExp(`inherited 1 \\(mine True\\) web ports \\[${port}\\]`));
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('hears only its main process once it said NOTIFYACCESS=main', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'job.service': {
            ...notify(''),
            command: `sh -c '$(FIXTURES)/notify.py NOTIFYACCESS=main exit 0; $(FIXTURES)/notify.py READY=1 exit 0; echo refused; exec $(FIXTURES)/notify.py READY=1'`,
          },
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/ready\.$/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [
      /job\.service got a notification from pid \d+, which may not send any \(NOTIFYACCESS=main\)/,
      /job\.service successfully started/,
    ]);
    // A service's output is read before its notifications, so also before an earlier notification of another process.
    expectOrder(system.lines('stdout'), [/job\[\d+\]: refused/, /job\.service successfully started/]);
  });

  it('has its socket in its environment, and others have not', async () => {
    const system = boot({
      env: { NOTIFY_SOCKET: '/nowhere' },
      files: {
        'x.conf': config({
          settings: { env_set: { NOTIFIES: '$(NOTIFY_SOCKET:|yes|no)' } },
          'job.service': {
            type: 'notify',
            command: "sh -c 'echo $NOTIFIES $NOTIFY_SOCKET; systemd-notify --ready; exec sleep infinity'",
          },
          'other.service': { type: 'oneshot', command: "sh -c 'echo other $NOTIFIES $NOTIFY_SOCKET'" },
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/job\[\d+\]: yes \/\S+\/job\.service-[0-9a-f]{16}$/);
    await system.waitForLine(/other\[\d+\]: other no$/);
    await system.waitForLine(/ready\.$/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('may be written in C, after sd_notify(3), and be the program systemd-notify', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'chaperone-notify-c-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    execFileSync('cc', ['-o', join(folder, 'notify'), join(fixtures, 'notify.c')]);
    const system = boot({
      files: {
        'x.conf': config({
          'job.service': { type: 'notify', command: join(folder, 'notify') },
          'shell.service': {
            type: 'notify',
            command: "sh -c 'systemd-notify --ready --pid=$$ --status=up; exec sleep infinity'",
          },
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/job\.service successfully started/);
    await system.waitForLine(/shell\.service successfully started/);
    await system.waitForLine(/ready\.$/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('may be disabled in the configuration, and be enabled and started by hand', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'job.service': notify('READY=1', { enabled: false }),
          'other.service': { command: 'sleep 1000', startup_pause: 0 },
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/ready\.$/);
    expect(await ctl(system, 'start', '--enable', '--wait', 'job')).toMatchObject({
      status: 0,
      text: 'services started.\n',
    });
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('may flood its socket, and everything is read', async () => {
    const flood = Array.from({ length: 300 }, (_, index) => `STATUS=${index}`).join(' ');
    const system = boot({
      files: { 'x.conf': config({ 'job.service': notify(`${flood} READY=1 say flooded`), ...logAll }) },
    });
    await system.waitForLine(/job\.service successfully started/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });
});
