/** Syslog's vocabulary and its most used functions, for those who need no more of it than that. */
export { formatRecord } from './log-format.ts';
export type { LogRecord } from './log-record.ts';
export { compileSelector, type Selector } from './selector.ts';
export { parseSeverity, type Severity, severities } from './syslog-names.ts';
