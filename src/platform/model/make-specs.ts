/** Makes of entries of a run.conf what the engine is told: types are filled in, links and dependencies are resolved. */
import { alternatives } from '../../model/words/nearest.ts';
import {
  type InstanceKey,
  type InstanceSpec,
  type InstanceType,
  instanceKey,
  type Link,
  type Mount,
  type PublishedPort,
} from './instance.ts';
import { instanceTypes, type TypeDefaults, typeOfInstance } from './instance-types.ts';
import { containerName, imageName, labelNames, networkName, type ProjectPlaces } from './project.ts';
import type { EnvWish, LinkWish, RunEntry, VolumeWish } from './run-entry.ts';

/** What the command line says about the instances that it names; it wins over run.conf. */
export interface Overrides extends Partial<TypeDefaults> {
  readonly type?: InstanceType;
  readonly interactive?: boolean;
  readonly safemode?: boolean;
}

export interface Surroundings {
  readonly places: ProjectPlaces;
  /** The variables of each entry, resolved. */
  readonly env: (entry: RunEntry) => Readonly<Record<string, string>>;
  /** Ports that the image of a container exposes, and those of the notes in its Dockerfiles. */
  readonly exposed: (container: string) => readonly PublishedPort[];
  readonly hostName: string;
  /** The public key that the project's `ssh` uses; absent: none was made yet. */
  readonly publicKey?: string;
  /** Instances that run, for links that take any. */
  readonly running: readonly Pick<InstanceSpec, 'container' | 'instance'>[];
}

export type Specs =
  | { readonly kind: 'specs'; readonly specs: readonly InstanceSpec[]; readonly warnings: readonly string[] }
  | { readonly kind: 'impossible'; readonly problems: readonly string[] };

/** Variables that every instance gets, beside those of its links. */
export const givenVariables = [
  'CONTAINER',
  'INSTANCE',
  'INSTANCE_TYPE',
  'PERSISTENT_DATA',
  'PERSISTENT_OPT',
  'PERSISTENT_LOG',
  'SAFEMODE',
  'INTERACTIVE',
  'HOST_HOSTNAME',
] as const;

/** The variables of an entry with those that its type needs: a master has to know the host's address. */
export function wishesOf(entry: RunEntry, overrides: Overrides = {}): Readonly<Record<string, EnvWish>> {
  if (typeOf(entry, overrides) !== 'master' || entry.env['HOST_IP'] !== undefined) return entry.env;
  return { ...entry.env, HOST_IP: { kind: 'required' } };
}

/**
 * @param all every entry of the conf, for links and dependencies
 * @param chosen those that the command names; they get the overrides
 */
export function makeSpecs(
  all: readonly RunEntry[],
  chosen: ReadonlySet<RunEntry>,
  overrides: Overrides,
  surroundings: Surroundings,
): Specs {
  const problems: Remark[] = [];
  const warnings: Remark[] = [];
  const settle = (entry: RunEntry) => settled(entry, chosen.has(entry) ? overrides : {});
  const linksOf = new Map<InstanceKey, readonly Link[]>();
  for (const entry of all) {
    const links = !settle(entry).linked
      ? []
      : entry.links.flatMap((wish) => {
          const { link, warning } = resolveLink(entry, wish, all, surroundings);
          const key = instanceKey(entry);
          if (warning !== undefined) warnings.push({ key, text: warning });
          if (link === undefined) problems.push({ key, text: noTarget(entry, wish, all) });
          return link === undefined ? [] : [link];
        });
    linksOf.set(instanceKey(entry), links);
  }
  const needs = dependencies(all, linksOf);
  const wanted = closure(all.filter((entry) => chosen.has(entry)).map(instanceKey), needs);
  const specs = all
    .filter((entry) => wanted.has(instanceKey(entry)))
    .map((entry) => makeSpec(entry, settle(entry), linksOf, needs, surroundings));
  const about = (remarks: readonly Remark[]) => remarks.filter(({ key }) => wanted.has(key)).map(({ text }) => text);
  const obstacles = [...about(problems), ...portsTakenTwice(specs)];
  return obstacles.length > 0
    ? { kind: 'impossible', problems: obstacles }
    : { kind: 'specs', specs, warnings: about(warnings) };
}

