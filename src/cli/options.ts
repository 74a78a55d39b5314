import { parseArgs } from 'node:util';

/** What a command line asks for. */
export type Invocation =
  | { readonly kind: 'run'; readonly configPath: string; readonly inspect: boolean }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'mistake'; readonly message: string };

const defaultConfig = '/etc/chaperone.d';

const optionKinds = {
  config: { type: 'string' },
  inspect: { type: 'boolean' },
  version: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

const optionNames: readonly string[] = Object.keys(optionKinds);

export const helpText = `usage: chaperone [options]

The init of a container: starts the services of a configuration in the order of
their dependencies, watches them, and stops them in reverse order.

  --config PATH         a file, or a directory of *.conf and *.yaml files
                        (default: ${defaultConfig})
  --inspect[=terminal]  print each change of state as it happens
  --version             print the version
  --help                print this text

Options may be shortened as long as they are unique.

Signals: SIGTERM, SIGQUIT, SIGPWR and SIGRTMIN+3 end the system in order, SIGINT
too (exit status 130; a second one at once).
Exit status: 0 after an orderly end, 1 after a mistake in the configuration or a
failed service, 2 after a mistake on the command line; otherwise that of the
service with exit_kills that ended the system.
`;

/** Reads the words after the program's name. Options end at the first word that is none. */
export function parseOptions(words: readonly string[]): Invocation {
  const full: string[] = [];
  for (const word of words) {
    const completed = completeOption(word);
    if (completed === undefined) return mistake(`unknown option "${word.split('=')[0]}"`);
    full.push(completed);
  }
  // `--inspect` takes its value only after `=`, which parseArgs has no kind for.
  const inspected = full.find((word) => word.startsWith('--inspect='));
  const inspectKind = inspected?.slice('--inspect='.length);
  if (inspectKind !== undefined && inspectKind !== 'terminal') {
    return mistake(`cannot inspect to "${inspectKind}": expected --inspect or --inspect=terminal`);
  }
  try {
    const { values, positionals } = parseArgs({
      args: full.map((word) => (word === inspected ? '--inspect' : word)),
      options: optionKinds,
      allowPositionals: true,
    });
    if (values.help === true) return { kind: 'help' };
    if (values.version === true) return { kind: 'version' };
    if (positionals.length > 0) {
      return mistake(`cannot run the command "${positionals.join(' ')}": commands are not supported yet`);
    }
    if (values.config === '') return mistake('--config needs a path');
    return { kind: 'run', configPath: values.config ?? defaultConfig, inspect: values.inspect === true };
  } catch (error) {
    return mistake(error instanceof Error ? (error.message.split('. ')[0] ?? error.message) : String(error));
  }
}

/** The full form of an option that was shortened; undefined where it is none or not unique. */
function completeOption(word: string): string | undefined {
  const match = /^--([a-z][a-z-]*)(=.*)?$/s.exec(word);
  if (match === null) return word.startsWith('-') && word !== '-' ? undefined : word;
  const [, name = '', value = ''] = match;
  const candidates = optionNames.includes(name) ? [name] : optionNames.filter((option) => option.startsWith(name));
  return candidates.length === 1 ? `--${candidates[0]}${value}` : undefined;
}

function mistake(message: string): Invocation {
  return { kind: 'mistake', message: `${message}\ntry "chaperone --help"` };
}
