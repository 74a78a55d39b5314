/** Hooks, helpers and the commands of probes: what runs beside the command of a service. */
import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { type Beside, besideSpec } from '../../../src/model/service/beside.ts';
import type { Hook } from '../../../src/model/service/hook.ts';
import type { ServiceSpec } from '../../../src/model/service/service-spec.ts';
import type { Script, Step } from '../../../src/runtime/simulated/script.ts';
import type { SimulatedPrograms } from '../../../src/runtime/simulated/simulated-kernel.ts';
import { serviceOf } from '../../config/loading.ts';
import { detach, exit, fork, hang, hanging, machineOf, notify, print, stubborn, wait, web } from './running-units.ts';

const place = { stage: 'before_start', nth: 1, of: 2 } as const;
const stop = { type: 'unit.send', signal: 'SIGKILL', purpose: 'stop' } as const;

describe('a hook', () => {
  /** A hook whose command does that. */
  function hooking(steps: readonly Step[], { hook = {}, service = web(), more = {}, script = {} }: Setting = {}) {
    const machine = machineOf({ hook: { steps, ...script } }, more);
    const beside: Beside = { kind: 'hook', ...place, hook: { command: 'hook', ...hook }, variables: { MAINPID: '9' } };
    return { ...machine, ...machine.run(service, { beside, serial: 5 }) };
  }
  interface Setting {
    readonly hook?: Partial<Hook>;
    readonly service?: ServiceSpec;
    readonly more?: Partial<SimulatedPrograms>;
    readonly script?: Partial<Script>;
  }

  it('is told with its start and its end, which are those of a hook', () => {
    const { facts, said, began, ended, pass, live, kernel } = hooking([wait(100)]);
    pass(1);
    expect(kernel.trees).toEqual(['tree 2']);
    expect(facts).toEqual([{ type: 'unit.spawned', serial: 5, pid: 2, at: 0 }]);
    expect(began).toMatchObject([{ service: 'web.service', pid: 2, hook: place }]);
    expect(live.ownerOf(2)).toBe('web.service');
    pass(1_000);
    const status = { kind: 'exited', code: 0 };
    expect(facts.slice(1)).toEqual([
      { type: 'unit.leaderExited', serial: 5, pid: 2, status, left: 0, age: 100, at: 100 },
    ]);
    expect(ended).toMatchObject([{ service: 'web.service', pid: 2, hook: place }]);
    expect(live.has(2)).toBe(false);
    expect(said).toEqual([
      "web.service running before_start 1 of 2 'hook'",
      "web.service exit status for pid=2 is '<ProcStatus exit_status=0>'",
    ]);
  });

  it('that fails is told of, unless it was asked to end', () => {
    const failing = hooking([exit(3)]);
    failing.pass(10);
    expect(failing.said.at(-1)).toBe('web.service before_start 1 of 2 failed: exit 3');
    const asked = hooking([hang]);
    asked.pass(10);
    asked.ask(stop);
    asked.pass(10);
    expect(asked.facts.at(-1)).toMatchObject({ type: 'unit.leaderExited', status: { signal: 'SIGKILL' } });
    expect(asked.said.filter((text) => text.includes('failed'))).toEqual([]);
  });

  it('that leaves processes behind, daemons too, is told of, and they are the service’s', () => {
    const { facts, said, pass, ask, signals, units, view, look } = hooking([fork(), detach(), wait(10)]);
    pass(5);
    expect(units.ownerOf(view(4))).toBe('web.service');
    pass(95);
    expect(facts.at(-1)).toMatchObject({ left: 2 });
    expect(said.at(-1)).toContain('web.service before_start 1 of 2 has left 2 processes behind');
    ask(stop);
    expect(signals()).toEqual(['SIGKILL process 3', 'SIGKILL process 4']);
    expect(look()).toMatchObject({ type: 'unit.seen', left: 0 });
  });

  it('that leaves processes behind when it was asked to end is not told of', () => {
    const { pass, ask, said, facts } = hooking([detach(), hang], {});
    pass(10);
    ask({ ...stop, signal: 'SIGTERM' });
    pass(10);
    expect(facts.at(-1)).toMatchObject({ type: 'unit.leaderExited', left: 0 });
    const other = hooking([detach(stubborn), hang]);
    other.pass(10);
    other.ask({ ...stop, signal: 'SIGTERM' });
    other.pass(10);
    expect(other.facts.at(-1)).toMatchObject({ left: 1 });
    expect([...said, ...other.said].filter((text) => text.includes('behind'))).toEqual([]);
  });

  it('is looked at again when what it has left has ended', () => {
    const { pass, facts } = hooking([fork({ steps: [wait(200)] }), wait(10)]);
    pass(1_000);
    expect(facts.at(-1)).toEqual({ type: 'unit.seen', left: 0, fresh: false, at: 220 });
  });

  it('has no look after it where nothing is left', () => {
    const { pass, facts, endOrphan, kernel } = hooking([wait(10)]);
    pass(100);
    endOrphan();
    expect(facts).toHaveLength(2);
    expect(kernel.trees).toEqual(['tree 2', 'started 2', 'members 2']);
  });

  it('does not pass its signals on to a process that has got its number', () => {
    const setting = { more: { reusesPids: true, script: ([program]: readonly string[]) => scripts[program ?? ''] } };
    const scripts: Readonly<Record<string, Script>> = { hook: { steps: [detach(stubborn), wait(10)] }, web: hanging };
    const { pass, run, ask, kernel, signals } = hooking([], setting);
    pass(100);
    const service = web();
    run(service);
    pass(10);
    expect(kernel.spawned.map(({ pid }) => pid)).toEqual([2, 2]);
    ask({ ...stop, signal: 'SIGTERM' });
    expect(signals()).toEqual(['SIGTERM process 3', 'SIGCONT process 3']);
  });

  it.each([
    'mixed',
    'process',
    'group',
  ] as const)('is ended with its group and its daemons under kill_mode %s', (killMode) => {
    const { pass, ask, signals } = hooking([detach(), fork(), hang], { service: web({ killMode, ownGroup: false }) });
    pass(10);
    ask({ ...stop, signal: 'SIGTERM' });
    expect(signals()).toEqual(['SIGTERM group 2', 'SIGCONT group 2', 'SIGTERM process 3', 'SIGCONT process 3']);
  });

  it('is noted, and told to nobody, once its unit has ended', () => {
    const { pass, facts, ended, end, said, live } = hooking([fork(), wait(100), exit(1)]);
    pass(10);
    end();
    pass(200);
    expect(facts).toHaveLength(1);
    expect(ended).toHaveLength(1);
    expect(live.has(2)).toBe(false);
    expect(said.at(-1)).toContain('exit status for pid=2');
  });

  it('keeps nothing of a service that has no unit any more', () => {
    const { pass, end, units, view, kernel } = hooking([detach(), hang]);
    pass(10);
    expect(units.ownerOf(view(3))).toBe('web.service');
    end();
    expect(units.ownerOf(view(3))).toBeUndefined();
    kernel.remembered.set(3, '1');
    expect(units.ownerOf(view(3))).toBeUndefined();
  });

  it('has its output logged as the service’s', () => {
    const { pass, lines } = hooking([print('done\n')]);
    pass(10);
    expect(lines).toMatchObject([{ stream: 'stdout', record: { service: 'web.service', message: 'done' } }]);
  });

  it('names variables in its words, its own of the moment and chaperone’s too, and no secrets', () => {
    const text = 'web.service: { command: web, env_set: { A: a }, env_file: /env }';
    const own = { commands: {}, own: { _CHAP_SERVICE: 'web.service' }, afterStopTimeout: 1_000 };
    const { pass, kernel, said } = hooking([], {
      hook: {
        command: 'hook $(A) $(MAINPID) $(_CHAP_SERVICE) $(_CHAP_SERVICE_SERIAL) $(INVOCATION_ID) $(SECRET:-none)',
      },
      service: { ...serviceOf(text), hooks: own },
      more: { valueFile: () => 'SECRET=x\n' },
    });
    pass(10);
    expect(kernel.spawned[0]?.request.argv).toEqual(['hook', 'a', '9', 'web.service', '1', '1', 'none']);
    expect(kernel.spawned[0]?.request.environment).toMatchObject({ A: 'a', MAINPID: '9', SECRET: 'x' });
    expect(said[0]).toContain("running before_start 1 of 2 'hook a 9 web.service 1 1 none'");
  });

  it('names the time of its start', () => {
    const { pass, kernel, clock } = hooking([], { hook: { command: 'hook $(_CHAP_SERVICE_TIME)' } });
    const time = String(Math.floor(clock.wallTime() / 1000));
    pass(10);
    expect(kernel.spawned[0]?.request.argv).toEqual(['hook', time]);
  });

  it('runs as the service does, and gets SIGTERM', () => {
    const account = { uid: 33, gid: 33, groups: [33], home: '/home/web' };
    const resources = { nice: 5 };
    for (const asChaperone of [true, false]) {
      const service = web({ account, resources, killSignal: 'SIGINT', stdin: 'inherit', debug: true });
      const { pass, kernel, said } = hooking([], { hook: asChaperone ? { asChaperone } : {}, service });
      pass(10);
      const request = kernel.spawned[0]?.request;
      expect(request).toMatchObject({ stdin: 'null', ownGroup: true, stopSignal: 'SIGTERM' });
      expect(request?.account).toEqual(asChaperone ? undefined : account);
      expect(request?.resources).toEqual(asChaperone ? undefined : resources);
      expect(said.filter((text) => text.includes('environment:'))).toEqual([]);
    }
  });

  it('of a service without an account has none', () => {
    const { pass, kernel } = hooking([]);
    pass(10);
    expect(kernel.spawned[0]?.request).not.toHaveProperty('account');
    expect(kernel.spawned[0]?.request).not.toHaveProperty('resources');
  });

  it.each([
    [
      'whose words cannot be made',
      { hook: { command: 'hook "' } },
      { code: 'EINVAL', stage: 'words', program: 'hook "' },
    ],
    [
      'whose program does not start',
      { more: { fault: () => ({ code: 'EACCES', stage: 'exec' as const }) } },
      { code: 'EACCES' },
    ],
    [
      'whose values cannot be read',
      { service: serviceOf('web.service: { command: web, env_file: /env }') },
      { code: 'ENOENT' },
    ],
  ] as const)('%s has failed', (_, setting, error) => {
    const { pass, facts, said, began, kernel } = hooking([], setting);
    pass(10);
    expect(facts).toMatchObject([{ type: 'unit.spawnFailed', error }]);
    expect(said.at(-1)).toMatch(/^web\.service before_start 1 of 2 failed: ./);
    expect(said.at(-1)).not.toContain('exit');
    expect(began).toEqual([]);
    expect(kernel.spawned).toEqual([]);
  });

  it('tells which words cannot be made', () => {
    const { said, facts } = hooking([], { hook: { command: 'hook "' } });
    expect(said.at(-1)).toContain('a quote in it is never closed');
    expect(facts).toMatchObject([{ error: { detail: 'a quote in it is never closed' } }]);
  });

  it('whose output cannot be taken has failed', () => {
    const { run, kernel, consumers } = machineOf({ hook: hanging });
    consumers.set('log.service', web({ name: 'log.service', stdin: 'pipe' }));
    kernel.exhausted = 'memory';
    const beside = { kind: 'hook', ...place, hook: { command: 'hook' }, variables: {} } as const;
    const { facts } = run(web({ stdout: 'log.service' }), { beside });
    expect(facts).toMatchObject([
      { type: 'unit.spawnFailed', error: { code: 'ENOMEM', stage: 'pipe', program: 'hook' } },
    ]);
  });

  it.each([
    [
      'while its values are read',
      { service: serviceOf('web.service: { command: web, env_file: /env }'), more: { readDelay: () => 5_000 } },
    ],
    ['while its program starts', { more: { spawnDelay: () => 5_000 } }],
  ] as const)('that is cancelled %s fails at once', (_, setting) => {
    const { pass, ask, facts } = hooking([hang], setting);
    pass(100);
    ask({ type: 'unit.cancel' });
    pass(1);
    expect(facts).toMatchObject([{ type: 'unit.spawnFailed', error: { code: 'ECANCELED' } }]);
  });
});

