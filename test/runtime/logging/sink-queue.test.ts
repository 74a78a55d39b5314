import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Sink } from '../../../src/runtime/kernel.ts';
import { SinkQueue, type SinkQueueOptions } from '../../../src/runtime/logging/sink-queue.ts';

const mebibyte = 1024 * 1024;
/** The most bytes that a queue takes. */
const limit = 8 * mebibyte;

/** A sink whose writes end when the test says so. */
class SlowSink implements Sink {
  readonly batches: string[] = [];
  #done: ((errorCode?: string, rest?: Uint8Array) => void) | undefined;

  get busy(): boolean {
    return this.#done !== undefined;
  }

  get text(): string {
    return this.batches.join('');
  }

  write(bytes: Uint8Array, done: (errorCode?: string, rest?: Uint8Array) => void): void {
    if (this.busy) throw new Error('two writes at a time');
    this.batches.push(new TextDecoder().decode(bytes));
    this.#done = done;
  }

  /** Ends the write in progress. */
  finish(errorCode?: string): void {
    const done = this.#done;
    this.#done = undefined;
    if (errorCode === undefined) done?.();
    else done?.(errorCode);
  }

  /** Ends the write in progress as a full disk does, after so many bytes. */
  fill(taken = 0): void {
    const done = this.#done;
    this.#done = undefined;
    const batch = this.batches.pop() ?? '';
    this.batches.push(batch.slice(0, taken));
    done?.('ENOSPC', new TextEncoder().encode(batch.slice(taken)));
  }

  finishAll(): void {
    while (this.busy) this.finish();
  }
}

function slowQueue(options: SinkQueueOptions = {}): { sink: SlowSink; queue: SinkQueue } {
  const sink = new SlowSink();
  return { sink, queue: new SinkQueue(sink, 'stdout', (text) => `[${text}]\n`, options) };
}

/** Timers that fire when the test says so. */
function timers(): { readonly after: NonNullable<SinkQueueOptions['after']>; readonly fire: () => readonly number[] } {
  let set: { readonly delay: number; readonly callback: () => void }[] = [];
  return {
    after: (delay, callback) => set.push({ delay, callback }),
    fire: () => {
      const due = set;
      set = [];
      for (const { callback } of due) callback();
      return due.map(({ delay }) => delay);
    },
  };
}

const dropped = (count: number): string =>
  `[${count} log records were dropped because stdout did not take them in time]\n`;

