/** Ways to start a container for a person who looks at it, in place of its services. */
import { consoleService, type ServiceSpec, type SystemSpec } from './service-spec.ts';

export interface BootMode {
  /** A shell in place of the services. */
  readonly interactive: boolean;
  /** Neither services nor pre-start scripts: for a container that cannot start. */
  readonly safe: boolean;
}

/** The variables that ask for the modes, and that tell programs of them. */
export const modeVariables = { interactive: 'INTERACTIVE', safe: 'SAFEMODE' } as const;

/** Scripts of an image that run before its services, and after them. */
export type ScriptKind = 'boot-script' | 'prestart-script' | 'shutdown-script';

/** The group that the services of such scripts are in. */
export function groupOf(kind: ScriptKind): string {
  return `${kind}s`;
}

/**
 * The configuration for a mode: what the mode leaves out is held, so that it can be started by hand. In safe mode no failure ends
 * the system, and neither does it end because nothing runs.
 */
export function inMode(spec: SystemSpec, { interactive, safe }: BootMode): SystemSpec {
  if (!interactive && !safe) return spec;
  const runs = ({ name, groups }: ServiceSpec): boolean =>
    name === consoleService ||
    groups.includes(groupOf('boot-script')) ||
    groups.includes(groupOf('shutdown-script')) ||
    (!safe && groups.includes(groupOf('prestart-script')));
  const services = spec.services.map((service) => ({
    ...service,
    ignoreFailures: service.ignoreFailures || (safe && service.name !== consoleService),
    ...(runs(service) || !service.enabled ? {} : { enabled: false, held: true as const }),
  }));
  return { ...spec, services, detectExit: spec.detectExit && !safe };
}
