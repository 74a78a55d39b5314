/** Asks the engine what exists of a project: a plan is made from that. */
import { succeed } from '../engine/answer.ts';
import type { ContainerFacts, ContainerRow, Engine, EngineAnswer } from '../engine/engine.ts';
import { instanceKey } from '../model/instance.ts';
import type { Observed, ObservedContainer, ObservedImage } from '../model/plan.ts';
import { labelNames, networkName } from '../model/project.ts';
import { parseRecordedSpec } from '../model/recorded-spec.ts';

/** @param images names of images that plans ask for */
export async function observe(
  engine: Engine,
  project: string,
  images: readonly string[] = [],
): Promise<EngineAnswer<Observed>> {
  const rows = await engine.containers.list([]);
  if (!rows.ok) return rows;
  const isOwn = ({ labels }: ContainerRow): boolean => labels[labelNames.project] === project;
  const found = await Promise.all(
    rows.value.filter(isOwn).map(async (row) => ({ row, facts: await engine.containers.inspect(row.id) })),
  );
  const containers: ObservedContainer[] = [];
  for (const { row, facts } of found) {
    // One that has gone between the two questions is not there.
    if (!facts.ok && facts.failure.kind === 'absent') continue;
    if (!facts.ok) return facts;
    const container = observedContainer(row, facts.value, project);
    if (container !== undefined) containers.push(container);
  }
  const known = new Map<string, ObservedImage>();
  for (const name of new Set(images)) {
    const facts = await engine.images.inspect(name);
    if (facts.ok) {
      const exposed = (facts.value.exposed ?? []).map(({ port, protocol }) => `${port}/${protocol}`);
      known.set(name, { id: facts.value.id, exposed, hasHealthcheck: facts.value.healthCheck === true });
    } else if (facts.failure.kind !== 'absent') return facts;
  }
  containers.sort((a, b) => (a.key < b.key ? -1 : 1));
  const foreignNames = new Set(rows.value.filter((row) => !isOwn(row)).map(({ name }) => name));
  return succeed({ containers, images: known, foreignNames });
}

/** @returns undefined for a container whose labels name no instance */
function observedContainer(
  { labels, imageId }: ContainerRow,
  facts: ContainerFacts,
  project: string,
): ObservedContainer | undefined {
  const container = labels[labelNames.container];
  const instance = labels[labelNames.instance];
  if (container === undefined || instance === undefined) return undefined;
  const recorded = parseRecordedSpec(labels[labelNames.spec] ?? '');
  const address = facts.addresses[networkName(project)] ?? Object.values(facts.addresses)[0];
  const state = facts.status === 'stopping' ? 'running' : facts.status;
  return {
    id: facts.id,
    key: instanceKey({ container, instance }),
    container,
    instance,
    containerName: facts.name,
    state,
    imageId: facts.imageId === '' ? imageId : facts.imageId,
    ...(state === 'exited' || state === 'dead' ? { exitCode: facts.exitCode } : {}),
    ...(facts.health === 'none' ? {} : { health: facts.health }),
    ...(facts.started === undefined ? {} : { startedAt: facts.started }),
    ...(address === undefined || address === '' ? {} : { address }),
    ...(recorded === undefined ? {} : { recorded }),
    linkAddresses: addressesOf(labels[labelNames.links]),
  };
}

function addressesOf(label: string | undefined): Readonly<Record<string, string>> {
  try {
    const value: unknown = JSON.parse(label ?? '{}');
    if (typeof value !== 'object' || value === null) return {};
    return Object.fromEntries(
      Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
    );
  } catch {
    return {};
  }
}
