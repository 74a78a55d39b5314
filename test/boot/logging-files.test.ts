import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { inDist } from '../dist.ts';
import { type Booted, boot, config, expectOrder, isRoot, until } from './namespace.ts';

const numberOf = (name: string): number => Number(/\.(\d+)/.exec(name)?.[1] ?? 0);
/** What a file holds; nothing where it is missing, for a moment too: it may be renamed at any time. */
function text(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

const hasLogrotate = spawnSync('sh', ['-c', 'PATH=$PATH:/usr/sbin command -v logrotate']).status === 0;

/** A command that prints each line of the file `say` in the test's directory, and ends with the file. */
const repeat = 'tail -n +1 -F $(_CHAP_CONFIG_DIR)/say';

/** A system with a service that prints what the test writes. */
function speaker(logging: Readonly<Record<string, unknown>>) {
  const system = boot({
    before: 'touch say',
    files: {
      'x.conf': config({
        'voice.service': { command: repeat, kill_signal: 'SIGKILL' },
        'file.logging': { selector: 'daemon.*', format: 'plain', ...logging },
        'all.logging': { selector: '*.*', stdout: true },
      }),
    },
  });
  const say = async (line: string): Promise<void> => {
    writeFileSync(system.path('say'), `${line}\n`, { flag: 'a' });
    await system.waitForLine(new RegExp(`voice\\[\\d+\\]: ${line}$`));
  };
  return { system, say };
}

async function end(system: Booted): Promise<void> {
  system.signal('SIGTERM');
  expect(await system.exit).toBe(0);
}

describe('a log file', () => {
  it('has all by the end, and lies where its directories are made for it', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'count.service': { type: 'oneshot', command: 'seq 20000' },
          'file.logging': { file: '$(_CHAP_CONFIG_DIR)/logs/%Y/count-%d.log', format: 'plain', selector: 'daemon.*' },
        }),
      },
    });
    expect(await system.exit).toBe(0);
    const [year = ''] = readdirSync(system.path('logs'));
    expect(year).toMatch(/^\d{4}$/);
    const [name = ''] = readdirSync(system.path(`logs/${year}`));
    expect(name).toMatch(/^count-\d\d\.log$/);
    expect(text(system.path(`logs/${year}/${name}`))).toBe(
      Array.from({ length: 20_000 }, (_, index) => `${index + 1}\n`).join(''),
    );
    expect(statSync(system.path('logs')).mode & 0o777).toBe(0o755);
  });

  it.runIf(isRoot)('belongs to the account of its entry, or of the settings', async () => {
    const system = boot({
      accounts: {
        passwd: 'root:x:0:0::/root:/bin/sh\nlogger:x:7001:7002::$HOME:/bin/sh\n',
        group: 'root:x:0:\nlogger:x:7002:\nreaders:x:7003:\n',
      },
      files: {
        'x.conf': config({
          settings: { uid: 'logger' },
          'one.service': { type: 'oneshot', command: 'echo hello', directory: '/' },
          'own.logging': { file: '$(_CHAP_CONFIG_DIR)/a/own.log' },
          'group.logging': { file: '$(_CHAP_CONFIG_DIR)/b/group.log', uid: 'root', gid: 'readers' },
        }),
      },
    });
    expect(await system.exit).toBe(0);
    const facts = (name: string) => {
      const { uid, gid, mode } = statSync(system.path(name));
      return [uid, gid, (mode & 0o777).toString(8)];
    };
    expect([facts('a'), facts('a/own.log')]).toEqual([
      [7001, 7002, '755'],
      [7001, 7002, '640'],
    ]);
    expect([facts('b'), facts('b/group.log')]).toEqual([
      [0, 7003, '775'],
      [0, 7003, '660'],
    ]);
  });

  it.runIf(isRoot)(
    'exists before the first service starts, empty, with owner and mode; so do the folders of others',
    async () => {
      const system = boot({
        files: {
          'x.conf': config({
            'first.service': {
              type: 'oneshot',
              service_groups: 'INIT',
              command: `sh -c "cd $(_CHAP_CONFIG_DIR) && stat -c '%n %u:%g %a %s' logs logs/one.log logs/two.log dated && ls dated"`,
            },
            'one.logging': { file: '$(_CHAP_CONFIG_DIR)/logs/one.log', selector: 'mail.*', uid: 7001, gid: 7002 },
            'two.logging': { file: '$(_CHAP_CONFIG_DIR)/logs/two.log', selector: 'mail.*', mode: '0604' },
            'three.logging': { file: '$(_CHAP_CONFIG_DIR)/dated/%Y.log', selector: 'mail.*' },
            'off.logging': { file: '$(_CHAP_CONFIG_DIR)/logs/off.log', enabled: false },
            'all.logging': { selector: 'daemon.*', stdout: true, format: 'plain' },
          }),
        },
      });
      expect(await system.exit).toBe(0);
      expect(system.lines('stdout')).toEqual([
        `logs 7001:7002 775 ${statSync(system.path('logs')).size}`,
        'logs/one.log 7001:7002 660 0',
        'logs/two.log 0:0 604 0',
        `dated 0:0 755 ${statSync(system.path('dated')).size}`,
      ]);
    },
  );

  it.runIf(isRoot)('that cannot be made is told of before the first service starts', async () => {
    const system = boot({
      before: 'touch file theirs.log && chown 1000 theirs.log',
      files: {
        'x.conf': config({
          'first.service': { type: 'oneshot', command: 'echo started' },
          'one.logging': { file: '$(_CHAP_CONFIG_DIR)/file/one.log', selector: 'mail.*' },
          'two.logging': { file: '$(_CHAP_CONFIG_DIR)/theirs.log', selector: 'mail.*' },
          'all.logging': { selector: '*.info', stdout: true, format: 'plain' },
        }),
      },
    });
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [
      /^cannot write log records to \S+\/file\/one\.log \(ENOTDIR/,
      /^cannot write log records to \S+\/theirs\.log \(FOREIGN_FILE, it belongs to another account\)/,
      /^started$/,
    ]);
  });

  it('has each of 200,000 lines once and in order under rotation and compression', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'count.service': { type: 'oneshot', command: 'seq 200000' },
          'stay.service': { command: 'sleep 1000', kill_signal: 'SIGKILL' },
          'file.logging': {
            file: '$(_CHAP_CONFIG_DIR)/logs/count.log',
            format: 'plain',
            selector: 'daemon.*',
            max_size: '32K',
            overflow: 'block',
            keep: 100,
            compress: true,
          },
        }),
      },
    });
    const log = system.path('logs/count.log');
    await until('the last line is written', () => (text(log).endsWith('\n200000\n') ? true : undefined));
    await end(system);
    const names = readdirSync(system.path('logs'))
      .filter((name) => /^count\.log(\.\d+(\.gz)?)?$/.test(name))
      // The end may have come between a complete copy and the removal of its original, which the next boot does.
      .filter((name, _, all) => !all.includes(`${name}.gz`))
      .sort((one, other) => numberOf(other) - numberOf(one));
    expect(names.length).toBeGreaterThan(30);
    const content = names.map((name) => {
      const bytes = readFileSync(system.path(`logs/${name}`));
      return (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
    });
    for (const each of content) expect(each.length).toBeLessThanOrEqual(32 * 1024);
    expect(content.join('')).toBe(Array.from({ length: 200_000 }, (_, index) => `${index + 1}\n`).join(''));
  });

  it('is truncated with overwrite, and otherwise continued', async () => {
    const files = {
      'x.conf': config({
        'one.service': { type: 'oneshot', command: 'echo new' },
        'fresh.logging': { selector: 'daemon.*', file: '$(_CHAP_CONFIG_DIR)/fresh', overwrite: true, format: 'plain' },
        'more.logging': { selector: 'daemon.*', file: '$(_CHAP_CONFIG_DIR)/more', format: 'plain' },
      }),
    };
    const system = boot({
      files,
      before: 'echo old > fresh; echo old > more',
      keep: 'grep . fresh more',
    });
    expect(await system.exit).toBe(0);
    expect(system.lines('stdout').filter((line) => /^(fresh|more):/.test(line))).toEqual([
      'fresh:new',
      'more:old',
      'more:new',
    ]);
  });

  it.runIf(hasLogrotate).each([
    ['create', 'create 0600'],
    ['copytruncate', 'copytruncate'],
  ])('goes on after logrotate with %s, and loses nothing', async (_name, directive) => {
    const { system, say } = speaker({ file: '$(_CHAP_CONFIG_DIR)/x.log' });
    const log = system.path('x.log');
    const rotate = (): void => {
      const rules = system.path('rules');
      writeFileSync(rules, `${log} {\n  rotate 5\n  ${directive}\n  nocompress\n}\n`);
      chmodSync(rules, 0o644);
      chmodSync(system.directory, 0o755);
      const { status, stderr } = spawnSync('logrotate', ['--force', '--state', system.path('state'), rules], {
        encoding: 'utf8',
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      });
      expect([status, stderr]).toEqual([0, '']);
    };
    await say('first');
    await until('the first line is written', () => (text(log) === 'first\n' ? true : undefined));
    rotate();
    expect(text(`${log}.1`)).toBe('first\n');
    // Lines within the first second may still go to the old file, and are kept there.
    await until('the new file is used', () => {
      writeFileSync(system.path('say'), 'again\n', { flag: 'a' });
      return text(log).includes('again\n') ? true : undefined;
    });
    await say('last');
    await end(system);
    const said = text(system.path('say')).split('\n').filter(Boolean);
    expect(`${text(`${log}.1`)}${text(log)}`.split('\n').filter(Boolean)).toEqual(said);
    expect(text(log).endsWith('last\n')).toBe(true);
  });

  it('may be the one of two entries, each with its format', async () => {
    const { system, say } = speaker({ file: '$(_CHAP_CONFIG_DIR)/x.log', extended: true });
    await say('hello');
    await end(system);
    expect(text(system.path('x.log'))).toMatch(/^daemon\.info hello\n/);
  });

  it('has the prefix of a line for its priority, and the service in JSON', async () => {
    const { system, say } = speaker({ file: '$(_CHAP_CONFIG_DIR)/x.log', format: 'json', selector: 'daemon.err' });
    writeFileSync(system.path('say'), '<3>bad <news>\n', { flag: 'a' });
    await say('over');
    await end(system);
    const [first = ''] = text(system.path('x.log')).split('\n');
    expect(JSON.parse(first)).toMatchObject({
      severity: 'err',
      program: 'voice',
      service: 'voice.service',
      message: 'bad <news>',
    });
  });
});

