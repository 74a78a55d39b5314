import type { Facility, Severity } from './syslog-names.ts';

/** One element of RFC 5424's structured data (section 6.3). A parameter may stand in it more than once. */
export interface StructuredElement {
  readonly id: string;
  readonly params: readonly (readonly [name: string, value: string])[];
}

/** The process that has sent a record to the log socket, as the kernel tells. */
export interface LogSender {
  /** 0 for a process outside of this pid namespace. */
  readonly pid: number;
  readonly uid: number;
}

/** One log record. */
export interface LogRecord {
  /** Unix time in ms. */
  readonly time: number;
  readonly facility: Facility;
  readonly severity: Severity;
  /** The program that wrote the record: the tag without its path; `''` if the record has no tag, `?` if it has no `<PRI>`. */
  readonly program: string;
  /** The pid of the writer; absent if no process wrote the record. */
  readonly pid?: number | undefined;
  /** RFC 5424's PROCID, if it is not a number. */
  readonly processId?: string | undefined;
  /**
   * The text, with its control characters and inner line ends as they came; bytes that were no text stand as `\xHH`. Formats
   * escape what does not fit on their lines.
   */
  readonly message: string;
  /** True for the second and later pieces of a line that was longer than `max_line`. */
  readonly continuation?: true | undefined;
  /** The host that the record itself names; absent where it names none. */
  readonly host?: string | undefined;
  /** The service whose output this is, with its suffix. */
  readonly service?: string | undefined;
  /** The logging entry that alone takes the record, whatever selectors say; with its suffix. */
  readonly entry?: string | undefined;
  /** RFC 5424's MSGID. */
  readonly messageId?: string | undefined;
  readonly structuredData?: readonly StructuredElement[] | undefined;
  /**
   * The text that regular expressions of selectors search: the whole record as it came in, `<PRI>` and header included. If it is
   * absent, they search `PROGRAM[PID]: MESSAGE`.
   */
  readonly raw?: string | undefined;
  /** True for a record of chaperone itself. */
  readonly own?: true | undefined;
  /** True for a record of chaperone itself that holds words of a command or values of an environment: only the log shows it. */
  readonly revealing?: true | undefined;
  /** Only for a record from the log socket, beside what the record itself says. */
  readonly sender?: LogSender | undefined;
  /** With `sender`: `known` where the record's pid is the sender's, `claimed` where it is another one or none. */
  readonly trust?: 'claimed' | 'known' | undefined;
  /** True for a record that claims to be chaperone's own and is not: its program has got a question mark. */
  readonly impostor?: true | undefined;
  /** True if the record came without a valid `<PRI>`: it counts as syslog.err and is shown with `??` for its tag. */
  readonly unprioritized?: true | undefined;
}

/** `PROGRAM[PID]`, `PROGRAM`, `??` for a record without `<PRI>`, `''` for one that names nobody. */
export function tagOf({ unprioritized, program, pid, processId }: LogRecord): string {
  if (unprioritized === true) return '??';
  const process = pid ?? processId;
  return process === undefined ? program : `${program}[${process}]`;
}
