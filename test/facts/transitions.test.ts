import { describe, expect, it } from 'vitest';
import type { EventView, Fact } from '../../src/facts/fact.ts';
import type { Transition } from '../../src/facts/transition.ts';
import { noticeText, Transitions } from '../../src/facts/transitions.ts';
import type { JsonObject } from '../../src/model/words/json.ts';
import { serviceEntry } from '../inspect/hand-made.ts';

const web = 'web.service';
const configured = serviceEntry('web', { killSignal: 'SIGQUIT', restart: { delay: 3_000 }, pidfile: '/run/web.pid' });

type Step = readonly [at: number, from: string, to: string, event?: EventView, context?: JsonObject];

function moved(actor: string, [at, from, to, event = { type: 'x' }, context = {}]: Step, seq = 1): Fact {
  return { type: 'moved', seq, at, actor, from, to, event, context };
}

/** The transitions of the moves of one actor. */
function transitionsOf(actor: string, steps: readonly Step[]): readonly Transition[] {
  const transitions = new Transitions();
  transitions.configure([configured]);
  return steps.flatMap((step, index) =>
    transitions
      .take(moved(actor, step, index + 1))
      .flatMap((line) => (line.kind === 'transition' ? [line.transition] : [])),
  );
}

const lastOf = (actor: string, steps: readonly Step[]) => transitionsOf(actor, steps).at(-1);

describe('the first line of a system', () => {
  it.each<[JsonObject, string]>([
    [{ services: 3, layers: 1, files: 0 }, '3 services, 1 layer, 0 files'],
    [{ services: 1, layers: 2, files: 1, end: 'SIGTERM' }, '1 service, 2 layers, 1 file; SIGTERM'],
    [{}, '0 services, 0 layers, 0 files'],
  ])('has its size, and the end where that is known already: %j', (context, detail) => {
    const first: Step = [0, '─', 'booting.starting', { type: 'xstate.init' }, context];
    expect(transitionsOf('system', [first])).toStrictEqual([
      { at: 0, actor: 'system', from: '─', to: 'booting.starting', detail },
    ]);
  });
});

describe('the end of a boot', () => {
  const start: readonly Step[] = [
    [0, '─', 'pending', { type: 'xstate.init' }],
    [10, 'pending', 'starting.spawning', { type: 'service.start' }],
    [40, 'starting.spawning', 'ready.running'],
  ];

  it.each([
    ['booting.starting', 'up'],
    ['booting.starting', 'draining.stopping'],
    ['booting.idling', 'failed'],
  ])('tells what decided its length: %s → %s', (from, to) => {
    const transitions = new Transitions();
    for (const step of start) transitions.take(moved(web, step));
    const lines = transitions.take(moved('system', [50, from, to]));
    expect(lines.map(({ kind }) => kind)).toEqual(['transition', 'booted']);
    expect(lines[1]).toMatchObject({ at: 50, criticalChain: [{ service: 'web' }], slowest: [{ service: 'web' }] });
  });

  it.each([
    ['up', 'draining.stopping'],
    ['draining.killing', 'failed'],
    ['booting.starting', 'booting.idling'],
  ])('is not what comes before or long after: %s → %s', (from, to) => {
    const transitions = new Transitions();
    for (const step of start) transitions.take(moved(web, step));
    expect(transitions.take(moved('system', [50, from, to])).map(({ kind }) => kind)).toEqual(['transition']);
  });

  it('tells nothing of starts where nothing was started', () => {
    expect(new Transitions().take(moved('system', [50, 'booting.starting', 'up']))).toHaveLength(1);
  });
});

