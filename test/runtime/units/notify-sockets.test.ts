import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { NotifyDatagram } from '../../../src/runtime/kernel.ts';
import { SimulatedKernel } from '../../../src/runtime/simulated/simulated-kernel.ts';
import { VirtualClock } from '../../../src/runtime/simulated/virtual-clock.ts';
import { NotifySockets } from '../../../src/runtime/units/notify-sockets.ts';
import { serviceOf } from '../../config/loading.ts';

const service = serviceOf('web.service: { command: web, type: notify }');

/** A service with an open notify socket: what is sent to it, and what comes of that. */
function open() {
  const clock = new VirtualClock();
  const { following, notifying } = new SimulatedKernel(clock, { has: () => true, script: () => undefined });
  const datagrams$ = new Subject<NotifyDatagram>();
  const later: (() => void)[] = [];
  const closed: number[] = [];
  const said: (boolean | string)[] = [];
  const sockets = new NotifySockets({
    kernel: {
      following,
      notifying: {
        ...notifying,
        openSocket: () => ({ path: '/run/notify', datagrams$, close: () => undefined }),
        closeDescriptor: (descriptor) => closed.push(descriptor),
      },
      readOutput: () => undefined,
      defer: (callback) => later.push(callback),
    },
    clock,
    claimOf: () => {
      throw new Error('nobody names a process here');
    },
    onMessage: () => undefined,
    onNotice: (_, { ready, status }) => said.push(status ?? ready ?? false),
  });
  sockets.open(service, 1);
  return {
    sockets,
    said,
    closed,
    send: (text: string, ...descriptors: readonly number[]) =>
      datagrams$.next({ bytes: Buffer.from(text), truncated: false, sender: 7, descriptors }),
    runLater: () => {
      for (const callback of later.splice(0)) callback();
    },
  };
}

describe('what a program sends before chaperone knows that its start has succeeded', () => {
  it('is taken afterwards, in order, and before what comes then', () => {
    const { sockets, said, send, runLater } = open();
    send('READY=1');
    send('STATUS=second');
    expect(said).toEqual([]);
    sockets.setStartPid(service.name, 7);
    send('STATUS=third');
    expect(said).toEqual([]);
    runLater();
    expect(said).toEqual([true, 'second', 'third']);
    send('STATUS=fourth');
    expect(said).toEqual([true, 'second', 'third', 'fourth']);
  });

  it('is given up with its descriptors where the start fails', () => {
    const { sockets, said, closed, send, runLater } = open();
    send('READY=1', 21, 22);
    sockets.forget(service.name);
    runLater();
    expect(said).toEqual([]);
    expect(closed).toEqual([21, 22]);
  });

  it('is not kept without a bound', () => {
    const { sockets, said, closed, send, runLater } = open();
    for (let i = 0; i < 300; i += 1) send(`STATUS=${i}`, i);
    expect(closed).toHaveLength(44);
    sockets.setStartPid(service.name, 7);
    runLater();
    expect(said).toHaveLength(256);
  });

  it('is never taken by the next start', () => {
    const { sockets, said, send, runLater } = open();
    send('READY=1');
    sockets.open(service, 2);
    sockets.setStartPid(service.name, 8);
    runLater();
    expect(said).toEqual([]);
  });
});
