import type { DiagnosticCode } from './diagnostic-code.ts';

/** A place in a configuration file. Lines and columns count from 1, in the user's own characters. */
export interface SourcePosition {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Characters to underline; at least 1. */
  readonly length: number;
  /** The offending line as the user wrote it. */
  readonly text: string;
}

/** One mistake or one doubt about the configuration. */
export interface Diagnostic {
  readonly severity: 'error' | 'warning';
  readonly code: DiagnosticCode;
  readonly message: string;
  /** How many diagnostics this one stands for, if it replaces those beyond the limit; absent: one. */
  readonly count?: number;
  /** Absent where the mistake has no place, such as a directory that cannot be read. */
  readonly position?: SourcePosition;
  /** Shown beside the caret: `did you mean "command"?`, `expected a number of seconds`. */
  readonly hint?: string;
  /** Another place that the diagnostic is about. */
  readonly related?: { readonly message: string; readonly position: SourcePosition };
}
