import { describe, expect, it } from 'vitest';
import { newLedger } from '../../../src/model/ledger/ledger.ts';
import type { ServiceRequest } from '../../../src/model/ledger/requests.ts';
import { phaseOf } from '../../../src/model/ledger/slot.ts';
import { step } from '../../../src/model/ledger/step.ts';
import { buildDependencyGraph } from '../../../src/model/order/dependency-graph.ts';
import type { ServicePhase } from '../../../src/model/service/service-phase.ts';
import type { ServiceSpec } from '../../../src/model/service/service-spec.ts';
import { serviceSpec, systemSpec } from '../specs.ts';
import { Charts, changeTo, intentOf, slotOf, words } from './charts.ts';

/** A request for `web`, as somebody types it. */
const asked = {
  start: { type: 'services.start', enable: false, force: false },
  'start --enable': { type: 'services.start', enable: true, force: false },
  'start --force': { type: 'services.start', enable: false, force: true },
  stop: { type: 'services.stop', disable: false, again: false, drain: false },
  'stop --disable': { type: 'services.stop', disable: true, again: false, drain: false },
  'stop --drain': { type: 'services.stop', disable: false, again: false, drain: true },
  restart: { type: 'services.stop', disable: false, again: true, drain: false },
  reset: { type: 'services.reset', force: false },
  'reset --force': { type: 'services.reset', force: true },
  enable: { type: 'services.enable' },
  disable: { type: 'services.disable' },
} as const satisfies Record<string, DistributedRequest>;

type DistributedRequest = ServiceRequest extends infer T ? (T extends T ? Omit<T, 'names' | 'at'> : never) : never;
type Asked = keyof typeof asked;

function ask(charts: Charts, what: Asked, ...names: readonly string[]): void {
  charts.send({ ...asked[what], names: names.length === 0 ? ['web'] : names, at: charts.now });
}

function boot(...specs: readonly (Partial<ServiceSpec> & { readonly name: string })[]): Charts {
  const services = specs.map((spec) => serviceSpec(spec));
  const charts = new Charts(newLedger(systemSpec(services), buildDependencyGraph(services)));
  charts.send({ type: 'starts.released', idle: false, at: 0 });
  return charts;
}

/** Everything that was let go is ready, and what that lets go, too. */
function up(...specs: readonly (Partial<ServiceSpec> & { readonly name: string })[]): Charts {
  const charts = boot(...specs);
  for (const _ of specs) for (const { name } of specs) charts.happen(name, 'ready');
  return charts;
}

const db = { name: 'db' };
const web = { name: 'web', restart: true };
const cron = { name: 'web', type: 'cron', interval: '@daily' } as const;

/** Where `web` stands before it is asked for something. */
const places = {
  disabled: () => up({ ...web, enabled: false }),
  /** Its prerequisite starts. */
  pending: () => boot(db, { ...web, prerequisites: ['db'] }),
  starting: () => boot(web),
  'ready.running': () => up(web),
  'ready.exited': () => up({ ...web, type: 'oneshot' }),
  exited: () => after(up(web), (charts) => charts.happen('web', 'exit')),
  'ready.scheduled': () => up(cron),
  /** By hand, and it waits for a dependent that has to end first. */
  queuedStop: () =>
    after(up(web, { name: 'ui', prerequisites: ['web'] }), (charts) => ask(charts, 'stop', 'web', 'ui')),
  stopping: () => after(up(web), (charts) => ask(charts, 'stop')),
  draining: () => after(up(cron), (charts) => ask(charts, 'stop --drain')),
  /** It has crashed, and what it has left behind is being ended. */
  clearing: () => after(up(web), (charts) => charts.happen('web', 'crashLeaving')),
  backoff: () => after(up(web), (charts) => charts.happen('web', 'crash')),
  stopped: () =>
    after(up(web), (charts) => {
      ask(charts, 'stop');
      charts.happen('web', 'clear');
    }),
  failed: () => after(boot(web), (charts) => charts.happen('web', 'fail')),
} as const;
type Place = keyof typeof places;

function after(charts: Charts, then: (charts: Charts) => void): Charts {
  then(charts);
  return charts;
}

/** Phase, intent, `off` where it is disabled, and what its chart is told; before the chart answers. */
function answer(place: Place, what: Asked): string {
  const { ledger, orders } = step(places[place]().ledger, { ...asked[what], names: ['web'], at: 0 });
  const slot = slotOf(ledger, 'web');
  const told = words(orders).map((word) => word.replace(' web', ''));
  const parts = [phaseOf(slot), intentOf(slot), ...(slot.enabled ? [] : ['off'])];
  return `${parts.join(' | ')}${told.length > 0 ? ` → ${told.join(', ')}` : ''}`;
}

