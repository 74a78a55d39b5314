/** From what is wanted and what is there to what has to be done, and why. */
import { type InstanceKey, type InstanceSpec, instanceKey, type Manner } from './instance.ts';
import type { Observed, ObservedContainer, Plan, Step, StepAction } from './plan.ts';
import { changesOf, type Digest, recordSpec } from './recorded-spec.ts';

export type Planning =
  | { readonly kind: 'plan'; readonly plan: Plan }
  | { readonly kind: 'impossible'; readonly problems: readonly string[] };

export interface RunWish {
  readonly project: string;
  readonly specs: readonly InstanceSpec[];
  readonly observed: Observed;
  readonly digest: Digest;
  /** Instances that are made anew even where nothing has changed. */
  readonly again?: ReadonlySet<InstanceKey>;
  readonly warnings?: readonly string[];
}

/** What makes the given instances run as their specifications say. */
export function planRun({ project, specs, observed, digest, again = new Set(), warnings = [] }: RunWish): Planning {
  const problems = specs.flatMap((spec) => obstacles(spec, observed));
  if (problems.length > 0) return { kind: 'impossible', problems };
  const order = sorted(specs);
  if (order.kind === 'cycle') {
    return { kind: 'impossible', problems: [`${order.cycle[0]}: it waits for itself: ${order.cycle.join(' → ')}`] };
  }
  const found = new Map(observed.containers.map((container) => [container.key, container]));
  const steps: Step[] = [];
  for (const spec of order.specs) {
    const { action, reasons } = decide(spec, found.get(spec.key), observed, { digest, again, steps });
    steps.push({ action, reasons, key: spec.key, after: spec.dependsOn.filter((key) => order.keys.has(key)) });
  }
  const network = order.specs.find((spec) => spec.network !== undefined)?.network;
  const paused = order.specs.flatMap(({ key }) =>
    found.get(key)?.state === 'paused' ? [`${key}: it is paused, and stays so`] : [],
  );
  return {
    kind: 'plan',
    plan: { project, ...(network === undefined ? {} : { network }), steps, warnings: [...warnings, ...paused] },
  };
}

function obstacles(spec: InstanceSpec, { images, foreignNames }: Observed): readonly string[] {
  return [
    ...(images.has(spec.image)
      ? []
      : [`${spec.key}: there is no image ${spec.image}; "dockerops build ${spec.container}" makes it`]),
    ...(foreignNames.has(spec.containerName)
      ? [`${spec.key}: the name ${spec.containerName} is taken by a container that is not the project's`]
      : []),
  ];
}

interface Circumstances {
  readonly digest: Digest;
  readonly again: ReadonlySet<InstanceKey>;
  /** Steps of those that this one waits for. */
  readonly steps: readonly Step[];
}

function decide(
  spec: InstanceSpec,
  found: ObservedContainer | undefined,
  observed: Observed,
  { digest, again, steps }: Circumstances,
): { readonly action: StepAction; readonly reasons: readonly string[] } {
  if (found === undefined) return { action: { kind: 'create', spec }, reasons: ['there is no container yet'] };
  const reasons = [
    ...(again.has(spec.key) ? ['it was asked for'] : []),
    ...(observed.images.get(spec.image)?.id === found.imageId ? [] : [`image ${spec.image} has changed`]),
    ...(found.recorded === undefined
      ? ['what its container was made from is not known']
      : changesOf(found.recorded, recordSpec(spec, digest))),
    ...movedLinks(spec, found, observed, steps),
  ];
  if (reasons.length > 0) return { action: { kind: 'recreate', spec, found }, reasons };
  if (runs(found)) return { action: { kind: 'keep', spec, found }, reasons: ['it runs as it shall'] };
  return { action: { kind: 'start', spec, found }, reasons: [notRunning(found)] };
}

export function runs({ state }: Pick<ObservedContainer, 'state'>): boolean {
  return state === 'running' || state === 'paused' || state === 'restarting';
}

function notRunning({ state, exitCode }: ObservedContainer): string {
  return state === 'exited' && exitCode !== undefined ? `it has exited with ${exitCode}` : `it is ${state}`;
}

