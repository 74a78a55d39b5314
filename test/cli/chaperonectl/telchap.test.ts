import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import manifest from '../../../package.json' with { type: 'json' };
import { verbsOf } from '../../../src/cli/chaperonectl/verbs.ts';
import { usage } from '../../../src/control/command-words.ts';
import { inDist } from '../../dist.ts';

const program = inDist('telchap.cjs');

function telchap(...words: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...words], {
    env: { PATH: '/usr/bin:/bin', CHAPERONE_SOCKET: '/nonexistent/socket' },
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

describe('telchap', () => {
  it('knows the commands of the original, and restart', () => {
    expect(verbsOf('telchap').map(({ name }) => name)).toEqual([
      'status',
      'start',
      'stop',
      'reset',
      'restart',
      'enable',
      'disable',
      'dependencies',
      'loglevel',
      'shutdown',
    ]);
    const { stdout } = telchap('restart', '--help');
    expect(stdout).toMatch(/^usage: telchap restart \[options\] NAME\.\.\.\n/);
    expect([...stdout.matchAll(/^ {2}--([a-z-]+)/gm)].map(([, name]) => name)).toEqual([
      'force',
      'wait',
      'timeout',
      'with-dependents',
      'help',
    ]);
  });

  it('takes shortened options of its own and of its commands', () => {
    expect(telchap('--vers')).toEqual({ status: 0, stdout: `telchap ${manifest.version}\n`, stderr: '' });
    expect(telchap('--he')).toEqual(telchap('help'));
    expect(telchap('stop', '--he')).toEqual(telchap('stop', '--help'));
    expect(telchap('stop', '--fo', '--wa', 'web')).toMatchObject({ status: 6 });
    expect(telchap('stop', '--d', 'web')).toMatchObject({ status: 6 });
  });

  it.each([
    [['stop', '--frce', 'web'], `unknown option "--frce": did you mean "--force"?\n${usage}\n`],
    [['start', '--timeout', 'x'], `--timeout needs a number of seconds, not "x"\n${usage}\n`],
    [['status', '--json'], `unknown option "--json"\n${usage}\n`],
    [['--frob'], 'telchap: unknown option "--frob"\ntry "telchap --help"\n'],
    [['explode'], 'telchap: unknown command "explode"\ntry "telchap --help"\n'],
    [['kill', 'web'], 'telchap: unknown command "kill"; that is for "chaperonectl kill"\ntry "telchap --help"\n'],
  ])('%j is a mistake, whether chaperone runs or not', (words, stderr) => {
    expect(telchap(...words)).toEqual({ status: 2, stdout: '', stderr });
  });
});