/** The same where the process of `web` is one that it follows. */
const followedResets: readonly (readonly [Place, string])[] = [
  ['ready.running', 'ready.running | hand, told, rest → reset, stop'],
  ['starting', 'starting | none → reset'],
  ['stopping', 'stopping | hand, told, rest → reset'],
  ['queuedStop', 'ready.running | hand, waits, rest → reset'],
  ['clearing', 'stopping | none → reset'],
  ['backoff', 'backoff | none → reset'],
  ['failed', 'failed | none → reset'],
  ['ready.scheduled', 'ready.scheduled | none → reset'],
];

describe('a reset of a service that follows a daemon', () => {
  it.each(followedResets)('%s', (place, expected) => {
    const { ledger, orders } = step(places[place]().ledger, {
      ...{ type: 'services.reset', names: ['web'], force: false, followed: ['web'], at: 0 },
    });
    const told = words(orders).map((word) => word.replace(' web', ''));
    expect(`${phaseOf(slotOf(ledger, 'web'))} | ${intentOf(slotOf(ledger, 'web'))} → ${told.join(', ')}`).toBe(
      expected,
    );
  });

  it('lets a start that comes meanwhile begin once the daemon has ended', () => {
    const charts = up(web);
    charts.send({ type: 'services.reset', names: ['web'], force: false, followed: ['web'], at: charts.now });
    ask(charts, 'start');
    expect(intentOf(slotOf(charts.ledger, 'web'))).toBe('hand, told, start');
    charts.happen('web', 'clear');
    expect(phaseOf(slotOf(charts.ledger, 'web'))).toBe('starting');
  });

  it('is told once, and not while the system ends', () => {
    const resets = (orders: ReturnType<typeof step>['orders']): number =>
      orders.filter((order) => order.kind === 'tell' && order.notice.type === 'service.reset').length;
    const { ledger } = up(web);
    for (const request of [
      { type: 'services.reset', names: ['web'], force: false, followed: ['web'], at: 0 },
      { type: 'services.reset', names: ['web'], force: true, at: 0 },
      { type: 'services.reset', names: ['web'], force: false, at: 0 },
      { ...asked.stop, names: ['web'], at: 0 },
      { ...asked.restart, names: ['web'], at: 0 },
      { ...asked['start --force'], names: ['web'], at: 0 },
    ] satisfies readonly ServiceRequest[]) {
      expect(resets(step(ledger, request).orders)).toBe(1);
    }
    expect(resets(step(ledger, { type: 'drain.begun', at: 0 }).orders)).toBe(0);
  });
});

