/** What the Docker Engine API tells of objects, as the port's facts. Fields that Podman leaves out or sets to null are taken as empty. */
import type Dockerode from 'dockerode';
import type {
  ContainerFacts,
  ContainerRow,
  ContainerStatus,
  Health,
  ImageFacts,
  Labels,
  Mount,
  Port,
  PublishedPort,
} from './engine.ts';

const statuses: Readonly<Record<string, ContainerStatus>> = {
  created: 'created',
  configured: 'created',
  initialized: 'created',
  running: 'running',
  paused: 'paused',
  restarting: 'restarting',
  removing: 'removing',
  stopping: 'stopping',
  stopped: 'exited',
  exited: 'exited',
  dead: 'dead',
};

/** A word that this table does not know counts as `dead`: nobody relies on such a container. */
export function statusOf(word: string): ContainerStatus {
  return statuses[word] ?? 'dead';
}

export function healthOf(word: string | undefined): Health {
  return word === 'starting' || word === 'healthy' || word === 'unhealthy' ? word : 'none';
}

/** `53/udp`; undefined where the text is something else. */
export function portOf(text: string): Port | undefined {
  const [, number, protocol = 'tcp'] = /^(\d+)(?:\/(\w+))?$/.exec(text) ?? [];
  if (number === undefined || (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'sctp')) return undefined;
  return { port: Number(number), protocol };
}

/** From `NAME=value` each; without `=`, the value is empty. */
export function environmentOf(lines: readonly string[] | null | undefined): Readonly<Record<string, string>> {
  const pairs = (lines ?? []).map((line): [string, string] => {
    const equals = line.indexOf('=');
    return equals === -1 ? [line, ''] : [line.slice(0, equals), line.slice(equals + 1)];
  });
  return Object.fromEntries(pairs);
}

/** Unix ms; undefined for the engine's word for never, `0001-01-01T00:00:00Z`. */
function instantOf(text: string | undefined): number | undefined {
  const instant = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isFinite(instant) && instant > 0 ? instant : undefined;
}

type Endpoints = Readonly<Record<string, { readonly IPAddress?: string } | null>> | null | undefined;

function addressesOf(networks: Endpoints): Readonly<Record<string, string>> {
  const known = Object.entries(networks ?? {}).map(([name, endpoint]): [string, string] => [
    name,
    endpoint?.IPAddress ?? '',
  ]);
  return Object.fromEntries(known.filter(([, address]) => address !== ''));
}

type Bindings = Readonly<Record<string, readonly { HostIp?: string; HostPort?: string }[] | null>> | null | undefined;

/** Keeps each host port once: an engine lists a port once for IPv4 and once for IPv6. */
function publishedOf(bindings: Bindings): readonly PublishedPort[] {
  const found = Object.entries(bindings ?? {}).flatMap(([text, hosts]) => {
    const port = portOf(text);
    if (port === undefined) return [];
    return (hosts ?? []).map(({ HostIp = '', HostPort = '' }) =>
      published(port, Number(HostPort === '' ? 0 : HostPort), HostIp),
    );
  });
  return unique(found);
}

function published(port: Port, hostPort: number, address: string): PublishedPort {
  const everywhere = address === '' || address === '0.0.0.0' || address === '::';
  return { ...port, hostPort, ...(everywhere ? {} : { hostAddress: address }) };
}

function unique(ports: readonly PublishedPort[]): readonly PublishedPort[] {
  const keyOf = (port: PublishedPort): string =>
    `${port.hostAddress ?? ''}:${port.hostPort}:${port.port}/${port.protocol}`;
  return [...new Map(ports.map((port) => [keyOf(port), port])).values()].sort((a, b) => a.port - b.port);
}

type MountTold = Dockerode.ContainerInspectInfo['Mounts'][number];

function mountOf({ Type, Name, Source, Destination, RW }: MountTold): readonly Mount[] {
  if (Type === 'bind') return [{ type: 'bind', source: Source, target: Destination, readOnly: !RW }];
  if (Type === 'volume' && Name !== undefined) {
    return [{ type: 'volume', name: Name, target: Destination, readOnly: !RW }];
  }
  return [];
}

function labelsOf(labels: Labels | null | undefined): Labels {
  return labels ?? {};
}

export function containerFacts(told: Dockerode.ContainerInspectInfo): ContainerFacts {
  const { State: state, Config: config } = told;
  const started = instantOf(state.StartedAt);
  const finished = instantOf(state.FinishedAt);
  return {
    id: told.Id,
    name: told.Name.replace(/^\//, ''),
    image: config.Image,
    imageId: told.Image,
    labels: labelsOf(config.Labels),
    hostname: config.Hostname,
    status: statusOf(state.Status),
    health: healthOf(state.Health?.Status),
    exitCode: state.ExitCode,
    error: state.Error ?? '',
    outOfMemory: state.OOMKilled,
    created: instantOf(told.Created) ?? 0,
    ...(started === undefined ? {} : { started }),
    ...(finished === undefined ? {} : { finished }),
    addresses: addressesOf(told.NetworkSettings?.Networks),
    ports: publishedOf(told.HostConfig?.PortBindings ?? told.NetworkSettings?.Ports),
    environment: environmentOf(config.Env),
    mounts: (told.Mounts ?? []).flatMap(mountOf),
    terminal: config.Tty,
  };
}

export function containerRow(told: Dockerode.ContainerInfo): ContainerRow {
  return {
    id: told.Id,
    name: (told.Names[0] ?? told.Id).replace(/^\//, ''),
    image: told.Image,
    imageId: told.ImageID,
    labels: labelsOf(told.Labels),
    status: statusOf(told.State),
    statusText: told.Status,
    created: told.Created * 1000,
    addresses: addressesOf(told.NetworkSettings?.Networks),
    ports: unique(
      (told.Ports ?? []).flatMap(({ PrivatePort, PublicPort, Type, IP }) => {
        const port = portOf(`${PrivatePort}/${Type}`);
        return port === undefined || !PublicPort ? [] : [published(port, PublicPort, IP ?? '')];
      }),
    ),
    volumes: (told.Mounts ?? []).flatMap(({ Type, Name }) => (Type === 'volume' && Name !== undefined ? [Name] : [])),
  };
}

const noTag = '<none>:<none>';

function tagsOf(tags: readonly string[] | null | undefined): readonly string[] {
  return (tags ?? []).filter((tag) => tag !== noTag);
}

function wordsOf(words: string | readonly string[] | null | undefined): readonly string[] {
  if (words === null || words === undefined) return [];
  return typeof words === 'string' ? [words] : words;
}

export function imageFacts(told: Dockerode.ImageInspectInfo): ImageFacts {
  const { Config: config } = told;
  const test = config?.Healthcheck?.Test ?? [];
  return {
    id: told.Id,
    tags: tagsOf(told.RepoTags),
    labels: labelsOf(config?.Labels),
    created: instantOf(told.Created) ?? 0,
    bytes: told.Size,
    exposed: Object.keys(config?.ExposedPorts ?? {}).flatMap((text) => portOf(text) ?? []),
    healthCheck: test.length > 0 && test[0] !== 'NONE',
    environment: environmentOf(config?.Env),
    entrypoint: wordsOf(config?.Entrypoint),
    command: wordsOf(config?.Cmd),
  };
}

export function imageRow(told: Dockerode.ImageInfo): ImageFacts {
  return {
    id: told.Id,
    tags: tagsOf(told.RepoTags),
    labels: labelsOf(told.Labels),
    created: told.Created * 1000,
    bytes: told.Size,
  };
}
