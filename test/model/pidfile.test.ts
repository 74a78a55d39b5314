import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mayBeFollowed, parsePidfile } from '../../src/model/pidfile.ts';

describe('parsePidfile', () => {
  it.each(['4711', '4711\n', '  4711 \r\n'])('finds the number in %j', (text) => {
    expect(parsePidfile(text)).toEqual({ kind: 'pid', pid: 4711 });
  });

  it.each(['', '\n', '0', '-1', '47 11', '4711x', '0x10', '99999999999'])('finds none in %j', (text) => {
    expect(parsePidfile(text)).toEqual({ kind: 'garbage' });
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => ['pid', 'garbage'].includes(parsePidfile(text).kind)));
  });
});

describe('mayBeFollowed', () => {
  it.each([
    { pid: 10, descendant: true, uid: 0, account: 33, allowed: true },
    { pid: 10, descendant: false, uid: 33, account: 33, allowed: true },
    { pid: 10, descendant: false, uid: 0, account: 33, allowed: false },
    { pid: 1, descendant: true, uid: 0, account: 0, allowed: false },
  ])('$pid, descendant $descendant, uid $uid, for account $account: $allowed', ({ account, allowed, ...candidate }) => {
    expect(mayBeFollowed(candidate, account)).toBe(allowed);
  });
});
