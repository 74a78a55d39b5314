import type { Subject } from 'rxjs';
import type { LogRecord, LogSender } from '../../model/log/log-record.ts';
import { type Message, syslogServed, syslogUnavailable } from '../../model/log/messages.ts';
import { parseDatagram, type Reception } from '../../model/log/syslog-parse.ts';
import { codeOf } from '../../model/words/errno.ts';
import type { Clock, Kernel, LogDatagram } from '../kernel.ts';
import type { LogSinks } from './log-sinks.ts';
import { SenderHold } from './sender-hold.ts';

interface SyslogTargets {
  readonly records$: Subject<LogRecord>;
  /** The sinks that make clients wait while they are busy. */
  readonly sinks: LogSinks;
  readonly say: (message: Message) => void;
  /** Bytes of a message that one record holds. */
  readonly maxLine: () => number;
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
  { records$, sinks, say, maxLine }: SyslogTargets,
): () => void {
  const hold = new SenderHold(clock, () => sinks.areBusy);
  const socket = kernel.openLogSocket(path, () => hold.holds());
  if (!socket.ok) {
    say(syslogUnavailable(path, socket.code));
    return () => undefined;
  }
  say(syslogServed(path));
  const take = (datagrams: readonly LogDatagram[]): void => {
    const time = clock.wallTime();
    const receptionOf = (sender: LogSender | undefined): Reception => ({
      time,
      localHost: kernel.hostname,
      maxLine: maxLine(),
      sender,
      isOwn: sender !== undefined && kernel.following.isOwn(sender.pid),
    });
    let reception = receptionOf(undefined);
    for (const { content, lost, sender } of datagrams) {
      if (sender !== reception.sender) reception = receptionOf(sender);
      for (const record of parseDatagram(content, reception, lost)) records$.next(record);
    }
  };
  socket.datagrams$.subscribe({
    next: take,
    error: (error: unknown) => {
      const code = codeOf(error) ?? String(error);
      say(syslogUnavailable(path, code));
      socket.close();
    },
  });
  return socket.close;
}
