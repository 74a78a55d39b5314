import { describe, expect, it } from 'vitest';
import { AccountShares } from '../../../src/runtime/logging/account-shares.ts';

function sharing() {
  const told: (readonly [dropped: number, account: string])[] = [];
  const shares = new AccountShares((dropped, account) => told.push([dropped, account]));
  /** Gives so many records of so many bytes; returns how many were admitted. */
  const give = (uid: number, bytes: number, count: number): number => {
    let admitted = 0;
    for (let index = 0; index < count; index++) {
      if (shares.admits(uid, bytes)) admitted += 1;
      else shares.drop(uid);
    }
    return admitted;
  };
  return { told, shares, give };
}

describe('the shares of a queue', () => {
  it('are 128 KiB for each account, until there is room', () => {
    const { told, shares, give } = sharing();
    expect(give(1000, 60_000, 20)).toBe(2);
    expect(give(1001, 100, 200)).toBe(200);
    // What is left of a share may be used by smaller records.
    expect(give(1000, 11_000, 3)).toBe(1);
    expect(told).toEqual([]);
    shares.renew();
    expect(told).toEqual([[20, 'uid 1000']]);
    expect(give(1000, 60_000, 2)).toBe(2);
    shares.renew();
    expect(told).toHaveLength(1);
  });

  it('are told apart for so many accounts', () => {
    const { told, shares, give } = sharing();
    for (let uid = 0; uid < 1_000; uid++) expect(give(uid, 100, 1)).toBe(1);
    expect(give(5_000, 100_000, 1) + give(5_001, 100_000, 1)).toBe(1);
    expect(give(7, 200_000, 1)).toBe(0);
    shares.renew();
    expect(told).toEqual([
      [1, 'uid 7'],
      [1, 'further accounts'],
    ]);
  });
});
