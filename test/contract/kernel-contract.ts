import type { Subscription } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Connection } from '../../src/model/scheduling.ts';
import type { Clock, ExitBatch, Kernel, Listener, SpawnOutcome, SpawnRequest } from '../../src/runtime/kernel.ts';

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
  | 'hangs with a child'
  | 'ends after 50 ms'
  | 'writes its pid'
  | 'notifies';

export type SpawnErrorName = 'missing' | 'denied' | 'no directory' | 'no format' | 'too long';

export interface Harness {
  readonly kernel: Kernel;
  readonly clock: Clock;
  argv(program: ProgramName): readonly string[];
  /** Where 'writes its pid' writes, before it hangs. */
  readonly pidfile: string;
  failing(error: SpawnErrorName): Partial<SpawnRequest> & Pick<SpawnRequest, 'argv'>;
  /** Lets time pass until the condition holds. Rejects when it never does. */
  until(condition: () => boolean): Promise<void>;
  /** Blocks until the process has ended, without letting the kernel tell. */
  awaitEndSilently(pid: number): void;
  /** A port that nobody listens on. */
  freePort(): Promise<number>;
  connect(port: number): Client;
  /** A file's path that nothing stands at. */
  newPath(name: string): string;
  /** The text of a file; '' where there is none. */
  read(path: string): string;
  /** What is sent before anybody listens is kept. */
  readonly early: boolean;
  /** Sends one datagram as a program would; returns false where nobody would get it. */
  sendLog(path: string, text: string): boolean;
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
    const spawn = (program: ProgramName, more: Partial<SpawnRequest> = {}): SpawnOutcome & { ok: true } => {
      const outcome = harness.kernel.spawn(request(harness.argv(program), more));
      if (!outcome.ok) throw new Error(`cannot spawn "${program}": ${outcome.error.code} at ${outcome.error.stage}`);
      return outcome;
    };
    const exitOf = (pid: number) => batches.flatMap(({ exits }) => exits).find((exit) => exit.pid === pid);
    const ended = (pid: number) => (): boolean => exitOf(pid) !== undefined;

    it('spawns a program and tells its exit status', async () => {
      const { pid } = spawn('exits 3');
      expect(pid).toBeGreaterThan(1);
      await harness.until(ended(pid));
      expect(exitOf(pid)?.status).toEqual({ kind: 'exited', code: 3 });
    });

    it('tells the signal that ended a program', async () => {
      const { pid } = spawn('dies of SIGTERM');
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
      let gone = false;
      harness.kernel.childrenGone$.subscribe(() => {
        gone = true;
      });
      const { argv, ...more } = harness.failing(error);
      const outcome = harness.kernel.spawn(request(argv, more));
      expect(outcome).toMatchObject({ ok: false, error: { code, stage } });
      await harness.until(() => gone);
      expect(batches).toEqual([]);
    });

    it('keeps an exit for a caller that listens later in the same turn', async () => {
      const { pid } = spawn('succeeds');
      harness.awaitEndSilently(pid);
      let seen = false;
      harness.kernel.exits$.subscribe(({ exits }) => {
        seen ||= exits.some((exit) => exit.pid === pid);
      });
      await harness.until(() => seen);
    });

    it('loses none of 500 exits whose signals coalesce', async () => {
      const pids = Array.from({ length: 500 }, () => spawn('succeeds', { stdout: 'inherit', stderr: 'inherit' }).pid);
      for (const pid of pids) harness.awaitEndSilently(pid);
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
      spawn('succeeds');
      spawn('ends after 50 ms');
      expect(harness.kernel.hasChildren()).toBe(true);
      await harness.until(() => order.includes('gone'));
      expect(order).toEqual(['exit', 'exit', 'gone']);
      expect(harness.kernel.hasChildren()).toBe(false);
    });

    it('signals one process', async () => {
      const { pid } = spawn('hangs');
      expect(harness.kernel.signal(pid, 'SIGUSR1', 'process')).toBe('sent');
      await harness.until(ended(pid));
      expect(exitOf(pid)?.status).toMatchObject({ signal: 'SIGUSR1' });
    });

