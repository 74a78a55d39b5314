import type { Subject } from 'rxjs';
import type { LogRecord } from '../../model/log/log-record.ts';
import { type Message, syslogServed, syslogUnavailable } from '../../model/log/messages.ts';
import { parseDatagram } from '../../model/log/syslog-parse.ts';
import { codeOf } from '../../model/words/errno.ts';
import type { Clock, Kernel } from '../kernel.ts';
import type { LogSinks } from './log-sinks.ts';

interface SyslogTargets {
  readonly records$: Subject<LogRecord>;
  /** While these are busy, clients wait. */
  readonly sinks: LogSinks;
  readonly say: (message: Message) => void;
}

/**
 * Serves the log socket: what programs send joins the records of everybody else. A socket that cannot be made is a warning.
 *
 * @returns takes what is left, and removes the socket
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
