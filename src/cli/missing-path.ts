import { isAbsolute, resolve } from 'node:path';
import type { SystemSpec } from '../model/service/service-spec.ts';
import type { Diagnostic } from '../model/words/diagnostic.ts';
import { configFiles } from '../runtime/linux/config-files.ts';
import { defaultConfig } from './default-config.ts';

/**
 * A start may do without a configuration, where there is a command or where the image holds services of another init; whoever
 * names one to look at means one that is there.
 *
 * @param config as it was given
 * @param path what that means
 * @param spec what was loaded all the same
 */
export function missingPath(config: string, path: string, spec?: SystemSpec): readonly Diagnostic[] {
  if (config === defaultConfig && (spec?.services.length ?? 0) > 0) return [];
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
