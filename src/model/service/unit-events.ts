/** What is said between a service, its unit, and the ports that reach the kernel. `at` is monotonic time in ms. */

import type { Connection } from '../schedule/scheduled-runs.ts';
import type { ExitStatus } from './exit-status.ts';
import type { NotifyMessage } from './notify-message.ts';
import type { PidfileTrouble } from './pidfile.ts';
import type { ServiceSpec } from './service-spec.ts';
import type { SignalName } from './signal.ts';
import type { SpawnError } from './spawn-error.ts';

/** One run of one program. */
export interface UnitRun {
  readonly service: ServiceSpec;
  /** Counts the starts of this service from 1. Tells its runs apart, where a pid may come again. */
  readonly serial: number;
  /** inetd: the client that becomes its standard input, output and error. */
  readonly connection?: Connection;
  /**
   * A run that is there already: of a chart that is made anew. Nothing is spawned. `pid` is its leader's, 0 where that has ended;
   * `asked`: it has been asked to end.
   */
  readonly resumes?: { readonly pid: number; readonly asked: boolean };
}

/** How a signal reached a unit. `vanished`: nothing of it was there. */
export type SignalOutcome = 'sent' | 'vanished' | 'denied';

/** Facts about a unit, for whoever owns it. */
export type UnitFact =
  | { readonly type: 'unit.spawned'; readonly serial: number; readonly pid: number; readonly at: number }
  | { readonly type: 'unit.spawnFailed'; readonly serial: number; readonly error: SpawnError; readonly at: number }
  /** Its leader, which is the process that was spawned or the one that was named since, has ended. */
  | {
      readonly type: 'unit.leaderExited';
      readonly serial: number;
      readonly pid: number;
      readonly status: ExitStatus;
      /** Processes of its group, or of its tree, that live on. */
      readonly left: number;
      /** ms of real time from the spawn to the moment in which the end was seen: it may have ended earlier, and not later. */
      readonly age: number;
      /** Its service's pidfile, written since the start, names it. */
      readonly named?: true;
      readonly at: number;
    }
  /** Its leader had ended, and now nothing of it is left. */
  | { readonly type: 'unit.cleared'; readonly serial: number; readonly at: number }
  /** Something of it lives on after SIGKILL. */
  | { readonly type: 'unit.survived'; readonly serial: number; readonly at: number };

/** Facts that only the unit itself hears. */
export type UnitReport =
  /** How many of it live, beside a leader that has ended. `fresh`: some of them were not there when the last signal was sent. */
  | { readonly type: 'unit.seen'; readonly left: number; readonly fresh: boolean; readonly at: number }
  /** A signal has not arrived as it was sent. */
  | {
      readonly type: 'unit.signalled';
      readonly signal: SignalName;
      readonly outcome: SignalOutcome;
      readonly at: number;
    };

/** What a unit asks of its `processes` port. */
export type UnitRequest =
  /** `asked`: by which signal, and how many ms ago, it was asked to end before. */
  | {
      readonly type: 'unit.send';
      readonly signal: SignalName;
      /** `again`: for those only that were not there when the last signal was sent. */
      readonly purpose: 'stop' | 'hand' | 'again';
      readonly asked?: { readonly signal: SignalName; readonly for: number };
    }
  | { readonly type: 'unit.look' }
  /** This process is its leader from now on. */
  | { readonly type: 'unit.lead'; readonly pid: number };

/** How a process has ended that chaperone could not look at. */
export interface MissedEnd {
  readonly status: ExitStatus;
  /** ms of real time from the start of its service to the moment in which the end was seen. */
  readonly age: number;
}

/** Facts about a service's pidfile. `serial` is that of the start which is to have written it. */
export type PidfileFact =
  | {
      readonly type: 'pidfile.found';
      readonly serial: number;
      readonly pid: number;
      /** Chaperone could not look while the file was written and its process lived: it has ended since, like this. */
      readonly ended?: MissedEnd;
      readonly at: number;
    }
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
