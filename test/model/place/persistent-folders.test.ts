import { describe, expect, it } from 'vitest';
import { parseBoolean } from '../../../src/config/values.ts';
import {
  asidePath,
  type FolderFacts,
  type FolderPlan,
  isInside,
  mountPoints,
  persistentFolders,
  planFolder,
  readRecord,
  recordPath,
  stagingPath,
  tokenPath,
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

describe('what is to be done with a folder', () => {
  const data = { variable: 'PERSISTENT_DATA', folder: '/data', home: '/persistent/data' };
  const image: FolderFacts = {
    folder: { kind: 'folder' },
    leadsHome: false,
    home: 'absent',
    mounts: ['/', '/database', '/persistent'],
    own: ['/opt/chaperone', '/data.js'],
  };
  const link = { kind: 'link', target: '/elsewhere' } as const;
  const refusal = (why: string): FolderPlan => ({ kind: 'refuse', why });

  it.each<[string, Partial<FolderFacts>, FolderPlan]>([
    ['moves to the volume the first time', {}, { kind: 'move' }],
    ['is set aside where the volume has it already', { home: 'folder' }, { kind: 'setAside' }],
    ['begins on the volume where the image has none', { folder: { kind: 'absent' } }, { kind: 'begin', link: true }],
    ['lacks the link alone', { folder: { kind: 'absent' }, home: 'folder' }, { kind: 'link' }],
    ['is a link that leads to nothing yet', { folder: link, leadsHome: true }, { kind: 'begin', link: false }],
    ['is as it should be', { folder: link, leadsHome: true, home: 'folder' }, { kind: 'nothing' }],
    ['is a link to somewhere else', { folder: link }, refusal('/data is a symbolic link to /elsewhere')],
    [
      'is a link to somewhere else, beside a home',
      { folder: link, home: 'folder' },
      refusal('/data is a symbolic link to /elsewhere'),
    ],
    ['has a home that is no folder', { home: 'other' }, refusal('/persistent/data is there and is no folder')],
    ['is no folder', { folder: { kind: 'other' } }, refusal('/data is no folder')],
    ['is a volume of its own', { mounts: ['/data', '/data/in'] }, { kind: 'mounted' }],
    [
      'has volumes in it, of which the first is named',
      { mounts: ['/', '/data/in', '/data/on'] },
      refusal('/data/in is a mount of its own, which cannot be moved'),
    ],
    [
      'has chaperone in it, of which the first file is named',
      { own: ['/opt/x', '/data/chaperone', '/data/node'] },
      refusal('/data/chaperone belongs to chaperone itself, which an older copy on the volume would replace later'),
    ],
  ])('%s', (_, facts, plan) => {
    expect(planFolder(data, { ...image, ...facts })).toEqual(plan);
  });

  it('knows what is in a folder', () => {
    const paths = ['/', '/data', '/data/', '/data/a', '/database', '/x/data', '/dat'];
    expect(paths.filter((path) => isInside(path, '/data'))).toEqual(['/data', '/data/', '/data/a']);
    expect(paths.filter((path) => isInside(path, '/data/'))).toEqual(['/data/', '/data/a']);
    expect(paths.filter((path) => isInside(path, '/'))).toEqual(paths);
  });

  it('hides what is beside it', () => {
    expect(stagingPath('/persistent/data')).toBe('/persistent/.data.chaperone-new');
    expect(recordPath('/data')).toBe('/.data.chaperone-moving');
    expect(tokenPath('/p/q/data', 'abc')).toBe('/p/q/.data.chaperone-abc');
  });
});

it('finds the first free name for what is kept aside', () => {
  const taken = new Set(['/data.image', '/data.image.2']);
  expect(asidePath('/data', (path) => taken.has(path))).toBe('/data.image.3');
  expect(asidePath('/data', (path) => path === '/data.image')).toBe('/data.image.2');
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
