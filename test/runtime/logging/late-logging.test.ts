import { firstValueFrom, Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { LogRecord } from '../../../src/model/log/log-record.ts';
import { Flows } from '../../../src/runtime/logging/flows.ts';
import { type LateLoggingPorts, lateLogging } from '../../../src/runtime/logging/late-logging.ts';
import { LogSinks } from '../../../src/runtime/logging/log-sinks.ts';
import { type LoggingContext, makeLogging } from '../../../src/runtime/logging/logging.ts';
import { SimulatedKernel } from '../../../src/runtime/simulated/simulated-kernel.ts';
import { VirtualClock } from '../../../src/runtime/simulated/virtual-clock.ts';
import { loggingSpec } from '../../model/specs.ts';

const record = (message: string): LogRecord => ({
  time: 0,
  facility: 'local5',
  severity: 'warning',
  program: 'x',
  message,
});

function open(load?: LateLoggingPorts['load'], own?: LateLoggingPorts['clock']) {
  const clock = new VirtualClock();
  const kernel = new SimulatedKernel(clock, { has: () => false, script: () => undefined });
  const sinks = new LogSinks({
    kernel,
    clock,
    warningLine: (text) => `${text}\n`,
    onRefusal: () => undefined,
    onRecovery: () => undefined,
    onRotationTrouble: () => undefined,
  });
  const context: LoggingContext = {
    sinks,
    flows: new Flows(clock),
    host: 'here',
    colours: false,
    warningRecord: record,
    defer: (callback) => kernel.defer(callback),
  };
  const records$ = new Subject<LogRecord>();
  const problems: string[] = [];
  const onFailure = (problem: string): void => {
    problems.push(problem);
    failed.next(problem);
  };
  const failed = new Subject<string>();
  const logging = lateLogging({ clock: own ?? clock, onFailure, ...(load === undefined ? {} : { load }) });
  const attached = logging.attachLogging(
    records$,
    [loggingSpec({ format: 'plain', stdout: false, file: '/all' })],
    context,
  );
  const lines = (): readonly string[] => {
    clock.run();
    return (kernel.files.get('/all') ?? '').split('\n').slice(0, -1);
  };
  return { logging, attached, kernel, records$, lines, sinks, clock, problems, failed };
}

describe('late logging', () => {
  it('keeps what is said before winston is there, and says it first', async () => {
    const { logging, records$, lines } = open();
    for (let index = 0; index < 20_000; index++) records$.next(record(String(index)));
    await logging.ready();
    records$.next(record('later'));
    expect(lines()).toEqual([...Array.from({ length: 20_000 }, (_, index) => String(index)), 'later']);
  });

  it('runs each requested action in its turn', async () => {
    const { logging, records$, sinks, lines } = open();
    const file = sinks.file({ path: '/all', overwrite: false });
    const action = (text: string): void => logging.inTurn(() => file.write(`${text}\n`));
    records$.next(record('one'));
    action('two');
    records$.next(record('three'));
    await logging.ready();
    records$.next(record('four'));
    action('five');
    expect(lines()).toEqual(['one', 'two', 'three', 'four', 'five']);
  });

  it('is bounded, and counts what it does not keep', async () => {
    const { logging, records$, lines } = open();
    for (let index = 0; index < 2_000; index++) records$.next(record('x'.repeat(8_000)));
    await logging.ready();
    const kept = lines().filter((line) => line.startsWith('x')).length;
    const last = lines().at(-1);
    expect(kept).toBeLessThan(1_500);
    expect(kept).toBeGreaterThan(50);
    expect(last).toMatch(/^\d+ log records were dropped because/);
  });

  it('takes other entries in turn, also before it has begun; what was widened by hand stays so', async () => {
    const { logging, attached, kernel, records$, lines, sinks } = open();
    records$.next(record('before'));
    logging.widen('debug');
    attached.replace([loggingSpec({ format: 'plain', stdout: false, file: '/other', selector: '*.err' })]);
    records$.next({ ...record('between'), severity: 'debug' });
    await logging.ready();
    expect(lines().map((line) => line.slice(-6))).toEqual(['before']);
    attached.replace([
      loggingSpec({ format: 'plain', stdout: false, file: '/other', selector: '*.err', widenTo: 'err' }),
    ]);
    records$.next({ ...record('after'), severity: 'debug' });
    attached.flush();
    lines();
    expect(kernel.files.get('/other')?.match(/between|after/g)).toEqual(['between', 'after']);
    expect(sinks.all().map(({ name }) => name)).toEqual(['stdout', 'stderr', '/other']);
  });

  it('tells that winston cannot be loaded, tries again, and keeps what is said until then', async () => {
    const causes = ['EMFILE', 'ENOENT'];
    const { logging, records$, lines, clock, problems, failed } = open(async () => {
      const cause = causes.shift();
      if (cause !== undefined) throw new Error(cause);
      return { makeLogging };
    });
    const turn = (): Promise<void> => new Promise((done) => setImmediate(done));
    records$.next(record('early'));
    clock.run();
    await firstValueFrom(failed);
    await expect(logging.ready()).rejects.toThrow('EMFILE');
    clock.run();
    await turn();
    await expect(logging.ready()).rejects.toThrow('ENOENT');
    expect(problems).toEqual(['cannot log: EMFILE']);
    clock.run();
    await turn();
    records$.next(record('late'));
    await logging.ready();
    expect(lines()).toEqual(['early', 'late']);
  });

  it('loads winston once a pause ends in time, and after half a second of late ones', () => {
    for (const [late, expected] of [
      [[100, 100, 0], 3],
      [[100, 100, 100, 100, 100, 100], 5],
    ] as const) {
      let now = 0;
      let loads = 0;
      const timers: (() => void)[] = [];
      const clock = { now: () => now, setTimeout: (callback: () => void) => timers.push(callback) };
      const { attached } = open(() => {
        loads += 1;
        return new Promise(() => undefined);
      }, clock);
      let pauses = 0;
      for (let next = timers.shift(); next !== undefined && loads === 0; next = timers.shift()) {
        now += 10 + (late[pauses] ?? 0);
        pauses += 1;
        next();
      }
      expect([loads, pauses]).toEqual([1, expected]);
      attached.flush();
    }
  });
});
