import { flag, type Parameter, value } from '../../model/words/parameter.ts';
import { addedVersion, type CommandHelp } from '../command-help.ts';

const pid = value(
  'pid',
  'PID',
  'MAINPID=PID; "self" is the process that runs sdnotify',
  { expects: 'a process id or "self"' },
  (text) => (text === 'self' || /^[1-9]\d{0,9}$/.test(text) ? text : undefined),
);
const status: Parameter<string | undefined> = value('status', 'TEXT', 'STATUS=TEXT', {}, (text) => text);
const ready = flag('ready', 'READY=1');
const booted = flag('booted', 'was this system booted by systemd? no: exit status 1');
const ignore = flag('ignore', 'exit status 0 also where nothing can be sent');

export const sdnotify: CommandHelp = {
  summary: 'tell the service manager how a service is doing',
  usages: ['[VARIABLE=VALUE...]'],
  description: `Tells the service manager how a service is doing: sends notifications to the
socket that NOTIFY_SOCKET names, each in a datagram of its own, in the order
below. Without NOTIFY_SOCKET it does nothing.
`,
  options: [pid, status, ready, booted, ignore, addedVersion],
  operands: 'words',
  notes: 'Then each VARIABLE=VALUE as it is given; names are in upper case.\n',
  exit: 'Exit status: 0 done, 1 something was not sent, 2 a mistake on the command line.\n',
};
