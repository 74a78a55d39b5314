/** Advice for services that could not start; loaded where one could not. */
import { resolve } from 'node:path';
import { adviceOnCommand } from '../../model/log/command-advice.ts';
import type { StartAdvice } from '../../model/log/explain.ts';
import { isShell, unixLineEnds } from '../../model/service/program-file.ts';
import type { ServiceSpec } from '../../model/service/service-spec.ts';
import { findProgram } from '../linux/find-program.ts';
import { describeFault, faultOf, readHead } from '../linux/why-not-executed.ts';

export const startAdvice: StartAdvice = { onCommand: adviceOnCommand, onFile: adviceOnFile };

/** What the program of a service that has ended at once lacks, or the script that a shell was given: one sentence, or none. */
function adviceOnFile({ argv, environment, directory, account }: ServiceSpec): readonly string[] {
  const surroundings = {
    searchPath: environment['PATH'] ?? '',
    directory: resolve(directory ?? account?.home ?? process.cwd()),
  };
  const [word = '', ...words] = argv;
  try {
    const program = findProgram(word, surroundings.searchPath, surroundings.directory);
    const fault = program === undefined ? undefined : faultOf(program, surroundings);
    if (program !== undefined && fault !== undefined) return [`${program}: ${describeFault(fault, program)}`];
    const script = isShell(word) ? words.find((each) => !each.startsWith('-')) : undefined;
    if (script === undefined) return [];
    const [first = ''] = readHead(resolve(surroundings.directory, script)).split('\n', 1);
    return first.endsWith('\r') ? [`${script}: ${unixLineEnds(script)}`] : [];
  } catch {
    // What a shell is given need not be a file.
    return [];
  }
}