describe('the end of the first process of a run', () => {
  const ended = (to: string, left: number) =>
    lastOf(web, [
      [100, 'starting.spawning', 'starting.settling', { type: 'unit.spawned', pid: 7 }],
      [400, 'starting.settling', to, { type: 'unit.leaderExited', ended: 'exit 1', left }, { cause: 'exit 1' }],
    ]);

  it.each([
    [0, 'exit 1 after 300 ms'],
    [1, 'exit 1 after 300 ms; 1 process of its run is left'],
    [2, 'exit 1 after 300 ms; 2 processes of its run are left'],
  ])('says how many are left: %i', (left, detail) => {
    expect(ended('stopping.clearing', left)).toMatchObject({ detail, exit: 'exit 1', cause: 'exit 1' });
  });

  it('is shown with the move behind it where the service becomes ready first', () => {
    expect(ended('ready.running', 0)).toStrictEqual({
      ...{ at: 400, actor: 'web', from: 'starting.settling', to: 'ready.running', event: 'unit.leaderExited' },
      ...{ cause: 'exit 1', detail: 'startup_pause of 0.5 s passed' },
    });
  });
});

describe('a notification', () => {
  it.each<[JsonObject, string]>([
    [{ ready: true, status: 'up' }, 'READY=1  "up"'],
    [{ mainPid: 42 }, 'MAINPID=42'],
    [{ errno: 2, busError: 'x' }, 'ERRNO=2  BUSERROR=x'],
    [{ stopping: true, watchdog: 'trigger' }, 'STOPPING=1  WATCHDOG=trigger'],
    [{ reloading: true, extend: 1.5 }, 'RELOADING=1  EXTEND_TIMEOUT_USEC=1500'],
    [{ watchdogInterval: 500 }, 'WATCHDOG_USEC=500000'],
    [{ ready: false, watchdog: 'off' }, ''],
  ])('is shown as it was sent: %j', (message, text) => {
    expect(noticeText(message)).toBe(text);
  });
});

const draining = { end: 'SIGTERM', live: 3, shutdownTimeout: 8_000, idleDelay: 1_000 };

it.each<[from: string, to: string, event: EventView, context: JsonObject, detail: string]>([
  ['booting.starting', 'up', { type: 'x' }, {}, 'ready in 1.500 s'],
  ['booting.starting', 'up', { type: 'x' }, { detail: 'all stand' }, 'all stand'],
  ['booting.starting', 'booting.idling', { type: 'x' }, draining, 'everything else stands; IDLE services in 1 s'],
  ['booting.starting', 'booting.idling', { type: 'x' }, {}, 'everything else stands; IDLE services in 0 s'],
  ['up', 'draining.stopping', { type: 'system.shutdown' }, draining, 'SIGTERM; 3 to stop within 8 s'],
  ['up', 'draining.stopping', { type: 'system.shutdown' }, {}, '; 0 to stop within 0 s'],
  ['draining.stopping', 'draining.clearing', { type: 'x' }, draining, 'SIGTERM to what is left'],
  ['draining.clearing', 'draining.killing', { type: 'x' }, draining, 'SIGKILL to what is left'],
  ['draining.stopping', 'draining.hooks', { type: 'processes.gone' }, {}, 'no process is left'],
  ['draining.killing', 'halted', { type: 'processes.gone' }, { stops: 'none' }, 'no process is left'],
  ['draining.killing', 'halted', { type: 'x' }, {}, ''],
  [
    ...(['draining.killing', 'halted', { type: 'processes.gone' }] as const),
    { stops: [{ service: 'a.service', killed: true }, { service: 'b.service' }, 'c', { killed: true }] },
    'no process is left; killed: a, ',
  ],
  [
    ...(['draining.killing', 'halted', { type: 'x' }] as const),
    { stops: ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => ({ service: `${name}.service`, killed: true })) },
    'killed: a, b, c, d, e and 1 more',
  ],
  [
    ...(['draining.stopping', 'draining.x', { type: 'x' }] as const),
    { stops: [{ service: 'a.service', killed: true }] },
    '',
  ],
])('the system comes from %s to %s by %j with %j: %s', (from, to, event, context, detail) => {
  expect(lastOf('system', [[1_500, from, to, event, context]])).toEqual({
    at: 1_500,
    actor: 'system',
    from,
    to,
    event: event.type,
    detail: detail.trimEnd(),
  });
});

