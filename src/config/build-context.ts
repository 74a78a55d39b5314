/** What sections are built with. */
import type { AccountDatabase } from '../model/service/accounts.ts';
import type { Commands, EnvironmentLevel } from './environment.ts';
import type { Report } from './report.ts';
import type { ResolvedAccount } from './resolve-account.ts';

/** Defaults that the settings and the surroundings give to every service. */
export interface Defaults {
  /** Outermost first. */
  readonly levels: readonly EnvironmentLevel[];
  readonly account: ResolvedAccount;
  /** True if the settings name a group. */
  readonly gidGiven: boolean;
  readonly debug: boolean;
  readonly ignoreFailures: boolean;
  readonly startupPause: number;
  readonly processTimeout: number | undefined;
  readonly shutdownTimeout: number;
}

export interface BuildContext {
  readonly accounts: AccountDatabase;
  readonly commands: Commands;
  readonly report: Report;
}
