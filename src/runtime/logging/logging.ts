import type { Observable } from 'rxjs';
import { createLogger, format, type Logger } from 'winston';
import Transport from 'winston-transport';
import { type LineFormatter, lineFormatter, packetFormatter } from '../../model/log/log-format.ts';
import type { LogRecord } from '../../model/log/log-record.ts';
import { compileSelector, type Selector } from '../../model/log/selector.ts';
import type { Severity } from '../../model/log/syslog-names.ts';
import type { LoggingSpec } from '../../model/service/service-spec.ts';
import type { LogSinks } from './log-sinks.ts';
import type { SinkQueue } from './sink-queue.ts';

export interface LoggingContext {
  readonly sinks: LogSinks;
  /** The host name of lines whose record has none. */
  readonly host: string;
  /** True where lines for terminals may have colours. */
  readonly colours: boolean;
  /** Makes a record of a warning of chaperone's own. */
  readonly warningRecord: (text: string) => LogRecord;
  /** Calls back at the end of this turn. */
  readonly defer: (callback: () => void) => void;
}

export interface Logging {
  /** Passes the records of this turn to the queues. */
  readonly flush: () => void;
  /** Makes every entry take this severity, too, from now on. */
  readonly widen: (level: Severity) => void;
  /** Replaces the entries; destinations that none of them names are closed. The effect of `widen` stays. */
  readonly replace: (specs: readonly LoggingSpec[]) => void;
}

/** Logging that is not subscribed to any records yet. */
export interface UnattachedLogging extends Logging {
  readonly log: (record: LogRecord) => void;
}

export type AttachLogging = (
  records$: Observable<LogRecord>,
  entries: readonly LoggingSpec[],
  context: LoggingContext,
) => Logging;

/** A winston transport whose bounded queue never makes winston wait. */
class QueueTransport extends Transport {
  readonly #queue: SinkQueue;

  constructor(queue: SinkQueue) {
    super();
    this.#queue = queue;
  }

  override log({ message }: { readonly message: string }, next: () => void): void {
    this.#queue.write(message);
    next();
  }
}

/** How many characters winston gets at once: as many as a sink writes at once. */
const largestBatch = 64 * 1024;

/** Passes the text through, because winston's default format would turn it into JSON. */
const asItIs = format((entry) => entry)();

/**
 * A sink with its winston logger. A separate winston entry for each record would cost five times as much, so winston
 * gets the lines of one turn as one entry (docs/decisions/0018-the-given-libraries.md); selectors handle the
 * severities.
 */
class LineSink {
  readonly #queue: SinkQueue;
  readonly #defer: LoggingContext['defer'];
  readonly #logger: Logger;
  #lines = '';

  constructor(queue: SinkQueue, defer: LoggingContext['defer']) {
    this.#queue = queue;
    this.#defer = defer;
    this.#logger = createLogger({ format: asItIs, transports: [new QueueTransport(queue)] });
  }

  /** True where a record would be dropped: it need not be formatted then, so that a flood costs little. */
  get isFull(): boolean {
    return this.#lines.length >= this.#queue.room;
  }

  drop(): void {
    this.#queue.drop();
  }

  add(line: string): void {
    if (this.#lines === '') this.#defer(() => this.flush());
    this.#lines += `${line}\n`;
    if (this.#lines.length >= largestBatch) this.flush();
  }

  flush(): void {
    if (this.#lines === '') return;
    const lines = this.#lines;
    this.#lines = '';
    this.#logger.info(lines);
  }
}

/** The sink of an entry's lines, and their format. */
interface Target {
  readonly sink: LineSink;
  readonly write: LineFormatter;
}

interface Entry {
  selects: Selector;
  readonly selector: string;
  readonly targets: readonly Target[];
}

/**
 * Sends records to the sinks that the configuration's logging entries name. Each entry's selector is compiled once and decides
 * before anything is formatted; each sink has a winston logger and a transport of its own, so that a slow one holds up nobody.
 */
export function makeLogging(specs: readonly LoggingSpec[], context: LoggingContext): UnattachedLogging {
  const lineSinks = new Map<SinkQueue, LineSink>();
  const target = (queue: SinkQueue, write: LineFormatter): Target => {
    let sink = lineSinks.get(queue);
    if (sink === undefined) {
      sink = new LineSink(queue, context.defer);
      lineSinks.set(queue, sink);
      queue.setNoticeLine((text) => `${write(context.warningRecord(text))}\n`);
    }
    return { sink, write };
  };
  let widened: Severity | undefined;
  const entriesOf = (given: readonly LoggingSpec[]): Entry[] =>
    given.flatMap((spec) => {
      const targets = spec.enabled ? targetsOf(spec, context, target) : [];
      if (targets.length === 0) return [];
      const { selector } = spec;
      const widenTo = widened ?? spec.widenTo;
      return [{ selects: compileSelector(selector, widenTo === undefined ? {} : { widenTo }), selector, targets }];
    });
  let entries = entriesOf(specs);
  const log = (record: LogRecord): void => {
    for (const { selects, targets } of entries) {
      if (!selects(record)) continue;
      let last: LineFormatter | undefined;
      let line = '';
      for (const { sink, write } of targets) {
        if (sink.isFull) {
          sink.drop();
          continue;
        }
        if (write !== last) {
          line = write(record);
          last = write;
        }
        sink.add(line);
      }
    }
  };
  const flush = (): void => {
    for (const sink of lineSinks.values()) sink.flush();
  };
  return {
    log,
    flush,
    replace: (given) => {
      flush();
      entries = entriesOf(given);
      const used = new Set(entries.flatMap(({ targets }) => targets.map(({ sink }) => sink)));
      for (const [queue, sink] of lineSinks) if (!used.has(sink)) lineSinks.delete(queue);
      context.sinks.closeOthers(new Set(lineSinks.keys()));
    },
    widen: (widenTo) => {
      widened = widenTo;
      for (const entry of entries) entry.selects = compileSelector(entry.selector, { widenTo });
    },
  };
}

export const attachLogging: AttachLogging = (records$, specs, context) => {
  const logging = makeLogging(specs, context);
  records$.subscribe(logging.log);
  return logging;
};

function targetsOf(
  spec: LoggingSpec,
  { sinks, host, colours }: LoggingContext,
  target: (queue: SinkQueue, write: LineFormatter) => Target,
): Target[] {
  const { format: lines, timestamp, extended, hostname: hostOverride, packet = 'rfc3164' } = spec;
  const style = { host, hostOverride, format: lines, timestamp, extended };
  const plain = lineFormatter(style);
  const targets: Target[] = [];
  for (const name of ['stdout', 'stderr'] as const) {
    if (!spec[name]) continue;
    const queue = sinks[name];
    targets.push(target(queue, colours && queue.isTerminal ? lineFormatter({ ...style, colour: true }) : plain));
  }
  if (spec.file !== undefined) {
    const { file: path, overwrite, owner } = spec;
    targets.push(target(sinks.file({ path, overwrite, ...(owner === undefined ? {} : { owner }) }), plain));
  }
  if (spec.syslogHost !== undefined) {
    targets.push(target(sinks.remote(spec.syslogHost), packetFormatter(packet, { host, hostOverride })));
  }
  return targets;
}
