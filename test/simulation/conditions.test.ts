import { describe, expect, it } from 'vitest';
import { parseLine } from '../../src/control/command-words.ts';
import { execute } from '../../src/control/execute.ts';
import { Meter } from '../../src/control/meter.ts';
import type { Condition } from '../../src/model/service/condition.ts';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import type { Script } from '../../src/runtime/simulated/script.ts';
import { supervised } from './supervised.ts';
import { createWorld, simpleService, systemOf } from './world.ts';

const second = 1_000;
const hang: Script = { steps: [{ do: 'hang' }] };
const question: Condition = { kind: 'command', command: 'ask', argv: ['ask'] };

/** `web` has conditions, and `client` waits for it. */
function conditionWorld(spec: Partial<ServiceSpec>, ask: Script = { steps: [] }, files: readonly string[] = []) {
  const begun: string[] = [];
  const web = simpleService('web', spec);
  const client = simpleService('client', { prerequisites: ['web.service'] });
  const world = createWorld(systemOf([web, client], { detectExit: false, timeZone: 'UTC' }), {
    has: () => true,
    script: ([word = '']) => {
      begun.push(word);
      return word === 'ask' ? ask : hang;
    },
  });
  for (const path of files) world.kernel.writeFile(path, '');
  world.clock.setWallTime(Date.parse('2030-01-01T00:00:55Z'));
  const supervisor = supervised(world);
  world.assembly.start();
  const pass = (ms: number): void => {
    world.clock.run(world.clock.now() + ms);
  };
  pass(3 * second);
  return {
    ...world,
    begun,
    pass,
    say: (line: string) => {
      const parsed = parseLine(line);
      if (parsed.kind !== 'command') throw new Error(`"${line}" is no command`);
      return execute(parsed.command, { supervisor, timers: world.clock, meter: new Meter() });
    },
    status: (name = 'web') => supervisor.service(`${name}.service`),
    log: () => world.kernel.written.stdout.split('\n'),
  };
}

describe('a service whose conditions are not met', () => {
  it('runs no process, is disabled with a note, and counts as satisfied', () => {
    const world = conditionWorld({ startIf: { kind: 'file', path: '/etc/web.conf' } });
    expect(world.status()).toMatchObject({
      state: 'disabled',
      enabled: true,
      note: 'skipped: the file /etc/web.conf is not there',
    });
    expect(world.status()?.why.sentence).toBe(
      'waits for a start; skipped: the file /etc/web.conf is not there; "start" asks its conditions again, and no other service waits for it',
    );
    expect(world.status('client')).toMatchObject({ state: 'ready' });
    expect(world.begun).toEqual(['client']);
    expect(world.log().some((line) => line.includes('web.service skipped: the file /etc/web.conf is not there'))).toBe(
      true,
    );
  });

  it('is asked again at each start', async () => {
    const world = conditionWorld({ startIf: { kind: 'file', path: '/etc/web.conf' } });
    world.kernel.writeFile('/etc/web.conf', '');
    await world.say('start web');
    world.pass(2 * second);
    expect(world.status()).toMatchObject({ state: 'ready' });
    expect(world.status()).not.toHaveProperty('note');
  });

  it.each([
    {
      what: 'no',
      steps: [{ do: 'exit', code: 1 }],
      state: 'disabled',
      note: 'skipped: its command in start_if says no',
    },
    { what: 'no, by any status up to 254', steps: [{ do: 'exit', code: 254 }], state: 'disabled' },
    { what: 'yes', steps: [], state: 'ready' },
  ] as const)('by the exit status of a command: $what', ({ what: _, steps, ...expected }) => {
    const world = conditionWorld({ startIf: question }, { steps });
    expect(world.status()).toMatchObject(expected);
  });

  it('is asked again at a restart', () => {
    const world = conditionWorld(
      { startIf: { kind: 'not', of: { kind: 'file', path: '/run/once' } }, restart: true, restartDelay: second },
      hang,
    );
    world.kernel.writeFile('/run/once', '');
    world.kernel.inject(world.status()?.pid ?? 0, [{ do: 'exit', code: 3 }]);
    world.pass(5 * second);
    expect(world.status()).toMatchObject({ state: 'disabled', note: 'skipped: the file /run/once is there' });
  });
});

