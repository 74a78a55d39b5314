import type { Observable } from 'rxjs';
import { createLogger, format, type Logger } from 'winston';
import Transport from 'winston-transport';
import { type LineFormatter, lineFormatter, packetFormatter } from '../../model/log/log-format.ts';
import type { LogRecord } from '../../model/log/log-record.ts';
import { recordsOfAccountDropped } from '../../model/log/messages.ts';
import { defaultOverflow, type Overflow } from '../../model/log/overflow.ts';
import { compileSelector, type Selector } from '../../model/log/selector.ts';
import type { Severity } from '../../model/log/syslog-names.ts';
import type { LoggingSpec } from '../../model/service/service-spec.ts';
import { AccountShares } from './account-shares.ts';
import type { Flow, Flows } from './flows.ts';
import { fileRequest, type LogSinks } from './log-sinks.ts';
import type { SinkQueue } from './sink-queue.ts';

export interface LoggingContext {
  readonly sinks: LogSinks;
  /** Services that have to wait for a sink do so here. */
  readonly flows: Flows;
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
  /**
   * A block of lines of chaperone's own for stderr, in the end's own form: as one record where JSON goes to stderr, or to stdout
   * and nothing else to stderr, else as it is.
   */
  readonly block: (lines: readonly string[]) => string;
  /** True where the record comes to stdout or stderr, where people look for it. */
  readonly isShown: (record: LogRecord) => boolean;
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
) => Omit<Logging, 'block'>;

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
  readonly #shares: AccountShares;
  /** True while the queue is to call back once it has room, because records of accounts were dropped. */
  #tellsDropped = false;
  #lines = '';

  /** @param notice formats a sentence of chaperone's own as a line of this sink */
  constructor(queue: SinkQueue, defer: LoggingContext['defer'], notice: (text: string) => string) {
    this.#shares = new AccountShares((dropped, account) =>
      this.add(notice(recordsOfAccountDropped(dropped, account, queue.name).text)),
    );
    this.#queue = queue;
    this.#defer = defer;
    this.#logger = createLogger({ format: asItIs, transports: [new QueueTransport(queue)] });
  }

  get queue(): SinkQueue {
    return this.#queue;
  }

  /** True where the queue is full: those who can wait should. */
  get isFull(): boolean {
    return this.#lines.length >= this.#queue.room;
  }

  /** True where the queue takes no line at all. */
  get #isClosed(): boolean {
    return this.#lines.length >= this.#queue.lastRoom;
  }

  /**
   * True where the queue takes the record.
   *
   * @param exceeds whether a full queue is to take it all the same
   */
  takes({ sender, message }: LogRecord, exceeds: () => boolean): boolean {
    if (sender === undefined) return !this.isFull || (!this.#isClosed && exceeds());
    if (this.#lines.length < this.#queue.halfRoom) {
      this.#shares.renew();
      return true;
    }
    return !this.#isClosed && this.#shares.admits(sender.uid, message.length);
  }

  /** Counts a record that was not taken. */
  drop({ sender }: LogRecord): void {
    if (sender === undefined) {
      this.#queue.drop();
      return;
    }
    this.#shares.drop(sender.uid);
    this.#queue.dropSilently();
    if (this.#tellsDropped) return;
    this.#tellsDropped = true;
    this.#queue.onRoom(() => {
      this.#tellsDropped = false;
      this.#shares.renew();
    });
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
  readonly overflow: Overflow;
  readonly json: boolean;
}

interface Entry {
  readonly name: string;
  selects: Selector;
  /** Absent where the entry takes only what names it. */
  readonly selector: string | undefined;
  readonly targets: readonly Target[];
}

/**
 * Sends records to the sinks that the configuration's logging entries name. Each entry's selector is compiled once and decides
 * before anything is formatted; each sink has a winston logger and a transport of its own, so that a slow one holds up nobody.
 */
