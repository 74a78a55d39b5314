import { describe, expect, it } from 'vitest';
import { parseFileMode, parseSpan } from '../../src/config/values.ts';
import { errorsOf, loadFiles, specOf } from './loading.ts';

const service = 'a.service: { command: "true" }\n';

/** The first logging entry, with these directives beside its file. */
function entry(directives: string, environment: Readonly<Record<string, string>> = {}) {
  return specOf(`x.logging: { file: /x.log, ${directives} }\n${service}`, { environment }).logging[0];
}

describe('rotation of a logging entry', () => {
  it('is none without max_size and rotate_every', () => {
    expect(entry('stdout: true')).not.toHaveProperty('rotation');
  });

  it.each([
    ['max_size: 10M', { maxSize: 10 * 1024 ** 2, keep: 5, compress: false }],
    ['max_size: 4096, keep: 0', { maxSize: 4096, keep: 0, compress: false }],
    ['rotate_every: daily, compress: yes', { every: { kind: 'calendar', unit: 'daily' }, keep: 5, compress: true }],
    [
      'rotate_every: 1h30m, max_age: 30d',
      { every: { kind: 'span', ms: 5_400_000 }, maxAge: 2_592_000_000, compress: false },
    ],
    [
      'rotate_every: 60, max_age: 1d, keep: 3',
      { every: { kind: 'span', ms: 60_000 }, maxAge: 86_400_000, keep: 3, compress: false },
    ],
  ])('reads %s', (directives, rotation) => {
    expect(entry(directives)?.rotation).toEqual(rotation);
  });

  it('may depend on variables, and be off where they are empty', () => {
    const text = 'max_size: "$(SIZE:-)", keep: "$(KEEP:-2)", compress: "$(GZIP:-)", mode: "$(MODE:-)"';
    expect(entry(text)).not.toHaveProperty('rotation');
    expect(entry(text)).not.toHaveProperty('mode');
    const { rotation, mode } = entry(text, { SIZE: '1M', GZIP: 'on', MODE: '604' }) ?? {};
    expect([rotation, mode]).toEqual([{ maxSize: 1024 ** 2, keep: 2, compress: true }, 0o604]);
  });

  it('has no effect, and is no mistake, where the file expands to nothing', () => {
    expect(
      specOf(`x.logging: { file: "$(NONE:-)", max_size: 1M, mode: 0600 }\n${service}`).logging[0],
    ).not.toHaveProperty('file');
  });

  it('is merged over the files, key by key', () => {
    const { spec } = loadFiles({
      '1.conf': 'x.logging: { file: /x.log, max_size: 1M }\n',
      '2.conf': `x.logging: { keep: 9 }\n${service}`,
    });
    expect(spec?.logging[0]?.rotation).toEqual({ maxSize: 1024 ** 2, keep: 9, compress: false });
  });

  it.each([
    ['stdout: yes, max_size: 1M', 'max_size of x.logging has no effect: it has no file', 'expected a file'],
    ['stdout: yes, mode: 0600', 'mode of x.logging has no effect: it has no file', 'expected a file'],
    ['stdout: yes, compress: yes', 'compress of x.logging has no effect: it has no file', 'expected a file'],
    [
      'file: /x, keep: 3',
      'keep of x.logging has no effect: the file is not rotated by chaperone',
      'expected max_size or rotate_every',
    ],
    [
      'file: /x, max_age: 3d',
      'max_age of x.logging has no effect: the file is not rotated by chaperone',
      'expected max_size or rotate_every',
    ],
    [
      'file: /x, compress: no',
      'compress of x.logging has no effect: the file is not rotated by chaperone',
      'expected max_size or rotate_every',
    ],
    [
      'file: /x, max_size: 10MB',
      'max_size of x.logging is no size: "10MB"',
      'expected a size from 1K to 1024G, such as 16M',
    ],
    [
      'file: /x, max_size: 0',
      'max_size of x.logging is out of range: "0"',
      'expected a size from 1K to 1024G, such as 16M',
    ],
    ['file: /x, rotate_every: dayly', 'rotate_every of x.logging is not a time: "dayly"', 'did you mean "daily"?'],
    [
      'file: /x, rotate_every: 0',
      'rotate_every of x.logging is too short a time: "0"',
      'expected hourly, daily or weekly, or a time of 1s or more, such as 12h',
    ],
    [
      'file: /x, max_size: 1M, max_age: 1 month',
      'max_age of x.logging is not a time: "1 month"',
      'expected a time of 1s or more, such as 12h or 30d',
    ],
    [
      'file: /x, max_size: 1M, keep: -1',
      'keep of x.logging is out of range: "-1"',
      'expected a whole number from 0 to 10000',
    ],
    [
      'file: /x, max_size: 1M, compress: zstd',
      'compress of x.logging is neither true nor false: "zstd"',
      'expected true or false',
    ],
    [
      'file: /x, mode: u=rw',
      'mode of x.logging is no mode of a file: "u=rw"',
      'expected three octal digits, such as 0640',
    ],
    [
      'file: /x, mode: 0888',
      'mode of x.logging is no mode of a file: "0888"',
      'expected three octal digits, such as 0640',
    ],
    [
      'file: /x, mode: 02750',
      'mode of x.logging is no mode of a file: "02750"',
      'expected three octal digits, such as 0640',
    ],
  ])('says what is wrong: %s', (directives, message, hint) => {
    const errors = errorsOf(`x.logging: { ${directives} }\n${service}`);
    expect(errors).toContain('1 mistake in the configuration');
    expect(errors).toContain(message);
    expect(errors).toContain(hint);
  });
});

describe('parseSpan', () => {
  it.each([
    ['90', 90_000],
    ['0.5', 500],
    ['500ms', 500],
    ['1m30s', 90_000],
    [' 3d ', 259_200_000],
    ['1.5h', 5_400_000],
    ['1:30', 90_000],
    ['5 m', undefined],
    ['m', undefined],
    ['1w', undefined],
    ['', undefined],
  ])('reads %s', (text, ms) => {
    expect(parseSpan(text, true)).toBe(ms);
  });
});

describe('parseFileMode', () => {
  it.each([
    ['0640', 0o640],
    ['640', 0o640],
    ['0o640', 0o640],
    ['0', undefined],
    ['0x1a', undefined],
    ['64', undefined],
    ['01777', undefined],
  ])('reads %s', (text, mode) => {
    expect(parseFileMode(text)).toBe(mode);
  });
});
