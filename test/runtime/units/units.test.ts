/** Each test starts a unit, and expects what the unit tells its owner: the start, lines of output, the end. */
import { describe, expect, it } from 'vitest';
import { createActor, setup } from 'xstate';
import type { Connection } from '../../../src/model/schedule/scheduled-runs.ts';
import type { ServiceSpec } from '../../../src/model/service/service-spec.ts';
import type { SimulatedKernel } from '../../../src/runtime/simulated/simulated-kernel.ts';
import { serviceOf } from '../../config/loading.ts';
import { probeSpec } from '../../model/specs.ts';
import { detach, exit, fork, hang, hanging, machineOf, notify, print, wait, web, write } from './running-units.ts';

/** A client of port 80, and its connection at this end. */
function connected(kernel: SimulatedKernel, pass: (ms: number) => void) {
  const outcome = kernel.listen(80);
  const connections: Connection[] = [];
  if (outcome.ok) outcome.listener.connections$.subscribe((connection) => connections.push(connection));
  const client = kernel.connect(80);
  pass(1);
  const [connection] = connections;
  if (connection === undefined) throw new Error('no client');
  return { client, connection };
}

describe('a start', () => {
  it('is told with its pid, and its end with its status and its age', () => {
    const { run, pass, live, began, ended, said } = machineOf({ web: { steps: [wait(300), exit(3)] } });
    const { facts } = run(web(), { serial: 7 });
    expect(facts).toEqual([]);
    pass(1);
    expect(facts).toEqual([{ type: 'unit.spawned', serial: 7, pid: 2, at: 0 }]);
    // When its process began matters for services alone whose processes name others.
    expect(live.ownerOf(2, 99)).toBe('web.service');
    expect(live.startOf('web.service')).toBeUndefined();
    expect(began).toEqual([{ service: 'web.service', pid: 2, hook: undefined }]);
    expect(ended).toEqual([]);
    pass(1_000);
    const status = { kind: 'exited', code: 3 };
    expect(facts.slice(1)).toEqual([
      { type: 'unit.leaderExited', serial: 7, pid: 2, status, left: 0, age: 300, at: 300 },
    ]);
    expect(live.has(2)).toBe(false);
    expect(ended).toEqual([{ service: 'web.service', pid: 2, hook: undefined }]);
    expect(said).toEqual([
      "web.service attempting start 'web'...",
      "web.service exit status for pid=2 is '<ProcStatus exit_status=3>'",
    ]);
  });

  it('that fails is told with what has failed, and begins nothing', () => {
    const { run, pass, began, live } = machineOf(
      { web: hanging },
      { fault: () => ({ code: 'EACCES', stage: 'exec' }) },
    );
    const { facts } = run(web());
    pass(1);
    const error = { code: 'EACCES', stage: 'exec', program: 'web' };
    expect(facts).toEqual([{ type: 'unit.spawnFailed', serial: 1, error, at: 0 }]);
    expect(began).toEqual([]);
    expect(live.all().size).toBe(0);
  });

  it('that is cancelled on its way fails at once', () => {
    const { run, pass, clock } = machineOf({ web: hanging }, { spawnDelay: () => 5_000 });
    const { facts, ask } = run(web());
    pass(100);
    ask({ type: 'unit.cancel' });
    pass(1);
    expect(facts).toMatchObject([{ type: 'unit.spawnFailed', error: { code: 'ECANCELED' }, at: 100 }]);
    expect(clock.now()).toBe(101);
  });

  it('that is cancelled is not tried again where it fails for its directory', () => {
    const home = { uid: 33, gid: 33, groups: [33], home: '/home/web' };
    const { run, pass, kernel, clock } = machineOf(
      { web: hanging },
      {
        spawnDelay: () => 100,
        fault: ({ directory }) => (directory === undefined ? undefined : { code: 'ENOENT', stage: 'directory' }),
      },
    );
    const { facts, ask } = run(web({ account: home }));
    // Both come while chaperone is stopped, the order to cancel first.
    clock.setTimeout(() => kernel.supervisorClock.arrive(() => ask({ type: 'unit.cancel' })), 50);
    kernel.supervisorClock.stall(200);
    pass(1_000);
    expect(facts).toMatchObject([{ type: 'unit.spawnFailed', error: { code: 'ENOENT', stage: 'directory' } }]);
    expect(kernel.spawned).toEqual([]);
  });

  it('that is cancelled while its values are read fails at once', () => {
    const service = serviceOf('web.service: { command: web, env_file: /env }', {});
    const { run, pass } = machineOf({ web: hanging }, { readDelay: () => 5_000 });
    const { facts, ask } = run(service);
    pass(100);
    ask({ type: 'unit.cancel' });
    pass(1);
    expect(facts).toMatchObject([{ type: 'unit.spawnFailed', error: { code: 'ECANCELED', stage: 'values' } }]);
    pass(10_000);
    expect(facts).toHaveLength(1);
  });

  it('whose values cannot be read fails', () => {
    const service = serviceOf('web.service: { command: web, env_file: /env }', {});
    const { run, pass, kernel } = machineOf({ web: hanging }, { valueFile: () => ({ code: 'EIO' }) });
    const { facts } = run(service);
    pass(1);
    expect(facts).toMatchObject([{ type: 'unit.spawnFailed', error: { code: 'EIO', stage: 'values' } }]);
    expect(kernel.spawned).toEqual([]);
  });

  it('gets an invocation of its own, and hooks of the same start its number', () => {
    const text = 'web.service: { command: web, env_set: { N: "$(_CHAP_SERVICE_SERIAL) at $(_CHAP_SERVICE_TIME)" } }';
    const { run, pass, kernel, clock } = machineOf({ web: hanging, hook: hanging });
    const plain = serviceOf(text);
    const hooked = { ...plain, name: 'db.service', hooks: { commands: {}, afterStopTimeout: 1_000 } };
    const hook = {
      kind: 'hook',
      stage: 'before_start',
      nth: 1,
      of: 1,
      hook: { command: 'hook' },
      variables: {},
    } as const;
    const probing = { kind: 'probe' } as const;
    const begin: readonly (readonly [ServiceSpec, object])[] = [
      [plain, {}],
      [plain, { serial: 2 }],
      [hooked, { beside: hook }],
      [plain, { beside: probing }],
      [plain, { beside: { kind: 'helper', role: 'start_if', variables: {} } }],
      [hooked, {}],
      [hooked, { serial: 2, beside: hook }],
      [hooked, { serial: 2 }],
      [plain, { serial: 2 }],
    ];
    const time = Math.floor(clock.wallTime() / 1000);
    for (const [service, rest] of begin) {
      run(service, rest);
      pass(1);
    }
    const given = kernel.spawned.map(({ request }) => request.environment['N']);
    expect(given).toEqual([1, 2, 3, 3, 3, 3, 4, 4, 5].map((nth) => `${nth} at ${time}`));
    const invocations = kernel.spawned.map(({ request }) => request.environment['INVOCATION_ID']);
    expect(new Set(invocations).size).toBe(begin.length);
    expect(invocations).not.toContain(undefined);
  });

  it('has a number of its own where the service had hooks at an earlier start of the same serial', () => {
    const plain = serviceOf('web.service: { command: web, env_set: { N: "$(_CHAP_SERVICE_SERIAL)" } }');
    const { run, pass, kernel } = machineOf({ web: hanging });
    run({ ...plain, hooks: { commands: {}, afterStopTimeout: 1_000 } });
    run(plain, { serial: 2 });
    run(plain, { serial: 1 });
    pass(1);
    expect(kernel.spawned.map(({ request }) => request.environment['N'])).toEqual(['1', '2', '3']);
  });

  it.each([
    [{}, 'group 2'],
    [{ type: 'notify' }, 'tree 2'],
    [{ type: 'forking' }, 'daemon 2'],
  ] as const)('of %j is followed as what it is, until its unit ends', (changes, tree) => {
    const { run, pass, kernel } = machineOf({ web: { steps: [fork(), wait(100)] } });
    const { end } = run(web(changes));
    pass(10);
    expect(kernel.trees).toEqual([tree]);
    pass(200);
    expect(kernel.trees.slice(1)).toEqual(['started 2', 'members 2']);
    end();
    expect(kernel.trees.at(-1)).toBe('forgot 2');
  });

  it('of a service with debug tells its environment, sorted, without what is secret', () => {
    const service = web({ debug: true, environment: { B: 'b', A: 'a', API_TOKEN: 'hunter2' } });
    const { run, said } = machineOf({ web: hanging });
    run(service);
    const told = said.filter((text) => text.includes('environment:'));
    expect(told.map((text) => text.replace('web.service environment: ', ''))).toEqual([
      'A=a',
      expect.stringMatching(/^API_TOKEN=(?!hunter2)/),
      'B=b',
      'INVOCATION_ID=1',
    ]);
    const other = machineOf({ web: hanging });
    other.run(web());
    expect(other.said.filter((text) => text.includes('environment:'))).toEqual([]);
  });

  it.each([
    [{ exitKills: true }, 1],
    [{ exitKills: false }, 0],
    [{ exitKills: true, type: 'cron' }, 0],
  ] as const)('says of %j whether its end will end the system', (changes, count) => {
    const { run, said } = machineOf({ web: hanging });
    run(web(changes));
    expect(said.filter((text) => text === "system will be killed when 'web' exits")).toHaveLength(count);
  });

  it('gives its account, its limits and its directory to the kernel', () => {
    const { run, pass, kernel } = machineOf({ web: hanging });
    const account = { uid: 33, gid: 33, groups: [33], home: '/home/web' };
    const resources = { nice: 5 };
    run(web({ account, resources, killSignal: 'SIGINT', ownGroup: false, directory: '/srv' }));
    run(web());
    pass(1);
    const [given, plain] = kernel.spawned.map(({ request }) => request);
    expect(given).toMatchObject({
      argv: ['web'],
      account,
      resources,
      stopSignal: 'SIGINT',
      ownGroup: false,
      directory: '/srv',
      stdin: 'null',
      stdout: 'pipe',
      stderr: 'pipe',
    });
    expect(given).not.toHaveProperty('pipes');
    expect(plain).toMatchObject({ ownGroup: true, stopSignal: 'SIGTERM' });
    for (const key of ['account', 'resources', 'directory', 'connection', 'descriptors', 'pidVariables'])
      expect(plain).not.toHaveProperty(key);
  });

  it('of a client gets the connection, whose end is left to the process', () => {
    const { run, pass, kernel } = machineOf({ web: { steps: [print('hello\n'), wait(100)] } });
    const { client, connection } = connected(kernel, pass);
    run(web({ type: 'inetd', port: 80 }), { connection });
    expect(kernel.openConnections).toBe(1);
    pass(10);
    expect(kernel.openConnections).toBe(0);
    expect(kernel.spawned[0]?.request).toMatchObject({
      connection,
      environment: { REMOTE_ADDR: '127.0.0.1', REMOTE_PORT: '40001' },
    });
    expect(client).toEqual({ text: 'hello\n', ended: false });
    pass(200);
    expect(client?.ended).toBe(true);
  });

  it('that fails closes the connection of its client', () => {
    const { run, pass, kernel } = machineOf({}, { valueFile: () => ({ code: 'EIO' }) });
    const { client, connection } = connected(kernel, pass);
    run(web({ type: 'inetd', port: 80 }), { connection });
    pass(1);
    expect(client?.ended).toBe(true);
    expect(kernel.openConnections).toBe(0);
  });

  it('tells in the facility of its kind', () => {
    const { run, messages } = machineOf({ web: hanging });
    for (const type of ['cron', 'inetd', 'simple'] as const) run(web({ type }));
    expect(messages.map(({ facility }) => facility)).toEqual(['cron', 'daemon', undefined]);
  });

  it('whose input is a pipe that cannot be made fails', () => {
    const { run, kernel } = machineOf({ web: hanging });
    kernel.exhausted = 'memory';
    const { facts } = run(web({ stdin: 'pipe' }));
    expect(facts).toMatchObject([
      { type: 'unit.spawnFailed', error: { code: 'ENOMEM', stage: 'pipe', program: 'web' } },
    ]);
  });
});

