/** Bytes of one account that a queue takes while it is more than half full. */
const share = 128 * 1024;
/** How many accounts are told apart; the others share what is left to one. */
const mostAccounts = 1_000;
const otherAccounts = -1;

interface Account {
  bytes: number;
  dropped: number;
}

/**
 * Shares the second half of a queue among the accounts that write to the log socket, so that the flood of one costs no line of
 * another. What is dropped is counted and told for each account.
 */
export class AccountShares {
  readonly #accounts = new Map<number, Account>();
  readonly #tell: (dropped: number, account: string) => void;

  /** @param tell is called for each account with dropped records, once there is room again */
  constructor(tell: (dropped: number, account: string) => void) {
    this.#tell = tell;
  }

  /** Takes so many bytes from the share of the account; false where the share has fewer left, and stays as it is. */
  admits(uid: number, bytes: number): boolean {
    const account = this.#account(uid);
    if (account.bytes + bytes > share) return false;
    account.bytes += bytes;
    return true;
  }

  drop(uid: number): void {
    this.#account(uid).dropped += 1;
  }

  /** Each account gets its share anew, because there is room again. */
  renew(): void {
    if (this.#accounts.size === 0) return;
    const accounts = [...this.#accounts];
    this.#accounts.clear();
    for (const [uid, { dropped }] of accounts) {
      if (dropped > 0) this.#tell(dropped, uid === otherAccounts ? 'further accounts' : `uid ${uid}`);
    }
  }

  #account(uid: number): Account {
    const key = this.#accounts.has(uid) || this.#accounts.size < mostAccounts ? uid : otherAccounts;
    const known = this.#accounts.get(key);
    if (known !== undefined) return known;
    const made = { bytes: 0, dropped: 0 };
    this.#accounts.set(key, made);
    return made;
  }
}
