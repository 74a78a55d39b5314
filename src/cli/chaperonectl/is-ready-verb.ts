import { withControl } from './control-call.ts';
import { probe } from './is-ready.ts';
import { print } from './print.ts';
import type { Request } from './read-words.ts';
import { json } from './verb-options.ts';

/** Prints only with --json. Exit status: 0 if all services are ready, 1 if not, higher if that cannot be known. */
export function run({ given, words: names }: Request): Promise<number> {
  return withControl(async () => {
    const { exitStatus, body, complaint } = await probe(names);
    if (complaint !== undefined) await print(2, `${complaint}\n`);
    if (given.get(json) && body !== undefined) await print(1, body);
    return exitStatus;
  });
}
