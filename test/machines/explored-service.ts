import { createActor, type EventObject, fromCallback, type SnapshotFrom } from 'xstate';
import { processMachine } from '../../src/machines/process.ts';
import { scheduledMachine } from '../../src/machines/scheduled.ts';
import {
  type ServiceEvent,
  type ServiceInput,
  type ServiceReport,
  type StartOf,
  serviceMachine,
} from '../../src/machines/service.ts';
import type { NotifyMessage } from '../../src/model/notify-message.ts';
import type { NotifyFact, NotifyRequest, PidfileFact } from '../../src/model/process-events.ts';
import { isScheduled } from '../../src/model/scheduling.ts';
import type { ServiceSpec } from '../../src/model/service-spec.ts';
import { serviceSpec } from '../model/specs.ts';
import { type Exploration, explore } from './explore.ts';
import { exit0, exit1, noSuchProgram } from './scripted.ts';

export type ServiceSnapshot = SnapshotFrom<typeof serviceMachine>;

/** The compiler keeps this list complete. */
export const eventTypes: Readonly<Record<ServiceEvent['type'], true>> = {
  'service.start': true,
  'service.stop': true,
  'service.kill': true,
  'service.retire': true,
  'service.reset': true,
  'service.reconfigure': true,
  'schedule.accepted': true,
  'schedule.refused': true,
  'schedule.ended': true,
  'process.spawned': true,
  'process.spawnFailed': true,
  'process.exited': true,
  'pidfile.found': true,
  'pidfile.seen': true,
  'notify.received': true,
  'watchdog.missed': true,
};

const commands: readonly ServiceEvent[] = [
  { type: 'service.start', at: 0 },
  { type: 'service.stop', killAfter: 5_000, at: 0 },
  { type: 'service.kill', at: 0 },
  { type: 'service.retire', at: 0 },
  { type: 'service.reset', killAfter: 5_000, at: 0 },
];

/** Another definition that may take the place of this one: what runs is left alone, and so is everything else. */
function reconfigured({ context }: ServiceSnapshot): ServiceEvent {
  return { type: 'service.reconfigure', spec: { ...context.spec, debug: !context.spec.debug }, at: 0 };
}

/** Every fact about the current run, likely or not, and the same facts about an earlier one. */
function factsFor({ context }: ServiceSnapshot): readonly ServiceEvent[] {
  const current = context.run?.serial ?? context.serial + 1;
  if (isScheduled(context.spec.type)) {
    return [current, current - 1].flatMap((serial): readonly ServiceEvent[] => [
      { type: 'schedule.accepted', serial, at: 0 },
      { type: 'schedule.refused', serial, cause: { kind: 'spawn', error: noSuchProgram }, at: 0 },
      { type: 'schedule.ended', serial, at: 0 },
    ]);
  }
  const ofRuns = [current, current - 1].flatMap((serial): readonly ServiceEvent[] => [
    { type: 'process.spawned', serial, pid: 10, at: 0 },
    { type: 'process.spawnFailed', serial, error: noSuchProgram, at: 0 },
    { type: 'process.exited', serial, pid: 10, status: exit0, at: 0 },
    { type: 'process.exited', serial, pid: 10, status: exit1, at: 0 },
  ]);
  const { type, pidfile } = context.spec;
  const starts = [context.startSerial, context.startSerial - 1];
  const ofPidfile = starts.flatMap((serial): readonly ServiceEvent[] => [
    { type: 'pidfile.found', serial, pid: 10, at: 0 },
    { type: 'pidfile.found', serial, pid: 20, at: 0 },
    { type: 'pidfile.seen', serial, trouble: 'garbage', at: 0 },
  ]);
  const ofSocket = starts.flatMap((serial) =>
    notices.map((message): ServiceEvent => ({ type: 'notify.received', serial, message, at: 0 })),
  );
  return [
    ...ofRuns,
    ...(pidfile === undefined ? [] : ofPidfile),
    ...(type === 'notify' ? [...ofSocket, { type: 'watchdog.missed' } as const] : []),
  ];
}

/** What a notify service may say, as far as the chart tells it apart. */
const notices: readonly NotifyMessage[] = [
  { ready: true },
  { ready: true, mainPid: 20 },
  { mainPid: 10 },
  { status: 'busy', extend: 1_000 },
  { errno: 5 },
  { reloading: {}, restartReset: true },
  { stopping: true },
  { watchdog: 'alive', watchdogInterval: 2_000 },
  { watchdog: 'trigger' },
];

const system = createActor(fromCallback<ServiceReport>(() => {}));
const process = processMachine.provide({ actors: { childProcess: fromCallback(() => {}) } });
const scheduled = scheduledMachine.provide({ actors: { process, trigger: fromCallback(() => {}) } });
export const machine = serviceMachine.provide({
  actors: {
    process,
    scheduled,
    pidfile: fromCallback<EventObject, StartOf, PidfileFact>(() => {}),
    notifications: fromCallback<NotifyRequest, ServiceSpec, NotifyFact>(() => {}),
  },
});

/** All that a service can do whose configuration differs so from the usual one. */
export function exploreService(changes: Partial<ServiceSpec>): Exploration<ServiceSnapshot> {
  const input: ServiceInput = { spec: serviceSpec(changes), system };
  return explore(machine, {
    input,
    events: (snapshot: ServiceSnapshot) => [...commands, reconfigured(snapshot), ...factsFor(snapshot)],
    distinguish: ({ context, children }: ServiceSnapshot) => [
      context.run?.pid,
      // A run is the latest there was: serials themselves grow without end.
      context.run === undefined || context.run.serial === context.serial,
      runIds(children).length,
      context.hasBeenReady,
      context.restartsUsed,
      context.verdict?.kind,
      context.lastExit?.status,
      context.startWanted,
      context.retired,
      context.run?.followed,
      context.pidfileTrouble,
      context.announced,
      context.watchdog,
      context.endSignal,
      context.deadline,
      context.settledRun === context.serial,
    ],
  });
}

export function runIds(children: object): readonly string[] {
  return Object.keys(children).filter((id) => id.startsWith('run-'));
}
