/** The verbs of chaperonectl and of telchap: those of the table of commands, and those that chaperonectl does by itself. */
import { exitStatuses, exitStatusMeanings } from '../../control/answer.ts';
import { commandEntry, verbs as commandVerbs, isVerb, wordsOf } from '../../control/commands.ts';
import { follow, lines } from '../../control/log-parameters.ts';
import { breakWide, type CommandHelp, helpText, sentence, table } from '../command-help.ts';
import { keyTable } from '../top/keys.ts';
import type { VerbHelp } from '../verb-help.ts';
import * as options from './verb-options.ts';

export type ControlProgram = 'telchap' | 'chaperonectl';

export const namesHelp =
  'Names stand with or without ".service", and may be globs; "worker@" means all\ninstances of the template worker@.service.\n';

const scaleHelp = `NAME is that of a template: worker, worker@ or worker@.service. Instances are
started, or stopped with the highest number first; the others are left alone. The
number holds until "instances" changes in the files; it may be 0, and at most 1000.
`;

const { json } = options;

/**
 * The exit statuses, a line each.
 *
 * @param own what some of them mean for one verb alone
 */
export function exitHelp(own: Partial<typeof exitStatusMeanings> = {}): string {
  const rows = Object.entries({ ...exitStatusMeanings, ...own }).map(([kind, meaning]) => {
    const status = Object.entries(exitStatuses).find(([name]) => name === kind)?.[1];
    return `  ${status}  ${meaning}\n`;
  });
  return `Exit status:\n${rows.join('')}`;
}

/** The exit statuses of a verb that runs a command. */
const commandExit = `Exit status: that of the command (128+N where signal N has ended it, 126 where it may
not be run, 127 where it is not found); where chaperone does not start it:
${exitHelp().split('\n').slice(2).join('\n')}`;

/** The verbs that chaperonectl carries out itself or with more than one request to chaperone. */
const ownVerbs: readonly VerbHelp[] = [
  {
    ...verb(
      'check',
      '[FILE...]',
      'check a configuration without starting it',
      'files',
      ...[options.config, options.user, options.portable, json],
    ),
    description: 'Tells every mistake in a configuration that can be known without starting it.\n',
    notes: `Each FILE may be a folder, too; several are read as the files of one folder are,
in this order. A relative --config counts from the home of --user, else from /.
Commands in backticks are run, as a start runs them; nothing else is. What is
found depends on the machine: run it where the services will run, or with
--portable, which runs nothing and assumes that programs, accounts and the
variables of the container are there.
`,
    exit: `Exit status: 0 no mistakes (warnings are none), 1 mistakes, 2 a mistake on the
command line.
`,
  },
  {
    ...verb(
      'doctor',
      '',
      'say what this place allows, and what that means for the configuration',
      'none',
      options.config,
      json,
    ),
    notes: `Looks at PID 1, rights, ports, folders, the log socket, the time zone, limits and the
cgroup. Run it where the services will run, as root where that is possible. Nothing
is started or changed, and commands in backticks are not run.
`,
    exit: `Exit status: 0 nothing here keeps the configuration from working, 1 something does,
2 a mistake on the command line.
`,
  },
  {
    ...verb(
      'import',
      'DIR|FILE...',
      'write what another init is told as a configuration of chaperone',
      'files',
      ...[options.importFrom, options.to, json],
    ),
    description: 'Reads files of another program, and writes a configuration that does the same.\n',
    notes: `Knows folders of runit, s6-overlay (also the root of an image) and systemd's units,
files of supervisord, Procfiles and files of Compose. What has no counterpart is told
by file and line, and stands at the head of the file, which is DIR/imported.conf with
--to DIR, else chaperone.d/imported.conf. A file that is there is not overwritten.
Nothing is started, and the files that are read stay as they are.
`,
    exit: `Exit status: 0 written, 1 mistakes in the files, or it cannot be written, 2 a
mistake on the command line.
`,
  },
  verb('logs', '[NAME...]', 'the last log records', 'services', follow, lines, json),
  {
    ...verb('is-ready', '[NAME...]', 'say by the exit status whether all, or these, are ready', 'services', json),
    notes: `${namesHelp}Standard error names those that are not ready, and says what they wait for.
A service that has ended normally is ready where it has remain_after_exit; else it
is not where it is named, and does not count among all.
`,
    exit: exitHelp({ done: 'all of them are ready', failed: 'one of them is not ready' }),
  },
  verb('blame', '', 'how long each service took to become ready', 'none', json),
  verb('critical-chain', '', 'the services that decided how long the boot took', 'none', json),
  {
    ...verb(
      'incidents',
      '[FILE[#BOOT]]',
      'what failed, for how long, and what became of the services behind it',
      'files',
      options.boot,
      json,
    ),
    notes: `Without FILE it is the chaperone that runs; else a boot that a journal has recorded,
the last one without --boot.
`,
  },
  {
    ...verb('run', 'COMMAND [ARGUMENT...]', 'run a command beside the services, with its exit status', 'command', json),
    untilWord: true,
    notes: `The command has the account and the environment of chaperone, /dev/null as its
standard input, and ends when chaperonectl does.
`,
    exit: commandExit,
  },
  {
    ...verb('shell', 'NAME [COMMAND [ARGUMENT...]]', 'a shell, or a command, as if it were the service', 'command'),
    untilWord: true,
    notes: `The command has the account, the environment, the directory, the limits and the
rights with which the service would be started now, whether it runs or not, and
the terminal of the caller; by default it is /bin/sh. It is no process of the
service: it has no NOTIFY_SOCKET, and a stop does not end it. Only root, the account
of chaperone and the owners of the control socket may run it, since the environment
holds secrets.
An image without a shell needs a COMMAND.
`,
    exit: commandExit,
  },
  {
    ...verb('top', '', 'what runs, live at a terminal: table, changes, log, and keys to act', 'none'),
    notes: `In the table, CPU and MEM are those of the process PID with its descendants; TRY is
the restarts that are used up, of those that there are; LEFT is the time until a limit,
the next try or the next run. s and r ask before they end a process. What a key does
needs the rights that its command needs. NO_COLOR is heeded. Without a terminal that
moves its cursor, "chaperonectl watch" prints lines.

Keys:
${table(keyTable.map(({ shown, words }) => [shown, words]))}`,
  },
  {
    ...verb('watch', '[NAME...]', 'what happens, a line each, from the boot on', 'services', json),
    notes: `${namesHelp}The lines are those of "chaperone --inspect": first what has happened since the boot,
as far as that is kept, then what happens, until the end of chaperone. Only owners of
the control socket may watch.
`,
  },
  verb(
    'inspect',
    '',
    'serve the inspector page of what runs, and say where',
    'none',
    ...[options.port, options.listen, options.via, options.stdio, options.act],
  ),
  {
    ...verb(
      'replay',
      'FILE[#BOOT] [FILE[#BOOT]]',
      'show a boot that a journal has recorded: as it went, in figures, or against another one',
      'files',
      ...[options.boot, options.list, options.summary, options.diff, options.tolerance, options.until],
      ...[
        options.service,
        options.speed,
        options.web,
        options.port,
        options.listen,
        options.html,
        options.trace,
        options.xstate,
        options.otlp,
        json,
      ],
    ),
    notes: `Without --boot it is the last boot of the journal. With --diff, exit status 1 says
that B failed, or became ready later than the tolerance allows; with --diff --web
the page shows both. What --html and
--trace print goes into a file: replay --html boots > boot.html
`,
  },
  verb(
    'simulate',
    '',
    'the boot that a configuration will have, in virtual time: nothing is started',
    'none',
    ...[options.config, options.user, options.time, options.from, options.assume, options.fail, options.whatIf],
    ...[options.baseline, options.laterBy, options.record, json],
  ),
];

