import { killGrace } from '../../model/ledger/stops.ts';
import type { Clock, Kernel } from '../kernel.ts';
import type { LiveProcesses } from '../units/live-processes.ts';

/** ms until SIGKILL. */
const terminateGrace = 3_000;

/**
 * Ends every process without the machines, when one of those is broken. Each process gets its own kill signal; then
 * every process that is left gets SIGKILL.
 *
 * @param done is called once, when no child is left or the time is up
 */
export function endWithoutMachines(kernel: Kernel, clock: Clock, live: LiveProcesses, done: () => void): void {
  let over = false;
  const finish = (): void => {
    if (over) return;
    over = true;
    done();
  };
  kernel.childrenGone$.subscribe(finish);
  live.signalEach(kernel);
  kernel.watchChildren();
  clock.setTimeout(() => {
    live.signalEach(kernel, 'SIGKILL');
    kernel.signalAll('SIGKILL');
    clock.setTimeout(finish, killGrace);
  }, terminateGrace);
}
