/** The verbs of chaperonectl and of telchap: those of the table of commands, and those that chaperonectl does by itself. */
import { exitStatuses, exitStatusMeanings } from '../../control/answer.ts';
import { commandEntry, verbs as commandVerbs, isVerb, wordsOf } from '../../control/commands.ts';
import { follow, lines } from '../../control/log-parameters.ts';
import { type CommandHelp, helpText, sentence, table } from '../command-help.ts';
import * as options from './verb-options.ts';

export interface VerbHelp extends CommandHelp {
  readonly name: string;
  /** Options end at the first word that is none. */
  readonly untilWord?: true;
}

export type ControlProgram = 'telchap' | 'chaperonectl';

export const namesHelp = 'Names stand with or without ".service", and may be globs.\n';

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

/** The verbs that chaperonectl carries out itself or with more than one request to chaperone. */
const ownVerbs: readonly VerbHelp[] = [
  {
    ...verb('check', '', 'check a configuration without starting it', 'none', options.config, options.user, json),
    description: 'Tells every mistake in a configuration that can be known without starting it.\n',
    notes: `A relative --config counts from the home of --user, else from /. Commands in
backticks are run, as a start runs them; nothing else is. What is found depends
on the machine: run it where the services will run.
`,
    exit: `Exit status: 0 no mistakes (warnings are none), 1 mistakes, 2 a mistake on the
command line.
`,
  },
  verb('logs', '[NAME...]', 'the last log records', 'services', follow, lines, json),
  {
    ...verb('is-ready', '[NAME...]', 'say by the exit status alone whether all, or these, are ready', 'services', json),
    notes: `${namesHelp}A service that has ended normally is ready where it has remain_after_exit; else it
is not where it is named, and does not count among all.
`,
    exit: exitHelp({ done: 'all of them are ready', failed: 'one of them is not ready' }),
  },
  verb('blame', '', 'how long each service took to become ready', 'none', json),
  verb('critical-chain', '', 'the services that decided how long the boot took', 'none', json),
  {
    ...verb('run', 'COMMAND [ARGUMENT...]', 'run a command beside the services, with its exit status', 'command', json),
    untilWord: true,
  },
  verb(
    'inspect',
    '',
    'serve the inspector page of what runs, and say where',
    'none',
    ...[options.port, options.listen, options.via, options.stdio],
  ),
  {
    ...verb(
      'replay',
      'FILE[#BOOT] [FILE[#BOOT]]',
      'show a boot that a journal has recorded: as it went, in figures, or against another one',
      'files',
      ...[options.boot, options.list, options.summary, options.diff, options.tolerance, options.until],
      ...[options.service, options.speed, options.web, options.port, options.listen, json],
    ),
    notes: `Without --boot it is the last boot of the journal. With --diff, exit status 1 says
that B failed, or became ready later than the tolerance allows.
`,
  },
  verb(
    'simulate',
    '',
    'the boot that a configuration will have, in virtual time: nothing is started',
    'none',
    ...[options.config, options.user, options.time, options.from, options.assume, options.fail, options.whatIf],
    ...[options.baseline, options.laterBy, json],
  ),
];

/** In the order of the help of chaperonectl. */
const order = [
  ...['check', 'status', 'start', 'stop', 'reset', 'restart', 'enable', 'disable', 'kill', 'logs', 'wait', 'is-ready'],
  ...['blame', 'critical-chain', 'dependencies', 'loglevel', 'run', 'inspect', 'reload', 'replay', 'simulate'],
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
  return verb(name, wordsOf(entry), summary, operands, ...entry.options, ...own);
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
  return `usage: ${program} ${word} [options] [NAME...]

${sentence(programSummaries[program])}.

${table(rows)}
"${program} ${word} --help" tells about a ${word.toLowerCase()}; also: --version, --help.
${namesHelp}${exitHelp()}`;
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