describe('lines for a terminal', () => {
  const shown = (env: Readonly<Record<string, string>>, format = 'plain') => {
    const folder = mkdtempSync(join(tmpdir(), 'chaperone-colour-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'x.conf');
    writeFileSync(
      file,
      config({
        'one.service': { type: 'oneshot', command: 'sh -c "echo alarm >&2"' },
        'all.logging': { selector: 'daemon.warning', stdout: true, format },
      }),
    );
    const chaperone = [inDist('chaperone'), '--no-syslog', '--config', file];
    const atTerminal = 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)';
    const { stdout } = spawnSync('python3', ['-c', atTerminal, ...chaperone], {
      encoding: 'utf8',
      input: '',
      env: { PATH: process.env['PATH'], ...env },
    });
    return stdout.split('\r\n').filter((line) => line.includes('alarm'));
  };

  it('have the colour of their severity, unless NO_COLOR is set or they are JSON', () => {
    expect(shown({})).toEqual(['\u001b[33malarm\u001b[0m']);
    expect(shown({ NO_COLOR: '1' })).toEqual(['alarm']);
    expect(shown({}, 'json')).toEqual([expect.stringMatching(/^\{.*\}$/)]);
  });

  it('have no colours where stdout is none', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'one.service': { type: 'oneshot', command: 'sh -c "echo alarm >&2"' },
          'all.logging': { selector: '*.warning', stdout: true, format: 'plain' },
        }),
      },
    });
    expect(await system.exit).toBe(0);
    expect(system.lines('stdout')).toEqual(['alarm']);
  });
});
