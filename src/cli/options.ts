import { parseArgs } from 'node:util';
import { oneLine } from '../model/printable.ts';
import type { DaemonRequest } from '../runtime/main.ts';

/** What a command line asks for. */
export type Invocation =
  | ({ readonly kind: 'run' } & DaemonRequest)
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'mistake'; readonly message: string };

const defaultConfig = '/etc/chaperone.d';

const optionKinds = {
  config: { type: 'string' },
  'disable-services': { type: 'boolean' },
  exitkills: { type: 'boolean' },
  force: { type: 'boolean' },
  help: { type: 'boolean' },
  inspect: { type: 'boolean' },
  'no-console-log': { type: 'boolean' },
  'no-exitkills': { type: 'boolean' },
  task: { type: 'boolean' },
  version: { type: 'boolean' },
} as const;

const optionNames: readonly string[] = Object.keys(optionKinds);

export const helpText = `usage: chaperone [options] [command [arguments]]

The init of a container: starts the services of a configuration in the order of
their dependencies, watches them, and stops them in reverse order. The command
runs once everything else stands.

  --config PATH         a file, or a directory of *.conf and *.yaml files
                        (default: ${defaultConfig})
  --exitkills           the end of the command is the end of the system
                        (default where stdin is a terminal)
  --no-exitkills        it is not
  --task                the command is what the container is for:
                        --no-console-log --disable-services --exitkills
  --disable-services    start no service but the command
  --no-console-log      no log records to stdout and stderr
  --inspect[=terminal]  print each change of state as it happens
  --force               accepted, does nothing
  --version             print the version
  --help                print this text

Options end at the first word that is none, and may be shortened as long as they
are unique.

Signals: SIGTERM, SIGQUIT, SIGPWR and SIGRTMIN+3 end the system in order, SIGINT
too (exit status 130; a second one at once).
Exit status: 0 after an orderly end, 1 after a mistake in the configuration or a
failed service, 2 after a mistake on the command line; otherwise that of the
command (126 may not run, 127 not found, 128+N signal N) or of the service with
exit_kills that ended the system.
`;

/** Reads the words after the program's name. Options end at the first word that is none. */
export function parseOptions(words: readonly string[]): Invocation {
  const options: string[] = [];
  let index = 0;
  for (; index < words.length; index += 1) {
    const word = words[index] ?? '';
    if (!word.startsWith('-') || word === '-') break;
    if (word === '--') {
      index += 1;
      break;
    }
    const option = completeOption(word);
    if (typeof option !== 'string') return mistake(option.message);
    if (option === '--config=') return mistake('--config needs a path');
    options.push(option);
    // The only option whose value may be the next word.
    if (option === '--config') {
      index += 1;
      const path = words[index];
      if (path === undefined || path === '') return mistake('--config needs a path');
      options[options.length - 1] = `--config=${path}`;
    }
  }
  return readOptions(options, words.slice(index));
}

function readOptions(options: readonly string[], command: readonly string[]): Invocation {
  // `--inspect` takes its value only after `=`, which parseArgs has no kind for.
  const inspectKind = options
    .filter((word) => word.startsWith('--inspect='))
    .map((word) => word.slice('--inspect='.length))
    .find((kind) => kind !== 'terminal');
  if (inspectKind !== undefined) {
    return mistake(`cannot inspect to "${inspectKind}": expected --inspect or --inspect=terminal`);
  }
  try {
    const { values } = parseArgs({
      args: options.map((word) => (word.startsWith('--inspect=') ? '--inspect' : word)),
      options: optionKinds,
    });
    const flag = (name: Exclude<keyof typeof optionKinds, 'config'>): boolean => values[name] === true;
    if (flag('help')) return { kind: 'help' };
    if (flag('version')) return { kind: 'version' };
    const task = flag('task');
    for (const name of ['task', 'disable-services'] as const) {
      if (flag(name) && command.length === 0) return mistake(`--${name} needs a command to run`);
    }
    return {
      kind: 'run',
      configPath: values.config ?? defaultConfig,
      inspect: flag('inspect'),
      command,
      exitKills: flag('exitkills') || task ? true : flag('no-exitkills') ? false : undefined,
      task,
      disableServices: flag('disable-services') || task,
      consoleLog: !flag('no-console-log') && !task,
    };
  } catch (error) {
    return mistake(error instanceof Error ? (error.message.split('. ')[0] ?? error.message) : String(error));
  }
}

/** The full form of an option that was shortened. */
function completeOption(word: string): string | { readonly message: string } {
  const [, name = '', value = ''] = /^--([^=]*)(=.*)?$/s.exec(word) ?? [];
  const candidates = optionNames.includes(name)
    ? [name]
    : optionNames.filter((option) => name !== '' && option.startsWith(name));
  const [option] = candidates;
  if (option === undefined) return { message: `unknown option "${name === '' ? word : `--${name}`}"` };
  if (candidates.length > 1) {
    return { message: `"--${name}" may be ${candidates.map((candidate) => `--${candidate}`).join(' or ')}` };
  }
  return `--${option}${value}`;
}

function mistake(message: string): Invocation {
  return { kind: 'mistake', message: `${oneLine(message)}\ntry "chaperone --help"` };
}
