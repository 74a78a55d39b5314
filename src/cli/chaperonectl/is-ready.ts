/**
 * Asks chaperone for a probe whether services are ready. native/is-ready.c does the same without Node; this is for a call of
 * chaperonectl.cjs by Node, and for names that are not UTF-8.
 */
import { exitStatuses } from '../../control/answer.ts';
import { isObject } from '../../model/words/json.ts';
import { get, withControl } from './control-call.ts';
import { print } from './print.ts';
import type { Request } from './read-words.ts';
import { parseJson, readReply } from './reply.ts';
import { json } from './verb-options.ts';

/** The text of an answer, which a probe that fails has, too. */
function textOf(body: string): string | undefined {
  const value = parseJson(body);
  return isObject(value) && typeof value['text'] === 'string' ? value['text'] : undefined;
}

/** Time limit, ms. A probe has its own, but a probe that hangs is worse than one that fails. */
export const patience = 5_000;

/** Exit status: 0 if all services are ready, 1 if not, higher if that cannot be known. Where it is not 0, stderr says why. */
export function run({ given, words: names }: Request): Promise<number> {
  return withControl(async () => {
    const query = names.map((name) => `name=${encodeURIComponent(name)}`).join('&');
    const { status, body } = await get(`/v1/ready${query === '' ? '' : `?${query}`}`, undefined, patience);
    if (given.get(json)) await print(1, body);
    if (status === 200) return exitStatuses.done;
    const why = textOf(body);
    if (why !== undefined && !given.get(json)) await print(2, `${why}\n`);
    if (status === 503) return exitStatuses.failed;
    return readReply(body).exitStatus;
  });
}
