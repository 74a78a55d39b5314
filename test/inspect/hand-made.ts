/** Entries by hand. */
import { type BootEntry, type Entry, entryVersion, type ServiceEntry } from '../../src/inspect/entry.ts';
import type { JsonObject } from '../../src/model/words/json.ts';

type Unplaced<E> = E extends Entry ? Omit<E, 'seq' | 'at'> : never;

export function serviceEntry(name: string, more: Partial<ServiceEntry> = {}): ServiceEntry {
  return {
    name: `${name}.service`,
    type: 'simple',
    enabled: true,
    groups: [],
    program: `/bin/${name}`,
    waitsFor: [],
    layer: 0,
    ignoreFailures: false,
    killSignal: 'SIGTERM',
    startupPause: 500,
    ...more,
  };
}

export function bootEntry(services: readonly ServiceEntry[], more: Partial<BootEntry> = {}): BootEntry {
  return {
    seq: 1,
    at: 0,
    type: '@chaperone.boot',
    version: entryVersion,
    chaperone: '0.0.0',
    boot: '0123456789abcdef0123456789abcdef',
    epoch: Date.UTC(2026, 0, 1),
    hostname: 'here',
    pid: 1,
    services,
    ...more,
  };
}

/** Numbers entries; each is given with the ms at which it happens. */
export function numbered(entries: readonly (readonly [number, Unplaced<Entry>])[], first = 2): Entry[] {
  return entries.map(([at, entry], index) => ({ ...entry, at, seq: first + index }));
}

/** The actor of a service, and its steps, each a state with the ms at which it comes to it, and the event that led there. */
export function courseOf(
  name: string,
  steps: readonly (readonly [number, string | Record<string, string>, (JsonObject & { readonly type: string })?])[],
): readonly (readonly [number, Unplaced<Entry>])[] {
  const service = `${name}.service`;
  const sessionId = `x:${name}`;
  return [
    [
      0,
      {
        type: '@xstate.actor',
        sessionId,
        name: service,
        machine: 'service',
        service,
        snapshot: { status: 'active', value: 'pending', context: { service } },
      },
    ],
    ...steps.map(
      ([at, value, event = { type: 'service.step' }]) =>
        [
          at,
          {
            type: '@xstate.snapshot',
            sessionId,
            event,
            snapshot: { status: 'active', value, context: { service } },
          },
        ] as const,
    ),
  ];
}

/** Entries of several services, in the order in which they happen. */
export function inOrder(
  ...courses: readonly (readonly (readonly [number, Unplaced<Entry>])[])[]
): readonly (readonly [number, Unplaced<Entry>])[] {
  return courses.flat().sort(([left], [right]) => left - right);
}

/** A boot of one service, `web`: it starts, is ready, exits with 1, starts again and is ready. */
export function webBoot(): Entry[] {
  const step = (value: string | Record<string, string>, type: string, context: Record<string, number | string> = {}) =>
    ({
      type: '@xstate.snapshot',
      sessionId: 'x:1',
      event: { type },
      snapshot: {
        status: 'active',
        value,
        ...(typeof value === 'object' && value['starting'] === 'preparing' ? { transient: true as const } : {}),
        context: { service: 'web.service', ...context },
      },
    }) as const;
  return [
    bootEntry([serviceEntry('web')]),
    ...numbered([
      [
        1,
        {
          type: '@chaperone.definition',
          machine: 'service',
          definition: { id: 'service' },
        },
      ],
      [
        1,
        { type: '@xstate.actor', sessionId: 'x:0', name: 'system', machine: 'system', snapshot: { status: 'active' } },
      ],
      [
        1,
        {
          type: '@xstate.actor',
          sessionId: 'x:1',
          parentId: 'x:0',
          name: 'web.service',
          machine: 'service',
          service: 'web.service',
          snapshot: { status: 'active', value: 'pending', context: { service: 'web.service' } },
        },
      ],
      [2, { type: '@xstate.event', sessionId: 'x:1', sourceId: 'x:0', event: { type: 'service.start' } }],
      [2, step({ starting: 'preparing' }, 'service.start')],
      [2, step({ starting: 'settling' }, 'service.start')],
      [10, step({ ready: 'running' }, 'xstate.after', { pid: 7 })],
      [50, step('backoff', 'unit.leaderExited', { cause: 'exit 1', restarts: 1 })],
      [80, step({ starting: 'preparing' }, 'xstate.after')],
      [80, step({ starting: 'settling' }, 'xstate.after')],
      [90, step({ ready: 'running' }, 'xstate.after', { pid: 8 })],
      [99, { type: '@chaperone.end', exitStatus: 0, cause: 'SIGTERM' }],
    ]),
  ];
}
