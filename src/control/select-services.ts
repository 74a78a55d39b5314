import { shortName } from '../model/service/service-spec.ts';
import { templateName, templateOf } from '../model/service/template.ts';
import { compileGlob, type GlobWork, isGlob } from '../model/words/glob.ts';
import { type Answer, mistake, noSuchService } from './answer.ts';
import { limits } from './limits.ts';
import type { Meter } from './meter.ts';

interface Named {
  readonly name: string;
}

export type Selection<S> =
  | { readonly kind: 'services'; readonly services: readonly S[] }
  | { readonly kind: 'answer'; readonly answer: Answer };

/**
 * The services that names and globs mean, each once, in start order. A name stands with or without its suffix; a glob is
 * matched against both; the name of a template means its instances.
 *
 * @param meter counts the work
 */
export function selectServices<S extends Named>(
  services: readonly S[],
  names: readonly string[],
  meter: Meter,
): Selection<S> {
  if (names.length === 0) return { kind: 'services', services: [] };
  const byName = new Map(services.map((service) => [service.name, service]));
  const chosen = new Set<S>();
  const unknown: string[] = [];
  let globs = 0;
  for (const wanted of new Set(names)) {
    // A word is tried as a name before it is tried as a glob, since a name may contain brackets.
    const exact = byName.get(wanted) ?? byName.get(`${wanted}.service`);
    if (exact !== undefined) {
      chosen.add(exact);
      continue;
    }
    const found = isGlob(wanted) ? matching(services, wanted, meter) : instances(services, wanted);
    globs += isGlob(wanted) ? 1 : 0;
    if (found === undefined || globs > limits.globs) return { kind: 'answer', answer: tooCostly };
    if (found.length === 0) unknown.push(wanted);
    for (const service of found) chosen.add(service);
  }
  if (unknown.length > 0) return { kind: 'answer', answer: noSuchService(unknown, [...byName.keys()]) };
  return { kind: 'services', services: services.filter((service) => chosen.has(service)) };
}

/** The instances of a template that is named with its `@`: `worker@`, `worker@.service`. */
function instances<S extends Named>(services: readonly S[], wanted: string): readonly S[] {
  if (!/@(?:\.service)?$/.test(wanted)) return [];
  const template = templateName(wanted);
  return services.filter(({ name }) => templateOf(name) === template);
}

const tooCostly = mistake(
  `the names need too much work: at most ${limits.globs} globs, each of at most ${limits.glob} characters, and few "*" in each`,
);

/** The services that a glob means; undefined if finding them takes too long. */
function matching<S extends Named>(services: readonly S[], wanted: string, meter: Meter): readonly S[] | undefined {
  if (wanted.length > limits.glob) return undefined;
  const work: GlobWork = { left: limits.globSteps - meter.steps };
  const before = work.left;
  const glob = compileGlob(wanted);
  const found = services.filter(({ name }) => glob.matches(name, work) || glob.matches(shortName(name), work));
  meter.steps += wanted.length + before - work.left;
  return work.left < 0 ? undefined : found;
}
