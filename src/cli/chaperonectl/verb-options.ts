/** The options of chaperonectl's verbs that are no commands to a running chaperone. */
import { choice, flag, value, values } from '../../model/words/parameter.ts';
import { defaultConfig } from '../default-config.ts';

export const json = flag('json', 'print JSON');

export const history = flag('history', 'all that has happened to each, as far as that is kept');

export const importFrom = choice('from', 'KIND', 'what the files are of; else what they look like', [
  'runit',
  'supervisord',
  's6-overlay',
  'systemd',
  'procfile',
  'compose',
]);
export const to = value('to', 'DIR|-', 'the folder to write to; - is standard output', {
  expects: 'a folder',
  completes: 'files',
});

export const config = value('config', 'PATH', `a file, or a directory; else ${defaultConfig}`, {
  expects: 'a path',
  completes: 'files',
});
export const portable = flag('portable', 'leave out what depends on this machine: programs, accounts, variables');
export const user = value('user', 'USER', 'as "chaperone --user USER" would start it', { expects: 'a user' });

export const port = value(
  'port',
  'PORT',
  'the port of the page; without it the system chooses one',
  { expects: 'a port' },
  (text) => (/^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined),
);
export const listen = value('listen', 'ADDRESS', 'the address of the page; 127.0.0.1 without it', {
  expects: 'an address',
});

export const via = value('via', 'COMMAND', 'reach chaperone through a command such as "docker exec -i NAME"', {
  expects: 'a command',
});
export const act = flag('act', 'the page may start, stop and restart services, for the account that runs this');
export const stdio = flag('stdio', 'the other end of --via: standard input and output are the control socket');

export const boot = value('boot', 'N|ID', 'which boot: its number, from the end where negative; or how its id begins', {
  expects: 'a number or an id',
});
export const list = flag('list', 'only tell which boots there are');
export const summary = flag('summary', 'figures: critical chain, blame, restarts, failures and their causes');
export const diff = flag('diff', 'compare two boots: A and B, or the last two of one journal');
export const tolerance = value('tolerance', 'N%|TIME', 'how much later B may be ready (20%, and always 0.1 s)', {
  expects: 'a share (20%) or a time (0.5s)',
});
export const until = value('until', 'POINT', 'stop at a time (1.5, 500ms), event, state (web:ready) or entry (#418)', {
  expects: 'a time (1.5, 500ms), an event (unit.leaderExited), a state (web:ready) or #N',
});
export const service = values('service', 'GLOB', 'only these services; may be repeated', { expects: 'a name' });
export const speed = value(
  'speed',
  'N|max',
  'N times as fast as it was, with no pause above 3 s; max: at once',
  { expects: 'a number above 0, or max' },
  (text) => (text === 'max' || (/^\d+(?:\.\d+)?$/.test(text) && Number(text) > 0) ? text : undefined),
);
export const web = flag('web', 'show it as the inspector page, and say where');
export const html = flag('html', 'print the inspector page with the boot in it, as one file for a browser');
export const trace = flag('trace', 'print it as trace events for Perfetto or chrome://tracing');
export const xstate = flag('xstate', "print it as messages of @statelyai/inspect, one a line, for Stately's tools");

export const otlp = flag('otlp', 'send it as traces to an OpenTelemetry collector, which the variables OTEL_* name');

export const time = values('time', 'NAME=TIME', 'it takes that long to become ready: db=2s', {
  expects: 'NAME=TIME',
  completes: 'assignments',
});
export const from = value('from', 'FILE[#BOOT]', 'the times of the last boot, or that one, in a journal', {
  expects: 'a journal',
  completes: 'files',
});
export const assume = value('assume', 'TIME', 'the time of those of which nothing is known (100ms)', {
  expects: 'a time such as 2s or 300ms',
});
export const fail = values('fail', 'NAME=HOW', 'exit:N, signal:N, hang or late:TIME: what it does instead', {
  expects: 'NAME=HOW',
  completes: 'assignments',
});
export const whatIf = values('what-if', 'NAME=TIME', 'what the boot would gain by that time', {
  expects: 'NAME=TIME',
  completes: 'assignments',
});
export const record = value(
  'record',
  'FILE',
  'add the boot to a journal, for replay: beside a measured one, for example',
  {
    expects: 'a file',
    completes: 'files',
  },
);
export const baseline = value('baseline', 'FILE', 'fail where READY is later than in that --json', {
  expects: 'a file',
  completes: 'files',
});
export const laterBy = value('tolerance', 'TIME', 'by how much it may be later', {
  expects: 'a time such as 2s or 300ms',
});
