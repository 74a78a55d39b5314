import { groupOf } from '../model/service/boot-mode.ts';
import type { Convention, ConventionContext } from './convention.ts';
import { fileAt, namesIn, oneshots, type Script } from './scripts.ts';
import { quotedWord } from './written.ts';

/**
 * Scripts for bash that run behind the boot scripts. Those of the images that an image is made from are older than its own, and
 * run first.
 */
export const prestart: Convention = {
  name: 'prestart',
  read: (context) => {
    const scripts = context.paths.flatMap((path) => scriptsAt(path, context));
    const sections = oneshots(
      [...scripts].sort((one, other) => one.modified - other.modified),
      {
        kind: 'prestart-script',
        command: (path) => `bash ${quotedWord(path)}`,
        first: groupOf('boot-script'),
      },
    );
    return { sections };
  },
};

function scriptsAt(path: string, context: ConventionContext): readonly Script[] {
  const entry = context.attempt(path, (reader) => reader.look(path));
  if (entry === undefined) return [];
  const at = (script: string, name: string): readonly Script[] => {
    const file = fileAt(script, context);
    return file === undefined ? [] : [{ path: script, name, modified: file.modified }];
  };
  if (entry.kind !== 'directory') return at(path, path.slice(path.lastIndexOf('/') + 1));
  return namesIn(path, context)
    .filter((name) => name.endsWith('.sh'))
    .flatMap((name) => at(`${path}/${name}`, name));
}