/** In the order of the help of chaperonectl. */
const order = [
  ...[
    'check',
    'doctor',
    'import',
    'status',
    'start',
    'stop',
    'reset',
    'restart',
    'run-now',
    'enable',
    'disable',
    'kill',
    'logs',
    'wait',
    'is-ready',
  ],
  ...[
    'blame',
    'critical-chain',
    'incidents',
    'dependencies',
    'loglevel',
    'run',
    'shell',
    'scale',
    'inspect',
    'top',
    'watch',
    'reload',
    'replay',
    'simulate',
  ],
  'shutdown',
];

/** The verbs of a program: telchap has the original's commands and prints what the original prints. */
export function verbsOf(program: ControlProgram): readonly VerbHelp[] {
  const known = new Map(ownVerbs.map((own) => [own.name, own]));
  for (const name of commandVerbs) known.set(name, commandVerb(name, program));
  return order.flatMap((name) => {
    const found = known.get(name);
    return found === undefined || (program === 'telchap' && !isOfTelchap(name)) ? [] : [found];
  });
}

function isOfTelchap(name: string): boolean {
  return isVerb(name) && commandEntry(name).telchap;
}

function commandVerb(name: (typeof commandVerbs)[number], program: ControlProgram): VerbHelp {
  const entry = commandEntry(name);
  const summary = entry.alone === undefined ? entry.summary : `${entry.summary}; ${entry.alone}`;
  const own = program === 'telchap' ? [] : name === 'status' ? [options.history, json] : [json];
  const operands = entry.names === 'none' ? (entry.word === undefined ? 'none' : 'words') : 'services';
  const { word } = entry;
  return {
    ...verb(name, wordsOf(entry), summary, operands, ...entry.options, ...own),
    ...(word === undefined ? {} : { offers: word.offers }),
    ...(name === 'scale' ? { notes: scaleHelp } : {}),
  };
}

export function verbHelp(program: ControlProgram, command: VerbHelp): string {
  return helpText(`${program} ${command.name}`, command);
}

/** The help of a program as a whole. */
export function programHelp(program: ControlProgram): string {
  const known = verbsOf(program);
  const word = program === 'telchap' ? 'COMMAND' : 'VERB';
  const rows = known.map(({ name, usages: [words = ''], summary }): readonly [string, string] => [
    program === 'telchap' ? `${name} ${words}`.trim() : name,
    summary,
  ]);
  return breakWide(`usage: ${program} ${word} [options] [NAME...]

${sentence(programSummaries[program])}.

${table(rows)}
"${program} ${word} --help" tells about a ${word.toLowerCase()}; also: --version, --help.
${namesHelp}${exitHelp()}`);
}

export const programSummaries: Readonly<Record<ControlProgram, string>> = {
  telchap: 'control the chaperone of this container',
  chaperonectl: 'control a running chaperone, and look at configurations and journals',
};

function verb(
  name: string,
  words: string,
  summary: string,
  operands: CommandHelp['operands'],
  ...known: CommandHelp['options']
): VerbHelp {
  const notes = operands === 'services' ? { notes: namesHelp } : {};
  return { name, usages: [words], summary, operands, options: known, exit: exitHelp(), ...notes };
}
