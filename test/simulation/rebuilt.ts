/** A chart made from the memory of a running one goes on as that one (test/machines/service-rebuilt.test.ts). */
import { createActor, type EventObject, fromCallback, type InspectionEvent, type SnapshotFrom } from 'xstate';
import { statePath } from '../../src/facts/transition.ts';
import { readinessMachine, type StartOf } from '../../src/machines/readiness.ts';
import { serviceMachine } from '../../src/machines/service.ts';
import { noMemory, type ServiceEvent, type ServiceReport } from '../../src/machines/service-events.ts';
import { unitMachine } from '../../src/machines/unit.ts';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import { isServiceStage } from '../../src/model/service/service-stage.ts';
import type {
  NotifyFact,
  NotifyRequest,
  PidfileFact,
  UnitFact,
  UnitReport,
  UnitRequest,
  UnitRun,
} from '../../src/model/service/unit-events.ts';
import { Steps } from '../machines/explore.ts';

type ServiceSnapshot = SnapshotFrom<typeof serviceMachine>;

const machine = serviceMachine.provide({
  actors: {
    unit: unitMachine.provide({
      actors: { processes: fromCallback<UnitRequest, UnitRun, UnitFact | UnitReport>(() => undefined) },
    }),
    readiness: readinessMachine.provide({
      actors: { pidfile: fromCallback<EventObject, StartOf, PidfileFact>(() => undefined) },
    }),
    notifications: fromCallback<NotifyRequest, ServiceSpec, NotifyFact>(() => undefined),
  },
});
/** Stands in for the system machine. */
const system = createActor(fromCallback<ServiceReport>(() => undefined));

/**
 * The difference between a chart and its copy, now and at the next event; undefined where there is none.
 *
 * @param inspect receives XState's inspection events of the beginning of the copy
 */
export function differenceOfRebuilt(
  live: ServiceSnapshot,
  inspect?: (event: InspectionEvent) => void,
): string | undefined {
  const stage = statePath(live.value);
  if (!isServiceStage(stage)) return `${stage} is no stage of a service`;
  // A reload and a question do not outlive their chart.
  if (live.context.reload !== undefined || live.children['conditions'] !== undefined) return undefined;
  // A service that was skipped, or whose conditions had no answer, may have no notify socket yet.
  if (live.context.skipped !== undefined) return undefined;
  if (live.context.spec.startIf !== undefined && live.children['notifications'] === undefined) return undefined;
  const { spec, seed } = live.context;
  const resumes = { stage, memory: JSON.parse(memoryOf(live)), left: {} };
  const again = new Steps(machine, { spec, system, seed, resumes }, inspect);
  const wrong = [differs(live, again.first)];
  const uninterrupted = new Steps(machine, { spec, system, seed });
  for (const event of probes(live)) {
    const here = uninterrupted.take(live, event).to;
    const there = again.take(again.first, event).to;
    const difference = differs(here, there);
    wrong.push(difference && `at ${event.type}: ${difference}`);
  }
  return wrong.find((each) => each !== undefined);
}

function differs(was: Standing, is: Standing): string | undefined {
  const [before, now] = [was, is].map(
    (each) => `${statePath(each.value)} ${memoryOf(each)} ${Object.keys(each.children).sort()}`,
  );
  return before === now ? undefined : `it was ${before}, and is ${now}`;
}

interface Standing {
  readonly value: unknown;
  readonly context: object;
  readonly children: object;
}

/** The memory of a chart as plain values. */
function memoryOf({ context }: Standing): string {
  const known = Object.entries(context).filter(([key]) => key in noMemory);
  return JSON.stringify(Object.fromEntries(known.sort(([a], [b]) => (a < b ? -1 : 1))));
}

/** Events that may come next, likely or not. */
function probes({ context: { serial, pid, at: last, spec } }: ServiceSnapshot): readonly ServiceEvent[] {
  const at = last + 1;
  const exit = { type: 'unit.leaderExited', serial, pid, left: 0, age: spec.startupPause, at } as const;
  return [
    { type: 'service.start', at },
    { type: 'service.stop', drain: false, killAfter: 5_000, at },
    { type: 'service.kill', grace: 1_000, at },
    { type: 'service.retire', at },
    { type: 'service.reset', killAfter: 5_000, at },
    { ...exit, status: { kind: 'exited', code: 0 } },
    { ...exit, status: { kind: 'exited', code: 0 }, left: 1 },
    { ...exit, status: { kind: 'exited', code: 1 } },
    { ...exit, status: { kind: 'exited', code: 1 }, left: 1 },
    { ...exit, status: { kind: 'signaled', signal: spec.killSignal, coreDumped: false }, age: 0 },
    { type: 'unit.cleared', serial, at },
    { type: 'unit.survived', serial, at },
    { type: 'notify.received', serial, message: { ready: true }, at },
    { type: 'notify.received', serial, message: { errno: 5 }, at },
    { type: 'notify.received', serial, message: { mainPid: pid + 1 }, at },
  ];
}