    it('signals a whole process group', async () => {
      const { pid, stdout } = spawn('hangs with a child');
      let closed = false;
      let text = '';
      stdout.subscribe({
        next: (chunk) => {
          text += decoder.decode(chunk);
        },
        complete: () => {
          closed = true;
        },
      });
      await harness.until(() => text.includes('forked'));
      expect(harness.kernel.signal(pid, 'SIGTERM', 'group')).toBe('sent');
      // The pipe closes only when the child is gone too.
      await harness.until(() => closed && exitOf(pid) !== undefined);
    });

    it('signals through a program that ignores SIGTERM with SIGKILL', async () => {
      const { pid, stdout } = spawn('ignores SIGTERM');
      let ready = false;
      stdout.subscribe(() => {
        ready = true;
      });
      await harness.until(() => ready);
      expect(harness.kernel.signal(pid, 'SIGTERM', 'process')).toBe('sent');
      expect(harness.kernel.signal(pid, 'SIGKILL', 'group')).toBe('sent');
      await harness.until(ended(pid));
      expect(exitOf(pid)?.status).toMatchObject({ signal: 'SIGKILL' });
    });

    it('tells a vanished process from a live one', async () => {
      const { pid } = spawn('succeeds');
      await harness.until(ended(pid));
      expect(harness.kernel.signal(pid, 'SIGTERM', 'process')).toBe('vanished');
      expect(harness.kernel.signal(pid, 'SIGTERM', 'group')).toBe('vanished');
    });

    it('adopts orphans and tells their exits', async () => {
      const { pid } = spawn('leaves a daemon');
      await harness.until(ended(pid));
      expect(harness.kernel.hasChildren()).toBe(true);
      harness.kernel.signalAll('SIGTERM');
      await harness.until(() => !harness.kernel.hasChildren());
      const [orphan] = batches.flatMap(({ exits }) => exits).filter((exit) => exit.pid !== pid);
      expect(orphan?.status).toMatchObject({ signal: 'SIGTERM' });
    });

    it('emits what a process wrote before its exit', async () => {
      const { pid, stdout, stderr } = spawn('prints to both');
      const order: string[] = [];
      stdout.subscribe((chunk) => order.push(`stdout ${decoder.decode(chunk)}`));
      stderr.subscribe((chunk) => order.push(`stderr ${decoder.decode(chunk)}`));
      harness.kernel.exits$.subscribe(() => order.push('exit'));
      await harness.until(ended(pid));
      expect(order.at(-1)).toBe('exit');
      expect(order.slice(0, -1).sort()).toEqual(['stderr err\n', 'stdout out\n']);
    });

    it('keeps a pipe open that a grandchild holds, and the exit does not wait for it', async () => {
      const { pid, stdout } = spawn('leaves a writer');
      let text = '';
      let closed = false;
      stdout.subscribe({
        next: (chunk) => {
          text += decoder.decode(chunk);
        },
        complete: () => {
          closed = true;
        },
      });
      await harness.until(ended(pid));
      expect(text).toBe('early\n');
      expect(closed).toBe(false);
      await harness.until(() => closed);
      expect(text).toBe('early\nlate\n');
    });

    it('looks up live processes, and tells those that are dead', async () => {
      const { pid } = spawn('hangs');
      expect(harness.kernel.following.lookUp(pid)).toMatchObject({
        pid,
        parent: harness.kernel.pid,
        group: pid,
        uid: harness.kernel.following.uid,
        descendant: true,
      });
      harness.kernel.signal(pid, 'SIGKILL', 'process');
      await harness.until(ended(pid));
      expect(harness.kernel.following.lookUp(pid)).toBeUndefined();
    });

