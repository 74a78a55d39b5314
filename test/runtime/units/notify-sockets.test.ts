import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { NotifySender } from '../../../src/model/service/notify-access.ts';
import type { NotifyMessage } from '../../../src/model/service/notify-message.ts';
import type { Claim } from '../../../src/model/service/pidfile.ts';
import type { ServiceSpec } from '../../../src/model/service/service-spec.ts';
import type { NotifyDatagram, ProcessView } from '../../../src/runtime/kernel.ts';
import { SimulatedKernel } from '../../../src/runtime/simulated/simulated-kernel.ts';
import { VirtualClock } from '../../../src/runtime/simulated/virtual-clock.ts';
import { NotifySockets } from '../../../src/runtime/units/notify-sockets.ts';
import { serviceOf } from '../../config/loading.ts';

const service = serviceOf('web.service: { command: web, type: notify }');

const account = { uid: 33, gid: 33, groups: [], name: 'www', home: '/' };
/** The processes of this machine: the service's own, one of another account that it has started, and one that it has not. */
const processes = new Map<number, ProcessView>(
  [
    { pid: 7, uid: 33 },
    { pid: 8, uid: 34 },
    { pid: 9, uid: 1000 },
    { pid: 10, uid: 0 },
  ].map(({ pid, uid }) => [pid, { pid, uid, parent: 1, group: pid, began: 100 }]),
);
const ofService = [7, 8];
const gone = 99;

/** A service with an open notify socket: what is sent to it, and what comes of that. */
function open(changes: Partial<ServiceSpec> = {}) {
  const clock = new VirtualClock();
  const { following, notifying } = new SimulatedKernel(clock, { has: () => true, script: () => undefined });
  const datagrams$ = new Subject<NotifyDatagram>();
  const later: (() => void)[] = [];
  const closed: number[] = [];
  const said: NotifyMessage[] = [];
  const logged: string[] = [];
  let looks = 0;
  const spec: ServiceSpec = { ...service, account, ...changes };
  const sockets = new NotifySockets({
    kernel: {
      following: {
        ...following,
        lookUp: (pid) => {
          looks += 1;
          return processes.get(pid);
        },
      },
      notifying: {
        ...notifying,
        openSocket: () => ({ path: '/run/notify', datagrams$, close: () => undefined }),
        closeDescriptor: (descriptor) => closed.push(descriptor),
        isSameFile: () => false,
      },
      readOutput: () => undefined,
      defer: (callback) => later.push(callback),
    },
    clock,
    claimOf: (_, { pid }): Claim => ({
      service: service.name,
      accountUid: 33,
      owner: ofService.includes(pid) ? service.name : undefined,
      startBegan: 50,
      isOwn: false,
    }),
    onMessage: ({ text }) => logged.push(text),
    onNotice: (_, message) => said.push(message),
  });
  sockets.open(spec, 1);
  const from =
    (sender: NotifySender | undefined) =>
    (text: string, ...descriptors: readonly number[]): void =>
      datagrams$.next({
        bytes: Buffer.from(text),
        truncated: false,
        ...(sender === undefined ? {} : { sender }),
        descriptors,
      });
  return {
    sockets,
    said,
    closed,
    logged,
    from,
    looks: () => looks,
    send: from({ pid: 7, uid: 33 }),
    runLater: () => {
      for (const callback of later.splice(0)) callback();
    },
    /** Chaperone hears that the start has succeeded. */
    begin: () => {
      sockets.setStartPid(service.name, 7);
      sockets.setMainPid(service.name, 7);
    },
  };
}

/** What was said, in short. */
const words = (said: readonly NotifyMessage[]) => said.map(({ ready, status }) => status ?? ready ?? false);

describe('what a program sends before chaperone knows that its start has succeeded', () => {
  it('is taken afterwards, in order, and before what comes then', () => {
    const { sockets, said, send, runLater } = open();
    send('READY=1');
    send('STATUS=second');
    expect(said).toEqual([]);
    sockets.setStartPid(service.name, 7);
    send('STATUS=third');
    expect(said).toEqual([]);
    runLater();
    expect(words(said)).toEqual([true, 'second', 'third']);
    send('STATUS=fourth');
    expect(words(said)).toEqual([true, 'second', 'third', 'fourth']);
  });

  it('is given up with its descriptors where the start fails', () => {
    const { sockets, said, closed, send, runLater } = open();
    send('READY=1', 21, 22);
    sockets.forget(service.name);
    runLater();
    expect(said).toEqual([]);
    expect(closed).toEqual([21, 22]);
  });

  it('is not kept without a bound', () => {
    const { sockets, said, closed, send, runLater } = open();
    for (let i = 0; i < 300; i += 1) send(`STATUS=${i}`, i);
    expect(closed).toHaveLength(44);
    sockets.setStartPid(service.name, 7);
    runLater();
    expect(said).toHaveLength(256);
  });

  it('is never taken by the next start', () => {
    const { sockets, said, send, runLater } = open();
    send('READY=1');
    sockets.open(service, 2);
    sockets.setStartPid(service.name, 8);
    runLater();
    expect(said).toEqual([]);
  });
});

