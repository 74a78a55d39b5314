import { type Message, missingIgnored, optionalDisabled } from '../../model/log/messages.ts';
import { consoleService, type ServiceSpec, type SystemSpec } from '../../model/service/service-spec.ts';
import type { SpawnError } from '../../model/service/spawn-error.ts';
import type { MissingProgram } from '../../model/service/system-end.ts';
import type { Kernel } from '../kernel.ts';

export interface Preflight {
  /** The configuration with services disabled whose missing program is allowed. */
  readonly spec: SystemSpec;
  readonly missing: readonly MissingProgram[];
  readonly messages: readonly Message[];
}

/**
 * Looks up the programs of all enabled services before anything starts: a missing one disables its service when that is
 * `optional` or ignores failures, and is a system failure otherwise (reference, section 2).
 */
export function preflight(kernel: Kernel, spec: SystemSpec): Preflight {
  const missing: MissingProgram[] = [];
  const messages: Message[] = [];
  const found = new Map<string, boolean>();
  const services = spec.services.map((service): ServiceSpec => {
    // The command's own start reports a missing program, with an exit status of its own (127).
    if (!service.enabled || service.name === consoleService) return service;
    const error = missingProgram(kernel, service, found);
    if (error === undefined) return service;
    if (service.optional) messages.push(optionalDisabled(service.name, error.program));
    else if (service.ignoreFailures) messages.push(missingIgnored(service.name, error.program));
    else missing.push({ service: service.name, error });
    return service.optional || service.ignoreFailures ? { ...service, enabled: false } : service;
  });
  return { spec: { ...spec, services }, missing, messages };
}

/** @param found whether a program was found, by all that this depends on: services often share their program */
function missingProgram(
  kernel: Kernel,
  { argv, environment, directory }: ServiceSpec,
  found: Map<string, boolean>,
): SpawnError | undefined {
  const program = argv[0] ?? '';
  const path = environment['PATH'] ?? '';
  const isAbsolute = program.startsWith('/');
  // A relative path is looked up when the service starts, because an earlier service may create the file.
  if (program.includes('/') && !isAbsolute) return undefined;
  const key = isAbsolute ? program : [program, path, directory ?? ''].join('\0');
  const isFound = found.get(key) ?? kernel.findProgram(program, path, directory) !== undefined;
  found.set(key, isFound);
  return isFound ? undefined : { code: 'ENOENT', stage: 'lookup', program };
}
