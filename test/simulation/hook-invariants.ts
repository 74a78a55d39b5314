/** Rules about hooks, and about the signals of a stop, that hold in every world; they are written from the reference. */
import { isScheduled } from '../../src/model/schedule/scheduled-runs.ts';
import { type HookStage, hookStages, hooksOf } from '../../src/model/service/hook.ts';
import type { ServicePhase } from '../../src/model/service/service-phase.ts';
import { specsOf } from './history.ts';
import { hookOf } from './plan.ts';
import { commandOf, type Entry, type WorldRun } from './run-world.ts';

/** The phases in which no hook of a service may be left: it is at rest, or up. */
const withoutHooks: ReadonlySet<ServicePhase> = new Set([
  'backoff',
  'stopped',
  'failed',
  'ready.running',
  'ready.exited',
  'exited',
]);

function changeOf(entry: Entry): { readonly service: string; readonly phase: ServicePhase } | undefined {
  if (entry.kind !== 'notice' || entry.notice.type !== 'service.changed') return undefined;
  return { service: entry.notice.service, phase: entry.notice.change.phase };
}

function visit(run: WorldRun, look: (entry: Entry) => string | undefined): string | undefined {
  for (const entry of run.whole) {
    const answer = look(entry);
    if (answer !== undefined) return `at ${entry.at} ms: ${answer}`;
  }
  return undefined;
}

/** The processes of hooks that live, by service. */
class LivingHooks {
  readonly #living = new Map<number, { readonly service: string; readonly stage: HookStage; readonly pid: number }>();

  note(entry: Entry): void {
    if (entry.kind === 'spawned' || entry.kind === 'forked') {
      const hook = hookOf(entry.service);
      if (hook !== undefined) this.#living.set(entry.id, { service: hook.service, stage: hook.stage, pid: entry.pid });
    }
    if (entry.kind === 'ended') this.#living.delete(entry.id);
  }

