import { describe, expect, it } from 'vitest';
import type { Entry, ServiceEntry } from '../../src/inspect/entry.ts';
import type { News } from '../../src/inspect/hub.ts';
import { Transcript, type TranscriptOptions } from '../../src/inspect/transcript.ts';
import type { SystemSpec } from '../../src/model/service/service-spec.ts';
import type { Json, JsonObject } from '../../src/model/words/json.ts';
import type { Script } from '../../src/runtime/simulated/script.ts';
import { simpleService, systemOf } from '../simulation/world.ts';
import { bootWith, numbered, withFacts } from './entries.ts';
import { recorded } from './recorded.ts';

type EventView = JsonObject & { readonly type: string };

const scripts: Readonly<Record<string, Script>> = {
  prepare: { steps: [{ do: 'wait', ms: 15 }] },
  store: { steps: [{ do: 'wait', ms: 140 }, { do: 'notify', text: 'READY=1\nSTATUS=listening' }, { do: 'hang' }] },
  flaky: {
    steps: [
      { do: 'wait', ms: 700 },
      { do: 'exit', code: 3 },
    ],
  },
};

const spec: SystemSpec = systemOf([
  simpleService('prepare', { type: 'oneshot' }),
  simpleService('store', { type: 'notify', prerequisites: ['prepare.service'] }),
  simpleService('flaky', { prerequisites: ['store.service'], restart: true, restartLimit: 2, ignoreFailures: true }),
  simpleService('off', { enabled: false }),
]);

function bootOf(): readonly Entry[] {
  return recorded(spec, { has: () => true, script: ([name = '']) => scripts[name] });
}

function write(entries: readonly Entry[], options: TranscriptOptions): string {
  const transcript = new Transcript(options);
  return entries.map((entry) => transcript.write(entry)).join('');
}

describe('a transcript of a boot in virtual time', () => {
  it('is for people', async () => {
    await expect(write(bootOf(), { format: 'text' })).toMatchFileSnapshot('../golden/inspect-text.txt');
  });

  it('is for programs', async () => {
    const text = write(bootOf(), { format: 'json' });
    await expect(text).toMatchFileSnapshot('../golden/inspect-json.txt');
    for (const line of text.trimEnd().split('\n')) expect(JSON.parse(line)).toHaveProperty('at');
  });

  it('has of the services only those that are asked for, and the system', () => {
    const all = write(bootOf(), { format: 'json' }).trimEnd().split('\n');
    const actors = (services: readonly string[]) => {
      const lines = write(bootOf(), { format: 'json', services }).trimEnd().split('\n');
      return new Set(lines.map((line) => /"actor":"([^"]*)"/.exec(line)?.[1]));
    };
    expect(all.length).toBeGreaterThan(20);
    expect(actors(['store'])).toEqual(new Set(['system', 'store', undefined]));
    expect(actors(['store.service', 'f*'])).toEqual(new Set(['system', 'store', 'flaky', undefined]));
    expect(actors(['nobody'])).toEqual(new Set(['system', undefined]));
    expect(write(bootOf(), { format: 'text', services: ['nobody'] })).toContain('critical chain: ');
  });

  it('has the command where somebody knows it', () => {
    const text = write(bootOf(), { format: 'text', commandOf: (service) => `run ${service}\nnow` });
    expect(text).toMatch(/store .*pid \d+ {2}run store\.service now$/m);
  });

  it('shows how everything came to where it stands to who comes late', () => {
    const entries = bootOf();
    const past = entries.filter(({ type }) => type === '@chaperone.boot' || type === '@chaperone.fact');
    expect(write(past, { format: 'text' })).toBe(write(entries, { format: 'text' }));
  });

  it('says of a start who has asked for it', () => {
    const move = {
      type: 'moved',
      actor: 'web.service',
      from: 'stopped',
      to: 'starting.spawning',
      context: {},
    } as const;
    const start = { ...move, event: { type: 'service.start' } };
    const text = write(
      numbered([
        bootWith([service]),
        {
          type: '@chaperone.fact',
          fact: { type: 'requested', seq: 1, at: 0, verb: 'restart', services: ['web.service'] },
        },
        { type: '@chaperone.fact', fact: { ...start, seq: 2, at: 0, by: 1 } },
        { type: '@chaperone.fact', fact: { type: 'reloaded', seq: 3, at: 0 } },
        { type: '@chaperone.fact', fact: { ...start, seq: 4, at: 0, by: 3 } },
        { type: '@chaperone.fact', fact: { ...start, seq: 5, at: 0 } },
      ]),
      { format: 'json' },
    );
    expect(text.trimEnd().split('\n').map(detailIn)).toEqual([
      'asked for by "restart"',
      'asked for by a reload',
      'service.start',
    ]);
  });
});

