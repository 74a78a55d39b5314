import { Observable, type OperatorFunction } from 'rxjs';
import type { LogRecord } from '../model/log/log-record.ts';
import type { Severity } from '../model/log/syslog-names.ts';
import { type LevelPrefix, parseLevelPrefix } from '../model/log/syslog-parse.ts';
import { type Line, type LineCutter, lines } from './lines.ts';

export interface OutputSource {
  /** The service's name without its suffix. */
  readonly program: string;
  /** The service's name with its suffix. */
  readonly service?: string;
  /** The logging entry that alone takes the records; absent: all whose selectors do. */
  readonly entry?: string;
  readonly pid: number;
  readonly stream: 'stdout' | 'stderr';
  /** The most bytes of one record; the rest of a longer line continues in further ones. */
  readonly maxLine: number;
  /** Unix time in ms. */
  readonly wallTime: () => number;
}

const severityOf: Readonly<Record<OutputSource['stream'], Severity>> = { stdout: 'info', stderr: 'warning' };

/**
 * Turns the output of a service into log records, one for each line, with facility daemon; stdout is info and stderr
 * warning (reference, section 1.2), unless the line begins with a prefix `<N>` (sd-daemon(3)). Blank lines are dropped, and blanks at
 * the end of a line, unless one entry alone takes the records: that writes what the service has written. A line that is too
 * long becomes several records.
 *
 * @param onCutter as for `lines`
 */
export function outputRecords(
  source: OutputSource,
  onCutter?: (cutter: LineCutter) => void,
): OperatorFunction<Uint8Array, LogRecord> {
  return (bytes$) =>
    new Observable((subscriber) => {
      const records = new RecordMaker(source);
      return bytes$.pipe(lines(source.maxLine, onCutter)).subscribe({
        next: (line) => {
          const record = records.recordOf(line);
          if (record !== undefined) subscriber.next(record);
        },
        error: (error) => subscriber.error(error),
        complete: () => subscriber.complete(),
      });
    });
}

class RecordMaker {
  readonly #source: OutputSource;
  /** The prefix of a line whose pieces are still coming. */
  #prefix: LevelPrefix | undefined;

  constructor(source: OutputSource) {
    this.#source = source;
  }

  recordOf({ text, continues, continued }: Line): LogRecord | undefined {
    const { program, pid, service, entry, stream, wallTime } = this.#source;
    // Within a line blanks are kept.
    const line = continued || entry ? text : text.trimEnd();
    if (!continues) this.#prefix = parseLevelPrefix(line);
    const message = continues ? line : (this.#prefix?.rest ?? line);
    if (!entry && (continues ? message : message.trim()) === '') return undefined;
    return {
      time: wallTime(),
      facility: this.#prefix?.facility ?? 'daemon',
      severity: this.#prefix?.severity ?? severityOf[stream],
      program,
      pid,
      message,
      ...(service === undefined ? {} : { service }),
      ...(entry === undefined ? {} : { entry }),
      ...(continues ? { continuation: true as const } : {}),
    };
  }
}
