import { spawnSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { inDist } from '../dist.ts';
import { ctl, up } from './by-hand.ts';
import { type Booted, isRoot } from './namespace.ts';

/** What the command prints about itself, and the names of its variables. */
const about = ['sh', '-c', 'id -u; id -g; id -G; pwd; umask; ulimit -n; env | sort'];
const own = { PATH: '/usr/bin:/bin' };

const values = { env_inherit: [], env_set: { ...own, GREETING: 'hello' } };

describe.runIf(isRoot)('chaperonectl shell', () => {
  it('runs a command as a service that runs: as its processes see themselves', async () => {
    const system = await up({
      'web.service': {
        command: "sh -c 'id -u; id -g; id -G; pwd; umask; ulimit -n; env | sort; echo shown; exec sleep 1000'",
        uid: '65534',
        directory: '/var/tmp',
        umask: '027',
        limits: { nofile: 321 },
        ...values,
      },
    });
    await system.waitForLine(/web\[\d+\]: shown$/);
    const said = system.lines().flatMap((line) => / web\[\d+\]: (.*)$/.exec(line)?.[1] ?? []);
    const { status, stdout, stderr } = await ctl(system, 'shell', 'web', ...about);
    expect([status, stderr]).toEqual([0, '']);
    const withoutRun = said.filter(
      (line) => line !== 'shown' && !/^(INVOCATION_ID|_CHAP_SERVICE_\w+|PWD|_|SHLVL)=/.test(line),
    );
    const withoutShell = stdout
      .trim()
      .split('\n')
      .filter((line) => !/^(_CHAP_SERVICE_\w+|PWD|_|SHLVL)=/.test(line));
    expect(withoutShell).toEqual(withoutRun);
    expect(withoutShell).toEqual(expect.arrayContaining(['65534', '/var/tmp', '0027', '321', 'GREETING=hello']));
  });

  it('runs a command as a service that cannot start, secrets included, and passes its exit status on', async () => {
    const system = await up({
      'broken.service': {
        command: '/no/such/program',
        ignore_failures: true,
        service_groups: 'IDLE',
        env_set: { ...own, TOKEN: 'geheim' },
      },
      'other.service': { command: 'sleep 1000', startup_pause: 0 },
    });
    const { status, stdout } = await ctl(system, 'shell', 'broken', 'sh', '-c', 'echo "$TOKEN"; exit 7');
    expect([status, stdout]).toEqual([7, 'geheim\n']);
    expect((await ctl(system, 'shell', 'broken', '--', 'sh', '-c', 'kill -9 $$')).status).toBe(137);
    expect((await ctl(system, 'shell', 'broken', '--', 'echo', '--')).stdout).toBe('--\n');
  });

  it("reads a shell's commands from its standard input by default", async () => {
    const system = await up({
      'a.service': { command: 'sleep 1000', startup_pause: 0, env_set: { WHO: 'a service' } },
    });
    const [file = '', ...args] = [...system.inside(), inDist('chaperonectl'), 'shell', 'a'];
    const env = { PATH: process.env['PATH'], CHAPERONE_SOCKET: system.path('control.sock') };
    const { status, stdout } = spawnSync(file, args, { env, input: 'echo "I am $WHO"\nexit 3\n', encoding: 'utf8' });
    expect([status, stdout]).toEqual([3, 'I am a service\n']);
  });

  it.each<[string, readonly string[], number, RegExp]>([
    ['no service', [], 2, /no service is named/],
    ['an unknown service', ['nothing', 'true'], 4, /no such service/i],
    ['two services', ['*', 'true'], 2, /exactly one/],
    ['a program that is not there', ['a', 'no-such-program'], 127, /executable 'no-such-program' not found/],
    [
      'a program that is not there, behind "--"',
      ['a', '--', '/no/such'],
      127,
      /cannot execute \/no\/such: it, or the interpreter it names, does not exist/,
    ],
    [
      'a program that is not executable',
      ['a', '/etc/passwd'],
      126,
      /^chaperonectl shell: \/etc\/passwd: Permission denied/,
    ],
  ])('says what is wrong with %s', async (_, words, status, message) => {
    const system = await up(two);
    const answer = await ctl(system, 'shell', ...words);
    expect([answer.status, answer.stderr]).toEqual([status, expect.stringMatching(message)]);
  });

  it('is refused to accounts that do not own the control socket, whatever they are granted', async () => {
    const system = await up({ settings: { control: { allow: { everybody: 'all' } } }, ...two });
    expect(guest(system, 'status').status).toBe(0);
    const { status, stderr, stdout } = guest(system, 'shell', 'a', 'true');
    expect([status, stdout, stderr]).toEqual([5, '', expect.stringMatching(/not permitted for uid 65534/)]);
  });
});

const two = {
  'a.service': { command: 'sleep 1000', startup_pause: 0 },
  'b.service': { command: 'sleep 1000', startup_pause: 0 },
};

function guest(system: Booted, ...words: readonly string[]) {
  // The folder of the socket is for its owner alone.
  chmodSync(system.directory, 0o755);
  const account = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];
  const [file = '', ...args] = [...system.inside(), ...account, inDist('chaperonectl'), ...words];
  const env = { PATH: process.env['PATH'], CHAPERONE_SOCKET: system.path('control.sock') };
  return spawnSync(file, args, { env, encoding: 'utf8' });
}