const answers: Readonly<Record<Place, Readonly<Record<Asked, string>>>> = {
  disabled: {
    start: 'disabled | none | off',
    'start --enable': 'starting | none → start',
    'start --force': 'starting | none → start',
    stop: 'disabled | none | off',
    'stop --disable': 'disabled | none | off',
    'stop --drain': 'disabled | none | off',
    restart: 'disabled | none | off',
    reset: 'disabled | none | off → reset',
    'reset --force': 'disabled | none | off → reset',
    enable: 'stopped | none',
    disable: 'disabled | none | off',
  },
  pending: {
    start: 'pending | queued',
    'start --enable': 'pending | queued',
    'start --force': 'pending | queued',
    stop: 'stopped | none → stop',
    'stop --disable': 'disabled | none | off → stop',
    'stop --drain': 'stopped | none → stop',
    restart: 'pending | queued',
    reset: 'pending | queued → reset',
    'reset --force': 'pending | queued → reset',
    enable: 'pending | queued',
    disable: 'disabled | queued | off',
  },
  starting: {
    start: 'starting | none',
    'start --enable': 'starting | none',
    'start --force': 'starting | hand, told, start → stop',
    stop: 'starting | hand, told, rest → stop',
    'stop --disable': 'starting | hand, told, rest | off → stop',
    'stop --drain': 'starting | hand, told, rest → stop',
    restart: 'starting | hand, told, start → stop',
    reset: 'starting | none → reset',
    'reset --force': 'starting | hand, told, rest → reset, stop',
    enable: 'starting | none',
    disable: 'starting | none | off',
  },
  'ready.running': {
    start: 'ready.running | none',
    'start --enable': 'ready.running | none',
    'start --force': 'ready.running | hand, told, start → stop',
    stop: 'ready.running | hand, told, rest → stop',
    'stop --disable': 'ready.running | hand, told, rest | off → stop',
    'stop --drain': 'ready.running | hand, told, rest → stop',
    restart: 'ready.running | hand, told, start → stop',
    reset: 'ready.running | none → reset',
    'reset --force': 'ready.running | hand, told, rest → reset, stop',
    enable: 'ready.running | none',
    disable: 'ready.running | none | off',
  },
  'ready.exited': {
    start: 'ready.exited | none',
    'start --enable': 'ready.exited | none',
    'start --force': 'ready.exited | hand, told, start → stop',
    stop: 'ready.exited | hand, told, rest → stop',
    'stop --disable': 'ready.exited | hand, told, rest | off → stop',
    'stop --drain': 'ready.exited | hand, told, rest → stop',
    restart: 'ready.exited | hand, told, start → stop',
    reset: 'ready.exited | hand, told, rest → reset, stop',
    'reset --force': 'ready.exited | hand, told, rest → reset, stop',
    enable: 'ready.exited | none',
    disable: 'ready.exited | none | off',
  },
  exited: {
    start: 'exited | hand, told, start → stop',
    'start --enable': 'exited | hand, told, start → stop',
    'start --force': 'exited | hand, told, start → stop',
    stop: 'exited | hand, told, rest → stop',
    'stop --disable': 'exited | hand, told, rest | off → stop',
    'stop --drain': 'exited | hand, told, rest → stop',
    restart: 'exited | hand, told, start → stop',
    reset: 'exited | hand, told, rest → reset, stop',
    'reset --force': 'exited | hand, told, rest → reset, stop',
    enable: 'exited | none',
    disable: 'exited | none | off',
  },
  'ready.scheduled': {
    start: 'ready.scheduled | none',
    'start --enable': 'ready.scheduled | none',
    'start --force': 'ready.scheduled | hand, told, start → stop',
    stop: 'ready.scheduled | hand, told, rest → stop',
    'stop --disable': 'ready.scheduled | hand, told, rest | off → stop',
    'stop --drain': 'ready.scheduled | hand, told, drain, rest → stop (drain)',
    restart: 'ready.scheduled | hand, told, start → stop',
    reset: 'ready.scheduled | none → reset',
    'reset --force': 'ready.scheduled | none → reset',
    enable: 'ready.scheduled | none',
    disable: 'ready.scheduled | disabled, told, drain, rest | off → stop (drain)',
  },
  queuedStop: {
    start: 'ready.running | hand, waits, start',
    'start --enable': 'ready.running | hand, waits, start',
    'start --force': 'ready.running | hand, waits, start',
    stop: 'ready.running | hand, waits, rest',
    'stop --disable': 'ready.running | hand, waits, rest | off',
    'stop --drain': 'ready.running | hand, waits, rest',
    restart: 'ready.running | hand, waits, start',
    reset: 'ready.running | hand, waits, rest → reset',
    'reset --force': 'ready.running | hand, waits, rest → reset',
    enable: 'ready.running | hand, waits, rest',
    disable: 'ready.running | hand, waits, rest | off',
  },
  stopping: {
    start: 'stopping | hand, told, start',
    'start --enable': 'stopping | hand, told, start',
    'start --force': 'stopping | hand, told, start',
    stop: 'stopping | hand, told, rest',
    'stop --disable': 'stopping | hand, told, rest | off',
    'stop --drain': 'stopping | hand, told, rest',
    restart: 'stopping | hand, told, start',
    reset: 'stopping | hand, told, rest → reset',
    'reset --force': 'stopping | hand, told, rest → reset',
    enable: 'stopping | hand, told, rest',
    disable: 'stopping | hand, told, rest | off',
  },
  draining: {
    start: 'stopping | hand, told, drain, start',
    'start --enable': 'stopping | hand, told, drain, start',
    'start --force': 'stopping | hand, told, start → stop',
    stop: 'stopping | hand, told, rest → stop',
    'stop --disable': 'stopping | hand, told, rest | off → stop',
    'stop --drain': 'stopping | hand, told, drain, rest',
    restart: 'stopping | hand, told, start → stop',
    reset: 'stopping | hand, told, drain, rest → reset',
    'reset --force': 'stopping | hand, told, drain, rest → reset',
    enable: 'stopping | hand, told, drain, rest',
    disable: 'stopping | hand, told, drain, rest | off',
  },
  clearing: {
    start: 'stopping | again',
    'start --enable': 'stopping | again',
    'start --force': 'stopping | hand, told, start → stop',
    stop: 'stopping | hand, told, rest → stop',
    'stop --disable': 'stopping | hand, told, rest | off → stop',
    'stop --drain': 'stopping | hand, told, rest → stop',
    restart: 'stopping | hand, told, start → stop',
    reset: 'stopping | none → reset',
    'reset --force': 'stopping | hand, told, rest → reset, stop',
    enable: 'stopping | none',
    disable: 'stopping | none | off',
  },
  backoff: {
    start: 'backoff | none',
    'start --enable': 'backoff | none',
    'start --force': 'backoff | hand, told, start → stop',
    stop: 'backoff | hand, told, rest → stop',
    'stop --disable': 'backoff | hand, told, rest | off → stop',
    'stop --drain': 'backoff | hand, told, rest → stop',
    restart: 'backoff | hand, told, start → stop',
    reset: 'backoff | none → reset',
    'reset --force': 'backoff | hand, told, rest → reset, stop',
    enable: 'backoff | none',
    disable: 'backoff | disabled, told, rest | off → stop',
  },
  stopped: {
    start: 'starting | none → start',
    'start --enable': 'starting | none → start',
    'start --force': 'starting | none → start',
    stop: 'stopped | none',
    'stop --disable': 'disabled | none | off',
    'stop --drain': 'stopped | none',
    restart: 'starting | none → start',
    reset: 'stopped | none → reset',
    'reset --force': 'stopped | none → reset',
    enable: 'stopped | none',
    disable: 'disabled | none | off',
  },
  failed: {
    start: 'starting | none → start',
    'start --enable': 'starting | none → start',
    'start --force': 'starting | none → start',
    stop: 'failed | none',
    'stop --disable': 'disabled | none | off',
    'stop --drain': 'failed | none',
    restart: 'starting | none → start',
    reset: 'failed | none → reset',
    'reset --force': 'failed | none → reset',
    enable: 'failed | none',
    disable: 'disabled | none | off',
  },
};