/** The words with which the transcript tells a move of a service from one state to another; the service's process was started 1.2 s before. */
const detailOf = (from: string, to: string, event: EventView, context: JsonObject = {}) =>
  lastOf(web, [
    [0, '─', 'pending', { type: 'xstate.init' }],
    [100, 'pending', from, { type: 'unit.spawned', pid: 7 }],
    [1_300, from, to, event, context],
  ])?.detail;

const stop = { type: 'service.stop' };
const after = { type: 'xstate.after.untilDeadline.service.x' };

it.each<[detail: string, ...given: Parameters<typeof detailOf>]>([
  ['service.start', 'stopped', 'starting.spawning', { type: 'service.start' }],
  ['was waiting for db, 1.2 s', 'pending', 'starting.spawning', { type: 'service.start', waitedFor: 'db.service' }],
  ['waits for its ports', 'pending', 'starting.x', { type: 'service.start' }, { detail: 'waits for its ports' }],
  [
    ...(['created  (was waiting for db, 1.2 s)', 'pending', 'creating'] as const),
    ...([{ type: 'instance.start', waitedFor: 'db.service' }, { detail: 'created' }] as const),
  ],
  ['pid 8  /bin/web', 'starting.spawning', 'starting.settling', { type: 'unit.spawned', pid: 8 }],
  ['pid 0  /bin/web', 'starting.spawning', 'starting.settling', { type: 'unit.spawned' }],
  ['no such file', 'starting.spawning', 'starting.x', { type: 'unit.spawnFailed', error: 'no such file' }],
  ['', 'starting.spawning', 'starting.x', { type: 'unit.spawnFailed' }],
  ['exit 0 after 1.2 s', 'starting.x', 'ready.exited', { type: 'unit.leaderExited', ended: 'exit 0', left: 2 }],
  ['exit 0 after 1.2 s', 'ready.running', 'stopping.clearing', { type: 'unit.leaderExited', ended: 'exit 0' }],
  ['nothing of its run is left', 'stopping.clearing', 'stopped', { type: 'unit.cleared' }],
  ['its conditions are met', 'starting.asking', 'starting.spawning', { type: 'conditions.met' }],
  ['SIGKILL', 'stopping.terminating', 'stopping.killing', { type: 'service.kill' }],
  ['the system is ending', 'backoff', 'stopped', { type: 'service.retire' }],
  ['service.reset', 'failed', 'pending', { type: 'service.reset' }],
  ['its probes have passed', 'starting.awaitingProbe', 'ready.running', { type: 'readiness.passed', pid: 8 }],
  ['pid 8 from /run/web.pid', 'starting.awaitingPidfile', 'ready.running', { type: 'readiness.passed', pid: 8 }],
  ['READY=1', 'starting.awaitingNotify', 'ready.running', { type: 'readiness.passed' }],
  ['no READY=1', 'starting.awaitingNotify', 'stopping.x', { type: 'readiness.failed' }, { cause: 'no READY=1' }],
  ['STOPPING=1', 'ready.running', 'stopping.x', { type: 'notify.received', message: { stopping: true } }],
  ['', 'ready.running', 'stopping.x', { type: 'notify.received', message: 'STOPPING=1' }],
  ['pid 8 has ended meanwhile', 'starting.x', 'stopping.x', { type: 'leader.missed', pid: 8 }],
  ['pid 0 has ended meanwhile', 'starting.x', 'stopping.x', { type: 'leader.missed' }],
  ['no WATCHDOG=1', 'ready.running', 'stopping.x', { type: 'watchdog.missed' }, { cause: 'no WATCHDOG=1' }],
  ['unhealthy', 'ready.running', 'stopping.x', { type: 'health.failed' }, { cause: 'unhealthy' }],
  ['before_start has ended', 'starting.beforeStart', 'starting.spawning', { type: 'hooks.passed' }],
  ['after_start has ended', 'starting.afterStart', 'ready.running', { type: 'hooks.passed' }],
  ['stop_command has ended', 'stopping.stopCommand', 'stopping.terminating', { type: 'hooks.ended' }],
  ['after_stop has ended', 'stopping.afterStop', 'stopped', { type: 'hooks.ended' }],
  ['its hooks have ended', 'stopping.hooks', 'stopped', { type: 'hooks.ended' }],
  ['init 1: exit 2', 'starting.beforeStart', 'stopping.x', { type: 'hooks.failed', hook: 'init 1', failure: 'exit 2' }],
  [':', 'starting.beforeStart', 'stopping.x', { type: 'hooks.failed' }],
  // Timers.
  ['startup_pause of 0.5 s passed', 'starting.settling', 'ready.running', after],
  ['startup_pause of 0.5 s passed', 'starting.settling', 'starting.awaitingPidfile', after],
  ['startup_pause of 0.5 s passed', 'starting.settling', 'starting.afterStart', after],
  ['SIGKILL', 'stopping.terminating', 'stopping.killing', after, { cause: 'too long' }],
  ['restart 2', 'backoff', 'starting.spawning', after, { restarts: 2, restartLimit: 5 }],
  ['restart', 'backoff', 'starting.spawning', after],
  ['no READY=1', 'starting.x', 'stopping.terminating', after, { cause: 'no READY=1' }],
  ['', 'ready.running', 'ready.x', after, { cause: 'none' }],
  // Failures, and what follows.
  [
    'exit 1; restart 1 of 5 in 2 s',
    'ready.running',
    'backoff',
    after,
    { cause: 'exit 1', restarts: 1, restartLimit: 5, pause: 2_000 },
  ],
  ['exit 1; restart 1 in 3 s', 'ready.running', 'backoff', after, { cause: 'exit 1', restarts: 1 }],
  ['; restart in 3 s', 'ready.running', 'backoff', after],
  ['exit 1', 'ready.running', 'failed', { type: 'unit.leaderExited', ended: 'exit 1' }, { cause: 'exit 1' }],
  ['exit 1; no restart follows (5 of 5)', 'ready.running', 'failed', after, { cause: 'exit 1', noTry: '5 of 5' }],
  ['exit 0; no restart follows (5 of 5)', 'ready.running', 'exited', after, { lastExit: 'exit 0', noTry: '5 of 5' }],
  [
    'exit 0 after 1.2 s',
    'ready.running',
    'exited',
    { type: 'unit.leaderExited', ended: 'exit 0' },
    { lastExit: 'exit 1' },
  ],
  ['every minute', 'starting.arming', 'ready.scheduled', after, { note: 'every minute' }],
  ['', 'starting.arming', 'ready.scheduled', after],
  // Stops.
  ['service.stop', 'pending', 'stopped', stop],
  ['none of its runs goes on', 'ready.scheduled', 'stopping.draining', stop, { running: 0 }],
  ['1 process may finish', 'ready.scheduled', 'stopping.draining', stop, { running: 1 }],
  ['2 processes may finish', 'ready.scheduled', 'stopping.draining', stop, { running: 2 }],
  ['SIGQUIT to pid 7', 'ready.running', 'stopping.terminating', stop, { pid: 7 }],
  ['SIGINT to pid 7', 'ready.running', 'stopping.terminating', stop, { pid: 7, endSignal: 'SIGINT' }],
  [
    ...(['SIGQUIT to pid 7, SIGKILL after 999 ms; db has failed', 'ready.running', 'stopping.terminating'] as const),
    ...([{ ...stop, killAfter: 999, because: 'db has failed' }, { pid: 7 }] as const),
  ],
  ['SIGQUIT was sent to pid 7 before', 'stopping.clearing', 'stopping.terminating', stop, { pid: 7 }],
  ['SIGQUIT to its process', 'starting.spawning', 'stopping.terminating', stop],
  ['SIGQUIT to the command of start_if', 'starting.asking', 'stopping.terminating', stop],
  ['SIGQUIT to what its start left behind', 'starting.x', 'stopping.terminating', stop],
  ['SIGQUIT to what its start left behind', 'ready.exited', 'stopping.terminating', stop],
  ['SIGQUIT to the remaining processes of its run', 'exited', 'stopping.terminating', stop],
  [
    ...(['bye 1 runs, SIGKILL after 1.0 s', 'ready.running', 'stopping.beforeStop'] as const),
    ...([
      { ...stop, killAfter: 1_000 },
      { pid: 7, hook: 'bye 1' },
    ] as const),
  ],
  ['bye 1 runs', 'ready.running', 'stopping.stopCommand', stop, { pid: 7, hook: 'bye 1' }],
  ['bye 1 runs', 'ready.running', 'stopping.afterStop', stop, { pid: 7, hook: 'bye 1' }],
  ['SIGQUIT to pid 7', 'ready.running', 'stopping.beforeStop', stop, { pid: 7 }],
  ['SIGQUIT to init 1', 'starting.beforeStart', 'stopping.terminating', stop, { hook: 'init 1' }],
  ['SIGQUIT to pid 7 and init 1', 'starting.afterStart', 'stopping.terminating', stop, { pid: 7, hook: 'init 1' }],
])('a service is said to have done: "%s", from %s to %s by %j', (detail, ...given) => {
  expect(detailOf(...given)).toBe(detail);
});

