/** Worked examples of the directives about restarts: each is run in virtual time and becomes a section of docs/guide/restarts.md. */
import type { Script } from '../../src/runtime/simulated/script.ts';

export interface RestartExample {
  /** The directives that it shows; a heading. */
  readonly title: string;
  /** What they mean, in a sentence or two, Markdown. */
  readonly text: string;
  readonly config: string;
  /** What the runs of each program do, one after the other; the last one is repeated. */
  readonly programs: Readonly<Record<string, readonly Script[]>>;
  /** s after which chaperone is told to end; it may end earlier. */
  readonly until: number;
  /** The page shows the lines of the log that match, and not the changes of state. */
  readonly log?: RegExp;
  /** What the page says of the result, Markdown. */
  readonly result: string;
}

const runs = (seconds: number, code: number): Script => ({
  steps: [
    { do: 'wait', ms: seconds * 1_000 },
    { do: 'exit', code },
  ],
});
const works: Script = { steps: [{ do: 'hang' }] };
const dies: Script = {
  steps: [
    { do: 'wait', ms: 2_000 },
    { do: 'die', signal: 'SIGTERM' },
  ],
};
const stubborn: Script = { steps: [{ do: 'hang' }], onSignal: { SIGTERM: 'ignore' } };

export const restartExamples: readonly RestartExample[] = [
  {
    title: 'restart: on-failure',
    text: 'A service that had been ready is started again after an abnormal end, after a time-out, after a missed watchdog, and when it is unhealthy. `true` is the same, as older files have it. After a normal end it rests.',
    config: 'web.service:\n  command: web\n  restart: on-failure\n',
    programs: { web: [runs(2, 1), runs(3, 0)] },
    until: 20,
    result:
      'The first run crashes and is followed by another one after `restart_delay`; the second ends with 0 and is not.',
  },
  {
    title: 'restart: always',
    text: '`always` and `unless-stopped` answer a normal end, too. A stop by hand is never answered, whatever `restart` says. A normal end after `startup_pause` uses up no try, so a worker that ends after each job may do so for ever.',
    config: 'worker.service:\n  command: worker\n  restart: always\n  restart_delay: 500ms\n',
    programs: { worker: [runs(5, 0), works] },
    until: 20,
    result: 'No number of a try stands beside the restart: none was used up.',
  },
  {
    title: 'restart_backoff, restart_delay_max',
    text: 'The n-th pause in a row is `restart_delay` × `restart_backoff`ⁿ⁻¹, and `restart_delay_max` at the most. Once the service was ready for longer than its last pause and a second more, it is stable: the next pause is the first again.',
    config:
      'web.service:\n  command: web\n  restart: on-failure\n  restart_delay: 1s\n  restart_backoff: 3\n  restart_delay_max: 5s\n',
    programs: { web: [runs(1, 1), runs(1, 1), runs(1, 1), works] },
    until: 30,
    result: 'The pauses are 1 s, 3 s, and 5 s instead of 9 s.',
  },
  {
    title: 'restart_jitter',
    text: 'A fraction of each pause by which chance makes it longer or shorter, so that services that lost the same database do not all come back in one instant.',
    config: 'web.service:\n  command: web\n  restart: on-failure\n  restart_delay: 10s\n  restart_jitter: 0.2\n',
    programs: { web: [runs(2, 1), works] },
    until: 20,
    result:
      'The pause lies between 8 s and 12 s. Chance begins anew in each boot; `chaperonectl simulate` always draws the same numbers.',
  },
  {
    title: 'restart_limit',
    text: 'So many tries, then the service has failed. The count begins anew once the service is stable, and with `stop`, `reset` and `start`. `unlimited` tries for ever; `restart: on-failure:2` is `on-failure` with a limit of 2.',
    config: 'web.service:\n  command: web\n  restart: on-failure:2\n  restart_delay: 1s\n',
    programs: { web: [runs(1, 1)] },
    until: 30,
    result: '`chaperonectl why web` says `failed: exit 1, and no restart follows (restart_limit: 2)`.',
  },
  {
    title: 'restart_window',
    text: 'With a window, only the restarts within the last such time count, whether the service was stable in between or not: a service that crashes each minute is given up, too.',
    config:
      'web.service:\n  command: web\n  restart: on-failure\n  restart_delay: 1s\n  restart_limit: 2\n  restart_window: 1m\n',
    programs: { web: [runs(10, 1)] },
    until: 60,
    result: 'Each run is long enough to count as stable, and the third crash within a minute is the last.',
  },
  {
    title: 'restart_on_start_failure',
    text: 'Without it, a start that fails is a failure at once, and at boot the end of the system. With it, the start is tried again, within the same limit, and dependents wait for it meanwhile. For `inetd` it is the opening of the port that is tried again; a `oneshot` may have it, too.',
    config:
      'migrate.service:\n  type: oneshot\n  command: migrate\n  restart_on_start_failure: true\n  restart_delay: 2s\nweb.service:\n  command: web\n  after: migrate.service\n',
    programs: { migrate: [runs(1, 1), runs(1, 0)], web: [works] },
    until: 10,
    result: 'The database was not there at first; `web` starts after the second try.',
  },
  {
    title: 'restart_prevent',
    text: 'Exit codes and signals after which no try follows: the next one would end in the same way.',
    config: 'web.service:\n  command: web\n  restart: on-failure\n  restart_prevent: 78, SIGSYS\n',
    programs: { web: [runs(2, 78)] },
    until: 10,
    result: '78 is EX_CONFIG of sysexits.h. `status` and `why` name the reason: `restart_prevent: 78`.',
  },
  {
    title: 'success_exit',
    text: 'Exit codes and signals that are a normal end besides 0: for the readiness of a `oneshot`, for the runs of `cron` and `inetd`, for `exited`, and for `restart`. The exit status of the container stays what it is.',
    config: 'java.service:\n  command: java\n  restart: on-failure\n  success_exit: 143, SIGTERM\n',
    programs: { java: [dies] },
    until: 10,
    result: 'Somebody has sent SIGTERM to the program; that is no failure here, and no restart follows.',
  },
  {
    title: 'remain_after_exit',
    text: 'A normal end counts as up: `chaperonectl is-ready NAME` says yes. A `oneshot` has it by default. It clashes with `restart: always`, which leaves no last end.',
    config:
      'setup.service:\n  command: setup\n  remain_after_exit: true\nweb.service:\n  command: web\n  after: setup.service\n',
    programs: { setup: [runs(0.1, 0)], web: [works] },
    until: 2,
    result: '`setup` has ended within its `startup_pause`, with 0: it has started, and stays ready.',
  },
  {
    title: 'on_failure',
    text: '`shutdown` ends the system once the service has failed and no try is left, with the exit status of the service; 1 where chaperone ended it (time-out, watchdog, unhealthy). The default is `keep`.',
    config: 'web.service:\n  command: web\n  restart: on-failure:1\n  restart_delay: 1s\n  on_failure: shutdown\n',
    programs: { web: [runs(2, 7)] },
    until: 30,
    result: 'The container ends with 7.',
  },
  {
    title: 'on_success',
    text: '`shutdown` ends the system after a normal end, with its exit status: the container is there for this one job, and the others serve it.',
    config: 'db.service:\n  command: db\njob.service:\n  command: job\n  after: db.service\n  on_success: shutdown\n',
    programs: { db: [works], job: [runs(4, 0)] },
    until: 30,
    result:
      'The container ends with 0. A `job` that fails after it was ready leaves the system up, unless `on_failure` says otherwise.',
  },
  {
    title: 'Who has used up the shutdown',
    text: 'At the end of a shutdown the log has a row for each service that had to be stopped: how long that took, by which signal it was asked, and how it ended. Whoever had to be killed stands there as a warning. The journal keeps the table with the last move of the system, and `chaperonectl check` warns beforehand where `shutdown_timeout` is too short for so many layers.',
    config:
      'settings:\n  shutdown_timeout: 4s\ndb.service:\n  command: db\nweb.service:\n  command: web\n  after: db.service\n',
    programs: { db: [works], web: [stubborn] },
    until: 3,
    log: /shutdown took| {2}(?:db|web)\.service /,
    result: '`web` ignores SIGTERM, and uses up its share of the budget.',
  },
];
