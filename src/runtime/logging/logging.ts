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
  /** The host name in lines whose record names none. */
  readonly host: string;
  /** Lines for terminals may have colours. */
  readonly colours: boolean;
  /** Makes a record of a warning of chaperone's own. */
  readonly warningRecord: (text: string) => LogRecord;
  /** Calls back at the end of this turn. */
  readonly defer: (callback: () => void) => void;
}

export interface Logging {
  /** Hands to the queues what was logged in this turn. */
  readonly flush: () => void;
  /** From now on every entry takes this priority, too. */
  readonly widen: (level: Severity) => void;
  /** From now on these are the entries; places that none of them names are closed. What was widened stays so. */
  readonly replace: (specs: readonly LoggingSpec[]) => void;
}

/** Logging that hears of nothing by itself. */
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

/** Characters that winston is given at once: as much as a sink writes at once. */
const largestBatch = 64 * 1024;

/** The entry is text already: winston's own format would make JSON of it. */
const asItIs = format((entry) => entry)();

/**
 * A sink with its winston logger. A record that is an entry of winston's costs five times what it costs here, so winston
 * gets the lines of one turn as one entry (docs/decisions/0018-the-given-libraries.md); severities are the selectors' business.
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

  /** What would be dropped need not be formatted first: a flood must cost little. */
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

/** Where an entry's lines go, and how they look there. */
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
