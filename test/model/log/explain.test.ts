import { describe, expect, it } from 'vitest';
import { adviceOnCommand } from '../../../src/model/log/command-advice.ts';
import { type EndFacts, explainEnd, type LastWords } from '../../../src/model/log/explain.ts';
import { consoleService, type ServiceSpec } from '../../../src/model/service/service-spec.ts';
import { serviceSpec } from '../specs.ts';

const exit3 = { kind: 'exited', code: 3 } as const;

function explained(
  facts: Partial<EndFacts> & Pick<EndFacts, 'end'>,
  spec: ServiceSpec,
  words: readonly LastWords[] = [],
  now = 0,
): string {
  const lines = explainEnd(
    { exitStatus: 1, neverStarted: [], stopped: [], ...facts },
    (name) => (name === spec.name ? spec : undefined),
    () => words,
    now,
    { onCommand: adviceOnCommand, onFile: () => [] },
  );
  return lines.join('\n');
}

describe('the explanation of an end', () => {
  it('tells of a oneshot service that ended badly: why, its command, its last words, who waited', () => {
    const spec = serviceSpec({ name: 'migrate.service', type: 'oneshot', command: '/bin/migrate --all' });
    const facts: EndFacts = {
      end: { kind: 'serviceFailed', service: spec.name, cause: { kind: 'exit', status: exit3, pid: 12 } },
      exitStatus: 1,
      neverStarted: ['web.service', 'worker.service'],
      stopped: ['store.service', 'cache.service'],
    };
    const words: readonly LastWords[] = [
      { stream: 'stdout', line: 'migrating', at: 900 },
      { stream: 'stderr', line: 'no such table', at: 1_000 },
    ];
    expect(explained(facts, spec, words, 1_340)).toBe(
      `chaperone: system failed: migrate.service did not become ready
  why     oneshot service, ended with exit 3 instead of exit 0 (pid 12)
  command /bin/migrate --all
  do      mend what its last words name; with "ignore_failures: true" the others go on without it
  last    "migrating"  (stdout, 0.4 s ago)
          "no such table"  (stderr, 0.3 s ago)
  waiting web.service, worker.service never started
  stopped store, cache; exit status 1`,
    );
  });

  it('tells of a simple service that ended within its pause', () => {
    const cause = {
      kind: 'exit',
      status: { kind: 'signaled', signal: 'SIGSEGV', coreDumped: true },
      pid: 12,
    } as const;
    expect(explained({ end: { kind: 'serviceFailed', service: 'web.service', cause } }, serviceSpec())).toBe(
      `chaperone: system failed: web.service did not become ready
  why     simple service, ended with SIGSEGV (core dumped) within 0.5 s of its start (startup_pause), pid 12
  command /bin/web --port 80
  do      it has said nothing: run its command by hand in the container, as its account; with "ignore_failures: true" the others go on without it
  stopped nothing; exit status 1`,
    );
  });

  it('tells of a start that took too long', () => {
    const cause = { kind: 'timeout', timeout: 30_000, pid: 12 } as const;
    const spec = serviceSpec({ type: 'oneshot' });
    const words: readonly LastWords[] = [{ stream: 'stdout', line: 'waiting for the store', at: 0 }];
    expect(explained({ end: { kind: 'serviceFailed', service: spec.name, cause } }, spec, words, 29_700)).toBe(
      `chaperone: system failed: web.service did not become ready
  why     oneshot service, no exit within 30 s (process_timeout), pid 12 was alive
  command /bin/web --port 80
  do      give it more time ("process_timeout"), or end what it waits for
  last    "waiting for the store"  (stdout, 30 s ago)
  stopped nothing; exit status 1`,
    );
  });

  it('tells of a program that could not be started', () => {
    const cause = { kind: 'spawn', error: { code: 'EACCES', stage: 'exec', program: '/bin/web' } } as const;
    expect(explained({ end: { kind: 'serviceFailed', service: 'web.service', cause } }, serviceSpec())).toBe(
      `chaperone: system failed: web.service could not be started
  why     cannot execute /bin/web: permission denied (EACCES)
  command /bin/web --port 80
  do      let the account of the service execute it: "chmod 755", also where a COPY of the image has lost that
  stopped nothing; exit status 1`,
    );
  });

  it.each([
    ['EACCES', 'let the account that chaperone runs as read the file: its owner, its mode, or "fsGroup" of the pod'],
    ['EPERM', 'let the account that chaperone runs as read the file: its owner, its mode, or "fsGroup" of the pod'],
    ['ENOENT', 'mend or bring the file that it names, or correct the directive ("secrets", "env_file", "env_dir")'],
    ['EILSEQ', 'mend or bring the file that it names, or correct the directive ("secrets", "env_file", "env_dir")'],
  ])('advises about the file where the variables cannot be read: %s', (code, advice) => {
    const error = {
      code,
      stage: 'values',
      program: '/bin/web',
      detail: 'read the secret TOKEN /run/secrets/token',
    } as const;
    const said = explained(
      { end: { kind: 'serviceFailed', service: 'web.service', cause: { kind: 'spawn', error } } },
      serviceSpec(),
    );
    expect(said).toContain(`\n  do      ${advice}\n`);
    expect(said).not.toMatch(/chmod 755|install what is missing/);
  });

  it('tells of missing programs before anything was started', () => {
    const problems = [
      { service: 'web.service', error: { code: 'ENOENT', stage: 'lookup', program: 'web' } },
      { service: 'store.service', error: { code: 'ENOENT', stage: 'lookup', program: '/opt/store' } },
    ] as const;
    const facts = {
      end: { kind: 'missingPrograms', problems },
      neverStarted: ['store.service', 'web.service'],
    } as const;
    expect(explained(facts, serviceSpec())).toBe(
      `chaperone: system failed before anything was started: 2 programs missing
  why     web.service: executable 'web' not found in the service's PATH
  why     store.service: executable '/opt/store' not found
  do      install it, correct "command", or set "optional: true" or "enabled: false" for the service
  waiting store.service, web.service never started
  stopped nothing; exit status 1`,
    );
  });

  it('tells of exit_kills only where the exit status is not 0', () => {
    const end = { kind: 'exitKills', service: 'web.service', outcome: { kind: 'exit', status: exit3 } } as const;
    expect(explained({ end, exitStatus: 3, stopped: ['store.service'] }, serviceSpec())).toBe(
      `chaperone: web.service ended the system (exit_kills): exit 3
  stopped store; exit status 3`,
    );
    const normal = {
      kind: 'exitKills',
      service: 'web.service',
      outcome: { kind: 'exit', status: { kind: 'exited', code: 0 } },
    } as const;
    expect(explained({ end: normal, exitStatus: 0 }, serviceSpec())).toBe('');
  });

  const unable = { kind: 'spawn', error: { code: 'ENOENT', stage: 'lookup', program: 'cd' } } as const;
  const left = { kind: 'exit', status: exit3, pid: 12 } as const;
  const silent = 'it has said nothing: run its command by hand in the container, as its account';
  const missing = 'install what is missing, or correct "command"';

  const advised = (lines: string): readonly string[] =>
    [...lines.matchAll(/^ {2}do +(.*)$/gm)].map(([, text = '']) => text);

  it.each<[string, typeof unable | typeof left, readonly string[]]>([
    [
      'cd /srv && serve',
      unable,
      [
        `write "directory: /srv", and the program first; or let a shell read it: write sh -c 'cd /srv && serve': no shell reads the command, and "cd" is a word of a shell`,
      ],
    ],
    ['serve --port $PORT', left, ['write "$(PORT)": no shell reads the command, and "$PORT" is a word of a shell']],
    [
      'serve --port $(PRT)',
      left,
      ['set PRT, in "env_set" or for the container: $(PRT) in the command has stayed as it is'],
    ],
    ['serve $(_CHAP_SERVICE_SERIAL)', left, [`${silent}; with "ignore_failures: true" the others go on without it`]],
    ["sh -c 'exec serve $(date)'", left, [`${silent}; with "ignore_failures: true" the others go on without it`]],
  ])('says of the command %j what to write instead', (command, cause, advice) => {
    const spec = serviceSpec({ command });
    const end = { kind: 'serviceFailed', service: spec.name, cause } as const;
    expect(advised(explained({ end }, spec))).toEqual(advice);
    // A service that had become ready fails for another reason.
    const known = cause.kind === 'exit' ? `${silent}; with "restart: on-failure" it is started again` : missing;
    expect(advised(explained({ end: { ...end, onFailure: true } }, spec))).toEqual([known]);
  });

  it('says what the file of a program lacks that has ended at once', () => {
    const spec = serviceSpec({ command: '/srv/x.py' });
    const facts = { exitStatus: 1, neverStarted: [], stopped: [] };
    const told = (end: EndFacts['end']): readonly string[] =>
      advised(
        explainEnd(
          { ...facts, end },
          () => spec,
          () => [],
          0,
          { onCommand: () => [], onFile: ({ command }) => [`${command}: lacks`] },
        ).join('\n'),
      );
    const end = { kind: 'serviceFailed', service: spec.name, cause: left } as const;
    expect(told(end)).toEqual(['/srv/x.py: lacks']);
    expect(told({ ...end, onFailure: true })).toEqual([`${silent}; with "restart: on-failure" it is started again`]);
    expect(told({ ...end, cause: { kind: 'timeout', timeout: 1, pid: 3 } })).toEqual([
      'give it more time ("process_timeout"), or end what it waits for',
    ]);
  });

  it('says of missing programs that the command was written for a shell', () => {
    const { error } = unable;
    const spec = serviceSpec({ name: 'web.service', command: 'cd /srv && serve' });
    const end = { kind: 'missingPrograms', problems: [{ service: 'web.service', error }] } as const;
    expect(explained({ end }, spec)).toMatch(
      /do +web\.service: write "directory: \/srv", .*no shell reads the command/,
    );
  });

  it("says of the command line's command only that it could not begin", () => {
    const refused = { kind: 'spawn', error: { code: 'EACCES', stage: 'exec', program: '/bin/x' } } as const;
    const said = 'chaperone: cannot run the command: cannot execute /bin/x: permission denied (EACCES)';
    const ended = { kind: 'exit', status: exit3 } as const;
    for (const [outcome, text] of [
      [refused, said],
      [ended, ''],
    ] as const) {
      expect(explained({ end: { kind: 'noProcesses', command: outcome } }, serviceSpec())).toBe(text);
      expect(explained({ end: { kind: 'exitKills', service: consoleService, outcome } }, serviceSpec())).toBe(text);
    }
    expect(explained({ end: { kind: 'serviceFailed', service: consoleService, cause: refused } }, serviceSpec())).toBe(
      said,
    );
  });

  it('tells of a service that had failed when the system ended: by itself, by a command, because of it', () => {
    const cause = { kind: 'exit', status: exit3, pid: 12 } as const;
    const failed = { service: 'web.service', cause };
    const words: readonly LastWords[] = [{ stream: 'stderr', line: 'no space left', at: 0 }];
    const rest = `
  why     simple service, ended with exit 3 (pid 12)
  command /bin/web --port 80
  do      mend what its last words name; with "restart: on-failure" it is started again
  last    "no space left"  (stderr, 0.5 s ago)
  stopped nothing; exit status 3`;
    for (const [end, headline] of [
      [{ kind: 'noProcesses', failed }, 'nothing is left to run, and web.service has failed'],
      [{ kind: 'command', failed }, 'shut down by a command, after web.service had failed'],
      [
        { kind: 'serviceFailed', ...failed, onFailure: true },
        'web.service has failed, and the system ends with it (on_failure)',
      ],
    ] as const) {
      expect(explained({ end, exitStatus: 3 }, serviceSpec(), words, 500)).toBe(`chaperone: ${headline}${rest}`);
    }
    // What is no longer configured.
    expect(explained({ end: { kind: 'noProcesses', failed }, exitStatus: 3 }, serviceSpec({ name: 'x.service' }))).toBe(
      'chaperone: nothing is left to run, and web.service has failed',
    );
  });

  it('does not say of what was ready that it had not been', () => {
    const cause = { kind: 'reported', errno: 5, pid: 12 } as const;
    const end = { kind: 'noProcesses', failed: { service: 'web.service', cause } } as const;
    const text = explained({ end }, serviceSpec({ type: 'notify' }));
    expect(text).toContain('notify service, it sent ERRNO=5');
    expect(text).not.toContain('before READY=1');
  });

  it('tells of an internal error', () => {
    const end = { kind: 'internalError', message: 'internal error: x' } as const;
    expect(explained({ end }, serviceSpec())).toBe('chaperone: internal error: x\n  stopped nothing; exit status 1');
  });

  it('is silent about an end that was asked for or is natural', () => {
    expect(explained({ end: { kind: 'signal', signal: 'SIGTERM' } }, serviceSpec())).toBe('');
    const main = { service: 'web.service', outcome: { kind: 'exit', status: exit3 } } as const;
    expect(explained({ end: { kind: 'signal', signal: 'SIGTERM', main }, exitStatus: 3 }, serviceSpec())).toBe('');
    expect(explained({ end: { kind: 'command' } }, serviceSpec())).toBe('');
    expect(explained({ end: { kind: 'noProcesses' } }, serviceSpec())).toBe('');
    expect(explained({ end: { kind: 'nothingStarted' } }, serviceSpec())).toBe('');
  });

  it('tells a long list in short', () => {
    const neverStarted = Array.from({ length: 15 }, (_, index) => `s${index}`);
    const end = { kind: 'internalError', message: 'x' } as const;
    expect(explained({ end, neverStarted }, serviceSpec())).toContain(
      '  waiting s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11 and 3 more never started\n',
    );
  });

  it('tells of a port that cannot be listened on: what was tried, and what to do', () => {
    const spec = serviceSpec({ name: 'git.service', type: 'inetd', port: 80, command: 'git daemon' });
    const tried = ['all addresses, IPv6 and IPv4', 'all IPv4 addresses'];
    const end = (code: string): Pick<EndFacts, 'end'> => ({
      end: { kind: 'serviceFailed', service: spec.name, cause: { kind: 'listen', port: 80, code, tried } },
    });
    expect(explained(end('EADDRINUSE'), spec)).toBe(
      `chaperone: system failed: git.service cannot listen on port 80
  why     something else listens on it already (EADDRINUSE); tried all addresses, IPv6 and IPv4, then all IPv4 addresses
  command git daemon
  do      "ss -ltnp 'sport = :80'" in the container names the process that holds it; or change "port"
  stopped nothing; exit status 1`,
    );
    expect(explained(end('EACCES'), spec)).toContain('needs CAP_NET_BIND_SERVICE; or change "port" of git.service');
    expect(explained(end('ENOBUFS'), spec)).toContain('  do      "chaperonectl doctor" in the container');
  });

  it('tells of a schedule that cannot be kept', () => {
    const spec = serviceSpec({ name: 'job.service', type: 'cron', interval: '@hourly' });
    const cause = { kind: 'schedule', problem: 'the time zone "x" is not known' } as const;
    expect(explained({ end: { kind: 'serviceFailed', service: spec.name, cause } }, spec)).toContain(
      `job.service cannot be scheduled
  why     interval '@hourly': the time zone "x" is not known`,
    );
  });

  it.each([
    ['absent', 'no pid file /run/web.pid'],
    ['unchanged', 'the pid file /run/web.pid was there before the start, and the program has not written it since'],
    ['garbage', 'no number in the pid file /run/web.pid'],
    ['dead', 'no process has the number in the pid file /run/web.pid'],
    ['refused', 'the pid file /run/web.pid names a process that does not belong to the service'],
  ] as const)('tells what was wrong with a pid file: %s', (trouble, why) => {
    const cause = { kind: 'pidfile', file: '/run/web.pid', trouble, timeout: 30_000 } as const;
    expect(explained({ end: { kind: 'serviceFailed', service: 'web.service', cause } }, serviceSpec())).toContain(why);
  });

  it('tells what a service has said of its failure', () => {
    const told = (reported: { readonly errno?: number; readonly busError?: string }): string =>
      explained(
        { end: { kind: 'serviceFailed', service: 'web.service', cause: { kind: 'reported', pid: 7, ...reported } } },
        serviceSpec(),
      );
    expect(told({ errno: 5 })).toContain('it sent ERRNO=5');
    expect(told({})).toContain('it sent ERRNO=0');
    expect(told({ busError: 'org.example.Error' })).toContain('it sent BUSERROR=org.example.Error');
  });
});
