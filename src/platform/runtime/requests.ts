/** The requests of an instance's chart, as calls of the engine. */
import { fromPromise } from 'xstate';
import type { ContainerFacts, Engine, EngineAnswer, EngineFailure } from '../engine/engine.ts';
import type {
  AskAnswer,
  AskRequest,
  CreateAnswer,
  CreateRequest,
  KillRequest,
  PlainAnswer,
  RemoveRequest,
  Seen,
  StartAnswer,
  StartRequest,
  StopAnswer,
  StopRequest,
} from '../machines/instance-events.ts';
import type { InstanceKey, InstanceSpec } from '../model/instance.ts';
import { labelNames } from '../model/project.ts';
import type { Digest } from '../model/recorded-spec.ts';
import type { Timers } from '../streams/engine-news.ts';
import { containerSpec, linkAddresses } from './container-spec.ts';

export interface RequestPorts {
  readonly engine: Engine;
  readonly project: string;
  readonly timers: Timers;
  readonly digest: Digest;
  /** Makes a folder that is to be mounted, with its parents; an existing folder stays as it is. */
  readonly makeFolder: (path: string) => Promise<void>;
}

/** Chaperone's command, where an image has it: by PATH, and where it is installed. */
export const askers = ['chaperonectl', '/usr/local/lib/chaperone/chaperonectl'] as const;
/** ms between two questions whether Chaperone is ready: often at first, since most are ready soon. */
const firstPause = 100;
const longestPause = 1_000;
/** ms for which a container may have Chaperone's command and nobody who answers it, where a word of Chaperone is not asked for. */
const silence = 15_000;

/**
 * The ports of the instance machine.
 *
 * @param changed hears when an instance has got a container, and when it has lost it
 */
export function instanceActors(ports: RequestPorts, changed: (key: InstanceKey) => void) {
  const networks = new Networks(ports);
  return {
    createContainer: fromPromise<CreateAnswer, CreateRequest>(async ({ input }) => {
      const answer = await create(ports, networks, input);
      changed(input.spec.key);
      return answer;
    }),
    startContainer: fromPromise<StartAnswer, StartRequest>(({ input }) => start(ports, input)),
    askChaperone: fromPromise<AskAnswer, AskRequest>(({ input, signal }) => ask(ports, input, signal)),
    stopContainer: fromPromise<StopAnswer, StopRequest>(({ input }) => stop(ports, input)),
    killContainer: fromPromise<PlainAnswer, KillRequest>(({ input: { id, signal } }) =>
      plain(ports.engine.containers.kill(id, signal)),
    ),
    removeContainer: fromPromise<PlainAnswer, RemoveRequest>(async ({ input: { id, key } }) => {
      // A volume without a name belongs to its container alone.
      const answer = await plain(ports.engine.containers.remove(id, { volumes: true }));
      changed(key);
      return answer;
    }),
  };
}

const failed = (failure: EngineFailure) => ({ kind: 'failed', failure }) as const;

async function plain(call: Promise<EngineAnswer<void>>): Promise<PlainAnswer> {
  const answer = await call;
  return answer.ok ? { kind: 'done' } : failed(answer.failure);
}

/** A container at the instant of a look. */
export function seenOf(facts: ContainerFacts, network?: string): Seen {
  const address = facts.addresses[network ?? ''] ?? Object.values(facts.addresses)[0];
  return {
    id: facts.id,
    status: facts.status,
    exitCode: facts.exitCode,
    outOfMemory: facts.outOfMemory,
    health: facts.health,
    ...(facts.started === undefined ? {} : { startedAt: facts.started }),
    ...(facts.finished === undefined ? {} : { finishedAt: facts.finished }),
    ...(address === undefined ? {} : { address }),
  };
}

type Addresses =
  | { readonly ok: true; readonly value: Readonly<Record<string, string>> }
  | { readonly ok: false; readonly failure: EngineFailure };

/** The present addresses of an instance's links, by alias. */
async function findLinks({ engine, project }: RequestPorts, spec: InstanceSpec): Promise<Addresses> {
  const found: Record<string, string> = {};
  for (const { alias, to, containerName } of spec.links) {
    const answer = await engine.containers.inspect(containerName);
    if (!answer.ok && answer.failure.kind !== 'absent') return answer;
    const facts = answer.ok && answer.value.labels[labelNames.project] === project ? answer.value : undefined;
    const address = facts?.addresses[spec.network ?? ''];
    if (address === undefined) {
      const message = `link ${alias} goes to ${to}, which does not run on the project's network`;
      return { ok: false, failure: { kind: 'refused', status: 0, message } };
    }
    found[alias] = address;
  }
  return { ok: true, value: found };
}

/** The networks that instances stand on: each is made once, before the first container. */
class Networks {
  readonly #ports: RequestPorts;
  readonly #known = new Map<string, Promise<EngineFailure | undefined>>();

  constructor(ports: RequestPorts) {
    this.#ports = ports;
  }

  /** @returns what went wrong */
  async prepare(name: string): Promise<EngineFailure | undefined> {
    const known = this.#known.get(name) ?? this.#make(name);
    this.#known.set(name, known);
    const failure = await known;
    if (failure !== undefined) this.#known.delete(name);
    return failure;
  }

