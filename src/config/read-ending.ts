/** Reads the directives about the end of a service: what it means for the system and for the service itself. */
import type { ServiceSpec, ServiceType } from '../model/service/service-spec.ts';
import { fitOf } from './directive-types.ts';
import type { Environment } from './environment.ts';
import type { Report } from './report.ts';
import { boolean, expandedBoolean, expandedChoice, scalarOf } from './section-values.ts';
import type { Section } from './validate.ts';

interface EndingContext {
  readonly type: ServiceType;
  /** `ignore_failures` of the settings. */
  readonly ignoreFailures: boolean;
  /** Its `restart` is always: no normal end is the last one. */
  readonly returns: boolean;
  readonly environment: Environment;
  readonly enabled: boolean;
  readonly report: Report;
}

/** Directives that contradict each other are mistakes; `directive-types.ts` tells which ones a type cannot have. */
export function readEnding(
  section: Section,
  context: EndingContext,
): Pick<ServiceSpec, 'exitKills' | 'ignoreFailures' | 'onFailure' | 'onSuccess' | 'remainAfterExit'> {
  const { type, environment, enabled, report } = context;
  const { name } = section;
  const exitKills = boolean(section, 'exit_kills');
  const ownIgnore = section.values.has('ignore_failures') ? boolean(section, 'ignore_failures') : undefined;
  const failure = scalarOf(section, 'on_failure');
  const given = expandedChoice(section, 'on_failure', environment, enabled, report);
  const shutsDown = given === 'shutdown';
  if (type !== 'cron' && failure !== undefined && given !== undefined && exitKills) {
    report.error('contradiction', `on_failure of ${name} has no effect: its exit_kills is true`, failure.place, {
      hint: 'expected only one of them: with exit_kills any end of the service ends the system',
    });
  }
  if (failure !== undefined && shutsDown && ownIgnore === true) {
    report.error('contradiction', `on_failure of ${name} is shutdown, and its ignore_failures is true`, failure.place, {
      hint: 'expected only one of them: a failure that ends the system cannot be ignored',
    });
  }
  const success = readSuccess(section, exitKills, context);
  return {
    exitKills,
    // The service's own directive overrides the one of the settings.
    ignoreFailures: ownIgnore ?? (context.ignoreFailures && !shutsDown),
    onFailure: shutsDown ? 'shutdown' : 'keep',
    ...(success === 'shutdown' ? { onSuccess: 'shutdown' } : {}),
    remainAfterExit: readRemain(section, context),
  };
}

function readSuccess(
  section: Section,
  exitKills: boolean,
  { type, returns, environment, enabled, report }: EndingContext,
): string | undefined {
  const { name } = section;
  const success = scalarOf(section, 'on_success');
  const given = expandedChoice(section, 'on_success', environment, enabled, report);
  if (success === undefined || given === undefined || fitOf('on_success', type) === 'refused') return given;
  if (exitKills) {
    report.error('contradiction', `on_success of ${name} has no effect: its exit_kills is true`, success.place, {
      hint: 'expected only one of them: with exit_kills any end of the service ends the system',
    });
  } else if (given === 'shutdown' && returns) {
    report.error('contradiction', `on_success of ${name} is shutdown, and its restart is always`, success.place, {
      hint: 'expected only one of them: a normal end is followed by a restart, or ends the system',
    });
  }
  return given;
}

function readRemain(section: Section, { type, returns, environment, enabled, report }: EndingContext): boolean {
  const fallback = type === 'oneshot';
  const remains = expandedBoolean(section, 'remain_after_exit', environment, report, { enabled, fallback });
  if (section.values.has('remain_after_exit') && remains && returns && type !== 'oneshot') {
    const place = section.given.get('remain_after_exit');
    report.error('contradiction', `remain_after_exit of ${section.name} is true, and its restart is always`, place, {
      hint: 'expected only one of them: after a normal end the service is started again',
    });
  }
  return remains;
}