describe('a sink queue', () => {
  it('writes at once where nothing waits, and what came meanwhile together', () => {
    const { sink, queue } = slowQueue();
    queue.write('one\n');
    queue.write('two\n');
    queue.write('three\n');
    expect(sink.batches).toEqual(['one\n']);
    sink.finish();
    expect(sink.batches).toEqual(['one\n', 'two\nthree\n']);
    sink.finish();
    expect(sink.busy).toBe(false);
  });

  it('writes no more than 64 KiB at once, but never splits a line', () => {
    const { sink, queue } = slowQueue();
    const long = `${'x'.repeat(100_000)}\n`;
    const half = `${'y'.repeat(40_000)}\n`;
    for (const text of ['one\n', half, half, long, 'two\n']) queue.write(text);
    sink.finishAll();
    expect(sink.batches).toEqual(['one\n', half, half, long, 'two\n']);
  });

  it('keeps the order, whatever is written and however slow the sink is', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.constant(undefined)), { maxLength: 50 }), (steps) => {
        const { sink, queue } = slowQueue();
        const written: string[] = [];
        for (const text of steps) {
          if (text === undefined) sink.finish();
          else {
            const line = `${text.replaceAll('\n', ' ')}\n`;
            written.push(line);
            queue.write(line);
          }
        }
        sink.finishAll();
        expect(sink.text).toBe(written.join(''));
      }),
    );
  });

  it('drops what is over its bound, and says how much once there is room', () => {
    const { sink, queue } = slowQueue();
    const block = `${'x'.repeat(65_535)}\n`;
    queue.write('first\n');
    for (let index = 0; index < 128; index++) queue.write(block);
    queue.write('lost\n');
    queue.write('lost too\n');
    sink.finishAll();
    expect(sink.text).toBe(`first\n${block.repeat(128)}${dropped(2)}`);
    queue.write('later\n');
    sink.finishAll();
    expect(sink.batches.slice(-2)).toEqual([dropped(2), 'later\n']);
  });

  it('says it no sooner than there is room again', () => {
    const { sink, queue } = slowQueue();
    const block = `${'x'.repeat(65_535)}\n`;
    queue.write('first\n');
    for (let index = 0; index < 128; index++) queue.write(block);
    queue.write('lost\n');
    sink.finish();
    queue.write('late\n');
    sink.finishAll();
    expect(sink.text.endsWith(dropped(1))).toBe(true);
    expect(sink.text.indexOf('late\n')).toBeLessThan(sink.text.indexOf(dropped(1)));
  });

  it('holds no more than its bound while the sink does not take anything', () => {
    const { sink, queue } = slowQueue();
    const line = `${'x'.repeat(99)}\n`;
    for (let index = 0; index < 100_000; index++) queue.write(line);
    sink.finishAll();
    expect(sink.text.length).toBeLessThanOrEqual(limit + 1_000);
    const kept = sink.text.split('\n').filter((each) => each.startsWith('x')).length;
    expect(sink.text).toContain(dropped(100_000 - kept));
  });

  it('counts the lines that a sink refused, and tries the next ones', () => {
    const { sink, queue } = slowQueue();
    queue.write('one\ntwo\n');
    sink.finish('ENOSPC');
    expect(sink.busy).toBe(false);
    queue.write('three\n');
    sink.finish('EPIPE');
    queue.write('four\n');
    sink.finish();
    expect(sink.batches.at(-1)).toBe('[3 log records were dropped because stdout refused them (EPIPE)]\n');
    sink.finish();
    expect(sink.busy).toBe(false);
  });

  it('calls back once everything has gone, and at once where nothing waits', () => {
    const { sink, queue } = slowQueue();
    const called: string[] = [];
    queue.whenIdle(() => called.push('idle'));
    expect(called).toEqual(['idle']);
    queue.write('one\n');
    queue.whenIdle(() => called.push('first'));
    queue.write('two\n');
    queue.whenIdle(() => called.push('second'));
    sink.finish();
    expect(called).toEqual(['idle']);
    sink.finish();
    expect(called).toEqual(['idle', 'first', 'second']);
  });

  it('calls back also where the sink refuses everything', () => {
    const { sink, queue } = slowQueue();
    let called = 0;
    queue.write('one\n');
    queue.whenIdle(() => {
      called += 1;
    });
    sink.finish('EIO');
    expect(called).toBe(1);
  });

  it('counts each line of a text that it drops', () => {
    const { sink, queue } = slowQueue();
    queue.write('first\n');
    queue.write('x'.repeat(limit));
    queue.write('one\ntwo\nthree\n');
    sink.finishAll();
    expect(sink.text.endsWith(dropped(3))).toBe(true);
  });

  it('says the number of dropped lines in the words it is given', () => {
    const { sink, queue } = slowQueue();
    queue.setNoticeLine((text) => `{"notice":"${text}"}\n`);
    queue.write('lost\n');
    sink.finish('EIO');
    queue.write('kept\n');
    sink.finishAll();
    expect(sink.batches.at(-1)).toBe('{"notice":"1 log records were dropped because stdout refused them (EIO)"}\n');
  });

  it('offers what a full disk has not taken again, once a second, and loses nothing', () => {
    const { after, fire } = timers();
    const { sink, queue } = slowQueue({ after });
    queue.write('one\ntwo\n');
    sink.fill(5);
    queue.write('three\n');
    expect(sink.busy).toBe(false);
    expect(fire()).toEqual([1_000]);
    sink.fill();
    expect(fire()).toEqual([1_000]);
    sink.finishAll();
    expect(sink.text).toBe('one\ntwo\nthree\n');
    expect(fire()).toEqual([]);
  });

  it('is bounded while a disk is full, and says afterwards what was lost and why', () => {
    const { after, fire } = timers();
    const { sink, queue } = slowQueue({ after });
    const line = `${'x'.repeat(99)}\n`;
    queue.write(line);
    sink.fill();
    for (let index = 0; index < 100_000; index++) queue.write(line);
    expect(queue.lastRoom).toBeLessThan(100);
    fire();
    sink.finishAll();
    const kept = sink.text.split('\n').filter((each) => each.startsWith('x')).length;
    expect(sink.text).toContain(`[${100_001 - kept} log records were dropped because stdout refused them (ENOSPC)]\n`);
  });

  it('does not wait for room at the end, but asks once more', () => {
    const { after } = timers();
    const { sink, queue } = slowQueue({ after });
    queue.write('one\n');
    sink.fill();
    let finished = 0;
    queue.whenFinished(() => {
      finished += 1;
    });
    expect(finished).toBe(0);
    sink.fill();
    expect(finished).toBe(1);
    expect(queue.waitingBytes).toBe(4);
  });

  it('tells of a refusal once, until a write goes well', () => {
    const told: string[] = [];
    const { sink, queue } = slowQueue({ onRefusal: (code) => told.push(code) });
    for (const code of ['EACCES', 'EACCES', undefined, 'EIO']) {
      queue.write('line\n');
      sink.finish(code);
      sink.finishAll();
    }
    expect(told).toEqual(['EACCES', 'EIO']);
  });

  it('gathers lines after a write during which more came, and writes the first after a pause at once', () => {
    const { after, fire } = timers();
    const { sink, queue } = slowQueue({ after, linger: 2 });
    queue.write('one\n');
    queue.write('two\n');
    sink.finish();
    queue.write('three\n');
    expect(sink.batches).toEqual(['one\n']);
    expect(fire()).toEqual([2]);
    expect(sink.batches).toEqual(['one\n', 'two\nthree\n']);
    sink.finishAll();
    queue.write('four\n');
    expect(sink.batches.at(-1)).toBe('four\n');
  });

  it('does not gather where much waits, or somebody waits for the end', () => {
    const { after } = timers();
    const { sink, queue } = slowQueue({ after, linger: 2 });
    queue.write('one\n');
    queue.write('two\n');
    sink.finish();
    queue.write(`${'x'.repeat(40_000)}\n`);
    expect(sink.batches).toHaveLength(2);
    queue.write('three\n');
    sink.finish();
    let idle = 0;
    queue.whenIdle(() => {
      idle += 1;
    });
    expect(sink.batches.at(-1)).toBe('three\n');
    sink.finish();
    expect(idle).toBe(1);
  });

  it('is busy while it is half full and the sink goes on', () => {
    let time = 0;
    const { sink, queue } = slowQueue({ now: () => time });
    queue.write('one\n');
    sink.finish();
    for (let index = 0; index < 11; index++) queue.write(`${'x'.repeat(60_000)}\n`);
    expect(queue.isBusy).toBe(true);
    time = 1_000;
    expect(queue.isBusy).toBe(false);
    sink.finishAll();
    expect(queue.isBusy).toBe(false);
  });

  it('at its end writes what waits, then closes its sink; what finds no room even then is given up', () => {
    const done: ((errorCode?: string, rest?: Uint8Array) => void)[] = [];
    let closed = 0;
    const sink: Sink = {
      write: (_, finished) => done.push(finished),
      close: () => {
        closed += 1;
      },
    };
    const timers: (() => void)[] = [];
    const options = { after: (_: number, callback: () => void) => timers.push(callback) };
    const queue = new SinkQueue(sink, '/log', (text) => text, options);
    queue.write('one\n');
    queue.write('two\n');
    queue.end();
    expect(closed).toBe(0);
    done.shift()?.();
    expect(closed).toBe(0);
    done.shift()?.();
    expect(closed).toBe(1);

    const full = new SinkQueue(sink, '/log', (text) => text, options);
    full.write('three\n');
    done.shift()?.('ENOSPC', Buffer.from('three\n'));
    full.end();
    done.shift()?.('ENOSPC', Buffer.from('three\n'));
    expect([closed, full.waitingBytes]).toEqual([2, 0]);
    for (const timer of timers.splice(0)) timer();
    expect(done).toEqual([]);
  });

  it('tells who waits for it when there is room, and when it has moved', () => {
    const { sink, queue } = slowQueue({ now: () => 7 });
    const block = `${'x'.repeat(65_535)}\n`;
    const heard: string[] = [];
    queue.write('first\n');
    for (let index = 0; index < 16; index++) queue.write(block);
    expect([queue.isFull, queue.holdsBack]).toEqual([true, true]);
    queue.onRoom(() => heard.push('room'));
    queue.onProgress(() => heard.push('progress'));
    sink.finish();
    expect([heard, queue.lastProgress]).toEqual([['progress'], 7]);
    for (let index = 0; index < 7; index++) sink.finish();
    expect(heard).toEqual(['progress', 'room']);
    sink.finishAll();
    expect(heard).toEqual(['progress', 'room']);
  });

  it('lets nobody wait for a sink that has failed', () => {
    const { sink, queue } = slowQueue();
    const heard: string[] = [];
    queue.write('x\n');
    queue.onRoom(() => heard.push('room'));
    sink.finish('EIO');
    expect([heard, queue.holdsBack]).toEqual([['room'], false]);
    queue.write('y\n');
    sink.finish();
    expect(queue.holdsBack).toBe(true);
  });
});