const service: ServiceEntry = {
  name: 'web.service',
  type: 'notify',
  enabled: true,
  groups: [],
  program: '/bin/web',
  waitsFor: [],
  layer: 0,
  ignoreFailures: false,
  killSignal: 'SIGQUIT',
  startupPause: 500,
  restart: { limit: 5, delay: 3_000 },
  pidfile: '/run/web.pid',
};

/** The detail of one step of a service. */
function detailOf(
  value: string | Readonly<Record<string, string>>,
  event: Extract<Entry, { type: '@xstate.snapshot' }>['event'],
  context: Readonly<Record<string, string | number>> = {},
): string {
  const news: readonly News[] = [
    bootWith([service]),
    {
      type: '@xstate.actor',
      sessionId: 'x:1',
      name: 'web.service',
      machine: 'service',
      snapshot: { status: 'active', value: 'pending' },
    },
    {
      type: '@xstate.snapshot',
      sessionId: 'x:1',
      event,
      snapshot: { status: 'active', value, context: { service: 'web.service', ...context } },
    },
  ];
  return detailIn(
    write(withFacts(numbered(news)), { format: 'json' })
      .trimEnd()
      .split('\n')
      .at(-1) ?? '{}',
  );
}

function detailIn(line: string): string {
  const parsed: unknown = JSON.parse(line);
  return typeof parsed === 'object' && parsed !== null && 'detail' in parsed ? String(parsed.detail) : '';
}

