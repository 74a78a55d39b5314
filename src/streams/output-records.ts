import { filter, map, type Observable, type OperatorFunction } from 'rxjs';
import { printable } from '../model/printable.ts';
import type { LogRecord, Severity } from '../model/syslog.ts';
import { lines } from './lines.ts';

/** Bytes of one line that are kept. */
const longestLine = 8192;

export interface OutputSource {
  /** The service's name without its suffix. */
  readonly program: string;
  readonly pid: number;
  readonly stream: 'stdout' | 'stderr';
  /** Unix time in ms. */
  readonly wallTime: () => number;
}

const severityOf: Readonly<Record<OutputSource['stream'], Severity>> = { stdout: 'info', stderr: 'warning' };

/**
 * What a service writes, as log records: one a line, facility daemon, stdout as info and stderr as warning (reference,
 * section 1.2). Blank lines are dropped, over-long ones cut with a mark.
 */
export function outputRecords(source: OutputSource): OperatorFunction<Uint8Array, LogRecord> {
  return (bytes$: Observable<Uint8Array>) =>
    bytes$.pipe(
      lines(longestLine),
      map(({ bytes, cut }) => printable(bytes).trimEnd() + (cut > 0 ? ` [… ${cut} bytes cut]` : '')),
      filter((message) => message !== ''),
      map(
        (message): LogRecord => ({
          time: source.wallTime(),
          facility: 'daemon',
          severity: severityOf[source.stream],
          program: source.program,
          pid: source.pid,
          message,
        }),
      ),
    );
}
