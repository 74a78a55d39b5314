import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createActor, setup } from 'xstate';
import type { Connection, TriggerCommand } from '../../../src/model/schedule/scheduled-runs.ts';
import type { ServiceSpec } from '../../../src/model/service/service-spec.ts';
import { VirtualClock } from '../../../src/runtime/simulated/virtual-clock.ts';
import { type ReadSchedule, type TriggerPorts, triggerLogic } from '../../../src/runtime/units/trigger.ts';
import { serviceSpec } from '../../model/specs.ts';

const cron = serviceSpec({ name: 'tidy.service', type: 'cron', interval: '* * * * *' });
const inetd = serviceSpec({ name: 'echo.service', type: 'inetd', port: 7 });
const client: Connection = { id: 1, address: '::1', port: 40_000 };

/** Ticks at each full 10 seconds. */
const tens: ReadSchedule = () => ({ ok: true, schedule: { next: (after) => Math.floor(after / 10_000 + 1) * 10_000 } });

/** Arms the trigger of a service, and collects what comes of it. */
function arm(service: ServiceSpec, changes: Partial<TriggerPorts> = {}) {
  const clock = new VirtualClock();
  clock.setWallTime(0);
  const told: unknown[] = [];
  const due: (number | undefined)[] = [];
  const said: string[] = [];
  const zones: (string | undefined)[] = [];
  const [connections$, refusals$] = [new Subject<Connection>(), new Subject<string>()];
  const listened: string[] = [];
  const note = (text: string) => () => {
    listened.push(text);
  };
  const logic = triggerLogic({
    clock,
    kernel: {
      findProgram: (word) => `/bin/${word}`,
      listen: () => ({
        ok: true,
        listener: { connections$, refusals$, pause: note('pause'), resume: note('resume'), close: note('close') },
      }),
    },
    random: () => 0.5,
    timeZone: () => 'Europe/Berlin',
    loadSchedules: () => (text, zone) => {
      zones.push(zone);
      return tens(text, zone);
    },
    onMessage: ({ text }) => said.push(text),
    onDue: (_, time) => due.push(time),
    ...changes,
  });
  const machine = setup({
    actors: { trigger: logic },
    types: { events: {} as { readonly type: 'end' } | { readonly type: 'tell'; readonly command: TriggerCommand } },
  }).createMachine({
    initial: 'armed',
    states: {
      armed: {
        invoke: { id: 'trigger', src: 'trigger', input: service },
        on: {
          end: 'over',
          tell: { actions: ({ event, self }) => self.getSnapshot().children['trigger']?.send(event.command) },
          '*': { actions: ({ event }) => told.push(event) },
        },
      },
      over: {},
    },
  });
  const actor = createActor(machine);
  actor.start();
  return {
    clock,
    told,
    due,
    said,
    zones,
    connections$,
    refusals$,
    listened,
    end: () => actor.send({ type: 'end' }),
    tell: (type: TriggerCommand['type']) => actor.send({ type: 'tell', command: { type } }),
  };
}

const fired = (at: number) => ({ type: 'trigger.fired', at });
const armed = (at = 0) => ({ type: 'trigger.armed', at });

describe('a trigger', () => {
  it.each([cron, inetd])('is refused where the program of $name is missing', (service) => {
    const looked: unknown[] = [];
    const spec = { ...service, directory: '/srv', environment: { PATH: '/opt' } };
    const { told, listened } = arm(spec, {
      kernel: {
        findProgram: (...place) => {
          looked.push(place);
          return undefined;
        },
        listen: () => ({ ok: false, code: 'EACCES', tried: [] }),
      },
    });
    const error = { code: 'ENOENT', stage: 'lookup', program: '/bin/web' };
    expect(told).toEqual([{ type: 'trigger.refused', cause: { kind: 'spawn', error }, at: 0 }]);
    expect(looked).toEqual([['/bin/web', '/opt', '/srv']]);
    expect(listened).toEqual([]);
  });
});

