import type { ExitStatus } from './exit-status.ts';
import type { Connection } from './scheduling.ts';
import type { ServiceSpec } from './service-spec.ts';
import type { SignalName } from './signal.ts';
import type { SpawnError } from './spawn-error.ts';

/** One run of one program. */
export interface ProcessRun {
  readonly service: ServiceSpec;
  /** Counts the starts of this service from 1. Tells its runs apart, where a pid may come again. */
  readonly serial: number;
  /** inetd: the client that becomes its standard input, output and error. */
  readonly connection?: Connection;
}

/** Facts about one run, from the kernel. `at` is monotonic time in ms. */
export type ProcessFact =
  | { readonly type: 'process.spawned'; readonly serial: number; readonly pid: number; readonly at: number }
  | { readonly type: 'process.spawnFailed'; readonly serial: number; readonly error: SpawnError; readonly at: number }
  | {
      readonly type: 'process.exited';
      readonly serial: number;
      readonly pid: number;
      readonly status: ExitStatus;
      readonly at: number;
    };

/** What the process machine asks of its `childProcess` actor. */
export interface ProcessSignal {
  readonly type: 'process.signal';
  readonly signal: SignalName;
}
