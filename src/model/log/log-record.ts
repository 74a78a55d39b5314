import type { Facility, Severity } from './syslog-names.ts';

/** One element of RFC 5424's structured data (section 6.3). A parameter may stand in it more than once. */
export interface StructuredElement {
  readonly id: string;
  readonly params: readonly (readonly [name: string, value: string])[];
}

/** One log record. */
export interface LogRecord {
  /** Unix time in ms. */
  readonly time: number;
  readonly facility: Facility;
  readonly severity: Severity;
  /** Who wrote it, the tag without its path; `''` where a record names nobody, `?` where it has no `<PRI>`. */
  readonly program: string;
  /** Absent where no process stands behind it. */
  readonly pid?: number | undefined;
  /** RFC 5424's PROCID where it is not a number. */
  readonly processId?: string | undefined;
  /** One line, printable. */
  readonly message: string;
  /** The host that the record itself names; absent where it names none. */
  readonly host?: string | undefined;
  /** The service whose output this is, with its suffix. */
  readonly service?: string | undefined;
  /** RFC 5424's MSGID. */
  readonly messageId?: string | undefined;
  readonly structuredData?: readonly StructuredElement[] | undefined;
  /**
   * What regular expressions of selectors look through: the whole record as it came in, `<PRI>` and header included, on one
   * printable line. Where it is absent they look through `PROGRAM[PID]: MESSAGE`.
   */
  readonly raw?: string | undefined;
  /** Chaperone itself says a command's words or the values of an environment: it is for the log, and nobody else. */
  readonly revealing?: true | undefined;
  /** It came without a valid `<PRI>`: it is taken as syslog.err, and shown with `??` for its tag. */
  readonly unprioritized?: true | undefined;
}

/** `PROGRAM[PID]`, `PROGRAM`, `??` for a record without `<PRI>`, `''` for one that names nobody. */
export function tagOf({ unprioritized, program, pid, processId }: LogRecord): string {
  if (unprioritized === true) return '??';
  const process = pid ?? processId;
  return process === undefined ? program : `${program}[${process}]`;
}
