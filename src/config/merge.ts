import type { Section, Value } from './validate.ts';

/** All sections of a configuration, one a name, in the order in which the names first appear. */
export interface MergedSections {
  readonly settings: Section | undefined;
  readonly services: ReadonlyMap<string, Section>;
  readonly logging: ReadonlyMap<string, Section>;
}

/**
 * Puts the files of a configuration together: a later service replaces an earlier one of its name; settings and logging
 * sections are merged key by key, `env_set` variable by variable, and `compat` and `inspect` directive by directive.
 */
export function mergeSections(files: readonly (readonly Section[])[]): MergedSections {
  let settings: Section | undefined;
  const services = new Map<string, Section>();
  const logging = new Map<string, Section>();
  for (const section of files.flat()) {
    switch (section.kind) {
      case 'settings':
        settings = settings === undefined ? section : merged(settings, section);
        break;
      case 'service':
        services.set(section.name, section);
        break;
      case 'logging': {
        const earlier = logging.get(section.name);
        logging.set(section.name, earlier === undefined ? section : merged(earlier, section));
        break;
      }
      default:
        throw new Error('internal error: unknown kind of section');
    }
  }
  return { settings, services, logging };
}

function merged(earlier: Section, section: Section): Section {
  const values = new Map<string, Value>(earlier.values);
  for (const [key, value] of section.values) {
    values.set(key, mergedValue(values.get(key), value));
  }
  return { ...section, values, given: new Map([...earlier.given, ...section.given]) };
}

function mergedValue(before: Value | undefined, value: Value): Value {
  if (value.kind === 'textMap' && before?.kind === 'textMap')
    return { kind: 'textMap', entries: new Map([...before.entries, ...value.entries]) };
  if (value.kind === 'section' && before?.kind === 'section')
    return { kind: 'section', section: merged(before.section, value.section) };
  return value;
}
