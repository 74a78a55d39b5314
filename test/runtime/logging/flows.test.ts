import { describe, expect, it } from 'vitest';
import type { Overflow } from '../../../src/model/log/overflow.ts';
import { type Bottleneck, Flows } from '../../../src/runtime/logging/flows.ts';
import { VirtualClock } from '../../../src/runtime/simulated/virtual-clock.ts';

const wait: Overflow = { kind: 'wait', patience: 5_000 };

/** A place on the way of lines that is full until the test says otherwise. */
class Narrow implements Bottleneck {
  holdsBack = true;
  lastProgress = 0;
  readonly #room: (() => void)[] = [];
  readonly #progress: (() => void)[] = [];

  onRoom(callback: () => void): void {
    this.#room.push(callback);
  }

  onProgress(callback: () => void): void {
    this.#progress.push(callback);
  }

  giveRoom(): void {
    for (const callback of this.#room.splice(0)) callback();
  }

  move(now: number): void {
    this.lastProgress = now;
    for (const callback of this.#progress.splice(0)) callback();
  }
}

function open() {
  const clock = new VirtualClock();
  const flows = new Flows(clock);
  /** Adds an output; returns whether it is read now. */
  const output = (service: string): (() => boolean) => {
    let reads = true;
    flows.of(service).add({
      pause: () => {
        reads = false;
      },
      resume: () => {
        reads = true;
      },
    });
    return () => reads;
  };
  const pass = (ms: number): void => clock.run(clock.now() + ms);
  return { clock, flows, output, pass };
}

describe('the flow of a service', () => {
  it('is not read while a sink of its lines is full, and nobody else waits', () => {
    const { flows, output } = open();
    const [full, other] = [new Narrow(), new Narrow()];
    const [one, two, quiet] = [output('one'), output('two'), output('quiet')];
    flows.of('one').note(full, wait);
    flows.of('two').note(other, wait);
    flows.meetFull(full);
    expect([one(), two(), quiet()]).toEqual([false, true, true]);
    full.giveRoom();
    expect([one(), two(), quiet()]).toEqual([true, true, true]);
  });

  it('waits for each of its sinks', () => {
    const { flows, output } = open();
    const sinks = [new Narrow(), new Narrow()] as const;
    const reads = output('web');
    for (const sink of sinks) {
      flows.of('web').note(sink, wait);
      flows.meetFull(sink);
    }
    sinks[0].giveRoom();
    expect(reads()).toBe(false);
    sinks[1].giveRoom();
    expect(reads()).toBe(true);
  });

  it('holds back an output that is added while it waits', () => {
    const { flows, output } = open();
    const full = new Narrow();
    flows.of('web').note(full, wait);
    flows.meetFull(full);
    const late = output('web');
    expect(late()).toBe(false);
    full.giveRoom();
    expect(late()).toBe(true);
  });

  it('waits no longer than it is allowed to in one stall, and again once the sink has moved', () => {
    const { clock, flows, output, pass } = open();
    const full = new Narrow();
    const flow = flows.of('web');
    const reads = output('web');
    flow.note(full, wait);
    flows.meetFull(full);
    pass(4_000);
    full.move(clock.now());
    pass(4_999);
    expect([reads(), flow.exceeds(full, wait)]).toEqual([false, true]);
    pass(1);
    expect([reads(), flow.exceeds(full, wait)]).toEqual([true, false]);
    // The sink has not moved yet: the lines are dropped, and the service goes on.
    flows.meetFull(full);
    expect(reads()).toBe(true);
    full.move(clock.now());
    expect(flow.exceeds(full, wait)).toBe(true);
    flows.meetFull(full);
    expect(reads()).toBe(false);
  });

  it('waits as long as it takes where it is to block, and not at all where lines are to be dropped', () => {
    const { flows, output, pass } = open();
    const full = new Narrow();
    const [blocks, drops] = [output('blocks'), output('drops')];
    flows.of('blocks').note(full, { kind: 'block' });
    flows.of('drops').note(full, { kind: 'drop' });
    flows.meetFull(full);
    pass(3_600_000);
    expect([blocks(), drops()]).toEqual([false, true]);
    expect(flows.of('drops').exceeds(full, { kind: 'drop' })).toBe(false);
  });

  it('does not wait for what has failed', () => {
    const { flows, output } = open();
    const full = new Narrow();
    full.holdsBack = false;
    const reads = output('web');
    flows.of('web').note(full, { kind: 'block' });
    flows.meetFull(full);
    expect(reads()).toBe(true);
    expect(flows.of('web').exceeds(full, { kind: 'block' })).toBe(false);
  });

  it('does not wait any more once the service is to end, and does again after the next start', () => {
    const { flows, output } = open();
    const full = new Narrow();
    const reads = output('web');
    flows.of('web').note(full, { kind: 'block' });
    flows.meetFull(full);
    flows.of('web').release();
    expect(reads()).toBe(true);
    flows.meetFull(full);
    expect(reads()).toBe(true);
    flows.of('web').engage();
    flows.meetFull(full);
    expect(reads()).toBe(false);
  });

  it('does not wait any more once the system is to end, whenever the service began', () => {
    const { flows, output } = open();
    const full = new Narrow();
    const reads = output('web');
    flows.of('web').note(full, { kind: 'block' });
    flows.meetFull(full);
    flows.releaseAll();
    const late = output('late');
    flows.of('late').note(full, { kind: 'block' });
    flows.meetFull(full);
    expect([reads(), late()]).toEqual([true, true]);
  });
});
