/** Reads the directives about restarts: when a service is tried again after an end, how often, and after which pause. */
import type { Ending } from '../model/service/ending.ts';
import type { ServiceSpec, ServiceType } from '../model/service/service-spec.ts';
import type { RestartPolicy } from '../model/service/tries.ts';
import { isPlain } from '../model/words/expand.ts';
import { fitOf } from './directive-types.ts';
import type { Environment } from './environment.ts';
import type { Report } from './report.ts';
import type { RestartMode } from './restart-words.ts';
import { boolean, directiveOf, expandedBoolean, expandedSpan, expandedValue, scalarOf } from './section-values.ts';
import type { Section, Value } from './validate.ts';
import { parseBoolean } from './values.ts';

interface RestartContext {
  readonly type: ServiceType;
  readonly environment: Environment;
  readonly enabled: boolean;
  readonly report: Report;
}

type RestartFields = Pick<ServiceSpec, 'restart' | 'restartDelay' | 'restartLimit' | 'restartPolicy' | 'successExit'>;

/** The restarts that a window can hold: a service remembers when each of them was. */
const mostInWindow = 1_000;

/** Directives that no older configuration has: without a `restart` they are mistakes. */
const newKeys = ['restart_delay_max', 'restart_backoff', 'restart_jitter', 'restart_window', 'restart_prevent'];

export function readRestart(section: Section, context: RestartContext): { mode: RestartMode; fields: RestartFields } {
  const { type, environment, enabled, report } = context;
  const read = (key: string): Value | undefined => expandedValue(section, key, environment, enabled, report);
  const given = read('restart');
  const { mode, limit } = given?.kind === 'restart' ? given : { mode: 'no' as const, limit: undefined };
  const startFailure = expandedBoolean(section, 'restart_on_start_failure', environment, report, { enabled });
  const own = read('restart_limit');
  const [delayMax, window] = ['restart_delay_max', 'restart_window'].map((key) =>
    expandedSpan(section, key, environment, enabled, report),
  );
  const restartLimit = limit ?? (own?.kind === 'integer' ? own.value : numericDefault(section, 'restart_limit'));
  const prevent = endingsIn(read('restart_prevent'));
  const successExit = endingsIn(read('success_exit'));
  const policy: RestartPolicy = {
    ...(mode === 'always' ? { always: true } : {}),
    ...(startFailure ? { startFailure: true } : {}),
    ...(delayMax === undefined ? {} : { delayMax }),
    ...numberAs('backoff', read('restart_backoff')),
    ...numberAs('jitter', read('restart_jitter')),
    ...(window === undefined ? {} : { window }),
    ...(prevent.length === 0 ? {} : { prevent }),
  };
  checkRestart(section, { ...context, mode, startFailure });
  checkLimits(section, context, { limit, restartLimit, window });
  return {
    mode,
    fields: {
      // Where the type refuses it, a mistake or a warning has said so.
      restart: mode !== 'no' && fits(section, type),
      restartDelay:
        expandedSpan(section, 'restart_delay', environment, enabled, report) ??
        numericDefault(section, 'restart_delay') * 1000,
      restartLimit,
      ...(Object.keys(policy).length === 0 ? {} : { restartPolicy: policy }),
      ...(successExit.length === 0 ? {} : { successExit }),
    },
  };
}

function fits({ given }: Section, type: ServiceType): boolean {
  const fit = fitOf('restart', type);
  return fit === 'fits' || (fit === 'followed' && given.has('pidfile'));
}

function numericDefault(section: Section, key: string): number {
  const { default: value } = directiveOf(section, key);
  if (typeof value !== 'number') throw new Error(`internal error: ${key} has no default`);
  return value;
}

function numberAs<K extends 'backoff' | 'jitter'>(key: K, value: Value | undefined): Partial<Record<K, number>> {
  const record: Partial<Record<K, number>> = {};
  if (value?.kind === 'number') record[key] = value.value;
  return record;
}

function endingsIn(value: Value | undefined): readonly Ending[] {
  return value?.kind === 'endings' ? value.endings : [];
}

/** True where `restart` stands there as older configurations have it: such mistakes are warnings. */
function isOldRestart(section: Section): boolean {
  const scalar = scalarOf(section, 'restart');
  return scalar !== undefined && isPlain(scalar.text) && parseBoolean(scalar.text) !== undefined;
}

function checkRestart(
  section: Section,
  { type, mode, startFailure, report }: RestartContext & { mode: RestartMode; startFailure: boolean },
): void {
  const { name } = section;
  const scalar = scalarOf(section, 'restart');
  const isOld = isOldRestart(section);
  // With an old value the check of a configuration says so, and a start says nothing.
  if (scalar !== undefined && mode !== 'no' && !isOld && boolean(section, 'exit_kills')) {
    report.error('contradiction', `restart of ${name} has no effect: its exit_kills is true`, scalar.place, {
      hint: 'expected only one of them: with exit_kills any end of the service ends the system',
    });
  } else if (scalar !== undefined && mode === 'always' && type === 'oneshot') {
    report.error('contradiction', `restart of ${name} is always, and its type is oneshot`, scalar.place, {
      hint: 'expected on-failure, with restart_on_start_failure: the normal end of a oneshot is its readiness',
    });
  } else if (scalar !== undefined && mode !== 'no' && type === 'oneshot' && !startFailure) {
    report[isOld ? 'warning' : 'error'](
      'no-effect',
      `restart of ${name} has no effect: its type is oneshot`,
      scalar.place,
      {
        hint: 'expected restart_on_start_failure: true, too: a oneshot fails only while it starts',
      },
    );
  }
  if (section.given.has('restart') || section.given.has('restart_on_start_failure')) return;
  for (const key of newKeys) {
    if (!section.values.has(key)) continue;
    report.error('no-effect', `${key} of ${name} has no effect: it has no restart`, section.given.get(key), {
      hint: 'expected restart, or restart_on_start_failure, too',
    });
  }
}

function checkLimits(
  section: Section,
  { report }: RestartContext,
  read: { readonly limit: number | undefined; readonly restartLimit: number; readonly window: number | undefined },
): void {
  const { name, given } = section;
  if (read.limit !== undefined && section.values.has('restart_limit')) {
    report.error(
      'contradiction',
      `restart of ${name} has a limit, and so has restart_limit`,
      given.get('restart_limit'),
      {
        hint: `expected only one of them: on-failure:${read.limit} is on-failure with restart_limit: ${read.limit}`,
      },
    );
  }
  if (read.window !== undefined && read.restartLimit === Number.POSITIVE_INFINITY) {
    const message = `restart_window of ${name} has no effect: its restart_limit is unlimited`;
    report.error('no-effect', message, given.get('restart_window'), {
      hint: 'expected a restart_limit for the window',
    });
  } else if (read.window !== undefined && read.restartLimit > mostInWindow) {
    report.error('out-of-range', `restart_limit of ${name} is too large for a window`, given.get('restart_limit'), {
      hint: `expected ${mostInWindow} at most, where restart_window is set`,
    });
  }
  if (section.values.has('restart_delay_max') && !given.has('restart_backoff')) {
    const message = `restart_delay_max of ${name} has no effect: it has no restart_backoff`;
    report.error('no-effect', message, given.get('restart_delay_max'), {
      hint: 'expected restart_backoff, too: without it all pauses are equal',
    });
  }
}
