import type { Clock, Kernel } from '../kernel.ts';
import type { LiveProcesses } from '../units/live-processes.ts';

/** ms until SIGKILL, and from there until chaperone leaves whatever happens. */
const terminateGrace = 3_000;
const killGrace = 1_000;

/**
 * When a machine of chaperone itself has broken: ends every process without it. Each gets its own kill signal, then all that
 * is left gets SIGKILL.
 *
 * @param done called once, when no child is left or time is up
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
  if (!kernel.hasChildren()) {
    finish();
    return;
  }
  clock.setTimeout(() => {
    live.signalEach(kernel, 'SIGKILL');
    kernel.signalAll('SIGKILL');
    clock.setTimeout(finish, killGrace);
  }, terminateGrace);
}
