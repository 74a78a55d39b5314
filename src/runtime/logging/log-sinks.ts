import type { Clock, JournalRequest, Kernel, LogFileRequest, Sink } from '../kernel.ts';
import { SinkQueue } from './sink-queue.ts';

/** ms that lines may wait for others while many come. */
const linger = 2;

export interface LogSinksOptions {
  readonly kernel: Kernel;
  readonly clock: Clock;
  /** Makes a line of a warning of chaperone's own. */
  readonly warningLine: (text: string) => string;
  /** Hears that a sink takes nothing any more. */
  readonly onRefusal: (sink: string, errorCode: string) => void;
}

/** Every place that log records go to, each once, whoever asks for it, behind a bounded queue of its own. */
export class LogSinks {
  readonly stdout: SinkQueue;
  readonly stderr: SinkQueue;
  readonly #options: LogSinksOptions;
  readonly #others = new Map<string, SinkQueue>();
  readonly #files: SinkQueue[] = [];
  /** They are no places for log records, and no change of the logging concerns them. */
  readonly #journals: SinkQueue[] = [];

  constructor(options: LogSinksOptions) {
    this.#options = options;
    this.stdout = this.#queue('stdout', options.kernel.sink('stdout'));
    this.stderr = this.#queue('stderr', options.kernel.sink('stderr'));
  }

  /** The queue of a file. The first entry that names a file says whose it is. */
  file(request: LogFileRequest): SinkQueue {
    return this.#once(request.path, () => this.#options.kernel.fileSink(request), { isFile: true });
  }

  /** The queue of another syslog daemon. Its lines are packets. */
  remote(host: string): SinkQueue {
    return this.#once(`syslog host ${host}`, () => this.#options.kernel.remoteSink(host), { isFile: false });
  }

  /** Closes what no line goes to any more, once it has written what it was given. */
  closeOthers(used: ReadonlySet<SinkQueue>): void {
    for (const [name, queue] of this.#others) {
      if (used.has(queue)) continue;
      this.#others.delete(name);
      const index = this.#files.indexOf(queue);
      if (index >= 0) this.#files.splice(index, 1);
      queue.end();
    }
  }

  /**
   * The queue of an inspection journal. Whoever writes to it looks for room first.
   *
   * @param onRefusal hears of the first refusal after a write that went well, with the error's code
   */
  journal(request: JournalRequest, onRefusal: (errorCode: string) => void): SinkQueue {
    const name = `the journal ${request.path}`;
    const queue = this.#queue(name, this.#options.kernel.journalSink(request), onRefusal);
    // A sentence would be no entry.
    queue.setNoticeLine(() => '');
    this.#journals.push(queue);
    return queue;
  }

  /** What is written to a queue. */
  contentOf(queue: SinkQueue): 'log' | 'journal' {
    return this.#journals.includes(queue) ? 'journal' : 'log';
  }

  all(): readonly SinkQueue[] {
    return [this.stdout, this.stderr, ...this.#others.values(), ...this.#journals];
  }

  /** True while a file has more to write than it should, and writes: whoever can wait lets it catch up. */
  get areBusy(): boolean {
    for (const file of this.#files) if (file.isBusy) return true;
    return false;
  }

  #once(name: string, open: () => Sink, { isFile }: { readonly isFile: boolean }): SinkQueue {
    const known = this.#others.get(name);
    if (known !== undefined) return known;
    const queue = this.#queue(name, open());
    this.#others.set(name, queue);
    if (isFile) this.#files.push(queue);
    return queue;
  }

  #queue(
    name: string,
    sink: Sink,
    onRefusal: (errorCode: string) => void = (errorCode) => this.#options.onRefusal(name, errorCode),
  ): SinkQueue {
    const { clock, warningLine } = this.#options;
    return new SinkQueue(sink, name, warningLine, {
      linger,
      now: () => clock.now(),
      after: (delay, callback) => clock.setTimeout(callback, delay),
      onRefusal,
    });
  }
}
