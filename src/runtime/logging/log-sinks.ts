import type { LoggingSpec } from '../../model/service/service-spec.ts';
import type { Clock, JournalRequest, Kernel, LogFile, LogFileRequest, Sink } from '../kernel.ts';
import { SinkQueue, type SinkQueueOptions } from './sink-queue.ts';

/** ms that a line may wait for further lines while many come. */
const linger = 2;

export interface LogSinksOptions {
  readonly kernel: Kernel;
  readonly clock: Clock;
  /** Formats a line for a warning of chaperone's own. */
  readonly warningLine: (text: string) => string;
  /** Called when a sink begins to fail. `diverted`: its lines go to stderr until it works again. */
  readonly onRefusal: (sink: string, errorCode: string, diverted: boolean) => void;
  /** Called when a sink whose lines went to stderr works again. */
  readonly onRecovery: (sink: string) => void;
  /** Called when a log file cannot be rotated. */
  readonly onRotationTrouble: (path: string, errorCode: string) => void;
}

interface QueueKind {
  /** True where the lines may go to stderr while the sink fails. */
  readonly diverts: boolean;
  /** True where services may be made to wait for the sink. */
  readonly holdsBack: boolean;
}

/** The file of an entry as the kernel is asked for it; undefined where it has none. */
export function fileRequest({ file: path, overwrite, owner, mode, rotation }: LoggingSpec): LogFileRequest | undefined {
  if (path === undefined) return undefined;
  return {
    path,
    overwrite,
    ...(owner === undefined ? {} : { owner }),
    ...(mode === undefined ? {} : { mode }),
    ...(rotation === undefined ? {} : { rotation }),
  };
}

/** All destinations of log records, each once for all entries, each behind a bounded queue. */
export class LogSinks {
  readonly stdout: SinkQueue;
  readonly stderr: SinkQueue;
  readonly #options: LogSinksOptions;
  readonly #others = new Map<string, SinkQueue>();
  readonly #files = new Map<SinkQueue, LogFile>();
  /** The queues of journals, which take no log records and which changes of the logging do not concern. */
  readonly #journals: SinkQueue[] = [];

  constructor(options: LogSinksOptions) {
    this.#options = options;
    this.stderr = this.#queue('stderr', options.kernel.sink('stderr'), { diverts: false, holdsBack: true });
    this.stdout = this.#queue('stdout', options.kernel.sink('stdout'), { diverts: true, holdsBack: true });
  }

  /** The queue of a file. The first entry that names a file decides about its owner, its mode and its rotation. */
  file(request: LogFileRequest): SinkQueue {
    const known = this.#others.get(request.path);
    if (known !== undefined) return known;
    const file = this.#options.kernel.fileSink(request, (code) => this.#options.onRotationTrouble(request.path, code));
    const queue = this.#once(request.path, () => file, { diverts: true, holdsBack: true });
    this.#files.set(queue, file);
    return queue;
  }

  /** Makes the files of all entries at once, so that they exist before the services start that may read them. */
  openFiles(entries: readonly LoggingSpec[]): void {
    const seen = new Set<SinkQueue>();
    for (const entry of entries) {
      const request = entry.enabled ? fileRequest(entry) : undefined;
      if (request === undefined) continue;
      const isNew = !this.#others.has(request.path);
      const queue = this.file(request);
      const file = this.#files.get(queue);
      if (file === undefined || seen.has(queue)) continue;
      seen.add(queue);
      queue.setDiverts(entry.onError !== 'drop');
      if (!isNew) file.adapt(request);
      const errorCode = isNew ? file.open() : undefined;
      if (errorCode !== undefined) queue.refuse(errorCode);
    }
  }

  /** The queue of another syslog daemon; each line becomes one packet. */
  remote(host: string): SinkQueue {
    const kind = { diverts: false, holdsBack: false };
    return this.#once(`syslog host ${host}`, () => this.#options.kernel.remoteSink(host), kind);
  }

  /** Closes each queue that no entry uses any more, once it has written its lines. */
  closeOthers(used: ReadonlySet<SinkQueue>): void {
    for (const [name, queue] of this.#others) {
      if (used.has(queue)) continue;
      this.#others.delete(name);
      this.#files.delete(queue);
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
    const kind = { diverts: false, holdsBack: false };
    const queue = this.#queue(name, this.#options.kernel.journalSink(request), kind, onRefusal);
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

  /** True while a file or a console has too much to write and is making progress: clients that can wait should let it catch up. */
  get areBusy(): boolean {
    if (this.stdout.isBusy || this.stderr.isBusy) return true;
    for (const file of this.#files.keys()) if (file.isBusy) return true;
    return false;
  }

  #once(name: string, open: () => Sink, kind: QueueKind): SinkQueue {
    const known = this.#others.get(name);
    if (known !== undefined) return known;
    const queue = this.#queue(name, open(), kind);
    this.#others.set(name, queue);
    return queue;
  }

  #queue(
    name: string,
    sink: Sink,
    { diverts, holdsBack }: QueueKind,
    onRefusal: SinkQueueOptions['onRefusal'] = (code, isDiverted) => this.#options.onRefusal(name, code, isDiverted),
  ): SinkQueue {
    const { clock, warningLine, onRecovery } = this.#options;
    const diversion = {
      standIn: (lines: Uint8Array) => this.stderr.write(Buffer.from(lines).toString()),
      onRecovery: () => onRecovery(name),
    };
    return new SinkQueue(sink, name, warningLine, {
      linger,
      now: () => clock.now(),
      after: (delay, callback) => clock.setTimeout(callback, delay),
      onRefusal,
      holdsBack,
      ...(diverts ? diversion : {}),
    });
  }
}
