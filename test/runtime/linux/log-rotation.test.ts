/** Rotation of log files by chaperone, beside that of other programs. */
import { spawnSync } from 'node:child_process';
import {
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Rotation } from '../../../src/model/log/rotation.ts';
import type { LogFileRequest } from '../../../src/runtime/kernel.ts';
import { FileSink } from '../../../src/runtime/linux/file-sink.ts';
import { LogRotation } from '../../../src/runtime/linux/log-rotation.ts';
import { VirtualClock } from '../../../src/runtime/simulated/virtual-clock.ts';

const isRoot = process.getuid?.() === 0;
const day = 86_400_000;
let folder: string;
let clock: VirtualClock;
let troubles: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'chaperone-rotation-'));
  clock = new VirtualClock();
  troubles = [];
  const path = folder;
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
});

const at = (name: string): string => join(folder, name);
const names = (): string[] => readdirSync(folder).sort();

function open(rotation: Partial<Rotation>, more: Partial<LogFileRequest> = {}): FileSink {
  const request = { path: at('x.log'), overwrite: false, rotation: { compress: false, ...rotation }, ...more };
  const sink = new FileSink(request, clock, (code) => troubles.push(code));
  onTestFinished(() => sink.close());
  return sink;
}

function write(sink: FileSink, line: string): Promise<string | undefined> {
  return new Promise((resolve) => sink.write(Buffer.from(line), (errorCode) => resolve(errorCode)));
}

/** What a file holds, compressed or not. */
function text(name: string): string {
  const content = readFileSync(at(name));
  return (name.endsWith('.gz') ? gunzipSync(content) : content).toString();
}

/** The content of all files, by their names. */
const all = (): Record<string, string> => Object.fromEntries(names().map((name) => [name, text(name)]));

/** Waits until all that is due in the background is done. */
async function tidy(rotation: Partial<Rotation>, path = at('x.log')): Promise<void> {
  const current = () => ({ rotation: { compress: false, ...rotation } });
  await new LogRotation({ current, clock, isOpen: () => false }).tidy(path);
}

/** Resolves once the names are these: compression goes on in the background. */
async function untilNames(expected: readonly string[]): Promise<void> {
  await expect.poll(names, { timeout: 20_000, interval: 10 }).toEqual(expected);
}

function age(name: string, ms: number): void {
  const time = (clock.wallTime() - ms) / 1_000;
  utimesSync(at(name), time, time);
}

describe('max_size', () => {
  it('begins a new file at the end of a line, and the older ones get the next numbers', async () => {
    const sink = open({ maxSize: 10 });
    for (const line of ['one\n', 'two\n', 'three\n', 'four\n', 'five\n']) await write(sink, line);
    expect(all()).toEqual({ 'x.log': 'four\nfive\n', 'x.log.1': 'three\n', 'x.log.2': 'one\ntwo\n' });
    expect((statSync(at('x.log')).mode & 0o777).toString(8)).toBe('640');
  });

  it('parts a batch of lines, and a line that is longer has a file of its own', async () => {
    await write(open({ maxSize: 10 }), '1\n2\n3\n4\n5\n6\n0123456789abc\n7\n');
    expect(all()).toEqual({
      'x.log': '7\n',
      'x.log.1': '0123456789abc\n',
      'x.log.2': '6\n',
      'x.log.3': '1\n2\n3\n4\n5\n',
    });
  });

  it('counts what was in the file before, and what others write to it', async () => {
    writeFileSync(at('x.log'), 'before\n');
    const sink = open({ maxSize: 12 });
    await write(sink, '1234\n');
    expect(text('x.log')).toBe('before\n1234\n');
    rmSync(at('x.log'));
    clock.run(clock.now() + 1_000);
    await write(sink, 'a\n');
    writeFileSync(at('x.log'), 'of another\n', { flag: 'a' });
    clock.run(clock.now() + 1_000);
    await write(sink, 'b\n');
    expect(all()).toEqual({ 'x.log': 'b\n', 'x.log.1': 'a\nof another\n' });
  });

  it('keeps as many rotated files as it is told to, also none', async () => {
    const sink = open({ maxSize: 4, keep: 2 });
    for (const line of ['1\n', '22\n', '333\n', '444\n', '555\n']) await write(sink, line);
    expect(all()).toEqual({ 'x.log': '555\n', 'x.log.1': '444\n', 'x.log.2': '333\n' });
    await tidy({ keep: 1 });
    expect(names()).toEqual(['x.log', 'x.log.1']);
    await write(open({ maxSize: 4, keep: 0 }), 'a\n');
    expect(all()).toEqual({ 'x.log': 'a\n' });
  });

  it('leaves other files alone', async () => {
    for (const name of ['x.log.old', 'x.log.0', 'x.log.01', 'x.log.1.bz2', 'y.log.1', 'x_log.1', 'x.log.5'])
      writeFileSync(at(name), name);
    const sink = open({ maxSize: 4, keep: 9 });
    for (const line of ['1\n', '222\n']) await write(sink, line);
    expect(all()).toMatchObject({ 'x.log': '222\n', 'x.log.1': '1\n', 'x.log.5': 'x.log.5', 'x.log.0': 'x.log.0' });
    expect(names()).toHaveLength(9);
  });

  it('has no effect on what is no regular file', async () => {
    const sink = open({ maxSize: 1 }, { path: '/dev/null' });
    expect(await write(sink, 'one\ntwo\n')).toBeUndefined();
    expect(existsSync('/dev/null.1')).toBe(false);
  });

  it('has no effect on a file that only the kernel can find', async () => {
    const fd = openSync(at('redirected'), 'a');
    onTestFinished(() => closeSync(fd));
    const sink = open({ maxSize: 4, every: { kind: 'span', ms: 1 } }, { path: `/proc/self/fd/${fd}` });
    for (const line of ['111\n', '222\n']) expect(await write(sink, line)).toBeUndefined();
    expect(all()).toEqual({ redirected: '111\n222\n' });
  });

  it('rotates the file that a link leads to, beside it', async () => {
    mkdirSync(at('real'));
    spawnSync('ln', ['-s', 'real/y.log', at('x.log')]);
    writeFileSync(at('real/y.log'), '');
    const sink = open({ maxSize: 4 });
    for (const line of ['111\n', '222\n']) await write(sink, line);
    expect(readdirSync(at('real'))).toEqual(['y.log.1']);
    // As without rotation, the target of a dangling link is not created.
    writeFileSync(at('real/y.log'), '');
    clock.run(clock.now() + 1_000);
    await write(sink, '333\n');
    expect(readFileSync(at('real/y.log'), 'utf8')).toBe('333\n');
  });
});

