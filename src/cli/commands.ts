/** What telchap and chaperonectl know, in one table: help, completions and man pages are made of it. */
import { exitStatuses, exitStatusMeanings } from '../control/answer.ts';

export interface CommandOption {
  /** Without its dashes. */
  readonly name: string;
  /** What its value is called; absent where it takes none. */
  readonly value?: string;
  readonly choices?: readonly string[];
  /** Its value begins with the name of a service. */
  readonly names?: true;
  readonly summary: string;
}

export interface CommandHelp {
  readonly name: string;
  /** What stands behind it, as usage texts write it. */
  readonly words: string;
  readonly summary: string;
  readonly options: readonly CommandOption[];
  /** Its words are names of services. */
  readonly takesNames: boolean;
  /** Its words are names of files. */
  readonly takesFiles?: boolean;
  /** What else is to be known, in place of what is told of names. */
  readonly notes?: string;
  /** telchap knows it, too. */
  readonly telchap: boolean;
}

export const namesHelp = 'Names stand with or without ".service", and may be globs.\n';

const force = { name: 'force', summary: 'whatever state the service is in' };
const wait = { name: 'wait', summary: 'return when it has come about' };
const timeout = { name: 'timeout', value: 'SECONDS', summary: 'how long to wait at most' };
const json = { name: 'json', summary: 'print JSON' };

export const commands: readonly CommandHelp[] = [
  verb(
    'check',
    '',
    'check a configuration without starting it',
    [
      { name: 'config', value: 'PATH', summary: 'a file, or a directory; else /etc/chaperone.d' },
      { name: 'user', value: 'USER', summary: 'as "chaperone --user USER" would start it' },
      json,
    ],
    false,
    false,
  ),
  verb('status', '[NAME...]', 'what runs, since when, and what waits for what', [json], true),
  verb('start', '[NAME...]', 'start services; without names all that can be started', [
    force,
    wait,
    { name: 'enable', summary: 'enable them first' },
    timeout,
    json,
  ]),
  verb('stop', 'NAME...', 'stop services', [
    force,
    wait,
    { name: 'disable', summary: 'and keep them from being started' },
    { name: 'drain', summary: 'cron, inetd: let the runs and connections that there are end by themselves' },
    timeout,
    json,
  ]),
  verb('reset', 'NAME...', 'forget failures and restarts; end what inetd and cron services run', [force, wait, json]),
  verb('restart', 'NAME...', 'stop services and start them again', [
    { name: 'force', summary: 'also those that could not be started again' },
    wait,
    timeout,
    json,
  ]),
  verb('enable', 'NAME...', 'allow services to be started', [json]),
  verb('disable', 'NAME...', 'keep services from being started; what runs goes on', [json]),
  verb('kill', 'NAME... SIGNAL', 'send a signal to the processes of services', [json], true, false),
  verb(
    'logs',
    '[NAME...]',
    'the last log records',
    [
      { name: 'follow', summary: 'go on with what comes; also -f' },
      { name: 'lines', value: 'N', summary: 'how many; also -n N' },
      json,
    ],
    true,
    false,
  ),
  verb(
    'wait',
    'NAME...',
    'return when services are ready, stopped or failed',
    [
      {
        name: 'for',
        value: 'STATE',
        choices: ['ready', 'stopped', 'failed'],
        summary: 'ready (the default), stopped or failed',
      },
      timeout,
      json,
    ],
    true,
    false,
  ),
  {
    ...verb(
      'is-ready',
      '[NAME...]',
      'say by the exit status alone whether all, or these, are ready',
      [json],
      true,
      false,
    ),
    notes: `${namesHelp}A service that has ended normally is ready where it has remain_after_exit; else it
is not where it is named, and does not count among all.
`,
  },
  verb('blame', '', 'how long each service took to become ready', [json], false, false),
  verb('critical-chain', '', 'the services that decided how long the boot took', [json], false, false),
  verb('dependencies', '', 'who waits for whom', [json], false),
  verb('loglevel', '[LEVEL]', 'show, or set, the least severe priority that is logged everywhere', [json], false),
  verb('run', 'COMMAND [ARGUMENT...]', 'run a command beside the services, with its exit status', [json], false, false),
  verb(
    'inspect',
    '',
    'serve the inspector page of what runs, and say where',
    [
      { name: 'port', value: 'PORT', summary: 'the port of the page; without it the system chooses one' },
      { name: 'listen', value: 'ADDRESS', summary: 'the address of the page; 127.0.0.1 without it' },
      {
        name: 'via',
        value: 'COMMAND',
        summary: 'reach chaperone through a command such as "docker exec -i NAME"',
      },
      { name: 'stdio', summary: 'the other end of --via: standard input and output are the control socket' },
    ],
    false,
    false,
  ),
  verb(
    'reload',
    '',
    'read the configuration anew and carry out what has changed; a mistake in it changes nothing',
    [
      { name: 'dry-run', summary: 'only say what that would be' },
      { name: 'force', summary: 'also where it stops services that it could not start again' },
      json,
    ],
    false,
    false,
  ),
  {
    ...verb(
      'replay',
      'FILE[#BOOT] [FILE[#BOOT]]',
      'show a boot that a journal has recorded: as it went, in figures, or against another one',
      [
        {
          name: 'boot',
          value: 'N|ID',
          summary: 'which boot: its number, from the end where negative; or how its id begins',
        },
        { name: 'list', summary: 'only tell which boots there are' },
        { name: 'summary', summary: 'figures: critical chain, blame, restarts, failures and their causes' },
        { name: 'diff', summary: 'compare two boots: A and B, or the last two of one journal' },
        { name: 'tolerance', value: 'N%|TIME', summary: 'how much later B may be ready (20%, and always 0.1 s)' },
        {
          name: 'until',
          value: 'POINT',
          summary: 'stop at a time (1.5, 500ms), event, state (web:ready) or entry (#418)',
        },
        { name: 'service', value: 'GLOB', summary: 'only these services; may be repeated' },
        { name: 'speed', value: 'N|max', summary: 'N times as fast as it was, with no pause above 3 s; max: at once' },
        { name: 'web', summary: 'show it as the inspector page, and say where' },
        { name: 'port', value: 'PORT', summary: 'the port of the page; without it the system chooses one' },
        { name: 'listen', value: 'ADDRESS', summary: 'the address of the page; 127.0.0.1 without it' },
        json,
      ],
      false,
      false,
    ),
    takesFiles: true,
    notes: `Without --boot it is the last boot of the journal. With --diff, exit status 1 says
that B failed, or became ready later than the tolerance allows.
`,
  },
  verb(
    'simulate',
    '',
    'the boot that a configuration will have, in virtual time: nothing is started',
    [
      { name: 'config', value: 'PATH', summary: 'a file, or a directory (/etc/chaperone.d)' },
      { name: 'user', value: 'USER', summary: 'as "chaperone --user USER" would start it' },
      { name: 'time', value: 'NAME=TIME', names: true, summary: 'it takes that long to become ready: db=2s' },
      { name: 'from', value: 'FILE[#BOOT]', summary: 'the times of the last boot, or that one, in a journal' },
      { name: 'assume', value: 'TIME', summary: 'the time of those of which nothing is known (100ms)' },
      {
        name: 'fail',
        value: 'NAME=HOW',
        names: true,
        summary: 'exit:N, signal:N, hang or late:TIME: what it does instead',
      },
      { name: 'what-if', value: 'NAME=TIME', names: true, summary: 'what the boot would gain by that time' },
      { name: 'baseline', value: 'FILE', summary: 'fail where READY is later than in that --json' },
      { name: 'tolerance', value: 'TIME', summary: 'by how much it may be later' },
      json,
    ],
    false,
    false,
  ),
  verb('shutdown', '[DELAY|now]', 'end the system in order, after DELAY seconds', [json], false),
];

