import type { ActorRefFrom, InspectionEvent } from 'xstate';
import type { Watch } from '../../src/inspect/hub.ts';
import { Transcript } from '../../src/inspect/transcript.ts';
import type { scheduledMachine } from '../../src/machines/scheduled.ts';
import type { serviceMachine } from '../../src/machines/service.ts';
import { type SystemOutput, serviceActorId } from '../../src/machines/system.ts';
import { parseSchedule } from '../../src/model/schedule/schedule.ts';
import { composeValues } from '../../src/model/service/compose-values.ts';
import type { ServiceSpec, SystemSpec } from '../../src/model/service/service-spec.ts';
import type { SystemNotice } from '../../src/model/service/system-notice.ts';
import type { Assembly } from '../../src/runtime/assembly.ts';
import { assemble } from '../../src/runtime/boot/assemble.ts';
import { type Inspection, inspect } from '../../src/runtime/inspection/inspection.ts';
import type { Kernel } from '../../src/runtime/kernel.ts';
import { attachLogging } from '../../src/runtime/logging/logging.ts';
import { SimulatedKernel, type SimulatedPrograms } from '../../src/runtime/simulated/simulated-kernel.ts';
import { VirtualClock } from '../../src/runtime/simulated/virtual-clock.ts';
import { Checks } from '../../src/runtime/units/checks.ts';
import { loggingSpec, serviceSpec, systemSpec } from '../model/specs.ts';

/** A whole system on the simulated kernel, in virtual time. */
export interface World {
  readonly clock: VirtualClock;
  readonly kernel: SimulatedKernel;
  readonly assembly: Assembly;
  readonly inspection: Inspection;
  /** The watch that fills `transitions`. */
  readonly watch: Watch | undefined;
  /** Every transition, as `--inspect` prints it. */
  readonly transitions: readonly string[];
  readonly notices: readonly { readonly at: number; readonly notice: SystemNotice }[];
  /** The outcome, once the system has halted. Throws the error that broke a machine. */
  readonly output: () => SystemOutput | undefined;
}

export interface WorldOptions {
  /** False: no transitions are recorded, which saves a third of the time. */
  readonly trace?: boolean;
  /** False: no notices are kept, because there are very many. */
  readonly keepNotices?: boolean;
  /** Receives XState's inspection events. */
  readonly inspect?: (event: InspectionEvent) => void;
  /** The chance that puts ticks off; by default there is none. */
  readonly random?: () => number;
  /** Wraps the kernel before the supervisor gets it. */
  readonly wrap?: (kernel: SimulatedKernel) => Kernel;
}

export function createWorld(
  spec: SystemSpec,
  programs: SimulatedPrograms,
  { trace = true, keepNotices = true, inspect: listen, random = () => 0, wrap = (kernel) => kernel }: WorldOptions = {},
): World {
  const clock = new VirtualClock();
  const kernel = new SimulatedKernel(clock, programs);
  const transitions: string[] = [];
  const notices: { at: number; notice: SystemNotice }[] = [];
  const assembly = assemble(wrap(kernel), kernel.supervisorClock, spec, {
    version: '0.0.0',
    attachLogging,
    random,
    loadSchedules: () => parseSchedule,
    loadValues: () => composeValues,
    makeChecks: (ports) => new Checks(ports),
  });
  if (listen !== undefined) assembly.system.system.inspect(listen);
  const inspection = inspect({
    assembly,
    kernel,
    clock: kernel.supervisorClock,
    version: '0.0.0',
    onError: (error) => {
      throw error;
    },
  });
  const watch = trace ? writeDown(inspection, spec, transitions) : undefined;
  let output: SystemOutput | undefined;
  let failure: unknown;
  if (keepNotices) assembly.notices$.subscribe((notice) => notices.push({ at: clock.now(), notice }));
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

/** Records the transitions as `--inspect` prints them. */
function writeDown({ hub }: Inspection, { services }: SystemSpec, transitions: string[]): Watch {
  const commands = new Map(services.map(({ name, command }) => [name, command]));
  const transcript = new Transcript({ format: 'text', commandOf: (service) => commands.get(service) });
  return hub.watch({
    onEntry: (entry) => {
      const text = transcript.write(entry);
      if (text !== '') transitions.push(...text.split('\n').slice(0, -1));
      return true;
    },
  });
}

/** The actor of a service. */
export type ServiceActor = ActorRefFrom<typeof serviceMachine> | ActorRefFrom<typeof scheduledMachine>;

/** The actors of all present services, by full name. */
export function serviceActors({ assembly }: Pick<World, 'assembly'>): ReadonlyMap<string, ServiceActor> {
  const { children } = assembly.system.getSnapshot();
  const actors = Object.values(children).flatMap((child) => (child === undefined ? [] : asService(child)));
  return new Map(actors.map((actor) => [actor.getSnapshot().context.spec.name, actor]));
}

function asService(actor: { readonly id: string }): readonly ServiceActor[] {
  return isServiceActor(actor) ? [actor] : [];
}

function isServiceActor(actor: { readonly id: string }): actor is ServiceActor {
  return actor.id.startsWith(serviceActorId(''));
}

/** A service with the reference's defaults; its program is named like the service. */
export function simpleService(name: string, more: Partial<ServiceSpec> = {}): ServiceSpec {
  return serviceSpec({ name: `${name}.service`, command: name, argv: [name], ...more });
}

/** A system with the reference's defaults. */
export function systemOf(services: readonly ServiceSpec[], more: Partial<SystemSpec> = {}): SystemSpec {
  return systemSpec(services, { logging: [loggingSpec()], ...more });
}