describe('the start of a notify service', () => {
  it('gets a socket, and what it says there is heard', () => {
    const { run, pass, kernel, notified } = machineOf({ web: { steps: [notify('STATUS=up'), hang] } });
    run(web({ type: 'notify' }));
    pass(10);
    const request = kernel.spawned[0]?.request;
    expect(request?.environment['NOTIFY_SOCKET']).toBe(kernel.openSockets[0]);
    expect(request?.environment).not.toHaveProperty('WATCHDOG_USEC');
    expect(request?.environment).not.toHaveProperty('LISTEN_FDS');
    expect(request?.pidVariables).toEqual([]);
    expect(request).not.toHaveProperty('descriptors');
    expect(notified).toEqual(['up']);
  });

  it('is told its watchdog in µs', () => {
    const { run, pass, kernel } = machineOf({ web: hanging });
    run(web({ type: 'notify', watchdog: 1_500.0004 }));
    pass(1);
    expect(kernel.spawned[0]?.request).toMatchObject({
      environment: { WATCHDOG_USEC: '1500000' },
      pidVariables: ['WATCHDOG_PID'],
    });
  });

  it('gets back the descriptors that it has stored', () => {
    const store = (name: string) => ({ do: 'notify', text: `FDSTORE=1\nFDNAME=${name}`, descriptors: 1 }) as const;
    const { run, pass, kernel } = machineOf({ web: { steps: [store('one'), store('two'), wait(100)] } });
    run(web({ type: 'notify' }));
    pass(1_000);
    const stored = [...kernel.openDescriptors];
    expect(stored).toHaveLength(2);
    run(web({ type: 'notify', watchdog: 1_000 }), { serial: 2 });
    pass(1);
    expect(kernel.spawned[1]?.request).toMatchObject({
      environment: { LISTEN_FDS: '2', LISTEN_FDNAMES: 'one:two' },
      descriptors: stored,
      pidVariables: ['WATCHDOG_PID', 'LISTEN_PID'],
    });
  });

  it('fails where its socket cannot be made', () => {
    const { run, kernel, said } = machineOf({ web: hanging });
    kernel.exhausted = 'memory';
    const { facts } = run(web({ type: 'notify' }));
    expect(facts).toMatchObject([
      { type: 'unit.spawnFailed', error: { code: 'ENOMEM', stage: 'notify', program: 'web' } },
    ]);
    expect(said).toEqual([]);
  });

  it('fails where a probe wants a descriptor that a kept one has', () => {
    const store = { do: 'notify', text: 'FDSTORE=1', descriptors: 1 } as const;
    const { run, pass, kernel } = machineOf({ web: { steps: [store, wait(100)] } });
    run(web({ type: 'notify' }));
    pass(1_000);
    const { facts, ask } = run(web({ type: 'notify', ready: probeSpec({ kind: 'fd', descriptor: 3 }) }), { serial: 2 });
    expect(facts).toMatchObject([{ type: 'unit.spawnFailed', error: { code: 'EBUSY', stage: 'descriptor' } }]);
    ask({ type: 'unit.cancel' });
    pass(1);
    expect(facts).toHaveLength(1);
    expect(kernel.spawned).toHaveLength(1);
  });
});

