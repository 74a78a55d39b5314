import { groupOf } from '../model/service/boot-mode.ts';
import type { Convention, ConventionContext } from './convention.ts';
import { namesIn, programAt } from './scripts.ts';
import { literal, placeOfFile, quotedWord, type WrittenSection } from './written.ts';

/**
 * Scripts at the end of the system, as the commands of a stop: of a service that is stopped first, since it starts last, and of
 * one that is stopped last.
 */
export const shutdownScripts: Convention = {
  name: 'shutdown_scripts',
  read: (context) => ({ sections: context.paths.flatMap((folder) => serviceOf(folder, context)) }),
};

function serviceOf(folder: string, context: ConventionContext): readonly WrittenSection[] {
  const isLast = folder.includes('post_shutdown');
  const scripts = namesIn(folder, context).flatMap((name) => programAt(`${folder}/${name}`, name, context) ?? []);
  if (scripts.length === 0) return [];
  const directives = {
    type: 'oneshot',
    // Nothing is to be done at the start. The scripts need a shell anyway.
    command: 'sh -c :',
    service_groups: `${isLast ? 'INIT' : 'IDLE'}, ${groupOf('shutdown-script')}`,
    // A boot that fails has nothing to undo.
    after: groupOf('boot-script'),
    // One that fails keeps no other from running.
    before_stop: scripts.map(({ path }) => `-${literal(quotedWord(path))}`),
  };
  return [{ name: `${isLast ? 'post' : 'pre'}-shutdown-scripts.service`, place: placeOfFile(folder), directives }];
}
