/** Describes a program, or a verb of one: name, parameters and notes. Help, man pages and completions are made from it. */
import { flag, optionTitle, type Parameter } from '../model/words/parameter.ts';
import { wrap } from '../model/words/wrap.ts';

export interface CommandHelp {
  /** One line without a period, for lists and man pages. */
  readonly summary: string;
  /** The words behind the options in the usage line; several if there are several forms. */
  readonly usages: readonly string[];
  /** Whole sentences that describe the command. Where they are absent, the summary is shown instead. */
  readonly description?: string;
  /** All options but --help, which every command has. */
  readonly options: readonly Parameter<unknown>[];
  /** The words that the command takes, and what shells complete them with. */
  readonly operands: 'none' | 'words' | 'services' | 'files' | 'command';
  /** The words that shells offer as the last word, behind the names of services where there are any. */
  readonly offers?: readonly string[];
  /** Further notes. */
  readonly notes?: string;
  readonly exit: string;
  /** True: no empty line stands between the usage and the text behind it. */
  readonly dense?: true;
}

export const help = flag('help', 'print this text');
export const version = flag('version', 'print the version');
/** The option --version of programs whose originals have no such option. */
export const addedVersion: Parameter<boolean> = { ...version, added: true };

const screenWidth = 80;
const widestTitle = 22;

/** All options of a command. */
export function optionsOf({ options }: CommandHelp): readonly Parameter<unknown>[] {
  return options.some(({ name }) => name === help.name) ? options : [...options, help];
}

/** @param name what it is called: `envcp`, `chaperonectl check` */
export function helpText(name: string, command: CommandHelp): string {
  const { usages, description, summary, notes, exit, dense } = command;
  const options = command.options.length === 0 ? '' : ' [options]';
  const lines = usages.map(
    (usage, index) => `${index === 0 ? 'usage:' : '      '} ${`${name}${options} ${usage}`.trim()}\n`,
  );
  const told = description ?? `${wrap(`${sentence(summary)}.`, screenWidth).join('\n')}\n`;
  const parts = [told, optionLines(optionsOf(command)), `${notes === undefined ? '' : `${notes}`}${exit}`];
  return breakWide(`${lines.join('')}${dense === true ? '' : '\n'}${parts.join('\n')}`);
}

/** Breaks paragraphs with a line that is wider than the screen anew. An indented or an empty line ends a paragraph, as the exit status does. */
export function breakWide(text: string): string {
  return text.replace(/^\S.*\n(?:(?!Exit status)\S.*\n)*/gm, (paragraph) =>
    paragraph.split('\n').every((line) => line.length <= screenWidth)
      ? paragraph
      : `${wrap(paragraph.trimEnd().replaceAll('\n', ' '), screenWidth).join('\n')}\n`,
  );
}

export function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

/** `-v, --verbose`. */
export function fullTitle(parameter: Parameter<unknown>): string {
  return `${parameter.short === undefined ? '' : `-${parameter.short}, `}${optionTitle(parameter)}`;
}

/** Lists options, each on one line, or on more where its summary is longer. */
function optionLines(options: readonly Parameter<unknown>[]): string {
  const rows = options
    .filter(({ beside }) => beside === undefined)
    .map((parameter): readonly [string, string] => {
      const others = options.filter(({ beside }) => beside?.option === parameter.name);
      const more = others.map((other) => `; ${optionTitle(other)}: ${other.beside?.briefly}`);
      return [fullTitle(parameter), `${parameter.summary}${more.join('')}`];
    });
  return table(rows);
}

/** Two columns; what is wider than the first has a line of its own. */
export function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([title]) => (title.length <= widestTitle ? title.length : 0)));
  const margin = ' '.repeat(width + 4);
  return rows
    .map(([title, text]) => {
      const lines = wrap(text, screenWidth - margin.length).join(`\n${margin}`);
      return title.length <= width ? `  ${title.padEnd(width)}  ${lines}\n` : `  ${title}\n${margin}${lines}\n`;
    })
    .join('');
}
