/** Boots a configuration in virtual time on the simulated kernel, with the daemon's machines and assumed programs. */
import type { Forecast, ForecastService } from '../../inspect/forecast.ts';
import type { SystemOutput } from '../../machines/system.ts';
import { explainEnd } from '../../model/log/explain.ts';
import { type BootAssumptions, type Mishap, readyBy } from '../../model/order/boot-assumptions.ts';
import { type PublicState, publicStateOf } from '../../model/service/public-state.ts';
import type { ServiceSpec, SystemSpec } from '../../model/service/service-spec.ts';
import type { SystemNotice } from '../../model/service/system-notice.ts';
import { assemble } from '../boot/assemble.ts';
import type { AttachLogging } from '../logging/logging.ts';
import { pidfilePath } from '../units/pidfiles.ts';
import type { ReadSchedule } from '../units/trigger.ts';
import type { Script, Step } from './script.ts';
import { SimulatedKernel } from './simulated-kernel.ts';
import { VirtualClock } from './virtual-clock.ts';

const hang: Step = { do: 'hang' };
const noLogging: AttachLogging = () => ({
  flush: () => undefined,
  widen: () => undefined,
  replace: () => undefined,
});
/** A schedule that never fires: the configuration's schedules are valid, and no boot waits for a tick. */
const neverDue: ReadSchedule = () => ({ ok: true, schedule: { next: () => undefined } });

/**
 * Boots a configuration until READY, or until the boot has failed and ended in order. Every program exists; each
 * service becomes ready after the assumed time.
 */
export function forecastBoot(config: SystemSpec, assumptions: BootAssumptions): Forecast {
  const spec = { ...config, services: config.services.map((service) => stage(service, assumptions)) };
  const scripts = new Map(config.services.map((service) => [service.name, scriptOf(service, assumptions)]));
  const clock = new VirtualClock();
  const kernel = new SimulatedKernel(clock, { has: () => true, script: ([name = '']) => scripts.get(name) });
  const assembly = assemble(kernel, clock, spec, {
    version: '',
    attachLogging: noLogging,
    loadSchedules: () => neverDue,
  });

  const courses = new Map<string, Course>();
  for (const { name, enabled } of config.services) {
    courses.set(name, { state: enabled ? 'pending' : 'disabled', started: undefined, settled: undefined });
  }
  let ready: number | undefined;
  let ending = false;
  assembly.notices$.subscribe((notice) => {
    if (notice.type === 'system.ready') ready = clock.now();
    if (notice.type === 'system.draining') ending = true;
    if (!ending) note(courses, notice, clock.now());
  });
  let output: SystemOutput | undefined;
  let broken: unknown;
  assembly.outcome$.subscribe({
    next: (outcome) => {
      output = outcome;
    },
    error: (error: unknown) => {
      broken = error;
    },
  });
  assembly.start();
  clock.run(Number.POSITIVE_INFINITY, () => ready !== undefined || output !== undefined || broken !== undefined);
  if (broken !== undefined) throw broken;

  const specs = new Map(config.services.map((service) => [service.name, service]));
  const { graph } = assembly.system.getSnapshot().context.ledger;
  const services = graph.names.flatMap((name) => {
    const service = specs.get(name);
    const entry = courses.get(name);
    return service === undefined || entry === undefined ? [] : [foretold(service, entry, courses)];
  });
  if (ready !== undefined) return { kind: 'ready', services, ready };
  if (output === undefined) throw new Error('internal error: the boot neither became ready nor ended');
  const lines = explainEnd(
    output,
    (name) => specs.get(name),
    () => undefined,
    clock.now(),
  );
  return { kind: 'failed', services, exitStatus: output.exitStatus, lines };
}

/** The times of one service's boot, ms. */
interface Course {
  state: PublicState;
  started: number | undefined;
  /** When the service became ready, or failed. */
  settled: number | undefined;
}

function note(courses: ReadonlyMap<string, Course>, notice: SystemNotice, now: number): void {
  if (notice.type !== 'service.changed') return;
  const entry = courses.get(notice.service);
  if (entry === undefined) return;
  entry.state = publicStateOf(notice.change.phase);
  if (entry.state === 'starting') entry.started ??= now;
  if (entry.state === 'ready' || entry.state === 'exited' || entry.state === 'failed') entry.settled ??= now;
}

function foretold(
  { name, type, prerequisites }: ServiceSpec,
  { state, started, settled }: Course,
  courses: ReadonlyMap<string, Course>,
): ForecastService {
  // In virtual time a service starts in the very instant in which the last prerequisite that it waited for was settled.
  const waitedFor = prerequisites.find((other) => {
    const at = courses.get(other)?.settled;
    return at !== undefined && at === started;
  });
  const unmet = state !== 'pending' ? [] : prerequisites.filter((other) => !isSatisfied(courses.get(other)));
  return {
    name,
    type,
    state,
    ...(started === undefined ? {} : { started }),
    ...(settled === undefined ? {} : { settled }),
    ...(waitedFor === undefined ? {} : { waitedFor }),
    ...(unmet.length === 0 ? {} : { unmet }),
  };
}

function isSatisfied(entry: Course | undefined): boolean {
  if (entry === undefined) return true;
  return entry.state === 'ready' || entry.state === 'exited' || entry.state === 'disabled';
}

/** The simulated service: its name is its program, and its watchdog is off because it is always fed. */
function stage({ watchdog: _, ...service }: ServiceSpec, { times }: BootAssumptions): ServiceSpec {
  const time = times.get(service.name);
  const pause = readyBy(service) === 'pause' && time !== undefined ? { startupPause: time } : {};
  return { ...service, ...pause, argv: [service.name] };
}

function scriptOf(service: ServiceSpec, { times, mishaps, otherwise }: BootAssumptions): Script {
  const mishap = mishaps.get(service.name);
  if (readyBy(service) === 'schedule') return { steps: [] };
  const end = mishap === undefined ? undefined : endOf(mishap);
  if (readyBy(service) === 'pause') return { steps: [end ?? hang] };
  const late = mishap?.kind === 'late' ? mishap.by : 0;
  const wait: Step = { do: 'wait', ms: (times.get(service.name) ?? otherwise) + late };
  return { steps: [wait, ...(end === undefined ? readySteps(service) : [end])] };
}

function endOf(mishap: Mishap): Step | undefined {
  switch (mishap.kind) {
    case 'exit':
      return { do: 'exit', code: mishap.code };
    case 'signal':
      return { do: 'die', signal: mishap.signal };
    case 'hang':
      return hang;
    case 'late':
      return undefined;
  }
}

/** The steps after which a service of this type is ready. */
function readySteps(service: ServiceSpec): readonly Step[] {
  const writes: readonly Step[] =
    service.pidfile === undefined ? [] : [{ do: 'write', path: pidfilePath(service), text: '$$\n' }];
  switch (service.type) {
    case 'oneshot':
      return [];
    case 'forking':
      return [{ do: 'fork', script: { steps: [...writes, hang] }, detached: true }];
    case 'notify':
      return [{ do: 'notify', text: 'READY=1' }, hang];
    case 'simple':
    case 'inetd':
    case 'cron':
      return [...writes, hang];
  }
}
