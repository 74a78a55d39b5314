import { describe, expect, it } from 'vitest';
import { Body } from '../../../src/runtime/linux/body.ts';
import { loadEdge } from '../../../src/runtime/linux/load-edge.ts';
import { inDist } from '../../dist.ts';

const edge = loadEdge(inDist('edge.node'));
const [SIGNAL, END, SIGNALLED] = [3, 7, 7];
const [SIGTERM, SIGCONT, EPERM] = [15, 18, 1];

/** A body that only notes what it is asked for, and tells what the test says. */
function fakeBody() {
  const asked: unknown[] = [];
  const facts: Uint8Array[] = [];
  let wake = (): void => undefined;
  const body = new Body(
    {
      ...edge,
      watchReadable: (_, callback) => {
        wake = callback;
        return { pause: () => undefined, resume: () => undefined, close: () => undefined };
      },
      sendPacket: (_, bytes) => {
        const view = new DataView(bytes.buffer, bytes.byteOffset);
        const type = view.getUint32(8, true);
        const pids = Array.from({ length: view.getUint32(12, true) }, (_each, at) => view.getInt32(32 + at * 16, true));
        asked.push(type === SIGNAL ? { signal: view.getInt32(16, true), pids } : type);
        return 0;
      },
      receivePacket: (_, buffer) => {
        const fact = facts.shift();
        if (fact === undefined) return -1;
        buffer.set(fact);
        return fact.length;
      },
    },
    0,
    1,
  );
  const answer = (fact: bigint, request: bigint, errnos: readonly number[]): void => {
    const view = new DataView(new ArrayBuffer(24 + errnos.length * 4));
    view.setBigUint64(0, fact, true);
    view.setUint32(8, SIGNALLED, true);
    view.setUint32(12, errnos.length, true);
    view.setBigUint64(16, request, true);
    errnos.forEach((errno, at) => {
      view.setInt32(24 + at * 4, errno, true);
    });
    facts.push(new Uint8Array(view.buffer));
    wake();
  };
  const told: unknown[] = [];
  const signal = (number: number, ...pids: number[]): void =>
    body.signal(
      number,
      pids.map((pid) => ({ pid, group: true })),
      (errors) => told.push([number, pids, errors]),
    );
  return { body, asked, told, signal, answer };
}

describe('signals of one turn', () => {
  it('travel together, one request for each signal', async () => {
    const { asked, signal } = fakeBody();
    for (const pid of [10, 11, 12]) {
      signal(SIGTERM, pid);
      signal(SIGCONT, pid);
    }
    expect(asked).toEqual([]);
    await Promise.resolve();
    expect(asked).toEqual([
      { signal: SIGTERM, pids: [10, 11, 12] },
      { signal: SIGCONT, pids: [10, 11, 12] },
    ]);
  });

  it('reach one process in their order', async () => {
    const { asked, signal } = fakeBody();
    signal(SIGTERM, 10);
    signal(SIGCONT, 10, 11);
    signal(SIGTERM, 11);
    signal(SIGTERM, 12);
    await Promise.resolve();
    expect(asked).toEqual([
      { signal: SIGTERM, pids: [10] },
      { signal: SIGCONT, pids: [10, 11] },
      { signal: SIGTERM, pids: [11, 12] },
    ]);
  });

  it('go before whatever is asked for after them', () => {
    const { body, asked, signal } = fakeBody();
    signal(SIGTERM, 10);
    body.ask({ type: 'end', status: 0 });
    expect(asked).toEqual([{ signal: SIGTERM, pids: [10] }, END]);
  });

  it('do not wait for the rest of a long turn', () => {
    const { asked, signal } = fakeBody();
    for (let pid = 1; pid <= 65; pid++) signal(SIGTERM, pid);
    expect(asked).toEqual([{ signal: SIGTERM, pids: Array.from({ length: 64 }, (_, at) => at + 1) }]);
  });

  it('are answered to each who has sent one', async () => {
    const { told, signal, answer } = fakeBody();
    signal(SIGTERM, 10, 11);
    signal(SIGTERM, 12);
    await Promise.resolve();
    answer(1n, 1n, [0, EPERM, 0]);
    // Facts are read once the loop has read what else was there.
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toEqual([
      [SIGTERM, [10, 11], [undefined, 'EPERM']],
      [SIGTERM, [12], [undefined]],
    ]);
  });
});
