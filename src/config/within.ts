import type { DiagnosticCode } from '../model/words/diagnostic-code.ts';
import { isPlain } from '../model/words/expand.ts';
import { didYouMean } from '../model/words/nearest.ts';
import { placeWithin, type YamlScalar } from './parse-yaml.ts';
import type { Report } from './report.ts';

/** A mistake somewhere in the text of a directive. Offsets count UTF-16 units of the text that was read. */
interface MistakeWithin {
  readonly index: number;
  readonly length: number;
  readonly hint?: string;
  /** Names one of which may have been meant. */
  readonly candidates?: readonly string[];
}

/**
 * Reports a mistake at its place inside of a directive's text, or at the whole text if variables were expanded in it.
 *
 * @param read the text that was read: expanded and trimmed
 */
export function reportWithin(
  report: Report,
  code: DiagnosticCode,
  message: string,
  scalar: YamlScalar,
  read: string,
  { index, length, hint, candidates = [] }: MistakeWithin,
): void {
  const start = isPlain(scalar.text) ? scalar.text.indexOf(read) : -1;
  const place = start < 0 ? scalar.place : placeWithin(scalar, start + index, length);
  report.error(code, message, place, { hint: didYouMean(read.slice(index, index + length), candidates) ?? hint });
}
