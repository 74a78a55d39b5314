/** The files of a new project. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The text in the recipes that stands for the name of the project. */
const placeholder = /\bPROJECT(?=\/)/g;

/**
 * Copies a recipe into the project's folder. What is there already stays as it is.
 *
 * @returns the paths that were made, below the folder
 */
export function makeProject(recipe: string, folder: string, project: string): readonly string[] {
  const made: string[] = [];
  const visit = (path: string): void => {
    for (const name of readdirSync(join(recipe, path)).sort()) {
      const own = path === '' ? name : `${path}/${name}`;
      // Packages of npm cannot hold a .gitignore.
      const to = own === 'gitignore' ? '.gitignore' : own;
      if (statSync(join(recipe, own)).isDirectory()) visit(own);
      else if (!existsSync(join(folder, to))) {
        mkdirSync(dirname(join(folder, to)), { recursive: true });
        copy(join(recipe, own), join(folder, to), project);
        made.push(to);
      }
    }
  };
  visit('');
  return made;
}

function copy(from: string, to: string, project: string): void {
  cpSync(from, to);
  if (!/Dockerfile$/.test(to)) return;
  writeFileSync(to, readFileSync(from, 'utf8').replace(placeholder, project));
}
