/** Reads the directives about the rotation of a log file. Those that cannot have an effect are mistakes. */
import { calendarUnits, type Rotation, type RotationPeriod } from '../model/log/rotation.ts';
import type { Environment } from './environment.ts';
import type { Report } from './report.ts';
import { expandedBoolean, expandedInteger, expandedSpan, expandedValue, scalarOf } from './section-values.ts';
import type { Section } from './validate.ts';

/** What begins a new file. */
const causes = ['max_size', 'rotate_every'] as const;
/** What becomes of the file before it. */
const consequences = ['keep', 'max_age', 'compress'] as const;
/** How many rotated files stay where the configuration names no limit. */
const defaultKeep = 5;

/** Undefined where the file is not rotated. */
export function readRotation(
  section: Section,
  environment: Environment,
  enabled: boolean,
  report: Report,
): Rotation | undefined {
  reportUseless(section, report);
  const maxSize = expandedInteger(section, 'max_size', environment, enabled, report);
  const every = readPeriod(section, environment, enabled, report);
  const keep = expandedInteger(section, 'keep', environment, enabled, report);
  const maxAge = expandedSpan(section, 'max_age', environment, enabled, report);
  const compress = expandedBoolean(section, 'compress', environment, report, { enabled });
  if (maxSize === undefined && every === undefined) return undefined;
  const most = keep ?? (maxAge === undefined ? defaultKeep : undefined);
  return {
    ...(maxSize === undefined ? {} : { maxSize }),
    ...(every === undefined ? {} : { every }),
    ...(most === undefined ? {} : { keep: most }),
    ...(maxAge === undefined ? {} : { maxAge }),
    compress,
  };
}

function readPeriod(
  section: Section,
  environment: Environment,
  enabled: boolean,
  report: Report,
): RotationPeriod | undefined {
  const value = expandedValue(section, 'rotate_every', environment, enabled, report);
  if (value?.kind === 'milliseconds') return { kind: 'span', ms: value.value };
  const unit = value?.kind === 'choice' ? calendarUnits.find((each) => each === value.value) : undefined;
  return unit === undefined ? undefined : { kind: 'calendar', unit };
}

function reportUseless(section: Section, report: Report): void {
  const { name, given } = section;
  const useless = (key: string, why: string, hint: string): void => {
    const scalar = scalarOf(section, key);
    if (scalar !== undefined)
      report.error('no-effect', `${key} of ${name} has no effect: ${why}`, scalar.place, { hint });
  };
  if (!given.has('file')) {
    for (const key of ['mode', ...causes, ...consequences]) useless(key, 'it has no file', 'expected a file');
  } else if (!causes.some((key) => given.has(key))) {
    const why = 'the file is not rotated by chaperone';
    for (const key of consequences) useless(key, why, `expected ${causes.join(' or ')}`);
  }
}
