/** The build context of a container: its folder as a tar, without what its .dockerignore names. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Readable } from 'node:stream';
import dockerignore from '@balena/dockerignore';
import { pack } from 'tar-fs';
import { codeOf } from '../../model/words/errno.ts';

/** @param now the time that scripts get which are run in the order of their times */
export function buildContext(folder: string, now: Date): Readable {
  const kept = keptPaths(folder);
  return pack(folder, {
    sort: true,
    ignore: (path) => !kept.has(relative(folder, path)),
    map: (header) => ({
      ...header,
      // As the engine's own client does, so that an account of this host does not own files of the image.
      ...{ uid: 0, gid: 0, uname: '', gname: '' },
      // Chaperone runs them by modification time, parents' first: those of a child's image have to be younger.
      ...(/^prestart/.test(header.name.split('/').at(-1) ?? '') ? { mtime: now } : {}),
    }),
  });
}

/** What the context holds, by paths below the folder; a folder is kept for the sake of a file below it. */
function keptPaths(folder: string): ReadonlySet<string> {
  const rules = rulesOf(folder);
  const ignore = dockerignore.default().add([...rules]);
  const mayReturn = rules.some((rule) => rule.startsWith('!'));
  const kept = new Set<string>();
  const visit = (path: string): boolean => {
    let holds = false;
    for (const entry of readdirSync(join(folder, path), { withFileTypes: true })) {
      const own = path === '' ? entry.name : `${path}/${entry.name}`;
      const left = ignore.ignores(own) && own !== 'Dockerfile' && own !== '.dockerignore';
      if (left && !(entry.isDirectory() && mayReturn)) continue;
      // A socket cannot be packed, and no image has use for one.
      if (entry.isSocket()) continue;
      const below = entry.isDirectory() && visit(own);
      if (left && !below) continue;
      kept.add(own);
      holds = true;
    }
    return holds;
  };
  visit('');
  return kept;
}

function rulesOf(folder: string): readonly string[] {
  try {
    return readFileSync(join(folder, '.dockerignore'), 'utf8')
      .split(/\r?\n/)
      .map((line) => line.trim())
      .filter((line) => line !== '' && !line.startsWith('#'));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}
