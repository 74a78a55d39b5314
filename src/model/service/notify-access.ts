/** Whose datagrams count on a notify socket, and for what: the credentials of the sender decide. */
import type { NotifyAccess, NotifyMessage } from './notify-message.ts';

/** The credentials that the kernel attaches to a datagram, unix(7). The sender cannot choose them unless it is root. */
export interface NotifySender {
  /** 0 for a process outside of chaperone's pid namespace. */
  readonly pid: number;
  readonly uid: number;
}

/** A sender that the kernel tells nothing of. */
export const unknownSender: NotifySender = { pid: 0, uid: -1 };

export interface NotifyRights {
  readonly access: NotifyAccess;
  /** The main process; 0 where it is not known. */
  readonly mainPid: number;
  /** The accounts whose datagrams count: root, chaperone's own, and the service's. */
  readonly accounts: readonly number[];
}

/** `undecided`: the account does not decide, so that only a member of the service's processes may send. */
export type Standing = 'permitted' | 'refused' | 'undecided';

/** What the credentials of a sender decide by themselves (systemd.service(5), NotifyAccess=). */
export function standingOf({ pid, uid }: NotifySender, { access, mainPid, accounts }: NotifyRights): Standing {
  switch (access) {
    case 'all':
      return 'permitted';
    case 'none':
      return 'refused';
    case 'main':
      if (pid !== mainPid) return 'refused';
      break;
    case 'exec':
      break;
  }
  // The uid of a process from elsewhere says nothing: root of another container is not root here.
  if (pid <= 0) return 'refused';
  return accounts.includes(uid) ? 'permitted' : 'undecided';
}

/** The processes that are the service, as far as they are known. */
export interface MainProcess {
  /** The pid of the run itself. */
  readonly startPid: number;
  readonly startEnded: boolean;
  /** The pid of MAINPID; undefined where none was named. */
  readonly named: number | undefined;
}

/**
 * True where an error in a datagram is that of the service. Tools such as systemctl, which a service runs as helpers, inherit
 * NOTIFY_SOCKET and report their own errors there.
 */
export function speaksForService(
  { pid }: NotifySender,
  { vouched, mainPid }: NotifyMessage,
  { startPid, startEnded, named }: MainProcess,
): boolean {
  if (vouched === true || (pid > 0 && (pid === mainPid || pid === named))) return true;
  return startEnded ? named === undefined : pid > 0 && pid === startPid;
}

/**
 * A message of a helper: the errors in it become the service's note.
 *
 * @param pid of the helper
 */
export function asHelpers(message: NotifyMessage, pid: number): NotifyMessage {
  const { errno, busError, exitStatus: _, ...rest } = message;
  const errors = errorsOf({
    ...(errno === undefined ? {} : { errno }),
    ...(busError === undefined ? {} : { busError }),
  });
  return errors === '' || rest.status !== undefined
    ? rest
    : { ...rest, status: `${errors} from a helper (pid ${pid})` };
}

/** The errors in a message, as they were sent; '' where there are none. */
export function errorsOf({ errno, busError }: Pick<NotifyMessage, 'errno' | 'busError'>): string {
  return [errno ? `ERRNO=${errno}` : '', busError === undefined ? '' : `BUSERROR=${busError}`]
    .filter(Boolean)
    .join(' ');
}
