import { describe, expect, it } from 'vitest';
import type { LoggingSpec, SystemSpec } from '../../src/model/service/service-spec.ts';
import type { SimulatedPrograms } from '../../src/runtime/simulated/simulated-kernel.ts';
import { loggingSpec } from '../model/specs.ts';
import { createWorld, simpleService, systemOf, type World } from './world.ts';

const programs: SimulatedPrograms = {
  has: () => true,
  script: () => ({ steps: [{ do: 'hang' }] }),
};

function logging(name: string, changes: Partial<LoggingSpec>): LoggingSpec {
  return loggingSpec({ name: `${name}.logging`, stdout: false, ...changes });
}

/** A system that is up, with these logging entries. */
function up(
  entries: readonly LoggingSpec[],
  changes: Partial<SystemSpec> = {},
  before?: (world: World) => void,
): World {
  const world = createWorld(systemOf([simpleService('web')], { logging: entries, ...changes }), programs);
  before?.(world);
  world.assembly.start();
  pass(world, 1_000);
  return world;
}

function pass({ clock }: World, ms: number): void {
  clock.run(clock.now() + ms);
}

/** Sends datagrams to the log socket as programs do, and lets 100 ms pass. */
function send(world: World, ...datagrams: readonly string[]): void {
  for (const datagram of datagrams) expect(world.kernel.sendLog('/dev/log', datagram)).toBe(true);
  pass(world, 100);
}

const linesOf = (text: string | undefined): readonly string[] => (text ?? '').split('\n').filter((line) => line !== '');

describe('what programs log', () => {
  it('goes to each entry whose selector takes it', () => {
    const world = up([
      logging('auth', { selector: 'auth,authpriv.*', file: '/auth' }),
      logging('err', { selector: '*.err;!mail.*', file: '/err' }),
      logging('regex', { selector: '/disk \\d+/.*', file: '/regex' }),
      logging('program', { selector: '[sshd].info', file: '/program' }),
      logging('off', { selector: '*.*', file: '/off', enabled: false }),
    ]);
    send(world, '<38>sshd[1]: in', '<34>su: no', '<19>smtp: bounced', '<11>x: Disk 7', '<15>x: disk 8', 'bare');
    const taken = (path: string): readonly string[] =>
      linesOf(world.kernel.files.get(path)).map((line) => line.replace(/^.*? simulated /, ''));
    expect(taken('/auth')).toEqual(['sshd[1]: in', 'su: no']);
    expect(taken('/err')).toEqual(['su: no', 'x: Disk 7', '??: bare']);
    expect(taken('/regex')).toEqual(['x: Disk 7', 'x: disk 8']);
    expect(taken('/program')).toEqual(['sshd[1]: in']);
    expect(world.kernel.files.has('/off')).toBe(false);
  });

  it('has the format of its entry, also where two write to one file', () => {
    const selector = 'user.*';
    const world = up([
      logging('a', { selector, file: '/one' }),
      logging('b', { selector, file: '/one', format: 'json', timestamp: 'none' }),
      logging('c', { selector, file: '/one', format: 'plain' }),
      logging('d', { selector, file: '/one', extended: true, timestamp: 'none', hostname: 'other' }),
      logging('e', { selector, syslogHost: 'far', packet: 'rfc5424', hostname: 'me' }),
      logging('f', { selector, syslogHost: 'far' }),
    ]);
    send(world, '<12>web[7]: hello');
    expect(linesOf(world.kernel.files.get('/one'))).toEqual([
      expect.stringMatching(/^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d simulated web\[7\]: hello$/),
      '{"host":"simulated","facility":"user","severity":"warning","program":"web","pid":7,"message":"hello"}',
      'hello',
      'user.warn other web[7]: hello',
    ]);
    expect(world.kernel.packets).toEqual([
      expect.stringMatching(/^<12>1 \d{4}-\S+ me web 7 - - hello$/),
      expect.stringMatching(/^<12>[A-Z][a-z]{2} .* simulated web\[7\]: hello$/),
    ]);
  });

  it('comes in order, with what services and chaperone say', () => {
    const world = up([logging('all', { file: '/all', format: 'plain' })]);
    send(world, ...Array.from({ length: 500 }, (_, index) => `<13>x: ${index}`));
    const numbers = linesOf(world.kernel.files.get('/all')).filter((line) => /^\d+$/.test(line));
    expect(numbers).toEqual(Array.from({ length: 500 }, (_, index) => String(index)));
    expect(linesOf(world.kernel.files.get('/all'))[0]).toBe('Switching all chaperone logging to /dev/log');
  });

  it('is widened by --log-level', () => {
    const world = up([logging('a', { selector: 'user.err', widenTo: 'notice', file: '/a', format: 'plain' })]);
    send(world, '<13>x: notice', '<14>x: info');
    expect(linesOf(world.kernel.files.get('/a'))).toEqual(['notice']);
  });
});

