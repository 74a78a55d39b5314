/** Shows that each invariant can fail: each test takes a recorded history and falsifies it. */
import { describe, expect, it } from 'vitest';
import type { Fact } from '../../src/facts/fact.ts';
import type { ServiceChange } from '../../src/model/service/service-phase.ts';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
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

const lies: Readonly<Record<InvariantName, () => WorldRun>> = {
  'nothing starts before its prerequisites are ready': () => inserted(0, released('web.service')),
  'nothing starts before the stage before it stands': () => inserted(0, released('last.service')),
  'every start was let go, or is a restart after its pause': () =>
    inserted(0, { kind: 'requested', service: 'db.service', definition: 0 }),
  'nothing starts once shutdown has begun': () => inserted(run.history.length, released('db.service')),
  'nothing waits without a reason': () => misjudged('db.service', { phase: 'pending' }),
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
    inserted(indexOf(isNotice('system.draining')) + 1, changed('db.service', { phase: 'stopping' })),
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
  'a service goes only where its chart leads': () =>
    inserted(0, changed('web.service', { phase: 'ready.running', pid: 2, restarted: false })),
  'a start takes no longer than it may': () =>
    edited(isChangeOf('web.service', 'ready.running'), (entry) => [{ ...entry, own: entry.own + 1 }]),
  'restarts have a limit': () => respecified('flaky.service', { restartLimit: 0 }),
  'a notify service is ready only after it has said so': () =>
    edited(
      (entry) => entry.kind === 'notified',
      () => [],
    ),
  'a service has no more processes at a time than it may': () =>
    inserted(indexOf(isSpawnOfDb) + 1, { kind: 'spawned', id: 999, pid: 999, service: 'db.service' }),
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
    inserted(indexOf(isRequestOfDb), { kind: 'deed', deed: { do: 'disable', names: ['db.service'] } }),
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
  'times never go back': () => refact((fact) => (fact.seq === 20 ? { ...fact, at: fact.at - 1 } : fact)),
  'each cause names a fact that came before': () =>
    refact((fact) => (fact.by === undefined ? fact : { ...fact, by: fact.seq + 1 })),
  'a rebuilt chart goes on as the uninterrupted one': () =>
    edited(
      ({ kind }) => kind === 'rebuilt',
      (entry) => (entry.kind === 'rebuilt' ? [{ ...entry, difference: 'it was here, and is there' }] : [entry]),
    ),
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
