import type { LastWords } from '../../model/log/explain.ts';
import type { LogRecord } from '../../model/log/log-record.ts';
import type { SystemNotice } from '../../model/service/system-notice.ts';
import { escapeControls } from '../../model/words/printable.ts';
import type { LineCutter } from '../../streams/lines.ts';

/** How many of a service's last lines are kept, and how many characters of each. */
const mostLines = 5;
const longestLine = 200;

interface Unfinished {
  readonly service: string;
  readonly stream: LastWords['stream'];
  readonly cutter: LineCutter;
}

/** The last lines that each service has written, to explain why the service has ended. */
export class LastLines {
  readonly #lines = new Map<string, readonly LastWords[]>();
  /** The outputs that are still open, with the line that each has begun. */
  readonly #unfinished = new Set<Unfinished>();
  /** Services that are being ended: their output is a result of that and does not explain the end. */
  readonly #ending = new Set<string>();

  /** @param at ms on the clock that measures the age of lines */
  note(service: string, stream: LastWords['stream'], { message }: LogRecord, at: number): void {
    if (this.#ending.has(service)) return;
    this.#add(service, wordsOf(message, stream, at));
  }

  /** Follows an open output; returns a function that ends this. */
  watch(service: string, stream: LastWords['stream'], cutter: LineCutter): () => void {
    const unfinished = { service, stream, cutter };
    this.#unfinished.add(unfinished);
    return () => this.#unfinished.delete(unfinished);
  }

  /** Oldest first. */
  of(service: string): readonly LastWords[] {
    return this.#lines.get(service) ?? [];
  }

  /** Makes lines of all that was written without a line end. */
  finish(): void {
    for (const { cutter } of [...this.#unfinished]) cutter.end();
  }

  /** @param at as for `note` */
  follow(notice: SystemNotice, at: number): void {
    if (notice.type === 'service.removed') {
      this.#lines.delete(notice.service);
      this.#ending.delete(notice.service);
    }
    if (notice.type !== 'service.changed') return;
    if (notice.change.phase === 'stopping') this.#end(notice.service, at);
    else if (notice.change.phase === 'starting') this.#ending.delete(notice.service);
  }

  /** Counts the lines that the service had begun before its stop; in the log a line stands only once it is complete. */
  #end(service: string, at: number): void {
    for (const { service: writer, stream, cutter } of this.#unfinished) {
      const rest = writer === service ? cutter.rest.trimEnd() : '';
      if (rest !== '') this.#add(service, wordsOf(rest, stream, at));
    }
    this.#ending.add(service);
  }

  #add(service: string, words: LastWords): void {
    this.#lines.set(service, [...this.of(service).slice(1 - mostLines), words]);
  }
}

function wordsOf(text: string, stream: LastWords['stream'], at: number): LastWords {
  return { stream, line: escapeControls(text.slice(0, longestLine)), at };
}
