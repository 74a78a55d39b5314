/** The time limits that the machines of all kinds of services share. */

/** The longest delay that a clock accepts, ms: a thousand years. */
export const forever = 3e13;

/** ms from the kill signal to SIGKILL, where a service ends its own failed run, or what its finished runs have left. */
export const clearGrace = 2_000;
