import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { boot, config, expectOrder, fixtures, logAll } from './namespace.ts';

const here = { directory: '$(_CHAP_CONFIG_DIR)' } as const;
const base = { command: "sh -c 'echo base up; exec sleep infinity'", startup_pause: 0.1 } as const;

/** Failures of a oneshot service, and the message about each. */
const failures = [
  {
    title: 'exits with another status than 0',
    service: { type: 'oneshot', command: "sh -c 'echo wrong disk >&2; exit 3'" },
    headline: /^chaperone: system failed: job\.service did not become ready$/,
    why: /^ {2}why {5}oneshot service, ended with exit 3 instead of exit 0 \(pid \d+\)$/,
    last: /^ {2}last {4}"wrong disk" {2}\(stderr, [\d.]+ s ago\)$/,
    log: /system startup cancelled due to error: job\.service failed on start-up with result '<ProcStatus exit_status=3>'/,
    ignored: /job\.service \(ignored\) failure on start-up with result '<ProcStatus exit_status=3>'/,
  },
  {
    title: 'is killed',
    service: { type: 'oneshot', command: "sh -c 'echo wrong disk; kill -9 $$'" },
    headline: /^chaperone: system failed: job\.service did not become ready$/,
    why: /^ {2}why {5}oneshot service, ended with SIGKILL instead of exit 0 \(pid \d+\)$/,
    last: /^ {2}last {4}"wrong disk" {2}\(stdout, [\d.]+ s ago\)$/,
    log: /system startup cancelled due to error: job\.service failed on start-up with result '<ProcStatus signal=9>'/,
    ignored: /job\.service \(ignored\) failure on start-up with result '<ProcStatus signal=9>'/,
  },
  {
    title: 'overruns process_timeout',
    service: { type: 'oneshot', command: "sh -c 'echo wrong disk; exec sleep infinity'", process_timeout: 0.4 },
    headline: /^chaperone: system failed: job\.service did not become ready$/,
    why: /^ {2}why {5}oneshot service, no exit within 0\.4 s \(process_timeout\), pid \d+ was alive$/,
    last: /^ {2}last {4}"wrong disk" {2}\(stdout, [\d.]+ s ago\)$/,
    log: /system startup cancelled due to error: oneshot service 'job\.service' did not exit after 0\.4 second\(s\), terminating due to 'ignore_failures=False'/,
    ignored:
      /oneshot service 'job\.service' did not exit after 0\.4 second\(s\), proceeding due to 'ignore_failures=True'/,
  },
  {
    title: 'ignores SIGTERM after its time-out',
    service: { type: 'oneshot', command: '$(FIXTURES)/stubborn', process_timeout: 0.2 },
    headline: /^chaperone: system failed: job\.service did not become ready$/,
    why: /^ {2}why {5}oneshot service, no exit within 0\.2 s \(process_timeout\), pid \d+ was alive$/,
    last: /^ {2}last {4}"stubborn" {2}\(stdout, [\d.]+ s ago\)$/,
    log: /job\.service exit status for pid=\d+ is '<ProcStatus signal=9>'/,
    ignored: /job\.service exit status for pid=\d+ is '<ProcStatus signal=9>'/,
  },
  {
    title: 'cannot enter its directory',
    service: { type: 'oneshot', command: 'true', directory: '$(_CHAP_CONFIG_DIR)/nowhere' },
    headline: /^chaperone: system failed: job\.service could not be started$/,
    why: /^ {2}why {5}cannot enter directory \/.*\/nowhere: no such file or directory \(ENOENT\)$/,
    last: undefined,
    log: /system startup cancelled due to error: cannot enter directory \/.*\/nowhere/,
    ignored: /service job\.service ignoring failures\. Exception: cannot enter directory \/.*\/nowhere: no such file/,
  },
  {
    title: 'is a simple service that dies within startup_pause',
    service: { command: "sh -c 'echo wrong disk >&2; exit 4'", startup_pause: 5 },
    headline: /^chaperone: system failed: job\.service did not become ready$/,
    why: /^ {2}why {5}simple service, ended with exit 4 within 5 s of its start \(startup_pause\), pid \d+$/,
    last: /^ {2}last {4}"wrong disk" {2}\(stderr, [\d.]+ s ago\)$/,
    log: /system startup cancelled due to error: job\.service failed on start-up with result '<ProcStatus exit_status=4>'/,
    ignored: /job\.service \(ignored\) failure on start-up with result '<ProcStatus exit_status=4>'/,
  },
];

