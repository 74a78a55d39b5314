import { describe, expect, it } from 'vitest';
import type { Entry } from '../../src/inspect/entry.ts';
import { applyEntry, copyReplica, createReplica, type Replica } from '../../src/inspect/replica.ts';
import { Timeline } from '../../src/inspect/timeline.ts';
import { withFacts } from './entries.ts';
import { bootEntry, numbered, serviceEntry, webBoot } from './hand-made.ts';

function replicaOf(entries: readonly Entry[]) {
  const replica = createReplica();
  for (const entry of entries) applyEntry(replica, entry);
  return replica;
}

/** Everything of a replica that is its state, without what says who may change it. */
function stateOf({ seq, at, boot, end, lost, orphans, actors, services, system, definitions }: Replica) {
  const track = ({ name, config, sessionId, segments }: Replica['system']) => ({ name, config, sessionId, segments });
  return structuredClone({
    ...{ seq, at, boot, end, lost, orphans, definitions },
    system: track(system),
    services: [...services.values()].map(track),
    actors: [...actors.values()].map((actor) => ({ ...actor, owner: undefined })),
  });
}

describe('applyEntry', () => {
  it('knows each actor as the last entry about it left it', () => {
    const { actors, end, seq, at } = replicaOf(withFacts(webBoot()));
    expect(actors.get('x:1')).toMatchObject({
      parentId: 'x:0',
      name: 'web.service',
      machine: 'service',
      service: 'web.service',
      path: 'ready.running',
      since: 90,
      begun: 1,
      snapshot: { status: 'active', context: { pid: 8 } },
      lastEvent: { at: 2, event: { type: 'service.start' }, sourceId: 'x:0' },
      seq: 12,
    });
    expect(actors.get('x:0')?.path).toBe('');
    expect({ seq, at, end }).toMatchObject({ seq: 13, at: 99, end: { exitStatus: 0 } });
  });

  it('lays the past of a service out in segments, without the states that nobody finds it in', () => {
    const segments = replicaOf(withFacts(webBoot())).services.get('web.service')?.segments ?? [];
    expect(segments.map(({ state, from, to, event }) => [state, from, to, event?.type])).toEqual([
      ['pending', 1, 2, undefined],
      ['starting.settling', 2, 10, 'service.start'],
      ['ready.running', 10, 50, 'xstate.after'],
      ['backoff', 50, 80, 'unit.leaderExited'],
      ['starting.settling', 80, 90, 'xstate.after'],
      ['ready.running', 90, undefined, 'xstate.after'],
    ]);
    expect(segments[3]?.context).toMatchObject({ cause: 'exit 1' });
  });

  it('notes when an actor ended', () => {
    const entries: Entry[] = [
      ...webBoot().slice(0, -1),
      ...numbered(
        [
          [
            95,
            {
              type: '@xstate.snapshot',
              sessionId: 'x:1',
              event: { type: 'xstate.stop' },
              snapshot: { status: 'stopped', value: 'stopped' },
            },
          ],
        ],
        13,
      ),
    ];
    expect(replicaOf(entries).actors.get('x:1')).toMatchObject({ ended: 95, path: 'stopped' });
  });

  it('takes what a reload says of services, and keeps the past of those that are gone', () => {
    const { services } = replicaOf([
      ...withFacts(webBoot()),
      ...numbered([[100, { type: '@chaperone.reload', services: [serviceEntry('store')] }]], 14),
    ]);
    expect(services.get('web.service')?.config).toBeUndefined();
    expect(services.get('web.service')?.segments).toHaveLength(6);
    expect(services.get('store.service')).toMatchObject({ segments: [], config: { program: '/bin/store' } });
  });

  it('adds up what was lost and what was orphaned', () => {
    const { lost, orphans } = replicaOf([
      bootEntry([]),
      ...numbered([
        [1, { type: '@chaperone.lost', count: 3 }],
        [
          2,
          {
            type: '@chaperone.fact',
            fact: { type: 'orphan.reaped', seq: 1, at: 2, pid: 9, status: { kind: 'exited', code: 0 } },
          },
        ],
        [2, { type: '@chaperone.fact', fact: { type: 'command.began', seq: 2, at: 2, pid: 10 } }],
        [3, { type: '@chaperone.lost', count: 4 }],
      ]),
    ]);
    expect({ lost, orphans }).toEqual({ lost: 7, orphans: 1 });
  });

  it('ignores what is said of actors that it was never told of', () => {
    const entries = webBoot().filter(({ type }) => type !== '@xstate.actor');
    expect(replicaOf(entries).actors.size).toBe(0);
  });

  it('begins anew with another boot', () => {
    const { services, actors, lost } = replicaOf([
      ...webBoot(),
      ...numbered([[100, { type: '@chaperone.lost', count: 1 }]], 14),
      bootEntry([serviceEntry('store')], { boot: 'b'.repeat(32) }),
    ]);
    expect([...services.keys()]).toEqual(['store.service']);
    expect({ actors: actors.size, lost }).toEqual({ actors: 0, lost: 0 });
  });

  it('forgets ended actors and old segments where it is bounded', () => {
    const replica = createReplica({ endedActors: 2, segments: 3 });
    const entries: Entry[] = [...webBoot()];
    for (let index = 0; index < 5; index += 1) {
      const sessionId = `x:${10 + index}`;
      entries.push(
        ...numbered(
          [
            [100, { type: '@xstate.actor', sessionId, name: 'unit', machine: 'unit', snapshot: { status: 'active' } }],
            [
              100,
              { type: '@xstate.snapshot', sessionId, event: { type: 'xstate.done' }, snapshot: { status: 'done' } },
            ],
          ],
          14 + 2 * index,
        ),
      );
    }
    for (const entry of withFacts(entries)) applyEntry(replica, entry);
    expect([...replica.actors.keys()]).toEqual(['x:0', 'x:1', 'x:13', 'x:14']);
    expect(replica.services.get('web.service')?.segments.map(({ state }) => state)).toEqual([
      'backoff',
      'starting.settling',
      'ready.running',
    ]);
  });
});

