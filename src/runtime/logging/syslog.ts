import type { Subject } from 'rxjs';
import type { LogRecord } from '../../model/log/log-record.ts';
import { type Message, syslogServed, syslogUnavailable } from '../../model/log/messages.ts';
import { parseDatagram } from '../../model/log/syslog-parse.ts';
import { codeOf } from '../../model/words/errno.ts';
import type { Clock, Kernel } from '../kernel.ts';
import type { LogSinks } from './log-sinks.ts';

interface SyslogTargets {
  readonly records$: Subject<LogRecord>;
  /** The sinks that make clients wait while they are busy. */
  readonly sinks: LogSinks;
  readonly say: (message: Message) => void;
}

/**
 * Serves the log socket: the records of programs join all others. A socket that cannot be made leads to a warning.
 *
 * @returns a function that takes the records that are left, and removes the socket
 */
export function serveSyslog(
  kernel: Kernel,
  clock: Clock,
  path: string,
  { records$, sinks, say }: SyslogTargets,
): () => void {
  const socket = kernel.openLogSocket(path, () => sinks.areBusy);
  if (!socket.ok) {
    say(syslogUnavailable(path, socket.code));
    return () => undefined;
  }
  say(syslogServed(path));
  socket.datagrams$.subscribe({
    next: (datagrams) => {
      const reception = { time: clock.wallTime() };
      for (const datagram of datagrams) {
        for (const record of parseDatagram(datagram, reception)) records$.next(record);
      }
    },
    error: (error: unknown) => {
      const code = codeOf(error) ?? String(error);
      say(syslogUnavailable(path, code));
      socket.close();
    },
  });
  return socket.close;
}
