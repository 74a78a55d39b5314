import { shortName } from '../model/service/service-spec.ts';
import { matchesGlob } from '../model/words/glob.ts';
import { type Answer, noSuchService } from './answer.ts';

interface Named {
  readonly name: string;
}

export type Selection<S> =
  | { readonly kind: 'services'; readonly services: readonly S[] }
  | { readonly kind: 'answer'; readonly answer: Answer };

/**
 * The services that names and globs mean, each once, in start order. A name stands with or without its suffix; a glob is
 * matched against both.
 */
export function selectServices<S extends Named>(services: readonly S[], names: readonly string[]): Selection<S> {
  const chosen = new Set<S>();
  const unknown: string[] = [];
  for (const wanted of names) {
    // A word is tried as a name before it is tried as a glob, since a name may contain brackets.
    const exact =
      services.find(({ name }) => name === wanted) ?? services.find(({ name }) => name === `${wanted}.service`);
    const found =
      exact === undefined && /[*?[]/.test(wanted) ? services.filter(({ name }) => fits(name, wanted)) : exact;
    const list = found === undefined ? [] : Array.isArray(found) ? found : [found];
    if (list.length === 0) unknown.push(wanted);
    for (const service of list) chosen.add(service);
  }
  if (unknown.length > 0) return { kind: 'answer', answer: noSuchService(unknown) };
  return { kind: 'services', services: services.filter((service) => chosen.has(service)) };
}

function fits(name: string, glob: string): boolean {
  return matchesGlob(name, glob) || matchesGlob(shortName(name), glob);
}
