/** The project that a command is about: its places, its containers, its confs. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Diagnostic } from '../../model/words/diagnostic.ts';
import { codeOf } from '../../model/words/errno.ts';
import { oneLine } from '../../model/words/printable.ts';
import { type ConfFile, readConfs } from '../conf/read-confs.ts';
import { type DockerfileFacts, readDockerfile } from '../model/dockerfile.ts';
import { baseContainer, isContainerName, type ProjectPlaces } from '../model/project.ts';
import type { RunEntry } from '../model/run-entry.ts';

/** A container of the project: a folder with a Dockerfile. */
export interface ContainerSource {
  readonly name: string;
  /** Absent for the base image that comes with dockerops. */
  readonly folder?: string;
  /** False for a base, which is built only where another image needs it, or where it is named. */
  readonly own: boolean;
  readonly dockerfile: DockerfileFacts;
}

export interface Project {
  readonly places: ProjectPlaces;
  readonly sources: ReadonlyMap<string, ContainerSource>;
  /** Absent: there is no such conf. */
  readonly run?: readonly RunEntry[];
  /** Absent: there is none, and the order follows from FROM alone. */
  readonly build?: readonly string[];
  readonly host: Readonly<Record<string, string>>;
  readonly diagnostics: readonly Diagnostic[];
}

export type Found =
  | { readonly kind: 'project'; readonly project: Project }
  | { readonly kind: 'none'; readonly message: string };

type Environment = Readonly<Record<string, string | undefined>>;

const containersFolders = ['apps_containers', 'services'];

/** @param conf the name of another run conf than run.conf, with or without its ending */
export function findProject(environment: Environment, folder: string, conf?: string): Found {
  const places = findPlaces(environment, folder);
  if (typeof places === 'string') return { kind: 'none', message: places };
  const sources = readSources(places);
  if (typeof sources === 'string') return { kind: 'none', message: sources };
  const runFile = findRunConf(places, conf);
  if (runFile === 'missing') return { kind: 'none', message: noConf(conf ?? 'run.conf', places) };
  const build = readConf(places, join(places.containersFolder, 'build.conf'));
  const host =
    readConf(places, join(places.folder, 'host.conf')) ?? readConf(places, join(places.containersFolder, 'host.conf'));
  const files = {
    ...(runFile === undefined ? {} : { run: runFile }),
    ...(build === undefined ? {} : { build }),
    ...(host === undefined ? {} : { host }),
  };
  return { kind: 'project', project: { places, sources, ...readConfs(files, new Set(sources.keys())) } };
}

function findPlaces(environment: Environment, start: string): ProjectPlaces | string {
  const folder = resolve(start, environment['PROJECT_DIR'] || projectFolder(start));
  const name = environment['PROJECT_NAME'] || basename(folder);
  if (!isContainerName(name)) {
    const from = environment['PROJECT_NAME'] ? 'PROJECT_NAME' : `the folder ${oneLine(folder)}`;
    return `${from} gives the project the name "${oneLine(name)}", which no image can have: PROJECT_NAME has to be lower-case letters and digits, with ".", "_" or "-" between them`;
  }
  const own = containersFolders.map((each) => join(folder, each)).find((path) => existsSync(path));
  const base = environment['BASE_CONTAINERS_DIR'];
  return {
    name,
    folder,
    dataFolder: resolve(folder, environment['DATA_DIR'] || `data_${name}`),
    containersFolder: resolve(folder, environment['APPS_CONTAINERS_DIR'] || own || 'apps_containers'),
    ...(base ? { baseFolder: resolve(folder, base) } : {}),
  };
}

/** The folder itself, or the nearest one above it that holds containers. */
function projectFolder(start: string): string {
  for (let folder = resolve(start); ; folder = dirname(folder)) {
    if (containersFolders.some((each) => isFolder(join(folder, each)))) return folder;
    if (dirname(folder) === folder) return start;
  }
}

function readSources(places: ProjectPlaces): ReadonlyMap<string, ContainerSource> | string {
  if (!isFolder(places.containersFolder)) {
    return `there is no project here: ${oneLine(places.containersFolder)} is no folder; "dockerops init" makes a project`;
  }
  const sources = new Map<string, ContainerSource>();
  sources.set(baseContainer, { name: baseContainer, own: false, dockerfile: { needs: [], noted: [] } });
  const folders = [
    ...(places.baseFolder === undefined ? [] : [{ parent: places.baseFolder, own: false }]),
    { parent: places.containersFolder, own: true },
  ];
  for (const { parent, own } of folders) {
    if (!isFolder(parent)) return `BASE_CONTAINERS_DIR is no folder: ${oneLine(parent)}`;
    for (const name of readdirSync(parent).sort()) {
      const folder = join(parent, name);
      const text = readText(join(folder, 'Dockerfile'));
      if (text === undefined) continue;
      if (!isContainerName(name))
        return `no image can have the name "${oneLine(name)}": rename the folder ${oneLine(folder)}`;
      sources.set(name, { name, folder, own, dockerfile: readDockerfile(text) });
    }
  }
  return sources;
}

function findRunConf(places: ProjectPlaces, conf: string | undefined): ConfFile | undefined | 'missing' {
  const names = conf === undefined ? ['run.conf', 'run.yaml'] : [conf, `${conf}.conf`, `${conf}.yaml`];
  const folders = conf?.includes('/') ? [process.cwd()] : [places.containersFolder, places.folder];
  for (const folder of folders) {
    for (const name of names) {
      const file = readConf(places, resolve(folder, name));
      if (file !== undefined) return file;
    }
  }
  return conf === undefined ? undefined : 'missing';
}

function noConf(conf: string, { containersFolder }: ProjectPlaces): string {
  return `there is no conf "${oneLine(conf)}" in ${oneLine(containersFolder)}`;
}

function readConf({ folder }: ProjectPlaces, path: string): ConfFile | undefined {
  const text = readText(path);
  if (text === undefined) return undefined;
  return { name: path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : path, text };
}

/** @returns undefined where there is no such file */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return undefined;
    throw error;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