export function makeLogging(specs: readonly LoggingSpec[], context: LoggingContext): UnattachedLogging {
  const lineSinks = new Map<SinkQueue, LineSink>();
  const target: TargetMaker = (queue, write, { overflow = defaultOverflow, format }) => {
    let sink = lineSinks.get(queue);
    if (sink === undefined) {
      const notice = (text: string): string => write(context.warningRecord(text));
      sink = new LineSink(queue, context.defer, notice);
      lineSinks.set(queue, sink);
      queue.setNoticeLine((text) => `${notice(text)}\n`);
    }
    return { sink, write, overflow, json: format === 'json' };
  };
  let widened: Severity | undefined;
  const entriesOf = (given: readonly LoggingSpec[]): Entry[] =>
    given.flatMap((spec) => {
      const targets = spec.enabled ? targetsOf(spec, context, target) : [];
      if (targets.length === 0) return [];
      const selector = spec.namedOnly === true ? undefined : spec.selector;
      return [{ name: spec.name, selects: compiled(selector, widened ?? spec.widenTo), selector, targets }];
    });
  let entries = entriesOf(specs);
  const log = (record: LogRecord): void => {
    const flow = record.service === undefined ? undefined : context.flows.of(record.service);
    for (const { name, selects, targets } of entries) {
      if (record.entry === undefined ? !selects(record) : record.entry !== name) continue;
      let last: LineFormatter | undefined;
      let line = '';
      for (const { sink, write, overflow } of targets) {
        flow?.note(sink.queue, overflow);
        // A record that is dropped is not formatted, so that a flood costs little.
        if (!sink.takes(record, () => exceeds(record, flow, sink.queue, overflow))) {
          sink.drop(record);
          continue;
        }
        if (write !== last) {
          line = write(record);
          last = write;
        }
        sink.add(line);
        if (sink.isFull) context.flows.meetFull(sink.queue);
      }
    }
  };
  const flush = (): void => {
    for (const sink of lineSinks.values()) sink.flush();
  };
  const jsonTo = (queue: SinkQueue): LineFormatter | undefined =>
    entries.flatMap(({ targets }) => targets).find(({ sink, json }) => json && sink.queue === queue)?.write;
  const block = (lines: readonly string[]): string => {
    const { stdout, stderr } = context.sinks;
    const write = jsonTo(lineSinks.has(stderr) ? stderr : stdout);
    if (write === undefined || lines.length === 0) return lines.map((line) => `${line}\n`).join('');
    return `${write({ ...context.warningRecord(lines.join('\n')), severity: 'err' })}\n`;
  };
  return {
    log,
    flush,
    block,
    isShown: (record) => {
      const consoles = [context.sinks.stdout, context.sinks.stderr].filter(({ losesLines }) => !losesLines);
      const shows = (queue: SinkQueue): boolean => consoles.includes(queue) || queue.isDiverted;
      return entries.some(({ selects, targets }) => targets.some(({ sink }) => shows(sink.queue)) && selects(record));
    },
    replace: (given) => {
      flush();
      entries = entriesOf(given);
      const used = new Set(entries.flatMap(({ targets }) => targets.map(({ sink }) => sink)));
      for (const [queue, sink] of lineSinks) if (!used.has(sink)) lineSinks.delete(queue);
      context.sinks.closeOthers(new Set(lineSinks.keys()));
    },
    widen: (widenTo) => {
      widened = widenTo;
      for (const entry of entries) entry.selects = compiled(entry.selector, widenTo);
    },
  };
}

function compiled(selector: string | undefined, widenTo: Severity | undefined): Selector {
  if (selector === undefined) return () => false;
  return compileSelector(selector, widenTo === undefined ? {} : { widenTo });
}

type TargetMaker = (queue: SinkQueue, write: LineFormatter, spec: Pick<LoggingSpec, 'overflow' | 'format'>) => Target;

/** True where a full queue is to take the record all the same: chaperone's own, and what was read before a service had to wait. */
function exceeds(record: LogRecord, flow: Flow | undefined, queue: SinkQueue, overflow: Overflow): boolean {
  return flow === undefined ? record.own === true : flow.exceeds(queue, overflow);
}

export const attachLogging: AttachLogging = (records$, specs, context) => {
  const logging = makeLogging(specs, context);
  records$.subscribe(logging.log);
  return logging;
};

function targetsOf(spec: LoggingSpec, { sinks, host, colours }: LoggingContext, target: TargetMaker): Target[] {
  const { format: lines, timestamp, extended, parseJson, hostname: hostOverride, packet = 'rfc3164' } = spec;
  const { onError = 'stderr' } = spec;
  const style = { host, hostOverride, format: lines, timestamp, extended, parseJson };
  const plain = lineFormatter(style);
  const targets: Target[] = [];
  for (const name of ['stdout', 'stderr'] as const) {
    if (!spec[name]) continue;
    const queue = sinks[name];
    queue.setDiverts(onError === 'stderr');
    const write = queue.isTerminal ? lineFormatter({ ...style, terminal: true, colour: colours }) : plain;
    targets.push(target(queue, write, spec));
  }
  const file = fileRequest(spec);
  if (file !== undefined) {
    const queue = sinks.file(file);
    queue.setDiverts(onError === 'stderr');
    targets.push(target(queue, plain, spec));
  }
  if (spec.syslogHost !== undefined) {
    const write = packetFormatter(packet, { host, hostOverride });
    targets.push(target(sinks.remote(spec.syslogHost), write, {}));
  }
  return targets;
}
