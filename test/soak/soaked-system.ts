/** The system that a soak runs: services of every kind, none of which rests. */

import { join } from 'node:path';

export interface Places {
  /** The folder of the soak; its own `chaperone.d` is the configuration. */
  readonly folder: string;
  /** Chaperone's programs: `sdnotify` is among them. */
  readonly programs: string;
  /** The TCP port of the inetd service. */
  readonly port: number;
}

/** Names that are new again and again: whatever is kept by the name of a service or a program would grow. */
const newcomers = 3;

/**
 * The configuration file of one generation. Each generation changes some services, and has some whose names no earlier
 * generation has had.
 */
export function soakedSystem({ folder, programs, port }: Places, generation: number): string {
  const at = (name: string): string => join(folder, name);
  const logger = `logger --socket ${at('log')}`;
  const restless = { restart: true, restart_limit: 1_000_000, restart_delay: 0.5, startup_pause: 0.1 };
  const sections: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
    settings: { detect_exit: false, log_socket: at('log'), env_set: { GENERATION: `${generation}`, LC_ALL: 'C' } },
    'crash.service': { ...restless, command: "sh -c 'echo ends; sleep 1; exit 3'", ignore_failures: true },
    'behind.service': { command: 'sleep infinity', requires: 'crash.service', startup_pause: 0.1 },
    'killed.service': { ...restless, command: "sh -c 'sleep 1 & sleep 1; kill -SEGV $$'", ignore_failures: true },
    'tick.service': {
      type: 'cron',
      interval: '* * * * * *',
      command: `sh -c 'echo tick; ${logger} --tag "tag-$$" --id a record of a program that was never seen before'`,
    },
    'slow.service': { type: 'cron', interval: '*/3 * * * * *', overlap: 'replace', command: 'sleep 4' },
    'notify.service': {
      type: 'notify',
      watchdog: 20,
      command: `sh -c '${join(programs, 'sdnotify')} --ready; while :; do ${join(programs, 'sdnotify')} --status "at $(date)" WATCHDOG=1; sleep 2; done'`,
    },
    'talker.service': {
      command: `sh -c 'n=0; while :; do n=$((n + 1)); echo "line $n of generation $GENERATION"; sleep 0.1; done'`,
      log_rate: '20/s',
    },
    'hooked.service': {
      ...restless,
      restart: 'always',
      command: 'sleep 2',
      before_start: 'true',
      after_start: 'true',
      after_stop: 'true',
    },
    'asked.service': {
      command: 'sleep infinity',
      reload_command: 'true',
      ready: { command: 'true', interval: '1s' },
      healthy: { command: "sh -c 'test $(( $(date +%s) / 10 % 2 )) = 0'", interval: '2s' },
    },
    'forking.service': {
      ...restless,
      type: 'forking',
      pidfile: at('forking.pid'),
      command: `sh -c 'sleep 2 & echo $! > ${at('forking.pid')}'`,
      ignore_failures: true,
    },
    'orphans.service': { ...restless, command: "sh -c '(sleep 1 &) ; sleep 2; exit 1'", ignore_failures: true },
    'echo.service': { type: 'inetd', port, command: "sh -c 'read line; echo you said $line'" },
    'once.service': { type: 'oneshot', command: `sh -c 'echo once'` },
    'worker@.service': { instances: 1, command: 'sleep infinity', startup_pause: 0.1 },
    ...Object.fromEntries(
      Array.from({ length: newcomers }, (_, nth) => [
        `new-${generation}-${nth}.service`,
        { command: "sh -c 'echo here; exec sleep infinity'", startup_pause: 0.1 },
      ]),
    ),
    'all.logging': { selector: '*.info', file: at('soak.log'), max_size: '200k', keep: 2 },
    'out.logging': { selector: '*.info', stdout: true },
  };
  // JSON is YAML, and needs no care about quotes.
  return JSON.stringify(sections, undefined, 2);
}
