import { describe, expect, it } from 'vitest';
import {
  describeRange,
  instanceName,
  instanceOf,
  instancesOf,
  isSameRange,
  isTemplate,
  parseInstances,
  parseNames,
  templateName,
  templateOf,
} from '../../../src/model/service/template.ts';

describe('a name', () => {
  it('is that of a template, of an instance, or of neither', () => {
    expect(['worker@.service', '@.service', 'worker.service', 'a@b@.service'].map(isTemplate)).toEqual([
      true,
      false,
      false,
      false,
    ]);
    expect(templateOf('worker@1.service')).toBe('worker@.service');
    expect(templateOf('worker@mail.eu.service')).toBe('worker@.service');
    expect(templateOf('worker@.service')).toBeUndefined();
    expect(templateOf('worker.service')).toBeUndefined();
    expect(instanceOf('worker@mail.eu.service')).toBe('mail.eu');
    expect(instanceName('worker@.service', '$&')).toBe('worker@$&.service');
    expect(['worker', 'worker@', 'worker.service', 'worker@.service'].map(templateName)).toEqual(
      Array.from({ length: 4 }, () => 'worker@.service'),
    );
  });
});

describe('instances', () => {
  const names = (text: string): readonly string[] | string => {
    const read = parseInstances(text);
    return read.ok ? instancesOf(read.range) : read.problem;
  };

  it('are a number, a range, or names', () => {
    expect(names('3')).toEqual(['1', '2', '3']);
    expect(names(' 0 - 3 ')).toEqual(['0', '1', '2', '3']);
    expect(names('7-7')).toEqual(['7']);
    expect(names('0')).toEqual([]);
    expect(names('mail, web')).toEqual(['mail', 'web']);
    expect(names('1,5,')).toEqual(['1', '5']);
  });

  it('are scaled from their first number on', () => {
    const read = parseInstances('4-5');
    if (!read.ok) throw new Error(read.problem);
    expect(instancesOf(read.range, 3)).toEqual(['4', '5', '6']);
    expect(instancesOf(read.range, 0)).toEqual([]);
    expect(describeRange(read.range)).toBe('4-5');
  });

  it('are at most a thousand, and in order', () => {
    expect(names('1000')).toHaveLength(1000);
    expect(names('1001')).toContain('too many services');
    expect(names('100000')).toContain('too many services');
    expect(names('0-1000')).toContain('too many services');
    expect(names('99999999999999999999')).toContain('too many services');
    expect(names('3-1')).toContain('begins behind its end');
    expect(parseNames(Array.from({ length: 1001 }, (_, index) => `i${index}`))).toMatchObject({ ok: false });
  });

  it.each<[string, string]>([
    ['3', '3'],
    ['1-3', '3'],
    ['0', '0'],
    ['5-4', '0'],
    ['0-0', '0-0'],
    ['2-2', '2-2'],
    ['0-3', '0-3'],
    ['mail,  web', 'mail, web'],
    ['', ''],
  ])('%j are written as %j', (text, written) => {
    const read = parseInstances(text);
    expect(read.ok && describeRange(read.range)).toBe(written);
  });

  it('are the same where they are written the same', () => {
    const range = (first: number, count: number) => ({ kind: 'numbers', first, count }) as const;
    const list = (...all: readonly string[]) => ({ kind: 'list', names: all }) as const;
    expect(isSameRange(range(1, 3), range(1, 3))).toBe(true);
    expect(isSameRange(range(1, 3), range(2, 3))).toBe(false);
    expect(isSameRange(range(1, 3), list('3'))).toBe(false);
    expect(isSameRange(list('a', 'b'), list('a', 'b'))).toBe(true);
    expect(isSameRange(list('a', 'b'), list('b', 'a'))).toBe(false);
  });

  it('are refused with what is wrong, and where it helps with what is expected', () => {
    const hint = 'expected names of letters, digits and _ . - in a list, such as [mail, web], or a range alone';
    const most = 'expected at most 1000 instances';
    expect(parseInstances('1x')).toEqual({
      ok: false,
      code: 'bad-name',
      problem: 'is neither a number nor a range: "1x"',
    });
    expect(parseInstances('3-1')).toEqual({ ok: false, code: 'out-of-range', problem: 'begins behind its end: "3-1"' });
    expect(parseInstances('2000')).toEqual({
      ok: false,
      code: 'out-of-range',
      problem: 'makes too many services: 2000',
      hint: most,
    });
    expect(parseInstances(`${2 ** 53 - 2}-${2 ** 53 - 1}`)).toMatchObject({ ok: false, code: 'out-of-range' });
    expect(parseInstances('a, b/, c/')).toEqual({
      ok: false,
      code: 'bad-name',
      problem: 'holds "b/", which is no name of an instance',
      hint,
    });
    expect(parseInstances('a, b, a, b')).toEqual({ ok: false, code: 'bad-name', problem: 'names "a" twice' });
    const many = Array.from({ length: 1001 }, (_, index) => `i${index}`);
    expect(parseNames(many)).toEqual({
      ok: false,
      code: 'out-of-range',
      problem: 'makes too many services: 1001',
      hint: most,
    });
    expect(parseNames(many.slice(1))).toEqual({ ok: true, range: { kind: 'list', names: many.slice(1) } });
    expect(parseInstances('2-3')).toEqual({ ok: true, range: { kind: 'numbers', first: 2, count: 2 } });
  });

  it('have names that a service can have, each once', () => {
    expect(names('mail, mail')).toContain('"mail" twice');
    expect(names('a/b')).toContain('no name of an instance');
    expect(names('-1')).toContain('no name of an instance');
    expect(names('1-3, mail')).toContain('"1-3", which is no name');
    expect(names('1_000')).toContain('neither a number nor a range');
    expect(names('0x10')).toContain('neither a number nor a range');
    expect(names('two words')).toContain('no name of an instance');
  });
});
