/** The account a program runs under, already looked up. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups, the primary one included. */
  readonly groups: readonly number[];
  /** The account's name, where the account database has one. */
  readonly name?: string;
  /** The account's home directory, where the account database has one. */
  readonly home?: string;
}
