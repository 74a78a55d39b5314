import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { bootLineStart } from '../../../src/inspect/journal-writer.ts';
import { JournalSink } from '../../../src/runtime/linux/journal-sink.ts';

let folder: string;
/** Sinks that keep their files open, as in a running chaperone. */
const sinks: JournalSink[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'chaperone-journal-'));
  const path = folder;
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
});

const at = (name: string): string => join(folder, name);
const text = (name = 'journal'): string => readFileSync(at(name), 'utf8');

function open(maxSize = 1024 * 1024, name = 'journal'): JournalSink {
  const sink = new JournalSink({ path: at(name), maxSize });
  sinks.push(sink);
  return sink;
}

function write(sink: JournalSink, line: string): Promise<{ readonly errorCode?: string; readonly rest?: string }> {
  return new Promise((resolve) =>
    sink.write(Buffer.from(line), (errorCode, rest) =>
      resolve({
        ...(errorCode === undefined ? {} : { errorCode }),
        ...(rest === undefined ? {} : { rest: Buffer.from(rest).toString() }),
      }),
    ),
  );
}

/** A boot with that many bytes of entries. */
function boot(name: string, size: number): string {
  const first = `${bootLineStart},"boot":"${name}"}\n`;
  const lines = Math.max(0, Math.ceil((size - first.length) / 64));
  return first + `${'x'.repeat(63)}\n`.repeat(lines);
}

/** The names of the boots in the journal, and the number of broken lines. */
function boots(name = 'journal'): string[] {
  return [...text(name).matchAll(/"boot":"(\w+)"/g)].map(([, id = '']) => id);
}

describe('a journal', () => {
  it('is made with its directories, and only its owner may read it', async () => {
    expect(await write(open(undefined, 'a/b/journal'), boot('one', 100))).toEqual({});
    expect(statSync(at('a/b/journal')).mode & 0o777).toBe(0o600);
    expect(text('a/b/journal')).toBe(boot('one', 100));
  });

  it('holds one boot after the other', async () => {
    for (const name of ['one', 'two']) {
      const sink = open();
      await write(sink, boot(name, 100));
      await write(sink, 'more\n');
    }
    expect(text()).toBe(`${boot('one', 100)}more\n${boot('two', 100)}more\n`);
  });

  it.each([
    ['in the middle of a line', `${boot('one', 200)}{"seq":`],
    ['in its first line', bootLineStart.slice(0, 7)],
    ['before its first line', ''],
  ])('begins on a line of its own after a boot that was torn %s', async (_, before) => {
    writeFileSync(at('journal'), before);
    await write(open(), boot('two', 100));
    await write(open(), boot('three', 100));
    expect(text()).toBe(`${before}${before === '' ? '' : '\n'}${boot('two', 100)}${boot('three', 100)}`);
  });

  it('lets the oldest whole boots go where it would become too large', async () => {
    for (const name of ['one', 'two', 'three', 'four']) await write(open(10_000), boot(name, 3_000));
    expect(boots()).toEqual(['two', 'three', 'four']);
    expect(statSync(at('journal')).size).toBeLessThanOrEqual(10_000);
    expect(text().startsWith(bootLineStart)).toBe(true);
    expect(statSync(at('journal')).mode & 0o777).toBe(0o600);
  });

  it('lets them go while a boot goes on, and never that boot itself', async () => {
    for (const name of ['one', 'two', 'three']) await write(open(10_000), boot(name, 2_000));
    const sink = open(10_000);
    await write(sink, boot('four', 2_000));
    for (let count = 0; count < 70; count += 1) {
      await write(sink, `${'y'.repeat(99)}\n`);
      expect(statSync(at('journal')).size).toBeLessThanOrEqual(10_000);
    }
    expect(boots()).toEqual(['four']);
    expect(text().match(/y\n/g)).toHaveLength(70);
  });

  it('is shortened where the bound is lower than it was', async () => {
    for (const name of ['one', 'two', 'three']) await write(open(), boot(name, 30_000));
    await write(open(65_536), boot('four', 1_000));
    expect(boots()).toEqual(['three', 'four']);
  });

  it('finds boots across the pieces in which it is read', async () => {
    const piece = 256 * 1024;
    for (const slip of [-30, -24, -1, 0, 1]) {
      rmSync(at('journal'), { force: true });
      const first = boot('one', 100);
      writeFileSync(at('journal'), `${first}${'x'.repeat(piece + slip - first.length - 1)}\n${boot('two', 100)}`);
      await write(open(piece), boot('three', 100));
      expect(boots()).toEqual(['two', 'three']);
    }
  });

  it('is moved down within itself where no other file can take its name', async () => {
    mkdirSync(at('journal.new/in-the-way'), { recursive: true });
    const two = boot('two', 300_000);
    writeFileSync(at('journal'), boot('one', 600_000) + two);
    await write(open(640 * 1024), boot('three', 100));
    expect(text()).toBe(two + boot('three', 100));
    expect(readdirSync(folder)).toEqual(['journal', 'journal.new']);
  });

  it('takes the place of what a crash has left beside it', async () => {
    writeFileSync(at('journal.new'), 'left');
    await write(open(10_000), boot('one', 8_000));
    await write(open(10_000), boot('two', 8_000));
    expect(readdirSync(folder)).toEqual(['journal']);
    expect(boots()).toEqual(['two']);
  });

  it.each([
    [
      'a file that holds something else',
      () => writeFileSync(at('journal'), 'precious\n'),
      'NOT_A_JOURNAL',
      'precious\n',
    ],
    ['a symbolic link', () => symlinkSync(at('target'), at('journal')), 'ELOOP', undefined],
    ['a directory', () => mkdirSync(at('journal')), 'EISDIR', undefined],
    ['a FIFO', () => spawnSync('mkfifo', [at('journal')]), 'NOT_A_FILE', undefined],
  ])('is not %s', async (_, prepare, code, content) => {
    prepare();
    const sink = open();
    expect(await write(sink, boot('one', 100))).toEqual({ errorCode: code });
    expect(await write(sink, 'more\n')).toEqual({ errorCode: code });
    if (content !== undefined) expect(text()).toBe(content);
    expect(readdirSync(folder)).toEqual(['journal']);
  });

  it('cannot be where a file is in the way, and is not tried again in this boot', async () => {
    writeFileSync(at('file'), '');
    const sink = open(undefined, 'file/journal');
    expect(await write(sink, boot('one', 100))).toMatchObject({ errorCode: expect.stringMatching(/EEXIST|ENOTDIR/) });
    rmSync(at('file'));
    expect((await write(sink, 'more\n')).errorCode).toBeDefined();
    expect(readdirSync(folder)).toEqual([]);
  });

  it.runIf(process.getuid?.() !== 0)('cannot be in a directory that may not be written to', async () => {
    chmodSync(folder, 0o500);
    onTestFinished(() => chmodSync(folder, 0o700));
    expect(await write(open(), boot('one', 100))).toEqual({ errorCode: 'EACCES' });
  });
});
