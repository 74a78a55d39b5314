/**
 * A simulated boot starts no programs. These are the assumptions that take their place: how long each service needs to
 * become ready, and which ones go wrong.
 */

import { isScheduled } from '../schedule/scheduled-runs.ts';
import type { ServiceSpec } from '../service/service-spec.ts';
import { parseSignal, type SignalName } from '../service/signal.ts';
import { parseDuration } from '../words/duration.ts';

/** A fault that the simulation gives to a program instead of becoming ready in time. */
export type Mishap =
  /** The program exits. */
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'signal'; readonly signal: SignalName }
  /** The program runs but never becomes ready. */
  | { readonly kind: 'hang' }
  /** The program becomes ready `by` ms late. */
  | { readonly kind: 'late'; readonly by: number };

export interface BootAssumptions {
  /** By service: ms from its start until it is ready. */
  readonly times: ReadonlyMap<string, number>;
  /** Faults by service. */
  readonly mishaps: ReadonlyMap<string, Mishap>;
  /** ms until ready for services without an entry in `times`. */
  readonly otherwise: number;
}

/** Reads `exit:1`, `signal:9`, `signal:KILL`, `hang` or `late:5s`. Undefined where it is none of them. */
export function parseMishap(text: string): Mishap | undefined {
  const [kind = '', ...rest] = text.split(':');
  const value = rest.join(':');
  switch (kind) {
    case 'exit': {
      const code = /^\d{1,3}$/.test(value) ? Number(value) : undefined;
      return code === undefined || code > 255 ? undefined : { kind, code };
    }
    case 'signal': {
      const signal = parseSignal(value);
      return signal === undefined ? undefined : { kind, signal };
    }
    case 'hang':
      return rest.length === 0 ? { kind } : undefined;
    case 'late': {
      const by = parseDuration(value);
      return by === undefined ? undefined : { kind, by };
    }
    default:
      return undefined;
  }
}

/**
 * What makes a service ready: its `program`; the end of its startup `pause`, unless the program fails meanwhile; or nothing
 * that takes time (`schedule`).
 */
export function readyBy({
  type,
  pidfile,
  ready,
}: Pick<ServiceSpec, 'type' | 'pidfile' | 'ready'>): 'program' | 'pause' | 'schedule' {
  if (isScheduled(type)) return 'schedule';
  return type === 'simple' && pidfile === undefined && ready === undefined ? 'pause' : 'program';
}
