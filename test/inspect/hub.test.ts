import { describe, expect, it } from 'vitest';
import type { Entry } from '../../src/inspect/entry.ts';
import { Hub, type HubBounds, type News } from '../../src/inspect/hub.ts';
import { Registry } from '../../src/inspect/registry.ts';
import { actorNews, bootNews, logNews, stepNews } from './entries.ts';

interface Source {
  readonly hub: Hub;
  tell(...news: readonly News[]): void;
  log(): void;
  /** How often it was opened and closed. */
  readonly opened: string[];
  readonly errors: unknown[];
  clock: number;
}

function source(bounds: Partial<HubBounds> = {}): Source {
  let tellMachines: ((news: News) => void) | undefined;
  let tellRecords: ((news: News) => void) | undefined;
  const opened: string[] = [];
  const errors: unknown[] = [];
  const self: Source = {
    hub: new Hub(
      {
        now: () => self.clock,
        open: (tell) => {
          opened.push('open');
          tellMachines = tell;
          tell(bootNews);
          tell(actorNews('x:0', 'system'));
          return () => {
            opened.push('close');
            tellMachines = undefined;
          };
        },
        openRecords: (tell) => {
          opened.push('open records');
          tellRecords = tell;
          return () => {
            opened.push('close records');
            tellRecords = undefined;
          };
        },
        onError: (error) => errors.push(error),
      },
      bounds,
    ),
    tell: (...news) => {
      for (const each of news) tellMachines?.(each);
    },
    log: () => tellRecords?.(logNews),
    opened,
    errors,
    clock: 5,
  };
  return self;
}

/** Takes everything, or as much as it is told to. */
function watcher(hub: Hub, options: { records?: boolean; from?: number; takes?: number } = {}) {
  const seen: Entry[] = [];
  let left = options.takes ?? Number.POSITIVE_INFINITY;
  const watch = hub.watch({
    ...options,
    onEntry: (entry) => {
      seen.push(entry);
      left -= 1;
      return left > 0;
    },
  });
  return {
    seen,
    close: () => watch.close(),
    take: (count: number) => {
      left = count;
      watch.resume();
    },
  };
}

const numbers = (entries: readonly Entry[]): readonly number[] => entries.map(({ seq }) => seq);

