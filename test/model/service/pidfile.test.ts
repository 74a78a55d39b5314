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

/** Of web.service, which runs as root, was started at 100 and owns no process of that number. */
const own: Claim = { service: 'web.service', accountUid: 0, owner: undefined, startBegan: 100 };
/** A child of that start. */
const child: Candidate = { pid: 10, descendant: true, uid: 0, began: 100 };

interface Case {
  readonly what: string;
  readonly process?: Partial<Candidate>;
  readonly claim?: Partial<Claim>;
  readonly refusal: FollowRefusal | undefined;
}

describe('which pid may be followed', () => {
  it.each<Case>([
    { what: 'a descendant that began with the start', refusal: undefined },
    { what: 'a descendant under another account', process: { uid: 33 }, refusal: undefined },
    {
      what: 'one of the account that no longer descends from chaperone',
      process: { descendant: false, uid: 33 },
      claim: { accountUid: 33 },
      refusal: undefined,
    },
    { what: 'one that is neither', process: { descendant: false }, claim: { accountUid: 33 }, refusal: 'foreign' },
    { what: 'the first process of all', process: { pid: 1 }, refusal: 'first' },
    {
      what: 'the first one, also where it is its own',
      process: { pid: 1 },
      claim: { owner: 'web.service' },
      refusal: 'first',
    },
    { what: 'no process', process: { pid: 0 }, refusal: 'first' },
    { what: "another service's", claim: { owner: 'store.service' }, refusal: 'owned' },
    {
      what: "another service's of before the start: whose it is says more",
      process: { began: 50 },
      claim: { owner: 'store.service' },
      refusal: 'owned',
    },
    {
      what: "another service's, which is no descendant",
      process: { descendant: false },
      claim: { owner: 'store.service', accountUid: 33 },
      refusal: 'owned',
    },
    { what: 'one that began before the start', process: { began: 99 }, refusal: 'old' },
    {
      what: 'one of the account that began before the start',
      process: { descendant: false, began: 99 },
      refusal: 'old',
    },
    {
      what: 'a foreign one that began before the start',
      process: { descendant: false, began: 99 },
      claim: { accountUid: 33 },
      refusal: 'foreign',
    },
    {
      what: "one that began before the start and was this service's already",
      process: { began: 99 },
      claim: { owner: 'web.service' },
      refusal: undefined,
    },
    {
      what: 'any, where nobody knows when the start was',
      process: { began: 0 },
      claim: { startBegan: undefined },
      refusal: undefined,
    },
  ])('$what: $refusal', ({ process = {}, claim = {}, refusal }) => {
    expect(refusalOf({ ...child, ...process }, { ...own, ...claim })).toBe(refusal);
  });
});