describe('a helper of a service', () => {
  const helping = (steps: readonly Step[], service: ServiceSpec = web({ type: 'notify' })) => {
    const machine = machineOf({ web: { steps: [wait(5), notify('STATUS=web'), hang] }, help: { steps } });
    const main = machine.run(service);
    machine.pass(1);
    machine.news();
    const beside = { kind: 'helper', role: 'reload_command', variables: { MAINPID: '2' } } as const;
    const helper = machine.run(besideSpec(service, { command: 'help', argv: ['help'] }), { beside, serial: 1 });
    return { ...machine, main, ...helper };
  };

  it('is told with its end, and is no start and no end of its service', () => {
    const { pass, facts, began, ended, said, kernel } = helping([print('ok\n'), wait(100), exit(3)]);
    pass(1_000);
    expect(said.filter((text) => text.includes('running'))).toEqual(["web.service running reload_command 'help'..."]);
    expect(said.filter((text) => text.includes('attempting start'))).toEqual([]);
    expect(facts).toMatchObject([
      { type: 'unit.spawned', pid: 3 },
      { type: 'unit.leaderExited', pid: 3, status: { code: 3 }, left: 0 },
    ]);
    expect(began.map(({ pid }) => pid)).toEqual([2]);
    expect(ended).toEqual([]);
    expect(kernel.spawned[1]?.request.environment).toMatchObject({ MAINPID: '2' });
    expect(kernel.spawned[0]?.request.environment).not.toHaveProperty('MAINPID');
  });

  it('leaves the main process of its service as it is for its notifications', () => {
    const { pass, notified } = helping([wait(1)], web({ type: 'notify', notifyAccess: 'main' }));
    pass(100);
    expect(notified).toEqual(['web']);
  });

  it('leaves the pidfile of its service, and the time of its start, alone', () => {
    const { pass, look, ask, kernel, live } = helping([wait(10)]);
    const began = live.startOf('web.service');
    expect(began).toBeDefined();
    kernel.writeFile('/run/web.pid', '2');
    ask(stop);
    pass(100);
    look();
    expect(kernel.readFile('/run/web.pid')).toBe('2');
    expect(live.startOf('web.service')).toBe(began);
  });
});

