/** The promise that each invariant of the worlds stands for; quoted where it is a sentence of the specification. */
import type { InvariantName } from './invariants.ts';

export const promises: Readonly<Record<InvariantName, string>> = {
  'no hook outlives its service': '"They are units of the service: seen in status, ended with it"',
  'hooks run in their order, one after another':
    '"Order: before_start, command, ready condition, after_start, *ready*"',
  'after_stop follows each run exactly once':
    '"`after_stop` follows every end and every failed start, before the next try"',
  'no signal of a stop comes before its pause': '"`kill_signal`: also a list with pauses"',
  'every accepted connection ends': '"The connection counts as served when that process ends"',
  'a signal by hand reaches the process that it names':
    '`kill NAME SIGNAL` answers "SIGNAL sent.": the process that status has for the service has got it',
  'a stop that was asked for is carried out':
    '"services stopping.": the service has ended when its stop_timeout is up, after those that need it, unless what survives SIGKILL is told',
  'the log says of each end what it was':
    '"NAME exit status for pid=N is \'STATUS\'": the status with which that process has ended',
  'a run that is said to begin begins': '"`chaperonectl run-now NAME`": "runs begun."',
  'a reload that is said to be done has reached the service':
    '"`chaperonectl reload NAME`": "services reloaded.", once its signal has arrived, or its command has succeeded',
  'the system ends when it is said to': '"shutdown [DELAY|now]": "Shutting down in S seconds"',
  'nothing starts before its prerequisites are ready':
    '"A dependent of a failed (not ignored) prerequisite does not start"',
  'nothing starts before the stage before it stands':
    '"INIT: before every service that is not in INIT. IDLE: after every service that is not in IDLE"',
  'every start was let go, or is a restart after its pause': '"`restart_delay`: pause before a restart"',
  'nothing starts once shutdown has begun':
    'during shutdown no waiting service starts, and no crashed service is restarted',
  'nothing waits without a reason': '"All that may start together does start together"',
  'a reload keeps nobody down for somebody it has no edge with':
    'the same during a reload: a service that the reload ends delays only the services that need its port or its pidfile',
  'no secret is told to anybody but its service':
    '"given to that service alone, shown nowhere": log, status, journal, history and configuration are searched for it',
  'whoever starts has what is read for it':
    'a process has every value that the files of its service give at that start, and none of another service',
  'every started process is waited for': '"Every orphan is reaped, always"',
  'an end is told of the one that has ended': '"its end is the service\'s end"',
  'shutdown ends within its budget': '"`shutdown_timeout` is the whole budget"',
  'every service gets its own signal before SIGKILL': '"every service below it still gets its own `kill_signal`"',
  'SIGKILL leaves time to end': '"and at least 1 s"',
  'no probe runs for a service that does not': 'probes ask only while their service is starting or runs',
  'no probe outlives its service': 'the command of a probe ends with the run of its service',
  'unhealthy is answered as on_unhealthy says': '"`on_unhealthy`": `restart`, `log` or `shutdown`, and nothing else',
  'dependents stop before what they depend on':
    '"a service is told to stop only when all that started after it because of it have ended"',
  'the exit status tells the cause': '"Exit status": main programs, the last failure, `on_failure`, a forced end',
  'no timer, subscription, actor or descriptor is left':
    'nothing leaks: a world has released every resource at its end',
  'every accepted log record was written or counted': 'no log record is lost without being counted',
  'every event is answered by the state it arrives in': 'every state defines what it does at every event',
  'status never contradicts the process table': 'the status agrees with the living processes of the same instant',
  'why names whoever holds a service up':
    'the answer to "why" names services that are configured, and none that has reached its stage already',
  'a service goes only where its chart leads':
    'each state has a name that is known, and each change of state is an edge of the chart',
  'a start takes no longer than it may': '"`process_timeout`: time to become ready"',
  'restarts have a limit, and a reason':
    '"`restart_limit`, `restart_window`: so many tries"; "`restart_prevent`: codes and signals after which no try follows"',
  'a restart pause is as long as the policy says':
    '"n-th pause = min(max(`restart_delay_max`, `restart_delay`), delay × backoffⁿ⁻¹), ± jitter"',
  'a stop by hand is answered by no policy': '"`always`: also a normal end; a stop by hand never"',
  'a notify service is ready only after it has said so': '"`READY=1` arrived on its own socket"',
  'a service with probes is ready only once they have passed':
    '"`ready`": the service is ready when its tree of probes has passed in this run',
  'a service has no more processes at a time than it may':
    '"If the previous run still goes at the next tick, that tick is skipped"',
  'a skipped service runs no process':
    '"Not met: state `disabled`, note `skipped: …`": a start follows only where every condition is met',
  'nothing runs longer than max_runtime and its stop': '"`max_runtime`: a run that lasts longer is stopped"',
  'a run and a reload by hand are answered':
    '`run-now` and `reload NAME` are answered once each, whatever becomes of the service',
  'a cron or inetd service fails only at its start': '"never; a failing run is logged"',
  'status tells the time at which a schedule will run': '"only cron looks at the wall clock"',
  'detect_exit ends what is idle, and nothing that lives':
    '"When the last process is gone and no cron or inetd service is scheduled, […] shut down"',
  'a stop in order leaves no pidfile that the service has written': '"Stopping removes the file"',
  'after a reload the system equals a fresh boot':
    'each service that starts after a reload starts with the configuration that is in force',
  'nothing of a run lives when it is over':
    '"a run is over, after a stop or an abnormal end, only when its group (tree) is empty […] only then is the next run started"',
  'what a run has left behind is ended by nobody but a stop, a reset and the shutdown':
    '"remains of cron and inetd runs are ended only by stop, reset and shutdown, never by the next run"',
  'a pid has one owner': '"Never: […] a pid that another service owns (a pid has one owner […])"',
  'no datagram of a stranger changes a service':
    '"A datagram from a sender that is not permitted changes nothing": the world is run a second time without the datagrams, and everything but the log has to be the same',
  'nobody follows or signals a process that has entered from outside':
    '"one owned by another account […] only a member of this service\'s own tree or a process of its own account"',
  'nothing is stopped that could not be started again':
    '"nothing that runs is stopped by `restart` or `reload` when it could not be started again (a prerequisite is down)"',
  'every signal to a service was asked for by its unit':
    'every signal that chaperone sends to a service belongs to a transition, except the signals of the last round of a shutdown',
  'a process is asked to end once': '"a program that is asked twice may take it for haste"',
  'what is disabled never starts unasked':
    '"`start` refuses what is disabled"; "`disable` of one that is pending or in backoff ends that wait"',
  'a start that was asked for is never forgotten':
    '"`start` of a service that is still ending waits for its end, then starts"; "`enable` takes it up again"',
  'an end in doubt is no failed start':
    '"After a stall or `docker pause` a timeout or watchdog is judged only once what has arrived meanwhile was read"',
  'SIGKILL comes when the time of a stop is up':
    '"a service that overruns its share […] gets SIGKILL", not before, and not later',
  'a stop ends what runs, and only a drain lets it finish':
    '"`stop` unschedules and ends the job, `stop --drain` lets it finish, `disable` unschedules"',
  'what fails with on_failure: shutdown ends the system':
    '"later failure (tries used up, or none): shutdown, its status"',
  'nobody runs on whose prerequisite has left its stage, unless it keeps on':
    '"it left its stage […], at once, tries left or not: `keep` · `stop` · `fail`"',
  'what a prerequisite does is what the directives say, and names its cause':
    '"Each consequence names its cause in log, status and page"',
  'nobody waits for ever for one that it only wants':
    '"`wants` waits until it has reached its stage *or* failed, is stopped or skipped"',
  'what ends normally with on_success: shutdown ends the system': '"`on_success` (a normal end): `shutdown`"',
  'times never go back':
    '"A fact is made once, where it happens, with time and cause": facts stand in the order of their times',
  'each cause names a fact that came before': 'the number of a cause is that of an earlier fact',
  'a service reads what others write to it, each line once and in order':
    'output to a service: nothing is lost, doubled or mixed on the way, whoever is restarted, and what stays unread is told',
  'a rebuilt chart goes on as the uninterrupted one':
    'a chart that is rebuilt from plain values behaves as the original one does',
  'the system ends, and nothing in it breaks': 'no machine throws, and every world ends',
};
