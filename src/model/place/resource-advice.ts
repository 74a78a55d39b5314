/** Says which resources and rights of services a place cannot give. */
import { capabilityNames, limitText, type ResourceName } from '../service/resources.ts';
import type { ServiceSpec } from '../service/service-spec.ts';
import type { PlaceFacts } from './place-facts.ts';

/** What a service cannot get, and what to do about it. */
export interface Refusal {
  readonly area: 'rights' | 'limits';
  readonly text: string;
  readonly advice: string;
}

/** The limits as /proc/PID/limits calls them. */
const limitTitles: Readonly<Record<ResourceName, string>> = {
  cpu: 'Max cpu time',
  fsize: 'Max file size',
  data: 'Max data size',
  stack: 'Max stack size',
  core: 'Max core file size',
  rss: 'Max resident set',
  nproc: 'Max processes',
  nofile: 'Max open files',
  memlock: 'Max locked memory',
  as: 'Max address space',
  locks: 'Max file locks',
  sigpending: 'Max pending signals',
  msgqueue: 'Max msgqueue size',
  nice: 'Max nice priority',
  rtprio: 'Max realtime priority',
  rttime: 'Max realtime timeout',
};

export function resourcesRefused(services: readonly ServiceSpec[], place: PlaceFacts): readonly Refusal[] {
  return services.flatMap((service) => (service.enabled ? refusedTo(service, place) : []));
}

function refusedTo({ name, resources }: ServiceSpec, { capabilities, limits }: PlaceFacts): readonly Refusal[] {
  if (resources === undefined) return [];
  const { effective, bounding } = capabilities;
  const { nice = 0, oomScoreAdjust = 0, supplementaryGroups = [], limits: wanted = [] } = resources;
  const lack = (what: string, capability: string): Refusal => ({
    area: 'rights',
    text: `${name} ${what}: chaperone lacks CAP_${capability}`,
    advice: `add the capability ${capability} to the container, or leave the directive out`,
  });
  const own = resources.capabilities?.map((each) => capabilityNames[each] ?? '');
  const missing = own?.filter((each) => !effective.has(each)) ?? [];
  const drops = own !== undefined && [...bounding].some((each) => !own.includes(each));
  const free = effective.has('SYS_RESOURCE');
  const tooHigh = wanted.flatMap(({ name: limit, soft, hard }): readonly Refusal[] => {
    const here = limits.find((each) => each.name === limitTitles[limit])?.hard;
    if (free || here === undefined || (hard >= 0 && hard <= here)) return [];
    const text = `${name} cannot get the limit ${limit} ${limitText({ soft, hard })}: the hard limit here is ${here}`;
    return [{ area: 'limits', text, advice: 'start the container with a higher --ulimit, or ask for less' }];
  });
  return [
    ...missing.map(
      (each): Refusal => ({
        area: 'rights',
        text: `${name} cannot have the capability ${each}: chaperone lacks it`,
        advice: `add the capability ${each} to the container, or leave it out`,
      }),
    ),
    ...(drops && !effective.has('SETPCAP') ? [lack('cannot be confined to its capabilities', 'SETPCAP')] : []),
    ...(nice < 0 && !effective.has('SYS_NICE') ? [lack(`cannot get nice ${nice}`, 'SYS_NICE')] : []),
    ...(oomScoreAdjust < 0 && !free ? [lack(`cannot get oom_score_adjust ${oomScoreAdjust}`, 'SYS_RESOURCE')] : []),
    ...(supplementaryGroups.length > 0 && !effective.has('SETGID')
      ? [lack('cannot get supplementary_groups', 'SETGID')]
      : []),
    ...tooHigh,
  ];
}
