import { Subject } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';
import { routeExits } from '../../src/streams/exit-router.ts';

interface Exit {
  readonly pid: number;
  readonly code: number;
}

function batch(at: number, ...exits: readonly Exit[]) {
  return { exits, at };
}

describe('routeExits', () => {
  it('hands each exit to whoever claimed the pid, and the others to the orphans', () => {
    const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
    scheduler.run(({ hot, expectObservable, expectSubscriptions }) => {
      const batches$ = hot('-a--b--', {
        a: batch(5, { pid: 2, code: 0 }, { pid: 9, code: 1 }),
        b: batch(7, { pid: 3, code: 3 }, { pid: 8, code: 4 }),
      });
      const router = routeExits(batches$);
      expectObservable(router.exitOf(2)).toBe('-(x|)', { x: { pid: 2, code: 0, at: 5 } });
      expectObservable(router.exitOf(3)).toBe('----(x|)', { x: { pid: 3, code: 3, at: 7 } });
      expectObservable(router.orphans$).toBe('-x--y--', {
        x: { pid: 9, code: 1, at: 5 },
        y: { pid: 8, code: 4, at: 7 },
      });
      // One subscription for all, for as long as the kernel lives.
      expectSubscriptions(batches$.subscriptions).toBe('^------');
    });
  });

  it('keeps an exit from a claim that is made while its own batch is told', () => {
    const batches$ = new Subject<ReturnType<typeof batch>>();
    const router = routeExits(batches$);
    const seen: string[] = [];
    router.exitOf(2).subscribe(() => {
      seen.push('2');
      // The kernel has reaped 3 as well, and gives its number away again.
      router.exitOf(3).subscribe(({ code }) => seen.push(`new 3 ${code}`));
    });
    router.exitOf(3).subscribe(({ code }) => seen.push(`old 3 ${code}`));
    batches$.next(batch(5, { pid: 2, code: 0 }, { pid: 3, code: 7 }));
    expect(seen).toEqual(['2', 'old 3 7']);
    batches$.next(batch(6, { pid: 3, code: 8 }));
    expect(seen).toEqual(['2', 'old 3 7', 'new 3 8']);
  });

  it('gives a pid that comes again to the new claim', () => {
    const batches$ = new Subject<ReturnType<typeof batch>>();
    const router = routeExits(batches$);
    const seen: string[] = [];
    const claim = (who: string) =>
      router.exitOf(2).subscribe({
        next: ({ code, at }) => seen.push(`${who} exit ${code} at ${at}`),
        complete: () => seen.push(`${who} done`),
      });
    claim('first');
    batches$.next(batch(1, { pid: 2, code: 0 }));
    claim('second');
    batches$.next(batch(2, { pid: 2, code: 1 }));
    expect(seen).toEqual(['first exit 0 at 1', 'first done', 'second exit 1 at 2', 'second done']);
  });

  it('takes an exit without a claim for an orphan, also of a pid that had one', () => {
    const batches$ = new Subject<ReturnType<typeof batch>>();
    const router = routeExits(batches$);
    const orphans: number[] = [];
    router.orphans$.subscribe(({ code }) => orphans.push(code));
    router.exitOf(2);
    batches$.next(batch(1, { pid: 2, code: 0 }));
    batches$.next(batch(2, { pid: 2, code: 1 }));
    batches$.next(batch(3));
    expect(orphans).toEqual([1]);
  });

  it('takes an exit for an orphan once whoever claimed the pid listens no more', () => {
    const batches$ = new Subject<ReturnType<typeof batch>>();
    const router = routeExits(batches$);
    const seen: string[] = [];
    router.orphans$.subscribe(({ pid }) => seen.push(`orphan ${pid}`));
    router.exitOf(2).subscribe().unsubscribe();
    // The end of an old claim is not the end of the new one.
    const old = router.exitOf(3).subscribe();
    router.exitOf(3).subscribe(({ pid }) => seen.push(`claimed ${pid}`));
    old.unsubscribe();
    batches$.next(batch(1, { pid: 2, code: 0 }, { pid: 3, code: 0 }));
    expect(seen).toEqual(['orphan 2', 'claimed 3']);
  });

  it('tells an error of the batches to whoever hears of orphans', () => {
    const batches$ = new Subject<ReturnType<typeof batch>>();
    const router = routeExits(batches$);
    const seen: unknown[] = [];
    router.orphans$.subscribe({ error: (error: unknown) => seen.push(error) });
    batches$.error('ECHILD');
    expect(seen).toEqual(['ECHILD']);
  });
});
