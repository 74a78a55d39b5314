import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createActor, setup } from 'xstate';
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
  const socketsClosed: string[] = [];
  const read: number[] = [];
  /** Descriptors of files that are one and the same. */
  const same = new Set<number>();
  let opened = 0;
  let looks = 0;
  const spec: ServiceSpec = { ...service, account, ...changes };
  const sockets = new NotifySockets({
    kernel: {
      following: {
        ...following,
        uid: 5,
        lookUp: (pid) => {
          looks += 1;
          return processes.get(pid);
        },
      },
      notifying: {
        ...notifying,
        openSocket: () => {
          opened += 1;
          const path = `/run/notify-${opened}`;
          return { path, datagrams$, close: () => socketsClosed.push(path) };
        },
        closeDescriptor: (descriptor) => closed.push(descriptor),
        isSameFile: (one, other) => same.has(one) && same.has(other),
      },
      readOutput: (pid) => read.push(pid),
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
    same,
    read,
    socketsClosed,
    clock,
    looks: () => looks,
    /** How much waits for a later turn. */
    waiting: () => later.length,
    sendTruncated: (text: string): void =>
      datagrams$.next({ bytes: Buffer.from(text), truncated: true, sender: { pid: 7, uid: 33 }, descriptors: [] }),
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

  it('waits for nothing where nothing has come', () => {
    const { begin, waiting } = open();
    begin();
    expect(waiting()).toBe(0);
  });

  it('is kept for fewer of the senders that only their processes can tell from strangers', () => {
    const { closed, said, send, from, begin, runLater, sockets } = open();
    const undecided = from({ pid: 8, uid: 34 });
    for (let count = 0; count < 100; count += 1) send('STATUS=own');
    for (let count = 0; count < 70; count += 1) undecided('STATUS=other', count);
    expect(closed).toEqual([64, 65, 66, 67, 68, 69]);
    send('STATUS=own');
    begin();
    runLater();
    expect(said.filter(({ status }) => status === 'own')).toHaveLength(101);
    expect(said.filter(({ status }) => status === 'other')).toHaveLength(64);
    sockets.open({ ...service, account }, 2);
    for (let count = 0; count < 65; count += 1) undecided('STATUS=other', 100 + count);
    expect(closed.splice(0).slice(70)).toEqual([164]);
    sockets.open({ ...service, account }, 3);
    expect(closed.splice(0)).toHaveLength(64);
    for (let count = 0; count < 65; count += 1) undecided('STATUS=other', 200 + count);
    expect(closed).toEqual([264]);
  });

  it('counts with notify_access: main, too, where the start has sent it', () => {
    const { said, send, from, begin, runLater } = open({ notifyAccess: 'main' });
    send('STATUS=start');
    from({ pid: 8, uid: 34 })('STATUS=other');
    begin();
    runLater();
    expect(words(said)).toEqual(['start']);
  });

  it('counts with notify_access: all from anywhere', () => {
    const { said, from, begin, runLater } = open({ notifyAccess: 'all' });
    from({ pid: 0, uid: 1000 })('STATUS=elsewhere');
    begin();
    runLater();
    expect(words(said)).toEqual(['elsewhere']);
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
    ["of chaperone's own account, by a short program that has gone", { pid: gone, uid: 5 }],
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
    const { from, begin, looks, runLater, waiting } = open();
    begin();
    for (let count = 0; count < 100; count += 1) from({ pid: 9, uid: 1000 })('ERRNO=5');
    expect(looks()).toBe(1);
    from({ pid: gone, uid: 1000 })('ERRNO=5');
    expect(looks()).toBe(2);
    // The turn ends once for all of them.
    expect(waiting()).toBe(1);
    runLater();
    from({ pid: 9, uid: 1000 })('ERRNO=5');
    expect(looks()).toBe(3);
    runLater();
    from({ pid: 9, uid: 1000 })('ERRNO=5');
    expect(looks()).toBe(4);
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
    ['from the first process names one of a third account', { pid: 1, uid: 0 }, 9, true],
    ['from root names one that has gone', { pid: 10, uid: 0 }, gone, false],
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

describe('another start', () => {
  it('has a socket of its own, and the one before is closed once', () => {
    const { sockets, socketsClosed } = open();
    expect(sockets.open(service, 2)).toBe('/run/notify-2');
    expect(socketsClosed).toEqual(['/run/notify-1']);
    sockets.forget(service.name);
    sockets.open(service, 1);
    expect(socketsClosed).toEqual(['/run/notify-1', '/run/notify-2']);
  });

  it('is not known when the one before was', () => {
    const { sockets, said, send, begin, runLater } = open();
    begin();
    sockets.open({ ...service, account }, 2);
    send('STATUS=early');
    expect(said).toEqual([]);
    begin();
    runLater();
    expect(words(said)).toEqual(['early']);
  });

  it('has no exit status, and has not ended', () => {
    const { sockets, said, send, begin, from } = open();
    begin();
    send('EXIT_STATUS=3');
    send('STATUS=more');
    expect(sockets.exitStatus(service.name)).toBe(3);
    sockets.noteStartEnd(service.name, 7);
    sockets.open({ ...service, account }, 2);
    begin();
    expect(sockets.exitStatus(service.name)).toBeUndefined();
    from({ pid: gone, uid: 33 })('ERRNO=3');
    expect(said.at(-1)).toEqual({ status: `ERRNO=3 from a helper (pid ${gone})` });
  });

  it('has no main process yet, and tells anew of who may not send', () => {
    const { sockets, said, logged, begin, from } = open({ notifyAccess: 'main' });
    begin();
    from({ pid: 10, uid: 0 })('STATUS=stranger');
    expect(logged).toHaveLength(1);
    sockets.open({ ...service, account, notifyAccess: 'main' }, 2);
    sockets.setStartPid(service.name, 8);
    from({ pid: 7, uid: 33 })('STATUS=before');
    from({ pid: 1, uid: 0 })('STATUS=first');
    expect(said).toEqual([]);
    expect(logged).toHaveLength(2);
  });
});

describe('a service that is forgotten', () => {
  it('has no descriptors and no exit status any more', () => {
    const { sockets, send, begin, closed } = open();
    begin();
    send('FDSTORE=1', 21, 22);
    send('EXIT_STATUS=3');
    sockets.forget(service.name);
    expect(closed).toEqual([21, 22]);
    expect(sockets.kept(service.name)).toEqual([]);
    expect(sockets.exitStatus(service.name)).toBeUndefined();
    sockets.forget(service.name);
    expect(closed).toEqual([21, 22]);
  });
});

describe('a descriptor', () => {
  it('is kept with its name, and removed by it', () => {
    const { sockets, send, begin, closed } = open();
    begin();
    send('FDSTORE=1\nFDNAME=a', 21);
    send('FDSTORE=1\nFDNAME=b', 22);
    send('FDSTORE=1', 23);
    send('FDSTORE=1\nFDNAME=a', 24);
    expect(closed).toEqual([]);
    send('FDSTOREREMOVE=1\nFDNAME=a');
    expect(closed).toEqual([21, 24]);
    expect(sockets.kept(service.name)).toEqual([
      { descriptor: 22, name: 'b' },
      { descriptor: 23, name: 'stored' },
    ]);
    send('FDSTOREREMOVE=1');
    expect(closed).toEqual([21, 24, 23]);
  });

  it('is closed where it is not to be stored, is to be removed, or is kept already', () => {
    const { sockets, send, begin, closed, same } = open();
    begin();
    send('BARRIER=1', 21);
    send('FDSTORE=1\nFDSTOREREMOVE=1', 22);
    expect(closed).toEqual([21, 22]);
    send('FDSTOREREMOVE=1', 23);
    send('FDSTORE=1', 24);
    same.add(24).add(25);
    send('FDSTORE=1', 25);
    send('STATUS=x', 26);
    expect(closed).toEqual([21, 22, 23, 25, 26]);
    expect(sockets.kept(service.name)).toEqual([{ descriptor: 24, name: 'stored' }]);
  });

  it('is closed beyond the most that are kept, and each datagram tells of how many', () => {
    const { sockets, send, begin, closed, logged } = open();
    begin();
    const many = Array.from({ length: 127 }, (_, index) => 100 + index);
    send('FDSTORE=1', ...many);
    expect(logged).toEqual([]);
    send('FDSTORE=1', 300, 301);
    expect(sockets.kept(service.name)).toHaveLength(128);
    expect(closed).toEqual([301]);
    send('FDSTORE=1', 302, 303);
    send('BARRIER=1', 304);
    expect(logged).toEqual([
      expect.stringMatching(/^web\.service sent 1 more descriptor /),
      'web.service sent 2 more descriptors (FDSTORE) than the 128 that chaperone keeps for it, and they were closed',
    ]);
  });
});

describe('a message', () => {
  it('is taken after the output of the run, and tells where it was cut', () => {
    const { sendTruncated, send, begin, read, logged } = open();
    begin();
    send('STATUS=whole');
    expect(read).toEqual([7]);
    expect(logged).toEqual([]);
    sendTruncated('STATUS=cut');
    expect(logged).toEqual(['web.service sent a notification that is too long; only its beginning was read']);
  });

  it('of one letter is one', () => {
    const { send, begin, said } = open();
    begin();
    send('x');
    expect(said).toEqual([{}]);
  });

  it.each([
    ['ERRNO=5', ['5']],
    ['EXIT_STATUS=3', ['3']],
    ['ERRNO=5\nEXIT_STATUS=3', ['5']],
    ['ERRNO=0', []],
    ['STATUS=x', []],
  ])('%j tells the code that is in it', (text, codes) => {
    const { send, begin, logged } = open();
    begin();
    send(text);
    expect(logged).toEqual(
      codes.map((code) => `web.service got explicit return code '<ProcStatus exit_status=${code}>'`),
    );
  });

  it.each([
    ['ERRNO=2', 1],
    ['EXIT_STATUS=2', 0],
    ['STATUS=x', 0],
  ])('%j of a helper tells of an error, or not: %i', (text, count) => {
    const { from, begin, logged } = open();
    begin();
    from({ pid: gone, uid: 33 })(text);
    expect(logged.filter((each) => each.includes('which is not its main process'))).toHaveLength(count);
  });

  it('goes to the machine of its service, until that needs it no more', () => {
    const opened = open();
    opened.clock.run(30);
    opened.begin();
    const machine = listen(opened.sockets);
    opened.send('STATUS=one');
    expect(machine.told).toEqual([{ type: 'notify.received', serial: 1, message: { status: 'one' }, at: 30 }]);
    machine.close();
    expect(opened.socketsClosed).toEqual(['/run/notify-1']);
    opened.send('STATUS=two');
    expect(machine.told).toHaveLength(1);
    opened.sockets.open({ ...service, account }, 2);
    opened.begin();
    opened.send('STATUS=three');
    expect(machine.told[1]).toMatchObject({ serial: 2, message: { status: 'three' } });
    machine.stop();
    expect(opened.socketsClosed).toEqual(['/run/notify-1', '/run/notify-2']);
  });

  it('of a service with a machine before its first start waits like another', () => {
    const clock = new VirtualClock();
    const kernel = new SimulatedKernel(clock, { has: () => true, script: () => undefined });
    const sockets = new NotifySockets({
      kernel,
      clock,
      claimOf: ({ name }): Claim => ({
        service: name,
        accountUid: 0,
        owner: undefined,
        startBegan: undefined,
        isOwn: false,
      }),
      onMessage: () => undefined,
      onNotice: () => undefined,
    });
    const machine = listen(sockets);
    sockets.open(service, 1);
    kernel.intrude(service.name, { text: 'STATUS=early', sender: { pid: 7, uid: 0 } });
    expect(machine.told).toEqual([]);
    sockets.setStartPid(service.name, 7);
    clock.run(0);
    expect(machine.told).toHaveLength(1);
  });
});

/** A machine of the service that listens to what it sends. */
function listen(sockets: NotifySockets) {
  const told: unknown[] = [];
  const machine = setup({
    actors: { notifications: sockets.logic() },
    types: { events: {} as { readonly type: 'end' | 'close' } | { readonly type: 'notify.received' } },
  }).createMachine({
    initial: 'listening',
    on: { '*': { actions: ({ event }) => told.push(event) } },
    states: {
      listening: {
        invoke: { src: 'notifications', id: 'notifications', input: service },
        on: {
          end: 'over',
          close: {
            actions: ({ self }) => self.getSnapshot().children['notifications']?.send({ type: 'notify.close' }),
          },
        },
      },
      over: {},
    },
  });
  const actor = createActor(machine);
  actor.start();
  return { told, close: () => actor.send({ type: 'close' }), stop: () => actor.send({ type: 'end' }) };
}
