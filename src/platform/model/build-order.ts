/** In which order the images of a project are built: what a Dockerfile begins with comes first. */
import type { DockerfileFacts } from './dockerfile.ts';
import { imageName } from './project.ts';

export type BuildOrder =
  | { readonly kind: 'order'; readonly names: readonly string[] }
  /** The first name stands at the end again. */
  | { readonly kind: 'cycle'; readonly cycle: readonly string[] };

/**
 * @param wanted in the order that is preferred where FROM leaves a choice; what they need is built before them
 */
export function buildOrder(
  project: string,
  dockerfiles: ReadonlyMap<string, DockerfileFacts>,
  wanted: readonly string[],
): BuildOrder {
  const names: string[] = [];
  const path: string[] = [];
  const visit = (name: string): readonly string[] | undefined => {
    if (names.includes(name)) return undefined;
    const begun = path.indexOf(name);
    if (begun >= 0) return [...path.slice(begun), name];
    path.push(name);
    for (const needed of neededOf(project, dockerfiles, name)) {
      const cycle = visit(needed);
      if (cycle !== undefined) return cycle;
    }
    path.pop();
    names.push(name);
    return undefined;
  };
  for (const name of wanted) {
    const cycle = visit(name);
    if (cycle !== undefined) return { kind: 'cycle', cycle };
  }
  return { kind: 'order', names };
}

/** The containers of the project whose images one needs. */
export function neededOf(
  project: string,
  dockerfiles: ReadonlyMap<string, DockerfileFacts>,
  name: string,
): readonly string[] {
  const images = dockerfiles.get(name)?.needs ?? [];
  return [...dockerfiles.keys()].filter((other) =>
    images.some((image) => untagged(image) === imageName(project, other)),
  );
}

/** Without `:latest`, which is what a build tags. */
function untagged(image: string): string {
  return image.replace(/:latest$/, '');
}