  async #make(name: string): Promise<EngineFailure | undefined> {
    const { engine, project } = this.#ports;
    const found = await engine.networks.inspect(name);
    if (found.ok) {
      if (found.value.labels[labelNames.project] === project) return undefined;
      return { kind: 'conflict', message: `the network ${name} is there, and is not the project's` };
    }
    if (found.failure.kind !== 'absent') return found.failure;
    const made = await engine.networks.create(name, { [labelNames.project]: project });
    return made.ok ? undefined : made.failure;
  }
}

async function create(ports: RequestPorts, networks: Networks, { spec }: CreateRequest): Promise<CreateAnswer> {
  const { engine, project, digest } = ports;
  const obstacle = spec.network === undefined ? undefined : await networks.prepare(spec.network);
  if (obstacle !== undefined) return failed(obstacle);
  const links = await findLinks(ports, spec);
  if (!links.ok) return failed(links.failure);
  const places = await preparePlaces(ports, spec);
  if (places !== undefined) return failed(places);
  const answer = await engine.containers.create(containerSpec(spec, links.value, digest));
  if (answer.ok) return { kind: 'created', id: answer.value.id };
  if (answer.failure.kind !== 'conflict') return failed(answer.failure);
  return failed(await conflictOf(engine, project, spec, answer.failure));
}

/** Says whose the name is: the engine's message holds no more than an id. */
async function conflictOf(
  engine: Engine,
  project: string,
  { containerName }: InstanceSpec,
  failure: EngineFailure,
): Promise<EngineFailure> {
  const holder = await engine.containers.inspect(containerName);
  const isForeign = holder.ok && holder.value.labels[labelNames.project] !== project;
  return isForeign ? { ...failure, message: `${failure.message} It is not the project's.` } : failure;
}

/** Folders and volumes that are mounted. @returns what went wrong */
async function preparePlaces(
  { engine, project, makeFolder }: RequestPorts,
  spec: InstanceSpec,
): Promise<EngineFailure | undefined> {
  for (const mount of spec.mounts) {
    if (mount.kind === 'volume') {
      const answer = await engine.volumes.create(mount.name, { [labelNames.project]: project });
      if (!answer.ok) return answer.failure;
    } else if (mount.create) {
      try {
        await makeFolder(mount.source);
      } catch (error) {
        const message = `cannot make the folder ${mount.source}: ${error instanceof Error ? error.message : String(error)}`;
        return { kind: 'refused', status: 0, message };
      }
    }
  }
  return undefined;
}

async function start(ports: RequestPorts, { id, spec }: StartRequest): Promise<StartAnswer> {
  const { containers } = ports.engine;
  if (spec !== undefined && spec.links.length > 0) {
    const [made, links] = await Promise.all([containers.inspect(id), findLinks(ports, spec)]);
    if (!made.ok) return failed(made.failure);
    if (!links.ok) return failed(links.failure);
    const known = linkAddresses(made.value.labels);
    const aliases = Object.entries(links.value).flatMap(([alias, address]) =>
      known[alias] === address ? [] : [alias],
    );
    if (aliases.length > 0) return { kind: 'outdated', aliases };
  }
  const answer = await containers.start(id);
  if (!answer.ok) return failed(answer.failure);
  // A look, and not the answer's own time: what ends this run is told by the engine's clock.
  const look = await containers.inspect(id);
  return look.ok ? { kind: 'started', seen: seenOf(look.value, spec?.network) } : failed(look.failure);
}

async function stop({ engine }: RequestPorts, { id, timeout }: StopRequest): Promise<StopAnswer> {
  const answer = await engine.containers.stop(id, timeout);
  if (!answer.ok) return failed(answer.failure);
  const look = await engine.containers.inspect(id);
  if (!look.ok) return failed(look.failure);
  return { kind: 'stopped', exitCode: look.value.exitCode, at: look.value.finished ?? 0 };
}

/**
 * Asks Chaperone inside until it is ready, or there turns out to be none. A container that ends meanwhile is told by the engine's
 * events, and an engine that does not answer by their loss: neither ends the asking.
 */
async function ask(
  { engine, timers }: RequestPorts,
  { id, wait }: AskRequest,
  signal: AbortSignal,
): Promise<AskAnswer> {
  let pause = firstPause;
  let silent = 0;
  let candidates: readonly string[] = askers;
  while (!signal.aborted) {
    const [asker] = candidates;
    if (asker === undefined) return { kind: 'none' };
    const answer = await engine.containers.run(id, { command: [asker, 'is-ready'], signal });
    if (answer.ok && answer.value.exitCode === 0) return { kind: 'ready' };
    if (isNotFound(answer)) {
      candidates = candidates.slice(1);
      continue;
    }
    candidates = [asker];
    if (answer.ok && answer.value.exitCode !== 1) silent += pause;
    if (wait === 'best' && silent >= silence) return { kind: 'none' };
    await sleep(timers, pause, signal);
    pause = Math.min(longestPause, pause * 2);
  }
  return { kind: 'none' };
}

/** Docker says so by exit 127 or 126, or by a refusal; Podman by a refusal. */
function isNotFound(answer: EngineAnswer<{ readonly exitCode: number }>): boolean {
  if (answer.ok) return answer.value.exitCode === 127 || answer.value.exitCode === 126;
  return answer.failure.kind === 'refused' && /not found|no such file/i.test(answer.failure.message);
}

function sleep(timers: Timers, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      timers.clearTimeout(timer);
      signal.removeEventListener('abort', wake);
      resolve();
    };
    const timer = timers.setTimeout(wake, ms);
    signal.addEventListener('abort', wake);
  });
}