describe('the log socket', () => {
  it('is where log_socket says, until the end', () => {
    const world = up([logging('all', { file: '/all', format: 'plain' })], { logSocket: '/run/log' });
    expect(world.kernel.sendLog('/dev/log', '<13>x: nobody')).toBe(false);
    expect(world.kernel.sendLog('/run/log', '<13>x: heard')).toBe(true);
    world.assembly.endSyslog();
    expect(world.kernel.sendLog('/run/log', '<13>x: late')).toBe(false);
    pass(world, 100);
    expect(linesOf(world.kernel.files.get('/all'))).toContain('heard');
  });

  it('is not there with enable_syslog off', () => {
    const world = up([logging('all', { file: '/all' })], { enableSyslog: false });
    expect(world.kernel.sendLog('/dev/log', '<13>x: nobody')).toBe(false);
    expect(world.kernel.files.get('/all')).not.toContain('Switching');
  });

  it('is a warning where it cannot be made, and all else goes on', () => {
    const world = up([logging('all', { file: '/all', format: 'plain' })], {}, ({ kernel }) => {
      kernel.sinkFaults.set('/dev/log', 'EROFS');
    });
    expect(linesOf(world.kernel.files.get('/all'))).toContain(
      'cannot serve /dev/log (EROFS, read-only file system): what programs send to it is not logged',
    );
    expect(world.assembly.live.has(2)).toBe(true);
  });
});

describe('a sink that fails', () => {
  it('is said elsewhere, once, and the others go on', () => {
    const world = up([
      logging('a', { selector: 'user.*', file: '/broken' }),
      logging('b', { selector: '*.*', file: '/fine', format: 'plain' }),
    ]);
    world.kernel.sinkFaults.set('/broken', 'EACCES');
    send(world, '<13>x: one');
    send(world, '<13>x: two');
    world.kernel.sinkFaults.delete('/broken');
    send(world, '<13>x: three');
    const fine = linesOf(world.kernel.files.get('/fine'));
    expect(fine.filter((line) => line.startsWith('cannot write'))).toEqual([
      'cannot write log records to /broken (EACCES, permission denied); the records that are lost are counted',
    ]);
    expect(fine).toEqual(expect.arrayContaining(['one', 'two', 'three']));
    const broken = linesOf(world.kernel.files.get('/broken'));
    expect(broken[0]).toMatch(/ x: three$/);
    expect(broken[1]).toMatch(/ 2 log records were dropped because \/broken refused them \(EACCES\)$/);
  });

  it('has what it missed once its disk has room again, and the words of its own format', () => {
    const world = up([logging('a', { selector: 'user.*', file: '/full', format: 'json', timestamp: 'none' })]);
    world.kernel.sinkFaults.set('/full', 'ENOSPC');
    const line = 'x'.repeat(4_000);
    for (let index = 0; index < 500; index++) world.kernel.sendLog('/dev/log', `<13>x: ${line}`);
    pass(world, 3_000);
    world.kernel.sinkFaults.delete('/full');
    pass(world, 3_000);
    const records = linesOf(world.kernel.files.get('/full')).map((each): { message: string } => JSON.parse(each));
    const kept = records.filter(({ message }) => message === line).length;
    expect(kept).toBeGreaterThan(100);
    expect(records.at(-1)?.message).toBe(`${500 - kept} log records were dropped because /full refused them (ENOSPC)`);
  });
});
