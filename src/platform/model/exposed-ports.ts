import { type DockerfileFacts, parsePort } from './dockerfile.ts';
import type { PublishedPort } from './instance.ts';
import { imageName } from './project.ts';

/** What an image exposes, and the notes about ports in the Dockerfiles that it is made of. */
export function exposedPorts(
  project: string,
  container: string,
  dockerfiles: ReadonlyMap<string, DockerfileFacts>,
  exposed: readonly string[],
): readonly PublishedPort[] {
  const ports = exposed.flatMap((text) => parsePort(text) ?? []);
  const seen = new Set<string>();
  for (let name: string | undefined = container; name !== undefined && !seen.has(name); ) {
    seen.add(name);
    const facts: DockerfileFacts | undefined = dockerfiles.get(name);
    ports.push(...(facts?.noted ?? []));
    const base = facts?.base?.replace(/:latest$/, '');
    name = [...dockerfiles.keys()].find((other) => imageName(project, other) === base);
  }
  const byName = new Map(ports.map((port) => [`${port.port}/${port.protocol}`, port]));
  return [...byName.values()].sort((a, b) => a.port - b.port || (a.protocol < b.protocol ? -1 : 1));
}
