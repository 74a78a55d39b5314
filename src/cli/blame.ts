import { takeFlag, withControl } from './control-call.ts';
import { show } from './status.ts';

export function run(words: readonly string[]): Promise<number> {
  return withControl('chaperonectl', 'blame', words, () => show([], takeFlag(words, '--json').set, 'blame'));
}
