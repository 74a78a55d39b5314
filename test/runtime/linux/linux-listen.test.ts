import { describe, expect, it } from 'vitest';
import { startBody } from '../../../src/runtime/linux/connect-body.ts';
import { LinuxClock } from '../../../src/runtime/linux/linux-clock.ts';
import { LinuxKernel } from '../../../src/runtime/linux/linux-kernel.ts';
import { loadEdge } from '../../../src/runtime/linux/load-edge.ts';
import { inDist } from '../../dist.ts';

const edge = loadEdge(inDist('edge.node'));
const body = startBody(edge, inDist('chaperone'));

/** A kernel whose sockets of one family cannot be bound. */
function kernelWithout(family: 4 | 6 | 'both', code: string) {
  const asked: number[] = [];
  const faulty = {
    ...edge,
    listenTcp: (port: number, wanted: 4 | 6, backlog: number) => {
      asked.push(wanted);
      if (wanted === family || family === 'both') throw Object.assign(new Error(code), { code });
      return edge.listenTcp(port, wanted, backlog);
    },
  };
  const kernel = new LinuxKernel({
    edge: faulty,
    body,
    clock: new LinuxClock(),
    descriptorLimit: { soft: 64, hard: 64 },
  });
  return { kernel, asked };
}

describe('a port on a machine without IPv6', () => {
  it.each(['EAFNOSUPPORT', 'EADDRNOTAVAIL'])('listens on IPv4 alone (%s)', (code) => {
    const { kernel, asked } = kernelWithout(6, code);
    const outcome = kernel.listen(0);
    expect(asked).toEqual([6, 4]);
    expect(outcome.ok).toBe(true);
    if (outcome.ok) outcome.listener.close();
  });

  it('cannot be had where there is no IPv4 either, and both are told', () => {
    const { kernel } = kernelWithout('both', 'EAFNOSUPPORT');
    expect(kernel.listen(0)).toEqual({
      ok: false,
      code: 'EAFNOSUPPORT',
      tried: ['all addresses, IPv6 and IPv4', 'all IPv4 addresses'],
    });
  });

  it('is not tried on IPv4 where it is only busy, or not permitted', () => {
    const { kernel, asked } = kernelWithout(6, 'EACCES');
    expect(kernel.listen(0)).toMatchObject({ ok: false, code: 'EACCES' });
    expect(asked).toEqual([6]);
  });
});

describe('a client that cannot be taken', () => {
  it('pauses the listener, which tells why', async () => {
    const faulty = {
      ...edge,
      acceptConnection: () => {
        throw Object.assign(new Error('EMFILE'), { code: 'EMFILE' });
      },
    };
    const kernel = new LinuxKernel({
      edge: faulty,
      body,
      clock: new LinuxClock(),
      descriptorLimit: { soft: 64, hard: 64 },
    });
    const { createConnection, createServer } = await import('node:net');
    const port = await new Promise<number>((resolve) => {
      const server = createServer().listen(0, () => {
        const address = server.address();
        server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
      });
    });
    const outcome = kernel.listen(port);
    if (!outcome.ok) throw new Error(outcome.code);
    const { listener } = outcome;
    const told: string[] = [];
    const twice = new Promise<void>((resolve) => {
      listener.refusals$.subscribe((code) => {
        told.push(code);
        if (told.length === 2) resolve();
        else setImmediate(() => listener.resume());
      });
    });
    const client = createConnection(port, '127.0.0.1');
    client.on('error', () => {});
    await twice;
    listener.close();
    client.destroy();
    expect(told).toEqual(['EMFILE', 'EMFILE']);
  });
});
