/** Datagrams on a notify socket: an input is one, as any process of a service may send it. */
import { parseNotifyMessage } from '../../src/model/service/notify-message.ts';
import { check } from './target.ts';

const names = [
  ...['READY', 'RELOADING', 'MONOTONIC_USEC', 'STOPPING', 'STATUS', 'ERRNO', 'BUSERROR', 'MAINPID', 'WATCHDOG'],
  ...['WATCHDOG_USEC', 'EXTEND_TIMEOUT_USEC', 'RESTART_RESET', 'NOTIFYACCESS', 'EXIT_STATUS', 'BARRIER', 'FDSTORE'],
  ...['FDSTOREREMOVE', 'FDNAME', 'FDPOLL', 'X_OTHER', '__proto__'],
];
export const dictionary = [
  ...names.map((name) => `${name}=`),
  ...[
    '1',
    '0',
    '-1',
    '4294967296',
    '99999999999999999999',
    '1e3',
    '0x1',
    ' 1',
    '1 ',
    'trigger',
    'main',
    'exec',
    'none',
  ],
  ...['\n', '\n\n', '=', '\r\n', '\0', '\u001b[2J', 'ä', '\xff', 'a:b', 'x'.repeat(600)],
];

const whole = (value: number | undefined, least: number): boolean =>
  value === undefined || (Number.isSafeInteger(value) && value >= least);
const time = (value: number | undefined): boolean => value === undefined || (Number.isFinite(value) && value >= 0);

export function fuzz(data: Buffer): void {
  const message = parseNotifyMessage(data);
  check(whole(message.mainPid, 2), 'nobody is pid 0 or 1');
  check(whole(message.errno, 0) && whole(message.exitStatus, 0), 'statuses are whole numbers');
  check(time(message.watchdogInterval) && time(message.extend) && time(message.reloading?.at), 'times are times');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not come through
  const controls = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/;
  check(!controls.test(message.status ?? ''), 'a status is one line that is printable');
  check((message.status ?? '').length <= 600, 'and not endless');
  check(/^[ -9;-~]{0,255}$/.test(message.storeName ?? ''), 'a name of a descriptor can stand in LISTEN_FDNAMES');
  check(Object.keys(message).every((key) => key !== '__proto__') && !('x' in {}), 'nothing else is changed');
  // What is told twice in a datagram counts once; the same bytes always mean the same.
  check(JSON.stringify(parseNotifyMessage(data)) === JSON.stringify(message), 'the same bytes mean the same');
  const twice = Buffer.concat([data, Buffer.from('\n'), data]);
  if (data.length > 0 && data.length < 2_000 && data.toString('latin1').split('\n').length < 100) {
    check(JSON.stringify(sorted(parseNotifyMessage(twice))) === JSON.stringify(sorted(message)), 'and said twice, too');
  }
}

function sorted(message: object): readonly (readonly [string, unknown])[] {
  return Object.entries(message).sort(([left], [right]) => (left < right ? -1 : 1));
}
