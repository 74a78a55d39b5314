import type { InstanceType } from './instance.ts';

/** What an instance type decides, unless run.conf or the command line says otherwise. */
export interface TypeDefaults {
  readonly linked: boolean;
  readonly publishPorts: boolean;
  readonly persistentData: boolean;
  readonly persistentOpt: boolean;
  readonly persistentLog: boolean;
}

const nothing: TypeDefaults = {
  linked: false,
  publishPorts: false,
  persistentData: false,
  persistentOpt: false,
  persistentLog: false,
};
const linked: TypeDefaults = { ...nothing, linked: true };

export const instanceTypes: Readonly<Record<InstanceType, TypeDefaults>> = {
  standard: linked,
  published: { ...linked, publishPorts: true },
  persistent: { ...linked, persistentData: true, persistentLog: true },
  master: { ...linked, publishPorts: true, persistentData: true, persistentLog: true },
  interactive: linked,
  safemode: nothing,
  debug: nothing,
};

export const instanceTypeNames: readonly InstanceType[] = [
  'standard',
  'published',
  'persistent',
  'master',
  'interactive',
  'safemode',
  'debug',
];

/** An instance that is named like a type has that type; any other name is a standard instance. */
export function typeOfInstance(instance: string): InstanceType {
  return instanceTypeNames.find((type) => type === instance) ?? 'standard';
}
