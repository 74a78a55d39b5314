import { givenBy, type OptionTexts } from '../../model/words/option-parser.ts';
import { type ReplayPorts, run } from '../chaperonectl/replay.ts';
import * as recorded from '../chaperonectl/verb-options.ts';
import type { Request } from './read-request.ts';

/** Shows what `--record` has recorded of a platform: the entries are those of a system, and so is what they are read with. */
export function replay({ given, words }: Request, ports?: ReplayPorts): Promise<number> {
  return run({ given, words, command: [] }, ports, { program: 'dockerops', verb: 'replay' });
}

/** Compares two recordings of a platform. */
export function diff({ given, words }: Request, ports?: ReplayPorts): Promise<number> {
  const tolerance = given.get(recorded.tolerance);
  const texts: OptionTexts = new Map([
    [recorded.diff.name, ['']],
    ...(given.get(recorded.json) ? [[recorded.json.name, ['']] as const] : []),
    ...(tolerance === undefined ? [] : [[recorded.tolerance.name, [tolerance]] as const]),
  ]);
  return run({ given: givenBy(texts), words, command: [] }, ports, { program: 'dockerops', verb: 'diff' });
}
