/** The descriptors that a service gets for its probes `fd`. */
import { type ProbeTree, probesOf } from '../../model/service/probe.ts';
import type { ServiceSpec } from '../../model/service/service-spec.ts';
import type { SpawnError } from '../../model/service/spawn-error.ts';

interface ProbeDescriptors {
  /** In the order of `fdProbes`. */
  readonly pipes: readonly number[];
  readonly variables: Readonly<Record<string, string>>;
}

/** The first descriptor that is not a standard stream. */
const first = 3;

/** What the probes `fd` of a service name, numbers and variables, each once. */
export function fdProbes({ ready, healthy }: ServiceSpec): readonly (number | string)[] {
  const of = (tree: ProbeTree | undefined) =>
    tree === undefined ? [] : probesOf(tree).flatMap(({ check }) => (check.kind === 'fd' ? [check.descriptor] : []));
  return [...new Set([...of(ready), ...of(healthy)])];
}

/** @param kept how many descriptors the service gets back from 3 on (LISTEN_FDS) */
export function descriptorsOf(service: ServiceSpec, kept: number): ProbeDescriptors | SpawnError {
  const names = fdProbes(service);
  const taken = names.find((name) => typeof name === 'number' && name < first + kept);
  if (taken !== undefined) {
    const detail = `descriptor ${taken} for its probe: LISTEN_FDS is ${kept}, and those descriptors are 3 to ${first + kept - 1}`;
    return { code: 'EBUSY', stage: 'descriptor', program: service.argv[0] ?? '', detail };
  }
  const given = new Set(names);
  const variables: Record<string, string> = {};
  let next = first + kept;
  const pipes = names.map((name) => {
    if (typeof name === 'number') return name;
    while (given.has(next)) next += 1;
    variables[name] = String(next);
    next += 1;
    return next - 1;
  });
  return { pipes, variables };
}
