/** The verbs that are a command of the running chaperone: what they print is its answer. */

import { parseWords } from '../../control/command-words.ts';
import { sendCommand, withControl } from './control-call.ts';
import { print, tellMistake } from './print.ts';
import type { Request } from './read-words.ts';
import { json } from './verb-options.ts';

/** @returns what chaperonectl calls for such a verb */
export function commandVerb(name: string): { run(request: Request): Promise<number> } {
  return {
    run: async ({ given, command }) => {
      const asJson = given.get(json);
      const parsed = parseWords([name, ...command]);
      // Chaperone's own answer to a mistake has the usage of telchap behind it, which is not that of chaperonectl.
      if (parsed.kind === 'mistake') return tellMistake(name, parsed.message, asJson);
      return withControl(async () => {
        const reply = await sendCommand([name, ...command]);
        const text = asJson ? reply.json : reply.text;
        await print(reply.exitStatus === 0 || asJson ? 1 : 2, text.endsWith('\n') ? text : `${text}\n`);
        return reply.exitStatus;
      });
    },
  };
}
