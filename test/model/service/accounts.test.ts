import { describe, expect, it } from 'vitest';
import { parseAccounts, parseGroups, parseUsers } from '../../../src/model/service/accounts.ts';

const database = parseAccounts(
  [
    '# comment',
    'root:x:0:0:root:/root:/bin/sh',
    'joe:x:1000:100:Joe:/home/joe:/bin/sh\r',
    'joe:x:2000:200:second:/other:/bin/sh',
    'bare:x:7:7',
    '1234:x:50:60::/named:/bin/sh',
    'broken:x:abc:1::/x:/x',
    '+nis::::::',
    '',
  ].join('\n'),
  ['root:x:0:', 'users:x:100:', 'adm:x:4:joe, root', 'docker:x:999:joe', 'again:x:999:joe', 'broken:x::joe', ''].join(
    '\n',
  ),
);

describe('parseAccounts', () => {
  it('finds users by name and by number, names first, the first entry of two', () => {
    expect(database.findUser('joe')).toEqual({ name: 'joe', uid: 1000, gid: 100, home: '/home/joe' });
    expect(database.findUser('1000')?.name).toBe('joe');
    expect(database.findUser('2000')?.home).toBe('/other');
    expect(database.findUser('1234')?.uid).toBe(50);
    expect(database.findUser('bare')?.home).toBe('/');
    for (const unknown of ['broken', '+nis', '', '-1', '99', '0x0']) expect(database.findUser(unknown)).toBeUndefined();
  });

  it('finds groups by name and by number', () => {
    expect(database.findGroup('adm')).toEqual({ name: 'adm', gid: 4, members: ['joe', 'root'] });
    expect(database.findGroup('999')?.name).toBe('docker');
    expect(database.findGroup('broken')).toBeUndefined();
  });

  it('gives an account the supplementary groups that name it, and its own group', () => {
    expect(database.account('joe')).toEqual({
      kind: 'found',
      account: { uid: 1000, gid: 100, groups: [100, 4, 999], name: 'joe', home: '/home/joe' },
    });
    expect(database.account('joe', 'docker')).toMatchObject({ account: { gid: 999, groups: [999, 4] } });
  });

  it('takes numbers that have no entry', () => {
    expect(database.account('4242')).toEqual({ kind: 'found', account: { uid: 4242, gid: 0, groups: [0] } });
    expect(database.account('4242', '4243')).toEqual({
      kind: 'found',
      account: { uid: 4242, gid: 4243, groups: [4243] },
    });
    expect(database.account('4294967294')).toMatchObject({ kind: 'found' });
  });

  it('gives chaperone its own group where its uid has no entry, and no other', () => {
    const { account } = parseAccounts('', '', { uid: 4242, gid: 3000 });
    expect(account('4242')).toMatchObject({ account: { uid: 4242, gid: 3000, groups: [3000] } });
    expect(account('4242', '7')).toMatchObject({ account: { uid: 4242, gid: 7, groups: [7] } });
    expect(account('4243')).toMatchObject({ account: { uid: 4243, gid: 0, groups: [0] } });
    const known = parseAccounts('joe:x:1000:100:::', '', { uid: 1000, gid: 3000 });
    expect(known.account('1000')).toMatchObject({ account: { uid: 1000, gid: 100 } });
  });

  it('names what it does not find', () => {
    expect(database.account('nobody')).toEqual({ kind: 'unknownUser', user: 'nobody' });
    expect(database.account('joe', 'wheel')).toEqual({ kind: 'unknownGroup', group: 'wheel' });
    expect(database.account('4294967295')).toEqual({ kind: 'unknownUser', user: '4294967295' });
  });
});

describe('parseUsers and parseGroups', () => {
  it('give hidden entries too, in the order of the file', () => {
    const users = parseUsers('joe:x:5:6::/:/bin/sh\njoe:x:7:8::/:/bin/sh\n+::::::\nbroken:x:y:z\n');
    expect(users.map(({ name, uid, gid }) => [name, uid, gid])).toEqual([
      ['joe', 5, 6],
      ['joe', 7, 8],
    ]);
    expect(parseGroups('a:x:1:\n#b:x:2:\nb:x:1:a, c\n')).toEqual([
      { name: 'a', gid: 1, members: [] },
      { name: 'b', gid: 1, members: ['a', 'c'] },
    ]);
  });
});
