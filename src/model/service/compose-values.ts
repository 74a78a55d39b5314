/** Makes the environment of a start from what was read for it. Values are data: nothing in them is expanded or run. */
import { parseEnvFile } from '../words/env-file.ts';
import { createExpander, ExpansionError, type Level } from '../words/expand.ts';
import { commandKey, isOwnVariable } from './late-environment.ts';
import { errnoReasons } from './spawn-error.ts';
import { type FileResult, largestValueFile, requestsFor, type ValueSources } from './value-sources.ts';

export type ComposedValues =
  | {
      readonly ok: true;
      readonly environment: Readonly<Record<string, string>>;
      /** The variables whose values come from files, or hold such values: they are not to be shown. */
      readonly hidden: ReadonlySet<string>;
      /** Lines of files of variables that say nothing. */
      readonly ignored: readonly { readonly path: string; readonly lines: readonly number[] }[];
    }
  /** `detail` continues "cannot ". */
  | { readonly ok: false; readonly code: string; readonly detail: string };

/** The most bytes of `NAME=VALUE` that execve(2) takes (MAX_ARG_STRLEN). */
const longestVariable = 131_071;
const encoder = new TextEncoder();

type Failure = Extract<ComposedValues, { readonly ok: false }>;
type Values = Map<string, string>;

/** Ends the composition with what is wrong. */
class ValueProblem extends Error {
  readonly failure: Failure;

  constructor(code: string, detail: string) {
    super(detail);
    this.failure = { ok: false, code, detail };
  }
}

/**
 * @param results in the order of `requestsFor`
 * @param known the variables of this run
 */
export function composeValues(
  sources: ValueSources,
  results: readonly FileResult[],
  known: Readonly<Record<string, string>>,
): ComposedValues {
  try {
    return compose(sources, results, known);
  } catch (error) {
    if (error instanceof ValueProblem) return error.failure;
    throw error;
  }
}

function compose(
  sources: ValueSources,
  results: readonly FileResult[],
  known: Readonly<Record<string, string>>,
): ComposedValues {
  const paths = requestsFor(sources).map(({ path }) => path);
  const rest = results.map((result, index) => ({ result, path: paths[index] ?? '' }));
  const folder = sources.envDir === undefined ? undefined : rest.shift();
  const { values: fromFolder, dropped } = folder === undefined ? emptyFolder : readFolder(folder);
  const ignored: { path: string; lines: readonly number[] }[] = [];
  const fromFiles: Values = new Map();
  const inherited = sources.levels[0]?.values ?? new Map<string, string>();
  for (const { optional } of sources.envFiles) {
    const file = rest.shift();
    const text = file === undefined ? undefined : textOf('env_file', file, optional);
    if (file === undefined || text === undefined) continue;
    if (/[\uDC80-\uDCFF]/.test(text))
      throw new ValueProblem('EILSEQ', `read env_file ${file.path}: it is not UTF-8 text`);
    const read = parseEnvFile(text);
    for (const name of read.named) {
      const value = inherited.get(name);
      if (value !== undefined) fromFiles.set(name, value);
    }
    for (const [name, value] of read.variables) fromFiles.set(name, value);
    if (read.ignored.length > 0) ignored.push({ path: file.path, lines: read.ignored });
  }
  const secrets: Values = new Map();
  for (const { name } of sources.secrets) {
    const file = rest.shift();
    const text = file === undefined ? undefined : textOf(`the secret ${name}`, file, false);
    if (text !== undefined) secrets.set(name, text.replace(/\n$/, ''));
  }
  for (const { name, path } of sources.places) {
    const file = rest.shift();
    if (file !== undefined) textOf(`the secret ${name}`, file, false);
    secrets.set(name, path);
  }
  const { levels, outer } = sources;
  const section = levels[outer]?.section;
  const common = { data: 'literal', ...(section === undefined ? {} : { section }) } as const;
  const all: readonly Level[] = [
    ...levels.slice(0, outer),
    { ...common, values: fromFolder, drops: dropped },
    { ...common, values: fromFiles },
    ...levels.slice(outer),
    { ...common, values: secrets },
    { values: new Map(Object.entries(known)), data: 'literal' },
  ];
  const secretNames = sources.secrets.map(({ name }) => name);
  return {
    ok: true,
    ...expandAll(all, sources, [...fromFolder.keys(), ...fromFiles.keys(), ...secretNames], known),
    ignored,
  };
}

