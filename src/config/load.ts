import type { SystemSpec } from '../model/service/service-spec.ts';
import type { Diagnostic } from '../model/words/diagnostic.ts';
import { codeOf } from '../model/words/errno.ts';
import { isPlain } from '../model/words/expand.ts';
import { maskSecrets, secretValues } from '../model/words/secrets.ts';
import { buildSystem, type Surroundings } from './build-system.ts';
import { indexPlaces, type Places } from './check-places.ts';
import { type ConventionsRead, conventionPlaces, type ImageConventions } from './convention-places.ts';
import type { CommandRequest, Commands } from './environment.ts';
import { mergeSections } from './merge.ts';
import { parseYaml, type SyntaxHelp } from './parse-yaml.ts';
import type { ConfigReader } from './reader.ts';
import { createReport, type Report } from './report.ts';
import { createSource } from './source.ts';
import { emptySection, type KeyHelp, readSections, type Section } from './validate.ts';
import { quote } from './wording.ts';

export type { CommandRequest } from './environment.ts';

/** Says what mistakes are, and what to write: `mistakeHelp`. */
export type MistakeHelp = SyntaxHelp & KeyHelp;

export interface LoadContext extends Surroundings {
  readonly reader: ConfigReader;
  /** Further files or directories, which are read after the first. */
  readonly more?: readonly string[];
  /** Says what mistakes are and what to write; absent: only that there are some, and where. */
  readonly help?: MistakeHelp;
  /** True: `$(NAME:?MESSAGE)` gives nothing where NAME is not set, because it will be where the configuration is meant for. */
  readonly assumesRequired?: boolean;
  /** What the image holds that was made for other inits; absent: nobody looks. */
  readonly conventions?: ImageConventions;
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
  /** True: nothing is known yet, because the image holds files of other inits, and nothing reads them (`conventions.read`). */
  readonly needsConventions?: true;
}

/**
 * Loads a configuration from one file or from the `*.conf` and `*.yaml` files of a directory. A path that does not exist
 * yields a system without services. Does not throw: every mistake of every file becomes a diagnostic.
 */
export function loadConfiguration(path: string, context: LoadContext): LoadResult {
  const report = createReport();
  const files = findAll([path, ...(context.more ?? [])], context.reader, report);
  const sections: (readonly Section[])[] = [];
  let complete = true;
  for (const file of files) {
    const text = attempt(file, 'file', () => context.reader.read(file), report);
    const roots = text === undefined ? undefined : parseYaml(createSource(file, text), report, context.help);
    if (roots === undefined) complete = false;
    else sections.push(readSections(roots, report, context.help));
  }
  const found = readConventions(sections, context, report);
  if (found === 'later') return { diagnostics: [], commands: [], needsConventions: true };
  const all = [readSections(found.roots, report), ...sections];
  const commands: Commands = {
    outputs: context.outputs ?? new Map<string, string>(),
    needed: new Map(),
    assumesRequired: context.assumesRequired ?? false,
  };
  const spec = buildSystem(all, {
    ...context,
    environment: { ...context.environment, ...found.environment },
    ...{ path, complete, fileCount: files.length, commands, report },
  });
  const diagnostics = withoutSecrets(report.finish([...files, ...found.files]), all.flat(), context);
  if (report.errorCount > 0) return { diagnostics, commands: [] };
  const needed = [...commands.needed.values()];
  return needed.length > 0
    ? { diagnostics, commands: needed }
    : { spec: { ...spec, ...followedIn(found) }, diagnostics, commands: needed };
}

/** What is followed while the system runs. */
function followedIn({ watched, variableFolder }: ConventionsRead): Pick<SystemSpec, 'watched' | 'variableFolder'> {
  return {
    ...(watched.length === 0 ? {} : { watched }),
    ...(variableFolder === undefined ? {} : { variableFolder }),
  };
}

/** What the image holds for other inits; `later` where it holds something and the readers are not loaded yet. */
function readConventions(
  sections: readonly (readonly Section[])[],
  { conventions }: Pick<LoadContext, 'conventions'>,
  report: Report,
): ConventionsRead | 'later' {
  const nothing: ConventionsRead = { roots: [], environment: {}, watched: [], files: [] };
  if (conventions === undefined) return nothing;
  const settings = mergeSections(sections).settings ?? emptySection('settings', 'settings');
  const places = conventionPlaces(settings, (path) => conventions.exists(path));
  if (places.length === 0) return nothing;
  return conventions.read?.(places, report) ?? 'later';
}

