/** The interface between an assembly and its inspectors. */
import type { Supervisor } from '../../control/supervisor.ts';
import type { Hub } from '../../inspect/hub.ts';
import type { Message } from '../../model/log/messages.ts';
import type { ControlPolicy } from '../../model/service/control-policy.ts';
import type { JournalSpec, ServiceSpec } from '../../model/service/service-spec.ts';
import type { InspectRequest } from '../../model/words/inspect-request.ts';
import type { Clock } from '../kernel.ts';
import type { LogSinks } from '../logging/log-sinks.ts';

/** What inspectors may use of the control of the system, which has the rights of the control socket. */
export interface InspectedControl {
  readonly supervisor: Supervisor;
  /** Chaperone's own uid. */
  readonly uid: number;
  readonly policy: () => ControlPolicy;
}

export interface InspectorPorts {
  /** Absent where nothing can be controlled. */
  readonly control?: InspectedControl;
  /** The services as they are configured now. */
  readonly services: () => readonly ServiceSpec[];
  readonly clock: Clock;
  /** Writes whole lines to stdout (under --task to stderr), in order with the log. */
  readonly write: (text: string) => void;
  /** True where what `write` writes to supports colours. */
  readonly colour: boolean;
  /** Prints a message for the person at the terminal that does not belong in the log. */
  readonly announce: (text: string) => void;
  readonly say: (message: Message) => void;
  readonly sinks: LogSinks;
  /** Calls back at the end of this turn. */
  readonly defer: (callback: () => void) => void;
  /** The journal's settings in the configuration. */
  readonly journal: JournalSpec;
}

/** Ends the inspector. A promise resolves once the last entries are delivered; it is awaited only for a short time. */
export type CloseInspector = () => void | Promise<void>;

/** Attaches an inspector without delaying the boot: slow work goes on after the function has returned. */
export type AttachInspector<R extends InspectRequest> = (
  hub: Hub,
  request: R,
  ports: InspectorPorts,
) => CloseInspector | Promise<CloseInspector>;
