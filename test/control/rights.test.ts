import { describe, expect, it } from 'vitest';
import { parseLine } from '../../src/control/command.ts';
import { createRights, grantableActions, neededFor } from '../../src/control/rights.ts';

const everything = [...grantableActions];

describe('rights', () => {
  const rights = createRights({
    owners: [500],
    grants: [
      { to: { kind: 'user', uid: 1000 }, actions: ['restart'] },
      { to: { kind: 'group', gid: 27 }, actions: 'all' },
      { to: { kind: 'everybody' }, actions: ['logs'] },
    ],
    isMember: (uid, gid) => uid === 1001 && gid === 27,
  });
  const allowed = (uid: number, gid: number) => everything.filter((action) => rights.may({ uid, gid }, action));

  it('root and the owners may do everything', () => {
    expect(allowed(0, 5)).toEqual(everything);
    expect(allowed(500, 500)).toEqual(everything);
    expect(rights.isOwner({ uid: 500, gid: 0 })).toBe(true);
  });

  it('others may what is granted: to them, to their group, to everybody', () => {
    expect(allowed(1000, 1000)).toEqual(['restart', 'logs']);
    expect(allowed(1001, 1001)).toEqual(everything);
    expect(allowed(1002, 27)).toEqual(everything);
    expect(allowed(1003, 1003)).toEqual(['logs']);
    expect(rights.isOwner({ uid: 1001, gid: 27 })).toBe(false);
  });

  it('the group 0 is no root', () => {
    expect(createRights({ owners: [], grants: [], isMember: () => false }).may({ uid: 9, gid: 0 }, 'stop')).toBe(false);
  });
});

describe('what a command needs', () => {
  it.each([
    ['status web', []],
    ['dependencies', []],
    ['wait web', []],
    ['loglevel', []],
    ['loglevel debug', ['loglevel']],
    ['start web', ['start']],
    ['start --enable --force web', ['start', 'enable', 'stop']],
    ['stop --disable web', ['stop', 'disable']],
    ['reset --force web', ['reset', 'stop']],
    ['restart web', ['restart']],
    ['kill web TERM', ['kill']],
    ['enable web', ['enable']],
    ['shutdown', ['shutdown']],
    ['reload --dry-run', ['reload']],
  ])('%s', (line, needed) => {
    const parsed = parseLine(line);
    expect(parsed.kind === 'command' && neededFor(parsed.command)).toEqual(needed);
  });
});