/** Diagnostics quote values, some of which were expanded from secrets. */
function withoutSecrets(
  diagnostics: readonly Diagnostic[],
  sections: readonly Section[],
  { environment }: LoadContext,
): readonly Diagnostic[] {
  if (diagnostics.length === 0) return diagnostics;
  const written = sections.flatMap(({ values }): readonly (readonly [string, string])[] => {
    const set = values.get('env_set');
    if (set?.kind !== 'textMap') return [];
    return [...set.entries].flatMap(([name, { text }]) => (isPlain(text) ? [[name, text] as const] : []));
  });
  const inherited = Object.entries(environment).flatMap(([name, text = '']) => [[name, text] as const]);
  const secrets = secretValues([...inherited, ...written]);
  return diagnostics.map((diagnostic) => ({
    ...diagnostic,
    message: maskSecrets(diagnostic.message, secrets),
    ...(diagnostic.hint === undefined ? {} : { hint: maskSecrets(diagnostic.hint, secrets) }),
  }));
}

/**
 * Reads the files once more, only to know the places of sections and directives, which a start does not need. Mistakes
 * in the files are not reported here, since `loadConfiguration` has done so.
 */
export function readPlaces(
  path: string,
  { reader, more = [], conventions }: Pick<LoadContext, 'reader' | 'more' | 'conventions'>,
): Places {
  const report = createReport();
  const files = findAll([path, ...more], reader, report);
  const roots = files.map((file) => {
    const text = attempt(file, 'file', () => reader.read(file), report);
    return text === undefined ? [] : (parseYaml(createSource(file, text), report) ?? []);
  });
  const sections = roots.map((each) => readSections(each, report));
  const found = readConventions(sections, conventions === undefined ? {} : { conventions }, report);
  if (found === 'later') throw new Error('internal error: the readers of conventions are not loaded');
  return indexPlaces(
    [...files, ...found.files],
    [found.roots, ...roots],
    mergeSections([readSections(found.roots, report), ...sections]),
  );
}

/**
 * Reads the settings alone, for what has to be done before the configuration is loaded. Mistakes in the files are not reported
 * here, since `loadConfiguration` will do so.
 */
export function readSettings(path: string, { reader }: Pick<LoadContext, 'reader'>): Section {
  const report = createReport();
  const sections = findAll([path], reader, report).map((file) => {
    const text = attempt(file, 'file', () => reader.read(file), report);
    return readSections(text === undefined ? [] : (parseYaml(createSource(file, text), report) ?? []), report);
  });
  return mergeSections(sections).settings ?? emptySection('settings', 'settings');
}

/** The files of several paths, each once. */
function findAll(paths: readonly string[], reader: ConfigReader, report: Report): readonly string[] {
  return [...new Set(paths.flatMap((path) => findFiles(path, reader, report)))];
}

/** The files to read, in byte order of their names. */
function findFiles(path: string, reader: ConfigReader, report: Report): readonly string[] {
  const kind = attempt(path, 'configuration', () => reader.stat(path), report);
  if (kind === 'file') return [path];
  if (kind === 'other') reportIrregular(path, report);
  if (kind !== 'directory') return [];
  const names = attempt(path, 'directory', () => reader.list(path), report) ?? [];
  const folder = path.endsWith('/') ? path : `${path}/`;
  // Like a shell's *.conf this leaves out hidden files, which editors leave behind.
  const isRead = (name: string): boolean => /^[^.].*\.(?:conf|yaml)$/s.test(name);
  const sorted = [...names].sort(compareBytes);
  for (const name of sorted) {
    if (isRead(name) || !looksRead.test(name)) continue;
    if (/\.conf\.d$/i.test(name)) reportFolder(`${folder}${name}`, report);
    else reportUnread(folder, name, report);
  }
  return sorted
    .filter(isRead)
    .map((name) => `${folder}${name}`)
    .filter((file) => {
      const fileKind = attempt(file, 'file', () => reader.stat(file), report);
      if (fileKind === 'other') reportIrregular(file, report);
      if (fileKind === 'directory') reportFolder(file, report);
      return fileKind !== 'directory' && fileKind !== 'other';
    });
}

/** Names that somebody might take for those of files that are read. Endings that switch a file off (.bak, .disabled) are not here. */
const looksRead = /^[^.].*\.(?:yml|json|cfg|cnf|ini|toml|config|conf\.d)$|^[^.].*\.(?:conf|ya?ml)$/is;

function reportUnread(folder: string, name: string, report: Report): void {
  const meant = `${name.replace(/\.[^.]*$/, '')}.${/\.(?:ya?ml|json)$/i.test(name) ? 'yaml' : 'conf'}`;
  report.warning(
    'not-read',
    `the file ${quote(`${folder}${name}`)} is not read: only *.conf and *.yaml are`,
    undefined,
    { hint: `rename it to "${meant}"` },
  );
}

function reportFolder(path: string, report: Report): void {
  report.warning(
    'not-read',
    `the folder ${quote(path)} is not read: a configuration is one folder of files`,
    undefined,
    {
      hint: 'put its files beside it',
    },
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
