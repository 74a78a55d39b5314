import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { loadEdge } from '../../src/runtime/linux/load-edge.ts';
import { inDist } from '../dist.ts';
import { boot, config, expectOrder, isRoot, logAll, until } from './namespace.ts';

const edge = loadEdge(inDist('edge.node'));
const stay = { command: 'sleep infinity', startup_pause: 0.1 } as const;

interface Host {
  readonly path: string;
  /** The datagrams so far. */
  readonly datagrams: readonly string[];
  /** The pid that the kernel names as the sender of each. */
  readonly senders: readonly (number | undefined)[];
}

/** A host's socket, which is read continuously. */
function openHost(path = join(mkdtempSync(join(tmpdir(), 'chaperone-host-')), 'notify')): Host {
  const fd = edge.bindDatagram(path);
  edge.passCredentials(fd);
  const datagrams: string[] = [];
  const senders: (number | undefined)[] = [];
  const watch = edge.watchReadable(fd, () => {
    for (const { bytes, credentials } of edge.receiveDatagrams(fd, 64)) {
      datagrams.push(bytes.toString());
      senders.push(credentials?.pid);
    }
  });
  onTestFinished(() => {
    watch.close();
    if (!path.startsWith('@')) rmSync(join(path, '..'), { recursive: true, force: true });
  });
  return { path, datagrams, senders };
}

/** runc passes a datagram on where its bytes begin with READY=, and leaves; it reads nothing else. */
function runcPassesOn({ datagrams }: Host): readonly string[] {
  return datagrams.filter((datagram) => datagram.startsWith('READY='));
}

/** conmon looks for the words in each datagram, and passes on just them. */
function conmonPassesOn({ datagrams }: Host): readonly string[] {
  return datagrams.flatMap((datagram) => (datagram.includes('READY=1') ? ['READY=1'] : []));
}

describe('the host of chaperone', () => {
  it('hears READY, STATUS and STOPPING, each in a datagram of its own', async () => {
    const host = openHost();
    const system = boot({
      env: { NOTIFY_SOCKET: host.path },
      files: {
        'x.conf': config({ settings: { status_interval: 0.2 }, 'a.service': stay, 'b.service': stay, ...logAll }),
      },
    });
    await system.waitForLine(/ready\.$/);
    await until('there are three statuses', () =>
      host.datagrams.filter((text) => text.startsWith('STATUS=')).length >= 3 ? true : undefined,
    );
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    await until('it stops', () => (host.datagrams.includes('STOPPING=1') ? true : undefined));
    expect(host.datagrams[0]).toBe('READY=1');
    expect(host.datagrams[1]).toMatch(/^STATUS=Uptime 00:00:\d\d; 2 services started$/);
    expect(host.datagrams.at(-1)).toBe('STOPPING=1');
    expect(host.datagrams.filter((text) => text.includes('\n'))).toEqual([]);
    expect(runcPassesOn(host)).toEqual(['READY=1']);
    expect(conmonPassesOn(host)).toEqual(['READY=1']);
    expectOrder(system.lines('stdout'), [
      new RegExp(`queueing 'READY=1' to notify socket '${host.path}'`),
      /queueing 'STATUS=Uptime/,
      new RegExp(`queueing 'STOPPING=1' to notify socket '${host.path}'`),
    ]);
  });

  it.runIf(isRoot)('hears PID 1 itself, as it asks for where it believes the main process alone', async () => {
    const host = openHost();
    const system = boot({
      env: { NOTIFY_SOCKET: host.path },
      files: { 'x.conf': config({ 'a.service': stay, ...logAll }) },
    });
    await system.waitForLine(/ready\.$/);
    await until('it is ready', () => (host.datagrams.includes('READY=1') ? true : undefined));
    const pid = system.pid();
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    await until('it stops', () => (host.datagrams.includes('STOPPING=1') ? true : undefined));
    expect(new Set(host.senders)).toEqual(new Set([pid]));
  });

  it.runIf(isRoot)('hears Node where that may not speak for PID 1', async () => {
    const host = openHost();
    const program = join(host.path, '..', 'program');
    writeFileSync(program, `#!/bin/sh\nexec setpriv --bounding-set -sys_admin ${inDist('chaperone')} "$@"\n`);
    chmodSync(program, 0o755);
    const system = boot({
      env: { NOTIFY_SOCKET: host.path },
      files: { 'x.conf': config({ 'a.service': stay, ...logAll }) },
      program,
    });
    await system.waitForLine(/ready\.$/);
    await until('it is ready', () => (host.datagrams.includes('READY=1') ? true : undefined));
    const brain = system.brain();
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expect(host.senders[0]).toBe(brain);
  });

  it('is answered on an abstract socket, with its watchdog and without STATUS', async () => {
    const host = openHost(`@/chaperone-test/${process.pid}`);
    const system = boot({
      env: { NOTIFY_SOCKET: host.path, WATCHDOG_USEC: '200000' },
      files: { 'x.conf': config({ settings: { status_interval: 0 }, 'a.service': stay, ...logAll }) },
    });
    await system.waitForLine(/ready\.$/);
    await until('it was fed', () =>
      host.datagrams.filter((text) => text === 'WATCHDOG=1').length >= 3 ? true : undefined,
    );
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expect(host.datagrams.filter((text) => text.startsWith('STATUS='))).toEqual([]);
    expect(runcPassesOn(host)).toEqual(['READY=1']);
  });

  it('hears no READY of a system that does not come up, and which error ended it', async () => {
    const host = openHost();
    const system = boot({
      env: { NOTIFY_SOCKET: host.path },
      files: { 'x.conf': config({ 'a.service': { type: 'oneshot', command: 'false' }, ...logAll }) },
    });
    expect(await system.exit).toBe(1);
    await until('it stops', () => (host.datagrams.includes('ERRNO=8\nX_CHAPERONE=1') ? true : undefined));
    expect(host.datagrams).toEqual(['ERRNO=8\nX_CHAPERONE=1', 'STOPPING=1']);
  });

  it('that does not listen is a warning, and nothing waits for it', async () => {
    const system = boot({
      env: { NOTIFY_SOCKET: '/nowhere/notify' },
      files: { 'x.conf': config({ 'a.service': stay, ...logAll }) },
    });
    await system.waitForLine(/ready\.$/);
    await system.waitForLine(/cannot notify the host at '\/nowhere\/notify' \(ENOENT\)/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });
});
