import type { Watch } from '../../src/inspect/hub.ts';
import { Transcript } from '../../src/inspect/transcript.ts';
import type { SystemOutput } from '../../src/machines/system.ts';
import { parseSchedule } from '../../src/model/schedule.ts';
import type { ServiceSpec, SystemSpec } from '../../src/model/service-spec.ts';
import type { SystemNotice } from '../../src/model/system-notice.ts';
import { type Assembly, assemble } from '../../src/runtime/assemble.ts';
import { type Inspection, inspect } from '../../src/runtime/inspection.ts';
import type { Kernel } from '../../src/runtime/kernel.ts';
import { attachLogging } from '../../src/runtime/logging.ts';
import { SimulatedKernel, type SimulatedPrograms } from '../../src/runtime/simulated/simulated-kernel.ts';
import { VirtualClock } from '../../src/runtime/simulated/virtual-clock.ts';
import { loggingSpec, serviceSpec, systemSpec } from '../model/specs.ts';

/** A whole system on the simulated kernel, in virtual time. */
export interface World {
  readonly clock: VirtualClock;
  readonly kernel: SimulatedKernel;
  readonly assembly: Assembly;
  readonly inspection: Inspection;
  /** What fills `transitions`. */
  readonly watch: Watch;
  /** Every transition, as `--inspect` prints it. */
  readonly transitions: readonly string[];
  readonly notices: readonly { readonly at: number; readonly notice: SystemNotice }[];
  /** The outcome, once the system has halted. Throws the error that broke a machine. */
  readonly output: () => SystemOutput | undefined;
}

/**
 * @param wrap stands between the supervisor and the kernel
 */
export function createWorld(
  spec: SystemSpec,
  programs: SimulatedPrograms,
  wrap: (kernel: SimulatedKernel) => Kernel = (kernel) => kernel,
): World {
  const clock = new VirtualClock();
  const kernel = new SimulatedKernel(clock, programs);
  const transitions: string[] = [];
  const notices: { at: number; notice: SystemNotice }[] = [];
  const assembly = assemble(wrap(kernel), clock, spec, {
    version: '0.0.0',
    attachLogging,
    loadSchedules: () => parseSchedule,
  });
  const inspection = inspect({
    assembly,
    kernel,
    clock,
    version: '0.0.0',
    onError: (error) => {
      throw error;
    },
  });
  const commands = new Map(spec.services.map(({ name, command }) => [name, command]));
  const transcript = new Transcript({ format: 'text', commandOf: (service) => commands.get(service) });
  const watch = inspection.hub.watch({
    onEntry: (entry) => {
      transitions.push(...transcript.write(entry).split('\n').slice(0, -1));
      return true;
    },
  });
  let output: SystemOutput | undefined;
  let failure: unknown;
  assembly.notices$.subscribe((notice) => notices.push({ at: clock.now(), notice }));
  assembly.outcome$.subscribe({
    next: (outcome) => {
      output = outcome;
    },
    error: (error: unknown) => {
      failure = error;
    },
  });
  return {
    clock,
    kernel,
    assembly,
    inspection,
    watch,
    transitions,
    notices,
    output: () => {
      if (failure !== undefined) throw failure;
      return output;
    },
  };
}

/** A service with every default of the reference, whose program has its name. */
export function simpleService(name: string, more: Partial<ServiceSpec> = {}): ServiceSpec {
  return serviceSpec({ name: `${name}.service`, command: name, argv: [name], ...more });
}

/** A system with every default of the reference. */
export function systemOf(services: readonly ServiceSpec[], more: Partial<SystemSpec> = {}): SystemSpec {
  return systemSpec(services, { logging: [loggingSpec()], ...more });
}
