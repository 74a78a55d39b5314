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
    title: 'The container ends at once: a command that was written for a shell',
    config: `web.service:
  type: oneshot
  command: sleep 0.1 && echo ready
`,
    shows: explanation,
    exit: 1,
    advice:
      'Chaperone starts programs without a shell. `chaperonectl check` finds such a command before it fails, also one that fails nowhere and does something else.',
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
    title: 'A forking service does not become ready: its program stays in the foreground',
    config: `web.service:
  type: forking
  command: sh -c 'echo serving; exec sleep infinity'
  process_timeout: 0.5
`,
    shows: explanation,
    exit: 1,
    advice:
      'A forking service is one whose program ends once its daemon runs. A program that stays wants `type: simple`, or the option that sends it to the background.',
  },
  {
    title: 'A forking service does not become ready: its program fails',
    config: `web.service:
  type: forking
  command: sh -c 'echo "syntax error in web.cfg, line 3" >&2; exit 1'
  pidfile: $(_CHAP_CONFIG_DIR)/web.pid
`,
    shows: explanation,
    exit: 1,
    advice: 'The exit status of the start counts before its pidfile is looked for.',
  },
  {
    title: 'A forking service does not become ready: no pidfile',
    config: `web.service:
  type: forking
  command: sh -c 'setsid sleep infinity &'
  pidfile: $(_CHAP_CONFIG_DIR)/web.pid
  process_timeout: 0.5
`,
    shows: explanation,
    exit: 1,
    advice:
      'The daemon writes another file, none at all, or not in time. Without `pidfile` the service is ready when its program has ended with 0; what it leaves behind is stopped with it, but nobody notices when it crashes.',
  },
  {
    title: 'A forking service does not become ready: no number in its pidfile',
    config: `web.service:
  type: forking
  command: sh -c 'echo web is up > $(_CHAP_CONFIG_DIR)/web.pid'
  pidfile: $(_CHAP_CONFIG_DIR)/web.pid
  process_timeout: 0.5
`,
    shows: explanation,
    exit: 1,
    advice: 'A pidfile holds one decimal number and nothing else. One that is empty for a moment does no harm.',
  },
  {
    title: 'A forking service does not become ready: nothing lives under its pid',
    config: `web.service:
  type: forking
  command: sh -c 'echo $$ > $(_CHAP_CONFIG_DIR)/web.pid; setsid sleep infinity &'
  pidfile: $(_CHAP_CONFIG_DIR)/web.pid
  process_timeout: 0.5
`,
    shows: explanation,
    exit: 1,
    advice:
      'The script has written its own pid (`$$`), which ends with it, where that of the daemon belongs (`$!`, or better by the daemon itself).',
  },
  {
    title: 'A forking service does not become ready: its pidfile names a process of others',
    config: `web.service:
  type: forking
  command: sh -c 'echo 1 > $(_CHAP_CONFIG_DIR)/web.pid'
  pidfile: $(_CHAP_CONFIG_DIR)/web.pid
  process_timeout: 0.5
`,
    shows: explanation,
    exit: 1,
    advice:
      'Whatever is followed is signalled at the stop. So PID 1, Chaperone itself, the processes of other services and those that are older than the start never are. A pidfile that root alone can have put there may name any other process; one of another account, only a process that belongs to the service or runs under its account.',
  },
  {
    title: 'A notify service does not become ready: redis',
    config: `# Its arguments end in what redis-server would be called with.
store.service:
  type: notify
  command: sh -c 'echo Ready to accept connections; exec sleep infinity' redis-server --port 6379
  process_timeout: 0.5
  startup_pause: 0
`,
    shows: explanation,
    exit: 1,
    advice:
      'Many daemons notify only when they are told to, and run all the same: for others they may be ready already.',
  },
  {
    title: 'A notify service does not become ready: its program sends nothing',
    config: `web.service:
  type: notify
  command: sleep infinity
  process_timeout: 0.5
  startup_pause: 0
`,
    shows: explanation,
    exit: 1,
    advice: 'With `type: simple` a service is ready when it has lived for `startup_pause`.',
  },
  {
    title: 'A notify service does not become ready: its program ends',
    config: `web.service:
  type: notify
  command: sh -c 'echo no license >&2; exit 4'
`,
    shows: explanation,
    exit: 1,
    advice: 'Only an end with 0 may be that of a program which has become a daemon, and is waited for.',
  },
  {
    title: 'A notify service reports an error',
    config: `store.service:
  type: notify
  command: >-
    python3 -c 'import os, signal, socket;
    socket.socket(1, 2).sendto(b"ERRNO=13", os.environ["NOTIFY_SOCKET"]);
    signal.pause()'
`,
    shows: explanation,
    exit: 1,
    advice:
      'The number is one of errno(3): 13 is `EACCES`, permission denied. `errno -l` lists them. Only the main process reports errors so, and `sdnotify ERRNO=13` in a shell script; once the started process has ended and has named no other, any process that may send does. The error of a helper, such as `systemctl`, which inherits NOTIFY_SOCKET, becomes the note of the service.',
  },
  {
    title: 'A notify service is ended by its watchdog',
    config: `web.service:
  type: notify
  watchdog: 0.5
  command: >-
    python3 -c 'import os, signal, socket;
    socket.socket(1, 2).sendto(b"READY=1", os.environ["NOTIFY_SOCKET"]);
    signal.pause()'
`,
    shows: / chaperone\[1\]: .*(?:WATCHDOG|exit status for)/,
    exit: 1,
    advice:
      'It has to send `WATCHDOG=1` within each `watchdog` seconds, best twice as often; SIGABRT leaves a core where cores are allowed. A missed beat is a failure that `restart: true` answers.',
  },
  {
    title: 'A notification does not count',
    config: `web.service:
  type: notify
  notify_access: main
  command: >-
    sh -c 'python3 -c "import os, socket;
    socket.socket(1, 2).sendto(bytes(\\"READY=1\\", \\"ascii\\"), os.environ[\\"NOTIFY_SOCKET\\"])";
    exec sleep infinity'
  process_timeout: 0.5
`,
    shows: /which may not send any/,
    exit: 1,
    advice:
      "The credentials of the sender decide. With `notify_access: exec`, the default, root, the accounts of Chaperone and of the service, and the service's own processes may send; a short program that has gone before Chaperone looks counts by its account alone. Everybody in the container can find a notify socket, so `all` is for containers whose processes all trust each other.",
  },
  {
    title: 'A notify service names a process that is not there',
    config: `web.service:
  type: notify
  command: >-
    python3 -c 'import os, signal, socket, subprocess;
    daemon = subprocess.Popen(["true"]);
    daemon.wait();
    socket.socket(1, 2).sendto(b"READY=1\\nMAINPID=%d" % daemon.pid, os.environ["NOTIFY_SOCKET"]);
    signal.pause()'
`,
    until: /does not follow/,
    shows: /does not follow/,
    exit: 0,
    advice:
      'The process that was started stays the service. Where a program runs in a PID namespace of its own, its pids are not those of the container.',
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
    shows: /terminated abnormally|pausing|gave up/,
    exit: 1,
    advice:
      'Once `restart_limit` is used up the service has failed, and the system goes on without it; where nothing else is left it ends, with the status of the service. The count is forgotten when the service has been ready for `restart_delay` and a second.',
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
      'A job never runs beside itself: a tick that finds the last run alive is skipped. Ticks that were missed because the clock was set forward, or the machine was suspended, lead to one run, at once. One that hangs needs a limit of its own, such as `timeout 50 COMMAND`.',
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