/** Every variable that can be seen, expanded. */
function expandAll(
  levels: readonly Level[],
  { levels: configured, outer, outputs }: ValueSources,
  read: readonly string[],
  known: Readonly<Record<string, string>>,
): { readonly environment: Readonly<Record<string, string>>; readonly hidden: ReadonlySet<string> } {
  const expander = createExpander(levels, {
    late: new Set(read.filter((name) => !Object.hasOwn(known, name))),
    commandOutput: (command, level = 0) => {
      // Behind the outer levels stand two that were read.
      const account = configured[level <= outer ? level : level - 2]?.account;
      return outputs.get(commandKey(command, account));
    },
  });
  const final: [string, string][] = [];
  const hidden = new Set<string>();
  for (const name of expander.names()) {
    if (isOwnVariable(name)) continue;
    const value = expanded(name, () => expander.variable(name));
    if (expander.wasLate) hidden.add(name);
    if (value === '' && (name === 'USER' || name === 'LOGNAME')) continue;
    if (encoder.encode(value).length + name.length >= longestVariable)
      throw new ValueProblem('E2BIG', `pass ${name} on: it is longer than 128 KiB`);
    final.push([name, value]);
  }
  return { environment: Object.fromEntries(final), hidden };
}

/** What an expansion says of its failure may hold values, so it is not told. */
function expanded(name: string, expand: () => string | undefined): string {
  try {
    return expand() ?? '';
  } catch (error) {
    if (!(error instanceof ExpansionError)) throw error;
    const what =
      error.code === 'EXPANSION_REQUIRED'
        ? 'a variable that it requires is not set'
        : error.code === 'EXPANSION_LATE_COMMAND' || error.code === 'EXPANSION_PENDING'
          ? 'its command in backticks depends on what is read at the start'
          : 'what it says cannot be done with these values';
    throw new ValueProblem(error.code, `expand ${name} of env_set: ${what}`);
  }
}

interface Read {
  readonly result: FileResult;
  readonly path: string;
}

const emptyFolder = { values: new Map<string, string>(), dropped: [] as readonly string[] };

/** As envdir(8): the first line counts, without space at its end; NUL bytes stand for newlines, and an empty file drops the variable. */
function readFolder(folder: Read): typeof emptyFolder {
  const { result, path } = folder;
  if (!result.ok) throw problem('env_dir', path, result);
  const values: Values = new Map();
  const dropped: string[] = [];
  for (const [name, text] of result.texts) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      throw new ValueProblem('EINVAL', `read env_dir ${path}: ${JSON.stringify(name)} is no name of a variable`);
    if (text === '') dropped.push(name);
    else values.set(name, (text.split('\n', 1)[0] ?? '').replace(/[ \t]+$/, '').replaceAll('\0', '\n'));
  }
  return { values, dropped };
}

/** The text of a file; undefined where it may be missing, and is. */
function textOf(what: string, { result, path }: Read, optional: boolean): string | undefined {
  if (!result.ok) {
    if (optional && (result.code === 'ENOENT' || result.code === 'ENOTDIR')) return undefined;
    throw problem(what, path, result);
  }
  const text = result.texts[0]?.[1] ?? '';
  if (text.includes('\0')) throw new ValueProblem('EINVAL', `read ${what} ${path}: it is binary, and holds a NUL byte`);
  return text;
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  EISDIR: 'it is a directory',
  ENOTDIR: 'it is no directory',
  EFBIG: `it is larger than ${largestValueFile / 1024 / 1024} MiB`,
};

function problem(what: string, path: string, result: Extract<FileResult, { readonly ok: false }>): ValueProblem {
  const { code, reason } = result;
  const told = reason ?? `${reasons[code] ?? errnoReasons[code] ?? code} (${code})`;
  const where = result.path === undefined || result.path === path ? path : `${path}: ${result.path}`;
  return new ValueProblem(code, `read ${what} ${where}: ${told}`);
}
