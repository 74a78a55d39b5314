import type { Subscription } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LogSender } from '../../src/model/log/log-record.ts';
import type { Connection } from '../../src/model/schedule/scheduled-runs.ts';
import type { Account } from '../../src/model/service/account.ts';
import type { ExitStatus } from '../../src/model/service/exit-status.ts';
import type { SignalName } from '../../src/model/service/signal.ts';
import type { FileRequest, FileResult } from '../../src/model/service/value-sources.ts';
import type {
  Channel,
  Clock,
  ExitBatch,
  Kernel,
  Listener,
  LogDatagram,
  ProcessTree,
  ServerAnswer,
  ServerQuestion,
  SignalOutcome,
  SpawnOutcome,
  SpawnRequest,
} from '../../src/runtime/kernel.ts';

/** Programs that both kernels have. */
export type ProgramName =
  | 'succeeds'
  | 'exits 3'
  | 'dies of SIGTERM'
  | 'hangs'
  | 'ignores SIGTERM'
  | 'prints to both'
  | 'leaves a daemon'
  | 'leaves a writer'
  | 'leaves a child'
  | 'hangs with a child'
  | 'ends after 50 ms'
  | 'writes its pid'
  | 'serves'
  | 'serves and is silent'
  | 'writes to descriptor 5'
  | 'notifies'
  | 'relays its input'
  | 'fills a pipe'
  | 'exits on SIGUSR1 without its child'
  | 'leaves a zombie'
  | 'has a child that exits 3'
  | 'reaps its child late'
  | 'never reaps its child';

export type SpawnErrorName = 'missing' | 'denied' | 'no directory' | 'no format' | 'too long';

export interface Harness {
  readonly kernel: Kernel;
  readonly clock: Clock;
  argv(program: ProgramName): readonly string[];
  /** Where 'writes its pid' writes, before it hangs. */
  readonly pidfile: string;
  /** Where 'serves' answers 503 with a body, and 'serves and is silent' accepts and never answers. */
  readonly socket: string;
  failing(error: SpawnErrorName): Partial<SpawnRequest> & Pick<SpawnRequest, 'argv'>;
  /** Lets time pass until the condition holds. Rejects when it never does. */
  until(condition: () => boolean): Promise<void>;
  /** Blocks until the process has ended, without letting the kernel tell. The simulated kernel tells it later anyway. */
  awaitEndSilently(pid: number): void;
  /** A port that nobody listens on. */
  freePort(): Promise<number>;
  connect(port: number): Client;
  /** A file's path that nothing stands at. */
  newPath(name: string): string;
  /** The text of a file; '' where there is none. */
  read(path: string): string;
  exists(path: string): boolean;
  /** Of what services read: a file that says `A=1`, a folder with a file `B` that says `2`, and a path that nothing stands at. */
  readonly values: { readonly file: string; readonly folder: string; readonly missing: string };
  /** What is sent before anybody listens is kept. */
  readonly early: boolean;
  /** The kernel tells how a process has ended to one that is not its parent. */
  readonly tellsStatus: boolean;
  /** An account that programs may be started with; absent where only root may do so, and the test is not root. */
  readonly otherAccount?: Account;
  /** Sends one datagram as a program would; returns false where nobody would get it. */
  sendLog(path: string, text: string, sender?: LogSender): boolean;
  /** The pid of the process that calls `sendLog`. */
  readonly ownPid: number;
  /** Ends what the test left. */
  close(): Promise<void>;
}

/** Somebody who connected to a port. */
export interface Client {
  /** What it was sent so far. */
  text(): string;
  /** The other side has hung up. */
  ended(): boolean;
}

const decoder = new TextDecoder();
const unknown: ExitStatus = { kind: 'unknown' };

type Begun = SpawnOutcome & { readonly ok: true };

