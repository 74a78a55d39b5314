import { describe, expect, it } from 'vitest';
import { parseBoolean } from '../../../src/config/values.ts';
import {
  asidePath,
  mountPoints,
  persistentFolders,
  readRecord,
  wishedFolders,
  writeRecord,
} from '../../../src/model/place/persistent-folders.ts';

describe('the variables', () => {
  const wish = (environment: Readonly<Record<string, string>>) => wishedFolders(environment, parseBoolean);

  it('ask for folders with True, in any case of letters', () => {
    const all = { PERSISTENT_DATA: 'True', PERSISTENT_OPT: 'true', PERSISTENT_LOG: ' yes ', PERSISTENT_HOME: 'ON' };
    expect(wish(all)).toEqual({ kind: 'wishes', folders: persistentFolders() });
    expect(persistentFolders().map(({ folder, home }) => [folder, home])).toEqual([
      ['/data', '/persistent/data'],
      ['/opt', '/persistent/opt'],
      ['/var/log', '/persistent/log'],
      ['/home', '/persistent/home'],
    ]);
  });

  it('ask for nothing where they are empty, false or missing', () => {
    expect(wish({ PERSISTENT_DATA: '', PERSISTENT_LOG: 'False' })).toEqual({ kind: 'wishes', folders: [] });
  });

  it.each(['1', 'Treu', '/persistent'])('are a mistake with the value %s', (value) => {
    expect(wish({ PERSISTENT_HOME: value })).toEqual({
      kind: 'mistake',
      message: `PERSISTENT_HOME is "${value}": expected True or False`,
    });
  });
});

it('finds the first free name for what is kept aside', () => {
  const taken = new Set(['/data.image', '/data.image.2']);
  expect(asidePath('/data', (path) => taken.has(path))).toBe('/data.image.3');
  expect(asidePath('/opt', (path) => taken.has(path))).toBe('/opt.image');
});

it('reads its own records, and no other text', () => {
  const record = { token: '0123456789abcdef', target: '/persistent/a\nb' };
  expect(readRecord(writeRecord(record))).toEqual(record);
  for (const text of ['', 'x:/y', '0123456789abcdef:relative', '../data']) expect(readRecord(text)).toBeUndefined();
});

it('reads mount points with blanks and backslashes', () => {
  const line = (path: string): string => `36 35 98:0 / ${path} rw,noatime master:1 - ext3 /dev/root rw\n`;
  expect(mountPoints(line('/mnt\\040a') + line('/b\\134c'))).toEqual(['/mnt a', '/b\\c']);
});
