/** A whole world as plain JSON: the configuration, the programs, people's requests, and the faults. */

import { resolvePrerequisites } from '../../src/config/prerequisites.ts';
import { createReport } from '../../src/config/report.ts';
import { createSource } from '../../src/config/source.ts';
import { buildDependencyGraph } from '../../src/model/order/dependency-graph.ts';
import { type Hook, type HookStage, hookStages } from '../../src/model/service/hook.ts';
import { isConsumer } from '../../src/model/service/output.ts';
import type { LoggingSpec, ServiceSpec, ServiceType, SystemSpec } from '../../src/model/service/service-spec.ts';
import type { ServiceStage } from '../../src/model/service/service-stage.ts';
import type { SignalName } from '../../src/model/service/signal.ts';
import type { SpawnErrorStage } from '../../src/model/service/spawn-error.ts';
import type { ValueSources } from '../../src/model/service/value-sources.ts';
import type { Script } from '../../src/runtime/simulated/script.ts';
import { loggingSpec } from '../model/specs.ts';
import { simpleService, systemOf } from './world.ts';

/** The moments that a plan can wait for. */
export const moments = [
  'spawned',
  'ended',
  'reaped',
  'notified',
  'signalled',
  'starting',
  'disabled',
  'ready.running',
  'ready.exited',
  'exited',
  'ready.scheduled',
  'backoff',
  'stopping',
  'stopped',
  'failed',
  'ready',
  'draining',
] as const;

export type Moment = (typeof moments)[number];

/**
 * ms from the beginning, or ms after the nth time (from 1) that a moment has come, or that a chart has come to a stage, to a named service
 * or to any.
 */
export type When =
  | { readonly ms: number }
  | { readonly on: Moment; readonly service?: string; readonly nth: number; readonly delay: number }
  | { readonly in: ServiceStage; readonly service?: string; readonly nth: number; readonly delay: number };

/** Stands in the place of a service's name for the service to which the awaited stage or moment has come. */
export const whoever = 'whoever';

/** A person's action. Services have their full names. */
export type Deed =
  | { readonly do: 'start'; readonly names: readonly string[]; readonly enable: boolean; readonly force: boolean }
  | {
      readonly do: 'stop';
      readonly names: readonly string[];
      readonly disable: boolean;
      /** True: runs of cron and inetd services may finish. */
      readonly drain?: boolean;
    }
  | { readonly do: 'restart'; readonly names: readonly string[]; readonly force?: boolean }
  | { readonly do: 'enable' | 'disable'; readonly names: readonly string[] }
  | { readonly do: 'reset'; readonly names: readonly string[]; readonly force: boolean }
  /** Reloads the configuration: some services get another environment, and some services are removed. */
  | {
      readonly do: 'reload';
      readonly names: readonly string[];
      readonly gone: readonly string[];
      readonly force?: boolean;
    }
  | { readonly do: 'kill'; readonly name: string; readonly signal: SignalName }
  /** Asks for a run of a service, or for its reload; both are answered, whatever the service is. */
  | { readonly do: 'run-now' | 'reload-service'; readonly name: string }
  | { readonly do: 'shutdown'; readonly delay: number }
  /** Sends a signal to chaperone. */
  | { readonly do: 'signal'; readonly signal: SignalName }
  | { readonly do: 'connect'; readonly port: number }
  /** A program logs through /dev/log. */
  | { readonly do: 'log'; readonly text: string };

export type Command = Deed & { readonly when: When };

