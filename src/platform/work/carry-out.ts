/** Carries a plan out on this host, and tells each stage of each instance. */
import { mkdir } from 'node:fs/promises';
import type { Fact } from '../../facts/fact.ts';
import type { Clock } from '../../runtime/kernel.ts';
import { fail, succeed } from '../engine/answer.ts';
import type { ContainerFacts, Engine, EngineAnswer } from '../engine/engine.ts';
import type { Plan } from '../model/plan.ts';
import { labelNames } from '../model/project.ts';
import { type Platform, type PlatformOutcome, startPlatform } from '../runtime/platform.ts';
import { digest } from './digest.ts';
import { hostClock } from './host-clock.ts';

export interface CarryOut {
  readonly engine: Engine;
  readonly plan: Plan;
  /** Each fact of the platform, from the first one on. */
  readonly tell: (fact: Fact) => void;
  /** Gets the platform before its first step. */
  readonly watch?: (platform: Platform, clock: Clock) => void;
  /** Is waited for once the plan is over, while the platform is still followed. */
  readonly beforeEnd?: () => Promise<void> | undefined;
}

export async function carryOut({
  engine,
  plan,
  tell,
  watch,
  beforeEnd,
}: CarryOut): Promise<EngineAnswer<PlatformOutcome>> {
  const found = await containersOf(engine, plan.project);
  if (!found.ok) return found;
  const clock = hostClock();
  let broken: unknown;
  const platform = startPlatform(
    { plan, found: found.value },
    {
      clock,
      engine,
      project: plan.project,
      timers: clock,
      digest,
      makeFolder: async (path) => {
        await mkdir(path, { recursive: true });
      },
      onError: (error) => {
        broken = error;
      },
    },
    (begins) => {
      begins.feed.facts$.subscribe(tell);
      watch?.(begins, clock);
    },
  );
  try {
    const outcome = await platform.outcome;
    await beforeEnd?.();
    return succeed(outcome);
  } catch (error) {
    throw broken ?? error;
  } finally {
    platform.stop();
  }
}

/** All containers of a project, as the platform's machines look at them. */
export async function containersOf(engine: Engine, project: string): Promise<EngineAnswer<readonly ContainerFacts[]>> {
  const rows = await engine.containers.list([{ name: labelNames.project, value: project }]);
  if (!rows.ok) return rows;
  const answers = await Promise.all(rows.value.map(({ id }) => engine.containers.inspect(id)));
  const found: ContainerFacts[] = [];
  for (const answer of answers) {
    if (answer.ok) found.push(answer.value);
    else if (answer.failure.kind !== 'absent') return fail(answer.failure);
  }
  return succeed(found);
}
