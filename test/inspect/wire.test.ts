import type { StatelyInspectionEvent } from '@statelyai/inspect';
import { expect, it } from 'vitest';
import { createMachine } from 'xstate';
import type { Entry } from '../../src/inspect/entry.ts';
import { messagesOf, type WireMessage } from '../../src/inspect/wire.ts';
import type { JsonObject } from '../../src/model/words/json.ts';
import { simpleService, systemOf } from '../simulation/world.ts';
import { recorded } from './recorded.ts';

function wire(entries: readonly Entry[]): readonly WireMessage[] {
  return [...messagesOf(entries)];
}

const services = [simpleService('store'), simpleService('web', { prerequisites: ['store.service'] })];

it('is what @statelyai/inspect sends', () => {
  const messages = wire(recorded(systemOf(services)));
  // The compiler says so, but for `snapshot` and `event`, which are looser there.
  const typed: readonly Pick<StatelyInspectionEvent, 'type' | 'sessionId' | 'id' | 'rootId' | '_version'>[] = messages;
  expect(new Set(typed.map(({ type }) => type))).toEqual(
    new Set(['@xstate.actor', '@xstate.event', '@xstate.snapshot']),
  );
  const root = messages[0];
  expect(root).toMatchObject({ type: '@xstate.actor', name: 'system', parentId: undefined });
  for (const { rootId, createdAt, _version } of messages) {
    expect(rootId).toBe(root?.sessionId);
    expect(_version).toBe('0.7.2');
    expect(createdAt).toMatch(/^\d+$/);
  }
  const store = messages.find((message) => message.type === '@xstate.actor' && message.name === 'store.service');
  expect(store).toMatchObject({ parentId: root?.sessionId, snapshot: { status: 'active', value: 'pending' } });
  expect(messages.filter(({ sessionId }) => sessionId === store?.sessionId).map(({ type }) => type)).toContain(
    '@xstate.snapshot',
  );
});

it('has definitions that are machines with the states of the real ones', () => {
  const entries = recorded(systemOf(services));
  const definitions = wire(entries).flatMap((message) => (message.type === '@xstate.actor' ? [message] : []));
  const chart = (name: string) =>
    createMachine(JSON.parse(definitions.find((actor) => actor.name === name)?.definition ?? '{}'));
  for (const [machine, name] of [
    ['system', 'system'],
    ['service', 'web.service'],
    ['unit', 'unit'],
  ] as const) {
    const entry = entries.find((each) => each.type === '@chaperone.definition' && each.machine === machine);
    const real = entry?.type === '@chaperone.definition' ? entry.definition : null;
    expect(pathsOf(chart(name).definition)).toEqual(pathsOf(real));
  }
  expect(chart('processTable').id).toBe('processTable');
});

it('says when something happened in Unix ms', () => {
  const boot = recorded(systemOf(services));
  const [first] = boot;
  const epoch = first?.type === '@chaperone.boot' ? first.epoch : 0;
  const last = boot.filter(({ type }) => type === '@xstate.snapshot').at(-1);
  expect(wire(boot).at(-1)?.createdAt).toBe(String(Math.round(epoch + (last?.at ?? 0))));
});

/** The ids of all states of a chart. */
function pathsOf(definition: unknown): readonly string[] {
  const { id, states } = asNode(definition);
  return [id, ...Object.values(states).flatMap((state) => pathsOf(state))];
}

function asNode(value: unknown): { readonly id: string; readonly states: JsonObject } {
  const isNode = (given: unknown): given is { readonly id: string; readonly states: JsonObject } =>
    typeof given === 'object' && given !== null && 'id' in given && 'states' in given;
  if (!isNode(value)) throw new Error(`no chart: ${JSON.stringify(value)}`);
  return value;
}