/** What every implementation of the kernel port does. */
export function describeKernelContract(name: string, open: () => Harness): void {
  describe(`the ${name} kernel`, () => {
    let harness: Harness;
    let batches: ExitBatch[];
    let subscription: Subscription;

    beforeEach(() => {
      harness = open();
      batches = [];
      subscription = harness.kernel.exits$.subscribe((batch) => batches.push(batch));
    });

    afterEach(async () => {
      subscription.unsubscribe();
      await harness.close();
    });

    const request = (argv: readonly string[], more: Partial<SpawnRequest> = {}): SpawnRequest => ({
      argv,
      environment: { PATH: '/usr/bin:/bin' },
      ownGroup: true,
      stdin: 'null',
      stdout: 'pipe',
      stderr: 'pipe',
      ...more,
    });
    /** Waits for what the kernel tells the callback, once. */
    const toldBy = async <T extends object | string>(ask: (told: (value: T) => void) => void): Promise<T> => {
      const values: T[] = [];
      ask((value) => values.push(value));
      await harness.until(() => values.length > 0);
      const [value] = values;
      if (value === undefined) throw new Error('nothing was told');
      return value;
    };
    const outcomeOf = (wanted: SpawnRequest): Promise<SpawnOutcome> =>
      toldBy<SpawnOutcome>((told) => harness.kernel.spawn(wanted, told));
    /** @param begun is called in the turn in which the kernel tells that the program runs */
    const spawn = async (
      program: ProgramName,
      more: Partial<SpawnRequest> = {},
      begun: (outcome: Begun) => void = () => undefined,
    ): Promise<Begun> => {
      const outcome = await toldBy<SpawnOutcome>((told) =>
        harness.kernel.spawn(request(harness.argv(program), more), (verdict) => {
          if (verdict.ok) begun(verdict);
          told(verdict);
        }),
      );
      if (!outcome.ok) throw new Error(`cannot spawn "${program}": ${outcome.error.code} at ${outcome.error.stage}`);
      return outcome;
    };
    /** Starts a program that relays what is written to a channel. */
    const spawnRelay = async (channel: Channel) => {
      const read = { text: '' };
      const { pid } = await spawn('relays its input', { stdin: channel }, ({ stdout }) =>
        stdout.subscribe((chunk) => {
          read.text += decoder.decode(chunk);
        }),
      );
      return { pid, read };
    };
    const signal = (pid: number, name: SignalName, target: 'process' | 'group'): Promise<SignalOutcome> =>
      toldBy<SignalOutcome>((told) => harness.kernel.signal(pid, name, target, told));
    /** Collects the output of a program from its beginning. */
    const spawnReading = async (program: ProgramName) => {
      const read = { text: '', closed: false };
      const { pid } = await spawn(program, {}, ({ stdout }) =>
        stdout.subscribe({
          next: (chunk) => {
            read.text += decoder.decode(chunk);
          },
          complete: () => {
            read.closed = true;
          },
        }),
      );
      return { pid, read };
    };
    /** Waits until no child is left. */
    const alone = async (): Promise<void> => {
      let gone = false;
      const watch = harness.kernel.childrenGone$.subscribe(() => {
        gone = true;
      });
      harness.kernel.watchChildren();
      await harness.until(() => gone);
      watch.unsubscribe();
    };
    const toldElsewhere = (status: ExitStatus): ExitStatus => (harness.tellsStatus ? status : unknown);
    const exitOf = (pid: number) => batches.flatMap(({ exits }) => exits).find((exit) => exit.pid === pid);
    const ended = (pid: number) => (): boolean => exitOf(pid) !== undefined;

    describe('a channel', () => {
      let channel: Channel;

      beforeEach(() => {
        channel = harness.kernel.openChannel();
      });

      afterEach(() => channel.close());

      it('keeps what is written until somebody reads it, over the ends of both', async () => {
        const { pid: writer } = await spawn('prints to both', { stdout: channel, stderr: 'stdout' });
        await harness.until(ended(writer));
        expect(channel.waiting()).toBe(8);
        const first = await spawnRelay(channel);
        await harness.until(() => first.read.text === 'out\nerr\n');
        expect(channel.waiting()).toBe(0);
        await signal(first.pid, 'SIGKILL', 'group');
        await harness.until(ended(first.pid));
        const { pid: again } = await spawn('prints to both', { stdout: channel, stderr: channel });
        await harness.until(ended(again));
        const second = await spawnRelay(channel);
        await harness.until(() => second.read.text === 'out\nerr\n');
        expect(exitOf(second.pid)).toBeUndefined();
      });

      it('ends for the reader once it is finished and its writers are gone', async () => {
        const { pid: writer } = await spawn('hangs', { stdout: channel });
        const { pid: printer } = await spawn('prints to both', { stdout: channel });
        await harness.until(ended(printer));
        channel.finish();
        const reader = await spawnRelay(channel);
        await harness.until(() => reader.read.text === 'out\n');
        const { pid: other } = await spawn('ends after 50 ms');
        await harness.until(ended(other));
        expect(exitOf(reader.pid)).toBeUndefined();
        await signal(writer, 'SIGKILL', 'group');
        await harness.until(ended(reader.pid));
        expect(exitOf(reader.pid)?.status).toEqual({ kind: 'exited', code: 0 });
      });

      it('lets a writer wait while it is full, and loses nothing', async () => {
        const { pid: writer } = await spawn('fills a pipe', { stdout: channel });
        await harness.until(() => channel.waiting() > 60_000);
        const { pid: other } = await spawn('ends after 50 ms');
        await harness.until(ended(other));
        expect(exitOf(writer)).toBeUndefined();
        const reader = await spawnRelay(channel);
        await harness.until(ended(writer));
        const all = Array.from({ length: 10_000 }, (_, index) => `line ${String(index + 1).padStart(5, '0')}\n`).join(
          '',
        );
        await harness.until(() => reader.read.text.length >= all.length);
        expect(reader.read.text === all).toBe(true);
      });
    });

    it('spawns a program and tells its exit status', async () => {
      const { pid } = await spawn('exits 3');
      expect(pid).toBeGreaterThan(1);
      await harness.until(ended(pid));
      expect(exitOf(pid)?.status).toEqual({ kind: 'exited', code: 3 });
    });

    it('tells the signal that ended a program', async () => {
      const { pid } = await spawn('dies of SIGTERM');
      await harness.until(ended(pid));
      expect(exitOf(pid)?.status).toMatchObject({ kind: 'signaled', signal: 'SIGTERM' });
    });

    it.each([
      ['missing', 'ENOENT', 'lookup'],
      ['denied', 'EACCES', 'exec'],
      ['no directory', 'ENOENT', 'directory'],
      ['no format', 'ENOEXEC', 'exec'],
      ['too long', 'E2BIG', 'exec'],
    ] as const)('reports a spawn that fails (%s) as %s at %s, without an exit', async (error, code, stage) => {
      const { argv, ...more } = harness.failing(error);
      expect(await outcomeOf(request(argv, more))).toMatchObject({ ok: false, error: { code, stage } });
      await alone();
      expect(batches).toEqual([]);
    });

    it('tells a start once, not before the call has returned or else before anything else is told', async () => {
      const order: string[] = [];
      harness.kernel.exits$.subscribe(({ exits }) => order.push(...exits.map(() => 'exit')));
      harness.kernel.spawn(request(harness.argv('succeeds')), (outcome) => order.push(outcome.ok ? 'began' : 'failed'));
      await alone();
      expect(order).toEqual(['began', 'exit']);
    });

    it('tells a start that is cancelled once: as failed with ECANCELED and without an exit, or as begun', async () => {
      const order: string[] = [];
      harness.kernel.exits$.subscribe(({ exits }) => order.push(...exits.map(() => 'exit')));
      const cancel = harness.kernel.spawn(request(harness.argv('succeeds')), (outcome) =>
        order.push(outcome.ok ? 'began' : outcome.error.code),
      );
      cancel();
      cancel();
      const atOnce = [...order];
      await alone();
      await harness.until(() => order.length > 0);
      expect(atOnce).toEqual([]);
      expect([['ECANCELED'], ['began', 'exit']]).toContainEqual(order);
    });

    it('does nothing where a start is cancelled after it was told', async () => {
      let cancel = (): void => undefined;
      const outcome = await toldBy<SpawnOutcome>((told) => {
        cancel = harness.kernel.spawn(request(harness.argv('exits 3')), (verdict) => {
          cancel();
          told(verdict);
        });
      });
      cancel();
      const pid = outcome.ok ? outcome.pid : 0;
      await harness.until(ended(pid));
      expect(exitOf(pid)?.status).toEqual({ kind: 'exited', code: 3 });
      const failures: SpawnOutcome[] = [];
      const { argv, ...more } = harness.failing('no format');
      const cancelFailed = harness.kernel.spawn(request(argv, more), (failure) => failures.push(failure));
      await harness.until(() => failures.length > 0);
      cancelFailed();
      await alone();
      expect(failures).toMatchObject([{ ok: false, error: { code: 'ENOEXEC' } }]);
    });

    it('keeps an exit for a caller that listens when it is told of the start, and that is slow', async () => {
      let seen = false;
      await spawn('succeeds', {}, ({ pid }) => {
        harness.awaitEndSilently(pid);
        harness.kernel.exits$.subscribe(({ exits }) => {
          seen ||= exits.some((exit) => exit.pid === pid);
        });
      });
      await harness.until(() => seen);
    });

    it('loses none of 500 exits whose signals coalesce', async () => {
      const begun: Promise<Begun>[] = [];
      for (let i = 0; i < 500; i++) begun.push(spawn('hangs', { stdout: 'inherit', stderr: 'inherit' }));
      const pids = (await Promise.all(begun)).map(({ pid }) => pid);
      harness.kernel.signalAll('SIGKILL');
      const reaped = (): number => batches.reduce((sum, { exits }) => sum + exits.length, 0);
      await harness.until(() => reaped() >= 500);
      expect(reaped()).toBe(500);
      expect(new Set(batches.flatMap(({ exits }) => exits.map(({ pid }) => pid)))).toEqual(new Set(pids));
      expect(batches.length).toBeLessThan(500);
    });

    it('says once that no child is left, after the exits', async () => {
      const order: string[] = [];
      harness.kernel.exits$.subscribe(({ exits }) => order.push(...exits.map(() => 'exit')));
      harness.kernel.childrenGone$.subscribe(() => order.push('gone'));
      const [, { pid }] = await Promise.all([spawn('succeeds'), spawn('hangs')]);
      harness.kernel.watchChildren();
      harness.kernel.watchChildren();
      await signal(pid, 'SIGKILL', 'process');
      await harness.until(() => order.includes('gone'));
      expect(order).toEqual(['exit', 'exit', 'gone']);
      const last = await spawn('ends after 50 ms');
      await harness.until(ended(last.pid));
      // Nobody has asked since.
      expect(order).toEqual(['exit', 'exit', 'gone', 'exit']);
      await alone();
      expect(order).toEqual(['exit', 'exit', 'gone', 'exit', 'gone']);
    });

    it('signals one process', async () => {
      const { pid } = await spawn('hangs');
      expect(await signal(pid, 'SIGUSR1', 'process')).toBe('sent');
      await harness.until(ended(pid));
      expect(exitOf(pid)?.status).toMatchObject({ signal: 'SIGUSR1' });
    });

    it('signals a whole process group', async () => {
      const { pid, read } = await spawnReading('hangs with a child');
      await harness.until(() => read.text.includes('forked'));
      expect(await signal(pid, 'SIGTERM', 'group')).toBe('sent');
      // The pipe closes only when the child is gone too.
      await harness.until(() => read.closed && exitOf(pid) !== undefined);
    });

    it('signals through a program that ignores SIGTERM with SIGKILL', async () => {
      const { pid, read } = await spawnReading('ignores SIGTERM');
      await harness.until(() => read.text !== '');
      expect(await signal(pid, 'SIGTERM', 'process')).toBe('sent');
      expect(await signal(pid, 'SIGKILL', 'group')).toBe('sent');
      await harness.until(ended(pid));
      expect(exitOf(pid)?.status).toMatchObject({ signal: 'SIGKILL' });
    });

    it('tells a vanished process from a live one', async () => {
      const { pid } = await spawn('succeeds');
      await harness.until(ended(pid));
      expect(await signal(pid, 'SIGTERM', 'process')).toBe('vanished');
      expect(await signal(pid, 'SIGTERM', 'group')).toBe('vanished');
    });

    it('adopts orphans and tells their exits', async () => {
      const { pid } = await spawn('leaves a daemon');
      await harness.until(ended(pid));
      let gone = false;
      harness.kernel.childrenGone$.subscribe(() => {
        gone = true;
      });
      harness.kernel.watchChildren();
      const other = await spawn('ends after 50 ms');
      await harness.until(ended(other.pid));
      expect(gone).toBe(false);
      harness.kernel.signalAll('SIGTERM');
      await harness.until(() => gone);
      const [orphan] = batches
        .flatMap(({ exits }) => exits)
        .filter((exit) => exit.pid !== pid && exit.pid !== other.pid);
      expect(orphan?.status).toMatchObject({ signal: 'SIGTERM' });
    });

    it('emits what a process wrote before its exit', async () => {
      const order: string[] = [];
      harness.kernel.exits$.subscribe(() => order.push('exit'));
      const { pid } = await spawn('prints to both', {}, ({ stdout, stderr }) => {
        stdout.subscribe((chunk) => order.push(`stdout ${decoder.decode(chunk)}`));
        stderr.subscribe((chunk) => order.push(`stderr ${decoder.decode(chunk)}`));
      });
      await harness.until(ended(pid));
      expect(order.at(-1)).toBe('exit');
      expect(order.slice(0, -1).sort()).toEqual(['stderr err\n', 'stdout out\n']);
    });

    it('keeps a pipe open that a grandchild holds, and the exit does not wait for it', async () => {
      const { pid, read } = await spawnReading('leaves a writer');
      await harness.until(ended(pid));
      expect(read).toEqual({ text: 'early\n', closed: false });
      await harness.until(() => read.closed);
      expect(read.text).toBe('early\nlate\n');
    });

    it('looks up live processes, and tells those that are dead', async () => {
      const { pid } = await spawn('hangs');
      expect(harness.kernel.following.lookUp(pid)).toMatchObject({
        pid,
        parent: harness.kernel.pid,
        group: pid,
        uid: harness.kernel.following.uid,
      });
      harness.kernel.signal(pid, 'SIGKILL', 'process');
      await harness.until(ended(pid));
      expect(harness.kernel.following.lookUp(pid)).toBeUndefined();
    });

    it('tells the account of a process, and which processes are its own', async () => {
      const { following } = harness.kernel;
      const { pid } = await spawn('hangs', harness.otherAccount === undefined ? {} : { account: harness.otherAccount });
      expect(following.lookUp(pid)?.uid).toBe(harness.otherAccount?.uid ?? following.uid);
      expect(following.isOwn(pid)).toBe(false);
      expect(following.isOwn(harness.kernel.pid)).toBe(true);
    });

    it('tells the end of a process that it watches, once, also of one that is dead already', async () => {
      const { pid } = await spawn('hangs');
      const told: string[] = [];
      const statuses: ExitStatus[] = [];
      const watch = (name: string): Subscription =>
        harness.kernel.following.watchEnd(pid).subscribe({
          next: (status) => {
            told.push(`${name} ended`);
            statuses.push(status);
          },
          complete: () => told.push(`${name} complete`),
        });
      watch('live');
      const given = watch('given up');
      expect(told).toEqual([]);
      given.unsubscribe();
      harness.kernel.signal(pid, 'SIGKILL', 'process');
      await harness.until(() => told.length === 2 && ended(pid)());
      watch('dead');
      await harness.until(() => told.length === 4);
      expect(told).toEqual(['live ended', 'live complete', 'dead ended', 'dead complete']);
      expect(statuses).toEqual([toldElsewhere({ kind: 'signaled', signal: 'SIGKILL', coreDumped: false }), unknown]);
    });

    it('tells the end of its own child as an exit first', async () => {
      const order: string[] = [];
      harness.kernel.exits$.subscribe(() => order.push('exit'));
      await spawn('ends after 50 ms', {}, ({ pid }) =>
        harness.kernel.following.watchEnd(pid).subscribe(() => order.push('end')),
      );
      await harness.until(() => order.length === 2);
      expect(order).toEqual(['exit', 'end']);
    });

    it.each([
      ['that exits', 'has a child that exits 3', undefined, { kind: 'exited', code: 3 }],
      ['that is killed', 'hangs with a child', 'SIGKILL', { kind: 'signaled', signal: 'SIGKILL', coreDumped: false }],
      [
        'that ends by itself',
        'hangs with a child',
        'SIGTERM',
        { kind: 'signaled', signal: 'SIGTERM', coreDumped: false },
      ],
      ['whose parent reaps late', 'reaps its child late', undefined, { kind: 'exited', code: 3 }],
      ['whose parent never reaps', 'never reaps its child', undefined, unknown],
    ] as const)('tells how a child of somebody else %s has ended', async (_how, program, sent, status) => {
      const { following } = harness.kernel;
      const { pid } = await spawn(program);
      const group = following.trackGroup(pid);
      const childOf = () => group.members().find((member) => following.lookUp(member.pid)?.parent === pid)?.pid;
      await harness.until(() => childOf() !== undefined);
      const child = childOf() ?? 0;
      const told: ExitStatus[] = [];
      following.watchEnd(child).subscribe((end) => told.push(end));
      if (sent !== undefined) expect(await signal(child, sent, 'process')).toBe('sent');
      await harness.until(() => told.length > 0);
      expect(told).toEqual([toldElsewhere(status)]);
      expect(following.lookUp(child)).toBeUndefined();
      expect(exitOf(child)).toBeUndefined();
    });

    it('compares when processes began', async () => {
      const { following } = harness.kernel;
      const first = await spawn('hangs');
      const between = await spawn('ends after 50 ms');
      await harness.until(ended(between.pid));
      const second = await spawn('hangs');
      const began = (pid: number): number => following.lookUp(pid)?.began ?? Number.NaN;
      expect(began(second.pid)).toBeGreaterThan(began(first.pid));
      expect(began(first.pid)).toBe(began(first.pid));
    });

    it.each([
      ['exits', 'SIGUSR1', { kind: 'exited', code: 0 }],
      ['dies', 'SIGKILL', { kind: 'signaled', signal: 'SIGKILL' }],
    ] as const)('tells that a leader %s and leaves its group, whose members it knows', async (_how, sent, status) => {
      const { following } = harness.kernel;
      const { pid, read } = await spawnReading('exits on SIGUSR1 without its child');
      const group = following.trackGroup(pid);
      const neighbour = await spawn('hangs with a child');
      expect(group.members()).toContainEqual(expect.objectContaining({ pid, group: pid }));
      await harness.until(() => read.text !== '');
      expect(group.members()).toHaveLength(2);
      expect(await signal(pid, sent, 'process')).toBe('sent');
      await harness.until(ended(pid));
      expect(exitOf(pid)).toMatchObject({ status, leavesGroup: true });
      group.startEnded();
      const [worker, ...others] = group.members();
      expect(worker).toMatchObject({ group: pid });
      expect(others).toEqual([]);
      const workerPid = worker?.pid ?? 0;
      expect(worker?.began).toBe(following.lookUp(workerPid)?.began);
      await harness.until(ended((await spawn('ends after 50 ms')).pid));
      expect(group.members()).toEqual([expect.objectContaining({ pid: workerPid })]);
      expect(await signal(workerPid, 'SIGKILL', 'process')).toBe('sent');
      await harness.until(() => group.members().length === 0);
      await harness.until(ended(workerPid));
      expect(exitOf(workerPid)).toMatchObject({ leavesGroup: false });
      expect(following.lookUp(neighbour.pid)).toBeDefined();
      group.forget();
    });

    it('tells that a leader leaves nobody in its group', async () => {
      const neighbour = await spawn('hangs');
      const groups: ProcessTree[] = [];
      const { pid } = await spawn('succeeds', {}, (begun) =>
        groups.push(harness.kernel.following.trackGroup(begun.pid)),
      );
      await harness.until(ended(pid));
      expect(exitOf(pid)?.leavesGroup).toBe(false);
      for (const group of groups) group.startEnded();
      expect(groups.map((group) => group.members())).toEqual([[]]);
      expect(harness.kernel.following.lookUp(neighbour.pid)).toBeDefined();
    });

    it('does not count who is dead, and who was reaped together with the leader', async () => {
      const { following } = harness.kernel;
      const left = await spawn('leaves a zombie');
      const { pid } = await spawn('hangs with a child');
      const group = following.trackGroup(pid);
      await harness.until(() => group.members().length === 2 && exitOf(left.pid) !== undefined);
      expect(exitOf(left.pid)?.leavesGroup).toBe(false);
      expect(await signal(pid, 'SIGKILL', 'group')).toBe('sent');
      for (const member of group.members()) harness.awaitEndSilently(member.pid);
      await harness.until(ended(pid));
      expect(exitOf(pid)?.leavesGroup).toBe(false);
      expect(group.members()).toEqual([]);
    });

    it('sees at once what it has started, also where it has looked in the same turn', async () => {
      const { following } = harness.kernel;
      const seen = new Map<number, readonly number[]>();
      const begun: Promise<Begun>[] = [];
      for (let i = 0; i < 3; i++)
        begun.push(
          spawn('hangs', {}, ({ pid }) => {
            const members = following.trackGroup(pid).members();
            seen.set(
              pid,
              members.map((member) => member.pid),
            );
          }),
        );
      const pids = (await Promise.all(begun)).map(({ pid }) => pid);
      expect(seen).toEqual(new Map(pids.map((pid) => [pid, [pid]])));
      expect(new Set(pids).size).toBe(3);
    });

    it('knows what a start has left behind, until that has ended', async () => {
      const { following } = harness.kernel;
      const invocation = following.newInvocation();
      const trees: ProcessTree[] = [];
      const { pid } = await spawn('leaves a daemon', {}, (begun) =>
        trees.push(following.track(begun.pid, invocation, true)),
      );
      const [tree] = trees;
      if (tree === undefined) throw new Error('the start is not tracked');
      const stranger = await spawn('hangs');
      await harness.until(ended(pid));
      tree.startEnded();
      const [daemon, ...others] = tree.members();
      expect(others).toEqual([]);
      expect(daemon?.pid).not.toBe(stranger.pid);
      const daemonPid = daemon?.pid ?? 0;
      expect([pid, daemonPid, stranger.pid].map((each) => following.invocationOf(each))).toEqual([
        undefined,
        invocation,
        undefined,
      ]);
      // What was reaped since the last look is not looked up in what was seen then, also where both are in one turn.
      const members: (readonly unknown[])[] = [];
      harness.kernel.exits$.subscribe(() => members.push(tree.members()));
      harness.kernel.signal(daemonPid, 'SIGKILL', 'process');
      // A kernel may gather the signals of a turn.
      await Promise.resolve();
      harness.awaitEndSilently(daemonPid);
      await harness.until(ended(daemonPid));
      expect(members).toEqual([[]]);
      expect(following.lookUp(stranger.pid)).toBeDefined();
      tree.forget();
      expect(following.invocationOf(stranger.pid)).toBeUndefined();
    });

    it('counts the daemons of a start by a variable of its environment', async () => {
      const { following } = harness.kernel;
      const environment = { PATH: '/usr/bin:/bin', WHOSE: 'mine' };
      const strangers = [
        await spawn('hangs', { environment }),
        await spawn('leaves a daemon', { environment: { ...environment, WHOSE: 'others' } }),
      ];
      const { pid } = await spawn('leaves a daemon', { environment });
      expect(following.daemonsOf('WHOSE=nobody')).toEqual([]);
      await harness.until(ended(pid));
      await harness.until(ended(strangers[1]?.pid ?? 0));
      const found = () => ['WHOSE=mine', 'WHOSE=others'].map((each) => following.daemonsOf(each));
      // A child of a start becomes a daemon by what it does itself, which may take a moment longer than its parent.
      await harness.until(() => found().every(({ length }) => length === 1));
      const [mine, others] = found();
      expect([pid, ...strangers.map((stranger) => stranger.pid), ...(others ?? [])]).not.toContain(mine?.[0]);
      expect(following.daemonsOf('WHOSE')).toEqual([]);
      harness.kernel.signalAll('SIGKILL');
      await alone();
      expect(following.daemonsOf('WHOSE=mine')).toEqual([]);
    });

    it.each(['its tree', 'its group'])('knows %s, where a start has ended before it is told', async (what) => {
      const { following } = harness.kernel;
      const trees: ProcessTree[] = [];
      const { pid } = await spawn('leaves a child', {}, (begun) => {
        harness.awaitEndSilently(begun.pid);
        trees.push(what === 'its tree' ? following.track(begun.pid, 'x', true) : following.trackGroup(begun.pid));
      });
      await harness.until(ended(pid));
      expect(exitOf(pid)?.leavesGroup).toBe(true);
      for (const tree of trees) tree.startEnded();
      expect(trees.map((tree) => tree.members())).toEqual([[expect.objectContaining({ group: pid })]]);
      for (const tree of trees) tree.forget();
    });

    it('tells what a server answers, by its path, and that nobody is there', async () => {
      const { socket, kernel } = harness;
      const ask = (question: ServerQuestion) => toldBy<ServerAnswer>((told) => kernel.ask(question, told));
      const connect = { kind: 'connect', to: { path: socket } } as const;
      const request = { kind: 'request', url: 'http://localhost/x', headers: { A: 'b' }, unix: socket } as const;
      expect(await ask(connect)).toEqual({ kind: 'failed', code: 'ENOENT' });
      const { read } = await spawnReading('serves');
      await harness.until(() => read.text.includes('serves'));
      expect(await ask(connect)).toEqual({ kind: 'accepted' });
      expect(await ask({ ...request, wantsBody: false })).toEqual({ kind: 'answered', status: 503, body: '' });
      expect(await ask({ ...request, wantsBody: true })).toEqual({
        kind: 'answered',
        status: 503,
        body: 'out of order',
      });
    });

    it('tells that nobody listens at a port', async () => {
      const port = await harness.freePort();
      const ask = (question: ServerQuestion) => toldBy<ServerAnswer>((told) => harness.kernel.ask(question, told));
      const refused = { kind: 'failed', code: 'ECONNREFUSED' };
      expect(await ask({ kind: 'connect', to: { host: 'localhost', port } })).toEqual(refused);
      const url = `http://localhost:${port}/`;
      expect(await ask({ kind: 'request', url, headers: {}, wantsBody: true })).toEqual(refused);
    });

    it('waits for a server that never answers until it is cancelled, and then tells nothing', async () => {
      const { socket, kernel } = harness;
      const { read } = await spawnReading('serves and is silent');
      await harness.until(() => read.text.includes('serves'));
      expect(await toldBy<ServerAnswer>((told) => kernel.ask({ kind: 'connect', to: { path: socket } }, told))).toEqual(
        {
          kind: 'accepted',
        },
      );
      const told: ServerAnswer[] = [];
      const question = {
        kind: 'request',
        url: 'http://localhost/',
        headers: {},
        unix: socket,
        wantsBody: true,
      } as const;
      const cancels = [1, 2].map(() => kernel.ask(question, (answer) => told.push(answer)));
      const { pid } = await spawn('ends after 50 ms');
      await harness.until(ended(pid));
      for (const cancel of cancels) cancel();
      const { pid: later } = await spawn('ends after 50 ms');
      await harness.until(ended(later));
      expect(told).toEqual([]);
    });

    it('reads what is written to a further descriptor, and tells its end', async () => {
      const read = { text: '', closed: false };
      await spawn('writes to descriptor 5', { pipes: [4, 5] }, ({ pipes }) =>
        pipes[1]?.subscribe({
          next: (chunk) => {
            read.text += decoder.decode(chunk);
          },
          complete: () => {
            read.closed = true;
          },
        }),
      );
      await harness.until(() => read.closed);
      expect(read.text).toBe('ready\n');
    });

    it('tells a file that has changed from one that has not', async () => {
      const { following } = harness.kernel;
      following.removePidfile(harness.pidfile);
      expect(following.stampOf(harness.pidfile)).toBeUndefined();
      await spawn('writes its pid');
      await harness.until(() => following.stampOf(harness.pidfile) !== undefined);
      const first = following.stampOf(harness.pidfile);
      expect(following.stampOf(harness.pidfile)).toBe(first);
      following.removePidfile(harness.pidfile);
      await spawn('writes its pid');
      await harness.until(() => following.stampOf(harness.pidfile) !== undefined);
      expect(following.stampOf(harness.pidfile)).not.toBe(first);
      following.removePidfile(harness.pidfile);
    });

    it('reads a pidfile, tells one writing from the next, and removes it', async () => {
      const { following } = harness.kernel;
      expect(following.readPidfile(harness.pidfile)).toBeUndefined();
      expect(following.removePidfile(harness.pidfile)).toBeUndefined();
      const first = await spawn('writes its pid');
      await harness.until(() => following.readPidfile(harness.pidfile)?.text.trim() === String(first.pid));
      const stamp = following.readPidfile(harness.pidfile)?.stamp;
      expect(following.readPidfile(harness.pidfile)?.stamp).toBe(stamp);
      const second = await spawn('writes its pid');
      await harness.until(() => following.readPidfile(harness.pidfile)?.text.trim() === String(second.pid));
      expect(following.readPidfile(harness.pidfile)?.stamp).not.toBe(stamp);
      expect(following.readPidfile(harness.pidfile)?.byRoot).toBe(following.uid === 0);
      expect(following.removePidfile(harness.pidfile)).toBeUndefined();
      expect(following.readPidfile(harness.pidfile)).toBeUndefined();
    });

    it('hears what is sent to a notify socket, and by whom, until it is closed', async () => {
      const socket = harness.kernel.notifying.openSocket('web.service');
      const heard: string[] = [];
      let complete = false;
      socket.datagrams$.subscribe({
        next: ({ bytes, sender }) => heard.push(`${decoder.decode(bytes)} from ${sender?.pid} of ${sender?.uid}`),
        complete: () => {
          complete = true;
        },
      });
      const environment = { PATH: '/usr/bin:/bin', NOTIFY_SOCKET: socket.path };
      const { pid } = await spawn('notifies', { environment });
      await harness.until(() => heard.length > 0);
      expect(heard).toEqual([`READY=1 from ${pid} of ${harness.kernel.following.uid}`]);
      if (harness.otherAccount !== undefined) {
        const other = await spawn('notifies', { environment, account: harness.otherAccount });
        await harness.until(() => heard.length > 1);
        expect(heard.splice(1)).toEqual([`READY=1 from ${other.pid} of ${harness.otherAccount.uid}`]);
      }
      socket.close();
      socket.close();
      expect(complete).toBe(true);
      const late = await spawn('notifies', { environment });
      await harness.until(ended(late.pid));
      expect(heard).toHaveLength(1);
    });

    describe('listening', () => {
      let listeners: Listener[];
      let taken: Connection[];

      beforeEach(() => {
        listeners = [];
        taken = [];
      });

      afterEach(() => {
        for (const listener of listeners) listener.close();
      });

      const listen = (port: number): Listener => {
        const outcome = harness.kernel.listen(port);
        if (!outcome.ok) throw new Error(`cannot listen on port ${port}: ${outcome.code}`);
        listeners.push(outcome.listener);
        outcome.listener.connections$.subscribe((connection) => taken.push(connection));
        return outcome.listener;
      };

      it('takes clients, and tells where they are', async () => {
        const port = await harness.freePort();
        listen(port);
        const clients = [harness.connect(port), harness.connect(port)];
        await harness.until(() => taken.length === 2);
        expect(taken.map(({ address }) => address)).toEqual(['127.0.0.1', '127.0.0.1']);
        expect(new Set(taken.map(({ id }) => id)).size).toBe(2);
        expect(clients.map((client) => client.ended())).toEqual([false, false]);
      });

      it('hands a client to a program as its standard streams, and hangs up with its end', async () => {
        const port = await harness.freePort();
        listen(port);
        const client = harness.connect(port);
        await harness.until(() => taken.length === 1);
        const [connection] = taken;
        if (connection === undefined) throw new Error('no client');
        const { pid } = await spawn('prints to both', { connection, stderr: 'stdout' });
        harness.kernel.closeConnection(connection);
        await harness.until(() => client.ended());
        expect(client.text()).toBe('out\nerr\n');
        await harness.until(ended(pid));
        harness.kernel.closeConnection(connection);
      });

      it('hands a client to a program whose errors go elsewhere', async () => {
        const port = await harness.freePort();
        listen(port);
        const client = harness.connect(port);
        await harness.until(() => taken.length === 1);
        const [connection] = taken;
        if (connection === undefined) throw new Error('no client');
        let errors = '';
        const { pid } = await spawn('prints to both', { connection, stderr: 'pipe' }, ({ stdout, stderr }) => {
          stdout.subscribe(() => expect.unreachable('the client gets it'));
          stderr.subscribe((chunk) => {
            errors += decoder.decode(chunk);
          });
        });
        harness.kernel.closeConnection(connection);
        await harness.until(ended(pid));
        await harness.until(() => client.ended());
        expect([client.text(), errors]).toEqual(['out\n', 'err\n']);
      });

      it('lets clients wait while it is paused', async () => {
        const port = await harness.freePort();
        const listener = listen(port);
        listener.pause();
        harness.connect(port);
        harness.connect(port);
        const { pid } = await spawn('ends after 50 ms');
        await harness.until(ended(pid));
        expect(taken).toEqual([]);
        listener.resume();
        await harness.until(() => taken.length === 2);
      });

      it('takes no client any more once one of them has paused it', async () => {
        const port = await harness.freePort();
        const listener = listen(port);
        listener.connections$.subscribe(() => listener.pause());
        harness.connect(port);
        harness.connect(port);
        await harness.until(() => taken.length === 1);
        const { pid } = await spawn('ends after 50 ms');
        await harness.until(ended(pid));
        expect(taken).toHaveLength(1);
      });

      it('says that a port is busy, and what it tried', async () => {
        const port = await harness.freePort();
        listen(port);
        const outcome = harness.kernel.listen(port);
        expect(outcome).toMatchObject({ ok: false, code: 'EADDRINUSE' });
        expect(outcome.ok ? [] : outcome.tried).toHaveLength(1);
      });

      it('closes the port, and the clients that nobody has taken over', async () => {
        const port = await harness.freePort();
        const listener = listen(port);
        const client = harness.connect(port);
        await harness.until(() => taken.length === 1);
        listener.close();
        listener.close();
        await harness.until(() => client.ended());
        listen(port);
      });
    });

    it('runs timers in order, not before their time, and not once they are cleared', async () => {
      const start = harness.clock.now();
      const realStart = harness.clock.realTime();
      const fired: string[] = [];
      let last = 0;
      harness.clock.setTimeout(() => fired.push('30'), 30);
      harness.clock.setTimeout(() => fired.push('10'), 10);
      const cleared = harness.clock.setTimeout(() => fired.push('cleared'), 15);
      harness.clock.setTimeout(() => fired.push('0'), 0);
      harness.clock.setTimeout(() => {
        last = harness.clock.now();
        fired.push('40');
      }, 40);
      harness.clock.clearTimeout(cleared);
      await harness.until(() => fired.includes('40'));
      expect(fired).toEqual(['0', '10', '30', '40']);
      expect(last - start).toBeGreaterThanOrEqual(40);
      expect(harness.clock.realTime() - realStart).toBeGreaterThanOrEqual(40);
    });

    it('writes lines to a file that it makes, in order', async () => {
      const path = harness.newPath('logs/today.log');
      const sink = harness.kernel.fileSink({ path, overwrite: false }, () => undefined);
      let written = 0;
      const count = (): void => {
        written += 1;
      };
      sink.write(new TextEncoder().encode('one\ntwo\n'), () => {
        count();
        sink.write(new TextEncoder().encode('three\n'), count);
      });
      await harness.until(() => written === 2);
      expect(harness.read(path)).toBe('one\ntwo\nthree\n');
    });

    it('makes a file at once where that is asked for, unless its name changes with time', async () => {
      const [fixed, dated] = [harness.newPath('logs/100%%.log'), harness.newPath('logs/%Y.log')];
      for (const path of [fixed, dated]) {
        const sink = harness.kernel.fileSink({ path, overwrite: false }, () => undefined);
        expect(sink.open()).toBeUndefined();
      }
      const [made, missing] = [fixed.replace('%%', '%'), dated.replace('%Y', String(new Date().getFullYear()))];
      expect([harness.exists(made), harness.read(made), harness.exists(missing)]).toEqual([true, '', false]);
    });

    it('emits the datagrams of a log socket in order, also those that were sent before anybody listened', async () => {
      const path = harness.newPath('log');
      const socket = harness.kernel.openLogSocket(path, () => false);
      if (!socket.ok) throw new Error(socket.code);
      const texts: string[] = [];
      if (harness.early) expect(harness.sendLog(path, 'early')).toBe(true);
      socket.datagrams$.subscribe((datagrams) =>
        texts.push(
          ...datagrams.map(({ content }) => (typeof content === 'string' ? content : decoder.decode(content))),
        ),
      );
      if (!harness.early) harness.sendLog(path, 'early');
      await harness.until(() => texts.length === 1);
      for (const text of ['<13>one', '', 'x'.repeat(10_000)]) harness.sendLog(path, text);
      await harness.until(() => texts.length === 4);
      expect(texts).toEqual(['early', '<13>one', '', 'x'.repeat(10_000)]);
      socket.close();
      expect(harness.sendLog(path, 'late')).toBe(false);
      socket.close();
    });

    it('tells who has sent a datagram to a log socket', async () => {
      const path = harness.newPath('log');
      const socket = harness.kernel.openLogSocket(path, () => false);
      if (!socket.ok) throw new Error(socket.code);
      const senders: (LogSender | undefined)[] = [];
      socket.datagrams$.subscribe((datagrams) => senders.push(...datagrams.map(({ sender }) => sender)));
      const uid = harness.kernel.following.uid;
      const own = { pid: harness.ownPid, uid };
      harness.sendLog(path, '<13>app: text', own);
      await harness.until(() => senders.length === 1);
      expect(senders).toEqual([own]);
      expect(harness.kernel.following.isOwn(harness.ownPid)).toBe(true);
      expect(harness.kernel.following.isOwn(harness.kernel.pid)).toBe(true);
      expect(harness.kernel.following.isOwn(harness.ownPid + 1_000_000)).toBe(false);
      socket.close();
    });

    it('makes the senders to a log socket wait as long as it is told to hold on', async () => {
      const path = harness.newPath('log');
      let holds = true;
      let asked = 0;
      const socket = harness.kernel.openLogSocket(path, () => {
        asked += 1;
        return holds;
      });
      if (!socket.ok) throw new Error(socket.code);
      const received: LogDatagram[] = [];
      socket.datagrams$.subscribe((datagrams) => received.push(...datagrams));
      harness.sendLog(path, '<13>app: text');
      if (harness.early) {
        await harness.until(() => asked > 3);
        expect(received).toEqual([]);
      }
      holds = false;
      await harness.until(() => received.length === 1);
      socket.close();
    });

    it('reads values in a later turn, and tells them in the order in which they were asked for', async () => {
      const { file, folder, missing } = harness.values;
      let told: readonly FileResult[] | undefined;
      const asked: readonly FileRequest[] = [
        { kind: 'folder', path: folder },
        { kind: 'file', path: missing },
        { kind: 'file', path: file },
        { kind: 'place', path: file },
        { kind: 'place', path: missing },
      ];
      harness.kernel.readValues(asked, (results) => {
        told = results;
      });
      expect(told).toBeUndefined();
      await harness.until(() => told !== undefined);
      expect(told).toEqual([
        { ok: true, texts: [['B', '2']] },
        { ok: false, code: 'ENOENT' },
        { ok: true, texts: [['', 'A=1']] },
        { ok: true, texts: [] },
        { ok: false, code: 'ENOENT' },
      ]);
    });

    it('defers something to the end of the turn', async () => {
      const order: string[] = [];
      harness.kernel.defer(() => order.push('deferred'));
      order.push('turn');
      await harness.until(() => order.length === 2);
      expect(order).toEqual(['turn', 'deferred']);
    });
  });
}