describe('the output of a run', () => {
  it('becomes records, each with where it comes from', () => {
    const steps = [print('one\ntwo\n'), print('three\n', 'stderr'), print('rest'), wait(10)];
    const { run, pass, lines, clock } = machineOf({ web: { steps } });
    const service = web({ stderr: 'errors.logging' });
    run(service);
    pass(1_000);
    const known = { program: 'web', service: 'web.service', pid: 2 };
    expect(lines).toMatchObject([
      { stream: 'stdout', record: { ...known, message: 'one', time: clock.wallTime() - 1_000 } },
      { stream: 'stdout', record: { ...known, message: 'two' } },
      { stream: 'stderr', record: { ...known, message: 'three', entry: 'errors.logging' } },
      { stream: 'stdout', record: { ...known, message: 'rest' } },
    ]);
    expect(lines[0]?.record).not.toHaveProperty('entry');
  });

  it('of its own entry for stdout carries that name there alone', () => {
    const { run, pass, lines } = machineOf({ web: { steps: [print('one\n'), print('two\n', 'stderr')] } });
    run(web({ stdout: 'out.logging' }));
    pass(10);
    expect(lines.map(({ record }) => record.entry)).toEqual(['out.logging', undefined]);
  });

  it('is cut at the longest line', () => {
    const { run, pass, lines, uses } = machineOf({ web: { steps: [print(`${'x'.repeat(150)}\n`)] } });
    run(web());
    pass(10);
    expect(lines[0]?.record.message.length).toBeLessThanOrEqual(100);
    // The code that answers probes is not loaded for a service without probes.
    expect(uses.ofChecks).toBe(0);
  });

  it('flows until its last stream has ended', () => {
    const { run, pass, flows, open } = machineOf({ web: { steps: [wait(100)] } });
    run(web({ stderr: 'stdout' }));
    pass(10);
    expect([...open.values()]).toEqual(['stdout']);
    expect(flows.size).toBe(1);
    pass(200);
    expect(flows.size).toBe(0);
  });

  it('is open until the last process that holds it has ended', () => {
    const child = { steps: [wait(200), print('late\n')] };
    const { run, pass, open, flows, lines } = machineOf({ web: { steps: [fork(child), wait(100)] } });
    run(web());
    pass(1);
    expect([...open.values()]).toEqual(['stdout', 'stderr']);
    expect(flows.size).toBe(1);
    pass(150);
    expect(open.size).toBe(2);
    expect(flows.size).toBe(1);
    pass(200);
    expect(lines.map(({ record }) => record.message)).toEqual(['late']);
    expect(open.size).toBe(0);
    expect(flows.size).toBe(0);
  });

  it('is held back while one of the sinks has no room', () => {
    const { run, pass, flows, lines } = machineOf({ web: { steps: [wait(10), print('one\n'), hang] } });
    run(web());
    pass(1);
    for (const output of flows) output.pause();
    pass(100);
    expect(lines).toEqual([]);
    for (const output of flows) output.resume();
    expect(lines).toHaveLength(1);
  });

  it.each(['ready', 'healthy'] as const)('is what a log probe of %s looks at', (purpose) => {
    const { run, pass, checks } = machineOf({ web: { steps: [wait(10), print('listening\n'), hang] } });
    const check = { kind: 'log', pattern: '^listen' } as const;
    const service = web({ [purpose]: probeSpec(check) });
    run(service, { serial: 4 });
    const answers: unknown[] = [];
    checks.check({ service, serial: 4, check }, (answer) => answers.push(answer));
    pass(5);
    expect(answers).toEqual([]);
    pass(20);
    expect(answers).toMatchObject([{ passed: true }]);
  });

  it('on the descriptor of a probe is what that probe waits for', () => {
    const steps = [wait(10), { do: 'print', text: '\n', to: { fd: 'READY' } } as const, hang];
    const { run, pass, checks, kernel } = machineOf({ web: { steps } });
    const [named, numbered] = [
      { kind: 'fd', descriptor: 'READY' },
      { kind: 'fd', descriptor: 7 },
    ] as const;
    const service = web({ ready: { kind: 'all', of: [probeSpec(numbered), probeSpec(named)] } });
    run(service);
    const answers: string[] = [];
    checks.check({ service, serial: 1, check: named }, () => answers.push('named'));
    checks.check({ service, serial: 1, check: numbered }, () => answers.push('numbered'));
    pass(100);
    expect(kernel.spawned[0]?.request).toMatchObject({ pipes: [7, 3], environment: { READY: '3' } });
    expect(answers).toEqual(['named']);
  });

  it('on the only descriptor of its probes is read, too', () => {
    const { run, pass, checks } = machineOf({ web: { steps: [{ do: 'print', text: '\n', to: { fd: 7 } }, hang] } });
    const check = { kind: 'fd', descriptor: 7 } as const;
    const service = web({ healthy: probeSpec(check) });
    run(service);
    const answers: unknown[] = [];
    checks.check({ service, serial: 1, check }, (answer) => answers.push(answer));
    pass(10);
    expect(answers).toHaveLength(1);
  });
});