describe('what a step of a service means', () => {
  it.each<[string, Parameters<typeof detailOf>]>([
    ['service.start', [{ starting: 'spawning' }, { type: 'service.start' }]],
    ['was waiting for store, 10 ms', [{ starting: 'spawning' }, { type: 'service.start', waitedFor: 'store.service' }]],
    ['pid 7  /bin/web', [{ starting: 'awaitingNotify' }, { type: 'unit.spawned', pid: 7 }]],
    ['no such thing', [{ starting: 'x' }, { type: 'unit.spawnFailed', error: 'no such thing' }]],
    ['exit 0 after 10 ms', [{ ready: 'exited' }, { type: 'unit.leaderExited', ended: 'exit 0' }]],
    ['exit 0 after 10 ms', ['exited', { type: 'unit.leaderExited', ended: 'exit 0' }]],
    [
      'exit 1 after 10 ms; 2 processes of its run are left',
      [{ stopping: 'clearing' }, { type: 'unit.leaderExited', ended: 'exit 1', left: 2 }],
    ],
    [
      'exit 1 after 10 ms; 1 process of its run is left',
      [{ stopping: 'clearing' }, { type: 'unit.leaderExited', ended: 'exit 1', left: 1 }],
    ],
    ['startup_pause of 0.5 s passed', [{ ready: 'running' }, { type: 'unit.leaderExited', ended: 'exit 1', left: 0 }]],
    ['nothing of its run is left', ['stopped', { type: 'unit.cleared' }]],
    ['exit 1', ['failed', { type: 'unit.cleared' }, { cause: 'exit 1' }]],
    ['READY=1  "up"', [{ ready: 'running' }, { type: 'notify.received', message: { ready: true, status: 'up' } }]],
    [
      'STOPPING=1  ERRNO=2  BUSERROR=x  MAINPID=4  WATCHDOG=trigger',
      [
        { stopping: 'terminating' },
        {
          type: 'notify.received',
          message: { stopping: true, errno: 2, busError: 'x', mainPid: 4, watchdog: 'trigger' },
        },
      ],
    ],
    ['pid 7 from /run/web.pid', [{ ready: 'running' }, { type: 'readiness.passed', pid: 7 }]],
    ['READY=1', [{ ready: 'running' }, { type: 'readiness.passed' }]],
    ['no READY=1', [{ stopping: 'clearing' }, { type: 'readiness.failed' }, { cause: 'no READY=1' }]],
    ['pid 7 has ended meanwhile', [{ stopping: 'clearing' }, { type: 'leader.missed', pid: 7 }]],
    ['startup_pause of 0.5 s passed', [{ ready: 'running' }, { type: 'xstate.after.startupPause.x' }]],
    ['restart 2', [{ starting: 'spawning' }, { type: 'xstate.after.restartDelay.x' }, { restarts: 2 }]],
    ['no READY=1', [{ stopping: 'terminating' }, { type: 'xstate.after.untilDeadline.x' }, { cause: 'no READY=1' }]],
    ['no WATCHDOG=1', [{ stopping: 'terminating' }, { type: 'watchdog.missed' }, { cause: 'no WATCHDOG=1' }]],
    [
      'exit 1; restart 1 of 5 in 3 s',
      ['backoff', { type: 'unit.leaderExited', ended: 'exit 1' }, { cause: 'exit 1', restarts: 1, restartLimit: 5 }],
    ],
    ['exit 1', ['failed', { type: 'unit.leaderExited', ended: 'exit 1' }, { cause: 'exit 1' }]],
    ['service.stop', ['stopped', { type: 'service.stop', killAfter: 100 }]],
    [
      'SIGQUIT to pid 7, SIGKILL after 1.5 s',
      [{ stopping: 'terminating' }, { type: 'service.stop', killAfter: 1_500 }, { pid: 7 }],
    ],
    [
      'SIGQUIT to the remaining processes of its run, SIGKILL after 100 ms',
      [{ stopping: 'terminating' }, { type: 'service.stop', killAfter: 100 }],
    ],
    [
      'none of its runs goes on',
      [{ stopping: 'terminating' }, { type: 'service.stop', killAfter: 100 }, { running: 0 }],
    ],
    [
      'SIGQUIT to 1 process, SIGKILL after 100 ms',
      [{ stopping: 'terminating' }, { type: 'service.stop', killAfter: 100 }, { running: 1 }],
    ],
    ['none of its runs goes on', [{ stopping: 'draining' }, { type: 'service.stop', drain: true }, { running: 0 }]],
    ['2 processes may finish', [{ stopping: 'draining' }, { type: 'service.stop', drain: true }, { running: 2 }]],
    ['SIGKILL', [{ stopping: 'killing' }, { type: 'service.kill' }]],
    ['SIGKILL', [{ stopping: 'killing' }, { type: 'xstate.after.clearGrace.x' }, { cause: 'exit 1' }]],
    ['the system is ending', ['stopped', { type: 'service.retire' }]],
    ['service.reset', ['stopped', { type: 'service.reset', killAfter: 0 }]],
    ['every minute', [{ ready: 'scheduled' }, { type: 'trigger.armed' }, { note: 'every minute' }]],
    ['', [{ stopping: 'terminating' }, { type: 'xstate.done.actor.x' }]],
    ['a b \\x1b[31m', [{ starting: 'x' }, { type: 'unit.spawnFailed', error: 'a\n  b \u001b[31m' }]],
  ])('%s', (detail, given) => {
    expect(detailOf(...given)).toBe(detail);
  });
});

