/** Scripts that run once, before the services and after them, as sections: what is common to the conventions. */
import { quote } from '../config/wording.ts';
import { groupOf, type ScriptKind } from '../model/service/boot-mode.ts';
import type { ConventionContext, ImageEntry } from './convention.ts';
import { literal, placeOfFile, quotedWord, serviceName, type WrittenSection } from './written.ts';

/** One script of an image. */
export interface Script {
  readonly path: string;
  readonly name: string;
  /** Unix ms of the last change of its content. */
  readonly modified: number;
}

/** s: what boots do has no limit where these scripts come from, and a day ends also a boot that nobody looks at. */
const longestScript = 86_400;

/** The script at a path; undefined, with a warning, where no file is there. */
export function fileAt(path: string, { attempt, report }: ConventionContext): ImageEntry | undefined {
  const entry = attempt(path, (reader) => reader.look(path));
  if (entry === undefined) return undefined;
  // The command of a service cannot say a backtick that means itself.
  const why = entry.kind === 'file' ? (path.includes('`') ? 'its name holds a backtick' : undefined) : 'it is no file';
  if (why === undefined) return entry;
  report.warning('not-read', `${quote(path)} is not run: ${why}`, undefined);
  return undefined;
}

/** The script at a path; undefined, with a warning that names it, where nobody may execute it. */
export function programAt(path: string, name: string, context: ConventionContext): Script | undefined {
  const entry = fileAt(path, context);
  if (entry === undefined) return undefined;
  if (entry.executable) return { path, name, modified: entry.modified };
  context.report.warning('not-read', `${quote(path)} is not run: it is not executable`, undefined, {
    hint: `chmod +x ${path}`,
  });
  return undefined;
}

/** The names in a folder without hidden ones, in byte order. */
export function namesIn(folder: string, { attempt }: ConventionContext): readonly string[] {
  const names = attempt(folder, (reader) => reader.list(folder)) ?? [];
  return [...names]
    .filter((name) => !name.startsWith('.'))
    .sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
}

interface OneshotOptions {
  readonly kind: ScriptKind;
  readonly command?: (path: string) => string;
  /** The services that the first script waits for; absent where it waits for none. */
  readonly first?: string;
}

/** One oneshot for each script, each after the one before it, before every service outside INIT. */
export function oneshots(
  scripts: readonly Script[],
  { kind, command = quotedWord, first }: OneshotOptions,
): readonly WrittenSection[] {
  let previous = first;
  return scripts.map(({ path, name }) => {
    const directives = {
      type: 'oneshot',
      command: literal(command(path)),
      service_groups: `INIT, ${groupOf(kind)}`,
      process_timeout: longestScript,
      ...(previous === undefined ? {} : { after: previous }),
    };
    previous = serviceName(`${kind}-${name}`);
    return { name: previous, place: placeOfFile(path), directives };
  });
}
