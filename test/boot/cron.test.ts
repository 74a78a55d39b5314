import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { boot, config, everySecond, expectOrder, logAll, until } from './namespace.ts';

const count = (lines: readonly string[], pattern: RegExp): number => lines.filter((line) => pattern.test(line)).length;

describe('a cron service', () => {
  it('is ready when its schedule is accepted, runs at its ticks, and is stopped in order', async () => {
    const system = boot({
      args: ['--inspect'],
      files: {
        'x.conf': config({
          'tick.service': { type: 'cron', interval: everySecond, command: 'echo tick' },
          'next.service': { type: 'oneshot', command: 'echo next ran', after: 'tick.service' },
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/next\[\d+\]: next ran/);
    await until('it has run twice', () => (count(system.lines(), /tick\[\d+\]: tick$/) >= 2 ? true : undefined));
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    const lines = system.lines('stdout');
    expectOrder(lines, [/tick +starting\.spawning → ready\.scheduled +\* \* \* \* \* \*$/, /next +pending → starting/]);
    expectOrder(lines, [
      /: cron service tick\.service scheduled using interval spec '\* \* \* \* \* \*'$/,
      /: cron service tick\.service running CMD \( echo tick \)$/,
      /tick\[\d+\]: tick$/,
      /: tick\.service exit status for pid=\d+ is '<ProcStatus exit_status=0>'$/,
      /Request made to kill system/,
    ]);
    // The two runs were in different seconds.
    const serials = lines.filter((line) => /running CMD/.test(line)).map((line) => line.slice(0, 15));
    expect(new Set(serials).size).toBe(serials.length);
  });

  it('runs with what a service has: its account, its directory, its own environment at each start', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'job.service': {
            type: 'cron',
            interval: everySecond,
            directory: '$(_CHAP_CONFIG_DIR)',
            env_set: { START: '$(_CHAP_SERVICE_SERIAL)' },
            command: `sh -c 'echo "$START in $(pwd)"'`,
          },
        }),
      },
    });
    await system.waitForLine(new RegExp(`job\\[\\d+\\]: 1 in ${system.directory}$`));
    await system.waitForLine(new RegExp(`job\\[\\d+\\]: 2 in ${system.directory}$`));
  });

  it('skips the tick at which the last run still goes, and says so', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'long.service': { type: 'cron', interval: everySecond, command: "sh -c 'echo up; exec sleep infinity'" },
          ...logAll,
        }),
      },
    });
    const skipped = /: cron service long\.service is still running when next interval expired, will not run again$/;
    await system.waitForLine(skipped);
    await until('it is skipped again', () => (count(system.lines(), skipped) >= 2 ? true : undefined));
    expect(count(system.lines(), /long\[\d+\]: up$/)).toBe(1);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [/using SIGTERM to terminate long\.service/, /long\.service stopped$/]);
  });

  it('never fails by a run: that one is logged, and the next one comes', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'bad.service': { type: 'cron', interval: everySecond, command: "sh -c 'echo trying; exit 3'" },
          ...logAll,
        }),
      },
    });
    const failed = /: bad\.service terminated abnormally with <ProcStatus exit_status=3>$/;
    await system.waitForLine(failed);
    await until('it has failed twice', () => (count(system.lines(), failed) >= 2 ? true : undefined));
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('goes by TZ, and by the timezone of the settings before that', async () => {
    // This hour of the day differs between the two zones.
    const hourIn = (timeZone: string): string =>
      new Intl.DateTimeFormat('en-US', { timeZone, hour: 'numeric', hourCycle: 'h23' }).format(new Date());
    const interval = `* ${hourIn('Asia/Tokyo')},${(Number(hourIn('Asia/Tokyo')) + 1) % 24} * * * *`;
    const files = (settings: Readonly<Record<string, unknown>>) => ({
      'x.conf': config({
        settings,
        'job.service': { type: 'cron', interval, command: 'echo it is time' },
        'sign.service': { type: 'cron', interval: everySecond, command: 'echo a second' },
      }),
    });
    const tokyo = boot({ env: { TZ: 'Asia/Tokyo' }, files: files({}) });
    const settings = boot({ env: { TZ: 'Pacific/Honolulu' }, files: files({ timezone: 'Asia/Tokyo' }) });
    const elsewhere = boot({ env: { TZ: 'Pacific/Honolulu' }, files: files({}) });
    await tokyo.waitForLine(/job\[\d+\]: it is time/);
    await settings.waitForLine(/job\[\d+\]: it is time/);
    await until('two seconds have passed', () =>
      count(elsewhere.lines(), /sign\[\d+\]: a second/) >= 2 ? true : undefined,
    );
    expect(count(elsewhere.lines(), /it is time/)).toBe(0);
  });

  it('that was paused with its container runs once afterwards', async () => {
    const files = {
      'x.conf': config({ 'job.service': { type: 'cron', interval: everySecond, command: 'echo ran' }, ...logAll }),
    };
    const [system, witness] = [boot({ files }), boot({ files })];
    await system.waitForLine(/job\[\d+\]: ran/);
    await witness.waitForLine(/job\[\d+\]: ran/);
    system.stall('SIGSTOP');
    const seen = count(witness.lines(), /running CMD/);
    await until('four ticks are missed', () => (count(witness.lines(), /running CMD/) >= seen + 4 ? true : undefined));
    const after = count(system.lines(), /running CMD/);
    system.stall('SIGCONT');
    await until('it runs again', () => (count(system.lines(), /running CMD/) > after ? true : undefined));
    // A burst of runs would come in one turn, before the answer to a signal that is sent now.
    system.signal('SIGUSR2');
    await system.waitForLine(/SIGUSR2 received/);
    const lines = system.lines();
    const sent = lines.findIndex((line) => /SIGUSR2 received/.test(line));
    const burst = lines.slice(0, sent).filter((line) => /running CMD/.test(line)).length - after;
    expect(burst).toBeLessThanOrEqual(2);
  });
});

