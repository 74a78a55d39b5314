import { spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { boot, config, expectOrder, isRoot, until, untilFile } from './namespace.ts';

/** The output of a service, without the head of the log lines. */
function said(lines: readonly string[], service: string): readonly string[] {
  const head = new RegExp(`^.*? ${service}\\[\\d+\\]: `);
  return lines.filter((line) => head.test(line)).map((line) => line.replace(head, ''));
}

/** The output of a oneshot service that runs the command. */
async function run(
  command: string,
  options: Parameters<typeof boot>[0] = {},
  more: Readonly<Record<string, unknown>> = {},
) {
  const system = boot({
    files: { 'x.conf': config({ 'one.service': { type: 'oneshot', command, ...more } }) },
    ...options,
  });
  expect(await system.exit, system.lines().join('\n')).toBe(0);
  return said(system.lines('stdout'), 'one');
}

describe('what a service is born with', () => {
  it('is the environment that chaperone was started with, also what would speak to Node', async () => {
    const env = {
      NODE_OPTIONS: '--require=/nope',
      UV_THREADPOOL_SIZE: '99',
      NODE_ENV: 'production',
      PLAIN: 'a b',
      EMPTY: '',
      _JAVA_OPTIONS: '-Xmx1g',
      _CHAP_OWN: 'x',
    };
    const lines = await run('env', { env });
    expect(lines).toEqual(
      expect.arrayContaining([
        'NODE_OPTIONS=--require=/nope',
        'UV_THREADPOOL_SIZE=99',
        'NODE_ENV=production',
        'PLAIN=a b',
        'EMPTY=',
        '_JAVA_OPTIONS=-Xmx1g',
      ]),
    );
    expect(lines.filter((line) => line.startsWith('_CHAP'))).toEqual([]);
  });

  it('is the limit of descriptors that chaperone was started with', async () => {
    const lines = await run("sh -c 'ulimit -Sn; ulimit -Hn'", { ulimit: { soft: 256, hard: 512 } });
    expect(lines).toEqual(['256', '512']);
  });

  it('is three descriptors, the first of which is /dev/null', async () => {
    const lines = await run("sh -c 'ls -l /proc/self/fd'");
    const links = lines.filter((line) => line.includes('->')).map((line) => line.replace(/^.* (\d+ -> .*)$/, '$1'));
    expect(links).toEqual([
      '0 -> /dev/null',
      expect.stringMatching(/^1 -> pipe:/),
      expect.stringMatching(/^2 -> pipe:/),
      // The descriptor of ls itself, for the directory that it reads.
      expect.stringMatching(/^3 -> \/proc\//),
    ]);
  });

  it('is no blocked and no ignored signal', async () => {
    const lines = await run('cat /proc/self/status');
    for (const mask of ['SigPnd', 'ShdPnd', 'SigBlk', 'SigIgn', 'SigCgt']) {
      expect(lines).toContain(`${mask}:\t0000000000000000`);
    }
  });

  it('is a session of its own, or with setpgrp false none', async () => {
    const own = 'sh -c \'cut -d" " -f 1,5,6 /proc/$$/stat\'';
    expect((await run(own))[0]).toMatch(/^(\d+) \1 \1$/);
    expect((await run(own, {}, { setpgrp: false }))[0]).not.toMatch(/^(\d+) \1 /);
  });

  it('is its directory', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'here.service': { type: 'oneshot', command: 'pwd', directory: '$(_CHAP_CONFIG_DIR)' },
          'default.service': { type: 'oneshot', command: 'pwd' },
        }),
      },
    });
    expect(await system.exit).toBe(0);
    expect(said(system.lines('stdout'), 'here')).toEqual([system.directory]);
    expect(said(system.lines('stdout'), 'default')).toEqual(['/']);
  });

  it('is not a stdout that somebody else has made non-blocking', async () => {
    const scratch = mkdtempSync(join(tmpdir(), 'chaperone-fifo-'));
    onTestFinished(() => rmSync(scratch, { recursive: true }));
    const fifo = join(scratch, 'fifo');
    expect(spawnSync('/bin/sh', ['-c', 'mkfifo "$0"', fifo]).status).toBe(0);
    const readEnd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    const writeEnd = openSync(fifo, constants.O_WRONLY);
    const reader = new Socket({ fd: readEnd, readable: true, writable: false });
    let text = '';
    reader.on('data', (chunk) => {
      text += chunk.toString();
    });
    const script = [
      'while ! test -e look; do sleep 0.02; done',
      'head -c 300000 /dev/zero | tr "\\0" x',
      'echo',
      'cat /proc/$$/fdinfo/1 > flags.new',
      'mv flags.new flags',
    ].join('; ');
    const shared = boot({
      stdout: writeEnd,
      files: {
        'x.conf': config({
          'loud.service': { type: 'oneshot', command: "sh -c 'seq 2000'" },
          'sibling.service': {
            type: 'oneshot',
            command: `sh -c '${script}'`,
            directory: '$(_CHAP_CONFIG_DIR)',
            stdout: 'inherit',
            after: 'loud.service',
          },
        }),
      },
    });
    closeSync(writeEnd);
    await until('chaperone has logged', () => (/loud\[\d+\]: 2000\n/.test(text) ? true : undefined));
    writeFileSync(shared.path('look'), '');
    const flags = await untilFile(shared.path('flags'));
    expect(flags).toMatch(/^flags:\t[0-7]+$/m);
    expect(Number.parseInt(/^flags:\t([0-7]+)$/m.exec(flags)?.[1] ?? '', 8) & constants.O_NONBLOCK).toBe(0);
    expect(await shared.exit).toBe(0);
    await until('all has been read', () => (reader.destroyed ? true : undefined));
    expect(text).not.toContain('Resource temporarily unavailable');
    expect(text.split('x').length - 1).toBeGreaterThanOrEqual(300_000);
  });
});