describe('readiness', () => {
  it('simple: ready when startup_pause has passed, which lets dependents go', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'slow.service': { ...base, startup_pause: 0.4 },
          'next.service': { type: 'oneshot', command: 'echo next ran', after: 'slow.service' },
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/version \S+, ready\./);
    expectOrder(system.lines('stdout'), [
      /slow\[\d+\]: base up/,
      /slow\.service successfully started/,
      /next\.service prerequisites satisfied/,
      /next\[\d+\]: next ran/,
    ]);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('simple: a normal exit in the pause counts as started', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'brief.service': { command: 'echo brief ran', startup_pause: 60 },
          'next.service': { type: 'oneshot', command: 'echo next ran', after: 'brief.service' },
        }),
      },
    });
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [/brief ran/, /next ran/, /ready\./]);
  });

  it('oneshot: ready when it exited with 0', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'work.service': { type: 'oneshot', command: "sh -c 'sleep 0.3; echo work done'", startup_pause: 0 },
          'next.service': { type: 'oneshot', command: 'echo next ran', after: 'work.service' },
          ...logAll,
        }),
      },
    });
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [/work done/, /work\.service exit status for pid=/, /next ran/]);
  });

  it('says that a service was started once, also where it exits later', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'brief.service': { command: 'sleep 0.4', startup_pause: 0.1 },
          ...logAll,
        }),
      },
    });
    expect(await system.exit).toBe(0);
    expect(system.lines('stdout').filter((line) => /brief\.service successfully started/.test(line))).toHaveLength(1);
  });
});

describe.each(failures)('a service that $title', ({ service, headline, why, last, log, ignored }) => {
  it('ends the system with 1 and an explanation', async () => {
    const system = boot({
      merge: true,
      files: {
        'x.conf': config({
          'base.service': base,
          'job.service': { ...service, after: 'base.service' },
          'web.service': { type: 'oneshot', command: 'echo web ran', after: 'job.service' },
          'worker.service': { type: 'oneshot', command: 'echo worker ran', after: 'web.service' },
          ...logAll,
        }),
      },
    });
    expect(await system.exit).toBe(1);
    const lines = system.lines();
    expect(lines.slice(lines.findIndex((line) => line.startsWith('chaperone: ')))).toEqual([
      expect.stringMatching(headline),
      expect.stringMatching(why),
      `  command ${service.command.replace('$(FIXTURES)', fixtures)}`,
      expect.stringMatching(/^ {2}do {6}\S/),
      ...(last === undefined ? [] : [expect.stringMatching(last)]),
      '  waiting web.service, worker.service never started',
      '  stopped base; exit status 1',
    ]);
    expectOrder(lines, [log]);
    expectOrder(lines, [/base\.service exit status for pid=\d+ is '<ProcStatus signal=15>'/]);
    expect(lines.join('\n')).not.toMatch(/(web|worker) ran/);
  });

  it('with ignore_failures is a logged failure, and dependents go on', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'job.service': { ...service, ignore_failures: true },
          'web.service': { type: 'oneshot', command: 'echo web ran', after: 'job.service' },
          ...logAll,
        }),
      },
    });
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [ignored, /web\[\d+\]: web ran/]);
    expect(system.lines('stderr')).toEqual([]);
  });
});

