/** Reads the directives about starting and stopping a service beside its command: its hooks, and how a stop proceeds. */
import { type Hook, type HookStage, type Hooks, hookStages, type KillStep } from '../model/service/hook.ts';
import { isOwnVariable } from '../model/service/late-environment.ts';
import type { ServiceSpec } from '../model/service/service-spec.ts';
import { ExpansionError, isPlain } from '../model/words/expand.ts';
import { checkHookText, type Environment } from './environment.ts';
import type { HooksValue } from './read-hooks.ts';
import type { Report } from './report.ts';
import { expandedChoice, expandedSpan, expandedValue, signal } from './section-values.ts';
import type { Section } from './validate.ts';

/** The hooks of a stage as they are written, with their places. */
export function hooksIn(section: Section, stage: HookStage): HooksValue['hooks'] {
  const value = section.values.get(stage);
  return value?.kind === 'hooks' ? value.hooks : [];
}

interface StopContext {
  readonly environment: Environment;
  readonly enabled: boolean;
  /** Of the settings, ms. */
  readonly defaults: { readonly shutdownTimeout: number };
  readonly report: Report;
}

/** Reads how the service is stopped, and which commands run around its own. */
export function readHooks(
  section: Section,
  context: StopContext,
): Pick<ServiceSpec, 'killSignal' | 'killSteps' | 'killMode' | 'stopTimeout' | 'hooks'> {
  const { environment, enabled, report } = context;
  const given = expandedValue(section, 'kill_signal', environment, enabled, report);
  const steps = given?.kind === 'killSteps' ? given.steps : undefined;
  const mode = expandedChoice(section, 'kill_mode', environment, enabled, report);
  const ownTimeout = expandedSpan(section, 'stop_timeout', environment, enabled, report);
  const pauses = (steps ?? []).reduce((sum, { pause }) => sum + pause, 0);
  const stopTimeout = ownTimeout ?? (pauses > 0 ? pauses : undefined);
  if (steps !== undefined) checkSteps(section, steps, ownTimeout, report);
  for (const stage of hookStages)
    for (const { scalar } of hooksIn(section, stage))
      checkHookText(environment, stage, scalar, { owner: section.name, enabled, report });
  const hooks = hooksOfSection(section, environment, stopTimeout ?? context.defaults.shutdownTimeout);
  return {
    killSignal: steps?.[0]?.signal ?? signal(section, 'kill_signal'),
    ...(steps !== undefined && steps.length > 1 ? { killSteps: steps } : {}),
    killMode: mode === 'process' || mode === 'mixed' ? mode : 'group',
    ...(stopTimeout === undefined ? {} : { stopTimeout }),
    ...(hooks === undefined ? {} : { hooks }),
  };
}

/** A signal that would come with SIGKILL, or after it, has no effect. */
function checkSteps(
  section: Section,
  steps: readonly KillStep[],
  stopTimeout: number | undefined,
  report: Report,
): void {
  const place = section.given.get('kill_signal');
  let passed = 0;
  for (const [index, { signal: name, pause }] of steps.entries()) {
    const isLate = stopTimeout !== undefined && index > 0 && passed >= stopTimeout;
    const isLast = index === steps.length - 1;
    if (isLate || (isLast && index > 0 && pause === 0 && stopTimeout === undefined)) {
      const why = isLate
        ? `SIGKILL comes before it, after the stop_timeout of ${stopTimeout / 1000} s`
        : 'SIGKILL comes with it';
      report.error('contradiction', `${name} in kill_signal of ${section.name} has no effect: ${why}`, place, {
        hint: isLate
          ? `expected a stop_timeout of more than ${passed / 1000} s`
          : `expected a time behind it, such as "${name} 5s", or a stop_timeout`,
      });
      return;
    }
    passed += pause;
  }
}

function hooksOfSection(section: Section, environment: Environment, timeout: number): Hooks | undefined {
  const stages = hookStages.filter((stage) => hooksIn(section, stage).length > 0);
  if (stages.length === 0) return undefined;
  const commands = Object.fromEntries(
    stages.map((stage) => [stage, hooksIn(section, stage).map(({ scalar: _, ...hook }): Hook => hook)]),
  );
  const isExpanded = stages.some((stage) => hooksIn(section, stage).some(({ command }) => !isPlain(command)));
  return { commands, ...(isExpanded ? { own: ownVariables(environment) } : {}), afterStopTimeout: timeout };
}

/** Chaperone's own variables, which no program gets, and which a hook may name. */
function ownVariables({ expander }: Environment): Readonly<Record<string, string>> {
  return Object.fromEntries(
    expander.names().flatMap((name): readonly (readonly [string, string])[] => {
      if (!isOwnVariable(name)) return [];
      try {
        const value = expander.variable(name);
        return value === undefined ? [] : [[name, value]];
      } catch (error) {
        // A fault in a variable is reported where the environment of the service is made.
        if (error instanceof ExpansionError) return [];
        throw error;
      }
    }),
  );
}
