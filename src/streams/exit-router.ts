import { finalize, type Observable, Subject } from 'rxjs';

interface Exit {
  readonly pid: number;
}

interface Batch<E extends Exit> {
  readonly exits: readonly E[];
  readonly at: number;
}

/** An exit with the monotonic time in ms at which it was reaped. */
export type Timed<E extends Exit> = E & { readonly at: number };

export interface ExitRouter<E extends Exit> {
  /**
   * The exit of a child; emits once and completes. To be called in the turn in which the child was spawned: exits arrive in
   * a later one, so that none can be missed, and a pid that comes again belongs to the new claim.
   */
  exitOf(pid: number): Observable<Timed<E>>;
  /** Exits of processes that nobody claimed: orphans. An error of the batches comes here, too: nothing is routed any more. */
  readonly orphans$: Observable<Timed<E>>;
}

/** Hands each exit of the batches to whoever spawned the process. A lookup a pid, not a filter a subscriber. */
export function routeExits<E extends Exit>(batches$: Observable<Batch<E>>): ExitRouter<E> {
  const claims = new Map<number, Subject<Timed<E>>>();
  const orphans$ = new Subject<Timed<E>>();
  batches$.subscribe({
    next: ({ exits, at }) => {
      // All claims are taken before anybody is told: who hears of an exit may spawn, and get a pid of this very batch.
      const claimed = exits.map((exit) => ({ exit, claim: claims.get(exit.pid) }));
      for (const { pid } of exits) claims.delete(pid);
      for (const { exit, claim } of claimed) {
        (claim ?? orphans$).next({ ...exit, at });
        claim?.complete();
      }
    },
    error: (error: unknown) => orphans$.error(error),
  });
  return {
    exitOf(pid) {
      const claim = new Subject<Timed<E>>();
      claims.set(pid, claim);
      // Whoever listens no more has given the claim up, unless somebody else has it by now.
      return claim.pipe(
        finalize(() => {
          if (claims.get(pid) === claim) claims.delete(pid);
        }),
      );
    },
    orphans$,
  };
}
