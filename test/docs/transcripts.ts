/** What goes wrong, as people meet it: each entry is run by a test and becomes a section of docs/guide/troubleshooting.md. */
import type { Booted } from '../boot/namespace.ts';
import { connected, talk } from '../boot/ports.ts';

export interface Transcript {
  /** What the person sees or asks; a heading. */
  readonly title: string;
  /** The configuration, as the page shows it. `8080` stands for a port of the test's choice. */
  readonly config: string;
  readonly command?: readonly string[];
  /** Who has the port 8080 before. */
  readonly port?: 'free' | 'busy';
  /** The line after which chaperone is told to stop; without it the system ends by itself. */
  readonly until?: RegExp;
  /** What is done to it meanwhile; it begins at once. */
  readonly act?: (system: Booted, port: number) => Promise<void>;
  /** The lines that the page quotes. */
  readonly shows: RegExp;
  readonly exit: number;
  /** What it means and what to do: a sentence or two, Markdown. */
  readonly advice: string;
}

/** The last lines, and mistakes in the configuration. */
const explanation = /^chaperone: |^ {2}\w|^\/etc\/|^ {2,}\d* \||^$/;

export const transcripts: readonly Transcript[] = [
  {
    title: 'The container ends at once: a misspelt key',
    config: `web.service:
  comand: sleep infinity
`,
    shows: explanation,
    exit: 1,
    advice: 'Every mistake of every file is told before anything starts, each with its place.',
  },
  {
    title: 'The container ends at once: services wait for each other',
    config: `web.service: { command: sleep infinity, after: store.service }
store.service: { command: sleep infinity, after: web.service }
`,
    shows: explanation,
    exit: 1,
    advice: 'Take out the `after` or `before` that is not needed for readiness.',
  },
  {
    title: 'The container ends at once: a program is missing',
    config: `web.service: { command: nginx-debug }
backup.service: { type: cron, interval: daily, command: /opt/backup }
`,
    shows: explanation,
    exit: 1,
    advice: 'Programs are looked up before anything starts, those of cron and inetd services too.',
  },
  {
    title: 'The container ends at once: a service dies in its first half second',
    config: `web.service:
  command: sh -c 'echo cannot open /run/web.sock >&2; exit 2'
`,
    shows: explanation,
    exit: 1,
    advice:
      'An early death (`startup_pause`) is a failed start. `ignore_failures: true` would let the system go on without it.',
  },
  {
    title: 'The container ends at once: a preparation fails',
    config: `migrate.service:
  type: oneshot
  command: sh -c 'echo no such table; exit 3'
web.service: { command: sleep infinity, after: migrate.service }
`,
    shows: explanation,
    exit: 1,
    advice: 'A oneshot service has to end with 0; what waits for it does not start.',
  },
  {
    title: 'The container ends after a while: a preparation does not come to its end',
    config: `migrate.service:
  type: oneshot
  command: sh -c 'echo waiting for the database; exec sleep infinity'
  process_timeout: 0.5
`,
    shows: explanation,
    exit: 1,
    advice:
      'Give it more time (`process_timeout`, 60 s by default), or find out what it waits for: its last words say it here.',
  },
  {
    title: 'The container ends at once: a script whose interpreter is missing',
    config: `web.service: { command: $(_CHAP_CONFIG_DIR)/chaperone.d/script }
`,
    shows: explanation,
    exit: 1,
    advice:
      'The file is there; what its first line names is not. With Windows line ends the name ends in a carriage return.',
  },
  {
    title: 'The container ends at once and says nothing is wrong',
    config: `web.service: { command: sleep infinity, enabled: "$(WEB:-no)" }
`,
    shows: /No service startups/,
    exit: 0,
    advice: 'Every service is disabled. Here the variable `WEB` decides, and it is not set.',
  },
  {
    title: 'A service is given up after some restarts',
    config: `worker.service:
  command: sh -c 'sleep 0.2; exit 1'
  startup_pause: 0.1
  restart: true
  restart_delay: 0.1
  restart_limit: 1
`,
    shows: /terminated abnormally|pausing/,
    exit: 0,
    advice:
      'Once `restart_limit` is used up the service has failed, and the system goes on without it. The count is forgotten when the service has been ready for `restart_delay` and a second.',
  },
  {
    title: 'A bad interval',
    config: `report.service:
  type: cron
  interval: "61 25 * * mno"
  command: "true"
`,
    shows: explanation,
    exit: 1,
    advice: 'Five fields: minute, hour, day of month, month, day of week; or six, with the seconds last.',
  },
  {
    title: 'A job for the start of the container',
    config: `warm.service: { type: cron, interval: "@reboot", command: "true" }
`,
    shows: explanation,
    exit: 1,
    advice: 'A oneshot service in the group INIT runs once, before all others.',
  },
  {
    title: 'A time zone that nobody knows',
    config: `settings: { timezone: Europe/Berln }
report.service: { type: cron, interval: "30 2 * * *", command: "true" }
`,
    shows: explanation,
    exit: 1,
    advice: 'Without `timezone` schedules go by the variable `TZ` that Chaperone is started with.',
  },
  {
    title: 'A job is skipped',
    config: `long.service: { type: cron, interval: "* * * * * *", command: sleep infinity }
`,
    until: /will not run again/,
    shows: /running CMD|will not run again/,
    exit: 0,
    advice:
      'A job never runs beside itself: a tick that finds the last run alive is skipped. One that hangs needs a limit of its own, such as `timeout 50 COMMAND`.',
  },
  {
    title: 'A job fails',
    config: `report.service:
  type: cron
  interval: "* * * * * *"
  command: sh -c 'echo disk full >&2; exit 1'
`,
    until: /terminated abnormally/,
    shows: /running CMD|disk full|terminated abnormally/,
    exit: 0,
    advice: 'A failed run changes nothing for the next one, and never fails the system.',
  },
  {
    title: 'A port is taken',
    config: `git.service: { type: inetd, port: 8080, command: cat }
`,
    port: 'busy',
    shows: explanation,
    exit: 1,
    advice: 'Often another service of the same container, or, with `--network host`, a program of the host.',
  },
  {
    title: 'A connection is closed at once',
    config: `git.service: { type: inetd, port: 8080, command: sh -c 'exit 7' }
`,
    port: 'free',
    until: /connection handler/,
    act: async (system, port) => {
      await system.waitForLine(/listening on port/);
      await talk(port, '');
    },
    shows: /connection handler/,
    exit: 0,
    advice: 'Its handler has failed. What it prints goes to the client, also what it prints to stderr.',
  },
  {
    title: 'Stopping takes a while: connections are still served',
    config: `git.service: { type: inetd, port: 8080, command: sh -c 'echo ready; exec sleep infinity' }
`,
    port: 'free',
    act: async (system, port) => {
      await system.waitForLine(/listening on port/);
      await connected(port);
      system.signal('SIGTERM');
    },
    shows: /still running/,
    exit: 0,
    advice: 'They get the `kill_signal` at once, and SIGKILL when the share of `shutdown_timeout` is over.',
  },
  {
    title: 'The command has ended, and the container goes on',
    config: `report.service: { type: cron, interval: daily, command: "true" }
`,
    command: ['sh', '-c', 'exit 3'],
    until: /will remain active/,
    shows: /will remain active/,
    exit: 0,
    advice:
      'Without a terminal the end of the command ends the container only when nothing else runs or is scheduled. `--exitkills` ends it in any case, with the status of the command; `--disable-services` leaves the others out.',
  },
];
