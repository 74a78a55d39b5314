/**
 * The environment of a container as a folder with a file for each variable, which boot scripts change, and as files that shells
 * and other programs read.
 */
import { isSecretName, shownValue } from '../words/secrets.ts';

const variableName = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** The most bytes of `NAME=VALUE` that execve(2) takes (MAX_ARG_STRLEN). */
const longestVariable = 131_071;
/** What belongs to an account, and not to the container; and what is chaperone's own, or its host's. */
const notDumped: ReadonlySet<string> = new Set([
  ...['HOME', 'USER', 'LOGNAME', 'GROUP', 'UID', 'GID', 'SHELL', 'PWD', 'OLDPWD', 'SHLVL', '_'],
  ...[
    'NOTIFY_SOCKET',
    'LISTEN_FDS',
    'LISTEN_PID',
    'LISTEN_FDNAMES',
    'WATCHDOG_USEC',
    'WATCHDOG_PID',
    'CHAPERONE_SOCKET',
  ],
]);

/** Why a file of the folder gives no variable; undefined where it does. */
export function whyNoValue(name: string, text: string): string | undefined {
  if (!variableName.test(name)) return 'its name is no name of a variable';
  if (text.includes('\0')) return 'it holds a NUL byte, which no variable can hold';
  if (new TextEncoder().encode(text).length + name.length >= longestVariable) return 'it is longer than 128 KiB';
  return undefined;
}

/** The value in a file: a newline at its end is the file's. */
export function valueOfFile(text: string): string {
  return text.replace(/\n$/, '');
}

/** The variables that files for other programs hold: none of them a secret, and none that is an account's. Sorted by their names. */
export function dumpedVariables(
  variables: Readonly<Record<string, string>>,
): readonly (readonly [name: string, value: string])[] {
  return Object.entries(variables)
    .filter(([name]) => variableName.test(name) && !notDumped.has(name) && !name.startsWith('_CHAP'))
    .filter(([name, value]) => !isSecretName(name) && shownValue(name, value) === value)
    .sort(([one], [other]) => (one < other ? -1 : 1));
}

/** Lines for a POSIX shell. In single quotes every byte means itself. */
export function shellDump(variables: readonly (readonly [string, string])[]): string {
  return variables.map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'\n`).join('');
}

/** A JSON object. What is no UTF-8 stands there as lone surrogates, as Python's `surrogateescape` has it. */
export function jsonDump(variables: readonly (readonly [string, string])[]): string {
  return `${JSON.stringify(Object.fromEntries(variables), undefined, 2)}\n`;
}

/** The environment at one start of a program, after scripts have changed the folder. */
export interface FolderHistory {
  /** What the container was started with. */
  readonly given: Readonly<Record<string, string | undefined>>;
  /** What the folder holds now. */
  readonly now: ReadonlyMap<string, string>;
  /** What the folder held when the configuration was read. */
  readonly first: ReadonlyMap<string, string>;
  /** All values that the folder has had, by the variables. */
  readonly seen: ReadonlyMap<string, ReadonlySet<string>>;
}

/**
 * The environment of a program with what scripts have changed in the folder since the configuration was read. A value that
 * the service itself sets stays, and so does what the service does not inherit.
 */
export function withFolder(
  environment: Readonly<Record<string, string>>,
  { given, now, first, seen }: FolderHistory,
): Readonly<Record<string, string>> {
  const result = { ...environment };
  const isInherited = (name: string): boolean => {
    const value = environment[name];
    if (value === undefined) return given[name] === undefined && !first.has(name);
    return value === given[name] || seen.get(name)?.has(value) === true;
  };
  for (const [name, value] of now) if (value !== first.get(name) && isInherited(name)) result[name] = value;
  for (const name of first.keys()) {
    if (!now.has(name) && given[name] === undefined && isInherited(name)) delete result[name];
  }
  return result;
}
