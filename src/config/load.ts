import type { SystemSpec } from '../model/service/service-spec.ts';
import type { Diagnostic } from '../model/words/diagnostic.ts';
import { codeOf } from '../model/words/errno.ts';
import { buildSystem, type Surroundings } from './build-system.ts';
import { indexPlaces, type Places } from './check-places.ts';
import type { CommandRequest } from './environment.ts';
import { parseYaml } from './parse-yaml.ts';
import type { ConfigReader } from './reader.ts';
import { createReport, type Report } from './report.ts';
import { createSource } from './source.ts';
import { readSections, type Section } from './validate.ts';
import { quote } from './wording.ts';

export type { CommandRequest } from './environment.ts';

export interface LoadContext extends Surroundings {
  readonly reader: ConfigReader;
  /** Outputs of the commands in backticks, by `commandKey`. */
  readonly outputs?: ReadonlyMap<string, string>;
}

/** The outcome of loading: `spec` is absent where one of the diagnostics is an error, or where commands have to run first. */
export interface LoadResult {
  readonly spec?: SystemSpec;
  /** In the order of files and lines. */
  readonly diagnostics: readonly Diagnostic[];
  /**
   * Commands in backticks to run, before the configuration is loaded anew with their outputs. Empty where there is an error.
   */
  readonly commands: readonly CommandRequest[];
}

/**
 * Loads a configuration from one file or from the `*.conf` and `*.yaml` files of a directory. A path that does not exist
 * yields a system without services. Does not throw: every mistake of every file becomes a diagnostic.
 */
export function loadConfiguration(path: string, context: LoadContext): LoadResult {
  const report = createReport();
  const files = findFiles(path, context.reader, report);
  const sections: (readonly Section[])[] = [];
  let complete = true;
  for (const file of files) {
    const text = attempt(file, 'file', () => context.reader.read(file), report);
    const roots = text === undefined ? undefined : parseYaml(createSource(file, text), report);
    if (roots === undefined) complete = false;
    else sections.push(readSections(roots, report));
  }
  const commands = { outputs: context.outputs ?? new Map<string, string>(), needed: new Map<string, CommandRequest>() };
  const spec = buildSystem(sections, { ...context, path, complete, fileCount: files.length, commands, report });
  const diagnostics = report.finish(files);
  if (report.errorCount > 0) return { diagnostics, commands: [] };
  const needed = [...commands.needed.values()];
  return needed.length > 0 ? { diagnostics, commands: needed } : { spec, diagnostics, commands: needed };
}

/**
 * Reads the files once more, only to know the places of sections and directives, which a start does not need. Mistakes
 * in the files are not reported here, since `loadConfiguration` has done so.
 */
export function readPlaces(path: string, reader: ConfigReader): Places {
  const report = createReport();
  const files = findFiles(path, reader, report);
  const roots = files.map((file) => {
    const text = attempt(file, 'file', () => reader.read(file), report);
    return text === undefined ? [] : (parseYaml(createSource(file, text), report) ?? []);
  });
  return indexPlaces(files, roots);
}

/** The files to read, in byte order of their names. */
function findFiles(path: string, reader: ConfigReader, report: Report): readonly string[] {
  const kind = attempt(path, 'configuration', () => reader.stat(path), report);
  if (kind === 'file') return [path];
  if (kind === 'other') reportIrregular(path, report);
  if (kind !== 'directory') return [];
  const names = attempt(path, 'directory', () => reader.list(path), report) ?? [];
  const folder = path.endsWith('/') ? path : `${path}/`;
  return (
    names
      // Like a shell's *.conf this leaves out hidden files, which editors leave behind.
      .filter((name) => /^[^.].*\.(?:conf|yaml)$/s.test(name))
      .sort(compareBytes)
      .map((name) => `${folder}${name}`)
      .filter((file) => {
        const fileKind = attempt(file, 'file', () => reader.stat(file), report);
        if (fileKind === 'other') reportIrregular(file, report);
        return fileKind !== 'directory' && fileKind !== 'other';
      })
  );
}

/** Refuses FIFOs and devices: to open or read one might block or never end. */
function reportIrregular(path: string, report: Report): void {
  report.error('unreadable', `cannot read the configuration ${quote(path)}: it is not a regular file`, undefined);
}

/** UTF-8 keeps the order of code points; JavaScript's own order of UTF-16 units differs beyond U+FFFF. */
function compareBytes(a: string, b: string): number {
  const left = [...a];
  const right = [...b];
  for (let index = 0; index < Math.min(left.length, right.length); index += 1) {
    const difference = (left[index]?.codePointAt(0) ?? 0) - (right[index]?.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

const systemErrors: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  ENOENT: 'it does not exist',
  EISDIR: 'it is a directory',
  ENOTDIR: 'it is no directory',
  ELOOP: 'too many symbolic links',
  EIO: 'input/output error',
  EFBIG: 'it is larger than 16 MiB',
  ECHANGED: 'it changes while it is read',
};

/** Runs a request to the reader; an error with a `code` is reported, any other is a fault of the program. */
function attempt<Result>(path: string, what: string, request: () => Result, report: Report): Result | undefined {
  try {
    return request();
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    const reason = systemErrors[code];
    report.error(
      'unreadable',
      `cannot read the ${what} ${quote(path)}: ${reason === undefined ? code : `${reason} (${code})`}`,
      undefined,
    );
    return undefined;
  }
}
