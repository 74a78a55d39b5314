import { signalNumber } from '../../model/service/signal.ts';
import type { Clock } from '../kernel.ts';
import type { NativeEdge } from '../linux/native.ts';
import type { LiveProcesses } from '../units/live-processes.ts';

/** ms until the processes are looked at again: nobody tells of the end of a process that is no child. */
const lookInterval = 50;
const ESRCH = 3;

/**
 * Ends the services after the death of the body, which can only die where it is not PID 1. The services are children of
 * somebody else by then, so each is signalled from here: with its own kill signal, and with SIGKILL when the time is up.
 *
 * @param timeout ms
 * @param done is called once
 */
export function endAfterBody(
  edge: NativeEdge,
  clock: Clock,
  live: LiveProcesses,
  { timeout, done }: { readonly timeout: number; readonly done: () => void },
): void {
  const left = new Map(live.all());
  const signal = (pid: number, number: number): number =>
    edge.kill(left.get(pid)?.ownGroup === true ? -pid : pid, number);
  const end = clock.now() + timeout;
  for (const [pid, { killSignal }] of left) signal(pid, signalNumber(killSignal));
  const look = (): void => {
    for (const pid of left.keys()) if (signal(pid, 0) === ESRCH) left.delete(pid);
    if (left.size > 0 && clock.now() < end) {
      clock.setTimeout(look, lookInterval);
      return;
    }
    for (const pid of left.keys()) signal(pid, signalNumber('SIGKILL'));
    done();
  };
  look();
}
