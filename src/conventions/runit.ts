/**
 * Folders of runit: each folder with a program `run` is a service, which runsv(8) would supervise. What stands beside `run` says the
 * rest, as in runsv(8):
 *
 * | name        | becomes                                                                                       |
 * |-------------|-----------------------------------------------------------------------------------------------|
 * | `run`       | the command, in the folder; restarted always, a second after its end                          |
 * | `finish`    | `after_stop`, with the exit code (or -1) and the signal (or 0) as arguments                   |
 * | `down`      | a disabled service                                                                            |
 * | `env/`      | `env_dir`                                                                                     |
 * | `check`     | `ready`                                                                                       |
 * | `log/run`   | a service of its own, `NAME.log.service`, to which the output goes                            |
 * | `control/u` | `before_start`                                                                                |
 * | `control/t` | a part of `stop_command`: where it exits with 0, it has done what TERM would have done        |
 * | `control/d` | a part of `stop_command`, behind the signal                                                   |
 *
 * The other programs of `control/` stand for signals that only `sv` sends, and `sv` runs them.
 */
import { quote } from '../config/wording.ts';
import type { Convention, ConventionContext } from './convention.ts';
import { literal, placeOfFile, quotedWord, serviceName, type Written, type WrittenSection } from './written.ts';

export const runit: Convention = {
  name: 'runit',
  read(context) {
    const sections = context.paths.flatMap((folder) =>
      (namesIn(folder, context) ?? []).flatMap((name) => servicesOf(`${folder}/${name}`, name, context)),
    );
    return { sections: [goesOn, ...sections], watched: context.paths };
  },
};

/** runsvdir(8) stays, whatever its services do: further folders may come. */
const goesOn: WrittenSection = {
  name: 'settings',
  directives: { detect_exit: false },
  place: placeOfFile('/etc/service'),
};

/** How long runit waits for a service to end or to become ready: for ever. Timers hold no longer time than this. */
const forEver = '20d';

/** The names of a folder in order, without hidden ones, which runsvdir(8) leaves out, too; undefined where it cannot be read. */
function namesIn(folder: string, { attempt }: ConventionContext): readonly string[] | undefined {
  const names = attempt(folder, (reader) => reader.list(folder));
  return names?.filter((name) => !name.startsWith('.')).sort();
}

/** The service of a folder, with that of its log. */
function servicesOf(folder: string, name: string, context: ConventionContext): readonly WrittenSection[] {
  const { attempt, report } = context;
  const kind = attempt(folder, (reader) => reader.stat(folder));
  if (kind !== 'directory') {
    // A link that leads nowhere is a mistake; a file beside the folders is none.
    if (kind === 'missing') report.warning('not-read', `${quote(folder)} is not read: it leads nowhere`, undefined);
    return [];
  }
  const inside = namesIn(folder, context);
  if (inside === undefined || !runs(`${folder}/run`, inside, context)) return [];
  const service = sectionOf(folder, serviceName(name), inside, context);
  const hasLog = inside.includes('log') && isFolder(`${folder}/log`, context);
  const insideLog = hasLog ? namesIn(`${folder}/log`, context) : undefined;
  if (insideLog === undefined || !runs(`${folder}/log/run`, insideLog, context)) return [service];
  const logName = serviceName(`${name}.log`);
  const log = sectionOf(`${folder}/log`, logName, insideLog, context);
  return [log, { ...service, directives: { ...service.directives, stdout: logName } }];
}

/** Tells whether `run` is a program; where it is none, a warning says why. */
function runs(path: string, inside: readonly string[], { attempt, report }: ConventionContext): boolean {
  const refuse = (why: string): false => {
    report.warning('not-read', `${quote(path)} is not read: ${why}`, undefined, {
      hint: 'a service of runit is a folder with a program "run"',
    });
    return false;
  };
  if (!inside.includes('run')) return refuse('there is no such file');
  const entry = attempt(path, (reader) => reader.look(path) ?? 'missing');
  if (entry === undefined) return false;
  if (entry === 'missing') return refuse('it leads nowhere');
  if (entry.kind !== 'file') return refuse('it is no regular file');
  return entry.executable || refuse('it is not executable');
}

function isFolder(path: string, { attempt }: ConventionContext): boolean {
  return attempt(path, (reader) => reader.stat(path)) === 'directory';
}

/** True where a program of that name stands in the folder. */
function isProgram(folder: string, name: string, inside: readonly string[], { attempt }: ConventionContext): boolean {
  const path = `${folder}/${name}`;
  if (!inside.includes(name)) return false;
  const entry = attempt(path, (reader) => reader.look(path));
  return entry?.kind === 'file' && entry.executable;
}

/** What runsv(8) does with a folder, as directives. */
function sectionOf(
  folder: string,
  name: string,
  inside: readonly string[],
  context: ConventionContext,
): WrittenSection {
  const has = (program: string): boolean => isProgram(folder, program, inside, context);
  const directives: Record<string, Written> = {
    command: './run',
    directory: literal(folder),
    restart: 'always',
    restart_delay: 1,
    restart_limit: 'unlimited',
    restart_on_start_failure: true,
    startup_pause: 0,
    // runsv signals what it has started and nothing else, and waits for it as long as it takes.
    kill_mode: 'process',
    stop_timeout: forEver,
  };
  if (inside.includes('down')) directives['enabled'] = false;
  if (inside.includes('env') && isFolder(`${folder}/env`, context)) directives['env_dir'] = literal(`${folder}/env`);
  if (has('check')) {
    directives['ready'] = { command: './check', timeout: '7s' };
    directives['process_timeout'] = forEver;
  }
  if (has('finish')) directives['after_stop'] = `-./finish ${finishArguments}`;
  const control = (inside.includes('control') ? namesIn(`${folder}/control`, context) : undefined) ?? [];
  const controls = (letter: string): boolean => isProgram(`${folder}/control`, letter, control, context);
  if (controls('u')) directives['before_start'] = '-./control/u';
  const stop = stopCommand(controls('t'), controls('d'));
  if (stop !== undefined) directives['stop_command'] = stop;
  return { name, place: placeOfFile(`${folder}/run`), directives };
}

/**
 * The exit code of `run`, or -1, and the lowest byte of its wait status: 0, or the signal. Where `run` could not be started these are
 * 111 and 0, as in runsv(8).
 */
const finishArguments = '$(EXIT_CODE:|exited|$(EXIT_STATUS)|$(EXIT_CODE:|-1|111)) $(EXIT_SIGNAL:-0)';

/**
 * The command that stops a service in place of TERM; undefined where the folder customises no signal. The command waits for the end
 * of the service, because further signals follow it.
 */
function stopCommand(hasTerm: boolean, hasDown: boolean): string | undefined {
  if (!hasTerm && !hasDown) return undefined;
  const script = [
    ...(hasTerm ? ['./control/t || kill -TERM "$MAINPID"'] : ['kill -TERM "$MAINPID"']),
    'kill -CONT "$MAINPID" 2> /dev/null',
    ...(hasDown ? ['./control/d'] : []),
    'while kill -0 "$MAINPID" 2> /dev/null; do sleep 0.2; done',
  ].join('; ');
  return `/bin/sh -c ${quotedWord(script)}`;
}
