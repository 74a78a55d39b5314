import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildDependencyGraph } from '../../../src/model/order/dependency-graph.ts';
import { isEmptyPlan, planReload, renderPlan } from '../../../src/model/order/reload-plan.ts';
import { type PublicState, publicStates } from '../../../src/model/service/public-state.ts';
import type { ServiceSpec, SystemSpec } from '../../../src/model/service/service-spec.ts';
import { serviceSpec, systemSpec } from '../specs.ts';
import { type Member, orderedServices } from './graphs.ts';

const variation: fc.Arbitrary<Partial<ServiceSpec>> = fc.oneof(
  fc.constant({}),
  fc.constant({ enabled: false }),
  fc.constant({ command: '/bin/other', argv: ['/bin/other'] }),
  fc.constant({ environment: { A: '1' } }),
  fc.constant({ restartLimit: 9 }),
  fc.constant({ killSignal: 'SIGHUP' as const }),
);

/** Each with a variation, some missing: what an editor may make of a configuration. */
function edited(members: readonly Member[]): fc.Arbitrary<SystemSpec> {
  return fc
    .tuple(...members.map((member) => fc.tuple(fc.constant(member), variation, fc.integer({ min: 0, max: 5 }))))
    .map((rows) =>
      systemSpec(
        rows.filter(([, , missing]) => missing > 0).map(([member, changes]) => serviceSpec({ ...member, ...changes })),
      ),
    );
}

const pairs = orderedServices.chain((members) =>
  fc.tuple(
    edited(members),
    edited(members),
    fc.array(fc.constantFrom(...publicStates), { minLength: members.length, maxLength: members.length }),
  ),
);

const running = (): PublicState => 'ready';

function plan(before: Partial<ServiceSpec>, after: Partial<ServiceSpec>, state: PublicState) {
  return planReload(systemSpec([serviceSpec(before)]), systemSpec([serviceSpec(after)]), () => state).steps[0];
}

