/**
 * Datagrams of many senders on one notify socket, with credentials and descriptors. An input is a list of records, each of which ends with
 * the byte 0x1e: three bytes that choose what happens, who sends and how many descriptors come along, and then the text. What counts is
 * decided here a second time, in the words of the reference.
 */
import { Subject } from 'rxjs';
import { type NotifyMessage, parseNotifyMessage } from '../../src/model/service/notify-message.ts';
import type { Claim } from '../../src/model/service/pidfile.ts';
import type { NotifyDatagram, ProcessView } from '../../src/runtime/kernel.ts';
import { SimulatedKernel } from '../../src/runtime/simulated/simulated-kernel.ts';
import { VirtualClock } from '../../src/runtime/simulated/virtual-clock.ts';
import { NotifySockets } from '../../src/runtime/units/notify-sockets.ts';
import { serviceSpec } from '../model/specs.ts';
import { check } from './target.ts';

export const dictionary = [
  ...[
    'READY=1',
    'STATUS=x',
    'ERRNO=5',
    'BUSERROR=x',
    'EXIT_STATUS=3',
    'X_CHAPERONE=1',
    'WATCHDOG=trigger',
    'BARRIER=1',
  ],
  ...['NOTIFYACCESS=main', 'NOTIFYACCESS=exec', 'NOTIFYACCESS=all', 'NOTIFYACCESS=none'],
  ...['FDSTORE=1', 'FDSTORE=1\nFDNAME=a', 'FDSTOREREMOVE=1\nFDNAME=a'],
  ...[7, 8, 9, 10, 11, 12, 13, 14, 99].map((pid) => `MAINPID=${pid}`),
  ...['\n', '\u001e', '\0\0\0', '\u0001', '\u0002', '\u0003', '\u0004', '\u0005', '\u0006'],
];

const account = 33;
const main = 7;
/** What stands behind each number: the run, one of its own of another account, and those of others. */
const processes: readonly (Pick<ProcessView, 'pid' | 'uid'> & Partial<Claim> & { readonly began?: number })[] = [
  { pid: main, uid: account, owner: 'web.service' },
  { pid: 8, uid: 34, owner: 'web.service' },
  { pid: 9, uid: 1000 },
  { pid: 10, uid: 0 },
  { pid: 11, uid: account },
  { pid: 12, uid: account, owner: 'db.service' },
  { pid: 13, uid: 0, isOwn: true },
  { pid: 14, uid: account, began: 1 },
];
/** The last two are of a process that has gone, and of one outside of the pid namespace. */
const pids = [...processes.map(({ pid }) => pid), 99, 0];
const uids = [0, account, 34, 1000, -1];

interface Sent {
  readonly pid: number;
  readonly uid: number;
  readonly message: NotifyMessage;
  readonly descriptors: readonly number[];
}