const rows = (Object.keys(answers) as Place[]).flatMap((place) =>
  (Object.keys(asked) as Asked[]).map((what) => [what, place, answers[place][what]] as const),
);

describe('what a request makes of a service', () => {
  it.each(rows)('%s, while it is %s: %s', (what, place, expected) => {
    expect(answer(place, what)).toBe(expected);
  });

  it('is nothing where it is not there, and where the system ends', () => {
    for (const what of Object.keys(asked) as Asked[]) {
      const { ledger } = up(web);
      const request = { ...asked[what], at: 0 };
      expect(step(ledger, { ...request, names: ['nobody'] }).orders).toEqual([]);
      const ending = step(ledger, { type: 'drain.begun', at: 0 }).ledger;
      expect(step(ending, { ...request, names: ['web'] }).orders).toEqual([]);
    }
  });
});

function phase({ ledger }: Charts, name = 'web'): string {
  return phaseOf(slotOf(ledger, name));
}

describe('what is disabled', () => {
  it('while it waits for its turn, is taken up again by enable, and starts when its turn has come', () => {
    const charts = places.pending();
    ask(charts, 'disable');
    charts.happen('db', 'ready');
    expect([phase(charts), charts.starts]).toEqual(['disabled', ['db']]);
    ask(charts, 'enable');
    expect([phase(charts), charts.starts]).toEqual(['starting', ['db', 'web']]);
  });

  it('lets those go on that wait for it', () => {
    const charts = boot(db, { ...web, prerequisites: ['db'] }, { name: 'ui', prerequisites: ['web'] });
    ask(charts, 'disable');
    expect(charts.starts).toEqual(['db', 'ui']);
    ask(charts, 'enable');
    expect(phase(charts)).toBe('pending');
  });

  it('while idle_delay passes, waits for its end like the others of IDLE when it is enabled again', () => {
    const charts = up(db, { ...web, groups: ['IDLE'] });
    ask(charts, 'disable');
    ask(charts, 'enable');
    expect([phase(charts), charts.starts]).toEqual(['pending', ['db']]);
    charts.send({ type: 'starts.released', idle: true, at: 0 });
    expect(charts.starts).toEqual(['db', 'web']);
  });

  it('until idle_delay has passed, starts with enable alone', () => {
    const charts = up(db, { ...web, groups: ['IDLE'] });
    ask(charts, 'disable');
    charts.send({ type: 'starts.released', idle: true, at: 0 });
    expect(charts.starts).toEqual(['db']);
    ask(charts, 'enable');
    expect(charts.starts).toEqual(['db', 'web']);
  });

  it('in its restart pause ends that, and enable takes it up again', () => {
    const charts = places.backoff();
    ask(charts, 'disable');
    expect([phase(charts), charts.stops]).toEqual(['disabled', ['web']]);
    ask(charts, 'enable');
    expect([phase(charts), charts.starts]).toEqual(['starting', ['web', 'web']]);
  });

  it('while it runs, goes on; when it crashes no restart follows, but enable is one', () => {
    const charts = places['ready.running']();
    ask(charts, 'disable');
    expect(phase(charts)).toBe('ready.running');
    charts.happen('web', 'crash');
    expect([phase(charts), charts.stops, charts.starts]).toEqual(['disabled', ['web'], ['web']]);
    ask(charts, 'enable');
    expect(charts.starts).toEqual(['web', 'web']);
  });

  it('while it runs, and enabled again, is restarted as ever', () => {
    const charts = places['ready.running']();
    ask(charts, 'disable');
    ask(charts, 'enable');
    charts.happen('web', 'crash');
    expect([phase(charts), charts.stops]).toEqual(['backoff', []]);
  });

  it('and has a schedule, finishes its job and rests; enable meanwhile makes that a pause', () => {
    const charts = places['ready.scheduled']();
    ask(charts, 'disable');
    expect(intentOf(slotOf(charts.ledger, 'web'))).toBe('disabled, told, drain, rest');
    ask(charts, 'enable');
    charts.happen('web', 'clear');
    expect(charts.starts).toEqual(['web', 'web']);
    expect(slotOf(charts.ledger, 'web').askedBy).toBe('hand');
  });

  it('while it runs, and crashes, has its chart told at once that no restart follows', () => {
    const charts = places['ready.running']();
    ask(charts, 'disable');
    const crash = { type: 'service.changed', name: 'web', change: changeTo('backoff'), at: 0 } as const;
    expect(step(charts.ledger, crash).orders.filter(({ kind }) => kind !== 'tell')).toEqual([
      { kind: 'stop', name: 'web', why: 'disabled', drain: false },
    ]);
  });

  it('and has a schedule, is scheduled again by enable after it has ended', () => {
    const charts = places['ready.scheduled']();
    ask(charts, 'disable');
    charts.happen('web', 'clear');
    expect([phase(charts), charts.starts]).toEqual(['disabled', ['web']]);
    ask(charts, 'enable');
    expect(charts.starts).toEqual(['web', 'web']);
  });

  it('does not wait for its dependents, and does not end them', () => {
    const charts = up(cron, { name: 'ui', prerequisites: ['web'] });
    ask(charts, 'disable');
    expect([charts.stops, phase(charts, 'ui')]).toEqual([['web'], 'ready.running']);
  });

  it('and has a schedule, does not wait for a dependent that is being stopped, and is not let go by its end', () => {
    const charts = up(cron, { name: 'ui', prerequisites: ['web'] }, { name: 'api', prerequisites: ['web'] });
    ask(charts, 'stop', 'ui');
    ask(charts, 'disable');
    expect(charts.stops).toEqual(['ui', 'web']);
    charts.happen('web', 'clear');
    ask(charts, 'start --force');
    charts.happen('web', 'ready');
    ask(charts, 'stop', 'web', 'api');
    charts.happen('ui', 'clear');
    expect(charts.stops).toEqual(['ui', 'web', 'api']);
    charts.happen('api', 'clear');
    expect(charts.stops).toEqual(['ui', 'web', 'api', 'web']);
  });

  it('and is stopped or started by somebody after that, is not taken up again by enable', () => {
    const stopped = places.backoff();
    ask(stopped, 'disable');
    ask(stopped, 'stop');
    ask(stopped, 'enable');
    expect([phase(stopped), stopped.starts]).toEqual(['stopped', ['web']]);
    const started = places.backoff();
    ask(started, 'disable');
    ask(started, 'start --enable');
    ask(started, 'stop --disable');
    started.happen('web', 'clear');
    ask(started, 'enable');
    expect([phase(started), started.starts]).toEqual(['stopped', ['web', 'web']]);
  });

  it('in its restart pause, and started by somebody after that, is not started by enable when it has failed', () => {
    const charts = places.backoff();
    ask(charts, 'disable');
    ask(charts, 'start --enable');
    charts.happen('web', 'fail');
    ask(charts, 'disable');
    ask(charts, 'enable');
    expect([phase(charts), charts.starts]).toEqual(['failed', ['web', 'web']]);
  });

  it('in its restart pause is started by enable, though a start without --enable came to nothing', () => {
    const charts = places.backoff();
    ask(charts, 'disable');
    ask(charts, 'start');
    expect([phase(charts), charts.starts]).toEqual(['disabled', ['web']]);
    ask(charts, 'enable');
    expect([phase(charts), charts.starts]).toEqual(['starting', ['web', 'web']]);
  });

  it('in its restart pause, and reset after that, is not started by enable', () => {
    const charts = places.backoff();
    ask(charts, 'disable');
    ask(charts, 'reset');
    ask(charts, 'enable');
    expect([phase(charts), charts.starts]).toEqual(['stopped', ['web']]);
  });

  it.each([
    ['disable', true],
    ['stop --drain', undefined],
  ] as const)('and has a schedule, by %s leaves the schedule alone to end: %s', (what, leaves) => {
    const { orders } = step(places['ready.scheduled']().ledger, { ...asked[what], names: ['web'], at: 0 });
    const stop = orders.find((order) => order.kind === 'stop');
    expect([stop?.drain, stop?.leaves]).toEqual([true, leaves]);
  });

  it('by stop --disable is not started by enable', () => {
    const charts = places.backoff();
    ask(charts, 'stop --disable');
    ask(charts, 'enable');
    expect([phase(charts), charts.starts]).toEqual(['stopped', ['web']]);
  });

  it('while its turn to stop has not come, and crashes, holds nobody up', () => {
    const charts = up(db, { ...web, prerequisites: ['db'] }, { name: 'ui', prerequisites: ['web'] });
    ask(charts, 'stop --disable', 'db', 'web', 'ui');
    charts.happen('web', 'crash');
    charts.happen('ui', 'clear');
    expect(charts.stops).toEqual(['ui', 'web', 'db']);
  });
});

