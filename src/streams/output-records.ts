import { filter, map, type Observable, type OperatorFunction } from 'rxjs';
import type { LogRecord } from '../model/log/log-record.ts';
import type { Severity } from '../model/log/syslog-names.ts';
import { parseLevelPrefix } from '../model/log/syslog-parse.ts';
import { printable } from '../model/words/printable.ts';
import { lines } from './lines.ts';

/** The most bytes that are kept of one line. */
const longestLine = 8192;

export interface OutputSource {
  /** The service's name without its suffix. */
  readonly program: string;
  /** The service's name with its suffix. */
  readonly service?: string;
  readonly pid: number;
  readonly stream: 'stdout' | 'stderr';
  /** Unix time in ms. */
  readonly wallTime: () => number;
}

const severityOf: Readonly<Record<OutputSource['stream'], Severity>> = { stdout: 'info', stderr: 'warning' };

/**
 * Turns the output of a service into log records, one for each line, with facility daemon; stdout is info and stderr
 * warning (reference, section 1.2), unless the line begins with a prefix `<N>` (sd-daemon(3)). Blank lines are dropped,
 * over-long ones are cut with a mark.
 */
export function outputRecords(source: OutputSource): OperatorFunction<Uint8Array, LogRecord> {
  return (bytes$: Observable<Uint8Array>) =>
    bytes$.pipe(
      lines(longestLine),
      map(({ bytes, cut }) => printable(bytes).trimEnd() + (cut > 0 ? ` [… ${cut} bytes cut]` : '')),
      filter((line) => line !== ''),
      map((line) => toRecord(source, line)),
      filter(({ message }) => message.trim() !== ''),
    );
}

function toRecord({ program, pid, service, stream, wallTime }: OutputSource, line: string): LogRecord {
  const prefix = parseLevelPrefix(line);
  return {
    time: wallTime(),
    facility: prefix?.facility ?? 'daemon',
    severity: prefix?.severity ?? severityOf[stream],
    program,
    pid,
    message: prefix === undefined ? line : prefix.rest,
    ...(service === undefined ? {} : { service }),
  };
}
