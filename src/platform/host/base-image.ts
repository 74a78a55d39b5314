/** The base image that comes with dockerops: a Debian with Chaperone, its Node and an SSH server. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { buildContext } from './build-context.ts';

/** Stays on the host. */
const ofHost = ['dockerops.cjs', 'dockerops', 'config'];

/** What Chaperone in a container needs of the folder that a build has made. */
const parts = (name: string): boolean =>
  name === 'chaperone' ||
  name === 'inspect-page' ||
  name === 'parts' ||
  name.endsWith('.node') ||
  (name.endsWith('.cjs') && !ofHost.includes(name));

/**
 * @param programs the folder of Chaperone's own programs (`dist`)
 * @param recipe the folder of the Dockerfile and of what it copies
 */
export function baseContext(programs: string, recipe: string, now: Date): Readable {
  if (!existsSync(join(programs, 'chaperone')) || !existsSync(join(recipe, 'Dockerfile'))) {
    throw new Error(`chaperone is not complete here: ${programs} and ${recipe} have to hold it`);
  }
  const folder = mkdtempSync(join(tmpdir(), 'dockerops-base-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    cpSync(recipe, folder, { recursive: true });
    const inside = join(folder, 'chaperone');
    mkdirSync(inside);
    // A folder with a Node of its own, and the libraries that it needs, goes in as it is.
    const isWhole = existsSync(join(programs, 'node'));
    const needed = isWhole ? (name: string): boolean => !ofHost.includes(name) : parts;
    for (const name of readdirSync(programs).filter(needed)) {
      cpSync(join(programs, name), join(inside, name), { recursive: true, dereference: true });
    }
    // The launcher takes the Node beside it.
    if (!isWhole) cpSync(process.execPath, join(inside, 'node'), { dereference: true });
    const context = buildContext(folder, now);
    context.once('close', remove);
    return context;
  } catch (error) {
    remove();
    throw error;
  }
}

/**
 * The folder of the programs that dockerops is one of, and of the recipe: below it in a folder that was made for an image, beside it in
 * the package.
 */
export function ownFolders(script: string): { readonly programs: string; readonly recipe: string } {
  const programs = dirname(script);
  const below = join(programs, 'config/dockerops-base');
  return { programs, recipe: existsSync(below) ? below : join(programs, '../config/dockerops-base') };
}
