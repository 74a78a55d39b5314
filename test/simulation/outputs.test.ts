/** Services that write to each other, to entries of their own, and too much; on the simulated kernel. */

import { describe, expect, it } from 'vitest';
import type { LogRecord } from '../../src/model/log/log-record.ts';
import type { Script, Step } from '../../src/runtime/simulated/script.ts';
import { specOf } from '../config/loading.ts';
import { supervised } from './supervised.ts';
import { createWorld } from './world.ts';

const settings = 'settings: { startup_pause: 0, detect_exit: false, shutdown_timeout: 20 }\n';
const hang: Step = { do: 'hang' };
const relay = (ms: number): Script => ({ steps: [{ do: 'relay', ms }] });

/** A program that prints `count` numbered lines, each `ms` after the other. */
const counter = (name: string, count: number, ms: number): Script => ({
  steps: [
    ...Array.from({ length: count }, (_, nth): readonly Step[] => [
      { do: 'print', text: `${name} ${nth + 1}\n` },
      ...(ms === 0 ? [] : [{ do: 'wait', ms } as const]),
    ]).flat(),
    hang,
  ],
});

function running(text: string, scripts: Readonly<Record<string, Script>>) {
  const world = createWorld(specOf(`${settings}${text}`), { has: () => true, script: ([name = '']) => scripts[name] });
  const { assembly, kernel, clock } = world;
  const records: LogRecord[] = [];
  assembly.records$.subscribe((record) => records.push(record));
  const supervisor = supervised(world);
  assembly.start();
  return {
    ...world,
    supervisor,
    pass: (ms: number): void => clock.run(clock.now() + ms),
    /** What a service has written, line by line. */
    linesOf: (service: string) => records.filter((each) => each.service === service).map(({ message }) => message),
    said: () => records.filter(({ own }) => own === true).map(({ message }) => message),
    pidOf: (name: string): number => supervisor.service(name)?.pid ?? 0,
    end: (): void => {
      kernel.deliver('SIGTERM');
      clock.run(clock.now() + 60_000, () => world.output() !== undefined);
    },
  };
}

const all = (name: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, nth) => `${name} ${nth + 1}`);

const pair = `web.service: { command: web, stdout: logger.service }
logger.service: { command: logger, restart: true, restart_delay: 0.5, restart_limit: 99 }
`;

describe('a service that reads what another one writes', () => {
  it('starts before it, and gets each line once', () => {
    const world = running(pair, { web: counter('web', 50, 10), logger: relay(0) });
    world.pass(5_000);
    expect(world.kernel.spawned.map(({ request }) => request.argv[0])).toEqual(['logger', 'web']);
    expect(world.linesOf('logger.service')).toEqual(all('web', 50));
    expect(world.linesOf('web.service')).toEqual([]);
  });

  it('is taken for no daemon where it ends at the end of its input, and leaves a process behind', () => {
    const logger: Script = { steps: [{ do: 'fork', script: { steps: [hang] } }, ...relay(0).steps] };
    const world = running(pair, { web: counter('web', 3, 10), logger });
    world.pass(1_000);
    world.end();
    expect(world.linesOf('logger.service')).toEqual(all('web', 3));
    expect(world.said().filter((text) => text.includes('as a daemon does'))).toEqual([]);
  });

  it('loses nothing of it when either is restarted', () => {
    const world = running(pair, { web: counter('web', 100, 20), logger: relay(5) });
    for (let round = 0; round < 3; round += 1) {
      world.pass(400);
      world.kernel.strike(world.pidOf('logger.service'), 'SIGKILL');
    }
    world.pass(10_000);
    expect(world.linesOf('logger.service')).toEqual(all('web', 100));
    world.supervisor.restart(['web.service'], { force: false });
    world.pass(10_000);
    expect(world.linesOf('logger.service')).toEqual([...all('web', 100), ...all('web', 100)]);
    world.supervisor.restart(['logger.service'], { force: false });
    world.pass(10_000);
    expect(world.linesOf('logger.service')).toHaveLength(200);
  });

  it('keeps it waiting where it does not read, and loses nothing', () => {
    const long = 'x'.repeat(1_000);
    const world = running(pair, {
      web: counter(long, 200, 0),
      logger: {
        steps: [
          { do: 'wait', ms: 5_000 },
          { do: 'relay', ms: 1 },
        ],
      },
    });
    world.pass(3_000);
    expect(world.supervisor.service('logger.service')?.waitingInput).toBeGreaterThan(60_000);
    expect(world.supervisor.service('web.service')?.outputs).toEqual({ stdout: 'logger.service', stderr: 'log' });
    world.pass(20_000);
    expect(world.linesOf('logger.service')).toEqual(all(long, 200));
    expect(world.supervisor.service('logger.service')?.waitingInput).toBe(0);
  });

  it('takes lines of several, whole and in the order of each', () => {
    const world = running(`${pair}two.service: { command: two, stdout: logger.service, stderr: stdout }\n`, {
      web: counter('web', 60, 7),
      two: counter('two', 60, 11),
      logger: relay(1),
    });
    world.pass(5_000);
    const lines = world.linesOf('logger.service');
    expect(lines).toHaveLength(120);
    for (const name of ['web', 'two']) expect(lines.filter((line) => line.startsWith(name))).toEqual(all(name, 60));
  });

  it('ends after it, and has read everything by then', () => {
    const last: Script = {
      steps: [hang],
      onSignal: {
        SIGTERM: [
          ...all('last', 50).map((text): Step => ({ do: 'print', text: `${text}\n` })),
          { do: 'exit', code: 0 },
        ],
      },
    };
    const world = running(pair, { web: last, logger: relay(10) });
    world.pass(1_000);
    const logger = world.pidOf('logger.service');
    world.end();
    expect(world.linesOf('logger.service')).toEqual(all('last', 50));
    expect(world.output()?.exitStatus).toBe(0);
    // It has ended by itself, at the end of its input.
    expect(world.said()).toContain(`logger.service exit status for pid=${logger} is '<ProcStatus exit_status=0>'`);
    expect(world.said().some((line) => line.startsWith('using SIGTERM to terminate logger.service'))).toBe(false);
  });

  it('is signalled where it goes on at the end of its input', () => {
    const world = running(pair, { web: counter('web', 1, 0), logger: { steps: [hang] } });
    world.pass(1_000);
    world.end();
    expect(world.said()).toContain('using SIGTERM to terminate logger.service');
    expect(world.said()).toContain('logger.service has not read the last 6 bytes that were written to it');
  });

  it('has its pipe over a stop by hand, and gets its signal at once then', () => {
    const world = running(pair, { web: counter('web', 100, 50), logger: relay(0) });
    world.pass(1_000);
    world.supervisor.stop(['logger.service'], { disable: false, drain: false });
    world.pass(1_000);
    expect(world.supervisor.service('logger.service')?.state).toBe('stopped');
    expect(world.supervisor.service('web.service')?.state).toBe('ready');
    world.supervisor.start(['logger.service'], { enable: false, force: false });
    world.pass(10_000);
    expect(world.linesOf('logger.service')).toEqual(all('web', 100));
  });

  it('leaves its lines to the log while it is disabled', () => {
    const world = running(`${pair.replace('restart: true', 'enabled: false, restart: true')}`, {
      web: counter('web', 3, 1),
      logger: relay(0),
    });
    world.pass(1_000);
    expect(world.linesOf('web.service')).toEqual(all('web', 3));
  });

  it('has as failed start what cannot have a pipe', () => {
    const world = running(
      'late.service: { command: late, stdout: logger.service, enabled: false }\nlogger.service: { command: logger, enabled: false }\nother.service: { command: other }\n',
      {
        late: relay(0),
        logger: relay(0),
        other: { steps: [hang] },
      },
    );
    world.pass(1_000);
    world.kernel.exhausted = 'descriptors';
    world.supervisor.start(['logger.service'], { enable: true, force: false });
    world.pass(1_000);
    expect(world.supervisor.service('logger.service')).toMatchObject({
      state: 'failed',
      cause: expect.stringContaining('cannot make a pipe'),
    });
  });
});

