/** Which service a process belongs to, and what is told of the ends of processes that no unit has started. */
import { describe, expect, it } from 'vitest';
import type { ServiceSpec } from '../../../src/model/service/service-spec.ts';
import type { Script, Step } from '../../../src/runtime/simulated/script.ts';
import { serviceOf } from '../../config/loading.ts';
import { detach, exit, fork, hang, hanging, machineOf, wait, web, write } from './running-units.ts';

const ends = (ms: number, code = 0): Script => ({ steps: [wait(ms), exit(code)] });
const orphan = (pid: number) => `Caught subprocess termination from unknown pid: ${pid} -> 0`;
const member = (pid: number, name = 'web.service') =>
  `${name} exit status for pid=${pid} of its group is '<ProcStatus exit_status=0>'`;

/** A service that has begun, and done the first of these steps. */
function running(changes: Partial<ServiceSpec>, steps: readonly Step[]) {
  const machine = machineOf({ web: { steps } });
  const unit = machine.run(web(changes));
  machine.pass(1);
  machine.news();
  const ownerOf = (pid: number) => machine.units.ownerOf(machine.view(pid));
  return { ...machine, ...unit, ownerOf };
}

describe('the owner of a process', () => {
  it('is the service that it leads, by its number and by the time of its start', () => {
    const { ownerOf } = running({ type: 'notify' }, [hang]);
    expect(ownerOf(2)).toBe('web.service');
    expect(running({ ownGroup: false, killMode: 'process' }, [hang]).ownerOf(2)).toBe('web.service');
  });

  it('is not the service whose leader had its number before', () => {
    const { units, view } = running({ pidfile: '/run/web.pid', killMode: 'process' }, [hang]);
    const other = { ...view(2), began: 99, group: 2, parent: 1 };
    expect(units.ownerOf(other)).toBeUndefined();
  });

  it('is the service of the leader of its group', () => {
    const { ownerOf } = running({}, [fork(), detach(), hang]);
    expect(ownerOf(3)).toBe('web.service');
    expect(ownerOf(4)).toBeUndefined();
  });

  it('is not the service of the leader of its group where that number has another process by now', () => {
    const { units, view, live } = running({}, [fork(), hang]);
    live.add(2, web(), 99);
    expect(units.ownerOf(view(3))).toBeUndefined();
  });

  it('is the service to whose members it belonged at the last look', () => {
    const { ownerOf, pass, units, view } = running({}, [fork(), fork(), wait(50)]);
    pass(100);
    expect(ownerOf(3)).toBe('web.service');
    expect(units.ownerOf({ ...view(3), began: 99 })).toBeUndefined();
    const unlooked = running({}, [fork(), wait(50)]);
    const { began } = unlooked.view(3);
    expect(unlooked.units.ownerOf({ pid: 77, parent: 1, group: 77, uid: 0, began })).toBeUndefined();
  });

  it('is the service whose start it descends from, where that owns all that it leaves', () => {
    const { ownerOf, pass, end, kernel } = running({ type: 'notify' }, [
      detach({ steps: [detach(), wait(30)] }),
      wait(50),
    ]);
    pass(100);
    expect(ownerOf(4)).toBe('web.service');
    // No look has seen this one.
    kernel.inject(4, [detach()]);
    expect(ownerOf(5)).toBe('web.service');
    end();
    expect(ownerOf(4)).toBeUndefined();
    kernel.remembered.set(5, '1');
    expect(ownerOf(5)).toBeUndefined();
  });

  it.each([
    [{ type: 'notify', killMode: 'process' }, 'web.service'],
    [{ pidfile: '/run/web.pid', killMode: 'process' }, 'web.service'],
    [{ killMode: 'process' }, undefined],
    [{}, undefined],
  ] as const)('with %j is the service of an ancestor: %s', (changes, owner) => {
    const { ownerOf } = running(changes, [detach({ steps: [detach({ steps: [detach(), hang] }), hang] }), hang]);
    expect(ownerOf(3)).toBe(owner);
    expect(ownerOf(5)).toBe(owner);
  });

  it('is not the service of an ancestor whose number another process has by now', () => {
    const { ownerOf, live } = running({ type: 'notify', killMode: 'process' }, [detach(), hang]);
    live.add(2, web({ type: 'notify', killMode: 'process' }), 99);
    expect(ownerOf(3)).toBeUndefined();
  });

  it('is nobody where its ancestors have ended, or where it has entered from outside', () => {
    const { ownerOf, pass, kernel } = running({ type: 'notify', killMode: 'process' }, [detach(), wait(50)]);
    pass(100);
    expect(ownerOf(3)).toBeUndefined();
    expect(ownerOf(kernel.enter(0, hanging))).toBeUndefined();
  });

  it('is looked for among the nearest of very many ancestors alone', () => {
    const chain = (depth: number): Script => ({ steps: [...(depth === 0 ? [] : [detach(chain(depth - 1))]), hang] });
    const { ownerOf, kernel, pass } = running({ type: 'notify', killMode: 'process' }, [detach(chain(70)), hang]);
    pass(10);
    expect(kernel.livePids).toHaveLength(72);
    expect(ownerOf(66)).toBe('web.service');
    expect(ownerOf(67)).toBeUndefined();
  });

  it('is looked for among processes that services can have begun alone', () => {
    const { ownerOf, pass, kernel } = running({ type: 'notify', killMode: 'process' }, [
      detach({ steps: [detach(), hang] }),
      wait(50),
    ]);
    pass(100);
    ownerOf(3);
    ownerOf(4);
    expect(kernel.looked).not.toContain(1);
    expect(kernel.looked).toContain(3);
  });
});

