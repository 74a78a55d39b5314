/** Joins this program's terminal, or its pipes, with a program in a container. */
import type { EngineAnswer, Session } from '../../platform/engine/engine.ts';
import { writeAll } from '../program-io.ts';

/** True where this program's input and output are a terminal, so that the program inside gets one too. */
export function hasTerminal(): boolean {
  return process.stdin.isTTY === true && process.stdout.isTTY === true;
}

/** @returns the exit code of the program, or why nobody knows it */
export async function join(session: Session, isTerminal: boolean): Promise<EngineAnswer<number>> {
  const { stdin, stdout } = process;
  const resize = (): void => {
    void session.resize({ columns: stdout.columns || 80, rows: stdout.rows || 24 });
  };
  const take = (bytes: Buffer): void => session.write(bytes);
  const end = (): void => session.end();
  let last: Promise<void> = Promise.resolve();
  session.output.subscribe(({ stream, bytes }) => {
    last = last.then(() => writeAll(stream === 'stdout' ? 1 : 2, Buffer.from(bytes))).catch(() => session.close());
  });
  if (isTerminal) {
    stdin.setRawMode(true);
    stdout.on('resize', resize);
    resize();
  }
  stdin.on('data', take);
  stdin.on('end', end);
  try {
    const answer = await session.ended;
    await last;
    return answer;
  } finally {
    stdin.off('data', take);
    stdin.off('end', end);
    if (isTerminal) {
      stdin.setRawMode(false);
      stdout.off('resize', resize);
    }
    // A file or a pipe as input would keep this program alive.
    stdin.pause();
    if (typeof stdin.unref === 'function') stdin.unref();
  }
}
