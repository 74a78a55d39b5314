/** Which folder a word of sv(8) means, and which service Chaperone has made of it. */
import { accessSync, constants, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { serviceName } from '../../conventions/written.ts';
import { codeOf } from '../../model/words/errno.ts';
import type { ProcessLook } from './sv-standing.ts';

/** The folder in which Debian's runit, and images that are made with it, have their services. */
export const usualFolder = '/etc/service';

/** The folder that a word means: a path where it begins with a dot or a slash, else a name in the folder of services. */
export function folderOf(word: string, services: string): string {
  return /^[./]/.test(word) ? resolve(word) : resolve(services, word);
}

/** Why the folder cannot be entered, in the words of runit; undefined where it can be. */
export function whyNoFolder(folder: string): string | undefined {
  try {
    return statSync(folder).isDirectory() ? undefined : reasons['ENOTDIR'];
  } catch (error) {
    const code = codeOf(error) ?? '';
    return reasons[code] ?? code;
  }
}

/** The texts of errors, as error_str() of runit has them. */
const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'file does not exist',
  ENOTDIR: 'not a directory',
  EACCES: 'access denied',
  ELOOP: 'symbolic link loop',
  ENAMETOOLONG: 'file name too long',
};

/** The names that the service of a folder may have: by the folder itself, then by the links to it among the services. */
export function* serviceNamesOf(folder: string, services: string): Generator<string> {
  const isLog = basename(folder) === 'log';
  const own = isLog ? dirname(folder) : folder;
  const named = (name: string): string => serviceName(isLog ? `${name}.log` : name);
  yield named(basename(own));
  const real = realPath(own);
  for (const name of real === undefined ? [] : namesIn(services)) {
    if (realPath(join(services, name)) === real) yield named(name);
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

export function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Ticks a second of the times in proc_pid_stat(5), on every architecture of Linux. */
const ticks = 100;

/** The fields of proc_pid_stat(5) for a process; undefined where the process no longer exists. */
export function lookAtProcess(pid: number): ProcessLook | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name of the program stands in brackets, and may hold any.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const uptime = Number(readFileSync('/proc/uptime', 'latin1').split(' ', 1)[0]);
    const age = uptime * 1000 - (Number(fields[19]) * 1000) / ticks;
    return { started: Date.now() - age, isStopped: fields[0] === 'T' || fields[0] === 't' };
  } catch {
    return undefined;
  }
}
