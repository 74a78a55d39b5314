import { type ParseArgsConfig, parseArgs } from 'node:util';

type Options = NonNullable<ParseArgsConfig['options']>;

/**
 * Writes `--option value` as `--option=value`. parseArgs of node:util would refuse a value that begins with a hyphen, as that
 * of `--template` nearly always does.
 *
 * @returns the words; and where the options end at the first word that is none, those from there on
 */
export function joinValues(
  words: readonly string[],
  options: Options,
): { all: string[]; options: string[]; rest: string[] } {
  const { tokens } = parseArgs({ args: [...words], options, allowPositionals: true, strict: false, tokens: true });
  const joined = tokens.map((token) => {
    const word = words[token.index] ?? '';
    return token.kind === 'option' && token.inlineValue === false ? `${token.rawName}=${token.value}` : word;
  });
  const end = tokens.findIndex(({ kind }) => kind !== 'option');
  const first = tokens[end];
  return {
    all: joined,
    options: first === undefined ? joined : joined.slice(0, end),
    rest: first === undefined ? [] : words.slice(first.kind === 'option-terminator' ? first.index + 1 : first.index),
  };
}

/** What parseArgs says of a wrong option, in one sentence. */
export function describeOptionError(error: unknown): string {
  return error instanceof Error ? (error.message.split(/\.\s/)[0] ?? error.message) : String(error);
}
