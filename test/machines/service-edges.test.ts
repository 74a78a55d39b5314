/** Checks every single step of the chart, from every state that a service of one kind can be in. */
import { describe, expect, it } from 'vitest';
import { statePath } from '../../src/facts/transition.ts';
import type { ServiceEvent } from '../../src/machines/service-events.ts';
import type { NotifyMessage } from '../../src/model/service/notify-message.ts';
import { serviceSpec } from '../model/specs.ts';
import { type Edge, Steps } from './explore.ts';
import { exploreService, inputOf, machine, reportsIn, type ServiceSnapshot } from './explored-service.ts';

const kinds = [
  { type: 'simple', pidfile: '/run/web.pid', restart: true, restartLimit: 1 },
  { type: 'forking' },
  { type: 'notify', watchdog: 1_000 },
  { type: 'oneshot', enabled: false },
  { type: 'simple', exitKills: true },
] as const;
const explored = kinds.map((changes) => {
  const { edges, states } = exploreService(changes);
  return { type: changes.type, edges: alikeOnce(edges), states };
});
const steps = new Steps(machine, inputOf(serviceSpec()));

/** One of each group of steps that differ only in their earlier history. */
function alikeOnce(edges: readonly Edge<ServiceSnapshot>[]): readonly Edge<ServiceSnapshot>[] {
  const found = new Map<string, Edge<ServiceSnapshot>>();
  for (const edge of edges) {
    const { verdict, unit, serial, ...rest } = edge.from.context;
    const flags = [verdict === undefined, unit === undefined, rest.retired, rest.hasBeenReady, rest.restartsUsed];
    const of = 'serial' in edge.event ? edge.event.serial === serial : undefined;
    found.set(JSON.stringify([edge.from.value, { ...edge.event, at: 0, serial: of }, flags]), edge);
  }
  return [...found.values()];
}

function stepped(from: ServiceSnapshot, event: ServiceEvent): ServiceSnapshot {
  return steps.take(from, event).to;
}

function isEvent(event: { readonly type: string }): event is ServiceEvent {
  return !event.type.startsWith('xstate.');
}

/** A snapshot without its time, to see whether anything else has changed. */
function withoutTime({ value, context }: ServiceSnapshot): readonly unknown[] {
  const { at: _, ...rest } = context;
  return [statePath(value), ...Object.values(rest)];
}

function hasChanged(from: ServiceSnapshot, to: ServiceSnapshot): boolean {
  const before = withoutTime(from);
  return withoutTime(to).some((value, index) => value !== before[index]);
}

/** The states in which a run, or the processes that it has left, may live. */
const known =
  /^(?!disabled|pending|stopped|failed|backoff|starting\.spawning|starting\.settling|starting\.awaitingExit)/;

describe.each(explored)('every step of a service ($type)', ({ edges, states }) => {
  it('that changes anything notes its time', () => {
    const late = edges.flatMap(({ from, event }) => {
      if (!isEvent(event) || !('at' in event)) return [];
      const to = stepped(from, { ...event, at: 7_777 });
      return hasChanged(from, to) && to.context.at !== 7_777 ? [`${statePath(from.value)} ${event.type}`] : [];
    });
    expect([...new Set(late)]).toEqual([]);
  });

  it('that tells the system anything tells its time', () => {
    const late = edges.flatMap(({ from, event }) => {
      if (!isEvent(event) || !('at' in event)) return [];
      const later: ServiceEvent = { ...event, at: 7_777 };
      const { sent } = steps.take(from, later);
      const wrong = reportsIn(sent).filter(({ at }) => at !== 7_777);
      return wrong.map(({ type }) => `${statePath(from.value)} ${event.type} ${type}`);
    });
    expect([...new Set(late)]).toEqual([]);
  });

  it('remembers that the system ends, wherever it is', () => {
    const forgetful = states.filter((from) => !stepped(from, { type: 'service.retire', at: 0 }).context.retired);
    expect(forgetful.map(({ value }) => statePath(value))).toEqual([]);
  });

  it('forgets restarts when it is reset, where it will count them again', () => {
    const reset = states
      .filter((from) => /^ready\.running|^backoff|^failed/.test(statePath(from.value)))
      .map((from) => stepped(from, { type: 'service.reset', killAfter: 0, at: 0 }));
    expect(reset.filter(({ context }) => context.restartsUsed !== 0)).toEqual([]);
  });
});

describe.each([
  ['alone', {}],
  ['with a wish for more time', { extend: 1_000 }],
])('what a notify service says %s', (_, also: NotifyMessage) => {
  const { states = [] } = explored.find(({ type }) => type === 'notify') ?? {};
  const inRun = states.filter(({ value }) => known.test(statePath(value)));
  const said = (from: ServiceSnapshot, message: NotifyMessage): ServiceSnapshot =>
    stepped(from, {
      type: 'notify.received',
      serial: from.context.serial,
      message: { ...also, ...message },
      at: 5,
    });
  const where = (found: readonly ServiceSnapshot[]): readonly string[] => [
    ...new Set(found.map(({ value }) => statePath(value))),
  ];

  it('of its status is noted in every state of its run, and taken back by an empty one', () => {
    expect(where(inRun.filter((from) => said(from, { status: 'busy' }).context.status !== 'busy'))).toEqual([]);
    const busy = inRun.map((from) => said(from, { status: 'busy' }));
    expect(where(busy.filter((from) => said(from, { status: '' }).context.status !== undefined))).toEqual([]);
    expect(where(busy.filter((from) => said(from, { stopping: true }).context.status !== 'busy'))).toEqual([]);
  });

  it('of itself is noted in every state of its run', () => {
    expect(where(inRun.filter((from) => said(from, { stopping: true }).context.announced !== 'stopping'))).toEqual([]);
    expect(where(inRun.filter((from) => said(from, { reloading: {} }).context.announced !== 'reloading'))).toEqual([]);
    const announced = inRun.map((from) => said(from, { stopping: true }));
    const ready = announced.map((from) => said(from, { ready: true }));
    expect(where(ready.filter(({ context }) => context.announced !== undefined))).toEqual([]);
  });

  it('of its watchdog counts in every state of its run', () => {
    const message: NotifyMessage = { watchdogInterval: 250 };
    expect(where(inRun.filter((from) => said(from, message).context.watchdog !== 250))).toEqual([]);
  });

  it('of its main process is followed until it is being stopped', () => {
    const up = inRun.filter((from) => !from.matches('stopping') && from.context.unit !== undefined);
    expect(where(up.filter((from) => said(from, { mainPid: 4711 }).context.pid !== 4711))).toEqual([]);
    expect(where(up.filter((from) => !said(from, { mainPid: 4711 }).context.followed))).toEqual([]);
    const stopping = inRun.filter((from) => from.matches('stopping'));
    expect(stopping.length).toBeGreaterThan(0);
    expect(where(stopping.filter((from) => said(from, { mainPid: 4711 }).context.pid === 4711))).toEqual([]);
  });

  it('of an earlier start is about nothing', () => {
    const stale = (from: ServiceSnapshot): ServiceSnapshot =>
      stepped(from, {
        type: 'notify.received',
        serial: from.context.serial - 1,
        message: { ready: true, status: 'old', mainPid: 4711, errno: 5 },
        at: 5,
      });
    expect(where(states.filter((from) => hasChanged(from, stale(from))))).toEqual([]);
  });
});