/** A fault; each kind has a name. */
export type Fault =
  /** The nth start (from 1) of a service fails. */
  | {
      readonly fault: 'spawnError';
      readonly service: string;
      readonly start: number;
      readonly code: string;
      readonly stage: SpawnErrorStage;
    }
  /** The verdict of a service's nth start (from 1) comes after `duration` ms; above 10,000 the start is given up. */
  | { readonly fault: 'slowSpawn'; readonly service: string; readonly start: number; readonly duration: number }
  /** The nth read (from 1) of a service's values fails with this errno, or takes `duration` ms. */
  | {
      readonly fault: 'values';
      readonly service: string;
      readonly read: number;
      readonly code?: string;
      readonly duration: number;
    }
  /** A process of a service is killed from outside: before, while or after the service becomes ready. */
  | { readonly fault: 'killed'; readonly service: string; readonly signal: SignalName; readonly when: When }
  /** A process of a service gets SIGSTOP, and SIGCONT `duration` ms later. */
  | { readonly fault: 'stopped'; readonly service: string; readonly duration: number; readonly when: When }
  /** SIGKILL has no effect on the service's processes for `duration` ms. */
  | { readonly fault: 'stuck'; readonly service: string; readonly duration: number }
  /** All waits of the service's programs take `factor` times as long. */
  | { readonly fault: 'slow'; readonly service: string; readonly factor: number }
  /** Changes a service's nth notification. `foreign`: it seems to come from a process that is not the service's. */
  | {
      readonly fault: 'notification';
      readonly service: string;
      readonly nth: number;
      readonly how: 'lost' | 'doubled' | 'late' | 'foreign';
      /** ms */
      readonly delay: number;
    }
  /** A child of the service's process names itself as the main process. */
  | { readonly fault: 'mainPidMoves'; readonly service: string; readonly child: Script; readonly when: When }
  /** A service names the process of another one as its own, by MAINPID or in its pidfile. */
  | {
      readonly fault: 'claim';
      readonly service: string;
      readonly of: string;
      /** `READY`: MAINPID comes in the datagram with READY=1. */
      readonly by: 'MAINPID' | 'READY' | 'pidfile';
      readonly when: When;
    }
  /**
   * A process of another account enters from outside, lives for `duration` ms, sends datagrams to the service's notify socket, and writes the
   * service's pidfile.
   */
  | {
      readonly fault: 'intruder';
      readonly service: string;
      /** `$$` stands for its pid, `$of` for that of a process of the service `of`. */
      readonly texts: readonly string[];
      /** Who the sender seems to be: the process, one that has gone, or one outside of the pid namespace. */
      readonly from: 'itself' | 'nobody' | 'elsewhere';
      /** How many descriptors come along with each datagram. */
      readonly descriptors: number;
      readonly of: string;
      /** The text of the pidfile; '' leaves it alone. */
      readonly pidfile: string;
      readonly duration: number;
      readonly when: When;
    }
  /** The kernel tells only the parent how a process has ended. */
  | { readonly fault: 'statusUntold' }
  /** Copies of the charts of all services are made from their memories, and have to go on as the originals. */
  | { readonly fault: 'rebuilt'; readonly when: When }
  /** One SIGCHLD stands for all exits within `delay` ms. */
  | { readonly fault: 'coalescedExits'; readonly delay: number }
  /** A pid is reused as soon as it is free. */
  | { readonly fault: 'reusedPids' }
  | { readonly fault: 'clockJump'; readonly by: number; readonly when: When }
  /** Chaperone is stopped for `duration` ms; the programs go on. */
  | { readonly fault: 'pause'; readonly duration: number; readonly when: When }
  /** A sink fails for `duration` ms. */
  | {
      readonly fault: 'sink';
      readonly sink: string;
      readonly how: 'full' | 'slow' | 'gone';
      readonly duration: number;
      readonly when: When;
    }
  /** EMFILE or ENOMEM for `duration` ms. */
  | {
      readonly fault: 'exhausted';
      readonly what: 'descriptors' | 'memory';
      readonly duration: number;
      readonly when: When;
    }
  | { readonly fault: 'portTaken'; readonly service: string; readonly code: string }
  /** A pidfile from an earlier run of the container is there. */
  | { readonly fault: 'oldPidfile'; readonly service: string; readonly text: string }
  | { readonly fault: 'noLogSocket'; readonly code: string };

export type FaultName = Fault['fault'];

export interface ServicePlan {
  /** With its suffix. */
  readonly name: string;
  readonly type: ServiceType;
  readonly groups: readonly string[];
  /** Services and groups, as in a configuration. */
  readonly after: readonly string[];
  readonly before: readonly string[];
  /** Where it has its values from at each start; absent: it reads none. */
  readonly values?: 'file' | 'optional' | 'secret';
  /** As `after`; absent: none. */
  readonly wants?: readonly string[];
  readonly requires?: readonly string[];
  /** The settings that differ from the defaults of the reference. */
  readonly spec: Partial<ServiceSpec>;
  /** True where the service's program exists. */
  readonly installed: boolean;
  /** The scripts of the service's starts, in turn. */
  readonly programs: readonly Script[];
  /** The scripts of the commands of its probes, in turn. */
  readonly probes?: readonly Script[];
  /** The scripts of the commands of its conditions and of its reload, in turn. */
  readonly commands?: Readonly<Partial<Record<CommandKind, readonly Script[]>>>;
  readonly hooks?: HookPlans;
}

/** The commands of `start_if` and `reload_command`; the program of each is called `KIND:NAME`. */
export const commandKinds = ['condition', 'reload'] as const;
export type CommandKind = (typeof commandKinds)[number];

