import { refuseWords, takeFlag, withControl } from './control-call.ts';
import { show } from './status.ts';

export function run(words: readonly string[]): Promise<number> {
  return withControl('chaperonectl', 'blame', words, async () => {
    const { set, rest } = takeFlag(words, '--json');
    return (await refuseWords('blame', rest)) ?? show([], set, 'blame');
  });
}
