/** Messages of the engine's streams, one JSON object a line, as the port's events. */
import { isObject } from '../../model/words/json.ts';
import { failureOfStatus } from './answer.ts';
import { healthOf } from './docker-facts.ts';
import type { BuildEvent, EngineEvent, Labels } from './engine.ts';

/** A message, field by field: an engine of another version may send anything. */
export type Message = Readonly<Record<string, unknown>>;

function text(message: Message, key: string): string | undefined {
  const value = message[key];
  return typeof value === 'string' ? value : undefined;
}

function number(message: Message, key: string): number | undefined {
  const value = message[key];
  return typeof value === 'number' ? value : undefined;
}

// ---- builds

export interface BuildState {
  readonly step: number;
  /** Output that no line's end has followed yet. */
  readonly rest: string;
  /** The image, once the engine has told it. */
  readonly image?: string;
  readonly failed: boolean;
}

export const buildBegins: BuildState = { step: 0, rest: '', failed: false };

const stepLine = /^Step (\d+)\/(\d+) : (.*)$/;
/** Podman's builder: `STEP 1/3: FROM x`. */
const podmanStepLine = /^STEP (\d+)\/(\d+): (.*)$/;
const usingCache = /^(?: ---> Using cache|--> Using cache [0-9a-f]+)$/;
/** The lines in which the engine itself comments on a step, as against the output of the step. */
const chatter =
  /^ ---> (?:[0-9a-f]{12}|Running in [0-9a-f]+|\[Warning\].*)$|^ ---> Removed intermediate container |^Removing intermediate container |^$/;
const podmanImage = /^[0-9a-f]{64}$/;

/** One message of a build further. */
export function readBuildMessage(
  state: BuildState,
  message: Message,
): { readonly state: BuildState; readonly events: readonly BuildEvent[] } {
  const error = text(message, 'error');
  if (error !== undefined) {
    const failure = failureOfStatus(500, error.trim());
    const step = state.step === 0 ? {} : { step: state.step };
    return { state: { ...state, failed: true }, events: [{ type: 'failed', failure, ...step }] };
  }
  const image = isObject(message['aux']) ? text(message['aux'], 'ID') : undefined;
  if (image !== undefined) return { state: { ...state, image }, events: [] };
  const stream = text(message, 'stream');
  if (stream !== undefined) return readBuildOutput(state, stream);
  const status = text(message, 'status');
  const layer = text(message, 'id');
  if (status === undefined) return { state, events: [] };
  const detail = isObject(message['progressDetail']) ? message['progressDetail'] : {};
  const done = number(detail, 'current');
  const total = number(detail, 'total');
  const bytes = { ...(done === undefined ? {} : { done }), ...(total === undefined ? {} : { total }) };
  return { state, events: [{ type: 'layer', layer: layer ?? '', status, ...bytes }] };
}

function readBuildOutput(
  state: BuildState,
  stream: string,
): { readonly state: BuildState; readonly events: readonly BuildEvent[] } {
  const lines = `${state.rest}${stream}`.split('\n');
  const rest = lines.pop() ?? '';
  let next: BuildState = { ...state, rest };
  const events: BuildEvent[] = [];
  for (const line of lines) {
    const [, step, steps, instruction] = stepLine.exec(line) ?? podmanStepLine.exec(line) ?? [];
    if (step !== undefined && steps !== undefined && instruction !== undefined) {
      next = { ...next, step: Number(step) };
      events.push({ type: 'step', step: Number(step), steps: Number(steps), instruction });
    } else if (usingCache.test(line)) events.push({ type: 'cached', step: next.step });
    else if (podmanImage.test(line)) next = { ...next, image: `sha256:${line}` };
    else if (!chatter.test(line)) events.push({ type: 'output', text: line.replace(/\r$/, '') });
  }
  return { state: next, events };
}

// ---- events

type Told = Exclude<EngineEvent, { readonly type: 'opened' | 'lost' }>;

/** Undefined for what the port does not tell: execs, networks, copies. */
export function readEvent(message: Message): Told | undefined {
  const actor = isObject(message['Actor']) ? message['Actor'] : {};
  const attributes = isObject(actor['Attributes']) ? actor['Attributes'] : {};
  const container = text(actor, 'ID') ?? text(message, 'id');
  const action = text(message, 'Action') ?? text(message, 'status');
  if (container === undefined || action === undefined) return undefined;
  const labels: Labels = Object.fromEntries(
    Object.entries(attributes).flatMap(([key, value]) => (typeof value === 'string' ? [[key, value]] : [])),
  );
  const nano = number(message, 'timeNano');
  const at = nano === undefined ? (number(message, 'time') ?? 0) * 1000 : Math.floor(nano / 1e6);
  const about = { container, name: labels['name'] ?? container, labels, at };
  return eventOf(action, about);
}

const plainActions: Readonly<Record<string, 'created' | 'started' | 'paused' | 'unpaused' | 'removed' | 'renamed'>> = {
  create: 'created',
  start: 'started',
  pause: 'paused',
  unpause: 'unpaused',
  destroy: 'removed',
  remove: 'removed',
  rename: 'renamed',
};

function eventOf(action: string, about: Pick<Told, 'container' | 'name' | 'labels' | 'at'>): Told | undefined {
  const plain = plainActions[action];
  if (plain !== undefined) return { type: plain, ...about };
  if (action === 'oom') return { type: 'outOfMemory', ...about };
  if (action === 'kill') return { type: 'killed', signal: about.labels['signal'] ?? '', ...about };
  if (action === 'die' || action === 'died') {
    const code = Number(about.labels['exitCode'] ?? about.labels['containerExitCode'] ?? 0);
    return { type: 'exited', exitCode: Number.isInteger(code) ? code : 0, ...about };
  }
  // `health_status: healthy`; Podman has the word among the attributes.
  const [, word] = /^health_status(?:: (\w+))?$/.exec(action) ?? [];
  if (action.startsWith('health_status')) {
    return { type: 'health', health: healthOf(word ?? about.labels['health_status']), ...about };
  }
  return undefined;
}