describe('planReload', () => {
  it('names every service of both configurations once, stops those that are gone, and only those that were there', () => {
    fc.assert(
      fc.property(pairs, ([before, after, states]) => {
        const stateOf = (name: string) => states[before.services.findIndex((spec) => spec.name === name)];
        const { steps } = planReload(before, after, stateOf);
        const names = steps.map(({ name }) => name);
        const both = new Set([...before.services, ...after.services].map(({ name }) => name));
        expect([...names].sort()).toEqual([...both].sort());
        for (const { action, name, reasons } of steps) {
          const next = after.services.find((spec) => spec.name === name);
          const was = before.services.some((spec) => spec.name === name);
          if (next === undefined) expect(action).toBe('stop');
          if (action === 'start' || action === 'restart') expect(next?.enabled).toBe(true);
          if (action === 'stop' || action === 'restart' || action === 'keep') expect(was).toBe(true);
          expect(reasons.length === 0).toBe(action === 'keep');
        }
      }),
    );
  });

  it('goes in an order that exists: stops against the old graph, starts along the new one', () => {
    fc.assert(
      fc.property(pairs, ([before, after, states]) => {
        const stateOf = (name: string) => states[before.services.findIndex((spec) => spec.name === name)];
        const { steps } = planReload(before, after, stateOf);
        const named = (...actions: readonly string[]) =>
          steps.filter(({ action }) => actions.includes(action)).map(({ name }) => name);
        const oldOrder = [...buildDependencyGraph(before.services).names].reverse();
        const newOrder = buildDependencyGraph(after.services).names;
        const stops = named('stop');
        const starts = named('start', 'restart');
        expect(stops).toEqual(oldOrder.filter((name) => stops.includes(name)));
        expect(starts).toEqual(newOrder.filter((name) => starts.includes(name)));
        const actions = steps.map(({ action }) => (action === 'restart' ? 'start' : action));
        const rank = ['stop', 'change', 'start', 'keep'];
        expect(actions.map((action) => rank.indexOf(action))).toEqual(
          actions.map((action) => rank.indexOf(action)).sort((left, right) => left - right),
        );
      }),
    );
  });

  it('of a configuration against itself is empty, whatever runs', () => {
    fc.assert(
      fc.property(pairs, ([before, , states]) => {
        const same = planReload(before, structuredClone(before), (name) => states[name.length % states.length]);
        expect(isEmptyPlan(same)).toBe(true);
      }),
    );
  });

  it.each<[string, Partial<ServiceSpec>, Partial<ServiceSpec>, PublicState, string, string]>([
    ['another command', {}, { command: 'x', argv: ['x'] }, 'ready', 'restart', 'command changed'],
    ['another environment', {}, { environment: { A: '1' } }, 'backoff', 'restart', 'environment changed'],
    [
      'other limits',
      {},
      { restartLimit: 9, killSignal: 'SIGHUP' },
      'ready',
      'change',
      'kill_signal changed, restart_limit changed',
    ],
    [
      'another command and another limit',
      {},
      { argv: ['x'], restartLimit: 9 },
      'ready',
      'restart',
      'command changed, restart_limit changed',
    ],
    [
      'the same in another order',
      { environment: { A: '1', B: '2' } },
      { environment: { B: '2', A: '1' } },
      'ready',
      'keep',
      '',
    ],
    [
      'another variable',
      { environment: { A: '1' } },
      { environment: { B: '1' } },
      'ready',
      'restart',
      'environment changed',
    ],
    [
      'another value',
      { environment: { A: '1' } },
      { environment: { A: '2' } },
      'ready',
      'restart',
      'environment changed',
    ],
    ['a word more', { argv: ['x'] }, { argv: ['x', 'y'] }, 'ready', 'restart', 'command changed'],
    ['a pidfile that was none', {}, { pidfile: '/run/web.pid' }, 'ready', 'restart', 'pidfile changed'],
    ['the command of the command line as it was', { name: 'CONSOLE' }, { name: 'CONSOLE' }, 'ready', 'keep', ''],
    ['another order', {}, { prerequisites: ['a.service'] }, 'ready', 'change', 'after changed'],
    ['disabled', {}, { enabled: false }, 'ready', 'stop', 'disabled'],
    ['disabled, and stopped already', {}, { enabled: false }, 'stopped', 'change', 'disabled'],
    ['enabled', { enabled: false }, {}, 'disabled', 'start', 'enabled'],
    ['enabled, and started by hand', { enabled: false }, {}, 'ready', 'change', 'enabled'],
    ['one that has ended, with another command', {}, { argv: ['x'] }, 'exited', 'restart', 'command changed'],
    ['disabled, with what it may have left behind', {}, { enabled: false }, 'exited', 'stop', 'disabled'],
    ['a failed one with another command', {}, { argv: ['x'] }, 'failed', 'start', 'command changed, it had failed'],
    [
      'one that was stopped by hand',
      {},
      { argv: ['x'] },
      'stopped',
      'change',
      'command changed, stopped by hand, stays so',
    ],
    [
      'who may notify',
      { type: 'notify' },
      { type: 'notify', notifyAccess: 'main' },
      'ready',
      'restart',
      'notify_access changed',
    ],
    ['how its processes are ended', {}, { killMode: 'process' }, 'ready', 'restart', 'kill_mode changed'],
    [
      'the command of the command line',
      { name: 'CONSOLE' },
      { name: 'CONSOLE', environment: { A: '1' } },
      'ready',
      'change',
      'environment changed, the command goes on as it is',
    ],
    [
      'the command of the command line, before it has begun',
      { name: 'CONSOLE' },
      { name: 'CONSOLE', environment: { A: '1' } },
      'pending',
      'change',
      'environment changed',
    ],
    ['one that has not begun', {}, { argv: ['x'] }, 'pending', 'change', 'command changed'],
  ])('%s', (_, before, after, state, action, reasons) => {
    const step = plan(before, after, state);
    expect([step?.action, step?.reasons.join(', ')]).toEqual([action, reasons]);
  });

  it.each<[string, Partial<ServiceSpec>, Partial<ServiceSpec>, PublicState, string, string]>([
    [
      'disabled, with another command',
      {},
      { enabled: false, argv: ['x'] },
      'ready',
      'stop',
      'disabled, command changed',
    ],
    [
      'disabled while it is stopped, with another command',
      {},
      { enabled: false, argv: ['x'] },
      'stopped',
      'change',
      'disabled, command changed',
    ],
    [
      'enabled, with another command',
      { enabled: false },
      { argv: ['x'] },
      'disabled',
      'start',
      'enabled, command changed',
    ],
    ['disabled as before', { enabled: false }, { enabled: false }, 'disabled', 'keep', ''],
    [
      'disabled as before, with another command',
      { enabled: false },
      { enabled: false, argv: ['x'] },
      'disabled',
      'change',
      'command changed',
    ],
    [
      'enabled and started by hand, with another command',
      { enabled: false },
      { argv: ['x'] },
      'ready',
      'restart',
      'command changed',
    ],
    [
      'the order of the command of the command line',
      { name: 'CONSOLE' },
      { name: 'CONSOLE', prerequisites: ['a.service'] },
      'ready',
      'change',
      'after changed',
    ],
    [
      'several settings of the command of the command line',
      { name: 'CONSOLE' },
      { name: 'CONSOLE', environment: { A: '1' }, prerequisites: ['a.service'] },
      'ready',
      'change',
      'environment changed, after changed, the command goes on as it is',
    ],
  ])('compares definitions: %s', (_, before, after, state, action, reasons) => {
    const step = plan(before, after, state);
    expect([step?.name, step?.action, step?.reasons.join(', ')]).toEqual([
      before.name ?? 'web.service',
      action,
      reasons,
    ]);
  });

  it('starts nothing that was disabled by hand, and lets what runs go on', () => {
    const held = (before: Partial<ServiceSpec>, after: Partial<ServiceSpec>) =>
      planReload(systemSpec([serviceSpec(before)]), systemSpec([serviceSpec(after)]), running, () => true).steps;
    expect(held({}, { argv: ['x'] })).toEqual([
      {
        action: 'change',
        name: 'web.service',
        reasons: ['command changed', 'disabled by hand: what runs goes on as it is'],
      },
    ]);
    expect(held({}, { enabled: false })).toEqual([{ action: 'stop', name: 'web.service', reasons: ['disabled'] }]);
    expect(held({}, {})).toEqual([{ action: 'keep', name: 'web.service', reasons: [] }]);
  });

  it('is empty only where neither a service nor a setting changes', () => {
    const settings = planReload(systemSpec([serviceSpec()]), systemSpec([serviceSpec()], { idleDelay: 5 }), running);
    expect(isEmptyPlan(settings)).toBe(false);
    expect(isEmptyPlan(planReload(systemSpec([serviceSpec()]), systemSpec([]), running))).toBe(false);
  });

  it('tells which part of the restart policy changes', () => {
    const step = plan(
      { restartPolicy: { backoff: 2, jitter: 0.5 } },
      { restartPolicy: { backoff: 3, jitter: 0.5 } },
      'ready',
    );
    expect([step?.action, step?.reasons]).toEqual(['change', ['restart_backoff changed']]);
  });

  it('schedules cron services anew in another time zone, and touches no others', () => {
    const services = [serviceSpec(), serviceSpec({ name: 'job.service', type: 'cron', interval: '@daily' })];
    const { steps, settings } = planReload(
      systemSpec(services),
      systemSpec(services, { timeZone: 'Europe/Berlin' }),
      running,
    );
    expect(steps.map(({ action, name }) => `${action} ${name}`)).toEqual(['restart job.service', 'keep web.service']);
    expect(settings).toEqual(['time zone']);
  });

  it('tells what changes besides services', () => {
    const before = systemSpec([]);
    const after = systemSpec([], { idleDelay: 5, detectExit: false });
    expect(planReload(before, after, running).settings).toEqual(['idle_delay', 'detect_exit']);
  });
});