describe('a logging entry that a service names', () => {
  it('alone gets its lines, and others by a selector of its own', () => {
    const world = running(
      `web.service: { command: web, stdout: audit.logging }
two.service: { command: two, stderr: both.logging, stdout: both.logging }
three.service: { command: three }
audit.logging: { file: /audit }
both.logging: { file: /both, selector: "[three].*" }
console.logging: { stdout: true, selector: "daemon.*" }
`,
      { web: counter('web', 2, 1), two: counter('two', 2, 1), three: counter('three', 2, 1) },
    );
    world.pass(1_000);
    world.end();
    const messages = (text: string): readonly string[] =>
      [...text.matchAll(/\]: (.*)$/gm)].map(([, line = '']) => line);
    expect(messages(world.kernel.files.get('/audit') ?? '')).toEqual(all('web', 2));
    expect([...messages(world.kernel.files.get('/both') ?? '')].sort()).toEqual([...all('three', 2), ...all('two', 2)]);
    expect(messages(world.kernel.written.stdout)).toEqual(all('three', 2));
  });
});

describe('log_rate', () => {
  it('drops what is too much, counts it, and says so', () => {
    const world = running('web.service: { command: web, log_rate: 10/s }\ntwo.service: { command: two }\n', {
      web: {
        steps: [
          ...counter('web', 100, 0).steps.slice(0, -1),
          { do: 'wait', ms: 30_000 },
          { do: 'print', text: 'late\n' },
          hang,
        ],
      },
      two: counter('two', 100, 0),
    });
    world.pass(2_000);
    expect(world.linesOf('web.service')).toEqual(all('web', 10));
    expect(world.linesOf('two.service')).toHaveLength(100);
    expect(world.supervisor.service('web.service')?.linesDropped).toBe(90);
    expect(world.supervisor.service('two.service')?.linesDropped).toBeUndefined();
    world.pass(10_000);
    expect(world.said()).toContain('90 lines of web.service dropped: more than its log_rate of 10/s');
    world.pass(30_000);
    expect(world.linesOf('web.service')).toEqual([...all('web', 10), 'late']);
    expect(world.said().filter((line) => line.includes('log_rate'))).toHaveLength(1);
  });

  it('says at the end what it has not said yet', () => {
    const world = running('web.service: { command: web, log_rate: 1/m }\n', { web: counter('web', 3, 1) });
    world.pass(500);
    world.end();
    expect(world.said()).toContain('2 lines of web.service dropped: more than its log_rate of 1/m');
  });
});