describe('copyReplica', () => {
  it('leaves either untouched by what happens to the other', () => {
    const entries = withFacts(webBoot());
    for (let cut = 0; cut <= entries.length; cut += 1) {
      const original = replicaOf(entries.slice(0, cut));
      const before = stateOf(original);
      const copy = copyReplica(original);
      for (const entry of entries.slice(cut)) applyEntry(copy, entry);
      expect(stateOf(original)).toEqual(before);
      const whole = stateOf(copy);
      for (const entry of entries.slice(cut)) applyEntry(original, entry);
      expect(stateOf(copy)).toEqual(whole);
      expect(stateOf(original)).toEqual(whole);
    }
  });
});

describe('Timeline', () => {
  const long = withFacts(longBoot(5_000)).slice(0, 5_000);

  it.each([
    [0, 4_999, 3, 2_049, 2_048, 2_047, 4_096, 5_000],
    [5_000, 0, 2_700],
    [2_100, 2_101, 2_099],
  ])('is at any instant what the entries until then add up to: %j', (...counts) => {
    const timeline = new Timeline(long);
    for (const count of counts) {
      expect(stateOf(timeline.after(count))).toEqual(stateOf(replicaOf(long.slice(0, count))));
    }
  });

  it('finds an instant by its time: the last of several entries', () => {
    const timeline = new Timeline(withFacts(webBoot()));
    expect([-1, 0, 1, 2, 5, 10, 1_000].map((ms) => timeline.countAt(ms))).toEqual([0, 1, 5, 9, 9, 11, 19]);
    expect(timeline.at(60).services.get('web.service')?.segments.at(-1)?.state).toBe('backoff');
  });

  it('keeps within the first and the last entry', () => {
    const timeline = new Timeline(webBoot());
    expect(timeline.after(99).seq).toBe(13);
    expect(timeline.after(-1).seq).toBe(0);
  });
});

function longBoot(length: number): Entry[] {
  const entries = webBoot().slice(0, -1);
  for (let seq = entries.length + 1; entries.length < length; seq += 1) {
    entries.push({
      seq,
      at: 100 + seq,
      type: '@xstate.snapshot',
      sessionId: 'x:1',
      event: { type: 'tick' },
      snapshot: { status: 'active', value: seq % 2 === 0 ? 'backoff' : 'pending' },
    });
  }
  return entries;
}