/** The chart of `web` reports its phase. */
function report(charts: Charts, phase: ServicePhase): void {
  charts.send({ type: 'service.changed', name: 'web', change: changeTo(phase), at: charts.now });
}

describe('a start', () => {
  it('of what is still ending waits for its end', () => {
    const charts = places.stopping();
    ask(charts, 'start');
    expect(charts.starts).toEqual(['web']);
    charts.happen('web', 'clear');
    expect([phase(charts), charts.starts]).toEqual(['starting', ['web', 'web']]);
  });

  it('after which somebody stops it again, is forgotten', () => {
    const charts = places.stopping();
    ask(charts, 'start');
    ask(charts, 'stop');
    charts.happen('web', 'clear');
    expect([phase(charts), charts.starts, charts.stops]).toEqual(['stopped', ['web'], ['web']]);
  });

  it('of what is disabled, with --force, enables and starts it with what it waits for', () => {
    const charts = up(db, { ...web, enabled: false, prerequisites: ['db'] });
    ask(charts, 'stop', 'db');
    charts.happen('db', 'clear');
    ask(charts, 'start --force');
    expect([phase(charts, 'db'), phase(charts)]).toEqual(['starting', 'pending']);
    charts.happen('db', 'ready');
    expect([phase(charts), slotOf(charts.ledger, 'web').enabled]).toEqual(['starting', true]);
  });

  it('with --force leaves what is ready, or disabled, of what it waits for alone', () => {
    const charts = up(db, { name: 'no', enabled: false }, { ...web, enabled: false, prerequisites: ['db', 'no'] });
    ask(charts, 'start --force');
    expect([charts.stops, charts.starts, phase(charts, 'no')]).toEqual([[], ['db', 'web'], 'disabled']);
  });

  it('with --force starts nothing that something ready waits for', () => {
    const charts = up(db, { name: 'api', prerequisites: ['db'] }, { ...web, enabled: false, prerequisites: ['api'] });
    ask(charts, 'stop', 'db');
    charts.happen('db', 'clear');
    ask(charts, 'start --force');
    expect([phase(charts, 'db'), phase(charts)]).toEqual(['stopped', 'starting']);
  });

  it('lets go what waits for the same in start order', () => {
    const charts = boot(
      { ...web, prerequisites: ['db', 'cache'] },
      { name: 'api', prerequisites: ['db'] },
      db,
      { name: 'disk' },
      { name: 'cache', prerequisites: ['disk'] },
    );
    charts.happen('disk', 'ready');
    charts.happen('cache', 'ready');
    charts.happen('db', 'ready');
    expect(charts.starts).toEqual(['db', 'disk', 'cache', 'api', 'web']);
  });

  it('of what lacks its account does nothing', () => {
    const charts = up({ ...web, enabled: false, missingAccount: 'www' });
    ask(charts, 'start --force');
    expect([phase(charts), charts.starts]).toEqual(['disabled', []]);
  });

  it('of what is being cleared away comes after that, unless a restart does', () => {
    const failed = after(up({ ...web, restart: false }), (charts) => charts.happen('web', 'crashLeaving'));
    ask(failed, 'start');
    failed.happen('web', 'clear');
    expect([phase(failed), failed.starts]).toEqual(['starting', ['web', 'web']]);
    const restarted = places.clearing();
    ask(restarted, 'start');
    restarted.happen('web', 'clear');
    restarted.happen('web', 'restart');
    restarted.happen('web', 'ready');
    expect([phase(restarted), restarted.starts]).toEqual(['ready.running', ['web']]);
    // The restart was the start that was asked for: none follows a later end.
    restarted.happen('web', 'exit');
    expect([phase(restarted), restarted.stops]).toEqual(['exited', []]);
  });

  it.each([
    'exited',
    'ready.exited',
  ] as const)('of what has ended normally, and whose hooks of after_stop run, comes after those: %s', (end) => {
    const charts = up(web);
    report(charts, 'stopping');
    ask(charts, 'start');
    report(charts, end);
    expect(charts.stops).toEqual(['web']);
    charts.happen('web', 'clear');
    expect([phase(charts), charts.starts]).toEqual(['starting', ['web', 'web']]);
    expect(slotOf(charts.ledger, 'web').askedBy).toBe('hand');
  });

  it('of what has ended normally, and is disabled before its hooks of after_stop have, is forgotten', () => {
    const charts = up(web);
    report(charts, 'stopping');
    ask(charts, 'start');
    ask(charts, 'disable');
    report(charts, 'exited');
    expect([phase(charts), intentOf(slotOf(charts.ledger, 'web')), charts.stops]).toEqual(['exited', 'none', []]);
  });

  it('of what is being cleared away, and is disabled before that is over, is forgotten', () => {
    const charts = up({ ...web, restart: false });
    charts.happen('web', 'crashLeaving');
    ask(charts, 'start');
    ask(charts, 'disable');
    charts.happen('web', 'clear');
    ask(charts, 'enable');
    expect([phase(charts), charts.starts]).toEqual(['failed', ['web']]);
  });

  it('of what is being cleared away, and a stop after it, leave it stopped', () => {
    const charts = places.clearing();
    ask(charts, 'start');
    ask(charts, 'stop');
    charts.happen('web', 'clear');
    expect([phase(charts), charts.starts, charts.stops]).toEqual(['stopped', ['web'], ['web']]);
  });

  it('waits for what is about to be stopped, though that is still ready', () => {
    const charts = up(db, { name: 'other', prerequisites: ['db'] }, { ...web, prerequisites: ['db'] });
    ask(charts, 'stop', 'web');
    charts.happen('web', 'clear');
    ask(charts, 'restart', 'db', 'other');
    expect([phase(charts, 'db'), charts.stops]).toEqual(['ready.running', ['web', 'other']]);
    ask(charts, 'start');
    expect(phase(charts)).toBe('pending');
    for (const name of ['other', 'db']) charts.happen(name, 'clear');
    charts.happen('db', 'ready');
    expect(phase(charts)).toBe('starting');
  });

  it('tells whom it has waited for, but not of its own end', () => {
    const services = [serviceSpec(db), serviceSpec({ ...web, prerequisites: ['db'] })];
    const told: string[] = [];
    const charts = new Charts(newLedger(systemSpec(services), buildDependencyGraph(services)), ({ orders }) => {
      for (const order of orders)
        if (order.kind === 'start') told.push(`${order.name}: ${order.waitedFor ?? 'nobody'}`);
    });
    charts.send({ type: 'starts.released', idle: true, at: 0 });
    charts.happen('db', 'ready');
    charts.happen('web', 'ready');
    ask(charts, 'restart', 'web');
    charts.happen('web', 'clear');
    expect(told).toEqual(['db: nobody', 'web: db', 'web: nobody']);
  });

  it('of what can never start as things stand says so, once', () => {
    const services = [serviceSpec(db), serviceSpec({ ...web, prerequisites: ['db'] })];
    const said: string[] = [];
    const charts = new Charts(newLedger(systemSpec(services), buildDependencyGraph(services)), ({ orders }) => {
      for (const order of orders) {
        if (order.kind === 'tell' && order.notice.type === 'service.blocked') {
          said.push(`${order.notice.service} by ${order.notice.roots.join()}`);
        }
      }
    });
    charts.send({ type: 'starts.released', idle: true, at: 0 });
    charts.happen('db', 'fail');
    expect(said).toEqual(['web by db']);
    ask(charts, 'reset', 'db');
    expect(said).toEqual(['web by db']);
    ask(charts, 'start', 'web');
    expect(said).toEqual(['web by db', 'web by db']);
    ask(charts, 'restart', 'web');
    expect(said).toEqual(['web by db', 'web by db', 'web by db']);
  });
});