/** A sentence about one instance. */
interface Remark {
  readonly key: InstanceKey;
  readonly text: string;
}

interface Settled extends TypeDefaults {
  readonly type: InstanceType;
  readonly interactive: boolean;
  readonly safemode: boolean;
}

const typeOf = (entry: RunEntry, overrides: Overrides): InstanceType =>
  overrides.type ?? entry.type ?? typeOfInstance(entry.instance);

/** The command line wins over run.conf, which wins over the type. */
function settled(entry: RunEntry, overrides: Overrides): Settled {
  const type = typeOf(entry, overrides);
  const defaults = instanceTypes[type];
  const pick = (key: keyof TypeDefaults): boolean => overrides[key] ?? entry[key] ?? defaults[key];
  return {
    type,
    linked: pick('linked'),
    publishPorts: pick('publishPorts'),
    persistentData: pick('persistentData'),
    persistentOpt: pick('persistentOpt'),
    persistentLog: pick('persistentLog'),
    interactive: overrides.interactive ?? type === 'interactive',
    safemode: overrides.safemode ?? type === 'safemode',
  };
}

function makeSpec(
  entry: RunEntry,
  own: Settled,
  linksOf: ReadonlyMap<InstanceKey, readonly Link[]>,
  needs: ReadonlyMap<InstanceKey, ReadonlySet<InstanceKey>>,
  surroundings: Surroundings,
): InstanceSpec {
  const { places, hostName } = surroundings;
  const { container, instance } = entry;
  const key = instanceKey(entry);
  return {
    key,
    project: places.name,
    container,
    instance,
    type: own.type,
    containerName: containerName(places.name, container, instance),
    image: imageName(places.name, container),
    hostname: entry.hostname ?? key,
    ...(own.linked ? { network: networkName(places.name) } : {}),
    links: linksOf.get(key) ?? [],
    dependsOn: [...(needs.get(key) ?? [])],
    wait: entry.wait ?? 'best',
    env: {
      ...surroundings.env(entry),
      CONTAINER: container,
      INSTANCE: instance,
      INSTANCE_TYPE: own.type,
      PERSISTENT_DATA: truth(own.persistentData),
      PERSISTENT_OPT: truth(own.persistentOpt),
      PERSISTENT_LOG: truth(own.persistentLog),
      SAFEMODE: truth(own.safemode),
      INTERACTIVE: truth(own.interactive),
      HOST_HOSTNAME: hostName,
      ...(surroundings.publicKey === undefined ? {} : { AUTHORIZED_KEYS: surroundings.publicKey }),
    },
    ports: own.publishPorts ? surroundings.exposed(container) : [],
    mounts: mountsOf(entry, own, places),
    labels: {
      [labelNames.project]: places.name,
      [labelNames.container]: container,
      [labelNames.instance]: instance,
    },
    ...(entry.group === undefined ? {} : { group: entry.group }),
    sleep: entry.sleep,
    terminal: own.interactive,
  };
}

/** Writes a truth value as the scripts in images compare it. */
const truth = (value: boolean): string => (value ? 'True' : 'False');

function mountsOf({ container, instance, volumes }: RunEntry, own: Settled, places: ProjectPlaces): readonly Mount[] {
  const persistent = own.persistentData || own.persistentOpt || own.persistentLog;
  const source = `${places.dataFolder}/${container}/${instance}`;
  return [
    ...(persistent ? [{ kind: 'bind' as const, source, target: '/persistent', readOnly: false, create: true }] : []),
    ...volumes.map((volume) => mountOf(volume, places)),
  ];
}

