import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { inDist } from '../../dist.ts';
import {
  devNull,
  edge,
  exited,
  exitOf,
  inNode,
  publicAddon,
  readAll,
  run,
  scratch,
  spawned,
  until,
} from './native-edge.ts';

describe('arguments of the wrong kind', () => {
  it('are a TypeError', () => {
    const call = edge as unknown as Record<string, (...values: unknown[]) => unknown>;
    expect(() => call['kill']?.('1', 0)).toThrow(TypeError);
    expect(() => call['kill']?.(process.pid, -1)).toThrow(TypeError);
    expect(() => call['readNow']?.(devNull, 'text')).toThrow(TypeError);
    expect(() => call['readNow']?.(devNull, new Uint16Array(2))).toThrow(TypeError);
    expect(() => call['writeNow']?.(devNull, Buffer.from('x'))).toThrow(TypeError);
    expect(() => call['watchSignal']?.(10)).toThrow(TypeError);
    expect(() => call['exitNow']?.(256)).toThrow(TypeError);
    expect(() => edge.watchSignal(9, () => {})).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => edge.watchSignal(1000, () => {})).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });
});

describe('kill', () => {
  it('returns the errno', () => {
    expect(edge.kill(process.pid, 0)).toBe(0);
    expect(edge.kill(process.pid, 10_000)).toBe(22);
    expect(edge.kill(2 ** 31 - 1, 0)).toBe(3);
    expect(edge.kill(-(2 ** 31) + 1, 0)).toBe(3);
  });

  it('reaches a process group', async () => {
    const pid = await spawned(['/bin/sh', '-c', '/bin/sleep 1000; :'], { group: 'group' });
    await until(() => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim() !== '');
    expect(edge.kill(-pid, 9)).toBe(0);
    expect(await exitOf(pid)).toMatchObject({ status: 9 });
  });
});

