import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseNotifyMessage } from '../../../src/model/service/notify-message.ts';

const parse = (text: string) => parseNotifyMessage(new TextEncoder().encode(text));

describe('parseNotifyMessage', () => {
  it.each([
    ['READY=1', { ready: true }],
    ['READY=1\nSTATUS=512 keys, 3 clients\n', { ready: true, status: '512 keys, 3 clients' }],
    ['STATUS=', { status: '' }],
    ['STATUS=a=b', { status: 'a=b' }],
    ['RELOADING=1\nMONOTONIC_USEC=1500', { reloading: { at: 1.5 } }],
    ['MONOTONIC_USEC=1500\nRELOADING=1', { reloading: { at: 1.5 } }],
    ['RELOADING=1', { reloading: {} }],
    ['MONOTONIC_USEC=1500', {}],
    ['STOPPING=1', { stopping: true }],
    ['ERRNO=2', { errno: 2 }],
    ['ERRNO=2\nX_CHAPERONE=1', { errno: 2, vouched: true }],
    ['X_CHAPERONE=0', {}],
    ['ERRNO=0', { errno: 0 }],
    ['BUSERROR=org.freedesktop.DBus.Error.TimedOut', { busError: 'org.freedesktop.DBus.Error.TimedOut' }],
    ['MAINPID=4711', { mainPid: 4711 }],
    ['WATCHDOG=1', { watchdog: 'alive' }],
    ['WATCHDOG=trigger', { watchdog: 'trigger' }],
    ['WATCHDOG_USEC=20000000', { watchdogInterval: 20_000 }],
    ['WATCHDOG_USEC=0', { watchdogInterval: 0 }],
    ['EXTEND_TIMEOUT_USEC=1000000', { extend: 1_000 }],
    ['RESTART_RESET=1', { restartReset: true }],
    ['NOTIFYACCESS=main', { access: 'main' }],
    ['NOTIFYACCESS=none', { access: 'none' }],
    ['NOTIFYACCESS=exec', { access: 'exec' }],
    ['NOTIFYACCESS=all', { access: 'all' }],
    ['EXIT_STATUS=255', { exitStatus: 255 }],
    ['READY=1 \t\r', { ready: true }],
    ['STATUS=  indented', { status: '  indented' }],
    ['BUSERROR=', {}],
    ['EXIT_STATUS=3', { exitStatus: 3 }],
    ['BARRIER=1', { barrier: true }],
    ['FDSTORE=1\nFDNAME=listener', { store: true, storeName: 'listener' }],
    ['FDSTOREREMOVE=1\nFDNAME=listener', { storeRemove: true, storeName: 'listener' }],
  ])('reads %j', (text, message) => {
    expect(parse(text)).toStrictEqual(message);
  });

  it.each([
    '',
    '\n\n',
    'READY',
    'READY=0',
    'RELOADING=0',
    'RELOADING=0\nMONOTONIC_USEC=5000',
    'STOPPING=0',
    'WATCHDOG=0',
    'RESTART_RESET=0',
    'BARRIER=0',
    'FDSTORE=0',
    'FDSTOREREMOVE=0',
    'MAINPID=x4711',
    'ERRNO=5x',
    'ERRNO=1e3',
    'WATCHDOG_USEC=12345678901234567',
    'ready=1',
    '=1',
    'X_UNKNOWN_2=1',
    'MAINPID=1',
    'MAINPID=0',
    'MAINPID=-5',
    'MAINPID=99999999999',
    'MAINPID=4711x',
    'ERRNO=x',
    'ERRNO=-2',
    'WATCHDOG=2',
    'WATCHDOG_USEC=-1',
    'EXTEND_TIMEOUT_USEC=',
    'NOTIFYACCESS=everybody',
    'EXIT_STATUS=256',
    'FDNAME=a:b',
    'FDNAME=',
    `FDNAME=${'x'.repeat(256)}`,
  ])('ignores %j', (text) => {
    expect(parse(text)).toStrictEqual({});
  });

  it('takes the last line of a name', () => {
    expect(parse('STATUS=one\nSTATUS=two')).toEqual({ status: 'two' });
    expect(parse('MAINPID=10\nMAINPID=nonsense')).toEqual({ mainPid: 10 });
  });

  it('makes one printable line of a status', () => {
    expect(parse('STATUS=a\u0007b\u001b[31m')).toEqual({ status: 'a b [31m' });
    expect(parse(`STATUS=${'x'.repeat(10_000)}`).status).toHaveLength(512);
  });

  it('never throws, whatever arrives', () => {
    const lines = fc.array(
      fc.tuple(
        fc.oneof(fc.constantFrom('READY', 'RELOADING', 'MONOTONIC_USEC', 'ERRNO', 'MAINPID', 'FDNAME'), fc.string()),
        fc.oneof(fc.constantFrom('1', '0', '-1', 'trigger'), fc.bigInt().map(String), fc.string()),
      ),
    );
    const texts = lines.map((pairs) => new TextEncoder().encode(pairs.map((pair) => pair.join('=')).join('\n')));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 4_096 }), texts), (bytes) => {
        const { mainPid = 2, watchdogInterval = 0, extend = 0, errno = 0 } = parseNotifyMessage(bytes);
        expect(Number.isInteger(mainPid) && mainPid > 1).toBe(true);
        expect([watchdogInterval, extend, errno].every((value) => value >= 0 && Number.isFinite(value))).toBe(true);
      }),
    );
  });
});
