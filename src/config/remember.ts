import { codeOf } from '../model/words/errno.ts';
import type { ConfigReader } from './reader.ts';

/** A question about a path that is asked once; errors with a `code` are answers, too. */
export interface Remembered<Answer> {
  (path: string): Answer;
  /** Lets the question be asked anew about these paths. */
  forget(isMeant: (path: string) => boolean): void;
}

export function remembered<Answer>(ask: (path: string) => Answer): Remembered<Answer> {
  const answers = new Map<string, () => Answer>();
  const asked = (path: string): Answer => {
    const known = answers.get(path) ?? answerOf(() => ask(path));
    answers.set(path, known);
    return known();
  };
  const forget = (isMeant: (path: string) => boolean): void => {
    for (const path of answers.keys()) if (isMeant(path)) answers.delete(path);
  };
  return Object.assign(asked, { forget });
}

/** A reader that gives the same answers again, whatever has become of the files: a configuration is what it was when it was read. */
export function remembering(reader: ConfigReader): ConfigReader {
  return {
    stat: remembered((path) => reader.stat(path)),
    list: remembered((path) => reader.list(path)),
    read: remembered((path) => reader.read(path)),
  };
}

function answerOf<Answer>(ask: () => Answer): () => Answer {
  try {
    const answer = ask();
    return () => answer;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return () => {
      throw error;
    };
  }
}
