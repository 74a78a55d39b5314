/** A project is a folder of containers that are built, run and cleaned together. */

/** Where a project lies and what it is called. All paths are absolute. */
export interface ProjectPlaces {
  /** PROJECT_NAME, else the folder's name. It begins the name of everything that the engine keeps for the project. */
  readonly name: string;
  /** PROJECT_DIR. */
  readonly folder: string;
  /** DATA_DIR, else `data_PROJECT` in the folder: what instances keep lies in `CONTAINER/INSTANCE` below it. */
  readonly dataFolder: string;
  /** APPS_CONTAINERS_DIR, else `apps_containers`, else `services`. */
  readonly containersFolder: string;
  /** BASE_CONTAINERS_DIR; absent: the base image is made of the Dockerfile that comes with dockerops. */
  readonly baseFolder?: string;
}

/** The image that the project's own images begin with, below the project's name. */
export const baseContainer = 'dockerops-base';

/** Labels of everything that dockerops makes. Nothing without the project's own label is ever touched. */
export const labelNames = {
  project: 'org.dockerops.project',
  container: 'org.dockerops.container',
  instance: 'org.dockerops.instance',
  /** What the container was made from, as `recordSpec` writes it. */
  spec: 'org.dockerops.spec',
  /** The addresses of its links when the container was made, as JSON: `{"db":"172.18.0.2"}`. */
  links: 'org.dockerops.links',
} as const;

/** The name of an image, without a tag. */
export function imageName(project: string, container: string): string {
  return `${project}/${container}`;
}

/** The name of an instance's container at the engine. */
export function containerName(project: string, container: string, instance: string): string {
  return `${project}-${container}-${instance}`;
}

/** The network that the project's instances find each other on. */
export function networkName(project: string): string {
  return `${project}-network`;
}

/**
 * Names of projects and containers are parts of image names, which the engine wants in lower case: letters and digits,
 * and between them a period, one or two underscores, or dashes.
 */
export function isContainerName(text: string): boolean {
  return text.length <= longestName && /^[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*$/.test(text);
}

/** An instance's name ends the container's, and is part of a host name and of a path. */
export function isInstanceName(text: string): boolean {
  return text.length <= longestName && /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(text) && !text.includes('..');
}

/** Three of them and two dashes stay below the 255 bytes of a name at the engine. */
const longestName = 63;