describe('a move of a service', () => {
  const start = { type: 'service.start', waitedFor: 'db.service' };

  it('has how long the service had to wait, and for whom, where that is known', () => {
    const moves: readonly Step[] = [
      [10, '─', 'pending', { type: 'xstate.init' }],
      [40, 'pending', 'starting.spawning', start, { pid: 7 }],
      [50, 'starting.spawning', 'starting.settling', { type: 'unit.spawned', pid: 7 }],
    ];
    const [starting, settling] = transitionsOf(web, moves);
    expect(starting).toStrictEqual({
      ...{ at: 40, actor: 'web', from: 'pending', to: 'starting.spawning', event: 'service.start', pid: 7 },
      ...{ waitedFor: 'db', waited: 30, detail: 'was waiting for db, 30 ms' },
    });
    expect(settling).toStrictEqual({
      ...{ at: 50, actor: 'web', from: 'starting.spawning', to: 'starting.settling', event: 'unit.spawned' },
      detail: 'pid 7  /bin/web',
    });
    // The move to `pending` is missing: the line names db, and does not say how long web has waited for it.
    const [late] = transitionsOf(web, moves.slice(1));
    expect(late).toMatchObject({ waitedFor: 'db', detail: 'was waiting for db' });
    expect(late).not.toHaveProperty('waited');
  });

  it('says how long a process has lasted only where no move is missing since its start', () => {
    const ended = { type: 'unit.leaderExited', ended: 'exit 1' };
    const spawned: Step = [10, 'starting.spawning', 'starting.settling', { type: 'unit.spawned', pid: 7 }];
    const detail = (...steps: readonly Step[]) => lastOf(web, steps)?.detail;
    const ready: Step = [20, 'starting.settling', 'ready.running'];
    expect(detail(spawned, ready, [30, 'ready.running', 'exited', ended])).toBe('exit 1 after 20 ms');
    expect(detail(spawned, [30, 'ready.running', 'exited', ended])).toBe('exit 1');
    expect(detail(spawned, [25, 'backoff', 'ready.running'], [30, 'ready.running', 'exited', ended])).toBe('exit 1');
    expect(detail(ready, [30, 'ready.running', 'exited', ended])).toBe('exit 1');
    expect(detail(ready, spawned, [30, 'starting.settling', 'exited', ended])).toBe('exit 1 after 20 ms');
  });

  it('does not count a wait from a notification on', () => {
    const transitions = new Transitions();
    transitions.take({ type: 'notified', seq: 1, at: 2, service: web, message: {} });
    const [line] = transitions.take(moved(web, [40, 'stopped', 'starting.spawning', start]));
    expect(line).toMatchObject({ transition: { detail: 'was waiting for db' } });
  });

  it('is no line where a service is only there, and one where it comes back to that', () => {
    for (const to of ['pending', 'disabled', 'absent']) {
      expect(transitionsOf(web, [[0, '─', to, { type: 'xstate.init' }]])).toEqual([]);
      expect(transitionsOf(web, [[0, 'stopped', to, { type: 'service.reset' }]])).toHaveLength(1);
    }
    expect(transitionsOf(web, [[0, '─', 'stopped', { type: 'xstate.init' }]])).toEqual([
      { at: 0, actor: 'web', from: '─', to: 'stopped', detail: '' },
    ]);
  });

  it('names a timer by its purpose', () => {
    const event = { type: 'xstate.after.clearGrace.service.stopping.clearing' };
    expect(lastOf(web, [[0, 'stopping.clearing', 'stopping.killing', event]])?.event).toBe('after clearGrace');
  });

  it('has the command where somebody knows it', () => {
    const transitions = new Transitions({ commandOf: (service) => (service === web ? 'web --port 80' : undefined) });
    transitions.configure([configured, serviceEntry('db')]);
    const spawned = { type: 'unit.spawned', pid: 7 };
    const detail = (actor: string) =>
      transitions
        .take(moved(actor, [5, 'starting.spawning', 'starting.settling', spawned]))
        .map((line) => (line.kind === 'transition' ? line.transition.detail : ''));
    expect([web, 'db.service', 'other.service'].map(detail)).toEqual([
      ['pid 7  web --port 80'],
      ['pid 7  /bin/db'],
      ['pid 7'],
    ]);
  });
});

