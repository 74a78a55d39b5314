/** One image, made for supervisord, runs once under supervisord and once under chaperone: only the entry point differs. */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Container, clientEnvironment, docker, eventually, page, start } from './engine.ts';

const image = 'chaperone-test/of-supervisord';
const chaperonectl = '/usr/local/lib/chaperone/chaperonectl';

beforeAll(() => {
  const context = mkdtempSync(join(tmpdir(), 'chaperone-supervisord-'));
  try {
    cpSync(join(import.meta.dirname, 'supervisord'), context, { recursive: true });
    writeFileSync(
      join(context, 'Dockerfile'),
      [
        'FROM chaperone-test/supervisord',
        'COPY --from=chaperone /usr/local /usr/local',
        'COPY conf.d /etc/supervisor/conf.d',
        'COPY worker.py observe.py /srv/',
        'ENTRYPOINT ["/usr/bin/supervisord", "-n", "-c", "/etc/supervisor/supervisord.conf"]',
      ].join('\n'),
    );
    execFileSync('docker', ['build', '--quiet', '--tag', image, context], { env: clientEnvironment, stdio: 'pipe' });
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
});

interface Seen {
  readonly name: string;
  readonly pid: number;
  /** Absent where the process hides it. */
  readonly environment: Readonly<Record<string, string>> | null;
  /** Numbers with what they are open on; absent where the process hides them. */
  readonly descriptors: readonly (readonly [number, string])[] | null;
  /** Hexadecimal: a bit for each ignored signal. */
  readonly ignored: string;
}

/** What differs between the two: the way in, and how states are told. */
interface Supervisor {
  readonly name: string;
  readonly options: readonly string[];
  /** The states of the programs by their names, `up` and `down` for those that differ in words only. */
  states(container: Container): Promise<Readonly<Record<string, string>>>;
}

const words: Readonly<Record<string, string>> = {
  RUNNING: 'up',
  ready: 'up',
  EXITED: 'ended',
  exited: 'ended',
  FATAL: 'failed',
  failed: 'failed',
  STOPPED: 'off',
  disabled: 'off',
};

const supervisors: readonly Supervisor[] = [
  {
    name: 'supervisord',
    options: [],
    states: async (container) => {
      const { stdout } = await container.exec('supervisorctl', 'status');
      const rows = [...stdout.matchAll(/^(?:\w+:)?(\w+)\s+([A-Z]+)/gm)];
      return Object.fromEntries(rows.map(([, name = '', state = '']) => [name, words[state] ?? state]));
    },
  },
  {
    name: 'chaperone',
    options: ['--entrypoint', '/usr/local/bin/chaperone'],
    states: async (container) => {
      const { stdout } = await container.exec(chaperonectl, 'status', '--json');
      if (stdout === '') return {};
      const rows: readonly { readonly name: string; readonly state: string }[] = JSON.parse(stdout);
      return Object.fromEntries(rows.map(({ name, state }) => [name.replace('.service', ''), words[state] ?? state]));
    },
  },
];

const up = { first: 'up', named: 'up', sshd: 'up', nginx: 'up', worker_00: 'up', worker_01: 'up', worker_02: 'up' };

/** Everything that is compared. */
interface Story {
  readonly states: Readonly<Record<string, string>>;
  readonly processes: readonly Seen[];
  readonly page: string;
  readonly logs: readonly string[];
  /** Who was told to stop, in this order; the three workers by their names. */
  readonly ends: readonly string[];
  readonly status: number;
  readonly changed: readonly string[];
}

/** Root in a container may not look into processes of other accounts: those of the workers look themselves. */
async function observe(container: Container): Promise<readonly Seen[]> {
  const as = async (user: string): Promise<readonly Seen[]> => {
    const { stdout, stderr } = await container.execAs(user, 'python3', '/srv/observe.py');
    if (stdout === '') throw new Error(stderr);
    return JSON.parse(stdout);
  };
  const [all, own] = [await as('root'), await as('www-data')];
  return all.map((seen) => (seen.environment === null ? (own.find(({ pid }) => pid === seen.pid) ?? seen) : seen));
}

async function untilStates(container: Container, { states }: Supervisor, wanted: Readonly<Record<string, string>>) {
  return eventually(`the states are ${JSON.stringify(wanted)}`, async () => {
    const told = await states(container);
    return Object.entries(wanted).every(([name, state]) => told[name] === state) ? told : undefined;
  });
}

/** Starts the image, has some of its programs end, and stops it. */
async function tell(supervisor: Supervisor): Promise<Story> {
  const out = mkdtempSync(join(tmpdir(), 'chaperone-out-'));
  chmodSync(out, 0o777);
  onTestFinished(() => rmSync(out, { recursive: true, force: true }));
  const options = [...supervisor.options, '--hostname', 'box', '--publish', '127.0.0.1::80', '--volume', `${out}:/out`];
  const container = await start({ image, options });
  const states = await untilStates(container, supervisor, { ...up, broken: 'failed', off: 'off' });
  const processes = await observe(container);
  const served = await page(await container.url(80));
  const pidOf = async (name: string): Promise<number | undefined> =>
    (await observe(container)).find((process) => process.name === name)?.pid;
  const endBy = async (name: string, signal: string): Promise<number> => {
    const pid = await pidOf(name);
    await container.exec('kill', `-${signal}`, String(pid));
    return pid ?? 0;
  };
  // Killed, and ended with a status that is not expected: both come back.
  for (const [name, signal] of [
    ['worker 0', 'KILL'],
    ['worker 1', 'USR2'],
  ] as const) {
    const before = await endBy(name, signal);
    await eventually(`${name} is back`, async () => {
      const now = await pidOf(name);
      return now !== undefined && now !== before ? true : undefined;
    });
  }
  // Ended with a status that is expected: it stays away.
  await endBy('worker 2', 'USR1');
  await untilStates(container, supervisor, { ...up, worker_02: 'ended' });
  await docker('stop', container.id);
  const status = await container.exit();
  const files = ['first', 'worker_0', 'worker_1', 'worker_2'].map((name) => `${name}.log`);
  execFileSync('docker', ['cp', `${container.id}:/var/log/supervisor`, join(out, 'log')], { env: clientEnvironment });
  const ends = readFileSync(join(out, 'ends'), 'utf8').trim().split('\n');
  const changed = (await docker('diff', container.id)).split('\n').filter((line) => !isOwn.test(line));
  return {
    states,
    processes,
    page: served,
    logs: files.map((file) => readFileSync(join(out, 'log', file), 'utf8')),
    ends: [
      ...ends.filter((name) => name.startsWith('worker')).sort(),
      ...ends.filter((name) => !name.startsWith('worker')),
    ],
    status,
    changed: changed.sort(),
  };
}

/** Files that supervisord and chaperone keep for themselves. */
const isOwn =
  /supervisord\.(?:log|pid)|supervisor\.sock|chaperone|---supervisor-|^C \/(?:run|tmp|dev|var|var\/log|out|root)$|^. \/dev|__pycache__/;

/**
 * Variables that only one of the two sets (LC_CTYPE is Python's doing), and those that follow the account under chaperone.
 */
const ownVariables = [
  'SUPERVISOR_SERVER_URL',
  'LC_CTYPE',
  'CHAPERONE_SOCKET',
  'INVOCATION_ID',
  'HOME',
  'USER',
  'LOGNAME',
];

/** Python ignores SIGXFSZ, and supervisord's programs inherit that; programs of chaperone ignore nothing. */
const ignoredByPython = 1n << 24n;

/** As it is to be under chaperone: whose programs have the null device for their input, where supervisord has a pipe. */
function comparable({ pid: _pid, environment, ignored, descriptors, ...seen }: Seen) {
  const kept = Object.entries(environment ?? {}).filter(([name]) => !ownVariables.includes(name));
  return {
    ...seen,
    environment: Object.fromEntries(kept),
    ignored: BigInt(`0x${ignored}`) & ~ignoredByPython,
    descriptors: descriptors?.map(([number, kind]) => [number, number === 0 ? 'input' : kind]),
  };
}

describe('an image that was made for supervisord', () => {
  it('does under chaperone what it does under supervisord', async () => {
    const [real, own] = await Promise.all(supervisors.map(tell));
    if (real === undefined || own === undefined) throw new Error('there are two');
    expect(real.processes.map(({ name }) => name)).toEqual([
      'first',
      'named',
      'sshd',
      'nginx',
      'worker 0',
      'worker 1',
      'worker 2',
    ]);
    expect(own.states).toEqual(real.states);
    expect(own.processes.map(comparable)).toEqual(real.processes.map(comparable));
    expect(own.processes[0]?.descriptors?.slice(0, 3)).toEqual([
      [0, '/dev/null'],
      [1, 'pipe'],
      [2, 'pipe'],
    ]);
    expect(own.page).toBe(real.page);
    expect(own.logs).toEqual(real.logs);
    expect(own.logs[1]).toBe(
      'worker 0 is up\n\n\ttab and  spaces  \nworker 0 on stderr\nworker 0 is up\n\n\ttab and  spaces  \nworker 0 on stderr\nworker 0 ends by SIGTERM\n',
    );
    expect(own.ends).toEqual(['worker 0', 'worker 1', 'first']);
    expect(own.ends).toEqual(real.ends);
    expect(own.status).toBe(real.status);
    expect(own.changed).toEqual(real.changed);
  });
});
