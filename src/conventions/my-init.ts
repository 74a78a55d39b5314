import { quote } from '../config/wording.ts';
import type { Convention, ConventionContext } from './convention.ts';
import { namesIn, oneshots, programAt, type Script } from './scripts.ts';

/**
 * Boot scripts: what my_init runs (folders of programs, in byte order of their names, then `rc.local`), and folders of
 * `NN_NAME`, in the order of their numbers. One fails: the boot ends, and the log names its service.
 */
export const myInit: Convention = {
  name: 'my_init',
  read: (context) => ({
    sections: oneshots(
      context.paths.flatMap((path) => scriptsAt(path, context)),
      { kind: 'boot-script' },
    ),
  }),
};

function scriptsAt(path: string, context: ConventionContext): readonly Script[] {
  const base = path.slice(path.lastIndexOf('/') + 1);
  const entry = context.attempt(path, (reader) => reader.look(path));
  if (entry === undefined) return [];
  if (entry.kind !== 'directory') return [programAt(path, base, context) ?? []].flat();
  const names = base === 'boot.d' ? numbered(path, context) : namesIn(path, context);
  const stem = base.replace(/\.d$/, '');
  return names.flatMap((name) => programAt(`${path}/${name}`, `${stem}-${name}`, context) ?? []);
}

/** The names that begin with a number, in the order of the numbers. */
function numbered(folder: string, context: ConventionContext): readonly string[] {
  const numberOf = (name: string): number => Number.parseInt(name, 10);
  const names = namesIn(folder, context);
  for (const name of names) {
    if (/^\d+_/.test(name)) continue;
    const why = 'its name does not begin with a number and "_"';
    context.report.warning('not-read', `${quote(`${folder}/${name}`)} is not run: ${why}`, undefined);
  }
  return names.filter((name) => /^\d+_/.test(name)).sort((one, other) => numberOf(one) - numberOf(other));
}
