/** Where the values of variables come from that are read at each start: files of variables, folders, and secrets. */
import type { AccountLevel } from './late-environment.ts';

export interface SecretSource {
  readonly name: string;
  readonly path: string;
}

/** What a service reads at each start. None of it is shown anywhere. */
export interface ValueSources {
  /** A folder with a file for each variable, as envdir(8) has it. */
  readonly envDir?: string;
  /** In their order; `optional`: the file may be missing. */
  readonly envFiles: readonly { readonly path: string; readonly optional: boolean }[];
  /** Variables whose values are the contents of files. */
  readonly secrets: readonly SecretSource[];
  /** Variables whose values are paths of secrets: their names end in `_FILE`. */
  readonly places: readonly SecretSource[];
  /** Outermost first: the levels of the service. What is read stands behind so many of them, the secrets behind all. */
  readonly levels: readonly AccountLevel[];
  readonly outer: number;
  /** Outputs of the commands in backticks, by `commandKey`. */
  readonly outputs: ReadonlyMap<string, string>;
}

/** A file, or a folder of files, that is to be read as a whole. */
export interface FileRequest {
  readonly kind: 'file' | 'folder' | 'place';
  readonly path: string;
}

/** The names and texts of the files; a file has one, without a name; a `place` is only looked at and has none. */
export type FileResult =
  | { readonly ok: true; readonly texts: readonly (readonly [string, string])[] }
  /** `reason` says what no errno says. */
  | { readonly ok: false; readonly code: string; readonly path?: string; readonly reason?: string };

/** The most bytes of a file of variables, and of a folder with its files together. */
export const largestValueFile = 1024 * 1024;
/** The most files of a folder. */
export const mostValueFiles = 1_000;

/** What a start asks the kernel for, in the order in which the results are composed. */
export function requestsFor({ envDir, envFiles, secrets, places }: ValueSources): readonly FileRequest[] {
  return [
    ...(envDir === undefined ? [] : [{ kind: 'folder', path: envDir } as const]),
    ...envFiles.map(({ path }) => ({ kind: 'file', path }) as const),
    ...secrets.map(({ path }) => ({ kind: 'file', path }) as const),
    ...places.map(({ path }) => ({ kind: 'place', path }) as const),
  ];
}
