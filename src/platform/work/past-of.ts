/** How a platform that runs came to run, as the engine and the containers themselves tell of it. */
import { systemActor } from '../../facts/fact.ts';
import { isObject } from '../../model/words/json.ts';
import type { ContainerFacts, Engine } from '../engine/engine.ts';
import type { InstanceKey } from '../model/instance.ts';
import { labelNames } from '../model/project.ts';
import { parseRecordedSpec } from '../model/recorded-spec.ts';
import { keyOf, type PlatformPast } from '../runtime/platform.ts';
import { askers } from '../runtime/requests.ts';

/** The instances that an instance waits for: its links at the time its container was made. */
export function waitsOf({ labels }: Pick<ContainerFacts, 'labels'>): readonly InstanceKey[] {
  const links = parseRecordedSpec(labels[labelNames.spec] ?? '')?.links ?? [];
  return [...new Set(links.map((link) => link.slice(link.indexOf('=') + 1)))];
}

interface Risen {
  readonly key: InstanceKey;
  readonly facts: ContainerFacts;
  readonly created: number;
  readonly started: number;
  /** The time at which the instance became ready; absent before. */
  readonly ready?: number;
}

export async function pastOf(
  engine: Pick<Engine, 'containers'>,
  project: string,
  found: readonly ContainerFacts[],
): Promise<PlatformPast> {
  const running = found.flatMap((facts) => {
    const key = keyOf(facts);
    return key === undefined || facts.status !== 'running' || facts.started === undefined
      ? []
      : [{ key, facts, started: facts.started }];
  });
  const risen = await Promise.all(
    running.map(async ({ key, facts, started }): Promise<Risen> => {
      // A container that was started again has a longer past than this run: its making is no part of the start.
      const created = started - facts.created < longestStart ? facts.created : started;
      const ready = await readyAt(engine, facts, started);
      return { key, facts, created, started, ...(ready === undefined ? {} : { ready }) };
    }),
  );
  const epoch = risen.reduce((first, { created }) => Math.min(first, created), Date.now());
  return {
    epoch,
    ready: new Set(risen.flatMap(({ key, ready }) => (ready === undefined ? [] : [key]))),
    moves: movesOf(project, risen, epoch),
  };
}

/** ms between the making of a container and its first start. */
const longestStart = 60_000;

/** When the instance became ready, Unix ms; undefined where it is not ready. */
async function readyAt(
  engine: Pick<Engine, 'containers'>,
  { id, health }: ContainerFacts,
  started: number,
): Promise<number | undefined> {
  for (const asker of askers) {
    const answer = await engine.containers.run(id, { command: [asker, 'critical-chain', '--json'] });
    if (!answer.ok || answer.value.exitCode === 127 || answer.value.exitCode === 126) continue;
    const took = answer.value.exitCode === 0 ? readyOf(answer.value.stdout) : undefined;
    return took === undefined ? undefined : started + took;
  }
  return health === 'starting' || health === 'unhealthy' ? undefined : started;
}

/** ms that the boot took, from the chain of starts: the end of its last link. */
function readyOf(text: string): number | undefined {
  try {
    const told: unknown = JSON.parse(text);
    const chain: unknown = isObject(told) ? (told['chain'] ?? told['criticalChain']) : told;
    const [last]: readonly unknown[] = Array.isArray(chain) ? chain : [];
    const ready = isObject(last) ? last['ready'] : undefined;
    return typeof ready === 'number' ? ready : 0;
  } catch {
    return undefined;
  }
}

type Moves = PlatformPast['moves'];

function movesOf(project: string, risen: readonly Risen[], epoch: number): Moves {
  const readyTimes = new Map(risen.map(({ key, ready }) => [key, ready]));
  const moves = risen.flatMap(({ key, facts, created, started, ready }): Moves => {
    const [waitedFor] = waitsOf(facts)
      .filter((other) => (readyTimes.get(other) ?? Number.POSITIVE_INFINITY) <= created)
      .sort((a, b) => (readyTimes.get(b) ?? 0) - (readyTimes.get(a) ?? 0));
    const waited = waitedFor === undefined ? {} : { waitedFor };
    const context = { service: key, image: facts.image, container: facts.id.slice(0, 12), ...waited };
    const move = (time: number, to: string, type: string, detail: string): Moves[number] => ({
      type: 'moved',
      at: Math.max(0, time - epoch),
      actor: key,
      to,
      event: { type, ...(type === 'instance.start' ? waited : {}) },
      context: { ...context, detail },
    });
    return [
      move(epoch, 'absent', 'xstate.init', ''),
      move(created, 'creating', 'instance.start', `image ${facts.image}`),
      move(started, 'running', 'engine.started', `container ${facts.id.slice(0, 12)}`),
      ...(ready === undefined ? [] : [move(ready, 'ready', 'chaperone.answered', '')]),
    ];
  });
  const allReady = risen.every(({ ready }) => ready !== undefined);
  const last = Math.max(epoch, ...risen.map(({ ready }) => ready ?? epoch));
  const system = (time: number, to: string, type: string): Moves[number] => ({
    type: 'moved',
    at: time - epoch,
    actor: systemActor,
    to,
    event: { type },
    context: { project, services: risen.length },
  });
  return [
    system(epoch, 'booting', 'xstate.init'),
    ...moves,
    ...(allReady && risen.length > 0 ? [system(last, 'up', 'step.done')] : []),
  ].sort((a, b) => a.at - b.at);
}
