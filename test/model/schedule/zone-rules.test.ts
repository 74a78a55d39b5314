import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findZone, fixedZone, parsePosixZone, parseZoneFile } from '../../../src/model/schedule/zone-rules.ts';

const zoneinfo = '/usr/share/zoneinfo';
const now = Date.UTC(2026, 10, 29) / 1000;
const times = Array.from({ length: 8 * 366 }, (_, index) => Date.UTC(2025, 0, 1) / 1000 + index * 86_400 + 7_200);

/** What the C library says: seconds ahead of UTC at each of the times. */
function offsetsOf(zone: string): readonly number[] {
  const input = times.map((time) => `@${time}\n`).join('');
  const { stdout, status } = spawnSync('date', ['-f', '-', '+%z'], { input, encoding: 'utf8', env: { TZ: zone } });
  expect(status).toBe(0);
  return stdout
    .trim()
    .split('\n')
    .map((text) => (text.startsWith('-') ? -1 : 1) * (Number(text.slice(1, 3)) * 3600 + Number(text.slice(3)) * 60));
}

describe('the POSIX form', () => {
  it.each([
    'JST-9',
    'UTC0',
    'GMT+5',
    '<+0530>-5:30',
    '<-03>3',
    'CET-1CEST,M3.5.0,M10.5.0/3',
    'EST5EDT,M3.2.0,M11.1.0',
    'NZST-12NZDT,M9.5.0,M4.1.0/3',
    '<+1030>-10:30<+11>-11,M10.1.0,M4.1.0',
    'IST-1GMT0,M10.5.0,M3.5.0/1',
    'XXX3YYY,J60/0,J300/23:30',
    'XXX3YYY1,59/-1,299/+25',
    'AAA-2BBB,M1.1.1,M12.5.6',
    'EET-2EEST,M3.4.4/50,M10.4.4/50',
  ])('means what the C library takes it for: %s', (text) => {
    const rules = parsePosixZone(text);
    expect(times.map((time) => rules?.offsetAt(time))).toEqual(offsetsOf(text));
  });

  it.each([
    '',
    'Europe/Berlin',
    'AB5',
    'ABC',
    '5',
    'ABC5DEF,M3.5.0',
    'ABC5DEF,M13.5.0,M1.1.0',
    'ABC5DEF,J0,J5',
    'CET-1CEST,M3.5.0,M10.5.0/3 ',
  ])('is another one than %j', (text) => expect(parsePosixZone(text)).toBeUndefined());

  it('has the rules of the United States where it names none', () => {
    const [without, spelled] = ['EST5FOO', 'EST5FOO,M3.2.0,M11.1.0'].map(parsePosixZone);
    expect(times.map((time) => without?.offsetAt(time))).toEqual(times.map((time) => spelled?.offsetAt(time)));
  });

  it('tells when the offset changes', () => {
    const rules = parsePosixZone('CET-1CEST,M3.5.0,M10.5.0/3');
    const at = (...date: [number, number, number, number]) => Date.UTC(...date) / 1000;
    expect(rules?.changes(now, at(2028, 0, 1, 0))).toEqual([at(2027, 2, 28, 1), at(2027, 9, 31, 1)]);
    expect(parsePosixZone('JST-9')?.changes(0, now)).toEqual([]);
  });
});

describe.runIf(existsSync(zoneinfo))('a file of compiled time zone information', () => {
  it.each([
    'Europe/Berlin',
    'Europe/Dublin',
    'America/New_York',
    'Asia/Kolkata',
    'Australia/Lord_Howe',
    'Africa/Casablanca',
    'America/Sao_Paulo',
    'Pacific/Apia',
    'Etc/UTC',
  ])('means what the C library takes it for: %s', (name) => {
    const bytes = readFileSync(`${zoneinfo}/${name}`);
    const rules = parseZoneFile(bytes);
    const offsets = times.map((time) => rules?.offsetAt(time));
    expect(offsets).toEqual(offsetsOf(name));
    const changes = rules?.changes(times[0] ?? 0, times.at(-1) ?? 0) ?? [];
    for (const change of changes) expect(Number.isInteger(change)).toBe(true);
    expect(changes.length >= new Set(offsets).size - 1).toBe(true);
  });

  it('of the first version has its times in 32 bits', () => {
    const bytes = readFileSync(`${zoneinfo}/Europe/Berlin`);
    const old = Buffer.from(bytes);
    old[4] = 0;
    const [fat, rules] = [parseZoneFile(bytes), parseZoneFile(old)];
    expect(rules).toBeDefined();
    // Where the file is not a slim one, its first part has the same changes up to 2037.
    if ((rules?.changes(0, now).length ?? 0) > 0) expect(rules?.offsetAt(now)).toBe(fat?.offsetAt(now));
  });

  it('is none where it is cut off, or something else', () => {
    const bytes = readFileSync(`${zoneinfo}/Europe/Berlin`);
    for (const length of [0, 3, 20, 44, 60, 200]) expect(parseZoneFile(bytes.subarray(0, length))).toBeUndefined();
    expect(
      parseZoneFile(Buffer.from('# a text that is long enough to be read as a header of such a file')),
    ).toBeUndefined();
  });
});

describe('findZone', () => {
  const offsets: Readonly<Record<string, string>> = {
    Wrong: 'CET-1',
    Late: 'CET-1CEST,M3.5.0,M10.4.0/3',
    Right: 'CET-1CEST,M3.5.0,M10.5.0/3',
    Same: 'XXX-1YYY,M3.5.0,M10.5.0/3',
  };
  const offsetIn = (name: string, time: number): number => parsePosixZone(offsets[name] ?? '')?.offsetAt(time) ?? 0;

  it('finds the first name that agrees', () => {
    const rules = parsePosixZone('CET-1CEST,M3.5.0,M10.5.0/3');
    if (rules === undefined) throw new Error('it has the form');
    expect(findZone(rules, Object.keys(offsets), now, offsetIn)).toBe('Right');
    expect(findZone(rules, ['Wrong', 'Late'], now, offsetIn)).toBeUndefined();
  });
});

describe('fixedZone', () => {
  it.each([
    [0, 'UTC'],
    [9 * 3600, 'Etc/GMT-9'],
    [-5 * 3600, 'Etc/GMT+5'],
    [14 * 3600, 'Etc/GMT-14'],
    [15 * 3600, undefined],
    [5.5 * 3600, undefined],
  ])('of %i is %s', (offset, name) => {
    expect(fixedZone(offset)).toBe(name);
    if (name === undefined) return;
    const date = new Date(Date.UTC(2030, 0, 1));
    const shown = new Intl.DateTimeFormat('en-GB', { timeZone: name, dateStyle: 'short', timeStyle: 'medium' }).format(
      date,
    );
    const moved = new Date(date.getTime() + offset * 1000);
    expect(shown).toBe(
      new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', dateStyle: 'short', timeStyle: 'medium' }).format(moved),
    );
  });
});
