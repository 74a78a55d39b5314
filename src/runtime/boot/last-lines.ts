import type { LastWords } from '../../model/log/explain.ts';
import type { LogRecord } from '../../model/log/log-record.ts';
import type { SystemNotice } from '../../model/service/system-notice.ts';

/** How many characters of a service's last line are kept. */
const longestLine = 200;

/** The last line that each service has written, to explain why the service has ended. */
export class LastLines {
  readonly #lines = new Map<string, LastWords>();
  /** Services that are being ended: their output is a result of that and does not explain the end. */
  readonly #ending = new Set<string>();

  /** @param at ms on the clock that measures the age of lines */
  note(service: string, stream: LastWords['stream'], { message }: LogRecord, at: number): void {
    if (!this.#ending.has(service)) this.#lines.set(service, { stream, line: message.slice(0, longestLine), at });
  }

  of(service: string): LastWords | undefined {
    return this.#lines.get(service);
  }

  follow(notice: SystemNotice): void {
    if (notice.type === 'service.removed') {
      this.#lines.delete(notice.service);
      this.#ending.delete(notice.service);
    }
    if (notice.type !== 'service.changed') return;
    if (notice.change.phase === 'stopping') this.#ending.add(notice.service);
    else if (notice.change.phase === 'starting') this.#ending.delete(notice.service);
  }
}