describe('a stop', () => {
  it('that lets the job finish is hastened by one that does not, and told anew', () => {
    const charts = places.draining();
    ask(charts, 'stop');
    expect(charts.stops).toEqual(['web', 'web']);
    ask(charts, 'stop');
    ask(charts, 'stop --drain');
    expect(charts.stops).toEqual(['web', 'web']);
    charts.happen('web', 'clear');
    expect(phase(charts)).toBe('stopped');
  });

  it('whose turn has not come has no SIGKILL either, though hooks of after_stop run by then', () => {
    const charts = places.queuedStop();
    const { due } = charts.ledger;
    charts.wait(1_000);
    charts.send({ type: 'service.stopContinues', name: 'web', at: charts.now });
    expect([due, charts.ledger.due]).toEqual([8_000, 8_000]);
    for (const ms of [7_000, 7_000]) charts.wait(ms);
    expect(charts.kills).toEqual(['ui']);
  });

  it('that lets the job finish, and is hastened, waits for a dependent that ends by then', () => {
    const charts = up(cron, { name: 'ui', prerequisites: ['web'] });
    ask(charts, 'stop --drain');
    ask(charts, 'stop', 'ui');
    ask(charts, 'stop');
    expect(charts.stops).toEqual(['web', 'ui']);
    charts.happen('ui', 'clear');
    expect(charts.stops).toEqual(['web', 'ui', 'web']);
  });

  it('has its time again for the hooks of after_stop once the run has ended', () => {
    const charts = places.stopping();
    charts.wait(7_000);
    charts.send({ type: 'service.stopContinues', name: 'web', at: charts.now });
    charts.wait(7_999);
    expect(charts.kills).toEqual([]);
    charts.wait(1);
    expect(charts.kills).toEqual(['web']);
  });

  it('that lets the job finish has no SIGKILL at its end', () => {
    const charts = places.draining();
    expect(charts.ledger.due).toBeUndefined();
    charts.wait(3_600_000);
    expect(charts.kills).toEqual([]);
    ask(charts, 'stop');
    charts.wait(8_000);
    expect(charts.kills).toEqual(['web']);
  });

  it('of what has no schedule lets nothing finish, whatever is asked', () => {
    const charts = places['ready.running']();
    ask(charts, 'stop --drain');
    charts.wait(8_000);
    expect(charts.kills).toEqual(['web']);
  });

  it('of what never began is told to its chart, and start begins it all the same', () => {
    const charts = places.pending();
    ask(charts, 'stop');
    charts.happen('db', 'ready');
    expect([phase(charts), charts.starts]).toEqual(['stopped', ['db']]);
    ask(charts, 'start');
    expect(charts.starts).toEqual(['db', 'web']);
  });

  it('of what waits for another start takes it out of the line, and its chart hears nothing', () => {
    const charts = boot(db, { ...web, prerequisites: ['db'] });
    charts.happen('db', 'ready');
    charts.happen('web', 'fail');
    charts.happen('db', 'crash');
    ask(charts, 'start');
    expect(phase(charts)).toBe('pending');
    ask(charts, 'stop');
    expect([phase(charts), charts.stops]).toEqual(['failed', []]);
  });

  it('asks for no start', () => {
    expect(slotOf(places.stopping().ledger, 'web').askedBy).toBeUndefined();
  });

  it('wins against a restart that was asked for before', () => {
    const charts = places['ready.running']();
    ask(charts, 'restart');
    ask(charts, 'stop');
    charts.happen('web', 'clear');
    expect([phase(charts), charts.stops, charts.starts]).toEqual(['stopped', ['web'], ['web']]);
  });
});