describe('the end of a leader', () => {
  it('is told with how many processes of its group live on, but not of another group', () => {
    const { run, pass } = machineOf({ web: { steps: [fork(), fork(), detach(), wait(100)] } });
    const { facts, look } = run(web());
    pass(200);
    expect(facts.at(-1)).toMatchObject({ type: 'unit.leaderExited', pid: 2, left: 2 });
    expect(look()).toEqual({ type: 'unit.seen', left: 2, fresh: false, at: 200 });
  });

  it('is told with all that a service has left which owns its remains', () => {
    const { run, pass } = machineOf({ web: { steps: [detach(), wait(100)] } });
    const { facts } = run(web({ type: 'notify' }));
    pass(200);
    expect(facts.at(-1)).toMatchObject({ left: 1 });
  });

  it('that leaves nothing is known at once where its group is all that it has', () => {
    const { run, pass, kernel, endOrphan } = machineOf({ web: { steps: [wait(100)] } });
    pass(500);
    const { facts } = run(web());
    pass(200);
    endOrphan();
    expect(facts.slice(1)).toMatchObject([{ type: 'unit.leaderExited', left: 0, age: 100 }]);
    expect(kernel.trees).toEqual(['group 2', 'started 2']);
  });

  it('has an age that is counted from its own start', () => {
    const place = {
      kind: 'hook',
      stage: 'before_start',
      nth: 1,
      of: 1,
      hook: { command: 'web' },
      variables: {},
    } as const;
    for (const beside of [{ kind: 'probe' }, place] as const) {
      const { run, pass } = machineOf({ web: { steps: [wait(100)] } });
      pass(500);
      const { facts } = run(web(), { beside });
      pass(200);
      expect(facts.at(-1)).toMatchObject({ type: 'unit.leaderExited', age: 100 });
    }
  });

  it.each([{ killMode: 'process' }, { ownGroup: false }] as const)('leaves nothing to a service with %j', (changes) => {
    const { run, pass } = machineOf({ web: { steps: [fork(), wait(100)] } });
    const { facts, look } = run(web(changes));
    pass(200);
    expect(facts.at(-1)).toMatchObject({ left: 0 });
    expect(look()).toMatchObject({ left: 0 });
  });

  it.each([
    [{}, exit(0), 'debug'],
    [{}, exit(3), 'info'],
    [{ successExit: [3] }, exit(3), 'debug'],
  ] as const)('is told by %j after %j as %s', (changes, step, severity) => {
    const { run, pass, messages } = machineOf({ web: { steps: [step] } });
    run(web(changes));
    pass(10);
    expect(messages.find(({ text }) => text.includes('exit status'))?.severity).toBe(severity);
  });

  it.each([
    [{}, exit(0), 1],
    [{ successExit: [3] }, exit(3), 1],
    [{}, exit(3), 0],
    [{ pidfile: '/run/web.pid' }, exit(0), 0],
    [{ type: 'notify' }, exit(0), 0],
  ] as const)('of %j with %j tells whether a daemon is left', (changes, step, count) => {
    const child = { steps: [fork(), hang] };
    const { run, pass, said } = machineOf({ web: { steps: [fork(child), detach(), wait(10), step] } });
    run(web(changes));
    pass(100);
    const told = said.filter((text) => text.includes('as a daemon does'));
    expect(told).toHaveLength(count);
    // The two in its group and the daemon are three.
    for (const text of told) expect(text).toContain('3 processes');
  });

  it('says nothing of a daemon where nothing is left, or where it was asked to end', () => {
    const { run, pass, said } = machineOf({ web: { steps: [wait(10)] } });
    run(web());
    pass(100);
    const asked = machineOf({ web: { steps: [fork(), hang], onSignal: { SIGTERM: [exit(0)] } } });
    const { ask } = asked.run(web());
    asked.pass(10);
    ask({ type: 'unit.send', signal: 'SIGTERM', purpose: 'stop' });
    asked.pass(10);
    expect([...said, ...asked.said].filter((text) => text.includes('as a daemon does'))).toEqual([]);
  });

  it('is told to nobody once the unit has ended, and yet noted', () => {
    const { run, pass, ended, said, live } = machineOf({ web: { steps: [wait(100)] } });
    const { facts, end } = run(web());
    pass(1);
    end();
    pass(200);
    expect(facts).toHaveLength(1);
    expect(ended).toEqual([]);
    expect(live.has(2)).toBe(false);
    expect(said.at(-1)).toContain('exit status for pid=2');
  });
});

