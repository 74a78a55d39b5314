/** Shows that each invariant can fail: each test takes a recorded history and falsifies it. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Fact } from '../../src/facts/fact.ts';
import type { ServiceChange } from '../../src/model/service/service-phase.ts';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import type { SystemNotice } from '../../src/model/service/system-notice.ts';
import { type InvariantName, invariantNames, violations } from './invariants.ts';
import type { ServicePlan, WorldPlan } from './plan.ts';
import { type Entry, type Happening, type Look, runWorld, type WorldRun } from './run-world.ts';

function service(name: string, changes: Partial<ServicePlan> = {}): ServicePlan {
  return {
    name: `${name}.service`,
    type: 'simple',
    groups: [],
    after: [],
    before: [],
    spec: {},
    installed: true,
    programs: [{ steps: [{ do: 'print', text: 'hello\n' }, { do: 'hang' }] }],
    ...changes,
  };
}

const plan: WorldPlan = {
  seed: 0,
  system: {},
  logging: [{}],
  services: [
    service('db'),
    service('web', { after: ['db.service'] }),
    service('migrate', { type: 'oneshot', programs: [{ steps: [{ do: 'exit', code: 0 }] }] }),
    service('tick', {
      type: 'cron',
      spec: { interval: '* * * * * *' },
      programs: [{ steps: [{ do: 'exit', code: 0 }] }],
    }),
    service('api', {
      type: 'notify',
      programs: [{ steps: [{ do: 'wait', ms: 100 }, { do: 'notify', text: 'READY=1' }, { do: 'hang' }] }],
    }),
    service('flaky', {
      spec: { restart: true, restartDelay: 100, ignoreFailures: true },
      programs: [
        {
          steps: [
            { do: 'wait', ms: 1_000 },
            { do: 'exit', code: 1 },
          ],
        },
        { steps: [{ do: 'hang' }] },
      ],
    }),
    // The leader leaves a process in its group that ends later.
    service('slow', {
      programs: [
        {
          steps: [
            {
              do: 'fork',
              script: {
                steps: [{ do: 'hang' }],
                onSignal: {
                  SIGTERM: [
                    { do: 'wait', ms: 1_000 },
                    { do: 'exit', code: 0 },
                  ],
                },
              },
            },
            { do: 'hang' },
          ],
        },
      ],
    }),
    service('last', { groups: ['IDLE'] }),
    service('hooked', {
      spec: {
        killSteps: [
          { signal: 'SIGTERM', pause: 400 },
          { signal: 'SIGINT', pause: 400 },
        ],
        stopTimeout: 800,
      },
      programs: [{ steps: [{ do: 'hang' }], onSignal: { SIGTERM: 'ignore' } }],
      hooks: {
        before_start: [{ mayFail: false, program: { steps: [] } }],
        after_stop: [{ mayFail: false, program: { steps: [{ do: 'wait', ms: 10 }] } }],
      },
    }),
    service('daemon', {
      spec: { pidfile: '/run/daemon.pid' },
      programs: [
        {
          steps: [
            {
              do: 'fork',
              detached: true,
              script: { steps: [{ do: 'write', path: '/run/daemon.pid', text: '$$\n' }, { do: 'hang' }] },
            },
            { do: 'exit', code: 0 },
          ],
        },
      ],
    }),
  ],
  commands: [
    { do: 'restart', names: ['slow.service'], when: { ms: 2_000 } },
    { do: 'log', text: '<13>hello', when: { ms: 4_000 } },
    { do: 'reload', names: ['api.service'], gone: [], when: { ms: 4_500 } },
  ],
  faults: [{ fault: 'rebuilt', when: { ms: 3_500 } }],
  end: 6_000,
};

function honest(): WorldRun {
  const run = runWorld(plan);
  if (run === undefined) throw new Error('the plan contradicts itself');
  return run;
}

const run = honest();

function withHistory(history: readonly Entry[]): WorldRun {
  return { ...run, history };
}

function indexOf(matches: (entry: Entry) => boolean): number {
  const index = run.history.findIndex(matches);
  if (index < 0) throw new Error('nothing of the kind has happened');
  return index;
}

/** The history with more happenings at this place. */
function inserted(index: number, ...happenings: readonly Happening[]): WorldRun {
  const near = run.history[Math.min(index, run.history.length - 1)];
  const entries = happenings.map((each): Entry => ({ at: near?.at ?? 0, own: near?.own ?? 0, ...each }));
  return withHistory(run.history.toSpliced(index, 0, ...entries));
}

