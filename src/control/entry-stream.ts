/** The client's side of `GET /v1/inspect`: entries over whatever reaches the control socket, with back-pressure. */
import type { Readable, Writable } from 'node:stream';

/** The two directions of a connection: a socket, or the standard streams of a program that forwards it. */
export interface Line {
  readonly readable: Readable;
  readonly writable: Writable;
  /** Ends the connection. */
  readonly close: () => void;
}

export interface EntryStreamOptions {
  /** The first entry that is wanted. */
  readonly from: number;
  /** Takes one entry as JSON; returns false to pause the stream until `resume`. */
  readonly take: (json: string) => boolean;
  /** Hears the time of chaperone, in ms since it began: at the beginning, and again and again. */
  readonly onClock?: (at: number) => void;
  /** The request was accepted: entries follow. */
  readonly onOpen?: () => void;
  /** The stream has ended. `refusal` is the body of a refusing answer; undefined if the connection ended. */
  readonly onEnd: (refusal: string | undefined) => void;
}

export interface EntryStream {
  readonly resume: () => void;
  readonly close: () => void;
}

/** Requests entries and passes them on one by one. */
export function readEntries(line: Line, { from, take, onClock, onOpen, onEnd }: EntryStreamOptions): EntryStream {
  const decoder = new TextDecoder();
  const waiting: string[] = [];
  let rest = '';
  let status = 0;
  let takes = true;
  let over = false;
  const finish = (): void => {
    if (over) return;
    over = true;
    line.close();
    onEnd(status === 0 || status === 200 ? undefined : rest);
  };
  const give = (): void => {
    while (takes && !over) {
      const next = waiting.shift();
      if (next === undefined) break;
      takes = take(next);
    }
    if (takes) line.readable.resume();
    else line.readable.pause();
  };
  const readBody = (): void => {
    if (status !== 200) return;
    const blocks = rest.split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const data = /^event: entry\ndata: (.*)$/m.exec(block)?.[1];
      if (data !== undefined) waiting.push(data);
      const time = /^event: clock\ndata: \{"at":([\d.]+)\}$/m.exec(block)?.[1];
      if (time !== undefined) onClock?.(Number(time));
    }
    give();
  };
  line.readable.on('data', (chunk: Buffer) => {
    rest += decoder.decode(chunk, { stream: true });
    if (status === 0) {
      const end = rest.indexOf('\r\n\r\n');
      if (end < 0) return;
      status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(rest)?.[1] ?? 502);
      rest = rest.slice(end + 4);
      if (status === 200) onOpen?.();
    }
    readBody();
  });
  for (const stream of [line.readable, line.writable]) stream.on('error', finish);
  line.readable.on('close', finish);
  line.readable.on('end', finish);
  // HTTP/1.0: the answer ends with the connection, and comes in no chunks.
  line.writable.write(`GET /v1/inspect?records=true&from=${from} HTTP/1.0\r\n\r\n`);
  return {
    resume: () => {
      takes = true;
      give();
    },
    close: () => {
      over = true;
      line.close();
    },
  };
}
