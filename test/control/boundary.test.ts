import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { Boundary } from '../../src/control/boundary.ts';
import { FakeSupervisor, serviceStatus } from './fake-supervisor.ts';
import { readUntil, serve } from './serving.ts';

function boom(): never {
  throw new Error('boom');
}

describe('what goes wrong in a room', () => {
  const room = (): { readonly boundary: Boundary; readonly log: string[]; readonly giveUp: () => void } => {
    const log: string[] = [];
    return {
      boundary: new Boundary((error) => log.push(String(error))),
      log,
      giveUp: () => log.push('given up'),
    };
  };
  const told = ['given up', 'Error: boom'];

  it('at once', () => {
    const { boundary, log, giveUp } = room();
    expect(boundary.run(boom, giveUp)).toBeUndefined();
    expect(boundary.run(() => 'whole', giveUp)).toBe('whole');
    expect(log).toEqual(told);
  });

  it('in a callback', async () => {
    const { boundary, log, giveUp } = room();
    setImmediate(boundary.guard(boom, giveUp));
    await new Promise(setImmediate);
    expect(log).toEqual(told);
  });

  it('in a subscription, which goes on', () => {
    const { boundary, log, giveUp } = room();
    const numbers = new Subject<number>();
    const taken: number[] = [];
    numbers.subscribe(
      boundary.guard((number: number) => {
        if (number === 1) boom();
        taken.push(number);
      }, giveUp),
    );
    for (const number of [0, 1, 2]) numbers.next(number);
    expect([taken, log]).toEqual([[0, 2], told]);
  });

  it('in a listener of a stream', async () => {
    const { boundary, log, giveUp } = room();
    const stream = new PassThrough();
    boundary.emitter(stream, () => {
      giveUp();
      stream.destroy();
    });
    stream.on('data', boom);
    stream.write('x');
    await new Promise((resolve) => stream.once('close', resolve));
    expect(log).toEqual(told);
  });

  it('as an error event that nobody listens to', () => {
    const { boundary, log, giveUp } = room();
    const emitter = new EventEmitter();
    boundary.emitter(emitter, giveUp);
    emitter.emit('error', new Error('boom'));
    expect(log).toEqual(told);
  });

  it('in a promise', async () => {
    const { boundary, log, giveUp } = room();
    boundary.settle(Promise.reject(new Error('boom')), giveUp);
    await new Promise(setImmediate);
    expect(log).toEqual(told);
  });

  it('in the report itself, or in what it causes: it is told once', () => {
    const reports: unknown[] = [];
    const boundary: Boundary = new Boundary((error) => {
      reports.push(error);
      boundary.run(boom);
    });
    boundary.run(boom);
    expect(reports).toHaveLength(1);
  });

  it('again and again: is told a hundred times, and given up each time', () => {
    let reports = 0;
    let given = 0;
    const boundary = new Boundary(() => (reports += 1));
    for (let count = 0; count < 1_000; count += 1) boundary.run(boom, () => (given += 1));
    expect([reports, given]).toEqual([100, 1_000]);
  });
});

describe('a request that meets a fault of chaperone', () => {
  class Faulty extends FakeSupervisor {
    faulty = true;

    override status(): ReturnType<FakeSupervisor['status']> {
      return this.faulty ? boom() : super.status();
    }

    override measurements(): ReturnType<FakeSupervisor['measurements']> {
      return boom();
    }

    override history(): never {
      return boom();
    }

    override recentRecords(): never {
      return boom();
    }

    override run(): never {
      return boom();
    }

    override programOf(): Promise<never> {
      return Promise.reject(new Error('boom'));
    }

    override watch(): Promise<never> {
      return Promise.reject(new Error('boom'));
    }

    override reload(): Promise<never> {
      return Promise.reject(new Error('boom'));
    }
  }

  it.each([
    ['GET', '/v1/status', undefined],
    ['GET', '/metrics', undefined],
    ['GET', '/v1/services/web/history', undefined],
    ['GET', '/v1/logs', undefined],
    ['GET', '/v1/inspect', undefined],
    ['POST', '/v1/run', { argv: ['true'] }],
    ['POST', '/v1/services/web/program', { argv: ['true'] }],
    ['POST', '/v1/reload', {}],
    ['POST', '/v1/commands', { words: ['status'] }],
  ])('%s %s: its connection ends, the error is reported, and the next is answered', async (method, path, body) => {
    const supervisor = new Faulty([serviceStatus('web.service', 'ready')]);
    const serving = await serve(supervisor);
    await serving.http(method, path, body).catch(() => undefined);
    expect(serving.errors.map(String)).toEqual(['Error: boom']);
    supervisor.faulty = false;
    expect((await serving.http('GET', '/v1/status')).status).toBe(200);
  });

  it('in the middle of a stream: what is wrong with one event is reported, and the stream goes on', async () => {
    const supervisor = new FakeSupervisor([serviceStatus('web.service', 'ready')]);
    const serving = await serve(supervisor);
    const socket = await serving.connect();
    socket.write('GET /v1/logs?follow HTTP/1.1\r\n\r\n');
    await readUntil(socket, ': connected');
    const record = { time: 1, facility: 'daemon', severity: 'info', program: 'web', message: 'x' } as const;
    const unreadable = Object.defineProperty({ ...record }, 'message', { get: boom });
    supervisor.records$.next(unreadable);
    supervisor.records$.next({ ...record, message: 'the next one' });
    await readUntil(socket, 'the next one');
    expect(serving.errors.map(String)).toEqual(['Error: boom']);
  });

  it('while a caller waits for a service: the connection ends', async () => {
    const supervisor = new FakeSupervisor([serviceStatus('web.service', 'starting')]);
    const serving = await serve(supervisor);
    const socket = await serving.connect();
    socket.end('wait web\n');
    while (!supervisor.events$.observed) await new Promise(setImmediate);
    supervisor.service = boom;
    supervisor.move('web.service', 'ready');
    await new Promise((resolve) => socket.once('close', resolve).resume());
    expect(serving.errors.map(String)).toEqual(['Error: boom']);
  });
});
