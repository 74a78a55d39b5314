import type { ExitStatus } from './exit-status.ts';
import type { NotifyMessage } from './notify-message.ts';
import type { PidfileTrouble } from './pidfile.ts';
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
  /** Absent: its command is started. */
  readonly adopts?: Adoption;
}

/** A run that starts nothing: it takes over what is there already. */
export type Adoption =
  /** The process that a pidfile or MAINPID names. */
  | { readonly kind: 'process'; readonly pid: number }
  /** Whatever the last start of the service has left behind. */
  | { readonly kind: 'remains' };

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

/** Facts about a service's pidfile. `serial` is that of the start which is to have written it. */
export type PidfileFact =
  | { readonly type: 'pidfile.found'; readonly serial: number; readonly pid: number; readonly at: number }
  /** What it found this time, where that is something else than before. */
  | { readonly type: 'pidfile.seen'; readonly serial: number; readonly trouble: PidfileTrouble; readonly at: number };

/** A datagram on a service's notify socket. `serial` is that of the start for which the socket was made. */
export interface NotifyFact {
  readonly type: 'notify.received';
  readonly serial: number;
  /** Without `mainPid` where that process may not be followed. */
  readonly message: NotifyMessage;
  readonly at: number;
}

/** What the service machine asks of its `notifications` actor: the socket is wanted no more. */
export interface NotifyRequest {
  readonly type: 'notify.close';
}