function edited(matches: (entry: Entry) => boolean, edit: (entry: Entry) => readonly Entry[]): WorldRun {
  return withHistory(run.history.flatMap((entry) => (matches(entry) ? edit(entry) : [entry])));
}

/** The same for the history with the processes of hooks. */
function editedWhole(matches: (entry: Entry) => boolean, edit: (entry: Entry) => readonly Entry[]): WorldRun {
  return { ...run, whole: run.whole.flatMap((entry) => (matches(entry) ? edit(entry) : [entry])) };
}

/** The history whose looks show a service in another state than it was in. */
function misjudged(name: string, change: Partial<Look['services'][number]>): WorldRun {
  return edited(
    ({ kind }) => kind === 'look',
    (entry) =>
      entry.kind === 'look'
        ? [{ ...entry, services: entry.services.map((each) => (each.name === name ? { ...each, ...change } : each)) }]
        : [entry],
  );
}

function changed(name: string, change: ServiceChange): Happening {
  return { kind: 'notice', notice: { type: 'service.changed', service: name, change, ignoreFailures: false } };
}

function isChangeOf(name: string, phase: ServiceChange['phase']): (entry: Entry) => boolean {
  return ({ kind, ...rest }) =>
    kind === 'notice' &&
    'notice' in rest &&
    rest.notice.type === 'service.changed' &&
    rest.notice.service === name &&
    rest.notice.change.phase === phase;
}

function isNotice(type: string): (entry: Entry) => boolean {
  return (entry) => entry.kind === 'notice' && entry.notice.type === type;
}

function released(name: string): Happening {
  return { kind: 'notice', notice: { type: 'service.released', service: name } };
}

function respecified(name: string, changes: Partial<ServiceSpec>): WorldRun {
  const services = run.spec.services.map((each) => (each.name === name ? { ...each, ...changes } : each));
  return { ...run, spec: { ...run.spec, services } };
}

const isRequestOfDb = (entry: Entry): boolean => entry.kind === 'requested' && entry.service === 'db.service';
const isStartOfDb = (entry: Entry): boolean =>
  entry.kind === 'fact' &&
  entry.fact.type === 'moved' &&
  entry.fact.actor === 'db.service' &&
  entry.fact.to === 'starting.spawning';
const isSpawnOfDb = (entry: Entry): boolean => entry.kind === 'spawned' && entry.service === 'db.service';
const spawnOfDb = run.history.find(isSpawnOfDb);
const idOfDb = spawnOfDb?.kind === 'spawned' ? spawnOfDb.id : 0;
const signalToDb = (signal: 'SIGTERM' | 'SIGKILL'): Happening => ({
  kind: 'signalled',
  id: idOfDb,
  pid: 2,
  root: idOfDb,
  signal,
  service: 'db.service',
});

const isSpawnOf =
  (name: string) =>
  (entry: Entry): boolean =>
    entry.kind === 'spawned' && entry.service === name;
const isDraining = isNotice('system.draining');
const restartOfDb: Happening = { kind: 'deed', deed: { do: 'restart', names: ['db.service'] } };
const failedToStart: ServiceChange = {
  phase: 'failed',
  cause: { kind: 'exit', pid: 2, status: { kind: 'exited', code: 1 } },
  during: 'start',
};

const afterStart = indexOf(isChangeOf('web.service', 'ready.running')) + 1;