describe('the end of a process that no unit has started', () => {
  it('is told as one of a group once the leader is gone, whether a look has missed it or not', () => {
    const { pass, news, look } = running({}, [fork(ends(200)), fork(ends(300)), fork(), wait(10)]);
    pass(250);
    expect(news().at(-1)).toBe(member(3));
    pass(45);
    look();
    pass(50);
    expect(news()).toEqual([member(4)]);
  });

  it('is told as one of a group where a look comes between the end and its news', () => {
    const machine = machineOf({ web: { steps: [fork(ends(200)), wait(10)] } }, { deliveryDelay: () => 50 });
    const { look } = machine.run(web());
    machine.pass(100);
    machine.news();
    machine.pass(120);
    expect(look()).toMatchObject({ left: 0 });
    expect(machine.news()).toEqual([]);
    machine.pass(100);
    expect(machine.news()).toEqual([member(3)]);
    machine.units.takeOrphan({ pid: 3, status: { kind: 'exited', code: 0 } });
    expect(machine.news()).toEqual([orphan(3)]);
  });

  it('makes nobody look where no leader is gone', () => {
    const { units, clock } = machineOf({});
    units.takeOrphan({ pid: 3, status: { kind: 'exited', code: 0 } });
    clock.run();
    expect(clock.now()).toBe(0);
  });

  it('changes nothing for a unit that has ended, whose processes are nobody’s', () => {
    const { pass, end, endOrphan, ownerOf, look } = running({}, [fork(), fork(ends(200)), wait(10)]);
    pass(100);
    look();
    expect(ownerOf(3)).toBe('web.service');
    end();
    expect(ownerOf(3)).toBeUndefined();
    endOrphan();
    expect(ownerOf(3)).toBeUndefined();
  });

  it('is told as an unknown one where nobody has seen the process', () => {
    const { pass, news } = running({}, [detach(ends(50)), wait(10)]);
    pass(100);
    expect(news().at(-1)).toBe(orphan(3));
  });

  it('is told once as one of a group, and then as unknown: the number is another process’s', () => {
    const { units, pass, news } = running({}, [fork(ends(100)), wait(10)]);
    pass(200);
    expect(news().at(-1)).toBe(member(3));
    units.takeOrphan({ pid: 3, status: { kind: 'exited', code: 0 } });
    expect(news()).toEqual([orphan(3)]);
  });

  it('that a look has missed is told as unknown once there are later ones, and much time has passed', () => {
    const status = { kind: 'exited', code: 0 } as const;
    const told = [4_999, 5_000].map((ms) => {
      const late = machineOf({ web: { steps: [fork(ends(50)), fork(ends(500)), fork(), wait(10)] } });
      // The news of both ends is held back.
      const { look } = late.run(web());
      late.pass(30);
      return { late, look, ms };
    });
    for (const { late, look, ms } of told) {
      look();
      // The processes end by a foreign hand, and nobody tells of it yet.
      const seen = late.view(3);
      late.kernel.supervisorClock.stall(10_000);
      late.kernel.strike(seen.pid, 'SIGKILL');
      look();
      late.pass(ms);
      late.kernel.strike(4, 'SIGKILL');
      look();
      late.news();
      late.units.takeOrphan({ pid: 3, status });
      expect(late.news()).toEqual([ms < 5_000 ? member(3) : orphan(3)]);
      late.units.takeOrphan({ pid: 4, status });
      expect(late.news()).toEqual([member(4)]);
    }
  });

  it('belongs to the unit that has seen the process last', () => {
    const machine = machineOf({ web: { steps: [fork(ends(500)), wait(10)] } });
    const first = machine.run(web());
    machine.pass(50);
    const second = machine.run(web({ name: 'db.service' }), { resumes: { pid: 2, asked: false } });
    machine.pass(50);
    first.end();
    second.end();
    machine.news();
    machine.pass(1_000);
    expect(machine.news()).toEqual([member(3)]);
  });

  it('is told as that of a daemon where a new pidfile of a start names it', () => {
    const path = '/run/web.pid';
    const { pass, news } = running({ type: 'forking', pidfile: path }, [
      detach({ steps: [write(path, '$$'), wait(50), exit(3)] }),
      wait(10),
    ]);
    pass(100);
    expect(news().at(-1)).toBe("web.service exit status for pid=3 is '<ProcStatus exit_status=3>'");
  });

  it('is told as that of its own service where a foreign pidfile names it', () => {
    const path = '/run/db.pid';
    const machine = machineOf({
      web: { steps: [fork({ steps: [wait(20), write(path, '$$'), wait(50)] }), wait(10)] },
      db: hanging,
    });
    machine.run(web());
    machine.run(web({ name: 'db.service', argv: ['db'], type: 'forking', pidfile: path }));
    machine.pass(50);
    machine.news();
    machine.pass(100);
    expect(machine.news()).toEqual([member(4)]);
  });

  it('is known afterwards, by its number and the time from which on it counts', () => {
    const { pass, units, clock } = running({}, [detach(ends(100, 3)), wait(10)]);
    const begun = clock.realTime();
    pass(200);
    const status = { kind: 'exited', code: 3 };
    expect(units.endOf(3, begun)).toEqual({ status, at: begun + 99 });
    expect(units.endOf(3, begun + 99)).toEqual({ status, at: begun + 99 });
    expect(units.endOf(3, begun + 100)).toBeUndefined();
    expect(units.endOf(4, begun)).toBeUndefined();
  });

  it('is forgotten after many later ones, and counts anew where the number ends again', () => {
    const { units } = machineOf({});
    const status = { kind: 'exited', code: 0 } as const;
    for (let pid = 2; pid < 202; pid += 1) units.takeOrphan({ pid, status });
    units.takeOrphan({ pid: 2, status });
    for (let pid = 300; pid < 500; pid += 1) units.takeOrphan({ pid, status });
    expect(units.endOf(2, 0)).toBeDefined();
    expect(units.endOf(3, 0)).toBeUndefined();
    expect(units.endOf(300, 0)).toBeDefined();
    expect(units.endOf(499, 0)).toBeDefined();
  });
});

describe('the environment with which a service would be started', () => {
  it('is the configured one', async () => {
    const { units } = machineOf({});
    expect(await units.environmentOf(web({ environment: { A: 'a' } }))).toEqual({
      ok: true,
      environment: { A: 'a' },
      hidden: new Set(),
    });
  });

  it('has what is read for it', async () => {
    const { units, clock } = machineOf({}, { valueFile: () => 'B=b\n' });
    const made = units.environmentOf(serviceOf('web.service: { command: web, env_file: /env }'));
    clock.run(100);
    expect(await made).toMatchObject({ ok: true, environment: { B: 'b' } });
  });
});
