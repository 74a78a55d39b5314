/** The client of the Docker Engine API, as the parts of the port's implementation share it. */
import { Agent } from 'node:http';
import Dockerode from 'dockerode';
import type { LabelFilter } from './engine.ts';

/** An engine and the client through which its calls go. */
export interface Client {
  readonly docker: Dockerode;
  readonly address: string;
  /** Asks once. Podman's compatible socket knows no links between containers of a network. */
  readonly isPodman: () => Promise<boolean>;
}

export function clientOf(address: string): Client {
  // A connection that the engine has closed in the meantime must not be used again: it would look like an engine that has gone.
  const agent = new Agent({ keepAlive: false });
  const socketPath = /^unix:\/\/(.+)$/.exec(address)?.[1];
  const url = socketPath === undefined ? new URL(address.includes('//') ? address : `tcp://${address}`) : undefined;
  const tls = url !== undefined && (process.env['DOCKER_TLS_VERIFY'] === '1' || url.port === '2376');
  const docker = new Dockerode({
    ...(url === undefined
      ? { socketPath: socketPath ?? '', host: undefined }
      : { host: url.hostname, port: url.port, protocol: tls ? 'https' : 'http' }),
    ...(tls ? {} : { agent }),
  });
  let podman: Promise<boolean> | undefined;
  const ask = async (): Promise<boolean> => {
    try {
      return productOf(await docker.version()).startsWith('Podman');
    } catch {
      podman = undefined;
      return false;
    }
  };
  return {
    docker,
    address,
    isPodman: () => {
      podman ??= ask();
      return podman;
    },
  };
}

/** As the engine calls itself: `Docker Engine`, `Podman Engine`. */
export function productOf(version: Dockerode.DockerVersion): string {
  return version.Components?.[0]?.Name.replace(/^Engine$/, 'Docker Engine') ?? 'Docker Engine';
}

/** The API's filters by label. */
export function labelFilters(labels: readonly LabelFilter[]): readonly string[] {
  return labels.map(({ name, value }) => (value === undefined ? name : `${name}=${value}`));
}
