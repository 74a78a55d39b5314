import { fromCallback } from 'xstate';
import type { CountProcesses, SignalAll } from '../../machines/system.ts';
import { type Message, noProcessesRemain } from '../../model/log/messages.ts';
import type { Kernel } from '../kernel.ts';

/** The `processTable` port of the system machine, on a kernel. It answers both requests once no process is left. */
export function processTableLogic(kernel: Kernel, say: (message: Message) => void) {
  return fromCallback<SignalAll | CountProcesses, undefined, { type: 'processes.gone'; at: number }>((scope) => {
    const { sendBack, receive } = scope;
    /** True from a signal to everybody until somebody ends of it. */
    let reachedNobody = false;
    const exits = kernel.exits$.subscribe(() => {
      reachedNobody = false;
    });
    const gone = kernel.childrenGone$.subscribe(({ at }) => {
      if (reachedNobody) say(noProcessesRemain());
      reachedNobody = false;
      sendBack({ type: 'processes.gone', at });
    });
    receive((request) => {
      if (request.type === 'processes.signalAll') {
        kernel.signalAll(request.signal);
        reachedNobody = true;
      }
      kernel.watchChildren();
    });
    return () => {
      exits.unsubscribe();
      gone.unsubscribe();
    };
  });
}
