/** The input and the result of an importer. */
import type { ConventionContext, ImageReader } from '../convention.ts';
import type { Draft, Remark } from '../draft.ts';

export type ImportContext = Pick<ConventionContext, 'report' | 'attempt' | 'environment'>;

export interface Imported {
  readonly drafts: readonly Draft[];
  /** The parts of the files that have no counterpart in a configuration. */
  readonly remarks: readonly Remark[];
  /** The files that were read, in the order of reading. */
  readonly files: readonly string[];
}

/** The entries of a folder, in the order of their names; none where the path is no folder. */
export function namesIn(folder: string, { attempt }: Pick<ImportContext, 'attempt'>): readonly string[] {
  if (kindOf(folder, { attempt }) !== 'directory') return [];
  return [...(attempt(folder, (reader: ImageReader) => reader.list(folder)) ?? [])].sort();
}

export function kindOf(path: string, { attempt }: Pick<ImportContext, 'attempt'>) {
  return attempt(path, (reader: ImageReader) => reader.look(path))?.kind;
}

/** The text of a file; undefined where there is none. */
export function textIn(path: string, context: Pick<ImportContext, 'attempt'>): string | undefined {
  if (kindOf(path, context) !== 'file') return undefined;
  return context.attempt(path, (reader: ImageReader) => reader.read(path));
}
