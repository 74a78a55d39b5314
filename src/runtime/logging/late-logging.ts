import type { LogRecord } from '../../model/log/log-record.ts';
import type { AttachLogging, Logging, UnattachedLogging } from './logging.ts';

export interface LateLogging {
  readonly attachLogging: AttachLogging;
  /** Runs an action in order with the records: at once, or after the records that still wait. */
  readonly inTurn: (action: () => void) => void;
  readonly widen: Logging['widen'];
  /** Resolves when every record so far has been passed to its sinks. */
  readonly ready: Promise<void>;
}

/** The most characters that are kept until winston is loaded; further records are dropped and counted. */
const mostKept = 8 * 1024 * 1024;
/** The size of a record or an action beside its text, in characters. */
const overhead = 200;

/**
 * Logging that does not delay the boot: winston, whose loading would take a quarter of chaperone's start, is loaded
 * while the first services are starting. Earlier records are kept and written first.
 */
export function lateLogging(): LateLogging {
  let early: (() => void)[] | undefined = [];
  let kept = 0;
  let dropped = 0;
  let logging: UnattachedLogging | undefined;
  const flush = (): void => logging?.flush();
  const hasRoom = (characters: number): boolean => {
    if (kept > mostKept) return false;
    kept += characters + overhead;
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
  const replace: Logging['replace'] = (specs) => inTurn(() => logging?.replace(specs));
  let loaded: () => void = () => undefined;
  let failed: (error: unknown) => void = () => undefined;
  const ready = new Promise<void>((resolve, reject) => {
    loaded = resolve;
    failed = reject;
  });
  // The promise is awaited only at the exit; this keeps an earlier failure from counting as unhandled.
  ready.catch(() => undefined);

  const attachLogging: AttachLogging = (records$, entries, context) => {
    const log = (record: LogRecord): void => logging?.log(record);
    records$.subscribe((record) => {
      if (early === undefined) log(record);
      else if (hasRoom(record.message.length)) early.push(() => log(record));
      else dropped += 1;
    });
    const attach = async (): Promise<void> => {
      const { makeLogging } = await import('./logging.ts');
      logging = makeLogging(entries, context);
      const waiting = early ?? [];
      early = undefined;
      for (const action of waiting) action();
      if (dropped > 0) {
        log(context.warningRecord(`${dropped} log records were dropped because logging had not begun yet`));
      }
      flush();
      loaded();
    };
    setImmediate(() => attach().catch(failed));
    return { flush, widen, replace };
  };
  return { attachLogging, inTurn, ready, widen };
}