function noticed(news: (SystemNotice & { readonly type: 'service.noticed' })['news']): Happening {
  return { kind: 'notice', notice: { type: 'service.noticed', service: 'db.service', news } };
}

/** The same history, of a service with another definition. */
function redefined(name: string, changes: Partial<ServiceSpec>): WorldRun {
  const services = run.spec.services.map((spec) => (spec.name === name ? { ...spec, ...changes } : spec));
  return { ...run, spec: { ...run.spec, services } };
}

const lies: Readonly<Record<InvariantName, () => WorldRun>> = {
  'no hook outlives its service': () =>
    editedWhole(
      (entry) => entry.kind === 'ended' && entry.service.startsWith('hooked:'),
      () => [],
    ),
  'hooks run in their order, one after another': () =>
    editedWhole(
      (entry) => entry.kind === 'spawned' && entry.service === 'hooked:before_start:1.service',
      (entry) => [{ ...entry, service: 'hooked:after_start:1.service' }],
    ),
  'after_stop follows each run exactly once': () =>
    editedWhole(
      (entry) => entry.kind === 'requested' && entry.service === 'hooked:after_stop:1.service',
      (entry) => [entry, entry],
    ),
  'no signal of a stop comes before its pause': () =>
    editedWhole(
      (entry) => entry.kind === 'sends' && entry.service === 'hooked.service' && entry.signal === 'SIGINT',
      (entry) => [{ ...entry, own: entry.own - 10 }],
    ),
  'nothing starts before its prerequisites are ready': () => inserted(0, released('web.service')),
  'nothing starts before the stage before it stands': () => inserted(0, released('last.service')),
  'every start was let go, or is a restart after its pause': () =>
    inserted(0, { kind: 'requested', service: 'db.service', definition: 0 }),
  'a service reads what others write to it, each line once and in order': () =>
    inserted(0, { kind: 'took', service: 'db.service', text: 'hello\n' }),
  'nothing starts once shutdown has begun': () => inserted(run.history.length, released('db.service')),
  'nothing waits without a reason': () => misjudged('db.service', { phase: 'pending' }),
  'no secret is told to anybody but its service': () => ({ ...run, end: { ...run.end, leaks: ['the log'] } }),
  'whoever starts has what is read for it': () => ({ ...run, end: { ...run.end, unfed: ['db.service'] } }),
  'every started process is waited for': () =>
    edited(
      (entry) => entry.kind === 'reaped',
      () => [],
    ),
  'an end is told of the one that has ended': () =>
    edited(
      (entry) => entry.kind === 'ended' && entry.service === 'flaky.service',
      (entry) => [{ ...entry, pid: 999 }],
    ),
  'shutdown ends within its budget': () =>
    edited(isNotice('system.halted'), (entry) => [{ ...entry, own: entry.own + 10_000 }]),
  'every service gets its own signal before SIGKILL': () =>
    edited(
      (entry) => entry.kind === 'signalled' && entry.signal === 'SIGTERM',
      (entry) => [{ ...entry, signal: 'SIGKILL' }],
    ),
  'SIGKILL leaves time to end': () =>
    inserted(indexOf(isNotice('system.draining')), signalToDb('SIGTERM'), signalToDb('SIGKILL')),
  'dependents stop before what they depend on': () =>
    inserted(
      indexOf(isNotice('system.draining')) + 1,
      { kind: 'told', service: 'db.service', by: 'stop' },
      changed('db.service', { phase: 'stopping' }),
    ),
  'the exit status tells the cause': () => ({
    ...run,
    end: { ...run.end, output: run.end.output && { ...run.end.output, exitStatus: 1 } },
  }),
  'no timer, subscription, actor or descriptor is left': () => ({ ...run, end: { ...run.end, timers: [50] } }),
  'every accepted log record was written or counted': () => ({
    ...run,
    end: { ...run.end, sinks: run.end.sinks.map((sink) => ({ ...sink, written: sink.written - 1 })) },
  }),
  'every event is answered by the state it arrives in': () =>
    inserted(0, { kind: 'unanswered', actor: 'service:db', state: 'pending', event: 'unit.leaderExited' }),
  'status never contradicts the process table': () => misjudged('db.service', { pid: 999 }),
  'why names whoever holds a service up': () => ({
    ...misjudged('web.service', { phase: 'pending', owner: 'db' }),
    spec: redefined('web.service', { prerequisites: ['db.service'] }).spec,
  }),
  'a service goes only where its chart leads': () =>
    inserted(0, changed('web.service', { phase: 'ready.running', pid: 2, restarted: false })),
  'a start takes no longer than it may': () =>
    edited(isChangeOf('web.service', 'ready.running'), (entry) => [{ ...entry, own: entry.own + 1 }]),
  'restarts have a limit, and a reason': () => respecified('flaky.service', { restartLimit: 0 }),
  'a restart pause is as long as the policy says': () => respecified('flaky.service', { restartDelay: 5_000 }),
  'a stop by hand is answered by no policy': () =>
    inserted(
      indexOf(isDraining),
      { kind: 'deed', deed: { do: 'stop', names: ['db.service'], disable: false } },
      changed('db.service', { phase: 'starting', serial: 2 }),
    ),
  'a notify service is ready only after it has said so': () =>
    edited(
      (entry) => entry.kind === 'notified',
      () => [],
    ),
  'a service has no more processes at a time than it may': () =>
    inserted(indexOf(isSpawnOfDb) + 1, { kind: 'spawned', id: 999, pid: 999, service: 'db.service' }),
  'a skipped service runs no process': () => redefined('db.service', { startIf: { kind: 'file', path: '/run/never' } }),
  'nothing runs longer than max_runtime and its stop': () => redefined('db.service', { maxRuntime: 1 }),
  'every accepted connection ends': () => inserted(0, { kind: 'accepted', service: 'db.service', connection: 1 }),
  'a signal by hand reaches the process that it names': () =>
    inserted(indexOf(isDraining), {
      kind: 'deed',
      deed: { do: 'kill', name: 'db.service', signal: 'SIGUSR2' },
      pid: spawnOfDb?.kind === 'spawned' ? spawnOfDb.pid : 0,
    }),
  'a stop that was asked for is carried out': () => {
    const { history } = inserted(afterStart, {
      kind: 'deed',
      deed: { do: 'stop', names: ['db.service'], disable: false },
    });
    return withHistory(
      history.map((entry, index) => (index > afterStart ? { ...entry, own: entry.own + 1e6 } : entry)),
    );
  },
  'the log says of each end what it was': () =>
    editedWhole(
      (entry) => entry.kind === 'said',
      (entry) => [{ ...entry, kind: 'said', pid: 2, status: '<ProcStatus exit_status=9>', text: 'exit 9' }],
    ),
  'a run that is said to begin begins': () => {
    const { history } = inserted(
      afterStart,
      { kind: 'deed', deed: { do: 'run-now', name: 'db.service' } },
      noticed({ kind: 'runAsked', request: 1, answer: 'begun' }),
    );
    return { ...run, history, whole: history };
  },
  'a reload that is said to be done has reached the service': () =>
    inserted(
      0,
      { kind: 'deed', deed: { do: 'reload-service', name: 'db.service' } },
      noticed({ kind: 'reloaded', request: 1, outcome: { kind: 'done', took: 1 } }),
    ),
  'the system ends when it is said to': () => inserted(0, { kind: 'deed', deed: { do: 'shutdown', delay: 0 } }),
  'a run and a reload by hand are answered': () =>
    inserted(0, {
      kind: 'fact',
      fact: { type: 'requested', verb: 'reload', services: ['db.service'], seq: 0, at: 0 },
    }),
  'a cron or inetd service fails only at its start': () =>
    inserted(
      indexOf(isNotice('system.draining')),
      changed('tick.service', {
        phase: 'exited',
        end: { pid: 2, status: { kind: 'exited', code: 0 }, ran: 0 },
        restarted: false,
        wasReady: false,
      }),
    ),
  'status tells the time at which a schedule will run': () =>
    edited(
      (entry) => entry.kind === 'look',
      (entry) => [
        entry.kind !== 'look'
          ? entry
          : {
              ...entry,
              services: entry.services.map((each) =>
                each.due === undefined ? each : { ...each, due: each.due + 100 },
              ),
            },
      ],
    ),
  'detect_exit ends what is idle, and nothing that lives': () =>
    edited(isNotice('system.draining'), (entry) => [
      {
        at: entry.at,
        own: entry.own,
        kind: 'notice',
        notice: { type: 'system.draining', end: { kind: 'noProcesses' } },
      },
    ]),
  'a stop in order leaves no pidfile that the service has written': () => ({
    ...run,
    end: { ...run.end, pidfiles: { 'daemon.service': '7\n' } },
  }),
  'after a reload the system equals a fresh boot': () =>
    edited(isRequestOfDb, (entry) => [
      { at: 0, own: 0, kind: 'reloaded', nth: 1, names: ['db.service'], gone: [], force: false },
      entry,
    ]),
  'a reload keeps nobody down for somebody it has no edge with': () => {
    const reload: Happening = { kind: 'reloaded', nth: 9, names: ['db.service'], gone: [], force: false };
    const look = run.history.find(({ kind }) => kind === 'look');
    if (look?.kind !== 'look') throw new Error('nobody has looked');
    const services = look.services.map((each) =>
      each.name === 'api.service' ? { ...each, phase: 'pending' as const } : each,
    );
    return inserted(indexOf(isChangeOf('web.service', 'ready.running')), reload, { ...look, services });
  },
  // The process in the group of `slow` is made to end only after the next start.
  'nothing of a run lives when it is over': () => {
    const child = run.history.find((entry) => entry.kind === 'forked' && entry.service === 'slow.service');
    const id = child?.kind === 'forked' ? child.id : 0;
    return edited(
      (entry) => entry.kind === 'ended' && entry.id === id,
      () => [],
    );
  },
  'what a run has left behind is ended by nobody but a stop, a reset and the shutdown': () =>
    inserted(indexOf(isDraining), { kind: 'sends', service: 'tick.service', signal: 'SIGTERM', purpose: 'stop' }),
  'a pid has one owner': () => {
    const spawn = run.history.find(isSpawnOf('web.service'));
    return misjudged('db.service', { pid: spawn?.kind === 'spawned' ? spawn.pid : 0 });
  },
  'no datagram of a stranger changes a service': () => {
    const fault = {
      fault: 'intruder',
      service: 'api.service',
      texts: ['ERRNO=5'],
      from: 'itself',
      descriptors: 1,
      of: 'db.service',
      pidfile: '',
      duration: 100,
      when: { ms: 1_000 },
    } as const;
    const attacked = runWorld({ ...plan, faults: [fault] });
    if (attacked === undefined) throw new Error('the plan contradicts itself');
    expect(violations(attacked)).toEqual([]);
    const last = attacked.history.at(-1);
    return { ...attacked, history: [...attacked.history, ...(last === undefined ? [] : [last])] };
  },
  'nobody follows or signals a process that has entered from outside': () =>
    inserted(
      indexOf(isDraining),
      { kind: 'entered', id: 900, pid: 900 },
      { kind: 'leads', service: 'db.service', pid: 900, group: 900 },
    ),
  'nothing is stopped that could not be started again': () =>
    inserted(
      indexOf(isChangeOf('web.service', 'ready.running')) + 1,
      changed('db.service', { phase: 'stopping' }),
      changed('db.service', { phase: 'stopped' }),
      { kind: 'deed', deed: { do: 'restart', names: ['web.service'] } },
    ),
  'every signal to a service was asked for by its unit': () =>
    edited(
      (entry) => entry.kind === 'sends' && entry.service === 'db.service',
      () => [],
    ),
  'a process is asked to end once': () => inserted(indexOf(isDraining), signalToDb('SIGTERM')),
  'what is disabled never starts unasked': () =>
    editedWhole(isStartOfDb, (entry) => {
      const { at, own } = entry;
      return [{ at, own, kind: 'deed', deed: { do: 'disable', names: ['db.service'] } }, entry];
    }),
  'a start that was asked for is never forgotten': () =>
    edited(isDraining, (entry) => {
      const look = run.history.find(({ kind }) => kind === 'look');
      if (look?.kind !== 'look') throw new Error('nobody has looked');
      const services = look.services.map((each) =>
        each.name === 'db.service' ? { ...each, phase: 'stopped' as const } : each,
      );
      const { at, own } = entry;
      return [
        { at, own, ...changed('db.service', { phase: 'stopping' }) },
        { at, own, ...restartOfDb },
        { at, own, ...changed('db.service', { phase: 'stopped' }) },
        { ...look, at, own, services },
        entry,
      ];
    }),
  'an end in doubt is no failed start': () =>
    inserted(
      indexOf(isDraining),
      {
        kind: 'ended',
        id: idOfDb,
        pid: 2,
        status: { kind: 'exited', code: 1 },
        child: true,
        service: 'db.service',
      },
      changed('db.service', failedToStart),
    ),
  'SIGKILL comes when the time of a stop is up': () =>
    inserted(
      indexOf(isDraining) + 1,
      { kind: 'told', service: 'db.service', by: 'stop', killAfter: 1_000 },
      { kind: 'sends', service: 'db.service', signal: 'SIGTERM', purpose: 'stop' },
      { kind: 'sends', service: 'db.service', signal: 'SIGKILL', purpose: 'stop' },
    ),
  'a stop ends what runs, and only a drain lets it finish': () =>
    inserted(indexOf(isDraining), { kind: 'told', service: 'tick.service', by: 'stop' }),
  'what fails with on_failure: shutdown ends the system': () => {
    const early = inserted(indexOf(isChangeOf('web.service', 'ready.running')), changed('db.service', failedToStart));
    const { services } = respecified('db.service', { onFailure: 'shutdown' }).spec;
    return { ...early, spec: { ...run.spec, services } };
  },
  'nobody runs on whose prerequisite has left its stage, unless it keeps on': () => {
    const early = inserted(
      indexOf(isChangeOf('web.service', 'ready.running')) + 1,
      changed('db.service', { phase: 'stopping' }),
    );
    const ties = { 'db.service': { kind: 'requires', stages: ['ready'] } } as const;
    return { ...early, spec: respecified('web.service', { ties }).spec };
  },
  'what a prerequisite does is what the directives say, and names its cause': () => {
    const cause = { prerequisite: 'db.service', how: 'crashed' } as const;
    const fact: Fact = { seq: 9_999, at: 0, type: 'service.tied', service: 'web.service', cause, consequence: 'stop' };
    return inserted(indexOf(isDraining), { kind: 'fact', fact });
  },
  'nobody waits for ever for one that it only wants': () =>
    inserted(indexOf(isDraining), {
      kind: 'notice',
      notice: { type: 'service.blocked', service: 'db.service', roots: ['api.service'] },
    }),
  'what ends normally with on_success: shutdown ends the system': () =>
    respecified('migrate.service', { onSuccess: 'shutdown' }),
  'times never go back': () => refact((fact) => (fact.seq === 20 ? { ...fact, at: fact.at - 1 } : fact)),
  'each cause names a fact that came before': () =>
    refact((fact) => (fact.by === undefined ? fact : { ...fact, by: fact.seq + 1 })),
  'a rebuilt chart goes on as the uninterrupted one': () =>
    edited(
      ({ kind }) => kind === 'rebuilt',
      (entry) => (entry.kind === 'rebuilt' ? [{ ...entry, difference: 'it was here, and is there' }] : [entry]),
    ),
  'no probe runs for a service that does not': () => inserted(0, { kind: 'asked', service: 'db.service' }),
  'no probe outlives its service': () =>
    inserted(
      indexOf(isChangeOf('db.service', 'stopping')),
      { kind: 'spawned', id: 9_000, pid: 9_000, service: 'probe:db.service' },
      { kind: 'begun', id: 9_000 },
    ),
  'unhealthy is answered as on_unhealthy says': () =>
    inserted(indexOf(isChangeOf('db.service', 'stopping')), {
      kind: 'notice',
      notice: {
        type: 'service.unhealthy',
        service: 'db.service',
        cause: { kind: 'unhealthy', probe: 'tcp localhost:80', reason: 'ECONNREFUSED', pid: 2 },
        answer: 'restart',
      },
    }),
  'a service with probes is ready only once they have passed': () =>
    respecified('db.service', {
      ready: {
        kind: 'probe',
        check: { kind: 'tcp', host: 'localhost', port: 80 },
        interval: 100,
        longest: 1_000,
        timeout: 1_000,
        retries: 1,
        startPeriod: 0,
      },
    }),
  'the system ends, and nothing in it breaks': () => ({ ...run, end: { ...run.end, error: 'internal error' } }),
};

