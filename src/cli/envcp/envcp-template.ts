import { constants } from 'node:buffer';
import { closingBracket, createExpander, type Expander, ExpansionError } from '../../model/words/expand.ts';

/** What begins a form, and what a command in backticks gives. */
export interface TemplateOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Not empty. */
  readonly prefix: string;
  /** One or more of `(`, `{` and `[`. */
  readonly brackets: string;
  /** Absent: backticks are characters like any other. */
  readonly runCommand?: (command: string, place: string) => string;
}

interface Place {
  readonly input: Buffer;
  readonly file: string;
  /** Bytes from the start of the input. */
  readonly offset: number;
}

/** Text that cannot be expanded; the message begins with its place, `FILE:LINE:COLUMN`. */
export class TemplateError extends Error {}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * A function that expands the forms in a file's bytes. What lies outside of forms passes byte for byte, whatever its
 * encoding; values are put in as UTF-8. Every form is expanded by itself, so that the bounds of an expansion
 * count for each and not for the file. The values come from outside, and are put in as they are.
 *
 * The returned function throws TemplateError.
 */
export function createTemplateExpander(options: TemplateOptions): (input: Buffer, file: string) => Buffer {
  const { prefix, brackets, runCommand } = options;
  // In Latin-1 a byte is a character: positions in the text are positions in the file.
  const prefixBytes = toBytewise(prefix);
  const start = `(\\\\?)${escapeRegex(prefixBytes)}[${escapeRegex(brackets)}]${runCommand === undefined ? '' : '|`'}`;
  const onlyCommand = /^\s*`[^`]*`\s*$/;
  let current: Place = { input: Buffer.alloc(0), file: '', offset: 0 };

  const variables = Object.entries(options.environment).map(([name, value = '']): [string, string] => [name, value]);
  const commandOutput = (command: string): string => runCommand?.(command, placeOf(current)) ?? `\`${command}\``;
  const textual = createExpander([{ values: new Map(variables), data: 'literal' }], {
    commandOutput,
    prefix,
    brackets,
  });
  let bytewise: Expander | undefined;

  function expandForm(bytes: Buffer): Buffer {
    let form: string;
    try {
      form = decoder.decode(bytes);
    } catch {
      const values = new Map(variables.map(([name, value]) => [toBytewise(name), toBytewise(value)]));
      bytewise ??= createExpander([{ values, data: 'literal' }], {
        commandOutput: (command) => toBytewise(commandOutput(Buffer.from(command, 'latin1').toString())),
        prefix: prefixBytes,
        brackets,
      });
      return Buffer.from(bytewise.expand(bytes.toString('latin1')), 'latin1');
    }
    return Buffer.from(textual.expand(form));
  }

  return (input, file) => {
    if (!input.includes(prefix) && (runCommand === undefined || !input.includes('`'))) return input;
    if (input.length > constants.MAX_STRING_LENGTH) {
      throw new TemplateError(`${file}:1:1: a file with variables may have 512 MiB at most`);
    }
    const text = input.toString('latin1');
    const chunks: Buffer[] = [];
    let copied = 0;
    const search = new RegExp(start, 'g');
    for (let match = search.exec(text); match !== null; match = search.exec(text)) {
      const escaped = (match[1] ?? '') !== '';
      const isCommand = match[0] === '`';
      const open = search.lastIndex - 1;
      const close = escaped ? -1 : isCommand ? text.indexOf('`', open + 1) : closingBracket(text, open);
      if (escaped) {
        chunks.push(input.subarray(copied, match.index));
        copied = match.index + 1;
      } else if (close < 0) {
        // As in the configuration: after a form that is not closed everything stays as it is.
        if (!isCommand) break;
      } else {
        search.lastIndex = close + 1;
        if (runCommand === undefined && onlyCommand.test(text.slice(open + 1, close))) continue;
        current = { input, file, offset: match.index };
        chunks.push(input.subarray(copied, match.index), attempt(input.subarray(match.index, close + 1)));
        copied = close + 1;
      }
    }
    return chunks.length === 0 ? input : Buffer.concat([...chunks, input.subarray(copied)]);
  };

  function attempt(form: Buffer): Buffer {
    try {
      return expandForm(form);
    } catch (error) {
      if (!(error instanceof ExpansionError)) throw error;
      throw new TemplateError(`${placeOf(current)}: ${error.message}`);
    }
  }
}

function toBytewise(text: string): string {
  return Buffer.from(text).toString('latin1');
}

function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

/** Lines and columns count from 1; a column is a character. */
function placeOf({ input, file, offset }: Place): string {
  let line = 1;
  let lineStart = 0;
  for (let end = input.indexOf(10); end >= 0 && end < offset; end = input.indexOf(10, lineStart)) {
    line += 1;
    lineStart = end + 1;
  }
  return `${file}:${line}:${[...input.toString('utf8', lineStart, offset)].length + 1}`;
}