describe('rotate_every', () => {
  it.each([
    ['a day', { kind: 'calendar', unit: 'daily' }],
    ['a span', { kind: 'span', ms: day }],
  ] as const)('begins a new file with the first line after the end of %s', async (_, every) => {
    const sink = open({ every });
    await write(sink, 'one\n');
    age('x.log', 0);
    clock.run(clock.now() + 2 * day);
    await write(sink, 'two\n');
    await write(sink, 'three\n');
    expect(all()).toEqual({ 'x.log': 'two\nthree\n', 'x.log.1': 'one\n' });
  });

  it('goes by the time of the last record where the file is from an earlier boot, and rotates no empty file', async () => {
    writeFileSync(at('x.log'), 'before\n');
    age('x.log', 2 * day);
    const sink = open({ every: { kind: 'calendar', unit: 'weekly' } });
    age('x.log', 8 * day);
    expect(sink.open()).toBeUndefined();
    expect(names()).toEqual(['x.log']);
    await write(sink, 'one\n');
    expect(all()).toEqual({ 'x.log': 'one\n', 'x.log.1': 'before\n' });
    clock.run(clock.now() + 8 * day);
    writeFileSync(at('x.log'), '');
    await write(sink, 'two\n');
    expect(all()).toEqual({ 'x.log': 'two\n', 'x.log.1': 'before\n' });
  });
});

describe('max_age', () => {
  it('removes rotated files whose last record is older', async () => {
    for (const [name, days] of [
      ['x.log.1', 1],
      ['x.log.2.gz', 6],
      ['x.log.3', 8],
      ['x.log.4.gz', 9],
      ['x.log.other', 9],
      ['x.log', 9],
    ] as const) {
      writeFileSync(at(name), '');
      age(name, days * day);
    }
    await tidy({ maxAge: 7 * day });
    expect(names()).toEqual(['x.log', 'x.log.1', 'x.log.2.gz', 'x.log.other']);
  });
});

