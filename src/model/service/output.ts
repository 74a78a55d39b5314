/** Where the output of a service goes, and how much of it. */
import { parseDuration } from '../words/duration.ts';

/**
 * Where a standard stream of a service goes: into the log, line by line; to the stream that chaperone itself has; into one logging
 * entry alone; or to the standard input of another service. Names have their suffix.
 */
export type OutputTarget = 'log' | 'inherit' | `${string}.logging` | `${string}.service`;

export function isEntry(target: OutputTarget | 'stdout'): target is `${string}.logging` {
  return target.endsWith('.logging');
}

export function isConsumer(target: OutputTarget | 'stdout'): target is `${string}.service` {
  return target.endsWith('.service');
}

/** The value of a directive as a target; undefined where it is none. */
export function parseTarget(text: string): OutputTarget | 'stdout' | undefined {
  if (text === 'log' || text === 'inherit' || text === 'stdout') return text;
  const [, stem, suffix] = /^([^\s,\0]+)\.(logging|service)$/.exec(text) ?? [];
  if (stem === undefined) return undefined;
  return suffix === 'logging' ? `${stem}.logging` : `${stem}.service`;
}

/** The targets of the two streams. */
export interface Outputs {
  readonly stdout: OutputTarget;
  /** `stdout`: to the same file as stdout. */
  readonly stderr: OutputTarget | 'stdout';
}

/** How an output that does not go into the log is told: `stdout goes to logger.service`. */
export function describeOutputs({ stdout, stderr }: Outputs): string | undefined {
  if (stdout === 'log' && (stderr === 'log' || stderr === 'stdout')) return undefined;
  const whither = (target: OutputTarget): string =>
    target === 'log' ? 'the log' : target === 'inherit' ? "chaperone's own" : target;
  if (stderr === 'stdout' || stderr === stdout) return `stdout and stderr go to ${whither(stdout)}`;
  if (stderr === 'log') return `stdout goes to ${whither(stdout)}`;
  if (stdout === 'log') return `stderr goes to ${whither(stderr)}`;
  return `stdout goes to ${whither(stdout)}, stderr to ${whither(stderr)}`;
}

/** At most so many lines in a time. */
export interface LogRate {
  readonly lines: number;
  /** ms. */
  readonly per: number;
}

/** Reads `1000/s`, `10/500ms`, or `100`, which is a second's. */
export function parseRate(text: string): LogRate | undefined {
  const [, count = '', unit = 's'] = /^(\d{1,9})(?:\s*\/\s*(\S+))?$/.exec(text.trim()) ?? [];
  const per = parseDuration(/^[a-z]/.test(unit) ? `1${unit}` : unit);
  const lines = Number(count);
  return count === '' || lines === 0 || per === undefined || per === 0 ? undefined : { lines, per };
}

/** As a configuration writes it. */
export function describeRate({ lines, per }: LogRate): string {
  const unit = unitNames.find(([ms]) => ms === per)?.[1] ?? `${per}ms`;
  return `${lines}/${unit}`;
}

const unitNames = [
  [1_000, 's'],
  [60_000, 'm'],
  [3_600_000, 'h'],
] as const;
