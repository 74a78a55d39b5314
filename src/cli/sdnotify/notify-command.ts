import { createExpander, ExpansionError } from '../../model/words/expand.ts';
import { splitWords } from '../../model/words/words.ts';

export interface NotifyCommandOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The NOTIFY_SOCKET that the command gets. */
  readonly socket: string;
  /** The NOTIFY_SOCKET that sdnotify-exec itself was given. */
  readonly outer: string | undefined;
  readonly pid: number;
  /** The template of SOCKET_ARGS, in words as a shell reads them. */
  readonly template: string;
}

/** A command that cannot be expanded; the message begins with "cannot". */
export class NotifyCommandError extends Error {}

export const defaultTemplate =
  '--env NOTIFY_SOCKET=/tmp/notify-%{PID}.sock -v %{NOTIFY_SOCKET}:/tmp/notify-%{PID}.sock';

const socketWords = '%{SOCKET_ARGS}';

/**
 * Expands `%{VAR}` in the words of a command, in all forms that a configuration has.
 *
 * A word stays one word, whatever its variables hold. Only the word `%{SOCKET_ARGS}` becomes those of the template, which is
 * split first and expanded then; inside a longer word, such as a command line for `sh -c`, it is text.
 *
 * @throws NotifyCommandError
 */
export function expandCommand(words: readonly string[], options: NotifyCommandOptions): readonly string[] {
  const { environment, socket, outer, pid, template } = options;
  const inherited = Object.entries(environment).map(([name, value = '']): [string, string] => [name, value]);
  const own = new Map([
    ['NOTIFY_SOCKET', socket],
    ['PID', String(pid)],
    ['SOCKET_ARGS', template],
  ]);
  if (outer !== undefined) own.set('ORIG_NOTIFY_SOCKET', outer);
  const expander = createExpander([{ values: new Map(inherited) }, { values: own }], {
    commandOutput: (command) => `\`${command}\``,
    prefix: '%',
    brackets: '{',
  });
  const templateWords = (): readonly string[] => {
    const split = splitWords(template);
    if (split.kind === 'words') return split.words.map(({ text }) => text);
    throw new NotifyCommandError(`cannot use the template: a ${split.quote} in it is never closed`);
  };
  return words
    .flatMap((word) => (word === socketWords ? templateWords() : word))
    .map((word) => {
      try {
        return expander.expand(word, { literalBackticks: true });
      } catch (error) {
        if (error instanceof ExpansionError) throw new NotifyCommandError(`cannot expand "${word}": ${error.message}`);
        throw error;
      }
    });
}
