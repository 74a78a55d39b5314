/** Severities by number, RFC 5424 section 6.2.1. */
export const severities = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'] as const;
export type Severity = (typeof severities)[number];

/** The facilities that chaperone itself writes with. */
export type Facility = 'daemon' | 'cron' | 'local5';

/** One log record. */
export interface LogRecord {
  /** Unix time in ms. */
  readonly time: number;
  readonly facility: Facility;
  readonly severity: Severity;
  readonly program: string;
  /** Absent where no process stands behind it. */
  readonly pid?: number;
  /** One line, printable. */
  readonly message: string;
}

/** The names under which users write priorities in a selector. */
const priorityNames = new Map<string, Severity>([
  ...severities.map((name): [string, Severity] => [name, name]),
  ['error', 'err'],
  ['warn', 'warning'],
  ['panic', 'emerg'],
]);

/** Reads a priority's name; undefined where it is none. */
export function parseSeverity(text: string): Severity | undefined {
  return priorityNames.get(text.toLowerCase());
}

/** Tells for each record whether an entry takes it. */
export type Selector = (record: LogRecord) => boolean;

/**
 * Compiles `*.PRIORITY` (that severity or more severe) or `*.*`.
 *
 * @throws Error where the text is anything else
 */
export function compileSelector(text: string): Selector {
  const match = /^\s*\*\.(\*|\w+)\s*$/.exec(text);
  const priority = match?.[1];
  if (priority === '*') return () => true;
  const severity = priority === undefined ? undefined : parseSeverity(priority);
  if (severity === undefined) throw new Error(`cannot read the selector "${text}": expected *.PRIORITY`);
  const least = severities.indexOf(severity);
  return (record) => severities.indexOf(record.severity) <= least;
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `Mon dd HH:MM:SS HOST TAG[PID]: MESSAGE`, as syslog daemons write their files (RFC 3164, section 4.1.2 and 4.1.3). */
export function formatRecord(record: LogRecord, host: string): string {
  const date = new Date(record.time);
  const day = String(date.getDate()).padStart(2, ' ');
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
  const tag = record.pid === undefined ? record.program : `${record.program}[${record.pid}]`;
  return `${months[date.getMonth()]} ${day} ${time} ${host} ${tag}: ${record.message}`;
}