describe.runIf(isRoot)('the account of a service', () => {
  const accounts = {
    passwd: 'root:x:0:0:root:/root:/bin/sh\njoe:x:1234:1235:Joe:/tmp:/bin/sh\nann:x:1236:1236::/nowhere/ann:/bin/sh\n',
    group: 'root:x:0:\njoe:x:1235:\nann:x:1236:\naudio:x:1300:joe,ann\nvideo:x:1301:joe\nother:x:1302:ann\n',
  };

  it('has its ids and supplementary groups, HOME, USER and LOGNAME, and starts in its home', async () => {
    const lines = await run("sh -c 'id; pwd; env'", { accounts }, { uid: 'joe' });
    expect(lines[0]).toBe('uid=1234(joe) gid=1235(joe) groups=1235(joe),1300(audio),1301(video)');
    expect(lines[1]).toBe('/tmp');
    expect(lines).toEqual(expect.arrayContaining(['HOME=/tmp', 'USER=joe', 'LOGNAME=joe']));
  });

  it('may be given by number, with another group', async () => {
    const [line] = await run('id', { accounts }, { uid: 1234, gid: 'other' });
    expect(line).toMatch(/^uid=1234\(joe\) gid=1302\(other\) groups=1302\(other\)/);
    const [unknown] = await run('id', { accounts }, { uid: 4321, gid: 4322 });
    expect(unknown).toBe('uid=4321 gid=4322 groups=4322');
  });

  it('comes from the settings where the service has none', async () => {
    const system = boot({
      accounts,
      files: {
        'x.conf': config({
          settings: { uid: 'joe' },
          'one.service': { type: 'oneshot', command: 'id -un' },
          'two.service': { type: 'oneshot', command: 'id -un', uid: 'root' },
        }),
      },
    });
    expect(await system.exit).toBe(0);
    expect(said(system.lines('stdout'), 'one')).toEqual(['joe']);
    expect(said(system.lines('stdout'), 'two')).toEqual(['root']);
  });

  it('need not have a home that exists', async () => {
    expect(await run('pwd', { accounts }, { uid: 'ann' })).toEqual(['/']);
  });

  it('may open /dev/stdout anew', async () => {
    expect(await run("sh -c 'echo reopened > /dev/stdout'", { accounts }, { uid: 'joe' })).toEqual(['reopened']);
  });

  it('decides whether its directory can be entered', async () => {
    const system = boot({
      accounts,
      files: {
        'x.conf': config({
          'one.service': { type: 'oneshot', command: 'true', uid: 'joe', directory: '$(_CHAP_CONFIG_DIR)' },
        }),
      },
    });
    expect(await system.exit).toBe(1);
    expectOrder(system.lines('stderr'), [
      /^chaperone: system failed: one\.service could not be started$/,
      /^ {2}why {5}cannot enter directory \/.*: permission denied \(EACCES\)$/,
    ]);
  });
});
