import type { ConventionName } from '../config/convention-table.ts';
import type { ConfigReader } from '../config/reader.ts';
import type { Report } from '../config/report.ts';
import type { WrittenSection } from './written.ts';

/** What stands at a path, symbolic links followed. */
export interface ImageEntry {
  readonly kind: 'file' | 'directory' | 'other';
  /** Somebody may execute it. */
  readonly executable: boolean;
  /** The permission bits, of which the lowest nine count. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Unix ms of the last change of its content. */
  readonly modified: number;
}

/** The files of an image. Errors with a `code` (`EACCES`, `ELOOP`) are told by whoever asks through `ConventionContext`. */
export interface ImageReader extends ConfigReader {
  /** Undefined where nothing stands there. */
  look(path: string): ImageEntry | undefined;
}

export interface ConventionContext {
  /** The paths of the convention that exist, in the order of the table or of the settings. */
  readonly paths: readonly string[];
  /** Answers the same again, whatever has become of the files, so that a reload with other instances changes nothing else. */
  readonly reader: ImageReader;
  /** The environment that chaperone was started with. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /**
   * Takes what has to be told. An error refuses the whole configuration, so that what merely cannot be used of an image is a
   * warning that names the file.
   */
  readonly report: Report;
  /** Asks the reader; undefined, with a warning that names the path, where it cannot answer. */
  attempt<Answer>(path: string, ask: (reader: ImageReader) => Answer): Answer | undefined;
}

export interface ConventionResult {
  /** The sections stand in any order; a later one replaces an earlier one of the same name. */
  readonly sections: readonly WrittenSection[];
  /** Variables that are added to what chaperone was started with, as data: nothing in them is expanded. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Folders of services: whoever comes into one or goes from it is noticed while the system runs. */
  readonly watched?: readonly string[];
  /** The folder in which scripts change the variables of the programs that start after them. */
  readonly variableFolder?: string;
  /** Text files that places of `report` name, in the order of reading. */
  readonly files?: readonly string[];
}

/** A convention of another init: makes sections of a configuration of the files that it knows, and does nothing itself. */
export interface Convention {
  readonly name: ConventionName;
  read(context: ConventionContext): ConventionResult;
}