describe('compress', () => {
  it('compresses rotated files in the background, with owner, mode and time', async () => {
    const sink = open({ maxSize: 4, compress: true }, { mode: 0o604 });
    for (const line of ['111\n', '222\n', '333\n']) await write(sink, line);
    await untilNames(['x.log', 'x.log.1.gz', 'x.log.2.gz']);
    expect(all()).toEqual({ 'x.log': '333\n', 'x.log.1.gz': '222\n', 'x.log.2.gz': '111\n' });
    expect((statSync(at('x.log.1.gz')).mode & 0o777).toString(8)).toBe('604');
  });

  it('takes up what a crash has left: a copy that is not complete, and one whose original is still there', async () => {
    writeFileSync(at('x.log'), '');
    writeFileSync(at('x.log.gz-part'), 'torn');
    writeFileSync(at('x.log.1'), 'one\n');
    writeFileSync(at('x.log.2'), 'two\n');
    spawnSync('gzip', ['-k', 'x.log.2'], { cwd: folder });
    await tidy({ compress: true });
    expect(all()).toEqual({ 'x.log': '', 'x.log.1.gz': 'one\n', 'x.log.2.gz': 'two\n' });
  });

  it('leaves the file alone that is still being written to under a rotated name', async () => {
    const sink = open({ maxSize: 1_000, compress: true });
    await write(sink, 'one\n');
    renameSync(at('x.log'), at('x.log.1'));
    await write(sink, 'two\n');
    const open_ = statSync(at('x.log.1')).ino;
    writeFileSync(at('x.log'), '');
    await new LogRotation({
      current: () => ({ rotation: { compress: true } }),
      clock,
      isOpen: (_, inode) => inode === open_,
    }).tidy(at('x.log'));
    expect(all()).toEqual({ 'x.log': '', 'x.log.1': 'one\ntwo\n' });
  });

  it.runIf(isRoot)('copies no file that another account has put there', async () => {
    writeFileSync(at('x.log'), '');
    writeFileSync(at('x.log.1'), 'precious\n');
    chownSync(at('x.log.1'), 1000, 1000);
    await tidy({ compress: true });
    expect(names()).toEqual(['x.log', 'x.log.1']);
  });
});

describe('what cannot be rotated', () => {
  it('grows on, and that is told once', async () => {
    const sink = open({ maxSize: 4, keep: 1 });
    // A folder cannot be removed as a file can.
    mkdirSync(at('x.log.1'));
    for (const line of ['111\n', '222\n', '333\n']) expect(await write(sink, line)).toBeUndefined();
    clock.run(clock.now() + 1_000);
    await write(sink, '444\n');
    expect(troubles).toEqual(['EISDIR']);
    expect(text('x.log')).toBe('111\n222\n333\n444\n');
    rmSync(at('x.log.1'), { recursive: true });
    await write(sink, '555\n');
    expect(text('x.log')).toBe('111\n222\n333\n444\n555\n');
    clock.run(clock.now() + 1_000);
    await write(sink, '666\n');
    expect(all()).toEqual({ 'x.log': '666\n', 'x.log.1': '111\n222\n333\n444\n555\n' });
  });
});

it('goes by what the configuration says after a reload', async () => {
  const sink = open({ maxSize: 4 });
  for (const line of ['111\n', '222\n']) await write(sink, line);
  sink.adapt({ path: at('x.log'), overwrite: false, mode: 0o600, rotation: { maxSize: 8, keep: 1, compress: false } });
  for (const line of ['333\n', '444\n']) await write(sink, line);
  expect(all()).toEqual({ 'x.log': '444\n', 'x.log.1': '222\n333\n' });
  // Another period alone is no reason for a rotation.
  sink.adapt({ path: at('x.log'), overwrite: false, rotation: { every: { kind: 'span', ms: day }, compress: false } });
  await write(sink, '555\n');
  sink.adapt({
    path: at('x.log'),
    overwrite: false,
    rotation: { every: { kind: 'calendar', unit: 'daily' }, compress: false },
  });
  await write(sink, '666\n');
  expect(text('x.log')).toBe('444\n555\n666\n');
  expect((statSync(at('x.log')).mode & 0o777).toString(8)).toBe('600');
});

describe('200,000 lines', () => {
  it.each([
    false,
    true,
  ])('are there once each and in order, beside the rotation of another program (compress: %s)', async (compress) => {
    const sink = open({ maxSize: 64 * 1024, compress });
    const count = 200_000;
    const perBatch = 500;
    for (let from = 0; from < count; from += perBatch) {
      const batch = Array.from({ length: perBatch }, (_, index) => `{"n":${from + index}}\n`).join('');
      expect(await write(sink, batch)).toBeUndefined();
      if (from % 20_000 === 10_000) {
        // As logrotate's create: the numbers move, too.
        if (existsSync(at('x.log'))) renameSync(at('x.log'), at(`moved-${String(from).padStart(6, '0')}`));
        clock.run(clock.now() + 1_000);
      }
    }
    sink.close();
    const waiting = (): readonly string[] =>
      names().filter((name) => compress && !name.endsWith('.gz') && /^x\.log\./.test(name));
    await expect.poll(waiting, { timeout: 60_000, interval: 20 }).toEqual([]);
    const seen = names().flatMap((name) =>
      text(name)
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => (JSON.parse(line) as { readonly n: number }).n),
    );
    expect(seen).toHaveLength(count);
    expect(new Set(seen).size).toBe(count);
    const numbered = names()
      .filter((name) => name.startsWith('x.log'))
      .map((name) => Number(/\d+/.exec(name)?.[0] ?? 0));
    expect(numbered.sort((one, other) => one - other)).toEqual(
      Array.from({ length: numbered.length }, (_, index) => index),
    );
    expect(names().some((name) => name.endsWith('.gz'))).toBe(compress);
  }, 120_000);
});
