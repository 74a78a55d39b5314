/** The verbs that are a command of the running chaperone: what they print is its answer. */
import { print, sendCommand, takeFlag, withControl } from './control-call.ts';

/** @returns what chaperonectl calls for such a verb */
export function commandVerb(name: string): { run(words: readonly string[]): Promise<number> } {
  return {
    run: (words) =>
      withControl('chaperonectl', name, words, async () => {
        const { set, rest } = takeFlag(words, '--json');
        const reply = await sendCommand([name, ...rest]);
        const text = set ? reply.json : reply.text;
        await print(reply.exitStatus === 0 || set ? 1 : 2, text.endsWith('\n') ? text : `${text}\n`);
        return reply.exitStatus;
      }),
  };
}