describe('a restart', () => {
  it('ends what runs, dependents first, and starts all of it in order', () => {
    const charts = up(db, { ...web, prerequisites: ['db'] });
    ask(charts, 'restart', 'db', 'web');
    expect(charts.stops).toEqual(['web']);
    charts.happen('web', 'clear');
    expect([charts.stops, phase(charts)]).toEqual([['web', 'db'], 'pending']);
    charts.happen('db', 'clear');
    charts.happen('db', 'ready');
    expect(charts.starts).toEqual(['db', 'web', 'db', 'web']);
  });

  it('of what is disabled meanwhile ends it only', () => {
    const charts = places['ready.running']();
    ask(charts, 'restart');
    ask(charts, 'disable');
    charts.happen('web', 'clear');
    expect([phase(charts), charts.starts]).toEqual(['disabled', ['web']]);
  });

  it('of a service that becomes ready before its turn to stop has come is still asked for', () => {
    const charts = up(web, { name: 'ui', prerequisites: ['web'] });
    charts.happen('web', 'crash');
    charts.happen('web', 'restart');
    ask(charts, 'restart', 'web', 'ui');
    charts.happen('web', 'ready');
    expect(slotOf(charts.ledger, 'web')).toMatchObject({ chart: 'ready.running', askedBy: 'hand' });
    charts.happen('ui', 'clear');
    charts.happen('web', 'clear');
    expect(slotOf(charts.ledger, 'web')).toMatchObject({ chart: 'starting', askedBy: 'hand' });
    charts.happen('web', 'ready');
    expect(slotOf(charts.ledger, 'web').askedBy).toBeUndefined();
  });

  it('of a service that fails by itself first is a start', () => {
    const charts = up(web, { name: 'ui', prerequisites: ['web'] });
    ask(charts, 'restart', 'web', 'ui');
    charts.happen('web', 'crashLeaving');
    charts.happen('web', 'clear');
    expect(phase(charts)).toBe('starting');
  });
});