  of(service: string): { readonly stage: HookStage; readonly pid: number } | undefined {
    return [...this.#living.values()].find((each) => each.service === service);
  }
}

/** The service that is up again after its normal end, because a process that it has left names itself with MAINPID. */
function risenAgain({ kind, ...rest }: Entry): string | undefined {
  if (kind !== 'fact' || !('fact' in rest) || rest.fact.type !== 'moved') return undefined;
  const { actor, from, to } = rest.fact;
  return from === 'exited' && to === 'ready.running' ? actor : undefined;
}

/** The order of a run: the hooks of a start, the command, and the other hooks. */
function rankOf(service: string): number {
  const hook = hookOf(service);
  if (hook === undefined) return 100;
  const stage = hookStages.indexOf(hook.stage);
  return (stage === 0 ? 0 : 100 + stage * 100) + hook.nth;
}

/** True where the system does not end in order, or a process survives SIGKILL: then chaperone waits for nothing any more. */
function isForced(entry: Entry): boolean {
  // The services are killed before anybody is told that the last round has begun.
  if (entry.kind === 'fact' && entry.fact.type === 'moved' && entry.fact.to === 'draining.killing') return true;
  return (
    entry.kind === 'notice' &&
    (entry.notice.type === 'system.forced' ||
      entry.notice.type === 'system.clearing' ||
      entry.notice.type === 'service.survives')
  );
}

export const hookInvariants = {
  // supervision.md: "They are units of the service: seen in status, ended with it."
  'no hook outlives its service': (run: WorldRun) => {
    const hooks = new LivingHooks();
    const specs = specsOf(run);
    let forced = false;
    return visit(run, (entry) => {
      hooks.note(entry);
      forced ||= isForced(entry);
      const change = changeOf(entry);
      if (change === undefined || forced || !withoutHooks.has(change.phase)) return undefined;
      if (isScheduled(specs.get(change.service)?.type ?? 'simple')) return undefined;
      const left = hooks.of(change.service);
      return left === undefined
        ? undefined
        : `${change.service} is ${change.phase}, and pid ${left.pid} of its ${left.stage} lives`;
    });
  },

  // supervision.md: "Order: before_start, command, ready condition, after_start, *ready*".
  'hooks run in their order, one after another': (run: WorldRun) => {
    const hooks = new LivingHooks();
    const reached = new Map<string, number>();
    const specs = specsOf(run);
    let forced = false;
    return visit(run, (entry) => {
      forced ||= isForced(entry);
      const asked = entry.kind === 'requested' ? hookOf(entry.service) : undefined;
      // A hook of a run that cannot be started begins the run, too.
      if (asked?.stage === 'before_start' && asked.nth === 1 && isScheduled(specs.get(asked.service)?.type ?? 'simple'))
        reached.delete(asked.service);
      // So does its command where no hook comes before.
      if (entry.kind === 'requested' && asked === undefined) {
        const { type = 'simple', hooks: own } = specs.get(entry.service) ?? {};
        if (isScheduled(type) && hooksOf(own, 'before_start').length === 0) reached.delete(entry.service);
      }
      if (entry.kind === 'spawned' && !forced) {
        const service = hookOf(entry.service)?.service ?? entry.service;
        const rank = rankOf(entry.service);
        const left = hooks.of(service);
        if (left !== undefined) return `${entry.service} starts, and pid ${left.pid} of ${left.stage} lives`;
        // The runs of a schedule begin without a report.
        const spec = specs.get(service);
        const isFirst = rank === 1 || (rank === 100 && hooksOf(spec?.hooks, 'before_start').length === 0);
        const begins = isFirst && isScheduled(spec?.type ?? 'simple');
        if (!begins && rank < (reached.get(service) ?? 0)) return `${entry.service} starts too late in its run`;
        reached.set(service, rank);
      }
      hooks.note(entry);
      const change = changeOf(entry);
      if (change?.phase === 'starting') reached.delete(change.service);
      // "`after_stop` follows every end": that of the first process, and that of the one that is the service now. Its start is over.
      const risen = risenAgain(entry);
      if (risen !== undefined) reached.set(risen, rankOf(risen));
      return undefined;
    });
  },

  // supervision.md: "`after_stop` follows every end and every failed start, before the next try".
  'after_stop follows each run exactly once': (run: WorldRun) => {
    const specs = specsOf(run);
    /** By service: how often the first hook of after_stop was asked for in its present run. */
    const runs = new Map<string, number>();
    let forced = false;
    return visit(run, (entry) => {
      forced ||= isForced(entry);
      const hook = entry.kind === 'requested' ? hookOf(entry.service) : undefined;
      const ofRun = isScheduled(specs.get(hook?.service ?? '')?.type ?? 'simple');
      if (hook?.stage === 'after_stop' && hook.nth === 1 && !ofRun) {
        const count = runs.get(hook.service);
        if (count === undefined) return `after_stop of ${hook.service} runs, and no run has begun`;
        runs.set(hook.service, count + 1);
        if (count > 0) return `after_stop of ${hook.service} runs twice`;
      }
      // The reports of a service come later than its moves: its hooks may all fail to start in the instant of its start.
      if (entry.kind !== 'fact' || entry.fact.type !== 'moved') return undefined;
      const { actor, from, to } = entry.fact;
      if (to.startsWith('starting.') && !from.startsWith('starting.')) runs.set(actor, 0);
      if (risenAgain(entry) !== undefined) runs.set(actor, 0);
      if (forced) return undefined;
      const spec = specs.get(actor);
      if (spec === undefined || isScheduled(spec.type) || hooksOf(spec.hooks, 'after_stop').length === 0)
        return undefined;
      if (to !== 'backoff' && to !== 'stopped' && to !== 'failed') return undefined;
      // No process was asked for where not even a pipe could be made.
      const { type, hook: failed } = entry.fact.event;
      if (type === 'hooks.failed' && String(failed).startsWith('after_stop')) return undefined;
      return runs.get(actor) === 0 ? `${actor} is ${to}, and its after_stop has not run` : undefined;
    });
  },

  // supervision.md, kill_signal: "also a list with pauses"; "then SIGKILL".
  'no signal of a stop comes before its pause': (run: WorldRun) => {
    const specs = specsOf(run);
    /** By service: the step of its stop, and when that signal was sent. */
    const sent = new Map<string, { readonly index: number; readonly own: number }>();
    return visit(run, (entry) => {
      const change = changeOf(entry);
      if (change !== undefined && change.phase !== 'stopping') sent.delete(change.service);
      if (entry.kind !== 'sends' || entry.purpose !== 'stop' || entry.signal === 'SIGKILL') return undefined;
      const { signal, own } = entry;
      const command = commandOf(entry.service);
      // A command of start_if gets the signals of its service, in the place of the service's own command.
      const service = command?.kind === 'condition' ? command.service : entry.service;
      const steps = specs.get(service)?.killSteps;
      // The runs of scheduled services end beside each other, and a watchdog has a signal of its own.
      if (steps === undefined || isScheduled(specs.get(service)?.type ?? 'simple') || signal === 'SIGABRT')
        return undefined;
      const last = sent.get(service);
      const index = last === undefined ? 0 : last.index + 1;
      sent.set(service, { index, own });
      const step = steps[index];
      if (step === undefined || step.signal !== signal) return `${service} gets ${signal} as signal ${index + 1}`;
      const pause = steps[index - 1]?.pause ?? 0;
      return last !== undefined && own - last.own < pause
        ? `${service} gets ${signal} ${pause - (own - last.own)} ms too early`
        : undefined;
    });
  },
} as const;