/** The details of one actor's steps, each in an instant of its own unless it is said to come with the one before. */
function detailsOf(
  machine: 'service' | 'scheduled',
  steps: readonly (readonly [Entry['at'], Json, EventView, JsonObject?])[],
) {
  const transcript = new Transcript({ format: 'json' });
  const type = machine === 'scheduled' ? 'cron' : service.type;
  const boot: Entry = { seq: 1, at: 0, ...bootWith([{ ...service, type }]) };
  const actor: Entry = {
    ...{ seq: 2, at: 0, type: '@xstate.actor', sessionId: 'x:1', name: 'web.service', machine },
    snapshot: { status: 'active', value: 'pending' },
  };
  const snapshots = steps.map(
    ([at, value, event, more], index): Entry => ({
      ...{ seq: 3 + index, at, type: '@xstate.snapshot', sessionId: 'x:1', event },
      snapshot: { status: 'active', value, context: { service: 'web.service', ...more } },
    }),
  );
  const text = withFacts([boot, actor, ...snapshots])
    .map((entry) => transcript.write(entry))
    .join('');
  return text.trimEnd().split('\n').map(detailIn);
}

describe('what a service has said to become ready, or failed', () => {
  const waits = { starting: 'awaitingNotify' };
  const said = { type: 'notify.received', message: { ready: true, status: 'up' } };

  it('is what it said last, however long the verdict takes', () => {
    expect(
      detailsOf('service', [
        [1, waits, { type: 'unit.spawned', pid: 7 }],
        [5, waits, said],
        [5.4, { ready: 'running' }, { type: 'readiness.passed' }],
      ]),
    ).toEqual(['pid 7  /bin/web', 'READY=1  "up"']);
    expect(
      detailsOf('service', [
        [5, waits, { type: 'notify.received', message: { errno: 2 } }],
        [5, { stopping: 'clearing' }, { type: 'readiness.failed', cause: 'ERRNO=2' }],
      ]).at(-1),
    ).toBe('ERRNO=2');
  });

  it.each([
    ['that says nothing of it', [4, 'backoff', { type: 'notify.received', message: { status: 'up' } }]],
    ['of its last run', [4, 'backoff', said]],
  ] as const)('is not a notice %s', (_, notice) => {
    expect(
      detailsOf('service', [
        notice,
        [4, waits, { type: 'unit.spawned', pid: 7 }],
        [5, { ready: 'running' }, { type: 'readiness.passed' }],
      ]).at(-1),
    ).toBe('READY=1');
  });
});

it('tells of a scheduled service what it tells of every service, and of its runs that none is left', () => {
  expect(
    detailsOf('scheduled', [
      [1, { starting: 'spawning' }, { type: 'service.start' }],
      [5, { ready: 'scheduled' }, { type: 'trigger.armed' }],
      [9, { stopping: 'terminating' }, { type: 'service.stop', killAfter: 100 }, { running: 2 }],
      [12, 'stopped', { type: 'unit.leaderExited', ended: 'SIGQUIT' }],
    ]),
  ).toEqual(['service.start', '', 'SIGQUIT to 2 processes, SIGKILL after 100 ms', 'nothing runs any more']);
});

it('tells of a scheduled service whose runs may finish when they have', () => {
  expect(
    detailsOf('scheduled', [
      [9, { stopping: 'draining' }, { type: 'service.stop', drain: true }, { running: 1 }],
      [12, { stopping: 'clearing' }, { type: 'unit.leaderExited', ended: 'exit 0', left: 1 }],
      [2_012, { stopping: 'killing' }, { type: 'xstate.after.clearGrace.scheduled.stopping.clearing' }],
      [2_013, 'stopped', { type: 'unit.cleared' }],
    ]),
  ).toEqual(['1 process may finish', 'its runs have finished', 'SIGKILL', 'nothing runs any more']);
});

it('says where entries are missing', () => {
  const lost: Entry = { type: '@chaperone.lost', seq: 9, at: 1, count: 4 };
  expect(write([lost], { format: 'text' })).toBe(
    '          of the time from 0.000 s to 0.001 s 4 entries are missing\n',
  );
  expect(write([lost], { format: 'json' })).toBe('{"at":1,"from":0,"lost":4}\n');
});
