import { describe, expect, it } from 'vitest';
import type { Entry, ServiceEntry } from '../../src/inspect/entry.ts';
import { applyEntry, createReplica } from '../../src/inspect/replica.ts';
import { insideOf } from '../../src/platform/inspection/inside.ts';

const service = (name: string, waitsFor: readonly string[]): ServiceEntry =>
  ({
    ...{ name, type: 'simple', program: '/bin/x', killSignal: 'SIGTERM', startupPause: 0, enabled: true },
    ...{ groups: [], waitsFor, layer: 0, ignoreFailures: false },
  }) as const;

const boot: Entry = {
  ...{ type: '@chaperone.boot', seq: 1, at: 0, version: 3, chaperone: '1', boot: 'b'.repeat(32), epoch: 5_000 },
  ...{ hostname: 'api-2', pid: 1 },
  services: [service('db.service', []), service('migrations.service', ['db.service'])],
};

describe('what a Chaperone inside tells', () => {
  it('is told of services with the name of the instance, on the time of the platform', () => {
    const inside = insideOf('api-2', 1_000, 1);
    expect(inside.take(boot)).toEqual([]);
    expect(inside.services().map(({ name, waitsFor, layer }) => [name, waitsFor, layer])).toEqual([
      ['api-2/chaperone', ['api-2/db', 'api-2/migrations'], 3],
      ['api-2/db', [], 2],
      ['api-2/migrations', ['api-2/db'], 2],
    ]);
    const event = { type: 'service.start', waitedFor: 'db.service' };
    const fact = {
      type: 'moved',
      seq: 7,
      at: 300,
      by: 3,
      actor: 'migrations.service',
      from: 'pending',
      to: 'starting',
    } as const;
    const told = inside.take({ type: '@chaperone.fact', seq: 9, at: 300, fact: { ...fact, event, context: event } });
    expect(told).toEqual([
      {
        type: '@chaperone.fact',
        at: 4_300,
        fact: {
          ...{ type: 'moved', seq: 7, at: 4_300, actor: 'api-2/migrations', from: 'pending', to: 'starting' },
          event: { type: 'service.start', waitedFor: 'api-2/db' },
          context: { type: 'service.start', waitedFor: 'api-2/db' },
        },
      },
    ]);
  });

  it('has its system among the services, in their words', () => {
    const inside = insideOf('api-2', 5_000, 0);
    inside.take(boot);
    const stages = ['booting', 'up', 'draining.stopping'].flatMap((to, index) => {
      const fact = { type: 'moved', seq: index, at: index, actor: 'system', from: '─', to } as const;
      return inside.take({
        type: '@chaperone.fact',
        seq: index,
        at: index,
        fact: { ...fact, event: { type: 'x' }, context: {} },
      });
    });
    const moves = stages.flatMap((news) =>
      news.type === '@chaperone.fact' && news.fact.type === 'moved' ? [news.fact] : [],
    );
    expect(moves.map(({ actor, to }) => [actor, to])).toEqual([
      ['api-2/chaperone', 'starting'],
      ['api-2/chaperone', 'ready.running'],
      ['api-2/chaperone', 'stopping'],
    ]);
  });

  it('never moves the platform itself, whatever its actors are called', () => {
    const replica = createReplica();
    const inside = insideOf('api-2', 5_000, 0);
    inside.take(boot);
    const actor: Entry = {
      ...{ type: '@xstate.actor', seq: 2, at: 1, sessionId: 'x:0', name: 'system', machine: 'system' },
      snapshot: { status: 'active', value: 'booting' },
    };
    const [news] = inside.take(actor);
    if (news?.type !== '@xstate.actor') throw new Error('no actor was told');
    applyEntry(replica, { ...news, seq: 2, at: 1 });
    expect(replica.system.sessionId).toBeUndefined();
    expect(news.service).toBe('api-2/chaperone');
    expect(news.sessionId).not.toBe('x:0');
  });
});
