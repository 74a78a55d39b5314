/** Reads the stream of entries and reconnects when the stream breaks off; it requests no entry twice. */
import { type ClockLine, type Entry, isReadable } from '../entry.ts';

/** A connection counts as lost after this many ms without an entry or a heartbeat. */
const silence = 15_000;
const shortestWait = 500;
const longestWait = 5_000;

export interface ConnectionPorts {
  /** The number of the last entry that arrived; 0: none has arrived. */
  readonly lastSeq: () => number;
  readonly boot: () => string | undefined;
  readonly onEntries: (entries: readonly Entry[]) => void;
  /** The time of chaperone, in ms since it began. */
  readonly onClock: (at: number) => void;
  readonly onOpen: () => void;
  readonly onLost: () => void;
  /** All entries have arrived. */
  readonly onComplete: () => void;
  readonly onRefused: (reason: string) => void;
}

export async function followEntries(ports: ConnectionPorts): Promise<void> {
  let wait = shortestWait;
  for (;;) {
    const result = await readOnce(ports, () => {
      wait = shortestWait;
    });
    if (result === 'complete') {
      ports.onComplete();
      return;
    }
    if (result === 'refused') return;
    ports.onLost();
    await new Promise((resolve) => setTimeout(resolve, wait));
    wait = Math.min(longestWait, wait * 1.5);
  }
}

async function readOnce(ports: ConnectionPorts, onSuccess: () => void): Promise<'complete' | 'lost' | 'refused'> {
  const abort = new AbortController();
  let alarm = setTimeout(() => abort.abort(), silence);
  try {
    const boot = ports.boot();
    const query = new URLSearchParams({ from: String(ports.lastSeq() + 1), ...(boot === undefined ? {} : { boot }) });
    const response = await fetch(`entries?${query}`, { cache: 'no-store', credentials: 'omit', signal: abort.signal });
    if (response.status === 403 || response.status === 404) {
      ports.onRefused('The address is no longer valid: chaperone was started anew.');
      return 'refused';
    }
    if (!response.ok || response.body === null) return 'lost';
    ports.onOpen();
    onSuccess();
    const ends = response.headers.get('chaperone-stream') === 'complete';
    const reader = response.body.getReader();
    const lines = new LineReader();
    for (;;) {
      const { done, value } = await reader.read();
      clearTimeout(alarm);
      if (done) return ends ? 'complete' : 'lost';
      alarm = setTimeout(() => abort.abort(), silence);
      const entries: Entry[] = [];
      for (const line of lines.add(value)) {
        if (line.type === '@chaperone.clock') ports.onClock(line.at);
        else entries.push(line);
      }
      if (entries.some((entry) => entry.type === '@chaperone.boot' && !isReadable(entry))) {
        ports.onRefused('This page cannot read what is told here: it comes from another version of chaperone.');
        return 'refused';
      }
      if (entries.length > 0) ports.onEntries(entries);
    }
  } catch {
    return 'lost';
  } finally {
    clearTimeout(alarm);
    abort.abort();
  }
}

/** Reads entries and times, one on each line; an empty line is a heartbeat. */
class LineReader {
  readonly #decoder = new TextDecoder();
  #rest = '';

  add(chunk: Uint8Array): (Entry | ClockLine)[] {
    const text = this.#rest + this.#decoder.decode(chunk, { stream: true });
    const end = text.lastIndexOf('\n');
    if (end < 0) {
      this.#rest = text;
      return [];
    }
    this.#rest = text.slice(end + 1);
    const lines = text
      .slice(0, end)
      .split('\n')
      .filter((line) => line !== '');
    return lines.length === 0 ? [] : JSON.parse(`[${lines.join(',')}]`);
  }
}
