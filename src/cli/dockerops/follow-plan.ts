/** Carries a plan out before the eyes of a person, and tells how it has ended. */
import { isatty } from 'node:tty';
import { oneLine } from '../../model/words/printable.ts';
import type { Engine } from '../../platform/engine/engine.ts';
import { type PlatformWatch, watchPlatform } from '../../platform/inspection/inspect-platform.ts';
import { describeStep, staleLinks } from '../../platform/model/make-plan.ts';
import type { Plan } from '../../platform/model/plan.ts';
import type { Platform, PlatformOutcome } from '../../platform/runtime/platform.ts';
import { carryOut } from '../../platform/work/carry-out.ts';
import { observe } from '../../platform/work/observe.ts';
import type { Clock } from '../../runtime/kernel.ts';
import { version } from '../version.ts';
import { complain, print, printJson } from './console.ts';
import { exitStatuses, failureText, refuse } from './context.ts';
import { InstanceScreen } from './instance-screen.ts';

/** How a plan is watched, beside the instances' lines. */
export interface Watching {
  /** True: each transition is printed in their place. */
  readonly inspect: boolean;
  /** The file in which everything is recorded. */
  readonly record: string | undefined;
}

/** @returns the exit status */
export async function followPlan(
  engine: Engine,
  plan: Plan,
  asJson: boolean,
  watching: Watching = { inspect: false, record: undefined },
): Promise<number> {
  const screen = new InstanceScreen(
    plan.steps.map(({ key }) => key),
    asJson,
  );
  let watch: PlatformWatch | undefined;
  const outcome = await carryOut({
    engine,
    plan,
    tell: watching.inspect ? () => {} : screen.tell,
    watch: (platform, clock) => {
      watch = watchOf({ platform, clock, engine, plan, watching, asJson });
    },
    beforeEnd: async () => watch?.settled(),
  });
  await screen.end();
  watch?.end(outcome.ok && outcome.value.done ? 0 : 1, outcome.ok ? endText(outcome.value) : outcome.failure.message);
  watch?.close();
  if (!outcome.ok) return refuse(failureText(outcome.failure, engine));
  const { done, steps } = outcome.value;
  if (asJson) {
    const told = steps.map(({ step, state }) => ({ instance: step.key, action: step.action.kind, ...state }));
    await printJson({ done, steps: told });
  }
  for (const { step, state } of steps) {
    if (state.kind === 'failed') await complain(`${step.key}: ${oneLine(state.cause)}`);
    if (state.kind === 'skipped') await complain(`${step.key}: not begun, since ${state.because} has failed`);
  }
  return done ? exitStatuses.done : exitStatuses.failed;
}

/** Links lead to the addresses that others had when a container was made: those that are made anew or started again have new ones. */
export async function tellStaleLinks(engine: Engine, project: string): Promise<void> {
  const observed = await observe(engine, project);
  if (!observed.ok) return;
  for (const text of staleLinks(observed.value.containers)) await complain(`warning: ${text}`);
}

interface WatchParts {
  readonly platform: Platform;
  readonly clock: Clock;
  readonly engine: Engine;
  readonly plan: Plan;
  readonly watching: Watching;
  readonly asJson: boolean;
}

function watchOf({ platform, clock, engine, plan, watching, asJson }: WatchParts): PlatformWatch | undefined {
  if (!watching.inspect && watching.record === undefined) return undefined;
  const onError = (error: unknown): void => void complain(`the inspection has failed: ${String(error)}`);
  const { project } = plan;
  const watch = watchPlatform({ platform, engine, timers: clock, project, version, epoch: platform.epoch, onError });
  if (watching.record !== undefined) watch.record(watching.record);
  if (watching.inspect) {
    const colour = isatty(1) && (process.env['NO_COLOR'] ?? '') === '' && !asJson;
    watch.print((text) => void print(1, text), { colour, json: asJson });
  }
  return watch;
}

function endText({ done, steps }: PlatformOutcome): string {
  const failed = steps.flatMap(({ step, state }) => (state.kind === 'failed' ? [step.key] : []));
  return done ? 'everything is done' : `${failed.join(', ')} failed`;
}

/** Describes the changes of a plan, one line for each step. */
export function planLines({ steps }: Plan): readonly string[] {
  return steps.flatMap((step) => describeStep(step) ?? []);
}

export async function printPlan(plan: Plan, asJson: boolean): Promise<void> {
  if (asJson) {
    await printJson({
      project: plan.project,
      steps: plan.steps.map(({ key, action, reasons, after }) => ({
        instance: key,
        action: action.kind,
        reasons,
        after,
      })),
      warnings: plan.warnings,
    });
    return;
  }
  const lines = planLines(plan);
  await print(1, lines.length === 0 ? 'nothing has to be done\n' : `${lines.join('\n')}\n`);
}