describe('a restart of a service whose prerequisite has failed meanwhile', () => {
  it('tells once its run is over that the service waits in vain', () => {
    const charts = up(db, { name: 'cache' }, { ...web, prerequisites: ['db', 'cache'] });
    ask(charts, 'restart');
    charts.happen('db', 'crash');
    expect(slotOf(charts.ledger, 'web').saidBlocked).toBe(false);
    charts.happen('web', 'clear');
    expect(phase(charts)).toBe('pending');
    expect(slotOf(charts.ledger, 'web').saidBlocked).toBe(true);
  });
});

describe('a reset', () => {
  it('forgets a failure', () => {
    const charts = places.failed();
    ask(charts, 'reset');
    expect(phase(charts)).toBe('stopped');
  });

  it('is told here where it forgets something, and by the schedule itself where there is one', () => {
    const told = (place: Place): readonly string[] =>
      step(places[place]().ledger, { ...asked.reset, names: ['web'], at: 0 }).orders.map((order) =>
        order.kind === 'tell' ? order.notice.type : order.kind,
      );
    expect([told('failed'), told('ready.scheduled')]).toEqual([['service.reset', 'reset'], ['reset']]);
  });

  it('of what has done its work makes it startable again', () => {
    const charts = places['ready.exited']();
    ask(charts, 'reset');
    expect(phase(charts)).toBe('stopped');
    ask(charts, 'start');
    expect(charts.starts).toEqual(['web', 'web']);
  });

  it('with --force ends what runs, dependents first', () => {
    const charts = up(db, { ...web, prerequisites: ['db'] });
    ask(charts, 'reset --force', 'db', 'web');
    expect(charts.stops).toEqual(['web']);
    charts.happen('web', 'clear');
    expect(charts.stops).toEqual(['web', 'db']);
  });
});