describe('the command of a probe', () => {
  const probing = (steps: readonly Step[], more: Partial<SimulatedPrograms> = {}, script: Partial<Script> = {}) => {
    const machine = machineOf({ probe: { steps, ...script } }, more);
    const spec = besideSpec(web(), { command: 'probe', argv: ['probe'] });
    return { ...machine, ...machine.run(spec, { beside: { kind: 'probe' }, serial: 3 }) };
  };

  it('is told with its end and what it has said, and nothing of it is logged', () => {
    const { pass, facts, said, lines, began, ended, live } = probing([
      print('one\n'),
      wait(100),
      print('two'),
      exit(2),
    ]);
    pass(10);
    expect(live.ownerOf(2)).toBe('web.service');
    pass(1_000);
    const status = { kind: 'exited', code: 2 };
    expect(facts).toEqual([
      { type: 'unit.spawned', serial: 3, pid: 2, at: 0 },
      { type: 'unit.leaderExited', serial: 3, pid: 2, status, left: 0, age: 100, said: 'one\ntwo', at: 100 },
    ]);
    expect([said, lines, began, ended]).toEqual([[], [], [], []]);
    expect(live.has(2)).toBe(false);
  });

  it('that says nothing has said nothing, and of one that says much the end is kept', () => {
    const silent = probing([]);
    silent.pass(10);
    expect(silent.facts.at(-1)).not.toHaveProperty('said');
    const loud = probing([print('a'.repeat(4_000)), print('b'.repeat(4_000))]);
    loud.pass(10);
    expect(loud.facts.at(-1)).toMatchObject({ said: `${'a'.repeat(96)}${'b'.repeat(4_000)}` });
  });

  it('is told with what it leaves in its group', () => {
    const { pass, facts, ask, signals, said } = probing([fork({ steps: [wait(500)] }), detach(), wait(10)]);
    pass(100);
    expect(facts.at(-1)).toMatchObject({ type: 'unit.leaderExited', left: 1 });
    ask(stop);
    expect(signals()).toEqual(['SIGKILL process 3']);
    expect(said.at(-1)).toBe('sending SIGKILL to the command of a probe of web.service, pid 3');
    expect(facts.at(-1)).toMatchObject({ type: 'unit.seen', left: 0 });
  });

  it('is looked at again when what it has left has ended', () => {
    const { pass, facts } = probing([fork({ steps: [wait(200)] }), wait(10)]);
    pass(1_000);
    expect(facts.at(-1)).toEqual({ type: 'unit.seen', left: 0, fresh: false, at: 220 });
    const none = probing([wait(10)]);
    none.pass(1_000);
    none.endOrphan();
    expect(none.facts).toHaveLength(2);
    // The kernel has told that nothing is left of the group.
    expect(none.kernel.trees).toEqual(['group 2', 'started 2']);
  });

  it('is killed with its group where it has ended and chaperone does not know that yet', () => {
    const { pass, ask, kernel, signals } = probing([fork(stubborn), hang], { deliveryDelay: () => 50 });
    pass(10);
    kernel.strike(2, 'SIGKILL');
    ask(stop);
    expect(signals()).toEqual(['SIGKILL group 2']);
  });

  it('leaves nothing to a unit that has ended', () => {
    const stuck: Script = { steps: [hang], stuck: 1_000 };
    const { pass, end, units, view } = probing([fork(stuck), hang]);
    pass(10);
    end();
    pass(10);
    expect(units.ownerOf(view(3))).toBeUndefined();
  });

  it('may say a letter in two pieces', () => {
    const { kernel, run, pass } = machineOf({ probe: { steps: [wait(10)] } });
    const stdout$ = new Subject<Uint8Array>();
    kernel.stdout$ = stdout$;
    const { facts } = run(besideSpec(web(), { command: 'probe', argv: ['probe'] }), { beside: { kind: 'probe' } });
    pass(1);
    for (const byte of Buffer.from('é')) stdout$.next(Uint8Array.of(byte));
    pass(100);
    expect(facts.at(-1)).toMatchObject({ said: 'é' });
  });

  it('is killed with its group when its unit ends', () => {
    const { pass, end, kernel, facts, signals, live } = probing([fork(stubborn), hang], {}, stubborn);
    pass(10);
    end();
    expect(signals()).toEqual(['SIGKILL group 2']);
    pass(10);
    expect(kernel.livePids).toEqual([]);
    expect(facts).toHaveLength(1);
    expect(live.has(2)).toBe(false);
  });

  it('has what it has left killed when its unit ends', () => {
    const { pass, end, signals } = probing([fork(), fork(), wait(10)]);
    pass(100);
    end();
    expect(signals()).toEqual(['SIGKILL process 3', 'SIGKILL process 4']);
  });

  it('that is on its way does not start when its unit ends', () => {
    const { pass, end, kernel, signals } = probing([hang], { spawnDelay: () => 1_000 });
    pass(100);
    end();
    pass(2_000);
    expect(kernel.spawned).toEqual([]);
    expect(signals()).toEqual([]);
  });

  it('that has started is killed where its unit has ended before it hears of that', () => {
    const { pass, end, kernel, signals, live, clock, facts } = probing([hang], { spawnDelay: () => 100 });
    // Both come while chaperone is stopped, the end of the unit first.
    clock.setTimeout(() => kernel.supervisorClock.arrive(end), 50);
    kernel.supervisorClock.stall(200);
    pass(250);
    expect(kernel.spawned).toHaveLength(1);
    expect(signals()).toEqual(['SIGKILL group 2']);
    pass(10);
    expect(kernel.livePids).toEqual([]);
    expect(live.all().size).toBe(0);
    expect(facts).toEqual([]);
  });

  it('leaves what was there before a start of its service alone', () => {
    const path = '/run/web.pid';
    const { run, pass, kernel, pidfiles } = machineOf({ web: hanging, probe: { steps: [] } });
    const service = web({ type: 'forking', pidfile: path });
    run(service);
    pass(10);
    kernel.writeFile(path, '2');
    run({ ...service, argv: ['probe'] }, { beside: { kind: 'probe' } });
    pass(10);
    expect(pidfiles.names(service, 2)).toBe(true);
  });
});

describe('a command of a service', () => {
  it('alone is the start that probes are waiting for', () => {
    const check = { kind: 'file', path: '/run/ready' } as const;
    const probe = { kind: 'probe', check, interval: 1, longest: 1, timeout: 1, retries: 1, startPeriod: 0 } as const;
    const { run, pass, kernel, checks } = machineOf({ web: hanging });
    const service = web({ ready: probe });
    run(service);
    kernel.writeFile('/run/ready', '');
    run(service, { beside: { kind: 'helper', role: 'start_if', variables: {} } });
    const answers: unknown[] = [];
    checks.check({ service, serial: 1, check }, (answer) => answers.push(answer));
    pass(10);
    expect(answers).toMatchObject([{ passed: true }]);
  });
});
