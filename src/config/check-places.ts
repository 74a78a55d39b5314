import { templateOf } from '../model/service/template.ts';
import type { MergedSections } from './merge.ts';
import type { YamlNode } from './parse-yaml.ts';
import type { Place } from './source.ts';
import type { Section } from './validate.ts';

/** Where everything stands in the files of a configuration, after they were merged. */
export interface Places {
  /** The files, in the order in which they are read. */
  readonly files: readonly string[];
  /** The place of a section's name: the last one if several files have it; undefined if none has. */
  section(name: string): Place | undefined;
  /** The place of a directive's value, of the one that counts; undefined if it is not given. */
  directive(section: string, key: string): Place | undefined;
  /** The sections as they are merged; the mistakes in them are left out. */
  readonly settings: Section | undefined;
  readonly services: {
    readonly all: () => Iterable<Section>;
    /** The section that says what a service is: for an instance, that of its template. */
    readonly get: (name: string) => Section | undefined;
  };
}

interface SectionPlaces {
  readonly place: Place;
  readonly directives: Map<string, Place>;
}

/** @param roots the documents of each file */
export function indexPlaces(
  files: readonly string[],
  roots: readonly (readonly YamlNode[])[],
  { settings, services }: Pick<MergedSections, 'settings' | 'services'>,
): Places {
  const sections = new Map<string, SectionPlaces>();
  for (const root of roots.flat()) {
    if (root.kind !== 'map') continue;
    for (const { key, value } of root.entries) {
      // As in the merge: a later service replaces an earlier one as a whole, other sections key by key.
      const earlier = key.text.endsWith('.service') ? undefined : sections.get(key.text);
      const directives = new Map(earlier?.directives);
      for (const entry of value.kind === 'map' ? value.entries : []) {
        if (entry.value.kind === 'scalar' && entry.value.isNull) continue;
        directives.set(entry.key.text, entry.value.place);
      }
      sections.set(key.text, { place: key.place, directives });
    }
  }
  // What an instance is, its template says, unless it has a section of its own.
  const placesOf = (name: string): SectionPlaces | undefined =>
    sections.get(name) ?? sections.get(templateOf(name) ?? name);
  return {
    files,
    settings,
    services: {
      all: () => services.values(),
      get: (name) => services.get(name) ?? services.get(templateOf(name) ?? name),
    },
    section: (name) => placesOf(name)?.place,
    directive: (section, key) => placesOf(section)?.directives.get(key),
  };
}
