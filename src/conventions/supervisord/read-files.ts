/** Reads the files of a supervisord: the main one, and those that it includes. */
import type { ConfigReader } from '../../config/reader.ts';
import type { Report } from '../../config/report.ts';
import { createSource } from '../../config/source.ts';
import { quote } from '../../config/wording.ts';
import { isGlob, matchesGlob } from '../../model/words/glob.ts';
import { type IniSection, mergeIni, readIni } from './ini.ts';
import { type Expansions, formatPython } from './python-format.ts';

export interface SupervisordFiles {
  readonly sections: readonly IniSection[];
  /** The files that were read, in the order of reading. */
  readonly files: readonly string[];
}

interface Access {
  readonly report: Report;
  /** Asks for files; undefined where that fails, which is told. */
  attempt<Answer>(path: string, ask: (reader: ConfigReader) => Answer): Answer | undefined;
}

/**
 * Reads files in their order, each with those that it includes behind it. `%(here)s` is the folder of the file that has it.
 *
 * @param values what the names of included files may refer to, besides `here`
 */
export function readSupervisordFiles(
  paths: readonly string[],
  values: Expansions,
  { report, attempt }: Access,
): SupervisordFiles {
  const files: string[] = [];
  const read: (readonly IniSection[])[] = [];
  const readOne = (path: string): readonly IniSection[] => {
    const text = attempt(path, (reader) => reader.read(path));
    if (text === undefined || files.includes(path)) return [];
    files.push(path);
    const sections = readIni(createSource(path, text.replaceAll('\r\n', '\n'), 'kept'), report).map((section) =>
      withHere(section, folderOf(path)),
    );
    read.push(sections);
    return sections;
  };
  for (const path of paths) {
    const include = readOne(path).find(({ name }) => name === 'include');
    if (include === undefined) continue;
    const option = include.options.get('files');
    if (option === undefined) {
      report.error('missing-directive', '[include] has no files', include.place, { hint: 'expected files=PATTERN' });
      continue;
    }
    const filled = formatPython(option.value, values);
    if (!filled.ok) {
      report.error('bad-expansion', `files in [include] cannot be filled in: ${filled.message}`, option.place);
      continue;
    }
    for (const pattern of filled.text.split(/\s+/).filter((word) => word !== '')) {
      const absolute = pattern.startsWith('/') ? pattern : `${folderOf(path)}/${pattern}`;
      const found = globFiles(absolute, attempt);
      for (const file of [...found].sort()) readOne(file);
      if (found.length === 0 && !isGlob(pattern))
        report.warning('not-read', `the included file ${quote(absolute)} is not there`, option.place);
    }
  }
  return { sections: mergeIni(read).filter(({ name }) => name !== 'include'), files };
}

export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

function withHere(section: IniSection, here: string): IniSection {
  const options = [...section.options].map(
    ([key, option]) => [key, { ...option, value: option.value.replaceAll('%(here)s', here) }] as const,
  );
  return { ...section, options: new Map(options) };
}

/** The paths that a pattern of Python's glob matches; hidden names only where the pattern begins with a dot itself. */
function globFiles(pattern: string, attempt: Access['attempt']): readonly string[] {
  let found: readonly string[] = [''];
  for (const part of pattern.split('/').slice(1)) {
    if (part === '' || part === '.') continue;
    if (!isGlob(part)) {
      found = found.map((path) => `${path}/${part}`);
      continue;
    }
    found = found.flatMap((path) => {
      if (attempt(path, (reader) => reader.stat(path)) !== 'directory') return [];
      const names = attempt(path, (reader) => reader.list(path)) ?? [];
      return names
        .filter((name) => matchesGlob(name, part) && (part.startsWith('.') || !name.startsWith('.')))
        .map((name) => `${path}/${name}`);
    });
  }
  return found.filter((path) => attempt(path, (reader) => reader.stat(path)) === 'file');
}
