import type { Diagnostic } from '../model/words/diagnostic.ts';
import type { DiagnosticCode } from '../model/words/diagnostic-code.ts';
import type { Place } from './source.ts';
import { visible } from './wording.ts';

/** Optional parts of a diagnostic: a hint beside the caret, and a related place. */
interface Remarks {
  readonly hint?: string | undefined;
  readonly related?: { readonly message: string; readonly place: Place } | undefined;
  /** Only the first diagnostic with the same key is kept, whatever its message says. */
  readonly once?: string | undefined;
}

/** Collects the mistakes and warnings of one loading. */
export interface Report {
  error(code: DiagnosticCode, message: string, place: Place | undefined, remarks?: Remarks): void;
  warning(code: DiagnosticCode, message: string, place: Place | undefined, remarks?: Remarks): void;
  readonly errorCount: number;
  /** Everything reported, those without a place first, then by file in the order of reading, line and column. */
  finish(fileOrder: readonly string[]): Diagnostic[];
}

/** Most mistakes, and most warnings, that are kept: a file of a million lines may have millions. */
const mostKept = 500;

/** An empty collection. The same message at the same place is kept once. */
export function createReport(): Report {
  const diagnostics = new Map<string, Diagnostic>();
  /** How many diagnostics are kept; `rest` counts those beyond the limit. */
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
      // Control characters in a configuration must not reach a terminal.
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
