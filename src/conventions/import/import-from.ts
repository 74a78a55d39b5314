/** Reads configurations of other programs, to be written as one of chaperone's. */
import type { Report } from '../../config/report.ts';
import { quote } from '../../config/wording.ts';
import type { ImageReader } from '../convention.ts';
import { attemptWith } from '../conventions.ts';
import { type Draft, variableMark } from '../draft.ts';
import { runit } from '../runit.ts';
import { readSupervisord } from '../supervisord/read-supervisord.ts';
import { importSystemd } from '../systemd/systemd.ts';
import type { WrittenSection } from '../written.ts';
import { importCompose } from './compose.ts';
import { type ImportContext, type Imported, kindOf, namesIn, textIn } from './imported.ts';
import { importProcfile } from './procfile.ts';
import { importS6 } from './s6.ts';

export const importKinds = ['runit', 'supervisord', 's6-overlay', 'systemd', 'procfile', 'compose'] as const;

export type ImportKind = (typeof importKinds)[number];

export interface ImportRequest {
  /** Absolute: a file or a folder. */
  readonly path: string;
  /** Absent: what the files look like. */
  readonly from?: ImportKind;
  readonly reader: ImageReader;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly report: Report;
}

/** Undefined where nobody knows the files; that, and mistakes in them, are in the report. */
export function importFrom({
  path,
  from,
  reader,
  environment,
  report,
}: ImportRequest): (Imported & { readonly kind: ImportKind }) | undefined {
  const context: ImportContext = { report, environment, attempt: attemptWith(reader, report) };
  if (kindOf(path, context) === undefined) {
    report.error('unreadable', `cannot read ${quote(path)}: it does not exist`, undefined);
    return undefined;
  }
  const kind = from ?? guess(path, context);
  if (kind === undefined) {
    report.error('not-read', `${quote(path)} looks like none of the files that can be imported`, undefined, {
      hint: `expected --from ${importKinds.join('|')}`,
    });
    return undefined;
  }
  return { kind, ...importers[kind](path, context) };
}

const importers: Readonly<Record<ImportKind, (path: string, context: ImportContext) => Imported>> = {
  runit: (path, context) => {
    const { sections, files = [] } = runit.read({ ...context, paths: [path], reader: readerOf(context) });
    return { drafts: sections.map(draftOfSection), remarks: [], files };
  },
  supervisord: (path, context) =>
    readSupervisord({
      ...context,
      paths: chosen(path, (name) => name.endsWith('.conf'), context, ['supervisord.conf']),
      hostname: variableMark('HOSTNAME'),
      directory: '.',
      keepsVariables: true,
    }),
  's6-overlay': importS6,
  systemd: (path, context) => importSystemd(chosen(path, isUnit, context), context),
  procfile: (path, context) => importProcfile(fileIn(path, procfiles, context), context),
  compose: (path, context) => importCompose(fileIn(path, composeFiles, context), context),
};

const isUnit = (name: string): boolean =>
  /\.(?:service|timer|socket|path|mount|automount|target|slice|swap)$/.test(name);
const procfiles = ['Procfile'];
const composeFiles = ['compose.yaml', 'compose.yml', 'docker-compose.yaml', 'docker-compose.yml'];

/** The file itself, or those of a folder; where the folder has a main file, that alone. */
function chosen(
  path: string,
  isWanted: (name: string) => boolean,
  context: ImportContext,
  main: readonly string[] = [],
): readonly string[] {
  if (kindOf(path, context) !== 'directory') return [path];
  const names = namesIn(path, context).filter(
    (name) => isWanted(name) && kindOf(`${path}/${name}`, context) === 'file',
  );
  const first = names.find((name) => main.includes(name));
  return (first === undefined ? names : [first]).map((name) => `${path.replace(/\/$/, '')}/${name}`);
}

function fileIn(path: string, names: readonly string[], context: ImportContext): string {
  if (kindOf(path, context) !== 'directory') return path;
  const found = names.find((name) => kindOf(`${path}/${name}`, context) === 'file') ?? names[0] ?? '';
  return `${path.replace(/\/$/, '')}/${found}`;
}

/** Guesses whose files these are: of a folder by the names in it, of a file by its name and text. */
function guess(path: string, context: ImportContext): ImportKind | undefined {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (kindOf(path, context) === 'file') return guessFile(name, textIn(path, context) ?? '');
  const names = namesIn(path, context);
  const s6 = ['s6-rc.d', 'cont-init.d', 'services.d', 'fix-attrs.d', 's6-overlay'];
  const below = [...names, ...namesIn(`${path}/etc`, context), name];
  if (below.some((each) => s6.includes(each))) return 's6-overlay';
  if (names.some((each) => composeFiles.includes(each))) return 'compose';
  if (names.some((each) => procfiles.includes(each))) return 'procfile';
  if (names.some((each) => /\.(?:service|timer)$/.test(each))) return 'systemd';
  if (names.some((each) => kindOf(`${path}/${each}/run`, context) === 'file')) return 'runit';
  const first = names.find((each) => each.endsWith('.conf'));
  return first === undefined ? undefined : guessFile(first, textIn(`${path}/${first}`, context) ?? '');
}

function guessFile(name: string, text: string): ImportKind | undefined {
  if (isUnit(name)) return 'systemd';
  if (/^Procfile/.test(name)) return 'procfile';
  if (/\.ya?ml$/.test(name)) return /^services:/m.test(text) ? 'compose' : undefined;
  if (/^\[(?:program:|supervisord|group:|include)/m.test(text)) return 'supervisord';
  return /^\[(?:Unit|Service)\]/m.test(text) ? 'systemd' : undefined;
}

function draftOfSection({ name, place, directives, places = {} }: WrittenSection): Draft {
  return {
    name,
    place,
    directives: Object.entries(directives).map(([key, value]) => ({ key, value, place: places[key] ?? place })),
  };
}

/** The reader behind `attempt`, for conventions that look at it themselves. */
function readerOf({ attempt }: ImportContext): ImageReader {
  const ask = <Answer>(path: string, question: (reader: ImageReader) => Answer, otherwise: Answer): Answer =>
    attempt(path, question) ?? otherwise;
  return {
    look: (path) => attempt(path, (reader) => reader.look(path)),
    stat: (path) => ask(path, (reader) => reader.stat(path), 'missing'),
    list: (path) => ask(path, (reader) => reader.list(path), []),
    read: (path) => ask(path, (reader) => reader.read(path), ''),
  };
}
