import { fromCallback } from 'xstate';
import type { CountProcesses, SignalAll } from '../../machines/system.ts';
import { type Message, noProcessesRemain } from '../../model/log/messages.ts';
import type { Clock, Kernel, TimerId } from '../kernel.ts';

/** The `processTable` port of the system machine, on a kernel. */
export function processTableLogic(kernel: Kernel, clock: Clock, say: (message: Message) => void) {
  return fromCallback<SignalAll | CountProcesses, undefined, { type: 'processes.gone'; at: number }>((scope) => {
    const { sendBack, receive } = scope;
    const subscription = kernel.childrenGone$.subscribe(({ at }) => sendBack({ type: 'processes.gone', at }));
    let reply: TimerId | undefined;
    let count: TimerId | undefined;
    receive((request) => {
      if (request.type === 'processes.count') {
        count ??= clock.setTimeout(() => {
          count = undefined;
          if (!kernel.hasChildren()) sendBack({ type: 'processes.gone', at: clock.now() });
        }, 0);
        return;
      }
      if (kernel.hasChildren()) {
        kernel.signalAll(request.signal);
        return;
      }
      say(noProcessesRemain());
      // The reply waits for a later turn: the caller may be a service that is still reporting its own end.
      reply = clock.setTimeout(() => sendBack({ type: 'processes.gone', at: clock.now() }), 0);
    });
    return () => {
      subscription.unsubscribe();
      for (const timer of [reply, count]) if (timer !== undefined) clock.clearTimeout(timer);
    };
  });
}