/** The history with changed facts. */
function refact(change: (fact: Fact) => Fact): WorldRun {
  const history = run.history.map((entry) => (entry.kind === 'fact' ? { ...entry, fact: change(entry.fact) } : entry));
  return { ...run, history };
}

describe('the invariants', () => {
  it('hold for what really happened', () => {
    expect(violations(run)).toEqual([]);
    expect(new Set(run.history.map(({ kind }) => kind))).toContain('look');
  });

  it.each(invariantNames)('are broken by a lie: %s', (name) => {
    expect(violations(lies[name]()).map(({ invariant }) => invariant)).toContain(name);
  });
});

/** A world in which an invariant once judged too strictly, run again. */
function keptWorld(file: string): WorldRun {
  const path = fileURLToPath(new URL(`kept/${file}.json`, import.meta.url));
  const again = runWorld(JSON.parse(readFileSync(path, 'utf8')));
  if (again === undefined) throw new Error(`${file} contradicts itself`);
  return again;
}

/** What happened, in the eyes of both views of a history. */
function rewritten(world: WorldRun, rewrite: (entries: readonly Entry[]) => readonly Entry[]): WorldRun {
  return { ...world, history: rewrite(world.history), whole: rewrite(world.whole) };
}

function without(world: WorldRun, matches: (entry: Entry) => boolean): WorldRun {
  return rewritten(world, (entries) => entries.filter((entry) => !matches(entry)));
}

