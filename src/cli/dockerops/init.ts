import { mkdirSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { oneLine } from '../../model/words/printable.ts';
import { ownFolders } from '../../platform/host/base-image.ts';
import { ensureKey } from '../../platform/host/keys.ts';
import { makeProject } from '../../platform/host/new-project.ts';
import { isContainerName } from '../../platform/model/project.ts';
import { print } from './console.ts';
import { exitStatuses, refuse } from './context.ts';
import * as options from './options.ts';
import type { Request } from './read-request.ts';

export async function init({ given, words: [word = '.', ...more] }: Request): Promise<number> {
  if (more.length > 0) return refuse('init takes one folder', exitStatuses.mistake);
  const folder = resolve(word);
  const name = process.env['PROJECT_NAME'] || basename(folder);
  if (!isContainerName(name)) {
    return refuse(
      `no image can have the name "${oneLine(name)}": choose a folder whose name is lower-case letters and digits, with ".", "_" or "-" between them, or set PROJECT_NAME`,
    );
  }
  mkdirSync(folder, { recursive: true });
  const { recipe } = ownFolders(process.argv[1] ?? '');
  const made = makeProject(
    join(recipe, '..', given.get(options.demo) ? 'dockerops-demo' : 'dockerops-project'),
    folder,
    name,
  );
  await ensureKey(folder, name);
  const lines = made.map((path) => `  ${path}\n`).join('');
  await print(
    1,
    `project ${name} in ${oneLine(folder)}\n${lines}now: "dockerops build all", then "dockerops run all"\n`,
  );
  return exitStatuses.done;
}
