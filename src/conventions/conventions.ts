/**
 * The readers of what images bring along that was made for other inits. None of them starts anything: they make sections of a
 * configuration, so that the services in it are services like all others.
 */

import type { ConventionPlace, ConventionsRead } from '../config/convention-places.ts';
import type { ConventionName } from '../config/convention-table.ts';
import type { Report } from '../config/report.ts';
import { quote } from '../config/wording.ts';
import { codeOf } from '../model/words/errno.ts';
import type { Convention, ConventionContext, ImageReader } from './convention.ts';
import { crontab } from './crontab.ts';
import { environmentFolder } from './environment-folder.ts';
import { myInit } from './my-init.ts';
import { prestart } from './prestart.ts';
import { runit } from './runit.ts';
import { shutdownScripts } from './shutdown-scripts.ts';
import { sshd } from './sshd.ts';
import { supervisord } from './supervisord/supervisord.ts';
import { nodeOf, type WrittenSection } from './written.ts';

/** The conventions that have a reader. */
const readers: ReadonlyMap<ConventionName, Convention> = new Map(
  [environmentFolder, myInit, prestart, shutdownScripts, runit, supervisord, crontab, sshd].map((each) => [
    each.name,
    each,
  ]),
);

/** What the readers look at: the container's files, and the environment that it was started with. */
export interface Image {
  readonly reader: ImageReader;
  readonly environment: ConventionContext['environment'];
}

/** Reads all conventions that an image meets, in the order of the table. */
export function readConventions(places: readonly ConventionPlace[], image: Image, report: Report): ConventionsRead {
  const sections = new Map<string, WrittenSection>();
  const environment: Record<string, string> = {};
  const watched: string[] = [];
  const files: string[] = [];
  let variableFolder: string | undefined;
  for (const { name, paths } of places) {
    const result = readers.get(name)?.read({ ...image, paths, report, attempt: attemptWith(image.reader, report) });
    if (result === undefined) continue;
    for (const section of result.sections) {
      const earlier = sections.get(section.name);
      if (earlier !== undefined && section.name !== 'settings') warnOfTwo(section, earlier, report);
      sections.set(section.name, section.name === 'settings' ? mergedSettings(earlier, section) : section);
    }
    Object.assign(environment, result.environment);
    watched.push(...(result.watched ?? []));
    files.push(...(result.files ?? []));
    variableFolder ??= result.variableFolder;
  }
  const found = variableFolder === undefined ? {} : { variableFolder };
  return { roots: [nodeOf([...sections.values()])], environment, watched, ...found, files };
}

/** Settings are put together directive by directive, as those of several files are. */
function mergedSettings(earlier: WrittenSection | undefined, section: WrittenSection): WrittenSection {
  return { ...section, directives: { ...earlier?.directives, ...section.directives } };
}

/** Warns where two conventions make services of one name, of which only the later one can be. */
function warnOfTwo(section: WrittenSection, earlier: WrittenSection, report: Report): void {
  const [from, other] = [section.place.source.file, earlier.place.source.file];
  const message = `${quote(other)} is not read: ${section.name} is made of ${quote(from)}`;
  report.warning('not-read', message, undefined, { hint: 'rename one of the two' });
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  ENOENT: 'it does not exist any more',
  ENOTDIR: 'it is no directory',
  ELOOP: 'its links lead in a circle',
  EFBIG: 'it is larger than 16 MiB',
  ECHANGED: 'it changes while it is read',
};

/** Asks a reader, and tells what it cannot answer. */
export function attemptWith(reader: ImageReader, report: Report): ConventionContext['attempt'] {
  return (path, ask) => {
    try {
      return ask(reader);
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      report.warning('not-read', `${quote(path)} is not read: ${reasons[code] ?? code}`, undefined);
      return undefined;
    }
  };
}
