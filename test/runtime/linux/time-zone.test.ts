import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { settledZone } from '../../../src/runtime/linux/time-zone.ts';

const zoneinfo = '/usr/share/zoneinfo';
const hasZones = existsSync(join(zoneinfo, 'Asia/Tokyo'));
const folder = mkdtempSync(join(tmpdir(), 'chaperone-zone-'));
afterAll(() => rmSync(folder, { recursive: true }));

const before = process.env['TZ'];
afterEach(() => {
  expect(process.env['TZ']).toBe(before);
});

/** Seconds of the wall clock of a zone ahead of UTC, in winter and in summer. */
function offsetsIn(zone: string | undefined): readonly number[] {
  const format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
  return [Date.UTC(2027, 0, 1), Date.UTC(2027, 6, 1)].map((time) => {
    const [, sign = '+', hours = '0', minutes = '0'] = /GMT([+-])(\d+):(\d+)/.exec(format.format(time)) ?? [];
    return (sign === '-' ? -1 : 1) * (Number(hours) * 3600 + Number(minutes) * 60);
  });
}

describe('TZ', () => {
  it.each([
    ['JST-9', 32_400, 32_400],
    ['<+0530>-5:30', 19_800, 19_800],
    ['GMT+5', -18_000, -18_000],
    ['CET-1CEST,M3.5.0,M10.5.0/3', 3_600, 7_200],
    [':CET-1CEST', 3_600, 3_600],
    ['NZST-12NZDT,M9.5.0,M4.1.0/3', 46_800, 43_200],
    ['<+1030>-10:30<+11>-11,M10.1.0,M4.1.0', 39_600, 37_800],
  ])('with rules has the name of a zone that means the same: %s', (given, winter, summer) => {
    const { zone, message } = settledZone(given);
    // Nobody has the rules of the United States with the time of Berlin.
    if (given === ':CET-1CEST')
      expect(message?.text).toMatch(/^TZ=CET-1CEST is no time zone that has a name here: .* Etc\/GMT-1$/);
    else expect(message).toBeUndefined();
    expect(offsetsIn(zone)).toEqual([winter, summer]);
  });

  it('that is a name stays that name', () => {
    for (const name of ['Europe/Berlin', 'EST5EDT', 'CET', 'America/Argentina/Buenos_Aires'])
      expect([settledZone(name), settledZone(`:${name}`)]).toEqual([{ zone: name }, { zone: name }]);
  });

  it('that means nothing is UTC, as for the C library', () => {
    expect(settledZone('Europe/Berlim')).toEqual({ zone: 'UTC' });
    for (const text of ['+05:30', 'CET-1CEST,M13.5.0,M10.5.0'])
      expect(settledZone(text)).toMatchObject({
        zone: 'UTC',
        message: {
          severity: 'warning',
          text: `TZ=${text} is no time zone that has a name here: log lines and cron services go by UTC`,
        },
      });
  });

  it('without a zone of the same meaning is the nearest, with a warning', () => {
    expect(settledZone('XXX-1YYY-4,M3.5.0,M10.5.0/3', { now: Date.UTC(2027, 0, 1) })).toMatchObject({
      zone: 'Etc/GMT-1',
      message: { text: expect.stringMatching(/go by Etc\/GMT-1$/) },
    });
    expect(settledZone('XXX-1:11')).toMatchObject({ zone: 'UTC', message: {} });
  });

  it.runIf(hasZones)('may be a file', () => {
    expect(settledZone(`${zoneinfo}/Asia/Tokyo`)).toEqual({ zone: 'Asia/Tokyo' });
    expect(settledZone(`:${zoneinfo}/Asia/Tokyo`)).toEqual({ zone: 'Asia/Tokyo' });
    writeFileSync(join(folder, 'text'), 'a text');
    for (const path of [join(folder, 'missing'), join(folder, 'text'), folder])
      expect(settledZone(path)).toMatchObject({ zone: 'UTC', message: { severity: 'warning' } });
  });
});

describe.runIf(hasZones)('the local time', () => {
  it('is that of the content, also behind a link with another name', () => {
    const zones = join(folder, 'zones');
    for (const region of ['Etc', 'Asia', 'Europe']) mkdirSync(join(zones, region), { recursive: true });
    // What Docker makes of `-v /etc/localtime:/etc/localtime`: the file that the link leads to has another content.
    copyFileSync(join(zoneinfo, 'Asia/Tokyo'), join(zones, 'Etc/UTC'));
    copyFileSync(join(zoneinfo, 'Asia/Tokyo'), join(zones, 'Asia/Tokyo'));
    symlinkSync(join(zones, 'Etc/UTC'), join(folder, 'localtime'));
    expect(settledZone(undefined, { localtime: join(folder, 'localtime'), zoneinfo: zones })).toEqual({
      zone: 'Asia/Tokyo',
    });
    expect(settledZone(undefined, { localtime: join(folder, 'localtime') })).toEqual({ zone: 'Asia/Tokyo' });
    // Without any other file of zones, a zone counts that means the same.
    const { zone } = settledZone(undefined, { localtime: join(folder, 'localtime'), zoneinfo: folder });
    expect(offsetsIn(zone)).toEqual([32_400, 32_400]);
  });

  it('is not that of a zone whose file has been replaced', () => {
    const zones = join(folder, 'replaced/Europe');
    mkdirSync(zones, { recursive: true });
    copyFileSync(join(zoneinfo, 'America/New_York'), join(zones, 'Paris'));
    const { zone } = settledZone(undefined, { localtime: join(zones, 'Paris'), zoneinfo: join(folder, 'replaced') });
    expect(offsetsIn(zone)).toEqual([-18_000, -14_400]);
  });

  it('is told where no name means the same', () => {
    const bytes = readFileSync(join(zoneinfo, 'Europe/Berlin'));
    const odd = join(folder, 'odd');
    writeFileSync(
      odd,
      Buffer.from(bytes.toString('latin1').replace(/\nCET-1CEST.*\n$/, '\nXXX-1YYY-4,M3.5.0,M10.5.0\n'), 'latin1'),
    );
    // The file itself tells the changes up to 2037.
    expect(settledZone(undefined, { localtime: odd, now: Date.UTC(2040, 0, 1) })).toMatchObject({
      zone: 'Etc/GMT-1',
      message: { text: `${odd} is no time zone that has a name here: log lines and cron services go by Etc/GMT-1` },
    });
  });
});