/** The world with the first such entry at its very beginning. */
function broughtForward(world: WorldRun, matches: (entry: Entry) => boolean): WorldRun {
  return rewritten(world, (entries) => {
    const found = entries.find(matches);
    if (found === undefined) throw new Error('nothing of the kind has happened');
    return [{ ...found, at: 0, own: 0 }, ...entries.filter((entry) => entry !== found)];
  });
}

function withSpecs(world: WorldRun, changes: Partial<ServiceSpec>): WorldRun {
  return { ...world, spec: { ...world.spec, services: world.spec.services.map((each) => ({ ...each, ...changes })) } };
}

const isDeed =
  (what: string) =>
  (entry: Entry): boolean =>
    entry.kind === 'deed' && entry.deed.do === what;

describe('an invariant that a kept world has made more lenient', () => {
  it.each<{
    readonly file: string;
    readonly invariant: InvariantName;
    readonly lie: string;
    readonly tell: (world: WorldRun) => WorldRun;
  }>([
    {
      file: 'several-signals-for-a-command-of-start-if',
      invariant: 'a process is asked to end once',
      lie: 'the stop of the service has one signal',
      tell: (world) => {
        const services = world.spec.services.map(({ killSteps: _, ...spec }) => spec);
        return { ...world, spec: { ...world.spec, services } };
      },
    },
    {
      file: 'several-signals-for-a-command-of-start-if',
      invariant: 'no signal of a stop comes before its pause',
      lie: 'the pause between the signals is longer',
      tell: (world) =>
        withSpecs(world, {
          killSteps: [
            { signal: 'SIGTERM', pause: 101 },
            { signal: 'SIGUSR1', pause: 500 },
          ],
        }),
    },
    {
      file: 'up-again-after-after-stop-by-mainpid',
      invariant: 'hooks run in their order, one after another',
      lie: 'nobody has named itself',
      tell: (world) => without(world, ({ kind, ...rest }) => kind === 'fact' && 'fact' in rest && isRise(rest.fact)),
    },
    {
      file: 'up-again-after-after-stop-by-mainpid',
      invariant: 'after_stop follows each run exactly once',
      lie: 'after_stop does not follow the end of the one that has named itself',
      tell: (world) =>
        without(
          world,
          ({ kind, at, ...rest }) =>
            kind === 'requested' && 'service' in rest && rest.service === 's2:after_stop:1.service' && at > 9_000,
        ),
    },
    {
      file: 'disabled-between-its-conditions-and-its-hooks',
      invariant: 'what is disabled never starts unasked',
      lie: 'it was disabled before its conditions were asked',
      tell: (world) => broughtForward(world, isDeed('disable')),
    },
    {
      file: 'disabled-while-a-reload-starts-it',
      invariant: 'what is disabled never starts unasked',
      lie: 'it was disabled before its first start',
      tell: (world) => broughtForward(world, isDeed('disable')),
    },
    {
      file: 'disabled-one-reads-its-values-for-a-reload',
      invariant: 'what is disabled never starts unasked',
      lie: 'it was disabled before it started',
      tell: (world) => broughtForward(world, isDeed('disable')),
    },
    {
      file: 'fails-before-a-reload-replaces-it',
      invariant: 'the exit status tells the cause',
      lie: 'no reload came',
      tell: (world) => without(world, ({ kind }) => kind === 'reloaded'),
    },
    {
      file: 'fails-once-its-prerequisite-is-back',
      invariant: 'the exit status tells the cause',
      lie: 'it was never ready before',
      tell: (world) => without(world, isChangeOf('s5.service', 'ready.exited')),
    },
    {
      file: 'max-runtime-with-a-long-stop-timeout',
      invariant: 'nothing runs longer than max_runtime and its stop',
      lie: 'its stop may take 5 s',
      tell: (world) => withSpecs(world, { stopTimeout: 5_000 }),
    },
    {
      file: 'probe-of-ready-while-the-system-ends',
      invariant: 'nothing starts once shutdown has begun',
      lie: 'the service of the probe is up',
      tell: (world) =>
        rewritten(world, (entries) =>
          entries.flatMap((entry) =>
            isDraining(entry) ? [{ at: entry.at, own: entry.own, ...changed('s2.service', runs) }, entry] : [entry],
          ),
        ),
    },
    {
      file: 'first-signal-when-a-second-one-was-due',
      invariant: 'SIGKILL comes when the time of a stop is up',
      lie: 'the stop has more time',
      tell: (world) => withSpecs(world, { stopTimeout: 700 }),
    },
  ])('still finds where $lie ($invariant)', ({ file, invariant, tell }) => {
    const world = keptWorld(file);
    expect(violations(world)).toEqual([]);
    expect(violations(tell(world)).map((each) => each.invariant)).toContain(invariant);
  });
});

const runs: ServiceChange = { phase: 'ready.running', pid: 2, restarted: false };

function isRise(fact: Fact): boolean {
  return fact.type === 'moved' && fact.from === 'exited' && fact.to === 'ready.running';
}
