import { type LoadResult, loadConfiguration } from '../../src/config/load.ts';
import { mistakeHelp } from '../../src/config/mistake-help.ts';
import type { ImageEntry, ImageReader } from '../../src/conventions/convention.ts';
import { readConventions } from '../../src/conventions/conventions.ts';
import { accounts } from '../config/loading.ts';
import { type MemoryFile, memoryReader } from '../config/memory-reader.ts';

/** A file of an image: its text, or what else is to be known of it. Without a mode it is executable where it begins with `#!`. */
export type ImageFile = MemoryFile | (Partial<ImageEntry> & { readonly text: string });

/** An image in memory: a path that ends with `/` is an empty folder; `{ error }` is what every question about the path gives. */
export function memoryImage(files: Readonly<Record<string, ImageFile>>): ImageReader {
  const texts = Object.entries(files).map(([path, file]): [string, MemoryFile] => [
    path,
    typeof file === 'object' && 'text' in file ? file.text : file,
  ]);
  const reader = memoryReader(Object.fromEntries(texts));
  return {
    ...reader,
    look(path): ImageEntry | undefined {
      const file = files[path];
      if (typeof file === 'object' && 'error' in file) throw Object.assign(new Error(file.error), { code: file.error });
      const kind = reader.stat(path);
      if (kind === 'missing') return undefined;
      const text = typeof file === 'object' ? file.text : (file ?? '');
      const executable = kind === 'file' && text.startsWith('#!');
      const mode = kind === 'directory' || executable ? 0o755 : 0o644;
      return { kind, executable, mode, uid: 0, gid: 0, modified: 0, ...(typeof file === 'object' ? file : {}) };
    },
  };
}

/** Loads the configuration that an image brings along in `/etc/chaperone.d` and in the files of other inits. */
export function loadImage(
  files: Readonly<Record<string, ImageFile>>,
  environment: Readonly<Record<string, string>> = {},
): LoadResult {
  const reader = memoryImage(files);
  return loadConfiguration('/etc/chaperone.d', {
    reader,
    environment,
    accounts,
    interactive: false,
    help: mistakeHelp,
    conventions: {
      exists: (path) => reader.stat(path) !== 'missing',
      read: (places, report) => readConventions(places, { reader, environment }, report),
    },
  });
}