/** A container holds the addresses of its links, which are others once those are made anew or started again. */
function movedLinks(
  { links }: InstanceSpec,
  found: ObservedContainer,
  { containers }: Observed,
  steps: readonly Step[],
): readonly string[] {
  return links.flatMap(({ alias, to }) => {
    const step = steps.find(({ key }) => key === to);
    if (step !== undefined && (step.action.kind === 'recreate' || step.action.kind === 'create')) {
      return [`link ${alias} goes to ${to}, which is made anew`];
    }
    const address = containers.find(({ key }) => key === to)?.address;
    const known = found.linkAddresses[alias];
    return address === undefined || known === address ? [] : [`link ${alias} has another address`];
  });
}

type Sorted =
  | { readonly kind: 'order'; readonly specs: readonly InstanceSpec[]; readonly keys: ReadonlySet<InstanceKey> }
  | { readonly kind: 'cycle'; readonly cycle: readonly InstanceKey[] };

/** Each behind those that it waits for, else in the given order. */
function sorted(specs: readonly InstanceSpec[]): Sorted {
  const byKey = new Map(specs.map((spec) => [spec.key, spec]));
  const order = topological(
    specs.map(({ key }) => key),
    (key) => byKey.get(key)?.dependsOn.filter((other) => byKey.has(other)) ?? [],
  );
  if (order.kind === 'cycle') return order;
  return { kind: 'order', specs: order.keys.flatMap((key) => byKey.get(key) ?? []), keys: new Set(order.keys) };
}

type Topology =
  | { readonly kind: 'order'; readonly keys: readonly InstanceKey[] }
  | { readonly kind: 'cycle'; readonly cycle: readonly InstanceKey[] };

/** The first key of a cycle stands at its end again. */
export function topological(
  keys: readonly InstanceKey[],
  needsOf: (key: InstanceKey) => readonly InstanceKey[],
): Topology {
  const done = new Set<InstanceKey>();
  const path: InstanceKey[] = [];
  const visit = (key: InstanceKey): readonly InstanceKey[] | undefined => {
    if (done.has(key)) return undefined;
    const begun = path.indexOf(key);
    if (begun >= 0) return [...path.slice(begun), key];
    path.push(key);
    for (const needed of needsOf(key)) {
      const cycle = visit(needed);
      if (cycle !== undefined) return cycle;
    }
    path.pop();
    done.add(key);
    return undefined;
  };
  for (const key of keys) {
    const cycle = visit(key);
    if (cycle !== undefined) return { kind: 'cycle', cycle };
  }
  return { kind: 'order', keys: [...done] };
}

/** How containers of a project end: each after those that wait for it. */
export type EndWish =
  | { readonly kind: 'stop'; readonly timeout?: number }
  | { readonly kind: 'kill'; readonly signal: string }
  | { readonly kind: 'remove' };

/** What instances wait for: by the confs, and by the links that their containers were made with. */
function needsOf(
  { key, recorded }: ObservedContainer,
  needs: ReadonlyMap<InstanceKey, readonly InstanceKey[]>,
): readonly InstanceKey[] {
  const links = (recorded?.links ?? []).map((link) => link.slice(link.indexOf('=') + 1));
  return [...new Set([...links, ...(needs.get(key) ?? [])])].filter((other) => other !== key);
}

/** What instances wait for, and when others count them as up, by the confs. */
export interface Customs {
  readonly needs: ReadonlyMap<InstanceKey, readonly InstanceKey[]>;
  readonly manners: ReadonlyMap<InstanceKey, Manner>;
}

