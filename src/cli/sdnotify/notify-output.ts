/** What sdnotify and sdnotify-exec share: messages, and the words for what went wrong. */
import { getSystemErrorMap } from 'node:util';
import { reasonOf, writeAll } from '../program-io.ts';

/**
 * The system's words for an errno, such as `connection refused`.
 *
 * @param error its number, or its name (`ECONNREFUSED`)
 */
export function describeErrno(error: number | string): string {
  for (const [number, [name, words]] of getSystemErrorMap()) {
    if (number === -error || name === error) return words;
  }
  return typeof error === 'number' ? `error ${error}` : error;
}

/** Writes a message to standard error, by its descriptor: process.stderr would make a pipe non-blocking that others share. */
export async function complain(program: string, message: string): Promise<void> {
  await writeAll(2, Buffer.from(`${program}: ${message}\n`)).catch(() => undefined);
}

/** Writes to standard output. @returns the exit status */
export async function print(program: string, text: string): Promise<number> {
  try {
    await writeAll(1, Buffer.from(text));
    return 0;
  } catch (error) {
    await complain(program, `cannot write standard output: ${reasonOf(error) ?? String(error)}`);
    return 1;
  }
}
