/** Log files on a disk that becomes full in the middle of a line. */
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { LogFileRequest } from '../../../src/runtime/kernel.ts';
import { FileSink } from '../../../src/runtime/linux/file-sink.ts';
import { VirtualClock } from '../../../src/runtime/simulated/virtual-clock.ts';

/** True: no file can be shortened, as with `chattr +a`. */
let appendOnly = false;

vi.mock('node:fs', async (importOriginal) => {
  const fs = await importOriginal<typeof import('node:fs')>();
  const ftruncate = (fd: number, length: number, done: (error: Error | null) => void): void => {
    if (appendOnly) done(Object.assign(new Error('EPERM'), { code: 'EPERM' }));
    else fs.ftruncate(fd, length, done);
  };
  return { ...fs, ftruncate };
});

const isRoot = process.getuid?.() === 0;
const page = 4096;
const pages = 16;
let disk: string;
let clock: VirtualClock;

interface Answer {
  readonly code: string | undefined;
  readonly rest: string | undefined;
}

beforeEach((context) => {
  if (!isRoot) context.skip('only root can mount a disk');
  appendOnly = false;
  clock = new VirtualClock();
  disk = mkdtempSync(join(tmpdir(), 'chaperone-full-'));
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${pages * page}`, 'tmpfs', disk]);
  if (status !== 0) throw new Error(String(stderr));
  const path = disk;
  onTestFinished(() => {
    spawnSync('umount', ['-l', path]);
    rmSync(path, { recursive: true });
  });
});

const at = (name: string): string => join(disk, name);
const text = (name: string): string => readFileSync(at(name), 'utf8');

/** Leaves this many pages of the disk. */
function leave(free: number): void {
  rmSync(at('ballast'), { force: true });
  writeFileSync(at('ballast'), Buffer.alloc((pages - free) * page));
}

function open(name: string, more: Partial<LogFileRequest> = {}): FileSink {
  const sink = new FileSink({ path: at(name), overwrite: false, ...more }, clock, () => undefined);
  onTestFinished(() => sink.close());
  return sink;
}

function write(sink: FileSink, lines: string): Promise<Answer> {
  return new Promise((resolve) =>
    sink.write(Buffer.from(lines), (code, rest) =>
      resolve({ code, rest: rest === undefined ? undefined : Buffer.from(rest).toString() }),
    ),
  );
}

/** Lines of JSON, of 100 bytes each; a page holds no whole number of them. */
function lines(count: number, from = 0): string {
  return Array.from({ length: count }, (_, index) => `${JSON.stringify({ n: from + index, x: '' })}`)
    .map((line) => `${line.slice(0, -2)}${'x'.repeat(99 - line.length)}"}\n`)
    .join('');
}

/** The numbers of the lines of a file; a torn line throws. */
function numbersIn(content: string): number[] {
  expect(content).toMatch(/^(?:.*\n)*$/);
  return content
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { readonly n: number }).n);
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe('a log file on a full disk', () => {
  it('ends with a whole line, and the rest begins with one', async () => {
    leave(2);
    const sink = open('x.log');
    const { code, rest = '' } = await write(sink, lines(100));
    expect(code).toBe('ENOSPC');
    expect(text('x.log') + rest).toBe(lines(100));
    expect(numbersIn(text('x.log')).length).toBe(Math.floor((2 * page) / 100));
    leave(4);
    expect(await write(sink, rest)).toMatchObject({ code: undefined, rest: undefined });
    expect(text('x.log')).toBe(lines(100));
  });

  it.each([
    ['was renamed and made anew', () => renameSync(at('x.log'), at('x.log.1'))],
    ['was removed', () => rmSync(at('x.log'))],
  ])('does not put half a line into the file that comes after it, where it %s meanwhile', async (_, change) => {
    leave(2);
    const sink = open('x.log');
    const { rest = '' } = await write(sink, lines(100));
    const first = numbersIn(text('x.log'));
    change();
    leave(6);
    await write(sink, rest);
    expect([...first, ...numbersIn(text('x.log'))]).toEqual(upTo(100));
  });

  it('does so when its name changes with time, and when chaperone rotates it', async () => {
    leave(1);
    const daily = open('%Y-%m-%d.log');
    const { rest = '' } = await write(daily, lines(50));
    clock.run(clock.now() + 86_400_000);
    leave(6);
    await write(daily, rest);
    const names = spawnSync('sh', ['-c', 'ls *.log'], { cwd: disk, encoding: 'utf8' }).stdout.trim().split('\n');
    expect(names).toHaveLength(2);
    expect(names.flatMap((name) => numbersIn(text(name)))).toEqual(upTo(50));
    for (const name of names) rmSync(at(name));

    leave(1);
    const rotated = open('x.log', { rotation: { maxSize: 3_950, compress: false } });
    const { rest: left = '' } = await write(rotated, lines(100));
    leave(6);
    await write(rotated, left);
    expect([...numbersIn(text('x.log.2')), ...numbersIn(text('x.log.1')), ...numbersIn(text('x.log'))]).toEqual(
      upTo(100),
    );
  });

  it('does not lose what another program has appended', async () => {
    leave(2);
    const sink = open('x.log');
    await write(sink, lines(1));
    appendFileSync(at('x.log'), 'of another\n');
    const { rest = '' } = await write(sink, lines(99, 1));
    leave(6);
    await write(sink, rest);
    const content = text('x.log');
    expect(content).toContain('of another\n');
    expect(numbersIn(content.replace('of another\n', ''))).toEqual(upTo(100));
  });

  it('ends a piece that cannot be cut off, and has its line as a whole after it', async () => {
    appendOnly = true;
    leave(2);
    const sink = open('x.log');
    const { rest = '' } = await write(sink, lines(100));
    const whole = Math.floor((2 * page) / 100);
    expect(rest).toBe(lines(100 - whole, whole));
    // The disk is still full: not even the end of the line has room.
    expect(await write(sink, rest)).toEqual({ code: 'ENOSPC', rest });
    leave(6);
    expect(await write(sink, rest)).toEqual({ code: undefined, rest: undefined });
    const piece = lines(1, whole).slice(0, 2 * page - whole * 100);
    expect(text('x.log')).toBe(`${lines(whole)}${piece}\n${rest}`);
  });

  it('has no piece of a line before the whole one where another file has come after it', async () => {
    appendOnly = true;
    leave(2);
    const sink = open('x.log');
    const { rest = '' } = await write(sink, lines(100));
    renameSync(at('x.log'), at('x.log.1'));
    leave(6);
    await write(sink, rest);
    expect(text('x.log')).toBe(rest);
    expect(statSync(at('x.log.1')).size).toBe(2 * page);
  });

  it('has the lines in whole files that are made when there is room again', async () => {
    leave(0);
    mkdirSync(at('logs'), { recursive: true });
    const sink = open('logs/x.log');
    const { code, rest = '' } = await write(sink, lines(3));
    expect([code, rest]).toEqual(['ENOSPC', lines(3)]);
    leave(2);
    await write(sink, rest);
    expect(text('logs/x.log')).toBe(lines(3));
  });
});
