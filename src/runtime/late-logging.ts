import { ReplaySubject, Subject } from 'rxjs';
import type { LogRecord, Severity } from '../model/syslog.ts';
import type { AttachLogging } from './logging.ts';

export interface LateLogging {
  readonly attachLogging: AttachLogging;
  /** Does something in its turn: at once, or after the records that were said before it, while these still wait. */
  readonly inTurn: (action: () => void) => void;
  /** From now on every entry takes this priority, too. */
  readonly widen: (level: Severity) => void;
  /** Resolves when every record so far has been handed to its sinks. */
  readonly ready: Promise<void>;
}

/** Records and actions kept until winston is there; what is over is dropped. */
const longestWait = 10_000;

/**
 * Logging that does not hold up the boot: winston is loaded while the first services are starting already, and takes a
 * quarter of what chaperone's own start costs. What is said until then is kept, and written first.
 */
export function lateLogging(): LateLogging {
  let early: (() => void)[] | undefined = [];
  const inTurn = (action: () => void): void => {
    if (early === undefined) action();
    else if (early.length < longestWait) early.push(action);
  };
  let loaded: () => void = () => undefined;
  let failed: (error: unknown) => void = () => undefined;
  const ready = new Promise<void>((resolve, reject) => {
    loaded = resolve;
    failed = reject;
  });
  // Whoever leaves asks for it; until then a failure is not unhandled.
  ready.catch(() => undefined);

  const levels$ = new ReplaySubject<Severity>(1);
  const attachLogging: AttachLogging = (records$, entries, queues, host) => {
    const sorted$ = new Subject<LogRecord>();
    records$.subscribe((record) => inTurn(() => sorted$.next(record)));
    const attach = async (): Promise<void> => {
      const logging = await import('./logging.ts');
      logging.attachLogging(sorted$, entries, queues, host, levels$);
      const waiting = early ?? [];
      early = undefined;
      for (const action of waiting) action();
      loaded();
    };
    setImmediate(() => attach().catch(failed));
  };
  return { attachLogging, inTurn, ready, widen: (level) => levels$.next(level) };
}
