import { Subject } from 'rxjs';
import type { LogRecord } from '../model/syslog.ts';
import type { AttachLogging } from './logging.ts';

export interface LateLogging {
  readonly attachLogging: AttachLogging;
  /** Resolves when every record so far has been handed to its sinks. */
  readonly ready: Promise<void>;
}

/** Records kept until winston is there; what is over is dropped. */
const keptRecords = 10_000;

/**
 * Logging that does not hold up the boot: winston is loaded while the first services are starting already, and takes a
 * quarter of what chaperone's own start costs. What is said until then is kept, and written first.
 */
export function lateLogging(): LateLogging {
  let loaded: () => void = () => undefined;
  let failed: (error: unknown) => void = () => undefined;
  const ready = new Promise<void>((resolve, reject) => {
    loaded = resolve;
    failed = reject;
  });
  // Whoever leaves asks for it; until then a failure is not unhandled.
  ready.catch(() => undefined);

  const attachLogging: AttachLogging = (records$, entries, queues, host) => {
    const early: LogRecord[] = [];
    const waiting = records$.subscribe((record) => {
      if (early.length < keptRecords) early.push(record);
    });
    const attach = async (): Promise<void> => {
      const logging = await import('./logging.ts');
      const sorted$ = new Subject<LogRecord>();
      logging.attachLogging(sorted$, entries, queues, host);
      waiting.unsubscribe();
      for (const record of early.splice(0)) sorted$.next(record);
      records$.subscribe(sorted$);
      loaded();
    };
    setImmediate(() => attach().catch(failed));
  };
  return { attachLogging, ready };
}
