import type { LogRecord } from '../../model/log/log-record.ts';
import { defaultOverflow } from '../../model/log/overflow.ts';
import { messageOf } from '../../model/words/errno.ts';
import type { Clock } from '../kernel.ts';
import type { Bottleneck } from './flows.ts';
import type { AttachLogging, Logging, UnattachedLogging } from './logging.ts';

export interface LateLogging {
  readonly attachLogging: AttachLogging;
  /** Runs an action in order with the records: at once, or after the records that still wait. */
  readonly inTurn: (action: () => void) => void;
  readonly widen: Logging['widen'];
  readonly block: Logging['block'];
  /** Loads winston now; resolves when every record so far has been passed to its sinks; rejects while winston cannot be loaded. */
  readonly ready: () => Promise<void>;
}

type LoggingModule = Pick<typeof import('./logging.ts'), 'makeLogging'>;

export interface LateLoggingPorts {
  readonly clock: Pick<Clock, 'now' | 'setTimeout'>;
  /** Tells, once, that winston cannot be loaded; by another way than the log. */
  readonly onFailure: (problem: string) => void;
  /** Loads winston, and what uses it. */
  readonly load?: () => Promise<LoggingModule>;
}

/** The most characters that are kept until winston is loaded; further records are dropped and counted. */
const mostKept = 8 * 1024 * 1024;
/** ms until the loading of winston is tried again: its file cannot be read while chaperone has no descriptor left. */
const retryDelay = 1_000;
/** ms of the pauses in which the boot may settle, how late such a pause ends where the boot has not, and the most ms of all. */
const pause = 10;
const lateness = 5;
const longestWait = 500;
/** As many characters are no longer kept for the sake of the boot. */
const keptForBoot = 256 * 1024;
/** From as many characters on services wait. */
const fullFrom = 1024 * 1024;
/** The size of a record or an action beside its text, in characters. */
const overhead = 200;

/** The records that are kept until winston is loaded: services wait while they are many. */
class EarlyRecords implements Bottleneck {
  readonly holdsBack = true;
  readonly lastProgress = 0;
  readonly #callbacks: (() => void)[] = [];

  onRoom(callback: () => void): void {
    this.#callbacks.push(callback);
  }

  onProgress(callback: () => void): void {
    this.#callbacks.push(callback);
  }

  end(): void {
    for (const callback of this.#callbacks.splice(0)) callback();
  }
}

/**
 * Logging that does not delay the boot: winston, whose loading would take a quarter of chaperone's start, is loaded
 * once the boot has settled, which shows in a timer that is on time. Earlier records are kept and written first.
 */
export function lateLogging({ clock, onFailure, load = () => import('./logging.ts') }: LateLoggingPorts): LateLogging {
  let early: (() => void)[] | undefined = [];
  let kept = 0;
  let dropped = 0;
  let logging: UnattachedLogging | undefined;
  const flush = (): void => logging?.flush();
  let begin = (): Promise<void> => Promise.resolve();
  const beginAlone = (): void => void begin().catch(() => undefined);
  const hasRoom = (characters: number): boolean => {
    if (kept > mostKept) return false;
    kept += characters + overhead;
    if (kept > keptForBoot) beginAlone();
    return true;
  };
  const inTurn = (action: () => void): void => {
    if (early === undefined) {
      flush();
      action();
    } else if (hasRoom(0)) {
      early.push(() => {
        flush();
        action();
      });
    }
  };
  const widen: Logging['widen'] = (level) => inTurn(() => logging?.widen(level));
  const plainBlock = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');
  const block: Logging['block'] = (lines) => (logging?.block ?? plainBlock)(lines);
  const replace: Logging['replace'] = (specs) => inTurn(() => logging?.replace(specs));
  let failure: string | undefined;
  const fail = (error: unknown): void => {
    if (failure === undefined) onFailure(`cannot log: ${messageOf(error)}`);
    failure = messageOf(error);
  };
  const ready = (): Promise<void> => (failure === undefined ? begin() : Promise.reject(new Error(failure)));
  const beginSettled = (since: number): void => {
    const due = clock.now() + pause;
    clock.setTimeout(() => {
      const now = clock.now();
      if (now - due > lateness && now - since < longestWait) beginSettled(since);
      else beginAlone();
    }, pause);
  };

  const attachLogging: AttachLogging = (records$, entries, context) => {
    const log = (record: LogRecord): void => logging?.log(record);
    const place = new EarlyRecords();
    const keep = (record: LogRecord, records: (() => void)[]): void => {
      if (hasRoom(record.message.length)) records.push(() => log(record));
      else dropped += 1;
      if (record.service !== undefined) context.flows.of(record.service).note(place, defaultOverflow);
      if (kept >= fullFrom) context.flows.meetFull(place);
    };
    records$.subscribe((record) => {
      if (early === undefined) log(record);
      else keep(record, early);
    });
    const attach = ({ makeLogging }: LoggingModule): void => {
      logging = makeLogging(entries, context);
      failure = undefined;
      const waiting = early ?? [];
      early = undefined;
      for (const action of waiting) action();
      place.end();
      if (dropped > 0) {
        log(context.warningRecord(`${dropped} log records were dropped because logging had not begun yet`));
      }
      flush();
    };
    let trial: Promise<void> | undefined;
    const retry = (error: unknown): never => {
      trial = undefined;
      clock.setTimeout(beginAlone, retryDelay);
      throw error;
    };
    begin = () => {
      trial ??= load()
        .then(attach, retry)
        .catch((error: unknown) => {
          fail(error);
          throw error;
        });
      return trial;
    };
    beginSettled(clock.now());
    return { flush, widen, replace, isShown: (record) => logging?.isShown(record) ?? false };
  };
  return { attachLogging, inTurn, ready, widen, block };
}
