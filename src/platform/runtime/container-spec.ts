/** From an instance, as it shall run, to what the engine is asked to make. */
import type { ContainerSpec, Mount } from '../engine/engine.ts';
import type { Mount as InstanceMount, InstanceSpec } from '../model/instance.ts';
import { labelNames } from '../model/project.ts';
import { type Digest, recordSpec } from '../model/recorded-spec.ts';

/** Seconds between the stop signal and SIGKILL: Docker's own default. Podman's is none for containers that were made through its API. */
const stopTimeout = 10;

/** @param addresses of its links, by alias */
export function containerSpec(
  spec: InstanceSpec,
  addresses: Readonly<Record<string, string>>,
  digest: Digest,
): ContainerSpec {
  const links = spec.links.flatMap(({ alias, containerName, variable }) => {
    const address = addresses[alias];
    return address === undefined ? [] : [{ alias, variable, address, container: containerName }];
  });
  return {
    name: spec.containerName,
    image: spec.image,
    hostname: spec.hostname,
    labels: {
      ...spec.labels,
      [labelNames.spec]: JSON.stringify(recordSpec(spec, digest)),
      [labelNames.links]: JSON.stringify(addresses),
    },
    environment: { ...spec.env, ...Object.fromEntries(links.map(({ variable, address }) => [variable, address])) },
    ports: spec.ports.map(({ port, protocol }) => ({ port, protocol, hostPort: port })),
    mounts: spec.mounts.map(mountOf),
    ...(spec.network === undefined ? {} : { network: spec.network }),
    aliases: spec.network === undefined ? [] : [spec.key],
    links: links.map(({ alias, address, container }) => ({ alias, address, container })),
    terminal: spec.terminal,
    openInput: spec.terminal,
    stopTimeout,
  };
}

function mountOf(mount: InstanceMount): Mount {
  const { target, readOnly } = mount;
  if (mount.kind === 'bind') return { type: 'bind', source: mount.source, target, readOnly };
  return { type: 'volume', name: mount.name, target, readOnly };
}

/** The addresses of its links when a container was made, by alias; empty where its label says none. */
export function linkAddresses(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  try {
    const value: unknown = JSON.parse(labels[labelNames.links] ?? '{}');
    if (typeof value !== 'object' || value === null) return {};
    return Object.fromEntries(
      Object.entries(value).flatMap(([alias, address]) => (typeof address === 'string' ? [[alias, address]] : [])),
    );
  } catch {
    return {};
  }
}
