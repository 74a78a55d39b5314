import type { Diagnostic } from '../model/words/diagnostic.ts';
import type { DiagnosticCode } from '../model/words/diagnostic-code.ts';
import type { Place } from './source.ts';
import { visible } from './wording.ts';

/** What stands beside the caret, and another place that belongs to it. */
interface Remarks {
  readonly hint?: string | undefined;
  readonly related?: { readonly message: string; readonly place: Place } | undefined;
  /** What is reported under one key is kept only once, whatever the message says. */
  readonly once?: string | undefined;
}

/** Collects the mistakes and doubts of one loading. */
export interface Report {
  error(code: DiagnosticCode, message: string, place: Place | undefined, remarks?: Remarks): void;
  warning(code: DiagnosticCode, message: string, place: Place | undefined, remarks?: Remarks): void;
  readonly errorCount: number;
  /** Everything reported, those without a place first, then by file in the order of reading, line and column. */
  finish(fileOrder: readonly string[]): Diagnostic[];
}

/** Mistakes, and doubts, that are kept: nobody reads more, and a file of a million lines may have millions. */
const mostKept = 500;

/** An empty collection. The same message at the same place is kept once. */
export function createReport(): Report {
  const diagnostics = new Map<string, Diagnostic>();
  /** What is kept, and what is only counted. */
  const kept = { error: 0, warning: 0 };
  const rest = { error: 0, warning: 0 };
  let errorCount = 0;

  function add(
    { severity, code }: Pick<Diagnostic, 'severity' | 'code'>,
    message: string,
    place: Place | undefined,
    remarks: Remarks,
  ): void {
    const at = place === undefined ? '' : `${place.source.file}\0${place.start}`;
    const key = remarks.once ?? `${severity}\0${at}\0${message}`;
    if (diagnostics.has(key)) return;
    if (severity === 'error') errorCount += 1;
    if (kept[severity] >= mostKept) {
      rest[severity] += 1;
      return;
    }
    kept[severity] += 1;
    diagnostics.set(key, {
      severity,
      code,
      // A terminal must not obey what stands in a configuration.
      message: visible(message),
      ...(place === undefined ? {} : { position: positionOf(place) }),
      ...(remarks.hint === undefined ? {} : { hint: visible(remarks.hint) }),
      ...(remarks.related === undefined
        ? {}
        : { related: { message: visible(remarks.related.message), position: positionOf(remarks.related.place) } }),
    });
  }

  return {
    error: (code, message, place, remarks = {}) => add({ severity: 'error', code }, message, place, remarks),
    warning: (code, message, place, remarks = {}) => add({ severity: 'warning', code }, message, place, remarks),
    get errorCount() {
      return errorCount;
    },
    finish(fileOrder) {
      const sorted = inOrder(diagnostics.values(), fileOrder);
      for (const severity of ['error', 'warning'] as const) {
        const count = rest[severity];
        if (count === 0) continue;
        const what = severity === 'error' ? 'mistakes' : 'warnings';
        sorted.push({ severity, code: 'too-many', message: `and ${count} more ${what} that are not shown`, count });
      }
      return sorted;
    },
  };
}

/** Diagnostics in the order of files and lines; those without a place stand first. */
export function inOrder(diagnostics: Iterable<Diagnostic>, files: readonly string[]): Diagnostic[] {
  const indexes = new Map(files.map((file, index) => [file, index]));
  const rank = ({ position }: Diagnostic): readonly [number, number, number] =>
    position === undefined ? [-1, 0, 0] : [indexes.get(position.file) ?? -1, position.line, position.column];
  return [...diagnostics].sort((a, b) => {
    const [left, right] = [rank(a), rank(b)];
    return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
  });
}

function positionOf(place: Place) {
  return place.source.position(place.start, place.end);
}
