/** The templates of envcp: an input is one. What it becomes has to be what the configuration would make of the text. */
import { createTemplateExpander, TemplateError } from '../../src/cli/envcp/envcp-template.ts';
import { createExpander, ExpansionError } from '../../src/model/words/expand.ts';
import { check } from './target.ts';

export const dictionary = [
  ...['$(', '${', '$[', ')', '}', ']', '`', '"', '\\$(', '\\', '|', '/', '\n', '\r\n', 'ä', '\u{1f600}', '\0', 'ÿ'],
  ...['$(A)', '${', '$(U:-', '$(A:|v*|', '$(B:/', '/\\1/)', '$(`', '`)', ':?no)', ':+', ':_'],
];

const environment = { A: 'value', B: '$(A) `x`', C: 'grüß', D: '$(D)$(E)', E: '$(D)', F: 'ü\u{1f600}' };
const runCommand = (command: string): string => `<${command}>`;
const variables = new Map(Object.entries(environment));

export function fuzz(data: Buffer): void {
  const withCommands = convert(data, true);
  convert(data, false);
  const text = data.toString();
  if (withCommands === undefined || !Buffer.from(text).equals(data)) return;
  try {
    const expected = createExpander([{ values: variables, data: 'literal' }], { commandOutput: runCommand }).expand(
      text,
    );
    check(withCommands.equals(Buffer.from(expected)), 'envcp gives what an expansion of the whole text gives');
  } catch (error) {
    // The bounds count for the whole text there, and for each form here.
    if (!(error instanceof ExpansionError) || error.code !== 'EXPANSION_TOO_LARGE') throw error;
  }
}

function convert(data: Buffer, shell: boolean): Buffer | undefined {
  const options = { environment, prefix: '$', brackets: '({', ...(shell ? { runCommand } : {}) };
  try {
    const result = createTemplateExpander(options)(data, 'input');
    if (!data.includes('$') && !data.includes('`')) check(result.equals(data), 'plain bytes are unchanged');
    return result;
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    check(/^input:[1-9]\d*:[1-9]\d*: /.test(error.message), 'an error has a place');
    return undefined;
  }
}