/** The world around one socket, and a second opinion on what is heard there. */
class Judge {
  readonly open = new Set<number>();
  readonly later: (() => void)[] = [];
  readonly #datagrams$ = new Subject<NotifyDatagram>();
  readonly #sockets: NotifySockets;
  readonly #service = serviceSpec({
    name: 'web.service',
    type: 'notify',
    account: { uid: account, gid: account, groups: [account] },
  });
  #heard: NotifyMessage[] = [];
  #refusals = 0;
  #access = 'exec';
  #begun = false;
  #ended = false;
  #named: number | undefined;
  #nextDescriptor = 1;

  constructor() {
    const clock = new VirtualClock();
    const { following, notifying } = new SimulatedKernel(clock, { has: () => true, script: () => undefined });
    this.#sockets = new NotifySockets({
      kernel: {
        following: {
          ...following,
          lookUp: (pid) => {
            const found = processes.find((each) => each.pid === pid);
            return found === undefined
              ? undefined
              : { pid, uid: found.uid, began: found.began ?? 10, parent: 1, group: pid };
          },
        },
        notifying: {
          ...notifying,
          openSocket: () => ({ path: '/notify', datagrams$: this.#datagrams$, close: () => undefined }),
          closeDescriptor: (descriptor) => check(this.open.delete(descriptor), 'a descriptor is closed once'),
        },
        readOutput: () => undefined,
        defer: (callback) => this.later.push(callback),
      },
      clock,
      claimOf: ({ name }, { pid }) => {
        const { owner, isOwn = false } = processes.find((each) => each.pid === pid) ?? {};
        return { service: name, accountUid: account, owner, isOwn, startBegan: 5 };
      },
      onMessage: ({ text }) => {
        if (text.includes('which may not send any')) this.#refusals += 1;
      },
      onNotice: (_, message) => {
        this.#heard.push(message);
        if (message.mainPid === undefined) return;
        this.#sockets.setMainPid('web.service', message.mainPid);
        this.#named = message.mainPid === main ? undefined : message.mainPid;
      },
    });
    this.start(1);
  }

  start(serial: number): void {
    this.#sockets.open(this.#service, serial);
    this.#access = 'exec';
    this.#begun = false;
    this.#ended = false;
    this.#named = undefined;
    this.#refusals = 0;
  }

  begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#sockets.setStartPid('web.service', main);
    this.#sockets.setMainPid('web.service', main);
    this.turn();
    // What came before was judged in this turn; it may have changed who may send.
    for (const { access } of this.#heard.splice(0)) this.#access = access ?? this.#access;
  }

  end(): void {
    if (!this.#begun) return;
    this.#ended = true;
    this.#sockets.noteStartEnd('web.service', main);
  }

  turn(): void {
    for (const callback of this.later.splice(0)) callback();
  }

  send(pid: number, uid: number, count: number, bytes: Buffer): void {
    const descriptors = Array.from({ length: count }, () => this.#nextDescriptor++);
    for (const descriptor of descriptors) this.open.add(descriptor);
    const sent: Sent = { pid, uid, message: parseNotifyMessage(bytes), descriptors };
    const main_ = this.#named ?? main;
    this.#datagrams$.next({ bytes, truncated: false, descriptors, ...(uid < 0 ? {} : { sender: { pid, uid } }) });
    // An empty datagram is no event, whoever sends it; what comes with it is closed.
    if (bytes.length === 0) {
      check(this.#heard.splice(0).length === 0, 'an empty datagram is not heard');
      check(
        descriptors.every((descriptor) => !this.open.has(descriptor)),
        'and nothing of it is kept',
      );
    } else if (this.#begun) this.#judge(sent, main_);
    this.#checkKept();
    check(this.#refusals <= 1, 'a refusal is told once in a start');
  }

  finish(): void {
    this.turn();
    this.#sockets.forget('web.service');
    check(this.open.size === 0, 'nothing stays open of a service that is forgotten');
  }

  #judge({ pid, uid, message, descriptors }: Sent, mainPid: number): void {
    const [heard, ...more] = this.#heard.splice(0);
    check(more.length === 0, 'a datagram is heard once');
    if (!this.#mayCount(pid, uid, mainPid)) {
      check(heard === undefined, 'a datagram that may not count is not heard');
      check(
        descriptors.every((descriptor) => !this.open.has(descriptor)),
        'and nothing of it is kept',
      );
      return;
    }
    check(heard !== undefined, 'a datagram that counts is heard');
    this.#access = message.access ?? this.#access;
    if (message.store !== true)
      check(
        descriptors.every((each) => !this.open.has(each)),
        'only FDSTORE keeps something',
      );
    const mayName = uid === 0 && pid > 0 ? [main, 8, 9, 10, 11] : [main, 8, 11];
    check(heard.mainPid === undefined || mayName.includes(heard.mainPid), `${pid} of ${uid} names no ${heard.mainPid}`);
    check(heard.mainPid === undefined || heard.mainPid === message.mainPid, 'nobody else is named');
    const speaks =
      message.vouched === true ||
      (pid > 0 && uid >= 0 && (pid === mainPid || pid === heard.mainPid)) ||
      (this.#ended ? this.#named === undefined : pid === main && uid >= 0);
    const errors = heard.errno !== undefined || heard.busError !== undefined || heard.exitStatus !== undefined;
    check(speaks || !errors, 'an error of a helper is none of the service');
    check(!speaks || heard.errno === message.errno, 'an error of the service is heard');
  }

  #mayCount(pid: number, uid: number, mainPid: number): boolean {
    if (this.#access === 'all') return true;
    if (this.#access === 'none' || uid < 0 || pid === 0) return false;
    const isOwn = uid === 0 || uid === account || pid === main || pid === 8;
    return isOwn && (this.#access === 'exec' || pid === mainPid);
  }

  #checkKept(): void {
    const kept = this.#sockets.kept('web.service');
    check(kept.length <= 128, 'not too many are kept');
    check(
      kept.every(({ descriptor }) => this.open.has(descriptor)),
      'what is kept is open',
    );
    if (this.#begun) check(this.open.size === kept.length, 'and nothing else is');
  }
}

export function fuzz(data: Buffer): void {
  const judge = new Judge();
  let serial = 1;
  for (let start = 0; start < data.length; ) {
    const found = data.indexOf(0x1e, start);
    const end = found < 0 ? data.length : found;
    const [what = 0, who = 0, count = 0] = data.subarray(start, Math.min(end, start + 3));
    const act = what % 16;
    if (act === 0) judge.begin();
    else if (act === 1) judge.end();
    else if (act === 2) judge.turn();
    else if (act === 3) judge.start(++serial);
    else {
      const pid = pids[who % pids.length] ?? 0;
      const uid = uids[Math.floor(who / pids.length) % uids.length] ?? 0;
      judge.send(pid, uid, count % 4, data.subarray(Math.min(end, start + 3), end));
    }
    start = end + 1;
  }
  judge.finish();
}
