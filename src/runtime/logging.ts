import type { Observable } from 'rxjs';
import { createLogger, format } from 'winston';
import Transport from 'winston-transport';
import type { LoggingSpec } from '../model/service-spec.ts';
import { compileSelector, formatRecord, type LogRecord, type Severity, severities } from '../model/syslog.ts';
import type { SinkQueue } from './sink-queue.ts';

type SinkName = 'stdout' | 'stderr';

/** What winston hands from logger to format to transport. */
interface Entry {
  readonly record: LogRecord;
  line?: string;
}

const levels = Object.fromEntries(severities.map((name, number) => [name, number]));

export type AttachLogging = (
  records$: Observable<LogRecord>,
  entries: readonly LoggingSpec[],
  queues: Readonly<Record<SinkName, SinkQueue>>,
  host: string,
  /** Levels that every entry is to take, too, from then on. */
  levels$?: Observable<Severity>,
) => void;

/** A winston transport whose bounded queue never makes winston wait. */
class QueueTransport extends Transport {
  readonly #queue: SinkQueue;

  constructor(queue: SinkQueue) {
    super({ level: 'debug' });
    this.#queue = queue;
  }

  override log(entry: Entry, next: () => void): void {
    this.#queue.write(`${entry.line}\n`);
    next();
  }
}

/**
 * Sends records to the sinks that the configuration's logging entries name. Each entry selects before winston sees a record,
 * and has a winston logger of its own.
 *
 * @param host the host name in each line
 */
export const attachLogging: AttachLogging = (records$, entries, queues, host, levels$) => {
  const syslogLine = format((info) => {
    const entry = toEntry(info);
    info['line'] = formatRecord(entry.record, host);
    return info;
  });
  for (const entry of entries) {
    if (!entry.enabled) continue;
    const targets = (['stdout', 'stderr'] as const).filter((target) => entry[target]);
    if (targets.length === 0) continue;
    let selects = compileSelector(entry.selector, entry.widenTo === undefined ? {} : { widenTo: entry.widenTo });
    levels$?.subscribe((widenTo) => {
      selects = compileSelector(entry.selector, { widenTo });
    });
    const logger = createLogger({
      levels,
      level: 'debug',
      format: syslogLine(),
      transports: targets.map((target) => new QueueTransport(queues[target])),
    });
    records$.subscribe((record) => {
      if (!selects(record)) return;
      // What would be dropped need not be formatted first: a flood must cost little.
      if (targets.every((target) => queues[target].isFull)) for (const target of targets) queues[target].drop();
      else logger.log({ level: record.severity, message: record.message, record });
    });
  }
};

function toEntry(info: Readonly<Record<string, unknown>>): Entry {
  const { record } = info;
  if (!isRecord(record)) throw new Error('internal error: a log entry without its record');
  return { record };
}

function isRecord(value: unknown): value is LogRecord {
  return typeof value === 'object' && value !== null && 'severity' in value && 'message' in value;
}
