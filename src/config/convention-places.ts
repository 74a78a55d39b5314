/** Which conventions of other inits an image meets, and what reads them. */
import { type ConventionName, conventions } from './convention-table.ts';
import type { YamlNode } from './parse-yaml.ts';
import type { Report } from './report.ts';
import { directiveOf, innerSection } from './section-values.ts';
import type { Section } from './validate.ts';

/** A convention that is switched on, and where its files may be. */
export interface ConventionPlace {
  readonly name: ConventionName;
  readonly paths: readonly string[];
}

/** What the readers of conventions found. */
export interface ConventionsRead {
  /** Sections, as a file of the configuration would hold them; a section of its files replaces one of the same name. */
  readonly roots: readonly YamlNode[];
  /** Variables that are added to what chaperone was started with. */
  readonly environment: Readonly<Record<string, string>>;
  /** Folders of services, of which additions and removals are to be noticed while the system runs. */
  readonly watched: readonly string[];
  /** The folder in which scripts change the variables of the programs that start after them; absent: there is none. */
  readonly variableFolder?: string;
  /** The files that places in diagnostics name. */
  readonly files: readonly string[];
}

/** The files of other inits that an image holds. */
export interface ImageConventions {
  /** True where something stands at the path. */
  exists(path: string): boolean;
  /** Reads them; absent: the code for that has to be loaded first. */
  readonly read?: (places: readonly ConventionPlace[], report: Report) => ConventionsRead;
  /** True where folders of services have come or gone since they were read: then `read` gives something else. */
  readonly refresh?: () => boolean;
}

/** Whether the settings leave a convention on, and where its files may be, whether they exist or not. */
export function conventionSetting(
  settings: Section,
  name: ConventionName,
): { readonly on: boolean; readonly paths: readonly string[] } {
  const compat = innerSection(settings, 'compat');
  const value = compat.values.get(name);
  const given = value?.kind === 'convention' ? value : undefined;
  const usual = conventions.find((row) => row.name === name)?.paths ?? [];
  return { on: given?.on ?? directiveOf(compat, name).default === true, paths: given?.paths ?? usual };
}

/** The conventions that the settings leave on, with the paths that exist: one look a path. */
export function conventionPlaces(settings: Section, exists: (path: string) => boolean): readonly ConventionPlace[] {
  return conventions.flatMap(({ name }): readonly ConventionPlace[] => {
    const { on, paths } = conventionSetting(settings, name);
    const found = on ? paths.filter(exists) : [];
    return found.length === 0 ? [] : [{ name, paths: found }];
  });
}