describe('the pidfile of a service', () => {
  const path = '/run/web.pid';
  const service = web({ type: 'forking', pidfile: path });

  it('names its leader at its end where it was written since the start', () => {
    const { run, pass } = machineOf({ web: { steps: [write(path, '$$'), wait(100), exit(1)] } });
    const { facts } = run(web({ pidfile: path }));
    pass(200);
    expect(facts.at(-1)).toMatchObject({ type: 'unit.leaderExited', named: true });
    const other = machineOf({ web: { steps: [wait(100), exit(1)] } });
    other.kernel.writeFile(path, '2');
    const old = other.run(web({ pidfile: path }));
    other.pass(200);
    expect(old.facts.at(-1)).not.toHaveProperty('named');
  });

  it.each([
    ['goes where its start has failed and nothing is left', [write(path, '$$'), wait(10), exit(1)], undefined],
    ['goes then, too, where it names another process', [write(path, '77'), wait(10), exit(1)], undefined],
    ['stays where its start has ended normally', [write(path, '$$'), wait(10)], '2'],
    ['stays where something is left', [write(path, '$$'), fork(), wait(10), exit(1)], '2'],
  ] as const)('%s', (_, steps, left) => {
    const { run, pass, kernel } = machineOf({ web: { steps } });
    run(service);
    pass(100);
    expect(kernel.readFile(path)).toBe(left);
  });

  it('goes with the daemon that it names, and stays where another one is named by then', () => {
    for (const text of ['$$', '77']) {
      const daemon = { steps: [write(path, text), wait(100)] };
      const { run, pass, kernel } = machineOf({ web: { steps: [detach(daemon), fork(), wait(10)] } });
      const { ask, facts } = run(service);
      pass(50);
      ask({ type: 'unit.lead', pid: 3 });
      pass(500);
      expect(facts.at(-1)).toMatchObject({ type: 'unit.leaderExited', pid: 3, left: 1 });
      expect(kernel.readFile(path)).toBe(text === '77' ? '77' : undefined);
    }
  });

  it('goes at the look that finds nothing left of a service that was asked to end', () => {
    const child = { steps: [wait(300)], onSignal: { SIGTERM: 'ignore' } } as const;
    const steps = [write(path, '$$'), fork(child), hang];
    for (const asked of [true, false]) {
      const { run, pass, kernel } = machineOf({ web: { steps } });
      const { ask, look } = run(service);
      pass(10);
      if (asked) ask({ type: 'unit.send', signal: 'SIGTERM', purpose: 'stop' });
      else kernel.strike(2, 'SIGTERM');
      pass(10);
      expect(look()).toMatchObject({ left: 1 });
      expect(kernel.readFile(path)).toBe('2');
      pass(500);
      expect(look()).toMatchObject({ left: 0 });
      expect(kernel.readFile(path)).toBe(asked ? undefined : '2');
    }
  });

  it('may name a daemon that has ended before a slow start was known', () => {
    const daemon = { steps: [write(path, '$$'), wait(1), exit(3)] };
    const { run, pass, pidfiles } = machineOf({ web: { steps: [detach(daemon)] } }, { spawnDelay: () => 200 });
    run(service);
    pass(210);
    const told: unknown[] = [];
    const waiting = setup({ actors: { pidfile: pidfiles.logic() } }).createMachine({
      invoke: { src: 'pidfile', input: { service, serial: 1 } },
      on: { '*': { actions: ({ event }) => told.push(event) } },
    });
    createActor(waiting).start();
    pass(10);
    expect(told).toMatchObject([{ type: 'pidfile.found', pid: 3, ended: { status: { code: 3 } } }]);
  });

  it('stays at a look while its leader lives', () => {
    const stubborn = { steps: [write(path, '$$'), hang], onSignal: { SIGTERM: 'ignore' } } as const;
    const { run, pass, kernel } = machineOf({ web: stubborn });
    const { ask, look } = run(service);
    pass(10);
    ask({ type: 'unit.send', signal: 'SIGTERM', purpose: 'stop' });
    expect(look()).toMatchObject({ left: 0 });
    expect(kernel.readFile(path)).toBe('2');
  });
});

