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

describe('what another account logs', () => {
  const sender = { pid: 77, uid: 1000 };

  it('has in JSON what it says and what is known', () => {
    const world = up([logging('a', { selector: '*.*', file: '/json', format: 'json', timestamp: 'none' })]);
    for (const text of ['<13>web[77]: one', '<13>web[78]: two', '<13>web: three', '<174>chaperone[1]: four'])
      world.kernel.sendLog('/dev/log', text, sender);
    world.kernel.sendLog('/dev/log', '<174>chaperone[1]: five', { pid: 1, uid: 0 });
    pass(world, 100);
    const known = (message: string): unknown => {
      const all = linesOf(world.kernel.files.get('/json')).map((line): Record<string, unknown> => JSON.parse(line));
      const found = Object.entries(all.find((each) => each['message'] === message) ?? {});
      return Object.fromEntries(found.filter(([name]) => !['host', 'facility', 'severity'].includes(name)));
    };
    expect(known('one')).toEqual({ program: 'web', pid: 77, trust: 'known', sender, message: 'one' });
    expect(known('two')).toEqual({ program: 'web', pid: 78, trust: 'claimed', sender, message: 'two' });
    expect(known('three')).toEqual({ program: 'web', trust: 'claimed', sender, message: 'three' });
    expect(known('four')).toEqual({ program: 'chaperone?', pid: 1, trust: 'claimed', sender, message: 'four' });
    expect(known('five')).toMatchObject({ program: 'chaperone', trust: 'known' });
  });
});

describe('a flood of one account', () => {
  it('costs no line of another while a sink is stuck, and what it has lost itself is told', () => {
    const entry = { selector: 'user.*', file: '/full', format: 'json', timestamp: 'none', onError: 'drop' } as const;
    const world = up([logging('a', entry)]);
    world.kernel.sinkFaults.set('/full', 'ENOSPC');
    const [loud, quiet] = [
      { pid: 70, uid: 1000 },
      { pid: 71, uid: 1001 },
    ] as const;
    const flood = `<13>loud: ${'x'.repeat(60_000)}`;
    for (let index = 0; index < 50; index++) {
      for (let times = 0; times < 2; times++) world.kernel.sendLog('/dev/log', flood, loud);
      world.kernel.sendLog('/dev/log', `<13>quiet: ${index}`, quiet);
    }
    pass(world, 3_000);
    world.kernel.sinkFaults.delete('/full');
    pass(world, 3_000);
    const records = linesOf(world.kernel.files.get('/full')).map((each): { program: string; message: string } =>
      JSON.parse(each),
    );
    const messagesOf = (name: string) =>
      records.filter(({ program }) => program === name).map(({ message }) => message);
    expect(messagesOf('quiet')).toEqual(Array.from({ length: 50 }, (_, index) => String(index)));
    const kept = messagesOf('loud').length;
    expect(kept).toBeGreaterThanOrEqual(10);
    expect(messagesOf('chaperone')).toEqual([
      `${100 - kept} records of uid 1000 were dropped because /full did not take so many in time`,
    ]);
  });
});

describe('what is longer than max_line', () => {
  it('becomes several records, each but the first marked', () => {
    const world = up([logging('a', { selector: 'user.*', file: '/out', timestamp: 'none' })], { maxLine: 1_000 });
    send(world, `<13>web[7]: ${'x'.repeat(2_100)}`);
    expect(
      linesOf(world.kernel.files.get('/out')).map((line) => line.replace(/x+/, (text) => `${text.length}`)),
    ).toEqual(['simulated web[7]: 1000', 'simulated web[7]: [continued] 1000', 'simulated web[7]: [continued] 100']);
  });
});

describe('a sink that fails', () => {
  it('is said elsewhere, once, and the others go on', () => {
    const world = up([
      logging('a', { selector: 'user.*', file: '/broken', onError: 'drop' }),
      logging('b', { selector: '*.*', file: '/fine', format: 'plain' }),
    ]);
    world.kernel.sinkFaults.set('/broken', 'EACCES');
    send(world, '<13>x: one');
    send(world, '<13>x: two');
    world.kernel.sinkFaults.delete('/broken');
    send(world, '<13>x: three');
    const fine = linesOf(world.kernel.files.get('/fine'));
    expect(fine.filter((line) => line.startsWith('cannot write'))).toEqual([
      'cannot write log records to /broken (EACCES, permission denied); those that are lost are counted',
    ]);
    expect(fine).toEqual(expect.arrayContaining(['one', 'two', 'three']));
    const broken = linesOf(world.kernel.files.get('/broken'));
    expect(broken[0]).toMatch(/ x: three$/);
    expect(broken[1]).toMatch(/ 2 log records were dropped because \/broken refused them \(EACCES\)$/);
  });

  it('has its records go to stderr until it works again, which is said there at once', () => {
    const world = up([logging('a', { selector: 'user.*', file: '/broken', format: 'plain' })]);
    world.kernel.sinkFaults.set('/broken', 'ENOSPC');
    send(world, '<13>x: one', '<13>x: two');
    expect(linesOf(world.kernel.written.stderr)).toEqual([
      expect.stringMatching(
        / chaperone\[1\]: cannot write log records to \/broken \(ENOSPC, the disk is full\); they go to stderr until that works again$/,
      ),
      'one',
      'two',
    ]);
    pass(world, 1_000);
    world.kernel.sinkFaults.delete('/broken');
    send(world, '<13>x: three', '<13>x: four');
    expect(linesOf(world.kernel.files.get('/broken'))).toEqual(['three', 'four']);
    expect(linesOf(world.kernel.written.stderr).slice(3)).toEqual([
      expect.stringMatching(/ chaperone\[1\]: log records go to \/broken again$/),
    ]);
  });

  it("says so once where its own records, chaperone's among them, go to stderr", () => {
    const world = up([logging('a', { selector: '*.*', file: '/broken', format: 'plain' })]);
    world.kernel.sinkFaults.set('/broken', 'ENOSPC');
    send(world, '<13>x: one');
    world.kernel.sinkFaults.delete('/broken');
    pass(world, 1_000);
    send(world, '<13>x: two');
    const lines = linesOf(world.kernel.written.stderr);
    expect(lines.filter((line) => line.includes('cannot write log records'))).toEqual([
      'cannot write log records to /broken (ENOSPC, the disk is full); they go to stderr until that works again',
    ]);
    expect(lines.filter((line) => line.includes('go to /broken again'))).toHaveLength(1);
  });

  it('has what it missed once its disk has room again, and the words of its own format', () => {
    const entry = { selector: 'user.*', file: '/full', format: 'json', timestamp: 'none', onError: 'drop' } as const;
    const world = up([logging('a', entry)]);
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
