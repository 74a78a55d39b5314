/**
 * Reads the directives about the runs of a service: when a cron service runs beside its interval, how long a run may last, on
 * which conditions it begins, and how a running service is told to read its own configuration anew.
 */
import type { CronOptions } from '../model/schedule/cron-options.ts';
import type { ReloadMethod } from '../model/service/reload-method.ts';
import type { ServiceSpec, ServiceType } from '../model/service/service-spec.ts';
import type { Environment } from './environment.ts';
import { expandCondition } from './expand-conditions.ts';
import { readHelperCommand } from './read-helper-command.ts';
import { knownTimeZone } from './read-time-zone.ts';
import type { Report } from './report.ts';
import {
  expandedBoolean,
  expandedChoice,
  expandedSpan,
  expandedText,
  expandedValue,
  scalarOf,
} from './section-values.ts';
import type { Section } from './validate.ts';

interface RunContext {
  readonly type: ServiceType;
  readonly environment: Environment;
  readonly enabled: boolean;
  readonly report: Report;
}

export function readRuns(
  section: Section,
  context: RunContext,
): Pick<ServiceSpec, 'cron' | 'maxRuntime' | 'reload' | 'startIf'> {
  const { environment, enabled, report } = context;
  const maxRuntime = expandedSpan(section, 'max_runtime', environment, enabled, report);
  if (maxRuntime === 0)
    report.error('out-of-range', `max_runtime of ${section.name} is 0`, section.given.get('max_runtime'), {
      hint: 'expected a time such as 30s; without max_runtime there is no limit',
    });
  const cron = readCron(section, context);
  const reload = readReload(section, context);
  const given = section.values.get('start_if');
  const startIf =
    given?.kind === 'conditions'
      ? expandCondition(given.node, { owner: section.name, environment, enabled, report })
      : undefined;
  return {
    ...(context.type === 'cron' && Object.keys(cron).length > 0 ? { cron } : {}),
    ...(reload === undefined ? {} : { reload }),
    ...(startIf === undefined ? {} : { startIf }),
    ...(maxRuntime === undefined || maxRuntime === 0 ? {} : { maxRuntime }),
  };
}

function readReload(section: Section, { environment, enabled, report }: RunContext): ReloadMethod | undefined {
  const { name } = section;
  const signal = expandedValue(section, 'reload_signal', environment, enabled, report);
  const scalar = scalarOf(section, 'reload_command');
  const command =
    scalar === undefined
      ? undefined
      : readHelperCommand('reload_command', scalar, { owner: name, environment, enabled, report });
  if (scalar !== undefined && section.given.has('reload_signal'))
    report.error('contradiction', `${name} has both reload_command and reload_signal`, scalar.place, {
      hint: 'expected only one of them: a command can send the signal, too',
    });
  if (command !== undefined) return { kind: 'command', ...command };
  return signal?.kind === 'signal' ? { kind: 'signal', signal: signal.value } : undefined;
}

/** Only what differs from the defaults. */
function readCron(section: Section, { environment, enabled, report }: RunContext): CronOptions {
  const zone = expandedText(section, 'timezone', environment, enabled, report)?.trim();
  const place = scalarOf(section, 'timezone')?.place;
  const timeZone = zone === undefined || place === undefined ? undefined : knownTimeZone(zone, place, report);
  const overlap = expandedChoice(section, 'overlap', environment, enabled, report);
  const jitter = expandedSpan(section, 'jitter', environment, enabled, report) ?? 0;
  const runAtStart = expandedBoolean(section, 'run_at_start', environment, report, { enabled });
  const catchUp = expandedBoolean(section, 'catch_up', environment, report, { enabled });
  return {
    ...(timeZone === undefined ? {} : { timeZone }),
    ...(overlap === 'queue' || overlap === 'replace' ? { overlap } : {}),
    ...(jitter === 0 ? {} : { jitter }),
    ...(runAtStart ? { runAtStart } : {}),
    ...(catchUp ? {} : { catchUp }),
  };
}