describe('another leader', () => {
  it('takes the place of the process of the start, whose end is noted alone', () => {
    const { run, pass, said, live, facts, ended } = following([fork(), wait(100)]);
    run.ask({ type: 'unit.lead', pid: 3 });
    expect(said.at(-1)).toBe('web.service changing PID to 3 (from 2)');
    expect(live.ownerOf(3)).toBe('web.service');
    expect(live.ownerOf(3, 1)).toBeUndefined();
    pass(200);
    expect(facts.filter(({ type }) => type === 'unit.leaderExited')).toEqual([]);
    expect(ended).toEqual([]);
    expect(said.at(-1)).toContain('exit status for pid=2');
    expect(live.has(2)).toBe(false);
  });

  it('is followed once, however often it is named', () => {
    const { run, said } = following([fork(), hang]);
    run.ask({ type: 'unit.lead', pid: 3 });
    run.ask({ type: 'unit.lead', pid: 3 });
    run.ask({ type: 'unit.lead', pid: 2 });
    expect(said.filter((text) => text.includes('changing PID'))).toEqual([
      'web.service changing PID to 3 (from 2)',
      'web.service changing PID to 2 (from 3)',
    ]);
  });

  it('is told of as the one after the start where that has ended', () => {
    const { run, pass, said } = following([detach(), wait(20)]);
    pass(100);
    run.ask({ type: 'unit.lead', pid: 3 });
    expect(said.at(-1)).toBe('web.service changing PID to 3 (from 2)');
  });

  it('has an end that is told, with its status', () => {
    const { run, pass, facts, said, ended } = following([detach({ steps: [wait(300), exit(4)] }), wait(100)]);
    run.ask({ type: 'unit.lead', pid: 3 });
    pass(1_000);
    const status = { kind: 'exited', code: 4 };
    expect(facts.at(-1)).toEqual({
      type: 'unit.leaderExited',
      serial: 1,
      pid: 3,
      status,
      left: 0,
      age: 300,
      at: 300,
    });
    expect(said.filter((text) => text.includes('explicit return code'))).toEqual([
      "web.service got explicit return code '<ProcStatus exit_status=4>'",
    ]);
    expect(ended).toEqual([{ service: 'web.service', pid: 3, hook: undefined }]);
  });

  it('that somebody else reaps ends with the status of the kernel', () => {
    const { run, pass, facts } = following([detach({ steps: [wait(50), exit(4)] }), hang]);
    run.ask({ type: 'unit.lead', pid: 3 });
    pass(1_000);
    expect(facts.at(-1)).toMatchObject({ pid: 3, status: { kind: 'exited', code: 4 }, at: 50 });
  });

  it('ends with its EXIT_STATUS where the kernel does not tell', () => {
    const tells = { steps: [wait(20), notify('EXIT_STATUS=9'), wait(50), exit(4)] };
    for (const [daemon, status] of [
      [tells, { kind: 'exited', code: 9 }],
      [{ steps: [wait(50), exit(4)] }, { kind: 'unknown' }],
    ] as const) {
      const { run, pass, facts } = following([detach(daemon), hang], { tellsStatus: false });
      run.ask({ type: 'unit.lead', pid: 3 });
      pass(1_000);
      expect(facts.at(-1)).toMatchObject({ pid: 3, status });
    }
  });

  it('is the process that speaks for a service under notify_access main', () => {
    const child = { steps: [wait(50), notify('STATUS=child'), hang] };
    const { run, pass, notified } = following([fork(child), wait(80), notify('STATUS=start'), hang], {}, 'main');
    run.ask({ type: 'unit.lead', pid: 3 });
    pass(200);
    expect(notified).toEqual(['child']);
  });

  it('may be a daemon that speaks for its service once its start has ended', () => {
    const daemon = { steps: [wait(50), notify('ERRNO=5'), hang] };
    const { pass, errors } = following([detach(daemon), wait(20)]);
    pass(100);
    expect(errors).toEqual([5]);
    const early = following([detach(daemon), wait(80)]);
    early.pass(60);
    expect(early.errors).toEqual([]);
  });

  /** A notify service that has begun and forked. */
  function following(
    steps: Parameters<typeof machineOf>[0][string]['steps'],
    more: Parameters<typeof machineOf>[1] = {},
    notifyAccess: 'all' | 'main' = 'all',
  ) {
    const machine = machineOf({ web: { steps } }, more);
    const run = machine.run(web({ type: 'notify', notifyAccess }));
    machine.pass(1);
    return { ...machine, run, facts: run.facts };
  }
});