describe('a missing program', () => {
  const marker = { type: 'oneshot', command: 'touch marker', ...here } as const;
  const missing = { command: 'no-such-program --flag' } as const;

  it('of an enabled service: nothing starts, and the explanation names it', async () => {
    const system = boot({
      merge: true,
      files: {
        'x.conf': config({
          'first.service': { ...marker, service_groups: 'INIT' },
          'lost.service': missing,
          'gone.service': { command: '/nowhere/at/all' },
        }),
      },
    });
    expect(await system.exit).toBe(1);
    const lines = system.lines();
    expect(lines.slice(lines.findIndex((line) => line.startsWith('chaperone: ')))).toEqual([
      'chaperone: system failed before anything was started: 2 programs missing',
      expect.stringMatching(/^ {2}why {5}\w+\.service: executable '.*' not found/),
      expect.stringMatching(/^ {2}why {5}\w+\.service: executable '.*' not found/),
      expect.stringMatching(/^ {2}do {6}install it, correct "command", or set "optional: true"/),
      expect.stringMatching(/^ {2}waiting .*first\.service.* never started$/),
      '  stopped nothing; exit status 1',
    ]);
    expect(lines).toContain("  why     lost.service: executable 'no-such-program' not found in the service's PATH");
    expect(lines).toContain("  why     gone.service: executable '/nowhere/at/all' not found");
    expect(existsSync(system.path('marker'))).toBe(false);
  });

  it('of a disabled service is none', async () => {
    const system = boot({
      files: { 'x.conf': config({ 'a.service': marker, 'b.service': { ...missing, enabled: false } }) },
    });
    expect(await system.exit).toBe(0);
    expect(existsSync(system.path('marker'))).toBe(true);
  });

  it.each([
    {
      directive: 'optional',
      line: /: optional service lost\.service disabled since 'no-such-program' is not present$/,
    },
    {
      directive: 'ignore_failures',
      line: /: service lost\.service disabled, executable 'no-such-program' not found \(ignore_failures\)$/,
    },
  ])('with $directive disables the service', async ({ directive, line }) => {
    const system = boot({
      files: {
        'x.conf': config({
          'lost.service': { ...missing, [directive]: true },
          'next.service': { type: 'oneshot', command: 'echo next ran', after: 'lost.service' },
        }),
      },
    });
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [line, /next ran/]);
    expect(system.lines('stderr')).toEqual([]);
  });

  it.each([
    {
      what: 'may not be executed',
      mode: '644',
      script: '#!/bin/sh\n',
      why: /cannot execute .*\/script: it has mode 0644, and chmod \+x makes it executable \(EACCES\)$/,
    },
    {
      what: 'has no interpreter',
      mode: '755',
      script: '#!/nowhere/interpreter\n',
      why: /cannot execute .*\/script: its interpreter "\/nowhere\/interpreter" does not exist \(ENOENT\)$/,
    },
    {
      what: 'has Windows line ends',
      mode: '755',
      script: '#!/bin/sh\r\necho hello\r\n',
      why: /cannot execute .*\/script: its interpreter "\/bin\/sh\\r" does not exist, for its lines end as on Windows \(CR LF\): sed -i 's\/\\r\$\/\/' \S*\/script \(ENOENT\)$/,
    },
    {
      what: 'has no #! line',
      mode: '755',
      script: 'echo hello\n',
      why: /cannot execute .*\/script: it is neither a program for this machine nor a script with a #! line \(ENOEXEC\)$/,
    },
    { what: 'is empty', mode: '755', script: '', why: /cannot execute .*\/script: it is empty \(ENOEXEC\)$/ },
  ])('is not one that $what: "optional" does not help', async ({ mode, script: text, why }) => {
    const script = '$(_CHAP_CONFIG_DIR)/chaperone.d/script';
    const system = boot({
      files: {
        'x.conf': config({
          'mode.service': { type: 'oneshot', command: `chmod ${mode} ${script}`, service_groups: 'INIT' },
          'lost.service': { command: script, optional: true },
        }),
        script: text,
      },
    });
    expect(await system.exit).toBe(1);
    expectOrder(system.lines('stderr'), [/^chaperone: system failed: lost\.service could not be started$/, why]);
  });

  it.each<[what: string, command: string, advice: RegExp]>([
    [
      'an env that finds no interpreter because of Windows line ends',
      '$(_CHAP_CONFIG_DIR)/chaperone.d/script',
      /do +\S*\/script: its interpreter "sh\\r" does not exist, for its lines end as on Windows \(CR LF\): sed -i 's\/\\r\$\/\/' \S*\/script$/,
    ],
    [
      'a script with Windows line ends that a shell is given',
      'sh -e $(_CHAP_CONFIG_DIR)/chaperone.d/script',
      /do +\S*\/script: its lines end as on Windows \(CR LF\): sed -i 's\/\\r\$\/\/' \S*\/script$/,
    ],
    [
      'a command that was written for a shell',
      'sleep 0 && sleep 1',
      /do +write sh -c 'sleep 0 && sleep 1': no shell reads the command, and "&&" is a word of a shell$/,
    ],
    [
      'a variable that nobody sets',
      'sleep $(NOBODY_SETS_IT)',
      /do +set NOBODY_SETS_IT, in "env_set" or for the container/,
    ],
  ])('%s is named where the start fails', async (_, command, advice) => {
    const system = boot({
      files: {
        'x.conf': config({
          'mode.service': {
            type: 'oneshot',
            command: 'chmod 755 $(_CHAP_CONFIG_DIR)/chaperone.d/script',
            service_groups: 'INIT',
          },
          'job.service': { type: 'oneshot', command },
        }),
        script: '#!/usr/bin/env sh\r\nexit 3\r\n',
      },
    });
    expect(await system.exit).toBe(1);
    expectOrder(system.lines('stderr'), [/^chaperone: system failed: job\.service did not become ready$/, advice]);
  });
});
