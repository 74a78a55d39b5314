import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BootOptions, boot, config, fixtures } from './namespace.ts';

let tools: string;
beforeAll(() => {
  tools = mkdtempSync(join(tmpdir(), 'chaperone-tools-'));
  execFileSync('cc', ['-o', join(tools, 'syslog3'), join(fixtures, 'syslog3.c')]);
});
afterAll(() => rmSync(tools, { recursive: true }));

interface Logged {
  readonly facility: string;
  readonly severity: string;
  readonly program?: string;
  readonly pid?: number;
  readonly message: string;
  readonly host: string;
  readonly service?: string;
  readonly structuredData?: unknown;
  readonly time: string;
}

/** Runs a shell script as a service, and returns the logged records without chaperone's own. */
async function logged(script: string, options: BootOptions = {}): Promise<readonly Logged[]> {
  const system = boot({
    ownDev: true,
    files: {
      'x.conf': config({
        'client.service': { type: 'oneshot', command: `/bin/sh -c '${script}'`, env_set: { TOOLS: tools } },
        'all.logging': { selector: '*.debug', file: '$(_CHAP_CONFIG_DIR)/out', format: 'json' },
      }),
    },
    ...options,
  });
  expect(await system.exit).toBe(0);
  expect(system.lines('stderr')).toEqual([]);
  return readFileSync(system.path('out'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line): Logged => JSON.parse(line))
    .filter(({ program }) => program !== 'chaperone');
}

const brief = (records: readonly Logged[]): readonly string[] =>
  records.map(({ facility, severity, program, pid, message }) =>
    [`${facility}.${severity}`, program ?? '-', pid === undefined ? '-' : 'pid', message].join(' '),
  );

