/** The `reloader` port of the reload machine: it sends the signal of a reload to the main process of the service, and to no other. */
import { type EventObject, fromCallback } from 'xstate';
import type { ReloadReport, ReloadTarget } from '../../machines/reload.ts';
import { type Message, reloadSignal } from '../../model/log/messages.ts';
import type { SignalOutcome } from '../../model/service/unit-events.ts';
import type { Clock, Kernel } from '../kernel.ts';
import type { LiveProcesses } from './live-processes.ts';

export interface ReloaderPorts {
  readonly kernel: Pick<Kernel, 'signal'>;
  readonly clock: Clock;
  readonly live: LiveProcesses;
  readonly onMessage: (message: Message) => void;
}

export function reloaderLogic({ kernel, clock, live, onMessage }: ReloaderPorts) {
  return fromCallback<EventObject, ReloadTarget, ReloadReport>(({ input, sendBack }) => {
    const { service, pid, signal } = input;
    sendBack({ type: 'reload.began', monotonic: clock.monotonicTime(), at: clock.now() });
    // What comes of a signal after the reload is over is told to nobody: XState lets a stopped actor send nothing.
    const tell = (outcome: SignalOutcome): void => sendBack({ type: 'reload.signalled', outcome, at: clock.now() });
    if (signal !== undefined) {
      // The number of a process that has ended may be another one's by now.
      if (live.isOf(pid, service.name)) {
        onMessage(reloadSignal(service.name, signal, pid));
        kernel.signal(pid, signal, 'process', tell);
      } else tell('vanished');
    }
  });
}
