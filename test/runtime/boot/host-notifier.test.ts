import { describe, expect, it } from 'vitest';
import type { ServiceChange } from '../../../src/model/service/service-phase.ts';
import { HostNotifier } from '../../../src/runtime/boot/host-notifier.ts';
import { SimulatedKernel } from '../../../src/runtime/simulated/simulated-kernel.ts';
import { VirtualClock } from '../../../src/runtime/simulated/virtual-clock.ts';

function notifier(statusInterval: number) {
  const clock = new VirtualClock();
  const { notifying, sent } = new SimulatedKernel(clock, { has: () => false, script: () => undefined });
  const host = new HostNotifier({ path: '/host' }, statusInterval, { notifying, clock, onMessage: () => undefined });
  /** The messages that the host receives within so many ms. */
  const hears = (ms: number): readonly string[] => {
    clock.run(clock.now() + ms);
    return sent.splice(0).map((text) => text.replace(/^\S+ /, ''));
  };
  return { host, hears };
}

describe('what the host hears after a reload', () => {
  it('is a status at the new interval, at once and from then on', () => {
    const { host, hears } = notifier(1_000);
    host.setStatusInterval(500);
    expect(hears(2_000)).toEqual([]);
    host.hear({ type: 'system.ready' });
    expect(hears(1_000)).toEqual(['READY=1', ...Array.from({ length: 3 }, () => expect.stringMatching(/^STATUS=/))]);
    host.setStatusInterval(500);
    expect(hears(400)).toEqual([]);
    host.setStatusInterval(0);
    expect(hears(2_000)).toEqual([]);
    host.setStatusInterval(100);
    expect(hears(100)).toHaveLength(2);
  });

  it('counts what has ended normally, and what is there without a process, as started', () => {
    const { host, hears } = notifier(1_000);
    const end = { pid: 9, status: { kind: 'exited', code: 0 }, ran: 5 } as const;
    const changes: readonly ServiceChange[] = [
      { phase: 'ready.running', pid: 9, restarted: false },
      { phase: 'ready.exited', restarted: false },
      { phase: 'exited', end, restarted: false, wasReady: true },
      { phase: 'stopped' },
    ];
    for (const change of changes)
      host.hear({ type: 'service.changed', service: `${change.phase}.service`, change, ignoreFailures: false });
    host.hear({ type: 'system.ready' });
    expect(hears(0)[1]).toMatch(/; 3 services started$/);
  });

  it('counts no service that is gone', () => {
    const { host, hears } = notifier(1_000);
    const change = { phase: 'ready.running', pid: 9, restarted: false } as const;
    for (const service of ['a.service', 'b.service'])
      host.hear({ type: 'service.changed', service, change, ignoreFailures: false });
    host.hear({ type: 'service.removed', service: 'a.service' });
    host.hear({ type: 'system.ready' });
    expect(hears(0)[1]).toMatch(/; 1 service/);
  });
});

describe('a fault in telling the host', () => {
  it('is logged and goes no further, at once and in a timer; the next message is sent', () => {
    const clock = new VirtualClock();
    const { notifying, sent } = new SimulatedKernel(clock, { has: () => false, script: () => undefined });
    let faulty = true;
    const said: string[] = [];
    const host = new HostNotifier({ path: '/host', watchdog: 2_000 }, 1_500, {
      notifying: {
        openSocket: (service) => notifying.openSocket(service),
        closeDescriptor: (descriptor) => notifying.closeDescriptor(descriptor),
        isSameFile: (one, other) => notifying.isSameFile(one, other),
        send: (path, bytes) => {
          if (faulty) throw new Error('boom');
          return notifying.send(path, bytes);
        },
      },
      clock,
      onMessage: ({ severity, text }) => {
        if (severity === 'warning') said.push(text);
      },
    });
    const failed = 'the notification of the host failed: boom';
    host.hear({ type: 'system.ready' });
    expect(said).toEqual([failed]);
    host.start();
    clock.run(clock.now() + 1_000);
    expect(said).toEqual([failed, failed]);
    faulty = false;
    clock.run(clock.now() + 1_000);
    expect(sent.join('\n')).toContain('WATCHDOG=1');
    expect(said).toHaveLength(2);
  });
});
