import type { HelperCommand } from '../model/service/helper-command.ts';
import { isPlain } from '../model/words/expand.ts';
import { oneLine } from '../model/words/printable.ts';
import { splitWords } from '../model/words/words.ts';
import { type Environment, expandDirective } from './environment.ts';
import { placeWithin, type YamlScalar } from './parse-yaml.ts';
import type { Report } from './report.ts';

interface CommandContext {
  /** The name of the service. */
  readonly owner: string;
  readonly environment: Environment;
  readonly enabled: boolean;
  readonly report: Report;
}

/** Reads a command beside the service's own: it is expanded, then split as a POSIX shell splits words. */
export function readHelperCommand(
  key: string,
  scalar: YamlScalar,
  { owner, environment, enabled, report }: CommandContext,
): HelperCommand | undefined {
  const text = expandDirective(environment, key, scalar, { owner, enabled, report });
  if (text === undefined) return undefined;
  const split = splitWords(text);
  if (split.kind === 'unclosed') {
    const place = isPlain(scalar.text) ? placeWithin(scalar, split.index, 1) : scalar.place;
    report.error('unclosed-quote', `a quote in ${key} of ${owner} is never closed`, place, {
      hint: `expected a closing ${split.quote}`,
    });
    return undefined;
  }
  const [first] = split.words;
  if (first === undefined || first.text === '') {
    // The values of a disabled service often make sense only in places where it is enabled.
    if (enabled || isPlain(scalar.text))
      report.error('empty-value', `${key} of ${owner} is empty`, scalar.place, { hint: 'expected a program' });
    return undefined;
  }
  return { command: oneLine(text), argv: split.words.map((word) => word.text) };
}
