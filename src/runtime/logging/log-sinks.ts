import type { Clock, JournalRequest, Kernel, LogFileRequest, Sink } from '../kernel.ts';
import { SinkQueue } from './sink-queue.ts';

/** ms that a line may wait for further lines while many come. */
const linger = 2;

export interface LogSinksOptions {
  readonly kernel: Kernel;
  readonly clock: Clock;
  /** Formats a line for a warning of chaperone's own. */
  readonly warningLine: (text: string) => string;
  /** Called when a sink fails to take lines. */
  readonly onRefusal: (sink: string, errorCode: string) => void;
}

/** All destinations of log records, each once for all entries, each behind a bounded queue. */
export class LogSinks {
  readonly stdout: SinkQueue;
  readonly stderr: SinkQueue;
  readonly #options: LogSinksOptions;
  readonly #others = new Map<string, SinkQueue>();
  readonly #files: SinkQueue[] = [];
  /** The queues of journals, which take no log records and which changes of the logging do not concern. */
  readonly #journals: SinkQueue[] = [];

  constructor(options: LogSinksOptions) {
    this.#options = options;
    this.stdout = this.#queue('stdout', options.kernel.sink('stdout'));
    this.stderr = this.#queue('stderr', options.kernel.sink('stderr'));
  }

  /** The queue of a file. The first entry that names a file decides the file's owner. */
  file(request: LogFileRequest): SinkQueue {
    return this.#once(request.path, () => this.#options.kernel.fileSink(request), { isFile: true });
  }

  /** The queue of another syslog daemon; each line becomes one packet. */
  remote(host: string): SinkQueue {
    return this.#once(`syslog host ${host}`, () => this.#options.kernel.remoteSink(host), { isFile: false });
  }

  /** Closes each queue that no entry uses any more, once it has written its lines. */
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
   * The queue of an inspection journal. Its writer has to check for room first.
   *
   * @param onRefusal is called at the first refusal after a successful write, with the error's code
   */
  journal(request: JournalRequest, onRefusal: (errorCode: string) => void): SinkQueue {
    const name = `the journal ${request.path}`;
    const queue = this.#queue(name, this.#options.kernel.journalSink(request), onRefusal);
    // A journal gets no notice of dropped lines, because a sentence is not an entry.
    queue.setNoticeLine(() => '');
    this.#journals.push(queue);
    return queue;
  }

  /** The kind of content that a queue takes. */
  contentOf(queue: SinkQueue): 'log' | 'journal' {
    return this.#journals.includes(queue) ? 'journal' : 'log';
  }

  all(): readonly SinkQueue[] {
    return [this.stdout, this.stderr, ...this.#others.values(), ...this.#journals];
  }

  /** True while a file has too much to write and is making progress: clients that can wait should let it catch up. */
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
