import { createExpander, ExpansionError, type Level } from '../words/expand.ts';
import type { Account } from './account.ts';

/** Variables whose values are known only when a service starts, with stand-ins that are used until then. */
export const lateVariables: Readonly<Record<string, string>> = {
  _CHAP_SERVICE_SERIAL: '1',
  _CHAP_SERVICE_TIME: '0',
};

/** A level of variables, and the account under which its commands in backticks run. */
export interface AccountLevel extends Level {
  readonly account?: Account;
}

/** Late variables that only notify services have. */
export const notifyVariables: Readonly<Record<string, string>> = { NOTIFY_SOCKET: '/run/chaperone/notify' };

/** Everything that is needed to expand the variables that depend on late ones. */
export interface LateEnvironment {
  /** Outermost first. */
  readonly levels: readonly AccountLevel[];
  /** The variables to expand at each start. */
  readonly names: readonly string[];
  /** Outputs of the commands in backticks, by `commandKey`. */
  readonly outputs: ReadonlyMap<string, string>;
}

/** The environment of a service as it is configured. */
export interface ConfiguredEnvironment {
  readonly environment: Readonly<Record<string, string>>;
  /** Absent if no variable depends on the run. */
  readonly late?: LateEnvironment;
}

/** A command in backticks runs once per account. */
export function commandKey(command: string, account: Account | undefined): string {
  const owner = account === undefined ? '' : [account.uid, account.gid, ...account.groups].join(',');
  return `${owner}\0${command}`;
}

/** True for a variable of chaperone's own, which programs do not get. */
export function isOwnVariable(name: string): boolean {
  return name.startsWith('_CHAP');
}

/**
 * The environment of one run: the same object at each run where it does not depend on the run.
 *
 * @param known the late variables of this run; those that are not chaperone's own are given to the program
 */
export function environmentOfRun(
  { environment, late }: ConfiguredEnvironment,
  known: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const given = Object.entries(known).filter(([name]) => !isOwnVariable(name));
  if (late === undefined && given.length === 0) return environment;
  const result = new Map([...Object.entries(environment), ...given]);
  if (late === undefined) return Object.fromEntries(result);
  const levels: AccountLevel[] = [...late.levels, { values: new Map(Object.entries(known)), data: 'literal' }];
  const expander = createExpander(levels, {
    commandOutput: (command, level) => {
      const account = level === undefined ? undefined : levels[level]?.account;
      return late.outputs.get(commandKey(command, account));
    },
  });
  for (const name of late.names) {
    const value = attempt(() => expander.variable(name));
    if (value !== undefined) result.set(name, value);
  }
  return Object.fromEntries(result);
}

/** An expansion that passed with stand-ins may fail with the true values: then the variable is not set. */
function attempt(expand: () => string | undefined): string | undefined {
  try {
    return expand();
  } catch (error) {
    if (error instanceof ExpansionError) return undefined;
    throw error;
  }
}