/** The hooks of a service, in order. */
export type HookPlans = Readonly<Partial<Record<HookStage, readonly HookPlan[]>>>;

interface HookPlan {
  readonly mayFail: boolean;
  /** Absent: there is no such program. */
  readonly program?: Script;
}

/** The program of the nth hook (from 1) of a stage, in the world. */
function hookWord(service: string, stage: HookStage, nth: number): string {
  return `${service.replace(/\.service$/, '')}:${stage}:${nth}`;
}

/** Which hook a process of a world is, by the service that its program is named after. */
export function hookOf(
  name: string,
): { readonly service: string; readonly stage: HookStage; readonly nth: number } | undefined {
  const [, service, word, nth] = /^(.*):(\w+):(\d+)\.service$/.exec(name) ?? [];
  const stage = hookStages.find((each) => each === word);
  return service === undefined || stage === undefined
    ? undefined
    : { service: `${service}.service`, stage, nth: Number(nth) };
}

function hooksOfPlan({ name, hooks, spec }: ServicePlan): Pick<ServiceSpec, 'hooks'> {
  if (hooks === undefined) return {};
  const commands = Object.fromEntries(
    hookStages.map((stage) => [
      stage,
      (hooks[stage] ?? []).map(({ mayFail }, index): Hook => {
        const command = hookWord(name, stage, index + 1);
        return mayFail ? { command, mayFail } : { command };
      }),
    ]),
  );
  return { hooks: { commands, afterStopTimeout: spec.stopTimeout ?? 8_000 } };
}

export interface WorldPlan {
  /** The seed that the world was drawn from; it is not used any more. */
  readonly seed: number;
  readonly system: Partial<Omit<SystemSpec, 'services' | 'logging'>>;
  readonly logging: readonly Partial<LoggingSpec>[];
  readonly services: readonly ServicePlan[];
  readonly commands: readonly Command[];
  readonly faults: readonly Fault[];
  /** SIGTERM comes at this ms at the latest. */
  readonly end: number;
}

const nowhere = createSource('world', '');

/** The path of a service's values. */
export function valuesPath(service: string): string {
  return `/values/${service}`;
}

/** What a service reads at each start, and nobody else may see. */
export function secretOf(service: string): string {
  return `hush-${service}-hush`;
}

function sourcesOf(service: string, kind: NonNullable<ServicePlan['values']>): ValueSources {
  const path = valuesPath(service);
  return {
    envFiles: kind === 'secret' ? [] : [{ path, optional: kind === 'optional' }],
    secrets: kind === 'secret' ? [{ name: 'VALUE', path }] : [],
    places: [],
    levels: [],
    outer: 0,
    outputs: new Map(),
  };
}

/** The configuration of a world; undefined where its dependencies contradict each other. */
export function specOf(plan: WorldPlan): SystemSpec | undefined {
  const report = createReport();
  const place = { source: nowhere, start: 0, end: 0 };
  const references = (names: readonly string[]) => names.map((name) => ({ name, place }));
  const { waiting } = resolvePrerequisites(
    plan.services.map(({ name, groups, after, before, wants = [], requires = [], spec }) => ({
      name,
      groups: references(groups),
      after: references(after),
      before: references(before),
      wants: references(wants),
      requires: references(requires),
      writesTo: isConsumer(spec.stdout ?? 'log')
        ? [{ name: spec.stdout ?? '', place, directive: 'stdout' as const }]
        : [],
    })),
    true,
    report,
  );
  if (report.errorCount > 0) return undefined;
  const awaited = new Set(
    waiting.flatMap(({ ties = {} }) =>
      Object.entries(ties).flatMap(([name, { stages }]) => (stages.includes('started') ? [name] : [])),
    ),
  );
  const services = plan.services.map((service, index) => {
    const { name, type, groups, spec, values } = service;
    return simpleService(name.replace(/\.service$/, ''), {
      ...spec,
      ...hooksOfPlan(service),
      // With `debug` the environment is logged, where a secret must not stand.
      ...(values === undefined ? {} : { values: sourcesOf(name, values), debug: true }),
      type,
      groups: groups.length === 0 ? ['default'] : groups,
      ...(waiting[index] ?? { prerequisites: [] }),
      ...(awaited.has(name) ? { announcesSpawn: true } : {}),
    });
  });
  try {
    buildDependencyGraph(services);
  } catch {
    return undefined;
  }
  return systemOf(services, { ...plan.system, logging: plan.logging.map((entry) => loggingSpec(entry)) });
}
