import { join } from 'node:path';
import { exitStatuses } from '../../control/answer.ts';
import { messageOf } from '../../model/words/errno.ts';
import { loopback, newToken } from '../../runtime/inspection/inspect-door.ts';
import type { ActPort } from '../../runtime/inspection/page-act.ts';
import { type EntrySource, servePage } from '../../runtime/inspection/page-server.ts';

interface Place {
  /** 0: the system chooses one. */
  readonly port: number;
  readonly listen: string | undefined;
  readonly source: EntrySource;
  /** The fragment of the address, which says what view is opened. */
  readonly hash?: string;
  readonly act?: ActPort;
}

/** Serves the inspector page, and says where, until SIGINT or SIGTERM. @returns the exit status */
export async function serveUntilSignal(
  program: string,
  { port, listen = loopback, source, hash = '', act }: Place,
  print: (fd: 1 | 2, text: string) => Promise<void>,
): Promise<number> {
  const server = servePage({
    door: { address: listen, token: newToken() },
    port,
    assets: join(__dirname, 'inspect-page'),
    source,
    ...(act === undefined ? {} : { act }),
    onError: (error) =>
      void print(2, `${program}: a request to the page failed: ${messageOf(error)}\n`).catch(() => undefined),
  });
  const url = await server.url.catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
  if (url instanceof Error) {
    await print(2, `${program}: cannot serve the page: ${url.message}\n`);
    return exitStatuses.failed;
  }
  const signalled = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  await print(1, `inspect at ${url}${hash}\n`);
  await signalled;
  server.close();
  return exitStatuses.done;
}
