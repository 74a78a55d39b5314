import { codeOf } from '../../model/words/errno.ts';
import { writeAll } from '../program-io.ts';
import { complain } from './console.ts';
import { exitStatuses, failureText, requireOne } from './context.ts';
import * as options from './options.ts';
import type { Request } from './read-request.ts';

export async function logs(request: Request): Promise<number> {
  const { given } = request;
  const { engine, one } = await requireOne(request);
  const { id, key } = one;
  const tail = given.get(options.lines);
  const output = engine.containers.logs(id, {
    follow: given.get(options.follow),
    ...(tail === undefined ? {} : { tail }),
  });
  let last: Promise<void> = Promise.resolve();
  let exitStatus: number = exitStatuses.done;
  await new Promise<void>((resolve) => {
    const following = output.subscribe({
      next: (told) => {
        last = last.then(async () => {
          if ('failure' in told) {
            await complain(`${key}: ${failureText(told.failure, engine)}`);
            exitStatus = exitStatuses.failed;
            return;
          }
          try {
            await writeAll(told.stream === 'stdout' ? 1 : 2, Buffer.from(told.bytes));
          } catch (error) {
            // A reader that closes the pipe early is no error, and nothing more is of use.
            if (codeOf(error) !== 'EPIPE') throw error;
            following.unsubscribe();
            resolve();
          }
        });
      },
      complete: () => resolve(),
    });
  });
  await last;
  return exitStatus;
}
