/** The verbs that are a command of the running chaperone: what they print is its answer. */

import { sendCommand, withControl } from './control-call.ts';
import { print } from './print.ts';
import type { Request } from './read-words.ts';
import { json } from './verb-options.ts';

/** @returns what chaperonectl calls for such a verb */
export function commandVerb(name: string): { run(request: Request): Promise<number> } {
  return {
    run: ({ given, command }) =>
      withControl(async () => {
        const asJson = given.get(json);
        const reply = await sendCommand([name, ...command]);
        const text = asJson ? reply.json : reply.text;
        await print(reply.exitStatus === 0 || asJson ? 1 : 2, text.endsWith('\n') ? text : `${text}\n`);
        return reply.exitStatus;
      }),
  };
}
