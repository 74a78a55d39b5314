import { print, takeFlag, withControl } from './control-call.ts';
import { probe } from './is-ready.ts';

/** Prints nothing but with --json: 0 where all is ready, 1 where it is not, more where it cannot be known. */
export function run(words: readonly string[]): Promise<number> {
  return withControl('chaperonectl', 'is-ready', words, async () => {
    const { set: json, rest } = takeFlag(words, '--json');
    const end = rest.indexOf('--');
    const option = rest.slice(0, end < 0 ? undefined : end).find((word) => word.startsWith('-'));
    if (option !== undefined) {
      await print(2, `chaperonectl is-ready: unknown option "${option}"\ntry "chaperonectl is-ready --help"\n`);
      return 2;
    }
    const { exitStatus, body, complaint } = await probe(rest.filter((word, index) => word !== '--' || index !== end));
    if (complaint !== undefined) await print(2, `${complaint}\n`);
    if (json && body !== undefined) await print(1, body);
    return exitStatus;
  });
}
