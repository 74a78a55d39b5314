/** Boots a configuration in virtual time on the simulated kernel, with the daemon's machines and assumed programs. */

import type { Forecast, ForecastService } from '../../inspect/forecast.ts';
import type { SystemOutput } from '../../machines/system.ts';
import { explainEnd } from '../../model/log/explain.ts';
import { type BootAssumptions, type Mishap, readyBy } from '../../model/order/boot-assumptions.ts';
import { type PrerequisiteStage, type Tie, tieTo } from '../../model/order/prerequisite.ts';
import { composeValues } from '../../model/service/compose-values.ts';
import { answersOf, judge } from '../../model/service/condition.ts';
import type { ProbeTree } from '../../model/service/probe.ts';
import { type PublicState, publicStateOf } from '../../model/service/public-state.ts';
import type { ServiceSpec, SystemSpec } from '../../model/service/service-spec.ts';
import type { SystemNotice } from '../../model/service/system-notice.ts';
import type { Assembly } from '../assembly.ts';
import { assemble } from '../boot/assemble.ts';
import type { AttachLogging } from '../logging/logging.ts';
import { Checks } from '../units/checks.ts';
import { pidfilePath } from '../units/pidfiles.ts';
import type { ReadSchedule } from '../units/trigger.ts';
import type { Script, Step } from './script.ts';
import { SimulatedKernel } from './simulated-kernel.ts';
import { VirtualClock } from './virtual-clock.ts';

const hang: Step = { do: 'hang' };
/** A service that is tried more often than this is taken to be tried for ever. */
const mostTries = 1_000;
/** Hooks end at once, and well. */
const atOnce: Script = { steps: [] };
const noLogging: AttachLogging = () => ({
  flush: () => undefined,
  widen: () => undefined,
  replace: () => undefined,
  isShown: () => true,
});
/** A schedule that never fires: the configuration's schedules are valid, and no boot waits for a tick. */
const neverDue: ReadSchedule = () => ({ ok: true, schedule: { next: () => undefined } });

/** A system that is about to boot in virtual time. */
export interface SimulatedSystem {
  readonly assembly: Assembly;
  readonly kernel: SimulatedKernel;
  readonly clock: VirtualClock;
}

/**
 * Boots a configuration until READY, or until the boot has failed and ended in order. Every program exists; each
 * service becomes ready after the assumed time.
 *
 * @param watch is given the system before it starts
 */
