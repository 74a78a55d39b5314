/** Why a program has not been executed, as far as its file tells. */
import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { headLength, type ProgramFault, programFault, unixLineEnds } from '../../model/service/program-file.ts';
import { findProgram } from './find-program.ts';

export interface Surroundings {
  readonly searchPath: string;
  readonly directory: string;
}

/**
 * @param path of the program, relative to the directory
 * @returns continues "cannot execute X: "; undefined where nothing is known
 */
export function whyNotExecuted(code: string, path: string, surroundings: Surroundings): string | undefined {
  try {
    if (code === 'EACCES') return refusedMode(resolve(surroundings.directory, path));
    if (code !== 'ENOENT' && code !== 'ENOEXEC') return undefined;
    const fault = faultOf(path, surroundings);
    return fault === undefined ? undefined : describeFault(fault, path);
  } catch {
    // Chaperone may not look at the file, or it is not there.
    return undefined;
  }
}

/** @param path of the program, relative to the directory */
export function faultOf(path: string, { searchPath, directory }: Surroundings): ProgramFault | undefined {
  return programFault(readHead(resolve(directory, path)), {
    exists: (other) => existsSync(resolve(directory, other)),
    findProgram: (word) => findProgram(word, searchPath, directory) !== undefined,
  });
}

/** Continues "cannot execute X: ". */
export function describeFault(fault: ProgramFault, path: string): string {
  switch (fault.kind) {
    case 'interpreter': {
      const missing = `its interpreter ${JSON.stringify(fault.missing)} does not exist`;
      return fault.windows ? `${missing}, for ${unixLineEnds(path)}` : missing;
    }
    case 'argument':
      return unixLineEnds(path);
    case 'loader':
      return `its loader ${JSON.stringify(fault.missing)} does not exist: it was built for another C library (musl or glibc) or machine`;
    case 'empty':
      return 'it is empty';
    case 'format':
      return 'it is neither a program for this machine nor a script with a #! line';
  }
}

function refusedMode(file: string): string | undefined {
  const stats = statSync(file);
  if (stats.isDirectory()) return 'it is a directory';
  if ((stats.mode & 0o111) !== 0) return undefined;
  const mode = (stats.mode & 0o7777).toString(8).padStart(4, '0');
  return `it has mode ${mode}, and chmod +x makes it executable`;
}

export function readHead(file: string): string {
  const fd = openSync(file, 'r');
  try {
    const buffer = Buffer.alloc(headLength);
    return buffer.toString('latin1', 0, readSync(fd, buffer, 0, headLength, 0));
  } finally {
    closeSync(fd);
  }
}
