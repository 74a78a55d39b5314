import {
  chmodSync,
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { linger, lingering, nested } from './lingering.ts';
import {
  devNull,
  edge,
  exited,
  exitOf,
  inNode,
  isRoot,
  nobody,
  openDescriptors,
  publicAddon,
  readAll,
  run,
  scratch,
  spawned,
  until,
} from './native-edge.ts';

const hasIpv6 = existsSync('/proc/net/if_inet6') && readFileSync('/proc/net/if_inet6', 'utf8').includes('00000001 ');
let sockets = 0;
const newPath = () => join(scratch, `socket-${sockets++}`);
const newName = () => `@chaperone-native-${process.pid}-${sockets++}`;

const pythonCommand = (script: string) => ['/usr/bin/env', 'python3', '-c', script];

/** Runs a Python script to its end; returns its pid and its output. */
async function python(script: string) {
  const { pid, output, exit } = await run(pythonCommand(script));
  expect({ output, status: exit.status }).toEqual({ output, status: 0 });
  return { pid, output };
}

const pythonSender = (path: string) => `
import os, socket, struct
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(${JSON.stringify(path.replace(/^@/, '\0'))})
`;

const refusesDescriptors = (() => {
  const fd = edge.bindDatagram(`@chaperone-native-${process.pid}`);
  try {
    return edge.refuseDescriptors(fd);
  } finally {
    closeSync(fd);
  }
})();

/** The open(2) flags of a descriptor. */
function flagsOf(fd: number): number {
  return Number.parseInt(/flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '', 8);
}

const nonBlocking = 0o4000;
const closeOnExec = 0o2000000;

/** Resolves once a descriptor is readable. */
function readable(fd: number): Promise<void> {
  return new Promise((resolve) => {
    const watch = edge.watchReadable(fd, () => {
      watch.close();
      resolve();
    });
  });
}

function codeOf(action: () => unknown): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

/** Expects that the action closes all descriptors that it opens. */
async function leavesNothing(action: () => unknown): Promise<void> {
  const before = openDescriptors();
  await action();
  expect(openDescriptors()).toEqual(before);
}

/** A pipe with a byte in it. */
function fullPipe() {
  const { readEnd, writeEnd } = edge.pipe();
  writeSync(writeEnd, 'x');
  const close = () => {
    for (const fd of [readEnd, writeEnd]) closeSync(fd);
  };
  return { readEnd, writeEnd, close };
}

describe('watchReadable', () => {
  it('calls back for as long as the descriptor is readable', () =>
    leavesNothing(async () => {
      const { readEnd, close } = fullPipe();
      let calls = 0;
      await new Promise<void>((resolve) => {
        const watch = edge.watchReadable(readEnd, () => {
          if (++calls < 5) return;
          watch.close();
          watch.close();
          resolve();
        });
      });
      expect(calls).toBe(5);
      // The watch does not own the descriptor.
      expect(fstatSync(readEnd).isFIFO()).toBe(true);
      close();
    }));

  it('is quiet while it is paused, and after it was closed', async () => {
    const paused = fullPipe();
    const closed = fullPipe();
    const loud = fullPipe();
    const calls = { paused: 0, closed: 0, loud: 0 };
    const pausing = edge.watchReadable(paused.readEnd, () => {
      calls.paused++;
      pausing.pause();
    });
    const closing = edge.watchReadable(closed.readEnd, () => {
      calls.closed++;
      closing.close();
    });
    const turns = (count: number) =>
      new Promise<void>((resolve) => {
        let left = count;
        const watch = edge.watchReadable(loud.readEnd, () => {
          calls.loud++;
          if (--left > 0) return;
          watch.close();
          resolve();
        });
      });
    await turns(5);
    expect(calls).toEqual({ paused: 1, closed: 1, loud: 5 });
    pausing.resume();
    closing.resume();
    closing.pause();
    await turns(5);
    expect(calls).toEqual({ paused: 2, closed: 1, loud: 10 });
    pausing.close();
    for (const each of [paused, closed, loud]) each.close();
  });

  it('hands out functions that need no object', async () => {
    const { readEnd, close } = fullPipe();
    const { pause, resume, close: end } = edge.watchReadable(readEnd, () => {});
    pause();
    resume();
    end();
    resume();
    close();
  });

  it('tells of an end, and of an error until it is closed', async () => {
    const ended = edge.pipe();
    closeSync(ended.writeEnd);
    await readable(ended.readEnd);
    closeSync(ended.readEnd);

    // A pipe without a reader is in error for its writer, which stops a uv_poll_t.
    const broken = edge.pipe();
    closeSync(broken.readEnd);
    let calls = 0;
    await new Promise<void>((resolve) => {
      const watch = edge.watchReadable(broken.writeEnd, () => {
        if (++calls < 3) return;
        watch.close();
        resolve();
      });
    });
    closeSync(broken.writeEnd);
  });

  it('refuses what cannot be watched', () =>
    leavesNothing(() => {
      const { readEnd, close } = fullPipe();
      const watch = edge.watchReadable(readEnd, () => {});
      expect(codeOf(() => edge.watchReadable(readEnd, () => {}))).toBe('EEXIST');
      watch.close();
      close();
      const file = openSync(join(scratch, 'plain'), 'w+');
      expect(codeOf(() => edge.watchReadable(file, () => {}))).toBe('EPERM');
      closeSync(file);
      expect(codeOf(() => edge.watchReadable(99_999, () => {}))).toBe('EBADF');
      expect(() => edge.watchReadable(0, undefined as never)).toThrow(TypeError);
    }));

  it('lets promises run between two calls', async () => {
    const script = `
      const { readEnd, writeEnd } = edge.pipe();
      require('node:fs').writeSync(writeEnd, 'x');
      const order = [];
      const watch = edge.watchReadable(readEnd, () => {
        order.push('call');
        Promise.resolve().then(() => order.push('promise'));
        process.nextTick(() => order.push('tick'));
        if (order.length > 3) { watch.close(); setImmediate(() => answer(order)); }
      });`;
    expect(await inNode(script)).toEqual(['call', 'tick', 'promise', 'call', 'tick', 'promise']);
  });

  it('turns what a callback throws into an uncaughtException', async () => {
    const script = `
      const { readEnd, writeEnd } = edge.pipe();
      require('node:fs').writeSync(writeEnd, 'x');
      process.once('uncaughtException', (error) => { watch.close(); answer(error.message); });
      const watch = edge.watchReadable(readEnd, () => { throw new Error('thrown by the callback'); });`;
    expect(await inNode(script)).toBe('thrown by the callback');
  });

  it('keeps the loop alive until it is paused or closed', async () => {
    const script = `
      const child = require('node:child_process').spawn('/bin/sh', ['-c', 'exit 3'], { stdio: 'ignore' });
      child.unref();
      const pidfd = edge.openPidfd(child.pid);
      const idle = edge.pipe();
      edge.watchReadable(idle.readEnd, () => {}).pause();
      const watch = edge.watchReadable(pidfd, () => { watch.close(); answer('ended'); });`;
    expect(await inNode(script)).toBe('ended');
  });

  it('ends with a process and with a worker while it is open', async () => {
    const source = `
      const { parentPort } = require('node:worker_threads');
      const edge = require(${JSON.stringify(publicAddon)});
      const { readEnd, writeEnd } = edge.pipe();
      require('node:fs').writeSync(writeEnd, 'x');
      edge.watchReadable(readEnd, () => parentPort.postMessage('readable'));
      const closing = edge.watchReadable(edge.pipe().readEnd, () => {});
      edge.sendDatagram('@nobody-at-all', new Uint8Array(1));
      if (require('node:worker_threads').workerData === 'exits') { closing.close(); process.exit(5); }`;
    const script = `
      edge.watchReadable(edge.pipe().readEnd, () => {});
      const { Worker } = require('node:worker_threads');
      const source = ${JSON.stringify(source)};
      const exits = new Worker(source, { eval: true, workerData: 'exits' });
      exits.on('exit', (first) => {
        const terminated = new Worker(source, { eval: true });
        terminated.once('message', () => terminated.terminate());
        terminated.on('exit', (second) => { answer([first, second]); process.exit(); });
      });`;
    expect(await inNode(script)).toEqual([5, 1]);
  });

  it('leaves nothing behind when it is collected', async () => {
    const script = `
      require('node:v8').setFlagsFromString('--expose-gc');
      const collect = require('node:vm').runInNewContext('gc');
      const { readEnd } = edge.pipe();
      let collected = 0;
      const registry = new FinalizationRegistry(() => collected++);
      const round = (left) => {
        const watch = edge.watchReadable(readEnd, () => {});
        registry.register(watch.close);
        watch.close();
        setImmediate(() => (left > 0 ? round(left - 1) : wait()));
      };
      const wait = () => { collect(); collected > 450 ? answer('collected') : setImmediate(wait); };
      round(500);`;
    expect(await inNode(script)).toBe('collected');
  });
});

describe('pidfds', () => {
  it('tell of the death of a process that is not a child', () =>
    leavesNothing(async () => {
      // The shell's child outlives the shell, and is reaped by the reaper of orphans here.
      const { output } = await run(['/bin/sh', '-c', 'sleep 1000 >/dev/null 2>&1 & echo $!']);
      const pidfd = edge.openPidfd(Number(output));
      expect(flagsOf(pidfd) & closeOnExec).toBe(closeOnExec);
      expect(edge.signalPidfd(pidfd, 0)).toBe(0);
      let dead = false;
      const death = readable(pidfd).then(() => {
        dead = true;
      });
      const full = fullPipe();
      await readable(full.readEnd);
      full.close();
      expect(dead).toBe(false);
      expect(edge.signalPidfd(pidfd, 9)).toBe(0);
      await death;
      closeSync(pidfd);
    }));

  it('say ESRCH for a process that was reaped', () =>
    leavesNothing(async () => {
      const pid = await spawned(['/bin/sleep', '1000']);
      const pidfd = edge.openPidfd(pid);
      expect(edge.signalPidfd(pidfd, 9)).toBe(0);
      await readable(pidfd);
      expect(await exitOf(pid)).toMatchObject({ status: 9 });
      expect(edge.signalPidfd(pidfd, 15)).toBe(3);
      closeSync(pidfd);
      expect(codeOf(() => edge.openPidfd(pid))).toBe('ESRCH');
      expect(edge.signalPidfd(pidfd, 15)).toBe(9);
      expect(() => edge.openPidfd(0)).toThrow(TypeError);
    }));

  it('tell how a process has ended once it was reaped, where the kernel does (6.15)', () =>
    leavesNothing(async () => {
      const { readEnd, writeEnd } = edge.pipe();
      edge.setBlocking(readEnd, true);
      const pid = await spawned(['/bin/sh', '-c', 'read line; exit 3'], { stdio: [readEnd, devNull, devNull] });
      closeSync(readEnd);
      const pidfd = edge.openPidfd(pid);
      const ask = () => {
        try {
          return edge.pidfdExit(pidfd);
        } catch (error) {
          return error instanceof Error && 'code' in error ? error.code : error;
        }
      };
      const withoutAnswer = [undefined, 'ENOTTY', 'EINVAL'];
      expect(withoutAnswer).toContain(ask());
      closeSync(writeEnd);
      await readable(pidfd);
      expect(await exitOf(pid)).toMatchObject({ status: exited(3) });
      expect([0x300, 'ESRCH', 'ENOTTY', 'EINVAL']).toContain(ask());
      closeSync(pidfd);
      expect(codeOf(() => edge.pidfdExit(pidfd))).toBe('EBADF');
      expect(codeOf(() => edge.pidfdExit(devNull))).toBe('ENOTTY');
    }));
});

describe('a datagram socket', () => {
  it.each([
    ['a file', newPath()],
    ['an abstract name', newName()],
  ])('at %s takes what is sent to it', (_name, path) =>
    leavesNothing(async () => {
      const fd = edge.bindDatagram(path);
      expect(flagsOf(fd) & (closeOnExec | nonBlocking)).toBe(closeOnExec | nonBlocking);
      expect(codeOf(() => edge.bindDatagram(path))).toBe('EADDRINUSE');
      await python(`${pythonSender(path)}s.send(b'READY=1')\ns.send(b'')`);
      await readable(fd);
      expect(edge.receiveDatagrams(fd, 10)).toEqual([
        { bytes: Buffer.from('READY=1'), truncated: false, descriptors: [] },
        { bytes: Buffer.alloc(0), truncated: false, descriptors: [] },
      ]);
      expect(edge.receiveDatagrams(fd, 10)).toEqual([]);
      closeSync(fd);
    }));

  it('is asked by probeDatagram whether anybody listens, and notices nothing of it', async () => {
    const path = newPath();
    const name = newName();
    // From now on the addon keeps the socket that sends.
    expect(edge.sendDatagram(path, Buffer.from('x'))).toBe(2);
    await leavesNothing(() => {
      expect([path, name, '', scratch].map((each) => edge.probeDatagram(each))).toEqual([2, 111, 22, 111]);
      const fds = [path, name].map((each) => edge.bindDatagram(each));
      for (const [i, to] of [path, name].entries()) {
        expect(edge.probeDatagram(to)).toBe(0);
        expect(edge.receiveDatagrams(fds[i] ?? -1, 10)).toEqual([]);
        while (edge.sendDatagram(to, Buffer.from('x')) === 0);
        // A full queue is read by somebody, too.
        expect(edge.probeDatagram(to)).toBe(0);
      }
      for (const fd of fds) closeSync(fd);
      expect(edge.probeDatagram(path)).toBe(111);
    });
  });

  it('is reached by sendDatagram, which says errno where it is not', async () => {
    const send = (path: string, bytes: Uint8Array = Buffer.from('x')) => edge.sendDatagram(path, bytes);
    const path = newPath();
    const name = newName();
    // From now on the addon keeps the socket that sends.
    expect(send(path)).toBe(2);
    await leavesNothing(() => {
      expect(send(name)).toBe(111);
      expect(send('')).toBe(22);
      const fds = [path, name].map((each) => edge.bindDatagram(each));
      for (const [i, to] of [path, name].entries()) {
        expect(send(to, Buffer.from(`to ${to}`))).toBe(0);
        expect(send(to, new Uint8Array(0))).toBe(0);
        const received = edge.receiveDatagrams(fds[i] ?? -1, 10).map(({ bytes }) => bytes.toString());
        expect(received).toEqual([`to ${to}`, '']);
      }
      expect(send(name, new Uint8Array(100_000_000))).toBe(90);
      let sent = 0;
      let error = 0;
      for (; error === 0; sent++) error = send(path);
      expect(error).toBe(11);
      expect(edge.receiveDatagrams(fds[0] ?? -1, 1000)).toHaveLength(sent - 1);
      for (const fd of fds) closeSync(fd);
      expect(send(path)).toBe(111);
      expect(send(scratch)).toBe(111);
    });
  });

  it('has a name that fits', () =>
    leavesNothing(() => {
      const abstract = newName().padEnd(108, 'x');
      const file = newPath().padEnd(107, 'x');
      for (const path of [abstract, file]) {
        const fd = edge.bindDatagram(path);
        expect(edge.sendDatagram(path, Buffer.from('x'))).toBe(0);
        expect(edge.receiveDatagrams(fd, 10)).toHaveLength(1);
        closeSync(fd);
        expect(edge.sendDatagram(`${path}x`, Buffer.from('x'))).toBe(36);
        expect(codeOf(() => edge.bindDatagram(`${path}x`))).toBe('ENAMETOOLONG');
      }
      expect(statSync(file).isSocket()).toBe(true);
      unlinkSync(file);
      expect(codeOf(() => edge.bindDatagram(''))).toBe('EINVAL');
      expect(codeOf(() => edge.bindDatagram('/nowhere/socket'))).toBe('ENOENT');
    }));

  it('may be asked for credentials', async () => {
    const path = newPath();
    const fd = edge.bindDatagram(path);
    edge.passCredentials(fd);
    const { pid } = await python(`${pythonSender(path)}s.send(b'x')`);
    expect(edge.sendDatagram(path, Buffer.from('x'))).toBe(0);
    const ids = { uid: process.getuid?.(), gid: process.getgid?.() };
    expect(edge.receiveDatagrams(fd, 10).map((each) => each.credentials)).toEqual([
      { pid, ...ids },
      { pid: process.pid, ...ids },
    ]);
    closeSync(fd);
    expect(codeOf(() => edge.passCredentials(devNull))).toBe('ENOTSOCK');
  });

  it('names another process as the sender where the kernel permits it, and its own where not', async () => {
    const path = newName();
    const fd = edge.bindDatagram(path);
    edge.passCredentials(fd);
    expect(edge.sendDatagram(path, Buffer.from('of the parent'), process.ppid)).toBe(0);
    expect(edge.sendDatagram(path, Buffer.from('its own'), process.pid)).toBe(0);
    // No process has this pid.
    expect(edge.sendDatagram(path, Buffer.from('of nobody'), 2 ** 22 + 1)).toBe(0);
    const ids = { uid: process.getuid?.(), gid: process.getgid?.() };
    expect(edge.receiveDatagrams(fd, 10).map(({ bytes, credentials }) => [bytes.toString(), credentials])).toEqual([
      ['of the parent', { pid: isRoot ? process.ppid : process.pid, ...ids }],
      ['its own', { pid: process.pid, ...ids }],
      ['of nobody', { pid: process.pid, ...ids }],
    ]);
    closeSync(fd);
    expect(edge.sendDatagram(path, Buffer.from('x'), process.ppid)).toBe(111);
    expect(() => edge.sendDatagram(path, Buffer.from('x'), -1)).toThrow(TypeError);
  });

  it.runIf(isRoot)('tells which account sent', async () => {
    const path = newName();
    const fd = edge.bindDatagram(path);
    edge.passCredentials(fd);
    const { pid } = await python(`${pythonSender(path)}os.setgid(2345)\nos.setuid(${nobody})\ns.send(b'x')`);
    expect(edge.receiveDatagrams(fd, 10)[0]?.credentials).toEqual({ pid, uid: nobody, gid: 2345 });
    closeSync(fd);
  });

  it('brings descriptors', () =>
    leavesNothing(async () => {
      const path = newPath();
      const fd = edge.bindDatagram(path);
      edge.passCredentials(fd);
      const { pid } = await python(`${pythonSender(path)}
files = [os.memfd_create(name) for name in ('one', 'two')]
for each in files: os.write(each, b'written')
socket.send_fds(s, [b'FDSTORE=1'], files)
socket.send_fds(s, [b''], [0] * 253)
s.send(b'none')`);
      const datagrams = edge.receiveDatagrams(fd, 10);
      expect(datagrams.map(({ bytes }) => bytes.toString())).toEqual(['FDSTORE=1', '', 'none']);
      expect(datagrams.map(({ credentials }) => credentials?.pid)).toEqual([pid, pid, pid]);
      expect(datagrams.map(({ descriptors }) => descriptors.length)).toEqual([2, 253, 0]);
      for (const descriptor of datagrams[0]?.descriptors ?? []) {
        expect(flagsOf(descriptor) & closeOnExec).toBe(closeOnExec);
        expect(readFileSync(`/proc/self/fd/${descriptor}`, 'utf8')).toBe('written');
      }
      for (const descriptor of datagrams.flatMap(({ descriptors }) => descriptors)) closeSync(descriptor);
      closeSync(fd);
    }));

  it('brings the descriptors that there is room for', async () => {
    const path = newName();
    const script = `
      const fs = require('node:fs');
      const fd = edge.bindDatagram(${JSON.stringify(path)});
      edge.passCredentials(fd);
      const argv = ${JSON.stringify(pythonCommand(`${pythonSender(path)}socket.send_fds(s, [b'x'], [0] * 50)\ns.send(b'y')`))};
      const { pid } = require('node:child_process').spawnSync(argv[0], argv.slice(1));
      const open = [];
      try { for (;;) open.push(fs.openSync('/dev/null')); } catch {}
      for (const each of open.splice(0, 7)) fs.closeSync(each);
      const datagrams = edge.receiveDatagrams(fd, 10);
      answer(datagrams.map((each) => [each.bytes.toString(), each.descriptors.length, each.credentials.pid === pid]));`;
    expect(await inNode(script, { limits: [{ resource: 7, soft: 100, hard: 100 }] })).toEqual([
      ['x', 7, true],
      ['y', 0, true],
    ]);
  });

  it('takes datagrams of up to 256 KiB whole', async () => {
    const path = newPath();
    const fd = edge.bindDatagram(path);
    const sizes = [1, 65_536, 262_144, 262_145, 300_000];
    const sender = await spawned(
      pythonCommand(`${pythonSender(path)}
s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 212992)
for size in ${JSON.stringify(sizes)}: s.send(b'x' * (size - 1) + b'y')`),
    );
    const datagrams = [];
    while (datagrams.length < sizes.length) {
      await readable(fd);
      datagrams.push(...edge.receiveDatagrams(fd, 10));
    }
    await exitOf(sender);
    expect(datagrams.map(({ bytes, truncated }) => [bytes.length, truncated])).toEqual([
      [1, false],
      [65_536, false],
      [262_144, false],
      [262_144, true],
      [262_144, true],
    ]);
    expect(datagrams.map(({ bytes }) => bytes.at(-1))).toEqual([...'yyyxx'].map((letter) => letter.charCodeAt(0)));
    closeSync(fd);
  });

  it('is emptied up to a limit', () => {
    const name = newName();
    const fd = edge.bindDatagram(name);
    for (const text of ['a', 'b', 'c', 'd', 'e']) edge.sendDatagram(name, Buffer.from(text));
    const texts = (limit: number) => edge.receiveDatagrams(fd, limit).map(({ bytes }) => bytes.toString());
    expect(texts(2)).toEqual(['a', 'b']);
    const slots = Buffer.alloc(20);
    const lengths = new Uint32Array(2);
    expect(edge.receiveBatch(fd, slots, lengths)).toBe(2);
    expect([slots.toString('utf8', 0, 1), slots.toString('utf8', 10, 11)]).toEqual(['c', 'd']);
    expect(texts(2)).toEqual(['e']);
    expect(texts(2)).toEqual([]);
    closeSync(fd);
  });

  it('is emptied in batches, in order and whole', () =>
    leavesNothing(async () => {
      const path = newPath();
      const fd = edge.bindDatagram(path);
      const count = 10_000;
      const sender = await spawned(
        pythonCommand(`${pythonSender(path)}
for i in range(${count}): s.send(b'<30>datagram %d %s' % (i, b'.' * (i % 100)))`),
      );
      const slot = 1000;
      const slots = Buffer.alloc(200 * slot);
      const lengths = new Uint32Array(200);
      const received: string[] = [];
      await new Promise<void>((resolve) => {
        const watch = edge.watchReadable(fd, () => {
          const taken = edge.receiveBatch(fd, slots, lengths);
          for (let i = 0; i < taken; i++) {
            received.push(slots.toString('utf8', i * slot, i * slot + (lengths[i] ?? 0)));
          }
          if (received.length < count) return;
          watch.close();
          resolve();
        });
      });
      expect(received).toEqual(Array.from({ length: count }, (_, i) => `<30>datagram ${i} ${'.'.repeat(i % 100)}`));
      expect(edge.receiveBatch(fd, slots, lengths)).toBe(0);
      expect(await exitOf(sender)).toMatchObject({ status: exited(0) });
      closeSync(fd);
    }));

  it('has its descriptors thrown away, and its length told, by a batch', () =>
    leavesNothing(async () => {
      const path = newName();
      const fd = edge.bindDatagram(path);
      await python(
        `${pythonSender(path)}socket.send_fds(s, [b'0123456789'], [0, 0, 0])\ns.send(b'')\ns.send(b'01234')`,
      );
      const slots = Buffer.alloc(16, '-');
      // There are three slots of five bytes; the last byte belongs to no slot.
      const lengths = new Uint32Array(3);
      expect(edge.receiveBatch(fd, slots, lengths)).toBe(3);
      expect([...lengths]).toEqual([10, 0, 5]);
      expect(slots.toString()).toBe('01234-----01234-');
      closeSync(fd);
    }));

  it.runIf(isRoot)('has its senders told by a batch', () =>
    leavesNothing(async () => {
      const path = newPath();
      const fd = edge.bindDatagram(path);
      chmodSync(path, 0o666);
      const take = () => {
        const senders = new Uint32Array(6).fill(7);
        const taken = edge.receiveBatch(fd, new Uint8Array(30), new Uint32Array(3), undefined, senders);
        return [...senders.subarray(0, 2 * taken)];
      };
      await python(`${pythonSender(path)}s.send(b'x')`);
      expect(take()).toEqual([0, 4_294_967_295]);
      edge.passCredentials(fd);
      const { pid } = await python(`${pythonSender(path)}s.send(b'x')\nos.setuid(${nobody})\ns.send(b'y')`);
      edge.sendDatagram(path, Buffer.from('z'));
      expect(take()).toEqual([pid, 0, pid, nobody, process.pid, 0]);
      closeSync(fd);
    }),
  );

  it('has descriptors received by a batch, which ends behind them', () =>
    leavesNothing(async () => {
      const path = newPath();
      const fd = edge.bindDatagram(path);
      edge.passCredentials(fd);
      const { pid } = await python(`${pythonSender(path)}
s.send(b'a')
socket.send_fds(s, [b'b'], [0] * 253)
socket.send_fds(s, [b'c'], [0])
s.send(b'd')`);
      let texts = '';
      let received = 0;
      for (let taken = 1; taken > 0; ) {
        const [slots, descriptors, senders] = [Buffer.alloc(4), [] as number[], new Uint32Array(8)];
        taken = edge.receiveBatch(fd, slots, new Uint32Array(4), undefined, senders, descriptors);
        texts += slots.toString('utf8', 0, taken);
        received += descriptors.length;
        for (let i = 0; i < taken; i++) expect(senders[2 * i]).toBe(pid);
        for (const descriptor of descriptors) expect(flagsOf(descriptor) & closeOnExec).toBe(closeOnExec);
        edge.discard(descriptors);
      }
      expect([texts, received]).toEqual(['abcd', 254]);
      closeSync(fd);
      await until(() => edge.discard([]) === 0);
    }));

  it('ends a batch behind 128 KiB', () =>
    leavesNothing(async () => {
      const path = newPath();
      const fd = edge.bindDatagram(path);
      const sender = await spawned(pythonCommand(`${pythonSender(path)}for i in range(40): s.send(b'x' * 60000)`));
      const [slots, lengths] = [new Uint8Array(64 * 65_536), new Uint32Array(64)];
      let left = 40;
      while (left > 0) {
        await readable(fd);
        const taken = edge.receiveBatch(fd, slots, lengths);
        expect(taken).toBeLessThanOrEqual(3);
        left -= taken;
      }
      await exitOf(sender);
      closeSync(fd);
    }));

  it.runIf(refusesDescriptors)('refuses descriptors where the kernel can, and takes what comes without', () =>
    leavesNothing(async () => {
      const path = newPath();
      const fd = edge.bindDatagram(path);
      expect(edge.refuseDescriptors(fd)).toBe(true);
      await python(`${pythonSender(path)}
try: socket.send_fds(s, [b'x'], [0])
except PermissionError: s.send(b'refused')`);
      expect(edge.receiveDatagrams(fd, 10).map(({ bytes }) => bytes.toString())).toEqual(['refused']);
      closeSync(fd);
    }),
  );

  it.each([
    ['a connection', ''],
    ['a connection on its way in a unix socket', nested],
  ])('lets nobody make this process wait for the end of %s with unsent data', (_, wrap) =>
    leavesNothing(async () => {
      const path = newPath();
      const fd = edge.bindDatagram(path);
      await python(`${pythonSender(path)}${lingering}${wrap}
socket.send_fds(s, [b'x'], [passed.fileno()] * 3)
os._exit(0)`);
      const descriptors: number[] = [];
      edge.receiveBatch(fd, new Uint8Array(9), new Uint32Array(1), undefined, undefined, descriptors);
      expect(descriptors).toHaveLength(3);
      const begun = performance.now();
      edge.discard(descriptors);
      expect(performance.now() - begun).toBeLessThan(linger / 2);
      expect(codeOf(() => fstatSync(descriptors[0] ?? 0))).toBe('EBADF');
      await until(() => edge.discard([]) === 0);
      expect(performance.now() - begun).toBeLessThan(linger / 2);
      closeSync(fd);
    }));

  it.each([
    ['<13>web: text', '<13>web: text'],
    ['a\tb ~', 'a\tb ~'],
    ['the end \t\n\v\f\r \0\0', 'the end'],
    ['', ''],
    [' \n\0', ''],
    ['x'.repeat(100), 'x'.repeat(100)],
    ['x'.repeat(101), undefined],
    ['two\nlines', undefined],
    ['two\0records', undefined],
    ['\u001b[1m', undefined],
    [`${'x'.repeat(40)}\u007f${'x'.repeat(40)}`, undefined],
    ['für', undefined],
  ])('tells by a batch what is plain text: %j', (sent, text) => {
    const name = newName();
    const fd = edge.bindDatagram(name);
    edge.sendDatagram(name, Buffer.from(sent));
    edge.sendDatagram(name, Buffer.from('next'));
    const slots = Buffer.alloc(300);
    const lengths = new Uint32Array(3);
    const texts: (string | undefined)[] = ['old', 'old', 'old'];
    expect(edge.receiveBatch(fd, slots, lengths, texts)).toBe(2);
    expect(texts).toEqual([text, 'next', 'old']);
    expect(lengths[0]).toBe(Buffer.byteLength(sent));
    expect(slots.toString('utf8', 0, Math.min(100, Buffer.byteLength(sent)))).toBe(sent.slice(0, 100));
    closeSync(fd);
  });

  it('takes more at once than one system call does', () =>
    leavesNothing(async () => {
      // A unix socket holds too few datagrams, so a UDP socket that another process has filled is passed as a
      // descriptor.
      const name = newName();
      const fd = edge.bindDatagram(name);
      await python(`${pythonSender(name)}
full = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
full.bind(('127.0.0.1', 0))
for i in range(150): full.sendto(bytes([i]), full.getsockname())
socket.send_fds(s, [b'x'], [full.fileno()])`);
      const udp = edge.receiveDatagrams(fd, 1)[0]?.descriptors[0] ?? -1;
      const take = (limit: number) => {
        const slots = new Uint8Array(limit);
        return [...slots.subarray(0, edge.receiveBatch(udp, slots, new Uint32Array(limit)))];
      };
      const numbers = Array.from({ length: 150 }, (_, i) => i);
      expect(take(70)).toEqual(numbers.slice(0, 70));
      expect(take(500)).toEqual(numbers.slice(70));
      expect(take(500)).toEqual([]);
      closeSync(udp);
      closeSync(fd);
    }));

  it('is refused where it is none', () => {
    expect(codeOf(() => edge.receiveDatagrams(devNull, 1))).toBe('ENOTSOCK');
    expect(codeOf(() => edge.receiveDatagrams(99_999, 1))).toBe('EBADF');
    expect(codeOf(() => edge.receiveBatch(devNull, new Uint8Array(1), new Uint32Array(1)))).toBe('ENOTSOCK');
    expect(() => edge.receiveDatagrams(0, 0)).toThrow(TypeError);
    expect(() => edge.receiveBatch(0, new Uint8Array(1), new Uint32Array(0))).toThrow(TypeError);
    expect(() => edge.receiveBatch(0, new Uint8Array(1), new Uint32Array(2))).toThrow(TypeError);
    expect(() => edge.receiveBatch(0, new Uint32Array(1) as never, new Uint32Array(1))).toThrow(TypeError);
    expect(() => edge.receiveBatch(0, new Uint8Array(1), new Uint8Array(1) as never)).toThrow(TypeError);
    expect(() => edge.sendDatagram('@a', 'text' as never)).toThrow(TypeError);
    expect(() => edge.sendDatagram('a\0b', new Uint8Array(1))).toThrow(TypeError);
  });
});

const pythonClient = (address: string, port: number) => `
import socket, sys
s = socket.create_connection((${JSON.stringify(address)}, ${port}))
print(s.getsockname()[1], flush=True)
`;

describe('a TCP listener', () => {
  it.each([
    ['an IPv4 client of an IPv4 socket', 4, '127.0.0.1'],
    ['an IPv6 client', 6, '::1'],
    ['an IPv4 client of an IPv6 socket', 6, '127.0.0.1'],
  ] as const)('accepts %s', (_name, family, address) =>
    leavesNothing(async () => {
      if (family === 6 && !hasIpv6) return;
      const listener = edge.listenTcp(0, family, 5);
      expect(flagsOf(listener) & (closeOnExec | nonBlocking)).toBe(closeOnExec | nonBlocking);
      const port = edge.localPort(listener);
      expect(port).toBeGreaterThan(0);
      expect(edge.acceptConnection(listener)).toBeUndefined();
      const { output } = await python(pythonClient(address, port));
      await readable(listener);
      const connection = edge.acceptConnection(listener);
      expect(connection).toEqual({ fd: expect.any(Number), address, port: Number(output) });
      expect(edge.acceptConnection(listener)).toBeUndefined();
      const fd = connection?.fd ?? -1;
      expect(edge.localPort(fd)).toBe(port);
      expect(flagsOf(fd) & (closeOnExec | nonBlocking)).toBe(closeOnExec);
      closeSync(fd);
      closeSync(listener);
    }));

  it('hands a connection to a program, which may block on it', () =>
    leavesNothing(async () => {
      const listener = edge.listenTcp(0, 4, 5);
      const { readEnd, writeEnd } = edge.pipe();
      const client = await spawned(
        pythonCommand(`${pythonClient('127.0.0.1', edge.localPort(listener))}
print(s.recv(100).decode(), flush=True)
s.send(b'hello\\n')
print(s.makefile().read(), flush=True)`),
        { stdio: [devNull, writeEnd, writeEnd] },
      );
      closeSync(writeEnd);
      await readable(listener);
      const fd = edge.acceptConnection(listener)?.fd ?? -1;
      const service = await spawned(['/bin/sh', '-c', 'echo asked; read line; echo "got $line"'], {
        stdio: [fd, fd, devNull],
      });
      closeSync(fd);
      const output = await readAll(readEnd);
      expect(output.split('\n').slice(1)).toEqual(['asked', '', 'got hello', '', '']);
      for (const pid of [client, service]) await exitOf(pid);
      closeSync(listener);
    }));

  it('says what is wrong with a port', () =>
    leavesNothing(() => {
      const listener = edge.listenTcp(0, 4, 5);
      const port = edge.localPort(listener);
      expect(codeOf(() => edge.listenTcp(port, 4, 5))).toBe('EADDRINUSE');
      if (hasIpv6) expect(codeOf(() => edge.listenTcp(port, 6, 5))).toBe('EADDRINUSE');
      closeSync(listener);
      closeSync(edge.listenTcp(port, 4, 5));
      expect(() => edge.listenTcp(65_536, 4, 5)).toThrow(TypeError);
      expect(() => edge.listenTcp(0, 5 as never, 5)).toThrow(TypeError);
      expect(codeOf(() => edge.localPort(devNull))).toBe('ENOTSOCK');
      expect(codeOf(() => edge.acceptConnection(devNull))).toBe('ENOTSOCK');
      const name = newName();
      const datagrams = edge.bindDatagram(name);
      expect(edge.localPort(datagrams)).toBe(0);
      expect(codeOf(() => edge.acceptConnection(datagrams))).toBe('ENOTSUP');
      closeSync(datagrams);
    }));

  const firstPort = Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
  it.runIf(isRoot && firstPort > 1)('says EACCES for a port of root', async () => {
    const script = 'try { edge.listenTcp(1, 4, 5) } catch (error) { answer([error.code, error.message]) }';
    const failure = await inNode(script, { uid: nobody, gid: nobody, groups: [] });
    expect(failure).toEqual(['EACCES', 'cannot listen: EACCES']);
  });

  it('keeps a client waiting while no descriptor is left', async () => {
    const script = `
      const fs = require('node:fs');
      const listener = edge.listenTcp(0, 4, 5);
      const open = [];
      require('node:net').connect(edge.localPort(listener), '127.0.0.1', function () {
        try { for (;;) open.push(fs.openSync('/dev/null')); } catch {}
        let code;
        try { edge.acceptConnection(listener); } catch (error) { code = error.code; }
        fs.closeSync(open.pop());
        const { port } = edge.acceptConnection(listener);
        answer([code, port === this.localPort]);
        process.exit();
      });`;
    expect(await inNode(script, { limits: [{ resource: 7, soft: 100, hard: 100 }] })).toEqual(['EMFILE', true]);
  });
});

describe('peerCredentials', () => {
  const listening = (server: Server, path: string) => new Promise<void>((resolve) => server.listen(path, resolve));

  it('are those of the process that connected', async () => {
    const path = newPath();
    const server = createServer();
    await listening(server, path);
    const credentials = new Promise((resolve) => {
      server.once('connection', (socket) => {
        const handle = (socket as unknown as { _handle: { fd: number } })._handle;
        resolve(edge.peerCredentials(handle.fd));
        socket.destroy();
      });
    });
    const { pid } = await python(`
import socket
s = socket.socket(socket.AF_UNIX)
s.connect(${JSON.stringify(path)})
s.recv(1)`);
    expect(await credentials).toEqual({ pid, uid: process.getuid?.(), gid: process.getgid?.() });
    await new Promise((resolve) => server.close(resolve));
  });

  it('have the supplementary groups that it had when it connected', async () => {
    const path = newPath();
    const server = createServer();
    await listening(server, path);
    const groups = new Promise((resolve) => {
      server.once('connection', (socket) => {
        const handle = (socket as unknown as { _handle: { fd: number } })._handle;
        resolve(edge.peerGroups(handle.fd));
        socket.destroy();
      });
    });
    // These are more groups than a buffer of fixed size would hold, where the test may set them.
    const wanted = process.getuid?.() === 0 ? Array.from({ length: 300 }, (_, index) => 5_000 + index) : undefined;
    const { output } = await python(`
import os, socket
${wanted === undefined ? '' : `os.setgroups(${JSON.stringify(wanted)})`}
s = socket.socket(socket.AF_UNIX)
s.connect(${JSON.stringify(path)})
print(os.getgroups(), flush=True)
s.recv(1)`);
    expect(await groups).toEqual(JSON.parse(output));
    await new Promise((resolve) => server.close(resolve));
  });

  it('are not there for what has no such peer', () =>
    leavesNothing(() => {
      const listener = edge.listenTcp(0, 4, 5);
      expect(codeOf(() => edge.peerCredentials(listener))).toBe('ENOTCONN');
      closeSync(listener);
      const datagrams = edge.bindDatagram(newName());
      expect(codeOf(() => edge.peerCredentials(datagrams))).toBe('ENOTCONN');
      closeSync(datagrams);
      expect(codeOf(() => edge.peerCredentials(devNull))).toBe('ENOTSOCK');
      expect(codeOf(() => edge.peerGroups(devNull))).toBe('ENOTSOCK');
    }));
});

describe('lockFile', () => {
  const path = join(scratch, 'lock');
  const pythonLock = `
import fcntl, os, sys
fd = os.open(${JSON.stringify(path)}, os.O_RDWR | os.O_CREAT, 0o600)
try: fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError: print('refused')
else: print('locked', flush=True)
sys.stdin.read()`;

  it('keeps other processes out until it is closed', () =>
    leavesNothing(async () => {
      const fd = edge.lockFile(path) ?? -1;
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(flagsOf(fd) & closeOnExec).toBe(closeOnExec);
      expect((await python(pythonLock)).output).toBe('refused\n');
      closeSync(fd);
      expect((await python(pythonLock)).output).toBe('locked\n');
    }));

  it('is undefined while another process has it', () =>
    leavesNothing(async () => {
      const input = edge.pipe();
      const output = edge.pipe();
      edge.setBlocking(input.readEnd, true);
      const holder = await spawned(pythonCommand(pythonLock), {
        stdio: [input.readEnd, output.writeEnd, output.writeEnd],
      });
      closeSync(input.readEnd);
      closeSync(output.writeEnd);
      await readable(output.readEnd);
      await leavesNothing(() => expect(edge.lockFile(path)).toBeUndefined());
      closeSync(input.writeEnd);
      expect(await readAll(output.readEnd)).toBe('locked\n');
      await exitOf(holder);
      const fd = edge.lockFile(path);
      expect(fd).toBeGreaterThan(2);
      closeSync(fd ?? -1);
    }));

  it('throws where the file cannot be opened', () => {
    expect(codeOf(() => edge.lockFile('/nowhere/lock'))).toBe('ENOENT');
    expect(codeOf(() => edge.lockFile(scratch))).toBe('EISDIR');
  });
});

describe('replaceDescriptor', () => {
  it('makes one descriptor what another one is', () => {
    const { readEnd, writeEnd } = edge.pipe();
    const other = edge.pipe();
    edge.replaceDescriptor(writeEnd, other.writeEnd);
    edge.writeNow(other.writeEnd, Buffer.from('through'), 1_000);
    const buffer = new Uint8Array(16);
    expect(edge.readNow(readEnd, buffer).bytes).toBe(7);
    for (const fd of [readEnd, writeEnd, other.readEnd, other.writeEnd]) closeSync(fd);
    expect(codeOf(() => edge.replaceDescriptor(writeEnd, 0))).toBe('EBADF');
    expect(() => edge.replaceDescriptor(0, undefined as never)).toThrow(TypeError);
  });
});

describe('setBlocking', () => {
  it('sets and clears O_NONBLOCK', () => {
    const { readEnd, writeEnd } = edge.pipe();
    const flags = () => flagsOf(readEnd) & nonBlocking;
    edge.setBlocking(readEnd, true);
    expect(flags()).toBe(0);
    edge.setBlocking(readEnd, false);
    expect(flags()).toBe(nonBlocking);
    closeSync(readEnd);
    closeSync(writeEnd);
    expect(codeOf(() => edge.setBlocking(readEnd, true))).toBe('EBADF');
    expect(() => edge.setBlocking(0, undefined as never)).toThrow(TypeError);
  });
});