describe('renderPlan', () => {
  it('has a line a step', () => {
    const before = systemSpec([serviceSpec({ name: 'a.service' }), serviceSpec({ name: 'old.service' })]);
    const after = systemSpec([serviceSpec({ name: 'a.service' }), serviceSpec({ name: 'new.service' })]);
    expect(renderPlan(planReload(before, after, running))).toBe(
      'stop     old.service  no longer in the configuration\nstart    new.service  new\n1 service kept as it is\n',
    );
    const other = systemSpec([
      serviceSpec({ name: 'a.service', argv: ['x'], restartLimit: 9 }),
      serviceSpec({ name: 'old.service' }),
    ]);
    expect(renderPlan(planReload(before, other, running))).toBe(
      'restart  a.service  command changed, restart_limit changed\n1 service kept as it is\n',
    );
    expect(renderPlan(planReload(before, systemSpec([], { idleDelay: 5, detectExit: false }), running))).toBe(
      'stop     old.service  no longer in the configuration\nstop     a.service    no longer in the configuration\nsettings  idle_delay, detect_exit: from now on\n0 services kept as they are\n',
    );
    expect(renderPlan(planReload(before, before, running))).toBe('nothing has changed; 2 services kept as they are\n');
  });

  it('names what could not be started again, in columns with the steps', () => {
    const before = systemSpec([serviceSpec({ name: 'a.service' })]);
    const after = systemSpec([serviceSpec({ name: 'a.service', argv: ['x'] })]);
    const refused = [{ name: 'longer.service', reason: 'db is stopped' }];
    expect(renderPlan(planReload(before, after, running), refused)).toBe(
      'restart  a.service       command changed\nrefused  longer.service  db is stopped\n0 services kept as they are\n',
    );
  });

  it('tells of settings where no service changes', () => {
    const one = [serviceSpec()];
    expect(renderPlan(planReload(systemSpec(one), systemSpec(one, { idleDelay: 5 }), running))).toBe(
      'settings  idle_delay: from now on\n1 service kept as it is\n',
    );
  });
});
