import type { ConfigReader } from '../../src/config/reader.ts';

/** A file's text, or the error that reading it gives. */
export type MemoryFile = string | { readonly error: string };

/** An error as Node's file system throws it. */
function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/**
 * A reader of files that exist only in memory: paths to texts. Directories are what the paths imply; a path that ends
 * with `/` declares an empty one, or with `{ error }` one that cannot be listed.
 */
export function memoryReader(files: Readonly<Record<string, MemoryFile>>): ConfigReader {
  const paths = Object.keys(files);
  const isDirectory = (path: string): boolean => paths.some((file) => file.startsWith(`${path.replace(/\/$/, '')}/`));
  return {
    stat(path) {
      if (Object.hasOwn(files, path) && !path.endsWith('/')) return 'file';
      return isDirectory(path) ? 'directory' : 'missing';
    },
    list(path) {
      const folder = `${path.replace(/\/$/, '')}/`;
      const declared = files[folder];
      if (typeof declared === 'object') throw systemError(declared.error);
      const inside = paths.filter((file) => file.startsWith(folder) && file !== folder);
      return [...new Set(inside.map((file) => file.slice(folder.length).split('/', 1)[0] ?? ''))].reverse();
    },
    read(path) {
      const content = files[path];
      if (content === undefined) throw systemError('ENOENT');
      if (typeof content === 'object') throw systemError(content.error);
      return content;
    },
  };
}
