import { warning } from '../../model/log/messages.ts';
import { messageOf } from '../../model/words/errno.ts';
import type { InspectRequest } from '../../model/words/inspect-request.ts';
import type { Assembly } from '../assembly.ts';
import type { Clock, Kernel } from '../kernel.ts';
import type { LateLogging } from '../logging/late-logging.ts';
import { onDemand } from '../on-demand.ts';
import type { Inspection } from './inspection.ts';
import type { CloseInspector, InspectedControl, InspectorPorts } from './inspector-port.ts';

export interface LateInspectionPorts {
  readonly assembly: Assembly;
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly logging: Pick<LateLogging, 'inTurn' | 'block'>;
  readonly version: string;
  /** True where entries show parts of services that may be secret. */
  readonly reveal: boolean;
  /** Where inspectors print. */
  readonly output: 'stdout' | 'stderr';
}

/** Inspection that costs nothing until somebody asks for it: even its code is loaded only then. */
export class LateInspection {
  readonly #ports: LateInspectionPorts;
  readonly #closers: CloseInspector[] = [];

  constructor(ports: LateInspectionPorts) {
    this.#ports = ports;
  }

  readonly load = onDemand(async (): Promise<Inspection> => {
    const { inspect } = await import('./inspection.ts');
    const { assembly } = this.#ports;
    const onError = (error: unknown): void => assembly.say(warning(`the inspection failed: ${messageOf(error)}`));
    return inspect({ ...this.#ports, onError });
  });

  /** Attaches the inspectors of the command line. One that fails is logged and does not hinder the boot. */
  async attach(requests: readonly InspectRequest[], control: InspectedControl): Promise<void> {
    const { assembly, kernel, clock, logging, output } = this.#ports;
    const ports: InspectorPorts = {
      control,
      services: () => assembly.spec().services,
      clock,
      write: (text) => logging.inTurn(() => assembly.sinks[output].write(text)),
      // https://no-color.org
      colour: assembly.sinks[output].isTerminal && (process.env['NO_COLOR'] ?? '') === '',
      announce: (text) => logging.inTurn(() => assembly.sinks.stderr.write(logging.block([`chaperone: ${text}`]))),
      say: assembly.say,
      sinks: assembly.sinks,
      defer: (callback) => kernel.defer(callback),
      journal: assembly.spec().journal,
    };
    for (const request of requests) {
      try {
        const { hub } = await this.load();
        const { attachInspector } = await import('./inspectors.ts');
        this.#closers.push(await attachInspector(hub, request, ports));
      } catch (error) {
        assembly.say(warning(`cannot inspect to ${request.kind}: ${messageOf(error)}`));
      }
    }
  }

  /** Closes all inspectors, as the last step. Resolves once they have received the rest. */
  async close(): Promise<void> {
    await Promise.all(this.#closers.splice(0).map((close) => close()));
  }
}
