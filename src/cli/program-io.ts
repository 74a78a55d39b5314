/** What the small programs share: writing to a descriptor, and the words for a system error. */
import { write } from 'node:fs';
import { codeOf } from '../model/words/errno.ts';

/** Writes everything to a descriptor, also to one that is not blocking. */
export async function writeAll(fd: number, content: Buffer): Promise<void> {
  for (let written = 0; written < content.length; ) {
    try {
      written += await writeSome(fd, content, written);
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN') throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** The system's words for an error, such as `no such file or directory`; undefined for what is no system error. */
export function reasonOf(error: unknown): string | undefined {
  const code = codeOf(error);
  if (code === undefined || !(error instanceof Error)) return undefined;
  if (code === 'ERR_FS_FILE_TOO_LARGE') return 'it is larger than 2 GiB';
  const [, words] = /^[A-Z0-9]+: ([^,]+)/.exec(error.message) ?? [];
  return words ?? code;
}

const writeSome = (fd: number, content: Buffer, offset: number): Promise<number> =>
  new Promise((resolve, reject) => {
    write(fd, content, offset, (error, written) => (error === null ? resolve(written) : reject(error)));
  });
