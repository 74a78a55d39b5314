/** Reads the directives about the end of a service: what it means for the system and for the service itself. */
import { isScheduled } from '../model/schedule/scheduled-runs.ts';
import type { ServiceSpec, ServiceType } from '../model/service/service-spec.ts';
import type { Environment } from './environment.ts';
import type { Report } from './report.ts';
import { boolean, expandedBoolean, expandedChoice, scalarOf } from './section-values.ts';
import type { Section } from './validate.ts';

interface EndingContext {
  readonly type: ServiceType;
  /** `ignore_failures` of the settings. */
  readonly ignoreFailures: boolean;
  readonly environment: Environment;
  readonly enabled: boolean;
  readonly report: Report;
}

/** Directives that contradict each other, and directives that the type cannot have, are mistakes. */
export function readEnding(
  section: Section,
  context: EndingContext,
): Pick<ServiceSpec, 'exitKills' | 'ignoreFailures' | 'onFailure' | 'remainAfterExit'> {
  const { type, environment, enabled, report } = context;
  const { name } = section;
  const exitKills = boolean(section, 'exit_kills');
  const ownIgnore = section.values.has('ignore_failures') ? boolean(section, 'ignore_failures') : undefined;
  const failure = scalarOf(section, 'on_failure');
  const given = expandedChoice(section, 'on_failure', environment, enabled, report);
  const shutsDown = given === 'shutdown';
  if (failure !== undefined && type === 'cron') {
    report.error('no-effect', `on_failure of ${name} has no effect: its type is cron`, failure.place, {
      hint: 'a failed run does not affect the next one',
    });
  } else if (failure !== undefined && given !== undefined && exitKills) {
    report.error('contradiction', `on_failure of ${name} has no effect: its exit_kills is true`, failure.place, {
      hint: 'expected only one of them: with exit_kills any end of the service ends the system',
    });
  }
  if (failure !== undefined && shutsDown && ownIgnore === true) {
    report.error('contradiction', `on_failure of ${name} is shutdown, and its ignore_failures is true`, failure.place, {
      hint: 'expected only one of them: a failure that ends the system cannot be ignored',
    });
  }
  return {
    exitKills,
    // The service's own directive overrides the one of the settings.
    ignoreFailures: ownIgnore ?? (context.ignoreFailures && !shutsDown),
    onFailure: shutsDown ? 'shutdown' : 'keep',
    remainAfterExit: readRemain(section, context),
  };
}

function readRemain(section: Section, { type, environment, enabled, report }: EndingContext): boolean {
  const scalar = scalarOf(section, 'remain_after_exit');
  if (scalar === undefined) return type === 'oneshot';
  const { name } = section;
  if (isScheduled(type)) {
    report.error('no-effect', `remain_after_exit of ${name} has no effect: its type is ${type}`, scalar.place, {
      hint: 'remain_after_exit is for services that end',
    });
  } else if (type === 'forking' && !section.given.has('pidfile')) {
    report.error(
      'no-effect',
      `remain_after_exit of ${name} has no effect: it is forking and has no pidfile`,
      scalar.place,
      { hint: 'expected a pidfile: without one chaperone cannot know when the daemon ends' },
    );
  }
  return expandedBoolean(section, 'remain_after_exit', environment, report, { enabled, fallback: type === 'oneshot' });
}
