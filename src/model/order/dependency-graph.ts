import type { Ties } from './prerequisite.ts';

/** The part of a service that ordering needs. */
interface Dependent {
  readonly name: string;
  readonly prerequisites: readonly string[];
  readonly ties?: Ties;
  readonly groups: readonly string[];
}

/**
 * INIT services come before everything that is not in INIT, IDLE services after everything that is not in IDLE: three
 * stages, one after the other. Stages instead of edges, because every INIT service times every other one is a square.
 */
export type Stage = 0 | 1 | 2;

const initStage: Stage = 0;
const defaultStage: Stage = 1;
const idleStage: Stage = 2;

/** Who waits for whom, as a plain value. */
export interface DependencyGraph {
  /** In start order: a service stands behind everything it waits for. */
  readonly names: readonly string[];
  readonly nodes: Readonly<Record<string, DependencyNode>>;
  /** The number of layers; a service in layer n waits, directly or through its stage, for one in layer n - 1. */
  readonly layerCount: number;
}

export interface DependencyNode {
  readonly stage: Stage;
  /** From 0. */
  readonly layer: number;
  readonly prerequisites: readonly string[];
  readonly dependents: readonly string[];
  readonly ties?: Ties;
  /** Those of the dependents that require it; absent if there are none. */
  readonly requiredBy?: readonly string[];
}

/** The configuration asks for an order that does not exist. Code DEPENDENCY_CYCLE. */
export class DependencyCycleError extends Error {
  readonly code = 'DEPENDENCY_CYCLE';
  /** The services in the cycle; each waits for the next and the last one for the first. */
  readonly cycle: readonly string[];

  constructor(cycle: readonly string[]) {
    super(`${cycle[0]} waits for itself: ${[...cycle, cycle[0]].join(' → ')}`);
    this.name = 'DependencyCycleError';
    this.cycle = cycle;
  }
}

/** The stage of a service by its groups. */
export function stageOf(groups: readonly string[]): Stage {
  if (groups.includes('INIT')) return initStage;
  return groups.includes('IDLE') ? idleStage : defaultStage;
}

/**
 * Builds the graph. References to services that do not exist are left out.
 *
 * @throws DependencyCycleError (DEPENDENCY_CYCLE)
 */
export function buildDependencyGraph(services: readonly Dependent[]): DependencyGraph {
  const byName = new Map(services.map((service) => [service.name, service]));
  const dependents = new Map<string, string[]>(services.map((service) => [service.name, []]));
  const unmet = new Map<string, number>();
  for (const service of services) {
    const known = service.prerequisites.filter((name) => byName.has(name));
    unmet.set(service.name, known.length);
    for (const name of known) dependents.get(name)?.push(service.name);
  }

  const names: string[] = [];
  const layers = new Map<string, number>();
  let stageFloor = 0;
  let layerCount = 0;
  // One stage after the other, each by Kahn's algorithm: what is left over waits for itself.
  for (const stage of [initStage, defaultStage, idleStage]) {
    const members = services.filter((service) => stageOf(service.groups) === stage);
    let layer = members.filter((service) => unmet.get(service.name) === 0);
    for (let depth = stageFloor; layer.length > 0; depth++) {
      const next: Dependent[] = [];
      for (const service of layer) {
        names.push(service.name);
        layers.set(service.name, depth);
        layerCount = depth + 1;
        for (const name of dependents.get(service.name) ?? []) {
          const left = (unmet.get(name) ?? 0) - 1;
          unmet.set(name, left);
          const dependent = byName.get(name);
          if (left === 0 && dependent !== undefined && stageOf(dependent.groups) === stage) next.push(dependent);
        }
      }
      layer = next;
    }
    const stuck = members.find((service) => !layers.has(service.name));
    if (stuck !== undefined) throw new DependencyCycleError(findCycle(stuck, byName, layers));
    stageFloor = layerCount;
  }

  const nodes: Record<string, DependencyNode> = {};
  for (const name of names) {
    const service = byName.get(name);
    if (service === undefined) continue;
    const waiting = dependents.get(name) ?? [];
    const requiredBy = waiting.filter((other) => byName.get(other)?.ties?.[name]?.kind === 'requires');
    nodes[name] = {
      stage: stageOf(service.groups),
      layer: layers.get(name) ?? 0,
      prerequisites: service.prerequisites.filter((prerequisite) => byName.has(prerequisite)),
      dependents: waiting,
      ...(service.ties === undefined ? {} : { ties: service.ties }),
      ...(requiredBy.length === 0 ? {} : { requiredBy }),
    };
  }
  return { names, nodes, layerCount };
}

/** Follows unplaced prerequisites until one comes again. */
function findCycle(
  start: Dependent,
  byName: ReadonlyMap<string, Dependent>,
  placed: ReadonlyMap<string, number>,
): readonly string[] {
  const path: string[] = [];
  let current: Dependent | undefined = start;
  while (current !== undefined && !path.includes(current.name)) {
    path.push(current.name);
    const waiting: Dependent = current;
    const explicit = waiting.prerequisites.find((name) => byName.has(name) && !placed.has(name));
    // Without an unplaced prerequisite of its own it waits through its stage: for a service of an earlier one.
    current =
      explicit === undefined
        ? [...byName.values()].find(
            (other) => !placed.has(other.name) && stageOf(other.groups) < stageOf(waiting.groups),
          )
        : byName.get(explicit);
  }
  return current === undefined ? path : path.slice(path.indexOf(current.name));
}
