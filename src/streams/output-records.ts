import { filter, map, type Observable, type OperatorFunction } from 'rxjs';
import type { LogRecord } from '../model/log/log-record.ts';
import type { Severity } from '../model/log/syslog-names.ts';
import { parseLevelPrefix } from '../model/log/syslog-parse.ts';
import { printable } from '../model/words/printable.ts';
import { lines } from './lines.ts';

/** Bytes of one line that are kept. */
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
 * What a service writes, as log records: one a line, facility daemon, stdout as info and stderr as warning (reference,
 * section 1.2), unless a line says better with a prefix `<N>` (sd-daemon(3)). Blank lines are dropped, over-long ones cut
 * with a mark.
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
