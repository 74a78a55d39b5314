/** The files of a configuration. The loader reads them only through this, so that it stays free of I/O. */
export interface ConfigReader {
  /** What stands at a path, symbolic links followed; `other` is a FIFO, a device or a socket. */
  stat(path: string): 'file' | 'directory' | 'missing' | 'other';
  /** The names in a directory, in any order. */
  list(path: string): readonly string[];
  /** The text of a file, decoded as UTF-8. Errors with a `code` (`EACCES`) become mistakes in the configuration. */
  read(path: string): string;
}