describe('a run that is taken over', () => {
  it('is not started again, and its end is told', () => {
    const { run, pass, kernel, live, began, said } = machineOf({ web: { steps: [fork(), wait(300)] } });
    const first = run(web());
    pass(100);
    first.end();
    const second = run(web(), { serial: 1, resumes: { pid: 2, asked: false } });
    pass(1);
    expect(kernel.spawned).toHaveLength(1);
    expect(began).toHaveLength(1);
    expect(second.facts).toEqual([]);
    expect(live.ownerOf(2, 1)).toBe('web.service');
    expect(live.ownerOf(2, 99)).toBeUndefined();
    pass(500);
    expect(second.facts).toMatchObject([{ type: 'unit.leaderExited', pid: 2, left: 1 }]);
    expect(said.filter((text) => text.includes('explicit return code'))).toEqual([]);
  });

  it.each([{ killMode: 'process' }, { ownGroup: false }] as const)('leaves its group alone with %j', (changes) => {
    const { run, pass } = machineOf({ web: { steps: [fork(), wait(300)] } });
    const first = run(web(changes));
    pass(1);
    first.end();
    const { facts } = run(web(changes), { resumes: { pid: 2, asked: false } });
    pass(500);
    expect(facts).toMatchObject([{ left: 0 }]);
  });

  it('that has ended has nothing left, and is asked for nothing more', () => {
    const { run, pass, live, kernel } = machineOf({ web: hanging });
    const { facts, look } = run(web(), { resumes: { pid: 0, asked: true } });
    pass(100);
    expect(facts).toEqual([]);
    expect(look()).toMatchObject({ type: 'unit.seen', left: 0 });
    expect(live.all().size).toBe(0);
    expect(kernel.spawned).toEqual([]);
  });

  it('that has ended may get another leader', () => {
    const { run, pass, said, units, view } = machineOf({ web: { steps: [detach(), wait(10)] } });
    const first = run(web({ type: 'notify' }));
    pass(100);
    first.end();
    const { ask } = run(web({ type: 'notify' }), { resumes: { pid: 0, asked: false } });
    ask({ type: 'unit.lead', pid: 3 });
    expect(said.at(-1)).toBe('web.service changing PID to 3 (from 0)');
    expect(units.ownerOf(view(3))).toBe('web.service');
  });

  it.each([true, false])('keeps in mind whether it was asked to end: %s', (asked) => {
    const path = '/run/web.pid';
    const { run, kernel } = machineOf({ web: hanging });
    kernel.writeFile(path, '99');
    const { look } = run(web({ pidfile: path }), { resumes: { pid: 0, asked } });
    look();
    expect(kernel.readFile(path)).toBe(asked ? undefined : '99');
  });
});