export function forecastBoot(
  config: SystemSpec,
  assumptions: BootAssumptions,
  watch?: (system: SimulatedSystem) => void,
): Forecast {
  const spec = { ...config, services: config.services.map((service) => stage(service, assumptions)) };
  const scripts = new Map(config.services.map((service) => [service.name, scriptOf(service, assumptions)]));
  const clock = new VirtualClock();
  const kernel = new SimulatedKernel(clock, { has: () => true, script: ([name = '']) => scripts.get(name) ?? atOnce });
  const assembly = assemble(kernel, clock, spec, {
    version: '',
    attachLogging: noLogging,
    loadSchedules: () => neverDue,
    loadValues: () => composeValues,
    makeChecks: (ports) => new Checks(ports),
  });

  watch?.({ assembly, kernel, clock });
  const courses = new Map<string, Course>();
  for (const { name, enabled } of config.services) {
    courses.set(name, {
      state: enabled ? 'pending' : 'disabled',
      hasExited: false,
      started: undefined,
      settled: undefined,
    });
  }
  let ready: number | undefined;
  let ending = false;
  const pauses = new Map<string, number>();
  let endless: string | undefined;
  assembly.notices$.subscribe((notice) => {
    if (notice.type === 'service.changed' && notice.change.phase === 'backoff') {
      const count = (pauses.get(notice.service) ?? 0) + 1;
      pauses.set(notice.service, count);
      if (count > mostTries) endless ??= notice.service;
    }
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
  const isOver = (): boolean => [ready, output, broken, endless].some((each) => each !== undefined);
  clock.run(Number.POSITIVE_INFINITY, isOver);
  if (broken !== undefined) throw broken;

  const specs = new Map(config.services.map((service) => [service.name, service]));
  const { graph } = assembly.system.getSnapshot().context.ledger;
  const services = graph.names.flatMap((name) => {
    const service = specs.get(name);
    const entry = courses.get(name);
    return service === undefined || entry === undefined ? [] : [foretold(service, entry, courses)];
  });
  if (ready !== undefined) return { kind: 'ready', services, ready };
  if (endless !== undefined) {
    const lines = [
      `chaperone: ${endless} was tried ${mostTries} times, and would be tried again: the boot never becomes ready`,
    ];
    return { kind: 'failed', services, exitStatus: 1, lines };
  }
  if (output === undefined) throw new Error('internal error: the boot neither became ready nor ended');
  const lines = explainEnd(
    output,
    (name) => specs.get(name),
    () => [],
    clock.now(),
  );
  return { kind: 'failed', services, exitStatus: output.exitStatus, lines };
}

/** The times of one service's boot, ms. */
interface Course {
  state: PublicState;
  /** It has ended normally. */
  hasExited: boolean;
  started: number | undefined;
  /** When the service became ready, or failed. */
  settled: number | undefined;
}

function note(courses: ReadonlyMap<string, Course>, notice: SystemNotice, now: number): void {
  if (notice.type !== 'service.changed') return;
  const entry = courses.get(notice.service);
  if (entry === undefined) return;
  const { phase } = notice.change;
  entry.state = publicStateOf(phase);
  entry.hasExited = phase === 'exited' || phase === 'ready.exited';
  if (entry.state === 'starting') entry.started ??= now;
  if (entry.state === 'ready' || entry.state === 'exited' || entry.state === 'failed') entry.settled ??= now;
}

function foretold(
  { name, type, prerequisites, ties }: ServiceSpec,
  { state, started, settled }: Course,
  courses: ReadonlyMap<string, Course>,
): ForecastService {
  // In virtual time a service starts in the very instant in which the last prerequisite that it waited for was settled.
  const waitedFor = prerequisites.find((other) => {
    const at = courses.get(other)?.settled;
    return at !== undefined && at === started;
  });
  const unmet =
    state !== 'pending'
      ? []
      : prerequisites.filter((other) => !isSatisfied(courses.get(other), tieTo({ ties }, other)));
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

function isSatisfied(entry: Course | undefined, { kind, stages }: Tie): boolean {
  if (entry === undefined || entry.state === 'disabled') return true;
  if (kind === 'wants' && (entry.state === 'failed' || entry.state === 'stopped')) return true;
  return stages.every((stage) => reaches(entry, stage));
}

function reaches({ state, started, hasExited }: Course, stage: PrerequisiteStage): boolean {
  switch (stage) {
    case 'started':
      return started !== undefined;
    case 'exited':
      return hasExited;
    case 'ready':
    case 'healthy':
      return state === 'ready' || state === 'exited';
  }
}

/** Conditions count as met, unless the variables alone decide that they are not: files and commands are those of the container. */
function staysSkipped({ startIf, environment }: ServiceSpec): boolean {
  return startIf !== undefined && judge(startIf, answersOf(startIf, environment)).kind === 'unmet';
}

/**
 * The simulated service: its name is its program, and its watchdog is off because it is always fed. Its files are those of
 * another machine, and count as read.
 */
function stage(
  { watchdog: _, values: __, ready, healthy, startIf, ...service }: ServiceSpec,
  { times }: BootAssumptions,
): ServiceSpec {
  const time = times.get(service.name);
  const pause =
    readyBy({ ...service, ...(ready === undefined ? {} : { ready }) }) === 'pause' && time !== undefined
      ? { startupPause: time }
      : {};
  const conditions = startIf !== undefined && staysSkipped({ ...service, startIf }) ? { startIf } : {};
  return {
    ...service,
    ...pause,
    ...conditions,
    argv: [service.name],
    ...(ready === undefined ? {} : { ready: stageProbes(ready), stdout: 'log' }),
    ...(healthy === undefined ? {} : { healthy: stageProbes(healthy), stdout: 'log' }),
  };
}

/** What a simulated program says once it works. */
const word = 'ready';

/** What a probe asks is not there: it passes once the program says that it works. Times and READY=1 stay what they are. */
function stageProbes(tree: ProbeTree): ProbeTree {
  if (tree.kind !== 'probe') return { ...tree, of: tree.of.map(stageProbes) };
  const { kind } = tree.check;
  return kind === 'delay' || kind === 'notify' ? tree : { ...tree, check: { kind: 'log', pattern: word } };
}

function scriptOf(service: ServiceSpec, { times, mishaps, otherwise }: BootAssumptions): Script {
  const mishap = mishaps.get(service.name);
  if (readyBy(service) === 'schedule') return { steps: [] };
  const end = mishap === undefined ? undefined : endOf(mishap);
  if (readyBy(service) === 'pause') return { steps: end === undefined ? readySteps(service) : [end] };
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
  const pidfile: readonly Step[] =
    service.pidfile === undefined ? [] : [{ do: 'write', path: pidfilePath(service), text: '$$\n' }];
  const hasProbes = service.ready !== undefined || service.healthy !== undefined;
  const writes: readonly Step[] = [...pidfile, ...(hasProbes ? ([{ do: 'print', text: `${word}\n` }] as const) : [])];
  switch (service.type) {
    case 'oneshot':
      return [];
    case 'forking':
      return [{ do: 'fork', script: { steps: [...writes, hang] }, detached: true }];
    case 'notify':
      return [...writes, { do: 'notify', text: 'READY=1' }, hang];
    case 'simple':
    case 'inetd':
    case 'cron':
      return [...writes, hang];
  }
}
