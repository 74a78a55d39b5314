/** scripts/english-icu.mjs: the Node that a release brings answers as the whole one does, in what Chaperone asks of it. */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const script = join(import.meta.dirname, '../../scripts/english-icu.mjs');
const scratch = mkdtempSync(join(tmpdir(), 'chaperone-icu-'));
const whole = process.execPath;
const smaller = join(scratch, 'node');
/** A Node of a distribution may use the ICU of the system: then there is nothing to take out. */
const variables: Readonly<Record<string, unknown>> = { ...process.config.variables };
const hasData = String(variables['icu_gyp_path']).includes('icu-generic');

/** What a program prints, in an environment without languages of this machine. */
const answer = (node: string, program: string, environment: Readonly<Record<string, string>> = {}): unknown => {
  const options = { encoding: 'utf8', env: environment, maxBuffer: 1 << 26 } as const;
  const value: unknown = JSON.parse(execFileSync(node, ['-p', `JSON.stringify(${program})`], options));
  return value;
};

beforeAll(() => {
  copyFileSync(whole, smaller);
  chmodSync(smaller, 0o755);
  if (hasData) execFileSync(process.execPath, [script, smaller]);
});
afterAll(() => rmSync(scratch, { recursive: true }));

describe.runIf(hasData)('a Node with the data of ICU for English', () => {
  it('is smaller by more than 25 MB', () => {
    expect(statSync(whole).size - statSync(smaller).size).toBeGreaterThan(25e6);
  });

  it.each([
    ['all time zones', 'Intl.supportedValuesOf("timeZone")'],
    [
      'the hours and names of each zone, in winter and in summer',
      `Intl.supportedValuesOf('timeZone').flatMap((timeZone) => ['short', 'long'].flatMap((timeZoneName) => {
        const format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName, weekday: 'short', hour: 'numeric' });
        return [0, 1751371200000, 4070908800000].map((at) => format.format(at));
      }))`,
    ],
    [
      'normal forms',
      `['NFC', 'NFD', 'NFKC', 'NFKD'].flatMap((form) =>
        Array.from({ length: 0x3_0000 }, (_, code) => code).filter((code) => code < 0xd800 || code > 0xdfff)
          .reduce((hash, code) => [...String.fromCodePoint(code).normalize(form)]
            .reduce((sum, one) => (sum * 31 + one.codePointAt(0)) >>> 0, hash), 7))`,
    ],
    [
      'what a terminal shows as one character',
      `[...new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment('e\\u0301🧑‍🚀🇩🇪ที่한국어\\r\\nनमस्ते')].map(({ segment }) => segment)`,
    ],
    [
      'properties of characters',
      `[/^\\p{RGI_Emoji}$/v.test('👨‍👩‍👧'), /\\p{Default_Ignorable_Code_Point}/u.test('\\u200b'), /\\p{L}/u.test('ж'), /ǆ/iu.test('Ǆ')]`,
    ],
    ['an order of words', `['zoo', 'Äpfel', 'apple', 'ärger', 'B'].sort((one, other) => one.localeCompare(other))`],
    [
      'numbers',
      '[1234567.891.toLocaleString("en"), new Intl.NumberFormat("en", { style: "unit", unit: "second" }).format(3)]',
    ],
  ])('has %s', (_, program) => {
    expect(answer(smaller, program)).toEqual(answer(whole, program));
  });

  it.each(['de_DE.UTF-8', 'ja_JP.eucJP', 'th_TH.TIS-620'])('has the same where the language is %s', (language) => {
    const program = `[
      new Date(0).toLocaleString('en-US', { timeZone: 'Asia/Bangkok', timeZoneName: 'short' }),
      3.5.toLocaleString('en'), Buffer.from('Größe').toString(), new Intl.DateTimeFormat().resolvedOptions().timeZone]`;
    const environment = { LANG: language, LC_ALL: language, TZ: 'Asia/Tokyo' };
    expect(answer(smaller, program, environment)).toEqual(answer(whole, program, environment));
  });

  it('formats dates without a language in a way that names none', () => {
    const program = `new Date(0).toLocaleString(undefined, { timeZone: 'Europe/Berlin' })`;
    expect(answer(smaller, program, { LC_ALL: 'de_DE.UTF-8' })).toBe('1970-01-01 01:00:00');
  });
});

it('leaves a program alone that brings no such data', () => {
  const program = join(scratch, 'true');
  copyFileSync('/bin/true', program);
  expect(execFileSync(process.execPath, [script, program], { encoding: 'utf8' })).toBe(
    `${program} brings no data of ICU\n`,
  );
  expect(readFileSync(program).equals(readFileSync('/bin/true'))).toBe(true);
});
