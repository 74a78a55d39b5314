/** The command line of sv(8), as runit reads it: getopt's options, then a command, of which mostly the first letter counts. */

/** The actions on a service: letters of runsv(8)'s control pipe. */
export type Letter = 'u' | 'd' | 'o' | 'x' | 't' | 'k' | 'p' | 'c' | 'h' | 'a' | 'i' | 'q' | '1' | '2';

export interface SvRequest {
  /** The actions, in their order; empty where the command only looks at the service. */
  readonly acts: readonly Letter[];
  readonly kind: 'status' | 'act' | 'check';
  /** True where the command waits until the actions have taken effect. */
  readonly waits: boolean;
  /** True where KILL follows if the actions have not taken effect in time. */
  readonly kills: boolean;
  /** ms. */
  readonly patience: number;
  readonly services: readonly string[];
}

export type SvWords =
  | { readonly kind: 'request'; readonly request: SvRequest }
  | { readonly kind: 'usage'; readonly before?: string };

type Meaning = Pick<SvRequest, 'acts' | 'kind' | 'waits' | 'kills'>;

const act = (acts: readonly Letter[], more: Partial<Meaning> = {}): Meaning => ({
  acts,
  kind: 'act',
  waits: false,
  kills: false,
  ...more,
});

const waiting = { waits: true };
const forced = { waits: true, kills: true };

/** Commands that count only as whole words. */
const words: Readonly<Record<string, Meaning>> = {
  start: act(['u'], waiting),
  stop: act(['d'], waiting),
  reload: act(['h'], waiting),
  restart: act(['t', 'c', 'u'], waiting),
  shutdown: act(['x'], waiting),
  'try-restart': act(['t', 'c'], waiting),
  'force-stop': act(['d'], forced),
  'force-reload': act(['t', 'c'], forced),
  'force-restart': act(['t', 'c', 'u'], forced),
  'force-shutdown': act(['x'], forced),
  check: { acts: [], kind: 'check', waits: true, kills: false },
};

/** By the first letter, where no whole word has matched. */
const letters: Readonly<Record<string, Meaning>> = {
  ...Object.fromEntries(
    (['u', 'd', 'o', 't', 'p', 'c', 'h', 'a', 'i', 'k', 'q', '1', '2', 'x'] as const).map((letter) => [
      letter,
      act([letter]),
    ]),
  ),
  e: act(['x']),
  X: act(['x'], forced),
  E: act(['x'], forced),
  D: act(['d'], forced),
  T: act(['t', 'c'], forced),
  s: { acts: [], kind: 'status', waits: false, kills: false },
};

/** Beside the letters of sv(8), the options have names, as those of the other programs do. */
const longOptions: Readonly<Record<string, string>> = { '--verbose': '-v', '--wait': '-w' };

/** Seconds as scan_ulong of runit reads them: the digits at the beginning. */
function secondsOf(text: string | undefined, otherwise: number): number {
  const digits = /^\d+/.exec(text ?? '')?.[0];
  return digits === undefined ? otherwise : Number(digits);
}

export function readSvWords(
  given: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): SvWords {
  let patience = secondsOf(environment['SVWAIT'], 7);
  let verbose = false;
  const rest = [...given];
  for (let word = rest[0]; word !== undefined && /^-./.test(word); word = rest[0]) {
    rest.shift();
    if (word === '--') break;
    word = longOptions[word] ?? word;
    for (let index = 1; index < word.length; index += 1) {
      const option = word.charAt(index);
      if (option === 'v') verbose = true;
      else if (option === 'w') {
        const argument = word.slice(index + 1) === '' ? rest.shift() : word.slice(index + 1);
        if (argument === undefined) return { kind: 'usage', before: 'sv: option requires an argument -- w' };
        patience = secondsOf(argument, patience);
        verbose = true;
        break;
      } else return { kind: 'usage', before: `sv: illegal option -- ${option}` };
    }
  }
  const [command = '', ...services] = rest;
  const meaning = words[command] ?? letters[command.charAt(0)];
  if (meaning === undefined || services.length === 0) return { kind: 'usage' };
  const waits = meaning.waits || (verbose && meaning.kind === 'act');
  return { kind: 'request', request: { ...meaning, waits, patience: patience * 1000, services } };
}
