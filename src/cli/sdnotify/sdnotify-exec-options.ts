import { flag, value } from '../../model/words/parameter.ts';
import { addedVersion, type CommandHelp } from '../command-help.ts';

export const noproxy = flag('noproxy', 'pass nothing on');
export const waitReady = flag('wait-ready', 'end at READY=1, ERRNO=... or STOPPING=1');
export const waitStop = flag('wait-stop', 'end at STOPPING=1 or ERRNO=...; MAINPID is not passed on');
export const timeout = value(
  'timeout',
  'SECONDS',
  'wait no longer than this',
  { expects: 'seconds, more than 0' },
  (text) => {
    const seconds = Number(/^\d*\.?\d+$/.exec(text)?.[0]);
    return seconds > 0 ? seconds : undefined;
  },
);
export const socket = value(
  'socket',
  'PATH',
  'where the socket is made, instead of in a new folder; "@NAME" is an abstract one',
  { expects: 'a path or @NAME', completes: 'files' },
  (text) => (text === '' || text === '@' ? undefined : text),
);
export const template = value(
  'template',
  'TEXT',
  'what %{SOCKET_ARGS} stands for, instead of --env NOTIFY_SOCKET=/tmp/notify-%{PID}.sock -v %{NOTIFY_SOCKET}:/tmp/notify-%{PID}.sock',
  { expects: 'a text' },
  (text) => text,
);
export const verbose = flag('verbose', 'tell on standard error what happens');

export const sdnotifyExec: CommandHelp = {
  summary: 'run a command with a notify socket of its own',
  usages: ['COMMAND...'],
  description: `Runs COMMAND with a notify socket of its own, and passes on what arrives there
to the socket that NOTIFY_SOCKET names. Ends when COMMAND does, unless told
otherwise. Options end at the first word that is none.
`,
  options: [noproxy, waitReady, waitStop, timeout, socket, template, verbose, addedVersion],
  operands: 'command',
  notes: `%{VAR} in COMMAND stands for a variable of the environment or for NOTIFY_SOCKET
(the new socket), ORIG_NOTIFY_SOCKET, PID (of sdnotify-exec) or SOCKET_ARGS:

  sdnotify-exec docker run %{SOCKET_ARGS} IMAGE

`,
  exit: `Exit status: that of COMMAND (128+n by signal n, 126 it may not run, 127 it is
not found), or the number in ERRNO=...; 0 when what was waited for has come; 1
for STOPPING=1 instead of READY=1, when the time is over, or where there is no
socket; 2 for a mistake on the command line.
`,
};
