import { describe, expect, it } from 'vitest';
import {
  asHelpers,
  type NotifyRights,
  type NotifySender,
  type Standing,
  speaksForService,
  standingOf,
  unknownSender,
} from '../../../src/model/service/notify-access.ts';
import type { NotifyAccess } from '../../../src/model/service/notify-message.ts';

const rights: Omit<NotifyRights, 'access'> = { mainPid: 10, accounts: [0, 500, 33] };

describe('the credentials of a sender', () => {
  it.each<[string, NotifySender, Record<NotifyAccess, Standing>]>([
    ['root', { pid: 7, uid: 0 }, { all: 'permitted', exec: 'permitted', main: 'refused', none: 'refused' }],
    [
      "chaperone's account",
      { pid: 7, uid: 500 },
      { all: 'permitted', exec: 'permitted', main: 'refused', none: 'refused' },
    ],
    [
      "the service's account",
      { pid: 7, uid: 33 },
      { all: 'permitted', exec: 'permitted', main: 'refused', none: 'refused' },
    ],
    [
      'the main process',
      { pid: 10, uid: 33 },
      { all: 'permitted', exec: 'permitted', main: 'permitted', none: 'refused' },
    ],
    [
      'the main process, of another account by now',
      { pid: 10, uid: 1000 },
      { all: 'permitted', exec: 'undecided', main: 'undecided', none: 'refused' },
    ],
    ['a stranger', { pid: 7, uid: 1000 }, { all: 'permitted', exec: 'undecided', main: 'refused', none: 'refused' }],
    [
      'a sender of whom the kernel tells nothing',
      unknownSender,
      { all: 'permitted', exec: 'refused', main: 'refused', none: 'refused' },
    ],
    [
      'the first process',
      { pid: 1, uid: 0 },
      { all: 'permitted', exec: 'permitted', main: 'refused', none: 'refused' },
    ],
    [
      'root from elsewhere',
      { pid: 0, uid: 0 },
      { all: 'permitted', exec: 'refused', main: 'refused', none: 'refused' },
    ],
  ])('of %s decide', (_who, sender, expected) => {
    const standings = (['all', 'exec', 'main', 'none'] as const).map((access) => [
      access,
      standingOf(sender, { ...rights, access }),
    ]);
    expect(Object.fromEntries(standings)).toEqual(expected);
  });

  it('from elsewhere are not those of a main process that nobody knows', () => {
    expect(standingOf({ pid: 0, uid: 0 }, { ...rights, access: 'main', mainPid: 0 })).toBe('refused');
  });
});

describe('an error', () => {
  const running = { startPid: 10, startEnded: false, named: undefined };
  const moved = { ...running, named: 20 };
  const daemon = { ...running, startEnded: true };
  const followed = { ...moved, startEnded: true };

  it.each([
    ['from the run itself', 10, running, true],
    ['from a helper', 11, running, false],
    ['from elsewhere', 0, running, false],
    ['from the run itself, which has named another', 10, moved, true],
    ['from the process of MAINPID', 20, moved, true],
    ['from a helper of a service that has moved', 21, moved, false],
    ['from whoever is left once the run has ended', 11, daemon, true],
    ['from a helper of a daemon that has named itself', 21, followed, false],
    ['from the process of MAINPID after the run has ended', 20, followed, true],
    ['from a number that was the pid of the run', 10, followed, false],
  ])('%s counts as it should', (_what, pid, processes, counts) => {
    expect(speaksForService({ pid, uid: 0 }, { errno: 2 }, processes)).toBe(counts);
    expect(speaksForService({ pid, uid: 0 }, { errno: 2, vouched: true }, processes)).toBe(true);
  });

  it('counts from a process that names itself in the same datagram', () => {
    expect(speaksForService({ pid: 11, uid: 0 }, { errno: 2, mainPid: 11 }, running)).toBe(true);
    expect(speaksForService({ pid: 11, uid: 0 }, { errno: 2, mainPid: 12 }, running)).toBe(false);
  });

  it('of a helper becomes the note, unless the helper has said what to note', () => {
    expect(asHelpers({ errno: 2, busError: 'org.e.X', exitStatus: 1, ready: true }, 11)).toEqual({
      ready: true,
      status: 'ERRNO=2 BUSERROR=org.e.X from a helper (pid 11)',
    });
    expect(asHelpers({ errno: 2, status: 'up' }, 11)).toEqual({ status: 'up' });
    expect(asHelpers({ errno: 0, exitStatus: 0 }, 11)).toEqual({});
  });
});