describe('a command of start_if', () => {
  it.each([
    { what: 'exit status 255', steps: [{ do: 'exit', code: 255 }], cause: 'start_if: exit 255' },
    { what: 'a signal', steps: [{ do: 'die', signal: 'SIGSEGV' }], cause: 'start_if: SIGSEGV' },
  ] as const)('that gives no answer by $what is a failed start', ({ steps, cause }) => {
    const world = conditionWorld({ startIf: question, ignoreFailures: true }, { steps });
    expect(world.status()).toMatchObject({ state: 'failed', cause });
    expect(world.begun).not.toContain('web');
  });

  it('that never ends is killed after process_timeout, and the start has failed', () => {
    const deaf: Script = { steps: [{ do: 'hang' }], onSignal: { SIGTERM: 'ignore' } };
    const world = conditionWorld({ startIf: question, ignoreFailures: true, processTimeout: 5 * second }, deaf);
    expect(world.status()).toMatchObject({ state: 'starting', stage: 'starting.asking' });
    world.pass(3 * second);
    expect(world.status()).toMatchObject({
      state: 'failed',
      cause: 'start_if: no answer within 5 s (process_timeout)',
    });
    expect(world.kernel.livePids).toHaveLength(1);
  });

  it('is ended with a stop, and what it has left with its answer', async () => {
    const world = conditionWorld({ startIf: question }, hang);
    await world.say('stop web');
    world.pass(second);
    expect(world.status()).toMatchObject({ state: 'stopped' });
    expect(world.kernel.livePids).toEqual([]);
    const other = conditionWorld(
      { startIf: question },
      {
        steps: [
          { do: 'fork', script: hang },
          { do: 'exit', code: 1 },
        ],
      },
    );
    expect(other.status()).toMatchObject({ state: 'disabled' });
    expect(other.kernel.livePids).toHaveLength(1);
  });

  it('is not run where the file before it decides', () => {
    const world = conditionWorld({ startIf: { kind: 'all', of: [{ kind: 'file', path: '/x' }, question] } });
    expect(world.begun).toEqual(['client']);
  });
});

describe('the conditions of a cron service', () => {
  const cron = { type: 'cron', interval: '* * * * *' } as const;

  it('are asked at each run', async () => {
    const world = conditionWorld({ ...cron, startIf: { kind: 'file', path: '/run/on' } });
    expect(world.status()).toMatchObject({ state: 'ready' });
    world.pass(10 * second);
    expect(world.log().filter((line) => line.includes('skips a run: the file /run/on is not there'))).toHaveLength(1);
    world.kernel.writeFile('/run/on', '');
    world.pass(60 * second);
    expect(world.begun.filter((word) => word === 'web')).toHaveLength(1);
  });

  it('tell who has asked for a run that it was skipped', async () => {
    const world = conditionWorld({ ...cron, startIf: question }, { steps: [{ do: 'exit', code: 1 }] });
    const answered = world.say('run-now --wait web');
    world.pass(second);
    expect(await answered).toMatchObject({
      kind: 'failed',
      text: 'Command error: web: skipped: its command in start_if says no',
    });
  });

  it('end with a stop', async () => {
    const world = conditionWorld({ ...cron, startIf: question }, hang);
    const answered = world.say('run-now --wait web');
    world.pass(second);
    await world.say('stop web');
    world.pass(second);
    expect(await answered).toMatchObject({ kind: 'failed' });
    expect(world.status()).toMatchObject({ state: 'stopped' });
    expect(world.kernel.livePids).toHaveLength(1);
  });
});

describe('the conditions of an inetd service', () => {
  it('are asked before its port is opened', async () => {
    const world = conditionWorld({ type: 'inetd', port: 8_000, startIf: { kind: 'file', path: '/run/on' } });
    expect(world.status()).toMatchObject({ state: 'disabled', note: 'skipped: the file /run/on is not there' });
    expect(world.kernel.ports).toEqual([]);
    world.kernel.writeFile('/run/on', '');
    await world.say('start web');
    world.pass(second);
    expect(world.kernel.ports).toEqual([8_000]);
  });
});

describe('the transitions of a service with conditions say', () => {
  const rows = (world: { readonly transitions: readonly string[] }): readonly string[] =>
    world.transitions.map((line) => line.trim().replace(/ {2,}/g, '  '));

  it('that its conditions are met, when it goes on', () => {
    const world = conditionWorld({ startIf: question });
    expect(rows(world)).toContainEqual(
      expect.stringMatching(/web {2}starting\.asking → starting\.spawning {2}its conditions are met/),
    );
  });

  it('whom a stop ends while they are asked', async () => {
    const world = conditionWorld({ startIf: question }, hang);
    await world.say('stop web');
    world.pass(second);
    expect(rows(world)).toContainEqual(
      expect.stringMatching(/web {2}starting\.asking → stopping\.terminating {2}SIGTERM to the command of start_if/),
    );
  });

  it('which services a forced shutdown has killed, without a loose semicolon', () => {
    const stubborn: Script = { steps: [{ do: 'hang' }], onSignal: { SIGTERM: 'ignore' }, stuck: 60_000 };
    const world = conditionWorld({ startIf: question }, stubborn);
    world.kernel.deliver('SIGTERM');
    world.pass(60 * second);
    const [halted = ''] = rows(world).filter((line) => line.includes('→ halted'));
    expect(halted).toMatch(/→ halted {2}(no process is left; )?killed: web/);
  });
});
