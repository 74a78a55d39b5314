/** What a cron service does at a tick, beside running its command. */
export interface CronOptions {
  /** The time zone of its schedule, a name that Intl knows; absent: that of the settings. */
  readonly timeZone?: string;
  /** What a tick does that finds the last run alive; absent: it is skipped. */
  readonly overlap?: 'queue' | 'replace';
  /** ms by which each tick is put off at most, at random; absent: none. */
  readonly jitter?: number;
  /** Each start of the service begins with a run. */
  readonly runAtStart?: true;
  /** False: ticks that a suspend or a set clock has passed over are lost; absent: they lead to one run. */
  readonly catchUp?: false;
}
