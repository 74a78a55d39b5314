/** What inspectors may see of the platform's machines. Environments and specifications never pass through here. */
import type { EventView } from '../../facts/fact.ts';
import { isObject, type Json, type JsonObject } from '../../model/words/json.ts';
import { describeEnd, type InstanceContext } from '../machines/instance.ts';
import { isDone, type Ledger } from '../machines/ledger.ts';

/** Fields of events that may be shown. */
const shownFields = [
  'waitedFor',
  'exitCode',
  'outOfMemory',
  'health',
  'signal',
  'timeout',
  'why',
  'cause',
  'key',
  'anew',
];

/** The answers of requests, as events with names of their own. */
const answers: Readonly<Record<string, string>> = {
  'xstate.done.actor.create': 'engine.created',
  'xstate.done.actor.start': 'engine.started',
  'xstate.done.actor.ask': 'chaperone.answered',
  'xstate.done.actor.stop': 'engine.stopped',
  'xstate.done.actor.kill': 'engine.signalled',
  'xstate.done.actor.remove': 'engine.removed',
};

export function eventView(event: { readonly type: string }): EventView {
  const fields: Readonly<Record<string, unknown>> = { ...event };
  const view: Record<string, Json> & { type: string } = { type: nameOf(event.type, fields['output']) };
  for (const name of shownFields) {
    const value = fields[name];
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') view[name] = value;
  }
  return view;
}

function nameOf(type: string, output: unknown): string {
  const isRefusal = isObject(output) && output['kind'] === 'failed';
  return answers[type] === undefined ? type : isRefusal ? 'engine.refused' : answers[type];
}

/** `detail`: what the move means, in words. */
export function instanceContext(context: InstanceContext, stage: string): JsonObject {
  const { key, spec, id, address, health, end, cause, waitedFor, startedAt } = context;
  const view: Record<string, Json> = { service: key };
  if (spec !== undefined) view['image'] = spec.image;
  if (id !== undefined) view['container'] = id.slice(0, 12);
  if (address !== undefined && address !== '') view['address'] = address;
  if (health !== 'none') view['health'] = health;
  if (waitedFor !== undefined) view['waitedFor'] = waitedFor;
  if (startedAt !== undefined) view['startedAt'] = startedAt;
  if (end !== undefined) view['lastExit'] = describeEnd(end);
  if (stage === 'failed' && cause !== undefined) view['cause'] = cause;
  view['detail'] = detailOf(context, stage);
  return view;
}

function detailOf(context: InstanceContext, stage: string): string {
  const { spec, id = '', reasons, cause = '', end, waitedFor, stopTimeout, address } = context;
  const container = `container ${id.slice(0, 12)}`;
  const waited = waitedFor === undefined ? '' : `; it was waiting for ${waitedFor}`;
  switch (stage) {
    case 'creating':
      return `image ${spec?.image ?? ''}${reasons.length === 0 ? '' : `; ${reasons.join('; ')}`}`;
    case 'starting':
      return container;
    case 'running':
    case 'running.asking':
      return `${container}${address === undefined || address === '' ? '' : ` at ${address}`}`;
    case 'running.awaitingHealth':
      return 'the health check has to pass';
    case 'ready':
      return context.health === 'healthy' ? 'healthy' : '';
    case 'failed':
      return cause;
    case 'exited':
      return end === undefined ? '' : describeEnd(end);
    case 'stopping.terminating':
      return `${container}${stopTimeout === undefined ? '' : `, SIGKILL after ${stopTimeout} s`}${waited}`;
    case 'stopping.killing':
      return `${context.signal} to ${container}`;
    case 'stopping.removing':
      return `${container}; data and volumes stay`;
    default:
      return '';
  }
}

interface ShownPlatform {
  readonly project: string;
  readonly members: readonly { readonly key: string }[];
  readonly ledger: Ledger;
  readonly lost: string | undefined;
}

export function platformContext({ project, members, ledger, lost }: ShownPlatform, stage: string): JsonObject {
  const view: Record<string, Json> = { project, services: members.length };
  if (lost !== undefined) view['lost'] = lost;
  const detail = platformDetail(stage, ledger, members.length, lost);
  if (detail !== undefined) view['detail'] = detail;
  return view;
}

/** Undefined in `up`: how long it took is said there. */
function platformDetail(stage: string, ledger: Ledger, count: number, lost: string | undefined): string | undefined {
  const failed = [...ledger.states].filter(([, { kind }]) => kind === 'failed').map(([key]) => key);
  const skipped = [...ledger.states.values()].filter(({ kind }) => kind === 'skipped').length;
  if (stage.endsWith('.blind')) return `the engine's events are lost: ${lost ?? ''}`;
  switch (stage) {
    case 'booting':
    case 'draining':
      return `${count} ${count === 1 ? 'instance' : 'instances'}`;
    case 'failed':
      return `${failed.join(', ')} failed${skipped === 0 ? '' : `; ${skipped} not begun`}`;
    case 'up':
      return undefined;
    default:
      return isDone(ledger) ? 'all have ended' : '';
  }
}
