import { exitStatuses } from '../control/answer.ts';
import { get, readReply, withControl } from './control-call.ts';

/** A probe has its own limit, but one that hangs is worse than one that fails. ms. */
const patience = 5_000;

/** Prints nothing: 0 where all is ready, 1 where it is not, more where it cannot be known. */
export function run(words: readonly string[]): Promise<number> {
  return withControl('chaperonectl', 'is-ready', words, async () => {
    const query = words.map((name) => `name=${encodeURIComponent(name)}`).join('&');
    const { status, body } = await get(`/v1/ready${query === '' ? '' : `?${query}`}`, undefined, patience);
    if (status === 200) return exitStatuses.done;
    return status === 503 ? exitStatuses.failed : readReply(body).exitStatus;
  });
}
