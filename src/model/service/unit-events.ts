/** Events between a service, its unit, and the ports that reach the kernel. `at` is monotonic time in ms. */

import type { Connection } from '../schedule/scheduled-runs.ts';
import type { Beside } from './beside.ts';
import type { ExitStatus } from './exit-status.ts';
import type { NotifyMessage } from './notify-message.ts';
import type { PidfileTrouble } from './pidfile.ts';
import type { ServiceSpec } from './service-spec.ts';
import type { SignalName } from './signal.ts';
import type { SpawnError } from './spawn-error.ts';

/** One run of one program. */
export interface UnitRun {
  readonly service: ServiceSpec;
  /** Counts the starts of this service from 1. It tells runs apart, since a pid may be used again. */
  readonly serial: number;
  /** inetd: the client that becomes its standard input, output and error. */
  readonly connection?: Connection;
  /** Absent: the service's own command runs. For others than hooks `service` is what `besideSpec` makes. */
  readonly beside?: Beside;
  /**
   * A run that is there already: of a chart that is made anew. Nothing is spawned. `pid` is its leader's, 0 where that
   * has ended; `asked`: it has been asked to end.
   */
  readonly resumes?: { readonly pid: number; readonly asked: boolean };
}

/** Whether a signal reached a unit. `vanished`: no process of the unit existed. */
export type SignalOutcome = 'sent' | 'vanished' | 'denied';

/** Facts about a unit, for the machine that owns it. */
export type UnitFact =
  | { readonly type: 'unit.spawned'; readonly serial: number; readonly pid: number; readonly at: number }
  | { readonly type: 'unit.spawnFailed'; readonly serial: number; readonly error: SpawnError; readonly at: number }
  /** The unit's leader has ended: the spawned process, or the one that a pidfile or MAINPID named since. */
  | {
      readonly type: 'unit.leaderExited';
      readonly serial: number;
      readonly pid: number;
      readonly status: ExitStatus;
      /** How many other processes of the unit's group or tree live on. */
      readonly left: number;
      /** ms of real time from the spawn to the moment in which the end was seen: it may have ended earlier, and not later. */
      readonly age: number;
      /** True if the service's pidfile, written since the start, names the leader. */
      readonly named?: true;
      /** The end of what the command of a probe has written. */
      readonly said?: string;
      readonly at: number;
    }
  /** The leader had ended before, and now the last process of the unit has ended. */
  | { readonly type: 'unit.cleared'; readonly serial: number; readonly at: number }
  /** A process of the unit lives on after SIGKILL. */
  | { readonly type: 'unit.survived'; readonly serial: number; readonly at: number };

/** Facts that only the unit itself hears. */
export type UnitReport =
  /** How many processes of the unit live on after its leader. `fresh`: some of them began after the last signal was sent. */
  | { readonly type: 'unit.seen'; readonly left: number; readonly fresh: boolean; readonly at: number }
  /** A signal was not delivered. */
  | {
      readonly type: 'unit.signalled';
      readonly signal: SignalName;
      readonly outcome: SignalOutcome;
      readonly at: number;
    };

/** What a unit asks of its `processes` port. */
export type UnitRequest =
  /** `asked`: the signal that asked the unit to end before, and how many ms ago. */
  | {
      readonly type: 'unit.send';
      readonly signal: SignalName;
      /** `again`: only for processes that began after the last signal was sent. */
      readonly purpose: 'stop' | 'hand' | 'again';
      readonly asked?: { readonly signal: SignalName; readonly for: number };
    }
  | { readonly type: 'unit.look' }
  /** The unit is to find the end of its standard input behind what other services have written so far. */
  | { readonly type: 'unit.finish' }
  /** Nobody wants the start any more: unless the program runs already, the start is to fail at once. */
  | { readonly type: 'unit.cancel' }
  /** This process is the unit's leader from now on. */
  | { readonly type: 'unit.lead'; readonly pid: number };

/** The end of a process that came and went while chaperone could not look. */
export interface MissedEnd {
  readonly status: ExitStatus;
  /** ms of real time from the start of its service to the moment in which the end was seen. */
  readonly age: number;
}

/** Facts about a service's pidfile. `serial` is that of the start that is expected to write it. */
export type PidfileFact =
  | {
      readonly type: 'pidfile.found';
      readonly serial: number;
      readonly pid: number;
      /** How the named process ended, if it did so before chaperone could look at it. */
      readonly ended?: MissedEnd;
      readonly at: number;
    }
  /** What is wrong with the pidfile, if that has changed since the last look. */
  | { readonly type: 'pidfile.seen'; readonly serial: number; readonly trouble: PidfileTrouble; readonly at: number };

/** A datagram on a service's notify socket. `serial` is that of the start for which the socket was made. */
export interface NotifyFact {
  readonly type: 'notify.received';
  readonly serial: number;
  /** Without `mainPid` where that process may not be followed. */
  readonly message: NotifyMessage;
  readonly at: number;
}

/** Tells the `notifications` actor that the service needs the socket no more. */
export interface NotifyRequest {
  readonly type: 'notify.close';
}