describe('a datagram', () => {
  const strangers: readonly (readonly [string, NotifySender | undefined])[] = [
    ['of another account', { pid: 9, uid: 1000 }],
    ['of another account, which has gone', { pid: gone, uid: 1000 }],
    ['of root from elsewhere', { pid: 0, uid: 0 }],
    ['of the account from elsewhere', { pid: 0, uid: 33 }],
    ['of nobody knows whom', undefined],
  ];

  it.each(strangers)('%s changes nothing, keeps nothing open, and is told once', (_who, sender) => {
    const { said, closed, logged, sockets, from, begin } = open();
    begin();
    const send = from(sender);
    for (const text of ['ERRNO=5', 'WATCHDOG=trigger', 'NOTIFYACCESS=all', 'READY=1', 'MAINPID=9', 'EXIT_STATUS=3'])
      send(text);
    send('FDSTORE=1', 21, 22);
    expect(said).toEqual([]);
    expect(closed).toEqual([21, 22]);
    expect(sockets.kept(service.name)).toEqual([]);
    expect(sockets.exitStatus(service.name)).toBeUndefined();
    expect(logged).toEqual([expect.stringContaining('which may not send any (NOTIFYACCESS=exec)')]);
  });

  it.each<[string, NotifySender]>([
    ['nobody', { pid: 0, uid: 0 }],
    ['root', { pid: 10, uid: 0 }],
    ["the service's account", { pid: 7, uid: 33 }],
    ['a stranger', { pid: gone, uid: 34 }],
  ])('that is empty is no event, also where it comes from %s', (_who, sender) => {
    const { said, closed, logged, from, begin, runLater } = open();
    from(sender)('', 20);
    begin();
    runLater();
    from(sender)('', 21);
    expect([said, closed, logged]).toEqual([[], [20, 21], []]);
  });

  it.each(strangers)('%s is refused before the start is known, too, and displaces nothing', (_who, sender) => {
    const { said, closed, from, send, begin, runLater } = open();
    for (let count = 0; count < 300; count += 1) from(sender)('ERRNO=5', 100 + count);
    send('READY=1');
    begin();
    runLater();
    expect(words(said)).toEqual([true]);
    expect(closed).toHaveLength(300);
  });

  it.each<[string, NotifySender]>([
    ["of the service's account", { pid: 7, uid: 33 }],
    ["of the service's account, by a short program that has gone", { pid: gone, uid: 33 }],
    ['of root', { pid: 10, uid: 0 }],
    ['of root, by a short program that has gone', { pid: gone, uid: 0 }],
    ["of another account, by one of the service's processes", { pid: 8, uid: 34 }],
  ])('%s counts', (_who, sender) => {
    const { said, from, begin } = open();
    begin();
    from(sender)('READY=1');
    expect(words(said)).toEqual([true]);
  });

  it.each([
    ['main', [7]],
    ['exec', [7, 8, 10]],
    ['all', [7, 8, 9, 10]],
  ] as const)('counts with notify_access: %s from %j', (notifyAccess, heard) => {
    const { said, from, begin } = open({ notifyAccess });
    begin();
    for (const { pid, uid } of processes.values()) from({ pid, uid })(`STATUS=${pid}`);
    expect(words(said)).toEqual(heard.map(String));
  });

  it('changes who may send, until the next start', () => {
    const { said, from, send, begin, sockets } = open();
    begin();
    const stranger = from({ pid: 9, uid: 1000 });
    stranger('STATUS=1');
    send('NOTIFYACCESS=all');
    stranger('STATUS=2');
    send('NOTIFYACCESS=none');
    send('STATUS=3');
    sockets.open({ ...service, account }, 2);
    begin();
    stranger('STATUS=4');
    send('STATUS=5');
    expect(words(said)).toEqual([false, '2', false, '5']);
  });

  it('of a stranger is looked at once in a turn, however many come', () => {
    const { from, begin, looks, runLater } = open();
    begin();
    for (let count = 0; count < 100; count += 1) from({ pid: 9, uid: 1000 })('ERRNO=5');
    expect(looks()).toBe(1);
    runLater();
    from({ pid: 9, uid: 1000 })('ERRNO=5');
    expect(looks()).toBe(2);
  });
});

describe('an error', () => {
  it('of a helper is the note of the service, and of its exit status nothing remains', () => {
    const { said, from, begin, sockets } = open();
    begin();
    from({ pid: gone, uid: 33 })('ERRNO=2\nEXIT_STATUS=1');
    expect(said).toEqual([{ status: `ERRNO=2 from a helper (pid ${gone})` }]);
    expect(sockets.exitStatus(service.name)).toBeUndefined();
  });

  it('is the own one of the main process, of sdnotify, and of a daemon that is left', () => {
    const { said, send, from, begin, sockets } = open();
    begin();
    send('ERRNO=1');
    from({ pid: gone, uid: 33 })('ERRNO=2\nX_CHAPERONE=1');
    sockets.noteStartEnd(service.name, 7);
    from({ pid: gone, uid: 33 })('ERRNO=3');
    sockets.setMainPid(service.name, 8);
    from({ pid: gone, uid: 33 })('ERRNO=4');
    from({ pid: 8, uid: 34 })('ERRNO=5');
    expect(said.map(({ errno }) => errno)).toEqual([1, 2, 3, undefined, 5]);
  });
});

describe('MAINPID', () => {
  it.each<[string, NotifySender, number, boolean]>([
    ["from the service names one of the service's", { pid: 7, uid: 33 }, 8, true],
    ['from the service names one of root', { pid: 7, uid: 33 }, 10, false],
    ['from the service names one of a third account', { pid: 7, uid: 33 }, 9, false],
    ['from root names one of root', { pid: 10, uid: 0 }, 10, true],
    ['from root names one of a third account', { pid: 10, uid: 0 }, 9, true],
  ])('%s: %j %i %j', (_what, sender, pid, followed) => {
    const { said, from, begin, logged } = open();
    begin();
    from(sender)(`MAINPID=${pid}`);
    expect(said).toEqual([followed ? { mainPid: pid } : {}]);
    expect(logged).toHaveLength(followed ? 0 : 1);
  });

  it('from a sender elsewhere is not the word of root', () => {
    const { said, from, begin } = open({ notifyAccess: 'all' });
    begin();
    from({ pid: 0, uid: 0 })('MAINPID=10');
    expect(said).toEqual([{}]);
  });
});
