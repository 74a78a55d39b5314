import { withControl } from './control-call.ts';
import type { Request } from './read-words.ts';
import { show } from './status.ts';
import { json } from './verb-options.ts';

export function run({ given }: Request): Promise<number> {
  return withControl(() => show([], given.get(json), 'blame'));
}