describe('pipe and readNow', () => {
  it('fail with EMFILE when no descriptor is left', async () => {
    const code = await inNode(
      `const fs = require('node:fs');
      try { for (;;) fs.openSync('/dev/null'); } catch {}
      let code;
      try { edge.pipe(); } catch (error) { code = error.code; }
      answer(code)`,
      { limits: [{ resource: 7, soft: 100, hard: 100 }] },
    );
    expect(code).toBe('EMFILE');
  });

  it('read what is there, then nothing, then the end', () => {
    const { readEnd, writeEnd } = edge.pipe();
    const buffer = Buffer.alloc(8);
    expect(edge.readNow(readEnd, buffer)).toEqual({ bytes: 0, ended: false });
    expect(edge.writeNow(writeEnd, Buffer.from('0123456789'), 0)).toBe(10);
    expect(edge.readNow(readEnd, buffer)).toEqual({ bytes: 8, ended: false });
    expect(edge.readNow(readEnd, buffer)).toEqual({ bytes: 2, ended: false });
    expect(buffer.toString()).toBe('89234567');
    closeSync(writeEnd);
    expect(edge.readNow(readEnd, buffer)).toEqual({ bytes: 0, ended: true });
    closeSync(readEnd);
    expect(edge.readNow(readEnd, buffer)).toEqual({ bytes: 0, ended: true });
  });

  it('fill the part of a buffer that is passed', () => {
    const { readEnd, writeEnd } = edge.pipe();
    const buffer = Buffer.from('......');
    edge.writeNow(writeEnd, Buffer.from('<abcd>').subarray(1, 5), 0);
    expect(edge.readNow(readEnd, buffer.subarray(1, 4))).toEqual({ bytes: 3, ended: false });
    expect(buffer.toString()).toBe('.abc..');
    closeSync(readEnd);
    closeSync(writeEnd);
  });

  it('make both ends close-on-exec', () => {
    const { readEnd, writeEnd } = edge.pipe();
    for (const fd of [readEnd, writeEnd]) {
      expect(readlinkSync(`/proc/self/fd/${fd}`)).toMatch(/^pipe:/);
      expect(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')).toMatch(/^flags:\s*02/m);
      closeSync(fd);
    }
  });
});

describe('writeNow', () => {
  const timed = (fd: number, bytes: Uint8Array, timeout: number) => {
    const from = performance.now();
    const written = edge.writeNow(fd, bytes, timeout);
    return { written, took: performance.now() - from };
  };

  it('waits for a full pipe no longer than the timeout, although the descriptor blocks', () => {
    const { readEnd, writeEnd } = edge.pipe();
    const capacity = edge.writeNow(writeEnd, Buffer.alloc(1 << 20), 0);
    expect(capacity).toBe(65_536);
    expect(timed(writeEnd, Buffer.from('x'), 0)).toMatchObject({ written: 0 });
    const waited = timed(writeEnd, Buffer.from('x'), 60);
    expect(waited.written).toBe(0);
    expect(waited.took).toBeGreaterThan(55);
    expect(waited.took).toBeLessThan(5000);

    edge.readNow(readEnd, Buffer.alloc(8192));
    expect(timed(writeEnd, Buffer.alloc(100_000), 20)).toMatchObject({ written: 8192 });
    closeSync(readEnd);
    closeSync(writeEnd);
  });

  it('goes on when a reader takes its time', async () => {
    const { readEnd, writeEnd } = edge.pipe();
    const counter = edge.pipe();
    // The pipe, opened anew, has a blocking end, as wc expects.
    const blockingEnd = openSync(`/proc/self/fd/${readEnd}`, 'r');
    const pid = await spawned(['/usr/bin/wc', '-c'], { stdio: [blockingEnd, counter.writeEnd, devNull] });
    for (const fd of [readEnd, blockingEnd, counter.writeEnd]) closeSync(fd);
    expect(edge.writeNow(writeEnd, Buffer.alloc(300_000), 20_000)).toBe(300_000);
    closeSync(writeEnd);
    expect(await readAll(counter.readEnd)).toBe('300000\n');
    await exitOf(pid);
  });

  it('writes nothing, and does not throw, when nobody reads', () => {
    const { readEnd, writeEnd } = edge.pipe();
    closeSync(readEnd);
    expect(timed(writeEnd, Buffer.from('x'), 20_000)).toMatchObject({ written: 0, took: expect.closeTo(0, -4) });
    closeSync(writeEnd);
    expect(edge.writeNow(writeEnd, Buffer.from('x'), 20_000)).toBe(0);
  });

  it('writes to a file and to /dev/full', () => {
    const file = join(scratch, 'written');
    const fd = openSync(file, 'w');
    expect(edge.writeNow(fd, Buffer.alloc(100_000, 'x'), 0)).toBe(100_000);
    closeSync(fd);
    expect(readFileSync(file, 'utf8')).toBe('x'.repeat(100_000));
    const full = openSync('/dev/full', 'w');
    expect(edge.writeNow(full, Buffer.from('x'), 1000)).toBe(0);
    closeSync(full);
  });
});

describe('watchSignal', () => {
  it('hears signals by number, also a real-time one', async () => {
    let arrived = 0;
    edge.watchSignal(37, () => arrived++);
    edge.kill(process.pid, 37);
    await until(() => arrived === 1);
    edge.kill(process.pid, 37);
    await until(() => arrived === 2);
  });

  it('does not keep the loop alive, and ends with a worker', async () => {
    const script = `
      edge.watchSignal(37, () => {});
      const { Worker } = require('node:worker_threads');
      const source = 'require(' + ${JSON.stringify(JSON.stringify(publicAddon))} + ').watchSignal(38, () => {})';
      new Worker(source, { eval: true }).on('exit', (code) => answer(code));`;
    expect(await inNode(script)).toBe(0);
  });

  it('turns what a callback throws into an uncaughtException', async () => {
    const script = `
      const alive = setInterval(() => {}, 1000);
      process.on('uncaughtException', (error) => { answer(error.message); clearInterval(alive); });
      edge.watchSignal(37, () => { throw new Error('thrown by the callback'); });
      edge.kill(process.pid, 37);`;
    expect(await inNode(script)).toBe('thrown by the callback');
  });
});

describe('exitNow', () => {
  it('ends the process without its exit handlers', async () => {
    const script = `process.on('exit', () => console.log('handler')); require(${JSON.stringify(publicAddon)}).exitNow(7)`;
    const { output, exit } = await run([process.execPath, '-e', script]);
    expect(output).toBe('');
    expect(exit).toMatchObject({ status: exited(7) });
  });
});

describe('descriptorLimit', () => {
  it('is what this process has', async () => {
    const limits = /^Max open files\s+(\w+)\s+(\w+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    const number = (text: string | undefined) => (text === 'unlimited' ? -1 : Number(text));
    expect(edge.descriptorLimit()).toEqual({ soft: number(limits?.[1]), hard: number(limits?.[2]) });
  });
});

describe('the title', () => {
  /** What ps(1) reads of a child whose program is a loader with arguments of its own, if there is one. */
  const shown = (title: string, ...before: readonly string[]): readonly string[] => {
    const [program = '', ...words] = [...before, process.execPath];
    const script = `
      require(${JSON.stringify(inDist('edge.node'))}).setTitle(${JSON.stringify(title)});
      const read = (name) => require('node:fs').readFileSync('/proc/self/' + name, 'latin1');
      console.log(JSON.stringify([read('cmdline').replace(/\\0+$/, ''), read('comm').trim(), read('environ').split('\\0')[0]]));`;
    const { stdout } = spawnSync(program, [...words, '-e', script], { encoding: 'utf8', env: { FIRST: 'stays' } });
    return JSON.parse(stdout);
  };

  it('stands in place of the command line', () => {
    expect(shown('[title] of it')).toEqual(['[title] of it', '[title] of it', 'FIRST=stays']);
  });

  it('stands in place of the arguments of a loader too', () => {
    const loader = readFileSync('/proc/self/maps', 'latin1').match(/\/\S*\/ld-\S+/)?.[0] ?? '';
    expect(shown('[title]', loader, '--argv0', 'name')).toEqual(['[title]', '[title]', 'FIRST=stays']);
  });

  it('is cut before it reaches the environment', () => {
    const [title = '', name, first] = shown('x'.repeat(100_000));
    expect([name, first]).toEqual(['x'.repeat(15), 'FIRST=stays']);
    expect(title).toMatch(/^x+$/);
  });

  it('is refused where it is not text', () => {
    expect(() => edge.setTitle(1 as never)).toThrow(TypeError);
  });
});

describe('random digits', () => {
  it('are so many bytes, and never the same', () => {
    expect([1, 8, 64].map((count) => edge.randomHex(count).length)).toEqual([2, 16, 128]);
    expect(edge.randomHex(64)).toMatch(/^[0-9a-f]{128}$/);
    expect(new Set(Array.from({ length: 100 }, () => edge.randomHex(8))).size).toBe(100);
  });

  it('are refused where they are too many or none', () => {
    for (const count of [0, 65, 1.5, -1, Number.NaN]) expect(() => edge.randomHex(count)).toThrow(TypeError);
    expect(() => edge.randomHex('8' as never)).toThrow(TypeError);
  });
});
