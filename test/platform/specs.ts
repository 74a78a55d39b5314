/** Instances, plans and engines for tests of the platform. */
import { createHash } from 'node:crypto';
import {
  SimulatedEngine,
  type SimulatedOptions,
  type SimulatedProgram,
} from '../../src/platform/engine/simulated-engine.ts';
import type { InstanceSpec } from '../../src/platform/model/instance.ts';
import type { ObservedContainer, Plan, Step } from '../../src/platform/model/plan.ts';
import { labelNames } from '../../src/platform/model/project.ts';
import type { PlatformPorts } from '../../src/platform/runtime/platform.ts';
import { VirtualClock } from '../../src/runtime/simulated/virtual-clock.ts';

export const project = 'demo';
export const network = 'demo-network';

export const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

/** `db-master` with its links to other keys. */
export function instanceSpec(
  key: string,
  more: Partial<InstanceSpec> & { readonly needs?: readonly string[] } = {},
): InstanceSpec {
  const [container = key, instance = ''] = key.split('-');
  const { needs = [], ...rest } = more;
  return {
    key,
    project,
    container,
    instance,
    type: 'standard',
    containerName: `${project}-${key}`,
    image: `${project}/${container}`,
    hostname: key,
    network,
    links: needs.map((to) => ({
      alias: to.replace('-', ''),
      variable: `${to.replace('-', '').toUpperCase()}_CONTAINER_IP`,
      to,
      containerName: `${project}-${to}`,
    })),
    dependsOn: needs,
    wait: 'best',
    env: {},
    ports: [],
    mounts: [],
    labels: { [labelNames.project]: project, [labelNames.container]: container, [labelNames.instance]: instance },
    sleep: 0,
    terminal: false,
    ...rest,
  };
}

export function createStep(spec: InstanceSpec): Step {
  return {
    key: spec.key,
    action: { kind: 'create', spec },
    reasons: ['there is no container yet'],
    after: spec.dependsOn,
  };
}

export function planOf(steps: readonly Step[]): Plan {
  return { project, network, steps, warnings: [] };
}

export interface Simulated {
  readonly clock: VirtualClock;
  readonly engine: SimulatedEngine;
  readonly ports: PlatformPorts;
  /** Fires timers, and lets promises settle between them, until `done` or until nothing is left to happen. */
  readonly run: (done: () => boolean, until?: number) => Promise<void>;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** @param programs by key; others run on, and are up once they run */
export function simulated(
  programs: Readonly<Record<string, SimulatedProgram>> = {},
  options: Partial<SimulatedOptions> = {},
): Simulated {
  const clock = new VirtualClock();
  const engine = new SimulatedEngine({
    clock,
    images: ['db', 'api', 'web', 'job'].map((name) => ({ name: `${project}/${name}`, id: `sha256:${name}` })),
    programOf: ({ labels }) => programs[`${labels[labelNames.container]}-${labels[labelNames.instance]}`] ?? {},
    latency: () => 5,
    faults: [],
    ...options,
  });
  const errors: unknown[] = [];
  const ports: PlatformPorts = {
    engine,
    project,
    clock,
    timers: clock,
    digest,
    makeFolder: () => Promise.resolve(),
    onError: (error) => errors.push(error),
  };
  const run = async (done: () => boolean, until = Number.POSITIVE_INFINITY): Promise<void> => {
    // The clock comes to `until` also where nothing happens there.
    const last = Number.isFinite(until) ? clock.setTimeout(() => {}, until - clock.now()) : undefined;
    for (;;) {
      await turn();
      if (errors.length > 0) throw errors[0];
      if (done() || clock.pending === 0 || clock.now() >= until) break;
      let calls = 0;
      clock.run(until, () => {
        calls += 1;
        return calls > 1;
      });
    }
    if (last !== undefined) clock.clearTimeout(last);
  };
  return { clock, engine, ports, run };
}

/** A container of an instance, as plans name it. */
export function observed(key: string): ObservedContainer {
  const [container = key, instance = ''] = key.split('-');
  return {
    id: `id-${key}`,
    key,
    container,
    instance,
    containerName: `${project}-${key}`,
    state: 'running',
    imageId: `sha256:${container}`,
    linkAddresses: {},
  };
}