describe('the trigger of a cron service', () => {
  it('fires at each tick, and tells the next one before', () => {
    const { clock, told, due, end } = arm(cron);
    clock.run(25_000);
    expect(told).toEqual([armed(), fired(10_000), fired(20_000)]);
    expect(due).toEqual([10_000, 20_000, 30_000]);
    end();
    expect(due.at(-1)).toBeUndefined();
    clock.run(60_000);
    expect(told).toHaveLength(3);
  });

  it('goes on while its runs pause, since a tick that is skipped is told', () => {
    const { clock, told, tell } = arm(cron);
    tell('trigger.pause');
    clock.run(10_000);
    expect(told).toEqual([armed(), fired(10_000)]);
  });

  it.each([
    [{}, 'Europe/Berlin'],
    [{ timeZone: 'Asia/Tokyo' }, 'Asia/Tokyo'],
  ])('reads its schedule with %j in %s', (options, zone) => {
    expect(arm({ ...cron, cron: options }).zones).toEqual([zone]);
  });

  it.each([
    [{ runAtStart: true as const }, [armed(), fired(0), fired(10_000)]],
    [{}, [armed(), fired(10_000)]],
  ])('with %j runs at its start or does not', (options, expected) => {
    const { clock, told } = arm({ ...cron, cron: options });
    clock.run(10_000);
    expect(told).toEqual(expected);
  });

  it('puts a tick off by a part of the jitter, and tells that time', () => {
    const { clock, told, due } = arm({ ...cron, cron: { jitter: 4_001 } });
    clock.run(15_000);
    expect(told).toEqual([armed(), fired(12_000)]);
    // The tick after it counts once this one has run.
    expect(due).toEqual([10_000, 20_000, 12_000, 20_000]);
    clock.run(25_000);
    expect(told.slice(2)).toEqual([fired(22_000)]);
  });

  it('lets a tick that comes while another is put off count with that one', () => {
    const { clock, told, due } = arm({ ...cron, cron: { jitter: 30_000 } });
    clock.run(21_000);
    expect(due.at(-1)).toBe(25_000);
    clock.run(26_000);
    expect(told).toEqual([armed(), fired(25_000)]);
    expect(due.filter((time) => time === 25_000)).toHaveLength(1);
    expect(due.at(-1)).toBe(30_000);
    clock.run(44_000);
    expect(told).toHaveLength(2);
  });

  it('runs no tick that was put off once it has ended', () => {
    const { clock, told, due, end } = arm({ ...cron, cron: { jitter: 4_000 } });
    clock.run(11_000);
    end();
    clock.run();
    expect(told).toEqual([armed()]);
    expect(due.at(-1)).toBeUndefined();
  });

  it('loses or catches up what a set clock has passed over, as it is configured', () => {
    const outcome = (options: ServiceSpec['cron']) => {
      const { clock, told } = arm({ ...cron, ...(options === undefined ? {} : { cron: options }) });
      clock.run(1_000);
      clock.setWallTime(38_000);
      clock.run(2_000);
      return told;
    };
    expect(outcome({ catchUp: false })).toEqual([armed()]);
    expect(outcome({})).toEqual([armed(), fired(1_000)]);
    expect(outcome(undefined)).toEqual([armed(), fired(1_000)]);
  });

  it.each([
    ['* * * * *', 0],
    ['* 3 * * *', 0],
    ['5 * * * *', 0],
    ['0 3 * * *', 1],
  ])('knows of %j whether it runs again where the clock goes back', (interval, skipped) => {
    const { clock, told } = arm({ ...cron, interval });
    clock.run(11_000);
    clock.setWallTime(-600_000);
    clock.run(30_000);
    // A schedule of each minute or hour goes on with the new time; one of fixed times does not run the same times again.
    expect(told).toHaveLength(skipped === 1 ? 2 : 4);
  });

  it('is refused where the schedule cannot be read, with all that is wrong', () => {
    const problems = [
      { message: 'one', index: 0, length: 1 },
      { message: 'two', index: 2, length: 1 },
    ];
    const { told } = arm(cron, { loadSchedules: () => () => ({ ok: false, problems }) });
    expect(told).toEqual([{ type: 'trigger.refused', cause: { kind: 'schedule', problem: 'one; two' }, at: 0 }]);
  });

  it('waits for what reads schedules, and forgets it where it has ended meanwhile', async () => {
    const [first, second] = [
      arm(cron, { loadSchedules: async () => tens }),
      arm(cron, { loadSchedules: async () => tens }),
    ];
    second.end();
    expect(first.told).toEqual([]);
    await Promise.resolve();
    expect(first.told).toEqual([armed()]);
    expect([second.told, second.due]).toEqual([[], []]);
  });

  it('is refused where what reads schedules cannot be loaded', async () => {
    const { told } = arm(cron, { loadSchedules: () => Promise.reject(new Error('no such file')) });
    await Promise.resolve();
    await Promise.resolve();
    const problem = 'what reads schedules cannot be loaded: Error: no such file';
    expect(told).toEqual([{ type: 'trigger.refused', cause: { kind: 'schedule', problem }, at: 0 }]);
  });
});

