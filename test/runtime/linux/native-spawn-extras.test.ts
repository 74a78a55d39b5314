import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  devNull,
  edge,
  environment,
  exitOf,
  inNode,
  openDescriptors,
  options,
  publicAddon,
  readAll,
  run,
  scratch,
  spawned,
} from './native-edge.ts';

const lines = (text: string) => text.trim().split('\n');

/** Files by number, all open; `close` closes them. */
function openFiles(count: number) {
  const names = Array.from({ length: count }, (_, i) => join(scratch, `file-${i}`));
  const fds = names.map((name) => openSync(name, 'w+'));
  const close = () => {
    for (const fd of fds) closeSync(fd);
  };
  return { names, fds, close };
}

describe('descriptors', () => {
  it('become 3, 4 and so on, and nothing else is open', async () => {
    const { names, fds, close } = openFiles(4);
    const wanted = [fds[2], fds[0], fds[0], fds[3]].map(Number);
    const links = await run(['/bin/sh', '-c', 'for fd in 3 4 5 6; do readlink /proc/$$/fd/$fd; done'], {
      descriptors: wanted,
    });
    expect(lines(links.output)).toEqual([names[2], names[0], names[0], names[3]]);
    const { output } = await run(['/bin/ls', '/proc/self/fd'], { descriptors: wanted });
    // Descriptor 7 is the directory that ls reads.
    expect(lines(output)).toEqual(['0', '1', '2', '3', '4', '5', '6', '7']);
    close();
  });

  it('may be none', async () => {
    const { output } = await run(['/bin/ls', '/proc/self/fd'], { descriptors: [] });
    expect(lines(output)).toEqual(['0', '1', '2', '3']);
  });

  it('may be many', async () => {
    const count = 300;
    const { readEnd, writeEnd } = edge.pipe();
    const descriptors = Array.from({ length: count }, (_, i) => (i === count - 1 ? writeEnd : devNull));
    const pid = spawned(['/bin/sh', '-c', `echo here >/proc/self/fd/${count + 2}; ls /proc/self/fd | wc -l >&1`], {
      stdio: [devNull, writeEnd, devNull],
      descriptors,
    });
    closeSync(writeEnd);
    expect(lines(await readAll(readEnd))).toEqual(['here', String(count + 4)]);
    await exitOf(pid);
  });

  it('are each what was asked for when sources and targets are the same numbers', async () => {
    // In the inner Node 0 to 9 are files of its own, so that the test can tell which is which.
    const names = Array.from({ length: 10 }, (_, i) => join(scratch, `number-${i}`));
    for (const name of names) writeFileSync(name, '');
    const orders = [
      [0, 1, 2, 3, 4, 5],
      [5, 4, 3, 2, 1, 0],
      [1, 2, 3, 4, 5, 0],
      [3, 4, 5, 0, 1, 2],
      [4, 4, 4, 3, 3, 3],
      [0, 0, 0, 4, 3, 9],
      [6, 7, 8, 9, 5, 6],
      [3, 3, 3, 0],
      [4, 5, 3, 5, 4],
      [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
      [1, 0, 3, 2, 5, 4, 7, 6, 9, 8],
    ];
    // The numbers are pseudo-random: the same every time, and without a pattern.
    for (let seed = 1; seed <= 60; seed++) {
      const next = (i: number) => Math.floor(Math.abs(Math.sin(seed * 31 + i * 7)) * 1e6) % names.length;
      orders.push(Array.from({ length: 3 + (seed % 8) }, (_, i) => next(i)));
    }
    const report = join(scratch, 'orders');
    const script = `
      const edge = require(${JSON.stringify(publicAddon)});
      const fs = require('node:fs');
      for (const order of ${JSON.stringify(orders)}) {
        const numbers = order.map((_, i) => i).join(' ');
        const command = 'links=$(for fd in ' + numbers + '; do readlink /proc/$$/fd/$fd; done); echo $links >>' +
          ${JSON.stringify(report)};
        const argv = ['/bin/sh', '-c', command];
        const result = edge.spawn({ file: argv[0], argv, environment: ${JSON.stringify(environment)},
          stdio: order.slice(0, 3), descriptors: order.slice(3), group: 'none' });
        if (!result.pid) { fs.appendFileSync(${JSON.stringify(report)}, JSON.stringify(result)); process.exit(1); }
        while (!edge.reap(1).exits.length);
      }
      edge.exitNow(0);`;
    const redirections = names.map((name, i) => `${i}<>${name}`).join(' ');
    const keeper = spawned(['/bin/sh', '-c', `exec ${redirections}; exec "$@"`, 'sh', process.execPath, '-e', script]);
    expect(await exitOf(keeper)).toMatchObject({ code: 0 });
    const expected = orders.map((order) => order.map((fd) => names[fd]).join(' '));
    expect(lines(readFileSync(report, 'utf8'))).toEqual(expected);
  });

  it('carry the error pipe out of their way', async () => {
    // The inner Node's error pipe gets free descriptors, which are among the targets.
    const script = `
      const fs = require('node:fs');
      const full = Array.from({ length: 40 }, () => fs.openSync('/dev/null', 'r+'));
      const failures = [];
      for (let free = 0; free < 30; free += 3) {
        for (const fd of full.slice(free, free + 3)) fs.closeSync(fd);
        const descriptors = full.slice(30);
        const results = [edge.spawn(options(['/nowhere'], { descriptors })), edge.spawn(options(['/bin/true'], { descriptors }))];
        failures.push([results[0].stage, results[1].pid > 0]);
      }
      answer(failures);`;
    expect(await inNode(script)).toEqual(Array.from({ length: 10 }, () => ['exec', true]));
  });

  it('stay as they are in chaperone, also where the spawn fails', async () => {
    const { fds, close } = openFiles(3);
    const before = openDescriptors();
    const descriptors = [...fds];
    await exitOf(spawned(['/bin/true'], { descriptors }));
    expect(edge.spawn(options(['/nowhere'], { descriptors }))).toMatchObject({ code: 'ENOENT', stage: 'exec' });
    expect(edge.spawn(options(['/bin/true'], { descriptors: [99_999] }))).toMatchObject({
      code: 'EBADF',
      stage: 'stdio',
    });
    expect(edge.reap(10)).toEqual({ exits: [], childrenLeft: false });
    expect(openDescriptors()).toEqual(before);
    expect(descriptors).toEqual(fds);
    close();
  });

  it('are refused where they are no list of numbers', () => {
    for (const descriptors of [3, 'a', {}, [-1], [1.5], ['3'], [undefined]]) {
      expect(() => edge.spawn(options(['/bin/true'], { descriptors: descriptors as never }))).toThrow(TypeError);
    }
  });

  it('give a program its listening socket', async () => {
    const listener = edge.listenTcp(0, 4, 5);
    edge.setBlocking(listener, true);
    const script = `
import os, socket
assert os.environ['LISTEN_PID'] == str(os.getpid())
s = socket.socket(fileno=3)
c = socket.create_connection(s.getsockname())
a, address = s.accept()
print(address == c.getsockname(), os.get_blocking(3), os.environ['LISTEN_FDS'])`;
    const { output } = await run(['/bin/sh', '-c', 'exec python3 -c "$1"', 'sh', script], {
      descriptors: [listener],
      environment: [...environment, 'LISTEN_FDS=1'],
      pidVariables: ['LISTEN_PID'],
    });
    closeSync(listener);
    expect(output).toBe('True True 1\n');
  });
});

describe('pidVariables', () => {
  const variables = (output: string) => lines(output).sort();

  it('hold the pid of the child itself', async () => {
    const { pid, output } = await run(['/usr/bin/env'], {
      environment: ['A=1', 'B=2'],
      pidVariables: ['LISTEN_PID', 'WATCHDOG_PID'],
    });
    expect(variables(output)).toEqual(['A=1', 'B=2', `LISTEN_PID=${pid}`, `WATCHDOG_PID=${pid}`]);
  });

  it('win over the environment, and come once for each name', async () => {
    const { pid, output } = await run(['/usr/bin/env'], {
      environment: ['LISTEN_PID=1', 'LISTEN_PID_X=2', 'LISTEN=3', 'LISTEN_PID=4', 'LISTEN_PID'],
      pidVariables: ['LISTEN_PID'],
    });
    expect(variables(output)).toEqual(['LISTEN=3', `LISTEN_PID=${pid}`, 'LISTEN_PID_X=2']);
    const alone = await run(['/usr/bin/env'], { environment: [], pidVariables: ['P', 'P'] });
    expect(new Set(lines(alone.output))).toEqual(new Set([`P=${alone.pid}`]));
  });

  it('may be none', async () => {
    const { output } = await run(['/usr/bin/env'], { environment: ['A=1'], pidVariables: [] });
    expect(output).toBe('A=1\n');
  });

  it('are right for each of many children', async () => {
    const { readEnd, writeEnd } = edge.pipe();
    const pids = Array.from({ length: 50 }, () =>
      spawned(['/bin/sh', '-c', 'echo "$LISTEN_PID $$"'], {
        stdio: [devNull, writeEnd, writeEnd],
        pidVariables: ['LISTEN_PID'],
      }),
    );
    closeSync(writeEnd);
    const output = lines(await readAll(readEnd)).sort();
    expect(output).toEqual(pids.map((pid) => `${pid} ${pid}`).sort());
    for (let left = pids.length; left > 0; ) left -= edge.reap(100).exits.length;
  });

  it('are refused where they are no names', () => {
    for (const pidVariables of ['A', [''], ['A=B'], ['A\0'], [1]]) {
      expect(() => edge.spawn(options(['/bin/true'], { pidVariables: pidVariables as never }))).toThrow(TypeError);
    }
  });
});
