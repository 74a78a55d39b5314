import type { LogRecord } from '../../model/log/log-record.ts';
import type { AttachLogging, Logging, UnattachedLogging } from './logging.ts';

export interface LateLogging {
  readonly attachLogging: AttachLogging;
  /** Does something in its turn: at once, or after the records that were said before it, while these still wait. */
  readonly inTurn: (action: () => void) => void;
  readonly widen: Logging['widen'];
  /** Resolves when every record so far has been handed to its sinks. */
  readonly ready: Promise<void>;
}

/** Characters that are kept until winston is there; what is over is dropped, and counted. */
const mostKept = 8 * 1024 * 1024;
/** What a record or an action takes besides its text, as characters. */
const overhead = 200;

/**
 * Logging that does not hold up the boot: winston is loaded while the first services are starting already, and takes a
 * quarter of what chaperone's own start costs. What is said until then is kept, and written first.
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
  // Whoever leaves asks for it; until then a failure is not unhandled.
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