describe('/dev/log', () => {
  it('takes what logger sends in its modes', async () => {
    const records = await logged(
      [
        'logger plain words',
        'logger -p auth.err -t tagged -i with a pid',
        'logger --rfc3164 -p local0.notice old form',
        'logger --rfc5424 -p mail.crit -t new new form',
        'logger --rfc5424=notime,nohost -p mail.crit -t bare nothing of it',
        'logger --rfc5424 --msgid ID1 --sd-id zoo@1 --sd-param "a=\\"b\\"" -t data structured',
        'printf "one\\ntwo\\n" | logger -t lines',
        'logger -S 8 -t short 123456789',
      ].join('; '),
    );
    expect(brief(records)).toEqual([
      'user.notice root - plain words',
      'auth.err tagged pid with a pid',
      'local0.notice root - old form',
      'mail.crit new - new form',
      'mail.crit bare - nothing of it',
      'user.notice data - structured',
      'user.notice lines - one',
      'user.notice lines - two',
      'user.notice short - 12345678',
    ]);
    expect(records.find(({ program }) => program === 'data')?.structuredData).toMatchObject({ 'zoo@1': { a: 'b' } });
  });

  it("takes glibc's syslog(3)", async () => {
    expect(brief(await logged('$TOOLS/syslog3'))).toEqual([
      'daemon.err classic pid with pid 100%',
      'local7.debug bare - without',
      'mail.notice bare - of mail',
    ]);
  });

  it("takes Python's SysLogHandler", async () => {
    expect(brief(await logged('$FIXTURES/log-client.py handler'))).toEqual([
      'local3.err app - python says é',
      'local3.warning - - python without a tag',
    ]);
  });

  it("takes what Go's writers send", async () => {
    const records = await logged('$FIXTURES/log-client.py go');
    expect(brief(records)).toEqual(['daemon.err goapp pid from log/syslog', 'local4.notice goapp pid from srslog é']);
    expect(records[1]).toMatchObject({
      host: 'host.example',
      pid: 78,
      messageId: 'ID47',
      structuredData: { 'exampleSDID@32473': { iut: '3', eventSource: 'App"lication' } },
    });
    expect(Date.parse(records[1]?.time ?? '')).toBe(Date.parse('2030-01-02T03:04:05.678Z'));
  });

  it('takes several records in a datagram', async () => {
    expect(brief(await logged('$FIXTURES/log-client.py several'))).toEqual([
      'user.notice first - one',
      'user.notice second - two',
      'user.notice third - three',
    ]);
  });

  it('keeps line feeds and control characters in JSON', async () => {
    expect(brief(await logged('$FIXTURES/log-client.py binary'))).toEqual([
      'user.notice raw - a\\xff\\xfeb\u001b[31m\u0001 end',
      'user.notice raw - line one\nline two',
      'syslog.err - - no priority at all',
      'user.notice tool pid a path for a tag',
    ]);
  });

  it('takes what the very first service says at once, and the last one before its end', async () => {
    const records = await logged('i=0; while [ $i -lt 50 ]; do logger -t early $i; i=$((i+1)); done; kill -9 $$', {
      args: ['--ignore-failures'],
    });
    expect(records.map(({ message }) => message)).toEqual(Array.from({ length: 50 }, (_, index) => String(index)));
  });

  it('is a socket for everyone, and removed at the end', async () => {
    const system = boot({
      ownDev: true,
      files: {
        'x.conf': config({
          'show.service': { type: 'oneshot', command: 'stat -c %A:%u:%g /dev/log' },
        }),
      },
      keep: 'ls -la /dev; exit',
    });
    expect(await system.exit).toBe(0);
    expect(system.lines('stdout').some((line) => line.endsWith('srw-rw-rw-:0:0'))).toBe(true);
    expect(system.lines('stdout')).toContainEqual(
      expect.stringMatching(/: Switching all chaperone logging to \/dev\/log$/),
    );
    expect(system.lines('stdout').filter((line) => / log$/.test(line))).toEqual([]);
    expect(system.lines('stdout').filter((line) => / null$/.test(line))).toHaveLength(1);
  });

  const replacing = (prepare: string) =>
    boot({
      ownDev: true,
      before: prepare,
      files: { 'x.conf': config({ 'client.service': { type: 'oneshot', command: 'logger -t client heard' } }) },
    });

  it('replaces a stale socket', async () => {
    const system = replacing(
      'python3 -c "import socket; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).bind(\\"/dev/log\\")"',
    );
    expect(await system.exit).toBe(0);
    expect(system.lines('stdout')).toContainEqual(expect.stringMatching(/ client: heard$/));
  });

  it('leaves another one that is served, and what is no socket, and says so', async () => {
    const file = replacing('echo text > /dev/log');
    expect(await file.exit).toBe(0);
    expect(file.lines('stdout')).toContainEqual(
      expect.stringMatching(/: cannot serve \/dev\/log \(EEXIST, something that is no socket is there\)/),
    );
    const served = replacing(
      'python3 -c "import socket; s=socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(\\"/dev/log\\"); list(iter(lambda: s.recv(999) == bytes(0), False))" & while ! test -S /dev/log; do sleep 0.02; done',
    );
    expect(await served.exit).toBe(0);
    expect(served.lines('stdout')).toContainEqual(
      expect.stringMatching(/: cannot serve \/dev\/log \(EADDRINUSE, another process serves it\)/),
    );
    expect(served.lines('stdout')).not.toContainEqual(expect.stringMatching(/heard/));
  });

  it('is a warning where /dev is read-only', async () => {
    const system = replacing('mount -o remount,ro /dev');
    expect(await system.exit).toBe(0);
    expect(system.lines('stdout')).toContainEqual(
      expect.stringMatching(/chaperone\[1\]: cannot serve \/dev\/log \(EROFS, read-only file system\)/),
    );
  });

  it('is not made with --no-syslog or enable_syslog: false', async () => {
    const check = 'test -e /dev/log && echo there || echo absent';
    for (const [args, settings] of [
      [['--no-syslog'], {}],
      [[], { enable_syslog: false }],
    ] as const) {
      const system = boot({
        ownDev: true,
        args,
        files: { 'x.conf': config({ settings, 'look.service': { type: 'oneshot', command: `sh -c '${check}'` } }) },
      });
      expect(await system.exit).toBe(0);
      expect(system.lines('stdout')).toContainEqual(expect.stringMatching(/look\[\d+\]: absent$/));
    }
  });

  it('is elsewhere with log_socket', async () => {
    const system = boot({
      syslog: true,
      files: {
        'x.conf': config({
          settings: { log_socket: '$(_CHAP_CONFIG_DIR)/log' },
          'client.service': { type: 'oneshot', command: 'logger -u $(_CHAP_CONFIG_DIR)/log -t client elsewhere' },
        }),
      },
    });
    expect(await system.exit).toBe(0);
    expect(system.lines('stdout')).toContainEqual(expect.stringMatching(/ client: elsewhere$/));
    expect(existsSync(system.path('log'))).toBe(false);
  });
});
