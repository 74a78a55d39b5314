/** Prints what happens in a running chaperone, in the lines of `chaperone --inspect`. */
import { isatty } from 'node:tty';
import { exitStatuses } from '../../control/answer.ts';
import { UnreachableError } from '../../control/client.ts';
import { readEntries } from '../../control/entry-stream.ts';
import type { Entry } from '../../inspect/entry.ts';
import { Transcript } from '../../inspect/transcript.ts';
import { isObject } from '../../model/words/json.ts';
import { withControl } from './control-call.ts';
import { openSocket } from './control-line.ts';
import { print } from './print.ts';
import type { Request } from './read-words.ts';
import { parseJson, readReply } from './reply.ts';
import { json } from './verb-options.ts';

export function run({ given, words: services }: Request): Promise<number> {
  const transcript = new Transcript(
    given.get(json)
      ? { format: 'json', services }
      : { format: 'text', services, colour: isatty(1) && (process.env['NO_COLOR'] ?? '') === '' },
  );
  return withControl(() => watch((entry) => transcript.write(entry)));
}

/** @returns the exit status, once chaperone has ended, or has refused */
async function watch(textOf: (entry: Entry) => string): Promise<number> {
  const line = await openSocket();
  return new Promise((resolve, reject) => {
    let opened = false;
    let last: Promise<void> = Promise.resolve();
    const stream = readEntries(line, {
      from: 0,
      take: (data) => {
        const entry = parseJson(data);
        const text = isEntry(entry) ? textOf(entry) : '';
        if (text === '') return true;
        // The stream pauses until the line is written, so that chaperone drops entries for a slow reader, and tells how many.
        last = print(1, text).then(() => stream.resume(), reject);
        return false;
      },
      onOpen: () => {
        opened = true;
      },
      onEnd: (refusal) => {
        if (!opened && refusal === undefined) reject(new UnreachableError('chaperone hung up before it answered'));
        else if (refusal === undefined) last.then(() => resolve(exitStatuses.done));
        else {
          const { text, exitStatus } = readReply(refusal);
          print(2, `${text}\n`).then(() => resolve(exitStatus), reject);
        }
      },
    });
  });
}

/** Checks only what each entry has, since chaperone's own server wrote it. */
function isEntry(value: unknown): value is Entry {
  return isObject(value) && typeof value['type'] === 'string' && typeof value['at'] === 'number';
}
