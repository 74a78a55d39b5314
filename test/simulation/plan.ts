/** A whole world as plain JSON: what is configured, what the programs do, what people ask for, what goes wrong. */

import { resolvePrerequisites } from '../../src/config/prerequisites.ts';
import { createReport } from '../../src/config/report.ts';
import { createSource } from '../../src/config/source.ts';
import { buildDependencyGraph } from '../../src/model/order/dependency-graph.ts';
import type { LoggingSpec, ServiceSpec, ServiceType, SystemSpec } from '../../src/model/service/service-spec.ts';
import type { SignalName } from '../../src/model/service/signal.ts';
import type { SpawnErrorStage } from '../../src/model/service/spawn-error.ts';
import type { Script } from '../../src/runtime/simulated/script.ts';
import { loggingSpec } from '../model/specs.ts';
import { simpleService, systemOf } from './world.ts';

/** What can be waited for, to be there when it has just happened. */
export const moments = [
  'spawned',
  'ended',
  'reaped',
  'notified',
  'signalled',
  'starting',
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

/** ms from the beginning, or ms after the nth time (from 1) that something has happened, to a service where one is named. */
export type When =
  | { readonly ms: number }
  | { readonly on: Moment; readonly service?: string; readonly nth: number; readonly delay: number };

/** What somebody does. Services by their full names. */
export type Deed =
  | { readonly do: 'start'; readonly names: readonly string[]; readonly enable: boolean; readonly force: boolean }
  | {
      readonly do: 'stop';
      readonly names: readonly string[];
      readonly disable: boolean;
      /** What cron and inetd services run may finish. */
      readonly drain?: boolean;
    }
  | { readonly do: 'restart'; readonly names: readonly string[]; readonly force?: boolean }
  | { readonly do: 'enable' | 'disable'; readonly names: readonly string[] }
  | { readonly do: 'reset'; readonly names: readonly string[]; readonly force: boolean }
  /** The configuration is read anew: the environment of some services is another, and some services are gone. */
  | {
      readonly do: 'reload';
      readonly names: readonly string[];
      readonly gone: readonly string[];
      readonly force?: boolean;
    }
  | { readonly do: 'kill'; readonly name: string; readonly signal: SignalName }
  | { readonly do: 'shutdown'; readonly delay: number }
  /** A signal to chaperone. */
  | { readonly do: 'signal'; readonly signal: SignalName }
  | { readonly do: 'connect'; readonly port: number }
  /** A program logs through /dev/log. */
  | { readonly do: 'log'; readonly text: string };

export type Command = Deed & { readonly when: When };

/** What goes wrong: each has a name. */
export type Fault =
  /** The nth start (from 1) of a service cannot be made. */
  | {
      readonly fault: 'spawnError';
      readonly service: string;
      readonly start: number;
      readonly code: string;
      readonly stage: SpawnErrorStage;
    }
  /** A process of a service is killed by somebody else: before, while or after it becomes ready. */
  | { readonly fault: 'killed'; readonly service: string; readonly signal: SignalName; readonly when: When }
  /** SIGSTOP, and SIGCONT so many ms later. */
  | { readonly fault: 'stopped'; readonly service: string; readonly duration: number; readonly when: When }
  /** SIGKILL has no effect on its processes for so many ms. */
  | { readonly fault: 'stuck'; readonly service: string; readonly duration: number }
  /** All that its programs wait for takes so many times as long. */
  | { readonly fault: 'slow'; readonly service: string; readonly factor: number }
  /** The nth notification of a service. `foreign`: it seems to come from a process that is none of the service's. */
  | {
      readonly fault: 'notification';
      readonly service: string;
      readonly nth: number;
      readonly how: 'lost' | 'doubled' | 'late' | 'foreign';
      /** ms */
      readonly delay: number;
    }
  /** A child of a service's process says that it is the service. */
  | { readonly fault: 'mainPidMoves'; readonly service: string; readonly child: Script; readonly when: When }
  /** A service names the process of another one as its own, by MAINPID or in its pidfile. */
  | {
      readonly fault: 'claim';
      readonly service: string;
      readonly of: string;
      /** `READY`: in the datagram that says it is ready. */
      readonly by: 'MAINPID' | 'READY' | 'pidfile';
      readonly when: When;
    }
  /** The kernel tells nobody but the parent how a process has ended. */
  | { readonly fault: 'statusUntold' }
  /** The charts of all services are made anew from what they know, beside the run, and have to go on as those that run. */
  | { readonly fault: 'rebuilt'; readonly when: When }
  /** One SIGCHLD for all that ends within so many ms. */
  | { readonly fault: 'coalescedExits'; readonly delay: number }
  /** A pid is given away again as soon as it is free. */
  | { readonly fault: 'reusedPids' }
  | { readonly fault: 'clockJump'; readonly by: number; readonly when: When }
  /** Chaperone stands still for so many ms; the programs do not. */
  | { readonly fault: 'pause'; readonly duration: number; readonly when: When }
  /** For so many ms. */
  | {
      readonly fault: 'sink';
      readonly sink: string;
      readonly how: 'full' | 'slow' | 'gone';
      readonly duration: number;
      readonly when: When;
    }
  /** EMFILE or ENOMEM for so many ms. */
  | {
      readonly fault: 'exhausted';
      readonly what: 'descriptors' | 'memory';
      readonly duration: number;
      readonly when: When;
    }
  | { readonly fault: 'portTaken'; readonly service: string; readonly code: string }
  /** An earlier life of the container has left a pidfile. */
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
  /** What is not as the reference has it by default. */
  readonly spec: Partial<ServiceSpec>;
  /** Its program is there to be found. */
  readonly installed: boolean;
  /** What its starts run, in turn. */
  readonly programs: readonly Script[];
}

export interface WorldPlan {
  /** Where it comes from; nothing is drawn from it any more. */
  readonly seed: number;
  readonly system: Partial<Omit<SystemSpec, 'services' | 'logging'>>;
  readonly logging: readonly Partial<LoggingSpec>[];
  readonly services: readonly ServicePlan[];
  readonly commands: readonly Command[];
  readonly faults: readonly Fault[];
  /** SIGTERM comes now at the latest, ms. */
  readonly end: number;
}

const nowhere = createSource('world', '');

/** The configuration of a world, or undefined where its order contradicts itself. */
export function specOf(plan: WorldPlan): SystemSpec | undefined {
  const report = createReport();
  const place = { source: nowhere, start: 0, end: 0 };
  const references = (names: readonly string[]) => names.map((name) => ({ name, place }));
  const prerequisites = resolvePrerequisites(
    plan.services.map(({ name, groups, after, before }) => ({
      name,
      groups: references(groups),
      after: references(after),
      before: references(before),
    })),
    true,
    report,
  );
  if (report.errorCount > 0) return undefined;
  const services = plan.services.map(({ name, type, groups, spec }, index) =>
    simpleService(name.replace(/\.service$/, ''), {
      ...spec,
      type,
      groups: groups.length === 0 ? ['default'] : groups,
      prerequisites: prerequisites[index] ?? [],
    }),
  );
  try {
    buildDependencyGraph(services);
  } catch {
    return undefined;
  }
  return systemOf(services, { ...plan.system, logging: plan.logging.map((entry) => loggingSpec(entry)) });
}
