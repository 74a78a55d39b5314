/** What whoever watches an assembly is given, and gives. */
import type { Hub } from '../../inspect/hub.ts';
import type { Message } from '../../model/log/messages.ts';
import type { JournalSpec, ServiceSpec } from '../../model/service/service-spec.ts';
import type { InspectRequest } from '../../model/words/inspect-request.ts';
import type { Clock } from '../kernel.ts';
import type { LogSinks } from '../logging/log-sinks.ts';

export interface InspectorPorts {
  /** As they are configured now. */
  readonly services: () => readonly ServiceSpec[];
  readonly clock: Clock;
  /** Writes whole lines to stdout, in turn with the log. */
  readonly write: (text: string) => void;
  /** stdout takes colours. */
  readonly colour: boolean;
  /** Tells the person at the terminal what is not for the log. */
  readonly announce: (text: string) => void;
  readonly say: (message: Message) => void;
  readonly sinks: LogSinks;
  /** Calls back at the end of this turn. */
  readonly defer: (callback: () => void) => void;
  /** What the settings say of journals. */
  readonly journal: JournalSpec;
}

/** Ends it. What it returns resolves once what it still had to tell is told; nobody waits for that for long. */
export type CloseInspector = () => void | Promise<void>;

/** Begins to watch, and holds nothing up: what may take time goes on after it has returned. */
export type AttachInspector<R extends InspectRequest> = (
  hub: Hub,
  request: R,
  ports: InspectorPorts,
) => CloseInspector | Promise<CloseInspector>;