describe('a sink queue with a stand-in', () => {
  function diverting() {
    let time = 0;
    const others: string[] = [];
    const told: string[] = [];
    const { sink, queue } = slowQueue({
      now: () => time,
      standIn: (lines) => others.push(Buffer.from(lines).toString()),
      onRefusal: (code, diverted) => told.push(`${code} ${diverted}`),
      onRecovery: () => told.push('again'),
    });
    return { sink, queue, others, told, pass: (ms: number) => (time += ms) };
  }

  it('loses no line while the sink fails, tries it once a second, and keeps the order', () => {
    const { sink, queue, others, told, pass } = diverting();
    queue.write('one\n');
    queue.write('two\n');
    sink.finish('ENOSPC');
    queue.write('three\n');
    pass(999);
    queue.write('four\n');
    expect(sink.busy).toBe(false);
    pass(1);
    queue.write('five\n');
    sink.finish('ENOSPC');
    expect(others).toEqual(['one\n', 'two\n', 'three\n', 'four\n', 'five\n']);
    expect(told).toEqual(['ENOSPC true']);
    pass(1_000);
    queue.write('six\n');
    sink.finish();
    queue.write('seven\n');
    sink.finish();
    expect(sink.batches.slice(-2)).toEqual(['six\n', 'seven\n']);
    expect(others).toHaveLength(5);
    expect(told).toEqual(['ENOSPC true', 'again']);
  });

  it('diverts only what a full disk has not taken', () => {
    const { sink, queue, others } = diverting();
    queue.write('one\ntwo\n');
    sink.fill(4);
    expect([sink.text, others]).toEqual(['one\n', ['two\n']]);
  });

  it('counts what is lost where diverting is not wanted', () => {
    const { sink, queue, others, told } = diverting();
    queue.setDiverts(false);
    queue.write('one\n');
    sink.finish('EIO');
    queue.write('two\n');
    sink.finish();
    expect([others, told]).toEqual([[], ['EIO false', 'again']]);
    expect(queue.droppedTotal).toBe(1);
  });
});
