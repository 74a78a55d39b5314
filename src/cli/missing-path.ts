import { isAbsolute, resolve } from 'node:path';
import type { Diagnostic } from '../model/words/diagnostic.ts';
import { configFiles } from '../runtime/linux/config-files.ts';

/**
 * A start may do without a configuration, where there is a command; whoever names one to look at means one that is there.
 *
 * @param config as it was given
 * @param path what that means
 */
export function missingPath(config: string, path: string): readonly Diagnostic[] {
  try {
    if (configFiles.stat(path) !== 'missing') return [];
    const here = resolve(config);
    const meant =
      !isAbsolute(config) && configFiles.stat(here) !== 'missing' ? { hint: `did you mean "${here}"?` } : {};
    return [
      { severity: 'error', code: 'no-configuration', message: `the configuration "${path}" does not exist`, ...meant },
    ];
  } catch {
    // The loader has said why it cannot be read.
    return [];
  }
}
