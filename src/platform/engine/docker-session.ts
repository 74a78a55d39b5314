/** A program's terminal or pipes on a connection that the engine has handed over. */
import type { Duplex } from 'node:stream';
import { ReplaySubject } from 'rxjs';
import { failureOf } from './answer.ts';
import { follow, outputReader } from './docker-streams.ts';
import type { EngineAnswer, OutputChunk, Session, TerminalSize } from './engine.ts';

export interface SessionParts {
  readonly connection: Duplex;
  readonly terminal: boolean;
  readonly address: string;
  readonly resize: (size: TerminalSize) => Promise<EngineAnswer<void>>;
  /** Asked once, after the output has ended. */
  readonly exitCode: () => Promise<EngineAnswer<number>>;
  readonly closed?: () => void;
}

export function openSession({ connection, terminal, address, resize, exitCode, closed }: SessionParts): Session {
  // Output that comes before the caller subscribes is kept; afterwards nothing is.
  let output: ReplaySubject<OutputChunk> | undefined = new ReplaySubject<OutputChunk>();
  const subject = output;
  let left = false;
  const ended = new Promise<EngineAnswer<number>>((resolve) => {
    const push = outputReader(terminal, (chunk) => subject.next(chunk));
    follow(connection, push, (how) => {
      subject.complete();
      output = undefined;
      // A terminal's connection is reset where the program ends while something is being written to it.
      const broken = how !== undefined && !left && !isReset(how);
      resolve(broken ? { ok: false, failure: failureOf(how, address) } : exitCode());
    });
  });
  return {
    output: subject.asObservable(),
    write: (bytes) => {
      if (output !== undefined && connection.writable) connection.write(bytes);
    },
    end: () => {
      connection.end();
    },
    resize,
    ended,
    close: () => {
      left = true;
      connection.destroy();
      closed?.();
    },
  };
}

function isReset(error: Error): boolean {
  return 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}