    it('tells the end of a process that it watches, once, also of one that is dead already', async () => {
      const { pid } = spawn('hangs');
      const told: string[] = [];
      const watch = (name: string): Subscription =>
        harness.kernel.following.watchEnd(pid).subscribe({
          next: () => told.push(`${name} ended`),
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
    });

    it('knows what a start has left behind, until that has ended', async () => {
      const { following } = harness.kernel;
      const { pid } = spawn('leaves a daemon');
      const tree = following.track(pid, following.newInvocation(), true);
      const stranger = spawn('hangs');
      await harness.until(ended(pid));
      tree.startEnded();
      const [daemon, ...others] = tree.members();
      expect(others).toEqual([]);
      expect(daemon?.pid).not.toBe(stranger.pid);
      harness.kernel.signal(daemon?.pid ?? 0, 'SIGKILL', 'process');
      await harness.until(() => tree.members().length === 0);
      expect(following.lookUp(stranger.pid)).toBeDefined();
      tree.forget();
    });

    it('reads a pidfile, tells one writing from the next, and removes it', async () => {
      const { following } = harness.kernel;
      expect(following.readPidfile(harness.pidfile)).toBeUndefined();
      expect(following.removePidfile(harness.pidfile)).toBeUndefined();
      const first = spawn('writes its pid');
      await harness.until(() => following.readPidfile(harness.pidfile)?.text.trim() === String(first.pid));
      const stamp = following.readPidfile(harness.pidfile)?.stamp;
      expect(following.readPidfile(harness.pidfile)?.stamp).toBe(stamp);
      const second = spawn('writes its pid');
      await harness.until(() => following.readPidfile(harness.pidfile)?.text.trim() === String(second.pid));
      expect(following.readPidfile(harness.pidfile)?.stamp).not.toBe(stamp);
      expect(following.removePidfile(harness.pidfile)).toBeUndefined();
      expect(following.readPidfile(harness.pidfile)).toBeUndefined();
    });

    it('hears what is sent to a notify socket, and by whom, until it is closed', async () => {
      const socket = harness.kernel.notifying.openSocket('web.service');
      const heard: string[] = [];
      let complete = false;
      socket.datagrams$.subscribe({
        next: ({ bytes, sender }) => heard.push(`${decoder.decode(bytes)} from ${sender}`),
        complete: () => {
          complete = true;
        },
      });
      const environment = { PATH: '/usr/bin:/bin', NOTIFY_SOCKET: socket.path };
      const { pid } = spawn('notifies', { environment });
      await harness.until(() => heard.length > 0);
      expect(heard).toEqual([`READY=1 from ${pid}`]);
      socket.close();
      socket.close();
      expect(complete).toBe(true);
      const late = spawn('notifies', { environment });
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
        const { pid } = spawn('prints to both', { connection });
        harness.kernel.closeConnection(connection);
        await harness.until(() => client.ended());
        expect(client.text()).toBe('out\nerr\n');
        await harness.until(ended(pid));
        harness.kernel.closeConnection(connection);
      });

      it('lets clients wait while it is paused', async () => {
        const port = await harness.freePort();
        const listener = listen(port);
        listener.pause();
        harness.connect(port);
        harness.connect(port);
        const { pid } = spawn('ends after 50 ms');
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
        const { pid } = spawn('ends after 50 ms');
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
    });

    it('writes lines to a file that it makes, in order', async () => {
      const path = harness.newPath('logs/today.log');
      const sink = harness.kernel.fileSink({ path, overwrite: false });
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

    it('emits the datagrams of a log socket in order, also those that were sent before anybody listened', async () => {
      const path = harness.newPath('log');
      const socket = harness.kernel.openLogSocket(path, () => false);
      if (!socket.ok) throw new Error(socket.code);
      const texts: string[] = [];
      if (harness.early) expect(harness.sendLog(path, 'early')).toBe(true);
      socket.datagrams$.subscribe((datagrams) =>
        texts.push(...datagrams.map((data) => (typeof data === 'string' ? data : decoder.decode(data)))),
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

    it('defers something to the end of the turn', async () => {
      const order: string[] = [];
      harness.kernel.defer(() => order.push('deferred'));
      order.push('turn');
      await harness.until(() => order.length === 2);
      expect(order).toEqual(['turn', 'deferred']);
    });
  });
}