function mountOf({ source, target, readOnly }: VolumeWish, { folder }: ProjectPlaces): Mount {
  if (source.startsWith('/')) return { kind: 'bind', source, target, readOnly, create: false };
  if (!source.startsWith('.')) return { kind: 'volume', name: source, target, readOnly };
  const parts: string[] = [];
  for (const part of `${folder}/${source}`.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return { kind: 'bind', source: `/${parts.join('/')}`, target, readOnly, create: false };
}

/** The variable that tells an address: `DB_CONTAINER_IP` for the alias `db`. */
export function linkVariable(alias: string): string {
  return `${alias.toUpperCase().replace(/[^A-Z0-9]/g, '_')}_CONTAINER_IP`;
}

/** A link to any instance takes the first that runs, else the first of the conf. */
function resolveLink(
  entry: RunEntry,
  { alias, container, instance }: LinkWish,
  all: readonly RunEntry[],
  { places, running }: Surroundings,
): { readonly link?: Link; readonly warning?: string } {
  const own = instanceKey(entry);
  const candidates = [...running, ...all]
    .filter((other) => other.container === container && (instance === undefined || other.instance === instance))
    .filter((other) => instanceKey(other) !== own);
  const [found] = candidates;
  if (found === undefined) return {};
  const link: Link = {
    alias,
    variable: linkVariable(alias),
    to: instanceKey(found),
    containerName: containerName(places.name, found.container, found.instance),
  };
  const keys = [
    ...new Set(
      (running.some((other) => other.container === container) ? running : all)
        .filter((other) => other.container === container)
        .map(instanceKey)
        .filter((key) => key !== own),
    ),
  ];
  if (instance !== undefined || keys.length < 2) return { link };
  return { link, warning: `${own}: its link ${alias} may go to ${alternatives(keys)}, and goes to ${link.to}` };
}

function noTarget(entry: RunEntry, { alias, container, instance }: LinkWish, all: readonly RunEntry[]): string {
  const known = all.filter((other) => other.container === container).map(instanceKey);
  const target = instance === undefined ? `an instance of ${container}` : `${container}-${instance}`;
  const there = known.length === 0 ? '' : ` (known: ${known.join(', ')})`;
  return `${instanceKey(entry)}: its link ${alias} goes to ${target}, which does not run and stands in no run.conf${there}`;
}

/** What each entry waits for: its links, `depends_on`, and the entries above it that have a `sleep`. */
export function dependencies(
  all: readonly RunEntry[],
  linksOf: ReadonlyMap<InstanceKey, readonly Pick<Link, 'to'>[]>,
): ReadonlyMap<InstanceKey, ReadonlySet<InstanceKey>> {
  const known = new Set(all.map(instanceKey));
  const needs = new Map(
    all.map((entry): readonly [InstanceKey, Set<InstanceKey>] => {
      const own = instanceKey(entry);
      const named = entry.dependsOn.flatMap((name) =>
        known.has(name) ? [name] : all.filter(({ container }) => container === name).map(instanceKey),
      );
      const links = (linksOf.get(own) ?? []).map(({ to }) => to);
      return [own, new Set([...links, ...named].filter((key) => known.has(key) && key !== own))];
    }),
  );
  all.forEach((entry, index) => {
    if (entry.sleep === 0) return;
    const own = instanceKey(entry);
    const above = closure([own], needs);
    for (const later of all.slice(index + 1).map(instanceKey)) if (!above.has(later)) needs.get(later)?.add(own);
  });
  return needs;
}

/** The given keys and all that they wait for. */
function closure(
  keys: readonly InstanceKey[],
  needs: ReadonlyMap<InstanceKey, ReadonlySet<InstanceKey>>,
): ReadonlySet<InstanceKey> {
  const found = new Set<InstanceKey>();
  const open = [...keys];
  for (let key = open.pop(); key !== undefined; key = open.pop()) {
    if (found.has(key)) continue;
    found.add(key);
    open.push(...(needs.get(key) ?? []));
  }
  return found;
}

function portsTakenTwice(specs: readonly InstanceSpec[]): readonly string[] {
  const owners = new Map<string, InstanceKey>();
  return specs.flatMap(({ key, ports }) =>
    ports.flatMap(({ port, protocol }) => {
      const name = `${port}/${protocol}`;
      const owner = owners.get(name);
      if (owner === undefined) owners.set(name, key);
      return owner === undefined ? [] : [`${key}: it publishes port ${name}, and so does ${owner}`];
    }),
  );
}