describe('transitions', () => {
  const ready = { type: 'readiness.passed' };
  const notified = { type: 'notified', seq: 2, at: 2, service: web, message: { ready: true, status: 'up' } } as const;
  const details = (facts: readonly Fact[], prepare: (transitions: Transitions) => void = () => undefined) => {
    const transitions = new Transitions();
    prepare(transitions);
    return facts.flatMap((fact) =>
      transitions.take(fact).map((line) => (line.kind === 'transition' ? line.transition.detail : line.kind)),
    );
  };

  it('keep what a service has said of itself in this run, until it is taken out', () => {
    const becomes = moved(web, [5, 'starting.awaitingNotify', 'ready.running', ready]);
    const failed = moved(web, [
      5,
      'starting.awaitingNotify',
      'stopping.x',
      { type: 'readiness.failed' },
      { cause: 'late' },
    ]);
    const spawned = moved(web, [4, 'starting.spawning', 'starting.x', { type: 'unit.spawned', pid: 7 }]);
    const errno = { ...notified, message: { errno: 2 } };
    const busError = { ...notified, message: { busError: 'x' } };
    expect(details([notified, becomes])).toEqual(['READY=1  "up"']);
    expect(details([{ ...notified, message: { status: 'up' } }, becomes])).toEqual(['READY=1']);
    expect(details([notified, spawned, becomes])).toEqual(['pid 7', 'READY=1']);
    expect(details([notified, { type: 'service.removed', seq: 3, at: 3, service: web }, becomes])).toEqual(['READY=1']);
    expect(details([errno, failed])).toEqual(['ERRNO=2']);
    expect(details([busError, failed])).toEqual(['BUSERROR=x']);
    expect(details([notified, failed])).toEqual(['late']);
  });

  it('name the request or the reload that has caused a start, for as long as 256 of them', () => {
    const request = (seq: number): Fact => ({ type: 'requested', seq, at: 0, verb: 'restart', services: [web] });
    const start: Fact = { ...moved(web, [9, 'stopped', 'starting.spawning', { type: 'service.start' }], 900), by: 1 };
    const reloaded: Fact = { type: 'reloaded', seq: 1, at: 0 };
    const others = (count: number) => Array.from({ length: count }, (_, index) => request(index + 2));
    expect(details([request(1), start])).toEqual(['asked for by "restart"']);
    expect(details([reloaded, start])).toEqual(['asked for by a reload']);
    expect(details([reloaded, ...others(255), start])).toEqual(['asked for by a reload']);
    expect(details([reloaded, ...others(256), start])).toEqual(['service.start']);
  });

  it('forget everything at another boot', () => {
    const transitions = new Transitions();
    transitions.take({ type: 'reloaded', seq: 1, at: 0 });
    transitions.take(notified);
    transitions.take(moved('db.service', [3, 'pending', 'starting.spawning']));
    transitions.reset();
    const taken = [
      { ...moved(web, [9, 'stopped', 'starting.spawning', { type: 'service.start', waitedFor: 'db.service' }]), by: 1 },
      { ...moved('api.service', [9, 'stopped', 'pending', { type: 'service.start' }]), by: 1 },
      moved(web, [9, 'starting.awaitingNotify', 'ready.running', ready]),
    ].flatMap((fact) => transitions.take(fact));
    expect(taken.map((line) => (line.kind === 'transition' ? line.transition.detail : line.kind))).toEqual([
      'was waiting for db',
      'service.start',
      'READY=1',
    ]);
    const up = transitions.take(moved('system', [10, 'booting.starting', 'up']));
    expect(up[1]).toMatchObject({ criticalChain: [{ service: 'web' }], slowest: [{ service: 'web' }] });
  });

  it('leave a service that was taken out out of the boot', () => {
    const boot: readonly Fact[] = [
      moved(web, [3, 'pending', 'starting.spawning', { type: 'service.start' }]),
      { type: 'service.removed', seq: 4, at: 4, service: web },
      moved('system', [10, 'booting.starting', 'up']),
    ];
    expect(details(boot)).toEqual(['service.start', 'ready in 0.010 s']);
  });

  it('know of a service whose configuration is not known only what its moves say', () => {
    expect(
      details([
        moved(web, [1, 'starting.settling', 'ready.running']),
        moved(web, [2, 'starting.awaitingPidfile', 'ready.running', { ...ready, pid: 8 }]),
        moved(web, [3, 'ready.running', 'backoff', { type: 'x' }, { cause: 'exit 1' }]),
        moved(web, [4, 'ready.running', 'stopping.terminating', { type: 'service.stop' }, { pid: 8 }]),
        moved(web, [5, 'stopping.terminating', 'stopped', { type: 'unit.cleared' }]),
      ]),
    ).toEqual([
      'startup_pause of 0 s passed',
      'pid 8 from its pid file',
      'exit 1; restart in 0 s',
      'SIGTERM to pid 8',
      'nothing of its run is left',
    ]);
  });

  it('tell of a scheduled service that its runs are over', () => {
    const cron = (from: string, to: string) =>
      details([moved(web, [5, from, to, { type: 'unit.cleared' }])], (transitions) =>
        transitions.configure([{ ...configured, type: 'cron' }]),
      );
    expect(cron('stopping.terminating', 'stopped')).toEqual(['nothing runs any more']);
    expect(cron('stopping.draining', 'stopping.clearing')).toEqual(['its runs have finished']);
    expect(cron('starting.x', 'stopped')).toEqual(['nothing of its run is left']);
    expect(cron('stopping.draining', 'stopping.x')).toEqual(['nothing of its run is left']);
  });
});