describe('the end of the input', () => {
  it('lets a consumer end, and tells what it has not read', () => {
    const { run, pass, said, channels } = machineOf({ web: { steps: [{ do: 'relay', ms: 100 }] } });
    const { ask, facts } = run(web({ stdin: 'pipe' }));
    pass(10);
    expect(channels.waiting('web.service')).toBe(0);
    ask({ type: 'unit.finish' });
    expect(said.at(-1)).toBe('web.service finds the end of its input, and gets SIGTERM if it goes on');
    expect(channels.waiting('web.service')).toBeUndefined();
    pass(10);
    expect(facts.at(-1)).toMatchObject({ type: 'unit.leaderExited', status: { kind: 'exited', code: 0 } });
  });

  it.each(['before', 'after'] as const)('tells what is left unread by a consumer that has ended %s it', (when) => {
    const machine = machineOf({ web: { steps: [wait(100)] }, app: { steps: [print('hello\n'), hang] } });
    const { run, pass, said, consumers } = machine;
    const consumer = web({ stdin: 'pipe' });
    consumers.set(consumer.name, consumer);
    const { ask } = run(consumer);
    run(web({ name: 'app.service', argv: ['app'], stdout: 'web.service' }));
    pass(when === 'before' ? 200 : 50);
    ask({ type: 'unit.finish' });
    expect(said.filter((text) => text.includes('has not read'))).toHaveLength(when === 'before' ? 1 : 0);
    pass(200);
    expect(said.filter((text) => text.includes('has not read'))).toEqual([
      'web.service has not read the last 6 bytes that were written to it',
    ]);
  });

  it('is an order to end, so that what is left is no daemon', () => {
    const { run, pass, said } = machineOf({ web: { steps: [fork(), { do: 'relay', ms: 1 }] } });
    const { ask } = run(web({ stdin: 'pipe' }));
    pass(10);
    ask({ type: 'unit.finish' });
    pass(10);
    expect(said.filter((text) => text.includes('as a daemon does'))).toEqual([]);
  });
});
