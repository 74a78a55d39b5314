/** Follows processes on Linux that chaperone did not start, by /proc, pidfds and pidfiles. */
import { closeSync, constants, fstatSync, readSync, statSync } from 'node:fs';
import { Observable, type Subscriber } from 'rxjs';
import { type ExitStatus, fromWaitStatus } from '../../model/service/exit-status.ts';
import { codeOf } from '../../model/words/errno.ts';
import type { Clock, Following, PidfileText, ProcessTree, ProcessView, TimerId } from '../kernel.ts';
import type { Body } from './body.ts';
import { doNow } from './file-steps.ts';
import type { NativeEdge } from './native.ts';
import { forgetProcesses, readProcess, uidOf } from './process-table.ts';
import type { ProcessTrees } from './process-trees.ts';
import { isPutByRoot } from './root-files.ts';
import { closeFolder, openFile, removeFile } from './safe-open.ts';

/** How many bytes of a pidfile are read: a number with white space around it. */
const longestPidfile = 64;
/** ms between two looks at a process that no pidfd watches. */
const lookInterval = 250;
/**
 * ms until the kernel is asked again how a process has ended, which it tells once the parent has reaped the process.
 * The time doubles with each question, for a bit more than a second in all.
 */
const firstAsk = 5;
const longestAsk = 640;
const ESRCH = 3;

export class LinuxFollowing implements Following {
  readonly uid = process.geteuid?.() ?? 0;
  readonly #edge: NativeEdge;
  readonly #clock: Clock;
  readonly #trees: ProcessTrees;
  readonly #body: Pick<Body, 'pid' | 'catchUp'>;

  constructor(edge: NativeEdge, clock: Clock, trees: ProcessTrees, body: Pick<Body, 'pid' | 'catchUp'>) {
    this.#body = body;
    this.#edge = edge;
    this.#clock = clock;
    this.#trees = trees;
  }

  lookUp(pid: number): ProcessView | undefined {
    const entry = readProcess(pid);
    const uid = uidOf(pid);
    if (entry === undefined || uid === undefined || entry.zombie) return undefined;
    const { parent, group, startTime } = entry;
    return { pid, parent, group, uid, began: startTime };
  }

  isOwn(pid: number): boolean {
    return pid === this.#body.pid || pid === process.pid;
  }

  watchEnd(pid: number): Observable<ExitStatus> {
    return new Observable((subscriber) => {
      let fd: number;
      try {
        fd = this.#edge.openPidfd(pid);
      } catch {
        return this.#pollEnd(pid, () => this.#tell(subscriber, { kind: 'unknown' }));
      }
      let stopAsking = (): void => undefined;
      const watch = this.#edge.watchReadable(fd, () => {
        // A pidfd stays readable after the end of its process.
        watch.close();
        stopAsking = this.#askEnd(fd, (status) => this.#tell(subscriber, status));
      });
      return () => {
        stopAsking();
        watch.close();
        closeSync(fd);
      };
    });
  }

  newInvocation(): string {
    return this.#edge.randomHex(16);
  }

  track(pid: number, invocation: string, forks: boolean): ProcessTree {
    return this.#trees.track(pid, invocation, forks);
  }

  invocationOf(pid: number): string | undefined {
    return this.#trees.invocationOf(pid);
  }

  daemonsOf(variable: string): readonly number[] {
    return this.#trees.daemonsOf(variable);
  }

  trackGroup(pid: number): ProcessTree {
    return this.#trees.trackGroup(pid);
  }

  readPidfile(path: string): PidfileText | undefined {
    let fd: number;
    try {
      // The file may be a FIFO or a terminal: opening it must not make chaperone wait.
      const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
      const opened = doNow(openFile(path, { flags, anyOwner: true, forbidden: 0 }));
      closeFolder(opened.place.folder);
      fd = opened.fd;
    } catch {
      return undefined;
    }
    try {
      const stats = fstatSync(fd, { bigint: true });
      if (!stats.isFile()) return undefined;
      const buffer = Buffer.alloc(longestPidfile);
      const text = buffer.toString('latin1', 0, readSync(fd, buffer, 0, longestPidfile, 0));
      const stamp = `${stats.dev}:${stats.ino}:${stats.mtimeNs}:${text}`;
      return { text, stamp, byRoot: isPutByRoot(path, stats) };
    } catch {
      return undefined;
    } finally {
      closeSync(fd);
    }
  }

  stampOf(path: string): string | undefined {
    try {
      const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
      return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
    } catch {
      return undefined;
    }
  }

  removePidfile(path: string): string | undefined {
    try {
      doNow(removeFile(path));
      return undefined;
    } catch (error) {
      return codeOf(error) ?? 'EIO';
    }
  }

  /** Asks how a dead process has ended until the process's parent has reaped it. */
  #askEnd(fd: number, told: (status: ExitStatus) => void): () => void {
    let timer: TimerId | undefined;
    const ask = (delay: number): void => {
      const answer = this.#exitOf(fd);
      if (answer !== undefined && answer !== 'untold') told(fromWaitStatus(answer));
      else if (delay > longestAsk || (answer === 'untold' && delay > firstAsk)) told({ kind: 'unknown' });
      // A kernel that does not tell is asked twice, so that the body has reaped the process by then where it is its child.
      else timer = this.#clock.setTimeout(() => ask(2 * delay), delay);
    };
    ask(firstAsk);
    return () => {
      if (timer !== undefined) this.#clock.clearTimeout(timer);
    };
  }

  #exitOf(fd: number): number | 'untold' | undefined {
    try {
      return this.#edge.pidfdExit(fd);
    } catch {
      return 'untold';
    }
  }

  /** The exit of a child of chaperone comes before it: the body may have reaped the child, and not told it yet. */
  #tell(subscriber: Subscriber<ExitStatus>, status: ExitStatus): void {
    this.#body.catchUp(() => {
      // A subscriber may ask at once which processes are left.
      forgetProcesses();
      subscriber.next(status);
      subscriber.complete();
    });
  }

  /** Polls a process with signal 0 where there is no pidfd. */
  #pollEnd(pid: number, tell: () => void): () => void {
    let timer: TimerId;
    const look = (): void => {
      if (this.#edge.kill(pid, 0) === ESRCH) tell();
      else timer = this.#clock.setTimeout(look, lookInterval);
    };
    // The first look comes in a later turn than the subscription.
    timer = this.#clock.setTimeout(look, 0);
    return () => this.#clock.clearTimeout(timer);
  }
}