describe('the hub', () => {
  it('listens only while somebody watches', () => {
    const { hub, opened, tell } = source();
    expect(opened).toEqual([]);
    hub.tell(stepNews('x:0', 'lost'));
    const first = watcher(hub);
    const second = watcher(hub);
    expect(opened).toEqual(['open']);
    first.close();
    first.close();
    tell(stepNews('x:0', 'up'));
    expect(opened).toEqual(['open']);
    second.close();
    expect(opened).toEqual(['open', 'close']);
    expect(first.seen.map(({ type }) => type)).toEqual(['@chaperone.boot', '@xstate.actor']);
    expect(second.seen.map(({ type }) => type)).toEqual(['@chaperone.boot', '@xstate.actor', '@xstate.snapshot']);
  });

  it('begins anew for who comes when all have gone, and goes on counting', () => {
    const { hub, tell } = source();
    watcher(hub).close();
    const later = watcher(hub);
    tell(stepNews('x:0', 'up'));
    expect(later.seen.map(({ seq, type }) => [seq, type])).toEqual([
      [3, '@chaperone.boot'],
      [4, '@xstate.actor'],
      [5, '@xstate.snapshot'],
    ]);
  });

  it('numbers entries, and never goes back in time', () => {
    const self = source();
    const { seen } = watcher(self.hub);
    self.clock = 9;
    self.tell(stepNews('x:0', 'a'));
    self.clock = 7;
    self.tell(stepNews('x:0', 'b'));
    expect(seen.map(({ seq, at }) => [seq, at])).toEqual([
      [1, 5],
      [2, 5],
      [3, 9],
      [4, 9],
    ]);
  });

  it('tells who comes late the same as who was there before', () => {
    const { hub, tell } = source();
    const early = watcher(hub);
    tell(actorNews('x:1', 'web.service', 'x:0'), stepNews('x:1', 'starting'));
    const late = watcher(hub);
    tell(stepNews('x:1', 'ready'));
    expect(late.seen).toEqual(early.seen);
  });

  it('keeps a bounded number, and what the others have led to', () => {
    const { hub, tell } = source({ ring: 3 });
    const early = watcher(hub);
    tell(actorNews('x:1', 'web.service', 'x:0'), actorNews('x:2', 'gone', 'x:1'));
    for (let step = 0; step < 10; step += 1) tell(stepNews('x:1', `step${step}`));
    tell(stepNews('x:2', 'over', 'done'), stepNews('x:0', 'up'), stepNews('x:1', 'ready'), stepNews('x:0', 'idle'));
    const late = watcher(hub);
    expect(late.seen.map(({ seq, type }) => [seq, type])).toEqual([
      [1, '@chaperone.boot'],
      [2, '@xstate.actor'],
      [3, '@xstate.actor'],
      [15, '@chaperone.lost'],
      [16, '@xstate.snapshot'],
      [17, '@xstate.snapshot'],
      [18, '@xstate.snapshot'],
    ]);
    expect(late.seen[2]).toMatchObject({ sessionId: 'x:1', snapshot: { value: 'step9' } });
    expect(late.seen[3]).toMatchObject({ count: 12 });
    const folded = [early, late].map(({ seen }) => {
      const registry = new Registry();
      for (const entry of seen) registry.apply(entry);
      return registry.entries();
    });
    expect(folded[1]).toEqual(folded[0]);
  });

  it('goes on where a watcher was, as far as that is kept', () => {
    const { hub, tell } = source({ ring: 3 });
    watcher(hub);
    for (let step = 0; step < 5; step += 1) tell(stepNews('x:0', `step${step}`));
    expect(numbers(watcher(hub, { from: 6 }).seen)).toEqual([6, 7]);
    expect(numbers(watcher(hub, { from: 8 }).seen)).toEqual([]);
    expect(numbers(watcher(hub, { from: 2 }).seen)).toEqual([1, 2, 4, 5, 6, 7]);
  });

  it('tells of records only who asked for them', () => {
    const { hub, opened, log, tell } = source({ records: 2 });
    const plain = watcher(hub);
    expect(opened).toEqual(['open']);
    const curious = watcher(hub, { records: true });
    expect(opened).toEqual(['open', 'open records']);
    log();
    log();
    tell(stepNews('x:0', 'up'));
    log();
    expect(numbers(plain.seen)).toEqual([1, 2, 5]);
    expect(numbers(curious.seen)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(numbers(watcher(hub).seen)).toEqual([1, 2, 5]);
    // Of the records only the last two are kept.
    const late = watcher(hub, { records: true });
    expect(numbers(late.seen)).toEqual([1, 2, 4, 5, 6]);
    late.close();
    curious.close();
    expect(opened).toEqual(['open', 'open records', 'close records']);
  });
});

describe('a watcher who takes no more', () => {
  it('finds what came meanwhile, and costs the others nothing', () => {
    const { hub, tell } = source();
    const slow = watcher(hub, { takes: 1 });
    const fast = watcher(hub);
    tell(stepNews('x:0', 'a'), stepNews('x:0', 'b'));
    expect(numbers(slow.seen)).toEqual([1]);
    expect(numbers(fast.seen)).toEqual([1, 2, 3, 4]);
    slow.take(2);
    expect(numbers(slow.seen)).toEqual([1, 2, 3]);
    slow.take(9);
    tell(stepNews('x:0', 'c'));
    expect(slow.seen).toEqual(fast.seen);
  });

  it('loses the oldest of what is over its bound, and is told how many', () => {
    const { hub, tell } = source({ queue: 3 });
    const slow = watcher(hub, { takes: 2 });
    for (let step = 0; step < 10; step += 1) tell(stepNews('x:0', `step${step}`));
    slow.take(9);
    tell(stepNews('x:0', 'live'));
    expect(slow.seen.map(({ seq, type }) => [seq, type])).toEqual([
      [1, '@chaperone.boot'],
      [2, '@xstate.actor'],
      [9, '@chaperone.lost'],
      [10, '@xstate.snapshot'],
      [11, '@xstate.snapshot'],
      [12, '@xstate.snapshot'],
      [13, '@xstate.snapshot'],
    ]);
    expect(slow.seen[2]).toMatchObject({ count: 7 });
  });

  it('never loses what there was when it came', () => {
    const { hub, tell } = source({ queue: 1 });
    const early = watcher(hub);
    tell(stepNews('x:0', 'a'), stepNews('x:0', 'b'));
    const slow = watcher(hub, { takes: 1 });
    slow.take(9);
    expect(slow.seen).toEqual(early.seen);
  });

  it('is let go with what waits for it', () => {
    const { hub, opened, tell } = source();
    const slow = watcher(hub, { takes: 1 });
    tell(stepNews('x:0', 'a'));
    slow.close();
    slow.take(9);
    expect(numbers(slow.seen)).toEqual([1]);
    expect(opened).toEqual(['open', 'close']);
  });
});

it('a watcher who throws is let go, and nobody else notices', () => {
  const { hub, tell, errors } = source();
  hub.watch({
    onEntry: ({ seq }) => {
      if (seq === 3) throw new Error('I cannot see this');
      return true;
    },
  });
  const other = watcher(hub);
  tell(stepNews('x:0', 'a'), stepNews('x:0', 'b'));
  expect(errors).toEqual([new Error('I cannot see this')]);
  expect(numbers(other.seen)).toEqual([1, 2, 3, 4]);
});

it('the end is the last that is told', () => {
  const { hub, tell } = source();
  const { seen } = watcher(hub);
  tell({ type: '@chaperone.end', exitStatus: 0, cause: 'SIGTERM' }, stepNews('x:0', 'a'));
  expect(seen.at(-1)?.type).toBe('@chaperone.end');
  expect(watcher(hub).seen).toEqual(seen);
});
