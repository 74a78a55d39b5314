import { flag, type Parameter, value } from '../../model/words/parameter.ts';
import type { CommandHelp } from '../command-help.ts';

const verbose = flag('verbose', 'wait until the command has taken effect, and tell how the service stands then', {
  short: 'v',
});
const patience: Parameter<string | undefined> = {
  ...value(
    'wait',
    'SEC',
    'wait so many seconds at most, in place of 7',
    { expects: 'a number of seconds' },
    (text) => text,
  ),
  short: 'w',
};

export const sv: CommandHelp = {
  summary: 'control services of runit folders, as sv(8) of runit does',
  usages: ['COMMAND SERVICE...'],
  description: `Controls services that Chaperone has made of folders of runit, and prints what
sv(8) of runit prints. A SERVICE that begins with neither a dot nor a slash is
looked for in /etc/service.
`,
  options: [verbose, patience],
  operands: 'words',
  notes: `Commands, of which the first letter is enough: up, down, once, pause, cont,
hup, alarm, interrupt, quit, 1, 2, term, kill, exit, status. Those that wait:
start, stop, reload, restart, shutdown, try-restart, check; and those that send
KILL when it takes too long: force-stop, force-reload, force-restart,
force-shutdown.

SVDIR is the folder in place of /etc/service, SVWAIT the number of seconds in
place of 7. A SERVICE that ends in /log is the service of a log.
`,
  exit: 'Exit status: how many services something went wrong for, 99 at most; 100 a\nmistake on the command line.\n',
};
