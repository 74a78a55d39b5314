import { from } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';
import type { LogRecord } from '../../src/model/log/log-record.ts';
import { type OutputSource, outputRecords } from '../../src/streams/output-records.ts';

const encoder = new TextEncoder();

function source(changes: Partial<OutputSource> = {}): OutputSource {
  return { program: 'web', pid: 12, stream: 'stdout', maxLine: 8_192, wallTime: () => 1_000, ...changes };
}

function record(message: string, changes: Partial<LogRecord> = {}): LogRecord {
  return { time: 1_000, facility: 'daemon', severity: 'info', program: 'web', pid: 12, message, ...changes };
}

function recordsOf(text: string | Uint8Array, changes: Partial<OutputSource> = {}): readonly LogRecord[] {
  const all: LogRecord[] = [];
  from([typeof text === 'string' ? encoder.encode(text) : text])
    .pipe(outputRecords(source(changes)))
    .subscribe((each) => all.push(each));
  return all;
}

describe('outputRecords', () => {
  it('makes one record of each line, when it comes', () => {
    const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
    scheduler.run(({ cold, expectObservable, expectSubscriptions }) => {
      const output$ = cold('-a-b-|', { a: encoder.encode('ready\non'), b: encoder.encode(' port 80\n') });
      const wallTime = (): number => scheduler.now();
      expectObservable(output$.pipe(outputRecords(source({ wallTime })))).toBe('-x-y-|', {
        x: record('ready', { time: 1 }),
        y: record('on port 80', { time: 3 }),
      });
      expectSubscriptions(output$.subscriptions).toBe('^----!');
    });
  });

  it('takes stdout for info and stderr for warnings', () => {
    expect(recordsOf('x\n')).toEqual([record('x')]);
    expect(recordsOf('x\n', { stream: 'stderr' })).toEqual([record('x', { severity: 'warning' })]);
  });

  it('drops blank lines and the blanks at the end of a line, not those before', () => {
    expect(recordsOf('\n  \n\t\n  x  \r\n\n').map(({ message }) => message)).toEqual(['  x']);
  });

  it('drops none of them where one entry alone takes the records', () => {
    const kept = recordsOf('\n  \n  x  \n\ty\t\n', { entry: 'web.logging' });
    expect(kept).toEqual(['', '  ', '  x  ', '\ty\t'].map((message) => record(message, { entry: 'web.logging' })));
  });

  it('keeps what a line has, and writes bytes that are no text as escapes', () => {
    expect(recordsOf(Uint8Array.of(0x1b, 0x5b, 0x41, 0xff, 0x0a)).map(({ message }) => message)).toEqual([
      '\u001b[A\\xff',
    ]);
  });

  it('takes the priority of a line from its prefix, as sd-daemon(3) has it', () => {
    expect(recordsOf('<3>no disk\n<7> spaced\n<165>whole\n<8>a facility\n')).toEqual([
      record('no disk', { severity: 'err' }),
      record(' spaced', { severity: 'debug' }),
      record('whole', { facility: 'local4', severity: 'notice' }),
      record('a facility', { facility: 'user', severity: 'emerg' }),
    ]);
    expect(recordsOf('<192>no priority\n<x>html\n<3>\n<3> \t\n')).toEqual([
      record('<192>no priority'),
      record('<x>html'),
    ]);
  });

  it('names the service', () => {
    expect(recordsOf('x\n', { service: 'web.service' })).toEqual([record('x', { service: 'web.service' })]);
    expect(recordsOf('x\n')[0]).not.toHaveProperty('service');
  });

  it('divides a line that is too long, and marks the later pieces', () => {
    expect(recordsOf(`<3>${'x'.repeat(8)}  ${'y'.repeat(12)} \nz\n`, { maxLine: 12 })).toEqual([
      record('xxxxxxxx ', { severity: 'err' }),
      record(' yyyyyyyyyyy', { severity: 'err', continuation: true }),
      record('y', { severity: 'err', continuation: true }),
      record('z'),
    ]);
  });

  it('drops no blank piece within a line', () => {
    const text = `a${' '.repeat(20)}b\n`;
    const all = recordsOf(text, { maxLine: 8 });
    expect(all.map(({ message }) => message).join('')).toBe(text.trimEnd());
  });

  it('takes no prefix from the middle of a line', () => {
    expect(recordsOf('abcd<3>x\n', { maxLine: 4 })).toEqual([record('abcd'), record('<3>x', { continuation: true })]);
  });
});
