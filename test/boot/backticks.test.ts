import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { boot, config, isRoot, logAll, untilFile } from './namespace.ts';

const accounts = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\njoe:x:1234:1234::/tmp:/bin/sh\n',
  group: 'root:x:0:\njoe:x:1234:\n',
};

describe('commands in backticks', () => {
  it('run once each, with the environment that chaperone was started with', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'chaperone-count-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const system = boot({
      files: {
        'x.conf': config({
          settings: {
            env_set: { SECRET: 'not for commands', MADE: '`echo run >>$COUNT; echo $SECRET a; echo b >&2`' },
          },
          'one.service': { type: 'oneshot', command: 'echo one $(MADE)' },
          'two.service': { type: 'oneshot', command: "echo two '$(MADE)' `echo $(PLAIN)`", after: 'one.service' },
          'log.logging': { selector: '*.info', stdout: true },
        }),
      },
      env: { COUNT: join(folder, 'count'), PLAIN: 'text' },
      args: ['--no-syslog'],
    });
    expect(await system.exit).toBe(0);
    const said = system.lines('stdout').flatMap((line) => / (?:one|two)\[\d+\]: (.*)$/.exec(line)?.[1] ?? []);
    expect(said).toEqual(['one a b', 'two a b text']);
    expect(readFileSync(join(folder, 'count'), 'utf8')).toBe('run\n');
  });

  it('give nothing where they fail, and the log says why', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'x.service': { type: 'oneshot', command: 'echo [`echo it broke; exit 3`]', enabled: '`false`x' },
          'y.service': { type: 'oneshot', command: 'echo <`kill -9 $$`>' },
          ...logAll,
        }),
      },
    });
    await system.exit;
    expect(system.lines('stderr').join('\n')).toContain('enabled of x.service is neither true nor false: "x"');

    const second = boot({
      files: {
        'x.conf': config({
          'x.service': { type: 'oneshot', command: 'echo [`echo it broke; exit 3`] `nope`' },
          ...logAll,
        }),
      },
    });
    expect(await second.exit).toBe(0);
    const lines = second.lines('stdout').join('\n');
    expect(lines).toContain(
      'the command `echo it broke; exit 3` in the configuration failed and stands for no text: <ProcStatus exit_status=3>: it broke',
    );
    expect(lines).toMatch(
      /the command `nope` in the configuration failed and stands for no text: <ProcStatus exit_status=127>: .*not found/,
    );
    expect(lines).toMatch(/x\[\d+\]: \[\]$/m);
  });

  it.runIf(isRoot)('run under the account of their section', async () => {
    const system = boot({
      accounts,
      files: {
        'x.conf': config({
          settings: { env_set: { WHO: '`id -u`' } },
          'x.service': { type: 'oneshot', command: 'echo $(WHO) `id -u` `id -g`', uid: 'joe' },
        }),
      },
    });
    expect(await system.exit).toBe(0);
    expect(system.lines('stdout').join('\n')).toMatch(/x\[\d+\]: 0 1234 1234$/m);
  });

  it('leave no process behind, and a signal meanwhile ends chaperone before anything starts', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'chaperone-flag-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const flag = join(folder, 'flag');
    const system = boot({
      files: {
        'x.conf': config({
          settings: { env_set: { X: '`echo begun >$FLAG; exec sleep 1000`' } },
          'x.service': { type: 'oneshot', command: 'touch $(STARTED)' },
        }),
      },
      env: { FLAG: flag, STARTED: join(folder, 'started') },
    });
    await untilFile(flag);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expect(existsSync(join(folder, 'started'))).toBe(false);
    expect(readFileSync(flag, 'utf8')).toBe('begun\n');
  });
});

describe('what is known only at a start', () => {
  it('is the number and the time of each start', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          settings: { env_set: { NAME: '$(_CHAP_SERVICE)-$(_CHAP_SERVICE_SERIAL)' } },
          'a.service': {
            type: 'oneshot',
            command: "sh -c 'echo $NAME $(AT:|timed|)' $(_CHAP_SERVICE_SERIAL)",
            env_set: { AT: '$(_CHAP_SERVICE_TIME)' },
          },
          'b.service': {
            command: "sh -c 'echo $NAME; exit 1'",
            after: 'a.service',
            startup_pause: 0,
            restart: true,
            restart_delay: 0,
            restart_limit: 2,
            ignore_failures: true,
          },
        }),
      },
    });
    await system.exit;
    const said = system.lines('stdout').flatMap((line) => / [ab]\[\d+\]: (.*)$/.exec(line)?.[1] ?? []);
    expect(said[0]).toBe('a.service-1 timed');
    expect(said.slice(1)).toEqual(said.slice(1).map((_, index) => `b.service-${index + 2}`));
    expect(said.length).toBeGreaterThan(1);
  });

  it('is in the dump of a service with debug', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          settings: { env_set: { N: '$(_CHAP_SERVICE_SERIAL)' } },
          'a.service': { type: 'oneshot', command: 'true', debug: true },
          'b.service': { type: 'oneshot', command: 'true' },
          ...logAll,
        }),
      },
    });
    expect(await system.exit).toBe(0);
    const dump = system.lines('stdout').filter((line) => line.includes(' environment: '));
    expect(dump.every((line) => line.includes('a.service environment: '))).toBe(true);
    expect(dump.join('\n')).toMatch(/a\.service environment: N=[12]$/m);
  });
});