describe('the trigger of an inetd service', () => {
  it('listens on the port of its service; without one the system chooses', () => {
    const ports: number[] = [];
    const kernel = {
      findProgram: () => '/bin/web',
      listen: (port: number) => {
        ports.push(port);
        return { ok: false as const, code: 'EACCES', tried: [] };
      },
    };
    arm(inetd, { kernel });
    const { port: _, ...without } = inetd;
    arm(without, { kernel });
    expect(ports).toEqual([7, 0]);
  });

  it('is refused where nobody can listen', () => {
    const tried = ['[::]:7'];
    const kernel = { findProgram: () => '/bin/web', listen: () => ({ ok: false as const, code: 'EADDRINUSE', tried }) };
    const cause = { kind: 'listen', port: 7, code: 'EADDRINUSE', tried };
    expect(arm(inetd, { kernel }).told).toEqual([{ type: 'trigger.refused', cause, at: 0 }]);
  });

  it('fires for each client, and lets clients wait while it is told to', () => {
    const { told, listened, connections$, tell } = arm(inetd);
    expect(told).toEqual([armed()]);
    connections$.next(client);
    expect(told).toEqual([armed(), { type: 'trigger.fired', connection: client, at: 0 }]);
    tell('trigger.pause');
    expect(listened).toEqual(['pause']);
    tell('trigger.resume');
    expect(listened).toEqual(['pause', 'resume']);
  });

  it('closes its port at its end, and fires no more', () => {
    const { clock, told, listened, connections$, refusals$, end } = arm(inetd);
    refusals$.next('EMFILE');
    end();
    expect(listened).toEqual(['close']);
    expect([connections$.observed, refusals$.observed]).toEqual([false, false]);
    clock.run();
    expect(listened).toEqual(['close']);
    expect(told).toEqual([armed()]);
  });

  it('tries again a second after an accept has failed, and says so once until a client comes', () => {
    const { clock, listened, said, connections$, refusals$ } = arm(inetd);
    refusals$.next('EMFILE');
    expect(said).toHaveLength(1);
    expect(said[0]).toContain('cannot take a connection on port 7 (EMFILE)');
    clock.run(999);
    expect(listened).toEqual([]);
    clock.run(1_000);
    expect(listened).toEqual(['resume']);
    refusals$.next('EMFILE');
    clock.run(2_000);
    expect(listened).toEqual(['resume', 'resume']);
    expect(said).toHaveLength(1);
    connections$.next(client);
    refusals$.next('EMFILE');
    expect(said).toHaveLength(2);
  });

  it('neither resumes early for a failed accept nor at all while it is told to pause', () => {
    const { clock, listened, refusals$, tell } = arm(inetd);
    refusals$.next('EMFILE');
    tell('trigger.pause');
    tell('trigger.resume');
    expect(listened).toEqual(['pause']);
    tell('trigger.pause');
    clock.run(1_000);
    expect(listened).toEqual(['pause', 'pause']);
    tell('trigger.resume');
    expect(listened).toEqual(['pause', 'pause', 'resume']);
  });
});
