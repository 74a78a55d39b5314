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
   * The exit of a child; emits once and completes. Call it in the turn in which the child was spawned: exits arrive in
   * a later turn, so none is missed, and the exit of a reused pid goes to the newest claim.
   */
  exitOf(pid: number): Observable<Timed<E>>;
  /** Exits of processes that nobody has claimed: orphans. An error of the batches arrives here and ends the routing. */
  readonly orphans$: Observable<Timed<E>>;
}

/** Passes each exit of a batch to the code that spawned the process, by one lookup per pid. */
export function routeExits<E extends Exit>(batches$: Observable<Batch<E>>): ExitRouter<E> {
  const claims = new Map<number, Subject<Timed<E>>>();
  const orphans$ = new Subject<Timed<E>>();
  batches$.subscribe({
    next: ({ exits, at }) => {
      // All claims are taken before anyone is notified: a subscriber may spawn at once, and get a pid of this very
      // batch.
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
      // Unsubscribing gives the claim up, unless a newer claim for the same pid has replaced it.
      return claim.pipe(
        finalize(() => {
          if (claims.get(pid) === claim) claims.delete(pid);
        }),
      );
    },
    orphans$,
  };
}