export type Program = 'telchap' | 'chaperonectl';

/** What a program knows: telchap has the original's commands, and prints what the original prints. */
export function commandsOf(program: Program): readonly CommandHelp[] {
  if (program === 'chaperonectl') return commands;
  return commands
    .filter(({ telchap }) => telchap)
    .map((command) => ({ ...command, options: command.options.filter((option) => option !== json) }));
}

/** The help of one verb. */
export function commandHelp(program: Program, command: CommandHelp): string {
  const { name, words, summary, options, notes = namesHelp } = command;
  const titles = options.map((option) => `--${option.name}${option.value === undefined ? '' : ` ${option.value}`}`);
  const width = Math.max(6, ...titles.map((title) => title.length));
  const lines = options.map((option, index) => `  ${(titles[index] ?? '').padEnd(width)}  ${option.summary}\n`);
  const usage = `usage: ${program} ${name}${options.length === 0 ? '' : ' [options]'}${words === '' ? '' : ` ${words}`}\n`;
  return `${usage}\n${summary.charAt(0).toUpperCase()}${summary.slice(1)}.\n\n${lines.join('')}  ${'--help'.padEnd(width)}  print this text\n\n${notes}${exitHelp()}`;
}

/** The exit statuses, a line each. */
export function exitHelp(): string {
  const lines = Object.entries(exitStatusMeanings).map(([kind, meaning]) => {
    const status = Object.entries(exitStatuses).find(([name]) => name === kind)?.[1];
    return `  ${status}  ${meaning}\n`;
  });
  return `Exit status:\n${lines.join('')}`;
}

/** The help of telchap as a whole. */
export function telchapHelp(): string {
  const known = commandsOf('telchap');
  const titles = known.map(({ name, words }) => `${name} ${words}`.trim());
  const width = Math.max(...titles.map((title) => title.length));
  const lines = known.map(({ summary }, index) => `  ${(titles[index] ?? '').padEnd(width)}  ${summary}\n`);
  return `usage: telchap COMMAND [options] [NAME...]\n\nControls the chaperone of this container.\n\n${lines.join('')}\n"telchap COMMAND --help" tells about a command; also: --version, --help.\n${namesHelp}${exitHelp()}`;
}

function verb(
  name: string,
  words: string,
  summary: string,
  options: readonly CommandOption[],
  takesNames = true,
  telchap = true,
): CommandHelp {
  return { name, words, summary, options, takesNames, telchap };
}
