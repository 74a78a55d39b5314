/** A Procfile: a line `NAME: COMMAND` for each process. */
import { createSource } from '../../config/source.ts';
import { joinWords, literal, type Remark } from '../draft.ts';
import { serviceName } from '../written.ts';
import { Drafting } from './drafting.ts';
import { type ImportContext, type Imported, kindOf } from './imported.ts';

export function importProcfile(path: string, context: ImportContext): Imported {
  const text = context.attempt(path, (reader) => reader.read(path)) ?? '';
  const source = createSource(path, text, 'kept');
  const folder = path.slice(0, path.lastIndexOf('/')) || '/';
  const remarks: Remark[] = [];
  const draftings: Drafting[] = [];
  let offset = 0;
  for (const line of text.split('\n')) {
    const start = offset;
    offset += line.length + 1;
    if (/^\s*(?:#|$)/.test(line)) continue;
    const [, name, gap = '', command = ''] = /^([\w-]+)(:\s*)(.+?)\s*$/.exec(line) ?? [];
    const place = { source, start, end: start + line.trimEnd().length };
    if (name === undefined) {
      remarks.push({ message: 'this line is not NAME: COMMAND', place });
      continue;
    }
    const drafting = new Drafting(serviceName(name), place);
    const at = { source, start: start + name.length + gap.length, end: place.end };
    drafting.set('command', literal(joinWords(['/bin/sh', '-c', command])), at);
    drafting.set('directory', literal(folder));
    if (kindOf(`${folder}/.env`, context) === 'file') drafting.set('env_file', literal(`${folder}/.env`));
    draftings.push(drafting);
  }
  finish(draftings);
  return { drafts: draftings.map((drafting) => drafting.finish()), remarks, files: [path] };
}

/** `release` runs before the others; each of these gets a port, and its end is the end of all. */
function finish(draftings: readonly Drafting[]): void {
  const release = draftings.find(({ name }) => name === 'release.service');
  const others = draftings.filter((drafting) => drafting !== release);
  if (release !== undefined) {
    release.set('type', 'oneshot');
    release.set('process_timeout', '10000h', release.place, 'it takes the time that it takes');
  }
  others.forEach((drafting, index) => {
    if (release !== undefined) drafting.set('after', release.name);
    drafting.set(
      'env_set',
      { PORT: index === 0 ? '$(PORT:-5000)' : String(5000 + index * 100) },
      drafting.place,
      'as foreman has it',
    );
    drafting.set('exit_kills', true, drafting.place, 'when one process of a Procfile ends, all end');
  });
}
