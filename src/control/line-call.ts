/** One request over whatever reaches the control socket, and the whole answer. */
import type { Line } from './entry-stream.ts';

export interface LineAnswer {
  /** The HTTP status; 0 where the connection ended before there was one. */
  readonly status: number;
  readonly body: string;
}

/** Most characters of an answer: the records that chaperone keeps are fewer. */
const longestAnswer = 64 * 1024 * 1024;

/** @param body is sent as JSON */
export function callLine(line: Line, method: 'GET' | 'POST', path: string, body?: object): Promise<LineAnswer> {
  return new Promise((resolve) => {
    const decoder = new TextDecoder();
    let text = '';
    const finish = (): void => {
      line.close();
      const end = text.indexOf('\r\n\r\n');
      const status = end < 0 ? 0 : Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1] ?? 0);
      resolve({ status, body: end < 0 ? '' : text.slice(end + 4) });
    };
    line.readable.on('data', (chunk: Buffer) => {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > longestAnswer) finish();
    });
    for (const stream of [line.readable, line.writable]) stream.on('error', finish);
    line.readable.on('close', finish);
    line.readable.on('end', finish);
    const content = body === undefined ? '' : JSON.stringify(body);
    const head =
      body === undefined ? '' : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(content)}\r\n`;
    // HTTP/1.0: the answer ends with the connection, and comes in no chunks.
    line.writable.write(`${method} ${path} HTTP/1.0\r\n${head}\r\n${content}`);
  });
}

/** The data of the events of one kind in an answer. */
export function eventsIn(body: string, event: string): readonly string[] {
  return body.split('\n\n').flatMap((block) => {
    const mark = `event: ${event}\ndata: `;
    return block.startsWith(mark) ? [block.slice(mark.length)] : [];
  });
}
