/** Whose notifications sdnotify-exec believes, and how much of them: the credentials of the sender decide. */
import { asHelpers, type NotifySender, speaksForService, standingOf } from '../../model/service/notify-access.ts';
import type { NotifyMessage } from '../../model/service/notify-message.ts';
import { descendsFrom } from '../../runtime/linux/process-table.ts';

/** The processes that may speak for the command. */
export interface CommandProcesses {
  /** The command's pid; 0 before its start. */
  readonly startPid: number;
  readonly startEnded: boolean;
  /** The pid of MAINPID; undefined where none was named. */
  readonly named: number | undefined;
}

export interface Verdict {
  /** Without errors that do not count, and without a MAINPID that may not be named. */
  readonly message: NotifyMessage;
  /** True where errors in it are those of the command, and not of a helper. */
  readonly speaks: boolean;
  /** True where MAINPID may go on in whatever form it was sent. */
  readonly mayNameAny: boolean;
}

const ownUid = process.geteuid?.() ?? 0;

/**
 * True where a datagram counts. Whoever reaches the socket through the file system may send: the modes of its folder and its file
 * decide, because a program in a container may run as any account. An abstract name has no mode, and everybody finds it in /proc/net/unix:
 * there the sender has to be root, of sdnotify-exec's account, or a descendant of sdnotify-exec.
 */
export function maySend(sender: NotifySender, path: string): boolean {
  if (!path.startsWith('@')) return true;
  const standing = standingOf(sender, { access: 'exec', mainPid: 0, accounts: [0, ownUid] });
  return standing === 'permitted' || (standing === 'undecided' && descendsFrom(sender.pid, process.pid));
}

/**
 * Tells what counts of a message. The receiver outside knows only the credentials of sdnotify-exec, so that sdnotify-exec passes nothing on
 * in its own name that the sender may not say.
 */
export function judge(sender: NotifySender, sent: NotifyMessage, processes: CommandProcesses): Verdict {
  const mayNameAny = sender.pid > 0 && (sender.uid === 0 || sender.uid === ownUid);
  const { mainPid, ...others } = sent;
  const mayName = mayNameAny || (sender.pid > 0 && mainPid !== undefined && descendsFrom(mainPid, process.pid));
  const message = mayName ? sent : others;
  const speaks = speaksForService(sender, message, processes);
  return { message: speaks ? message : asHelpers(message, sender.pid), speaks, mayNameAny };
}
