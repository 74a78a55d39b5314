/** The verbs of dockerops: help, man page, completions and reference are made of this table. */
import type { Parameter } from '../../model/words/parameter.ts';
import * as recorded from '../chaperonectl/verb-options.ts';
import { breakWide, type CommandHelp, helpText, sentence, table } from '../command-help.ts';
import type { VerbHelp } from '../verb-help.ts';
import * as options from './options.ts';

const exit = `Exit status:
  0  done
  1  refused or failed; standard error says of which instance, and why
  2  a mistake on the command line
`;

export const namesNote = `NAME is a container, an instance (CONTAINER-INSTANCE), or "all". The form of the
Python dockerops is known, too: "dockerops run:web,instance=a" is the same as
"dockerops run web --instance a".
`;

const { json, conf, instance, group, yes, force } = options;
const chosen = [instance, group, conf];

/** The verbs that only ask and tell need no confirmation; those that remove something ask, unless they are told not to. */
export const dockeropsVerbs: readonly VerbHelp[] = [
  {
    ...verb('init', '[FOLDER]', 'make a new project', 'files', options.demo),
    notes: `Makes the folders of a project with one container, and its key for ssh; --demo makes
more containers, which show what there is. What is there already is left as it is.
`,
  },
  {
    ...verb('build', 'NAME...|all', 'build images, each after those that it begins with', 'services'),
    options: [options.cache, options.pull, options.network, options.verbose, json],
    notes: `The order comes from FROM, and from build.conf where FROM leaves a choice. "all" is
what build.conf names, else each folder. The base image is built where one begins with it.
`,
  },
  {
    ...verb('run', 'NAME...|all', 'make the instances of the conf run, and tell what that changes', 'services'),
    options: [
      ...chosen,
      ...[options.instanceType, options.linked, options.publishPorts],
      ...[options.persistentData, options.persistentOpt, options.persistentLog],
      ...[options.interactive, options.safemode, options.dryRun, options.inspect, options.record, yes, json],
    ],
    notes: `What runs as the conf says is left alone. An instance whose conf or image has changed
is made anew: that is told with the reason, and asked. Data and volumes stay.
`,
  },
  {
    ...verb('rerun', 'NAME...|all', 'make instances anew, also where nothing has changed', 'services'),
    options: [...chosen, options.safemode, options.inspect, options.record, yes, json],
    notes: `What is linked to an instance that is made anew stays as it is where the command does
not name it, too: its ALIAS_CONTAINER_IP is old then, which is told with the command that
makes it anew. Where an address stays the same, nothing has to be done.
`,
  },
  {
    ...verb('start', 'NAME...|all', 'start instances that have stopped, as they are', 'services', ...chosen, json),
    notes: `Each starts once those are up that it waits for and that run or are named, too. What
has changed in the conf since it was made is left to "run", and a link whose address is
another one by now is told.
`,
  },
  verb(
    'stop',
    'NAME...|all',
    'stop instances, those that wait for others first',
    'services',
    ...chosen,
    options.timeout,
    json,
  ),
  verb('kill', 'NAME...|all', 'send a signal to instances', 'services', ...chosen, options.signal, json),
  {
    ...verb(
      'clean',
      'NAME...|all',
      'stop instances and remove their containers',
      'services',
      ...chosen,
      yes,
      force,
      json,
    ),
    notes: 'Tells what will be removed, and asks. Data and volumes stay.\n',
  },
  {
    ...verb(
      'purge',
      '',
      'remove images of the project that have lost their name',
      'none',
      options.volumes,
      yes,
      force,
      json,
    ),
    notes: 'Tells what will be removed, and asks. Volumes are only removed with --volumes.\n',
  },
  verb('killall', '', 'kill all instances of the project', 'none', yes, force, json),
  verb('stopall', '', 'stop all instances of the project', 'none', options.timeout, json),
  verb('ps', '[NAME...]', 'the instances, and what they do', 'services', conf, json),
  verb('status', '[NAME...]', 'the instances, and the services in each', 'services', conf, json),
  verb('logs', 'NAME', 'what an instance has printed', 'services', instance, options.follow, options.lines),
  verb('ip', 'NAME', 'the address of an instance', 'services', instance, json),
  verb('info', '[NAME]', 'all about an instance, or about the project and the engine', 'services', instance, json),
  {
    ...verb('ssh', 'NAME [COMMAND...]', "log in through the instance's own SSH server", 'services', instance),
    untilWord: true,
    notes: `The key of the project is keys/id_ed25519, with mode 0600; its public half is given to
each instance in AUTHORIZED_KEYS. The host keys are asked of the instance itself.
`,
  },
  { ...verb('shell', 'NAME', 'a shell in an instance', 'services', instance, options.user), untilWord: true },
  { ...verb('enter', 'NAME', 'the same as shell', 'services', instance, options.user), untilWord: true },
  {
    ...verb('exec', 'NAME COMMAND...', 'run a command in an instance, with its exit status', 'services', instance),
    options: [instance, options.user, options.workdir, options.env],
    untilWord: true,
  },
  {
    ...verb('run-bash', 'NAME', 'a new container of an image with only a shell in it', 'services', options.user),
    notes: 'It has no links and no ports, and is removed when the shell ends.\n',
  },
  {
    ...verb('graph', '', 'what is built from what, and who waits for whom', 'none', conf, options.names, json),
  },
  {
    ...verb('inspect', '', 'a page over the platform and each Chaperone inside it', 'none'),
    options: [recorded.port, recorded.listen, options.record],
    notes: `The containers are asked through the engine: no port of them is opened. The page is
served until the command is interrupted.
`,
  },
  {
    ...verb('replay', 'FILE', 'show what --record has recorded: as it went, in figures, or as a page', 'files'),
    options: [
      ...[recorded.boot, recorded.list, recorded.summary, recorded.until, recorded.service, recorded.speed],
      ...[recorded.web, recorded.port, recorded.listen, recorded.html, recorded.trace, json],
    ],
  },
  {
    ...verb('diff', 'FILE [FILE]', 'compare two recordings: A and B, or the last two of one file', 'files'),
    options: [recorded.tolerance, json],
    notes: 'Exit status 1 says that B failed, or was up later than the tolerance allows.\n',
  },
  {
    ...verb('make', 'NAME...|all', 'build, and then run', 'services', ...chosen, options.network, yes, json),
  },
  verb('version', '', 'the versions of dockerops and of the engine', 'none', json),
];

export const dockeropsSummary = 'build, run and watch a platform of containers';

function verb(
  name: string,
  words: string,
  summary: string,
  operands: CommandHelp['operands'],
  ...known: readonly Parameter<unknown>[]
): VerbHelp {
  const notes = words.startsWith('NAME...') ? { notes: namesNote } : {};
  return { name, usages: [words], summary, operands, options: known, exit, ...notes };
}

export function dockeropsVerbHelp(command: VerbHelp): string {
  return helpText(`dockerops ${command.name}`, command);
}

export function dockeropsHelp(): string {
  const rows = dockeropsVerbs.map(({ name, summary }): readonly [string, string] => [name, summary]);
  return breakWide(`usage: dockerops VERB [options] [NAME...]
       dockerops VERB:NAME,key=value,...

${sentence(dockeropsSummary)}.

${table(rows)}
"dockerops VERB --help" tells about a verb; also: --version, --help.
The project is the folder PROJECT_DIR, else the nearest one that holds apps_containers or services.
Its name is PROJECT_NAME, else that of the folder. The engine is that of DOCKER_HOST.
${namesNote}${exit}`);
}

export const dockeropsExit = exit;
