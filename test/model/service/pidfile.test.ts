import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Candidate,
  type Claim,
  type FollowRefusal,
  parsePidfile,
  refusalOf,
} from '../../../src/model/service/pidfile.ts';

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

/** Of web.service, which runs as the account 33, was started at 100 and owns no process of that number. */
const own: Claim = { service: 'web.service', accountUid: 33, owner: undefined, startBegan: 100, isOwn: false };
/** A process of that start. */
const member: Claim = { ...own, owner: 'web.service' };
const ofRoot: Candidate = { pid: 10, uid: 0, began: 100 };
const ofAccount: Candidate = { ...ofRoot, uid: 33 };

interface Case {
  readonly what: string;
  readonly process: Candidate;
  readonly claim: Claim;
  /** The refusal of a pid that root has named, and of one that somebody else has named. */
  readonly byRoot: FollowRefusal | undefined;
  readonly byOthers: FollowRefusal | undefined;
}

describe('which pid may be followed', () => {
  it.each<Case>([
    { what: 'one of its own tree', process: ofRoot, claim: member, byRoot: undefined, byOthers: undefined },
    { what: 'one of its account', process: ofAccount, claim: own, byRoot: undefined, byOthers: undefined },
    { what: 'one of root', process: ofRoot, claim: own, byRoot: undefined, byOthers: 'foreign' },
    {
      what: 'one of a third account',
      process: { ...ofRoot, uid: 34 },
      claim: own,
      byRoot: undefined,
      byOthers: 'foreign',
    },
    {
      what: 'one of root, where the service runs as root',
      process: ofRoot,
      claim: { ...own, accountUid: 0 },
      byRoot: undefined,
      byOthers: 'foreign',
    },
    {
      what: 'the first process of all',
      process: { ...ofRoot, pid: 1 },
      claim: own,
      byRoot: 'first',
      byOthers: 'first',
    },
    {
      what: 'the first one, also in its own tree',
      process: { ...ofRoot, pid: 1 },
      claim: member,
      byRoot: 'first',
      byOthers: 'first',
    },
    { what: 'no process', process: { ...ofRoot, pid: 0 }, claim: own, byRoot: 'first', byOthers: 'first' },
    { what: 'chaperone', process: ofRoot, claim: { ...own, isOwn: true }, byRoot: 'own', byOthers: 'own' },
    {
      what: 'chaperone, where all have one account',
      process: ofAccount,
      claim: { ...member, isOwn: true },
      byRoot: 'own',
      byOthers: 'own',
    },
    {
      what: "another service's, of the same account",
      process: ofAccount,
      claim: { ...own, owner: 'store.service' },
      byRoot: 'owned',
      byOthers: 'owned',
    },
    {
      what: "another service's of before the start: whose it is says more",
      process: { ...ofRoot, began: 50 },
      claim: { ...own, owner: 'store.service' },
      byRoot: 'owned',
      byOthers: 'owned',
    },
    {
      what: 'one of its account that began before the start',
      process: { ...ofAccount, began: 99 },
      claim: own,
      byRoot: 'old',
      byOthers: 'old',
    },
    {
      what: 'one of root that began before the start',
      process: { ...ofRoot, began: 99 },
      claim: own,
      byRoot: 'old',
      byOthers: 'foreign',
    },
    {
      what: "one that began before the start and was this service's already",
      process: { ...ofRoot, began: 99 },
      claim: member,
      byRoot: undefined,
      byOthers: undefined,
    },
    {
      what: 'any of its account, where nobody knows when the start was',
      process: { ...ofAccount, began: 0 },
      claim: { ...own, startBegan: undefined },
      byRoot: undefined,
      byOthers: undefined,
    },
  ])('$what: $byRoot where root says so, $byOthers where others do', ({ process, claim, byRoot, byOthers }) => {
    expect([refusalOf(process, claim, true), refusalOf(process, claim, false)]).toEqual([byRoot, byOthers]);
  });
});
