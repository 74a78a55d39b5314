import { fromCallback } from 'xstate';
import type { CountProcesses, SignalAll } from '../../machines/system.ts';
import { type Message, noProcessesRemain } from '../../model/log/messages.ts';
import type { Kernel } from '../kernel.ts';

/** The `processTable` port of the system machine, on a kernel. It answers both requests once no process is left. */
export function processTableLogic(kernel: Kernel, say: (message: Message) => void) {
  return fromCallback<SignalAll | CountProcesses, undefined, { type: 'processes.gone'; at: number }>((scope) => {
    const { sendBack, receive } = scope;
    /** `asked`: a signal to everybody is on its way; `sent`: nobody has ended of it yet. */
    let signal: 'none' | 'asked' | 'sent' = 'none';
    const exits = kernel.exits$.subscribe(() => {
      if (signal === 'sent') signal = 'none';
    });
    const gone = kernel.childrenGone$.subscribe(({ at }) => {
      if (signal !== 'none') say(noProcessesRemain());
      signal = 'none';
      sendBack({ type: 'processes.gone', at });
    });
    receive((request) => {
      if (request.type === 'processes.count') {
        kernel.watchChildren();
        return;
      }
      signal = 'asked';
      kernel.signalAll(request.signal, () => {
        if (signal === 'asked') signal = 'sent';
        kernel.watchChildren();
      });
    });
    return () => {
      exits.unsubscribe();
      gone.unsubscribe();
    };
  });
}