describe('a cron service that cannot be', () => {
  const base = { command: 'sleep infinity', startup_pause: 0.1 } as const;

  it('with a bad interval is a mistake of the configuration', async () => {
    const system = boot({
      files: {
        'x.conf': config({ 'job.service': { type: 'cron', interval: '0 25 * * *', command: 'true' } }),
      },
    });
    expect(await system.exit).toBe(1);
    expectOrder(system.lines('stderr'), [
      /^chaperone: 1 mistake in the configuration, nothing was started$/,
      /x\.conf:4:20: interval of job\.service: hour 25 is not from 0 to 23 \[bad-schedule\]$/,
      /^ +4 \| +"interval": "0 25 \* \* \*",$/,
      /^ +\| +\^\^ minute, hour, day, month, day of week; a sixth field has the seconds$/,
    ]);
  });

  it('for want of its program is a system failure before anything starts', async () => {
    const service = { type: 'cron', interval: '@hourly', command: 'no-such-program' };
    const system = boot({ merge: true, files: { 'x.conf': config({ 'base.service': base, 'job.service': service }) } });
    expect(await system.exit).toBe(1);
    expect(system.lines()).toContain(
      "  why     job.service: executable 'no-such-program' not found in the service's PATH",
    );
  });

  it('for want of a program in its directory is one when it starts', async () => {
    const service = {
      type: 'cron',
      interval: '@hourly',
      command: './no-such-program',
      directory: '$(_CHAP_CONFIG_DIR)',
      after: 'base.service',
    };
    const system = boot({ merge: true, files: { 'x.conf': config({ 'base.service': base, 'job.service': service }) } });
    expect(await system.exit).toBe(1);
    const lines = system.lines();
    expect(lines.slice(lines.findIndex((line) => line.startsWith('chaperone: ')))).toEqual([
      'chaperone: system failed: job.service could not be started',
      "  why     executable './no-such-program' not found",
      '  command ./no-such-program',
      '  do      install what is missing, or correct "command"',
      '  stopped base; exit status 1',
    ]);
  });

  it('with ignore_failures is a logged failure, and dependents go on', async () => {
    const service = { type: 'cron', interval: '@hourly', command: './no-such-program', ignore_failures: true };
    const system = boot({
      files: {
        'x.conf': config({
          'job.service': { ...service, directory: '$(_CHAP_CONFIG_DIR)' },
          'next.service': { type: 'oneshot', command: 'echo next ran', after: 'job.service' },
          ...logAll,
        }),
      },
    });
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [
      /: service job\.service ignoring failures\. Exception: executable '\.\/no-such-program' not found$/,
      /next ran/,
    ]);
  });

  it('runs by the file that is there at each tick', async () => {
    const service = { type: 'cron', interval: everySecond, command: './job', directory: '$(_CHAP_CONFIG_DIR)' };
    const system = boot({
      files: {
        'x.conf': config({
          'make.service': {
            type: 'oneshot',
            command: 'sh -c \'echo "#!/bin/sh" > job; chmod +x job\'',
            directory: '$(_CHAP_CONFIG_DIR)',
            service_groups: 'INIT',
          },
          'job.service': service,
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/job\.service exit status for pid=\d+ is '<ProcStatus exit_status=0>'/);
    writeFileSync(system.path('job'), '#!/no/such/interpreter\n');
    await system.waitForLine(
      /cron service job\.service failed to start: cannot execute \.\/job: its interpreter "\/no\/such\/interpreter" does not exist \(ENOENT\)/,
    );
    writeFileSync(system.path('job'), '#!/bin/sh\necho back again\n');
    await system.waitForLine(/job\[\d+\]: back again/);
  });
});

const logrotate = '/usr/sbin/logrotate';

describe.runIf(existsSync(logrotate))('logrotate', () => {
  it('rotates a log that a daemon keeps open, every second, and no line is lost', async () => {
    const log = '$(_CHAP_CONFIG_DIR)/app.log';
    const system = boot({
      files: {
        'x.conf': config({
          'app.service': { command: `python3 $(FIXTURES)/writer.py ${log}`, startup_pause: 0.1 },
          'rotate.service': {
            type: 'cron',
            interval: everySecond,
            command: `${logrotate} --state $(_CHAP_CONFIG_DIR)/state $(_CHAP_CONFIG_DIR)/rotate.conf`,
            after: 'app.service',
          },
          ...logAll,
        }),
      },
    });
    const rotated = `${system.path('app.log')} {
  size 1
  rotate 100
  nocreate
  nocompress
  postrotate
    kill -HUP $(cat ${system.path('app.log.pid')})
  endscript
}
`;
    await system.waitForLine(/app\[\d+\]: writing/);
    writeFileSync(system.path('rotate.conf'), rotated, { mode: 0o644 });
    await until('it was rotated three times', () => (existsSync(system.path('app.log.3')) ? true : undefined));
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    const files = readdirSync(system.directory).filter((name) => /^app\.log(\.\d+)?$/.test(name));
    // The system may have ended between a renaming and the creation of the new file.
    expect(files.length).toBeGreaterThanOrEqual(3);
    const written = files.flatMap((name) => readFileSync(system.path(name), 'utf8').trimEnd().split('\n'));
    const numbers = written.filter(Boolean).map(Number);
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from(numbers, (_, index) => index + 1));
  });
});

describe('the command, where something is scheduled', () => {
  it('does not end the container without a terminal', async () => {
    const system = boot({
      args: ['sh', '-c', 'echo done; exit 3'],
      files: { 'x.conf': config({ 'job.service': { type: 'cron', interval: '@hourly', command: 'true' }, ...logAll }) },
    });
    await system.waitForLine(/^done$/);
    await system.waitForLine(/system will remain active since there are scheduled services: job\.service$/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('ends it with --exitkills', async () => {
    const system = boot({
      args: ['--exitkills', 'sh', '-c', 'exit 3'],
      files: { 'x.conf': config({ 'job.service': { type: 'cron', interval: '@hourly', command: 'true' } }) },
    });
    expect(await system.exit).toBe(3);
  });
});