/** Starts those of the named that do not run, as they were made, each once those are up that it waits for. */
export function planStart(
  project: string,
  named: readonly ObservedContainer[],
  containers: readonly ObservedContainer[],
  { needs, manners }: Customs,
): Plan {
  const stopped = named.filter((container) => !runs(container));
  const needed = new Set(stopped.flatMap((container) => needsOf(container, needs)));
  const running = containers.filter(({ state, key }) => state === 'running' && needed.has(key));
  const concerned = new Map([...running, ...stopped].map((container) => [container.key, container]));
  const waiting = (key: InstanceKey): readonly InstanceKey[] => {
    const container = concerned.get(key);
    if (container === undefined || runs(container)) return [];
    return needsOf(container, needs).filter((other) => concerned.has(other));
  };
  const order = topological([...concerned.keys()], waiting);
  // Containers of several confs may be linked in a circle: they start at the same time then.
  const sequence = order.kind === 'order' ? order.keys : [...concerned.keys()];
  const steps = sequence.flatMap((key): readonly Step[] => {
    const found = concerned.get(key);
    if (found === undefined) return [];
    const manner = manners.get(key) ?? { wait: 'best', sleep: 0 };
    const reasons = [runs(found) ? 'it runs' : notRunning(found)];
    return [
      { key, action: { kind: 'resume', found, manner }, reasons, after: order.kind === 'order' ? waiting(key) : [] },
    ];
  });
  return { project, steps, warnings: [] };
}

/** Containers that run with addresses of links that are others by now, each with what makes it right. */
export function staleLinks(containers: readonly ObservedContainer[]): readonly string[] {
  const addresses = new Map(containers.map(({ key, address }) => [key, address]));
  return containers.filter(runs).flatMap(({ key, recorded, linkAddresses }) =>
    (recorded?.links ?? []).flatMap((link) => {
      const [alias = '', to = ''] = link.split('=');
      const [known, now] = [linkAddresses[alias], addresses.get(to)];
      if (now === undefined || known === undefined || known === now) return [];
      return [`${key}: link ${alias} has the address that ${to} had before; "dockerops run ${key}" makes ${key} anew`];
    }),
  );
}

/** @param needs what instances wait for by the confs, beside the links that containers were made with */
export function planEnd(
  project: string,
  wish: EndWish,
  containers: readonly ObservedContainer[],
  needs: ReadonlyMap<InstanceKey, readonly InstanceKey[]>,
): Plan {
  const concerned = containers.filter((container) => wish.kind === 'remove' || runs(container));
  const keys = new Set(concerned.map(({ key }) => key));
  const waiting = new Map(
    concerned.map((container) => [container.key, needsOf(container, needs).filter((key) => keys.has(key))]),
  );
  const order = topological([...keys], (key) => waiting.get(key) ?? []);
  // Containers of several confs may be linked in a circle: they end at the same time then.
  const sequence = order.kind === 'order' ? [...order.keys].reverse() : [...keys];
  const steps = sequence.flatMap((key): readonly Step[] => {
    const found = concerned.find((container) => container.key === key);
    if (found === undefined) return [];
    const after =
      order.kind === 'cycle' ? [] : [...waiting].filter(([, others]) => others.includes(key)).map(([other]) => other);
    return [{ action: endOf(wish, found), key, reasons: ['it was asked for'], after }];
  });
  return { project, steps, warnings: [] };
}

function endOf(wish: EndWish, found: ObservedContainer): StepAction {
  switch (wish.kind) {
    case 'stop':
      return { kind: 'stop', found, ...(wish.timeout === undefined ? {} : { timeout: wish.timeout }) };
    case 'kill':
      return { kind: 'kill', found, signal: wish.signal };
    case 'remove':
      return { kind: 'remove', found };
  }
}

/** Describes a step in one line, for a person who reads the plan before it is carried out; undefined where the instance is kept as it is. */
export function describeStep({ action, key, reasons }: Step): string | undefined {
  const why = reasons.join('; ');
  switch (action.kind) {
    case 'keep':
      return undefined;
    case 'create':
      return `create    ${key}`;
    case 'start':
    case 'resume':
      return `start     ${key}   ${why}`;
    case 'recreate':
      return `recreate  ${key}   ${why}`;
    case 'stop':
      return `stop      ${key}`;
    case 'kill':
      return `kill      ${key}   with ${action.signal}`;
    case 'remove':
      return `remove    ${key}   container ${action.found.containerName}`;
  }
}

/** The containers of the project whose instances stand in no entry of the conf. */
export function strays(
  observed: Observed,
  entries: readonly { container: string; instance: string }[],
): readonly ObservedContainer[] {
  const known = new Set(entries.map((entry) => instanceKey(entry)));
  return observed.containers.filter(({ key }) => !known.has(key));
}
