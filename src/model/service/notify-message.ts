/** One datagram of a service's notify socket, with the names of sd_notify(3), as one value. */
export interface NotifyMessage {
  /** READY=1: the service has started, or has finished reloading. */
  readonly ready?: true;
  /** RELOADING=1, with MONOTONIC_USEC where it is given, in ms. */
  readonly reloading?: { readonly at?: number };
  readonly stopping?: true;
  /** STATUS=: one line for people; an empty text removes the last one. */
  readonly status?: string;
  /** ERRNO=n; 0 is no error. */
  readonly errno?: number;
  /** BUSERROR=: the D-Bus name of an error. */
  readonly busError?: string;
  /** MAINPID=: the process that is the service from now on. Never 0 or 1. */
  readonly mainPid?: number;
  readonly watchdog?: 'alive' | 'trigger';
  /** WATCHDOG_USEC=, in ms: the new interval; 0 switches it off. */
  readonly watchdogInterval?: number;
  /** EXTEND_TIMEOUT_USEC=, in ms from now. */
  readonly extend?: number;
  readonly restartReset?: true;
  /** NOTIFYACCESS=: which processes may send datagrams from now on. */
  readonly access?: NotifyAccess;
  /** EXIT_STATUS=: how the service ended, for a process whose status the kernel does not tell chaperone. */
  readonly exitStatus?: number;
  readonly barrier?: true;
  /** FDSTORE=1: chaperone shall keep the descriptors of this datagram. */
  readonly store?: true;
  /** FDSTOREREMOVE=1: chaperone shall close the kept descriptors of that name. */
  readonly storeRemove?: true;
  /** FDNAME=: the name of the descriptors, checked. */
  readonly storeName?: string;
  /** X_CHAPERONE=1: sdnotify or sdnotify-exec was told to say this, so that it is the service's word and not a helper's. */
  readonly vouched?: true;
}

export type NotifyAccess = 'none' | 'main' | 'exec' | 'all';

/** Lines of one datagram that are read at most. */
const mostLines = 256;
/** Characters of a status that are kept. */
const longestStatus = 512;

const decoder = new TextDecoder();

/**
 * Reads one datagram: `NAME=value` lines. The last line of a name counts. Unknown names, and values that are not what their
 * name asks for, are ignored: nothing in a datagram is an error.
 *
 * @see sd_notify(3)
 */
export function parseNotifyMessage(bytes: Uint8Array): NotifyMessage {
  let message: NotifyMessage = {};
  for (const line of decoder.decode(bytes).split('\n', mostLines)) {
    const equals = line.indexOf('=');
    if (equals > 0) message = { ...message, ...readField(line.slice(0, equals), line.slice(equals + 1).trimEnd()) };
  }
  // A notification that names its monotonic time stands on two lines, in any order.
  const { reloading, monotonic, ...rest }: Field = message;
  if (reloading === undefined) return rest;
  return { ...rest, reloading: monotonic === undefined ? {} : { at: monotonic } };
}

type Field = NotifyMessage & { readonly monotonic?: number };

function readField(name: string, value: string): Field {
  switch (name) {
    case 'READY':
      return value === '1' ? { ready: true } : {};
    case 'RELOADING':
      return value === '1' ? { reloading: {} } : {};
    case 'MONOTONIC_USEC':
      return optional('monotonic', milliseconds(value));
    case 'STOPPING':
      return value === '1' ? { stopping: true } : {};
    case 'STATUS':
      return { status: oneLineOf(value) };
    case 'ERRNO':
      return optional('errno', integer(value, 0, 4_095));
    case 'BUSERROR':
      return value === '' ? {} : { busError: oneLineOf(value) };
    case 'MAINPID':
      return optional('mainPid', integer(value, 2, 4_194_304));
    case 'WATCHDOG':
      if (value === '1') return { watchdog: 'alive' };
      return value === 'trigger' ? { watchdog: 'trigger' } : {};
    case 'WATCHDOG_USEC':
      return optional('watchdogInterval', milliseconds(value));
    case 'EXTEND_TIMEOUT_USEC':
      return optional('extend', milliseconds(value));
    case 'RESTART_RESET':
      return value === '1' ? { restartReset: true } : {};
    case 'NOTIFYACCESS':
      return isAccess(value) ? { access: value } : {};
    case 'EXIT_STATUS':
      return optional('exitStatus', integer(value, 0, 255));
    case 'BARRIER':
      return value === '1' ? { barrier: true } : {};
    case 'FDSTORE':
      return value === '1' ? { store: true } : {};
    case 'FDSTOREREMOVE':
      return value === '1' ? { storeRemove: true } : {};
    case 'FDNAME':
      return isDescriptorName(value) ? { storeName: value } : {};
    case 'X_CHAPERONE':
      return value === '1' ? { vouched: true } : {};
    default:
      return {};
  }
}

function optional<K extends string>(key: K, value: number | undefined): Partial<Record<K, number>> {
  if (value === undefined) return {};
  const field: Partial<Record<K, number>> = {};
  field[key] = value;
  return field;
}

function integer(text: string, least: number, most: number): number | undefined {
  if (!/^\d{1,10}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= least && value <= most ? value : undefined;
}

/** µs as ms; more than a thousand years count as no limit, since no timer takes such a number of ms. */
function milliseconds(text: string): number | undefined {
  return /^\d{1,16}$/.test(text) ? Number(text) / 1000 : undefined;
}

function isAccess(value: string): value is NotifyAccess {
  return value === 'none' || value === 'main' || value === 'exec' || value === 'all';
}

/** sd_pid_notify_with_fds(3): at most 255 printable ASCII characters without a colon, which separates names. */
function isDescriptorName(value: string): boolean {
  return /^[\x20-\x39\x3b-\x7e]{1,255}$/.test(value);
}

function oneLineOf(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this removes
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, ' ').slice(0, longestStatus);
}
