import {
  Composer,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  type Node,
  type Pair,
  Parser,
  type Scalar,
  type YAMLParseError,
} from 'yaml';
import { didYouMean } from '../model/words/nearest.ts';
import type { Report } from './report.ts';
import type { Place, Source } from './source.ts';
import { quote } from './wording.ts';

/** Any value of a configuration, with its place. Aliases and merge keys are resolved. */
export type YamlNode = YamlScalar | YamlList | YamlMap;

export interface YamlScalar {
  readonly kind: 'scalar';
  readonly place: Place;
  /** The value as it is written, without YAML's conversions: `080` is `080`. Empty for null. */
  readonly text: string;
  /** True if the value is not quoted, so that it may be a number. */
  readonly plain: boolean;
  /** True for an empty value, `~` or `null`, which count as not given. */
  readonly isNull: boolean;
}

interface YamlList {
  readonly kind: 'list';
  readonly place: Place;
  readonly items: readonly YamlNode[];
}

export interface YamlEntry {
  readonly key: YamlScalar;
  readonly value: YamlNode;
}

interface YamlMap {
  readonly kind: 'map';
  readonly place: Place;
  /** No key stands twice. */
  readonly entries: readonly YamlEntry[];
}

/** What the lexer has seen, by offsets in the text. */
export interface Marks {
  /** The start of each quoted text that is never closed, by its end. */
  readonly openQuotes: ReadonlyMap<number, number>;
  /** Each bracket that is not part of a text, in their order. */
  readonly brackets: readonly number[];
}

export interface SyntaxMistake {
  readonly message: string;
  readonly place: Place;
  readonly hint: string;
}

/** Says what mistakes are. It is much code, which a start loads only where there are some. */
export interface SyntaxHelp {
  /** Words the errors of the YAML library, and points at what is to be changed. */
  describeSyntax(problem: YAMLParseError, source: Source, marks: Marks): SyntaxMistake;
  /** The mistake of a file that is written for another program. */
  foreignFile(source: Source): SyntaxMistake | undefined;
}

/** For a first reading, whose mistakes nobody sees. */
const noHelp: SyntaxHelp = {
  describeSyntax: ({ message, pos: [start, end] }, source) => ({ message, place: { source, start, end }, hint: '' }),
  foreignFile: () => undefined,
};

/** Deeper than any real configuration, and far below the depth that would overflow the stack of a recursive reader. */
const deepestNesting = 100;
/** Most values that aliases may add to a file, against bombs (a few lines that stand for billions of values). */
const mostAliasedValues = 1_000_000;
/** Most syntax errors that are looked at, of which many may be on one line. */
const mostProblems = 200;
/** Most syntax errors that are reported of one file, since one slip often makes the rest of the file look wrong. */
const mostSyntaxErrors = 20;

/**
 * Reads one file into its documents (most files have one, an empty one has none). Mistakes go to the report;
 * undefined where the file cannot be understood.
 */
export function parseYaml(source: Source, report: Report, help: SyntaxHelp = noHelp): readonly YamlNode[] | undefined {
  const binary = binaryOffset(source.text);
  if (binary !== undefined) {
    const what = source.text.charAt(binary) === '\0' ? 'a NUL byte' : 'bytes that are not UTF-8';
    report.error(
      'not-text',
      `this is not a text file: it holds ${what}`,
      { source, start: binary, end: binary + 1 },
      { hint: 'expected YAML text in UTF-8' },
    );
    return undefined;
  }

  const foreign = help.foreignFile(source);
  if (foreign !== undefined) {
    report.error('yaml-syntax', foreign.message, foreign.place, { hint: foreign.hint });
    return undefined;
  }
  const composed = compose(source, report);
  if (composed === undefined) return undefined;
  const { documents, marks } = composed;

  const errorLines = new Set<number>();
  const problems = documents.flatMap((document) => document.errors);
  // Errors behind a quote that is never closed are only its consequences.
  const openQuote = problems.find((problem) => isOpenQuote(problem));
  for (const problem of openQuote === undefined ? problems.slice(0, mostProblems) : [openQuote]) {
    const mistake = help.describeSyntax(problem, source, marks);
    const { line } = source.position(mistake.place.start, mistake.place.end);
    if (errorLines.has(line) || errorLines.size >= mostSyntaxErrors) continue;
    errorLines.add(line);
    report.error('yaml-syntax', mistake.message, mistake.place, { hint: mistake.hint });
  }
  if (errorLines.size > 0) return undefined;

  const errorsBefore = report.errorCount;
  const roots: YamlNode[] = [];
  for (const document of documents) {
    for (const warning of document.warnings) {
      if (warning.code !== 'TAG_RESOLVE_FAILED') continue;
      const place = { source, start: warning.pos[0], end: warning.pos[1] };
      report.error('yaml-tag', `unknown YAML tag ${quote(sliceOf(place))}`, place, {
        hint: 'expected a value without a tag; text that begins with "!" stands in quotes',
      });
    }
    if (document.contents !== null)
      roots.push(new DocumentWalk(source, report).convert(document.contents, { source, start: 0, end: 0 }));
  }
  return report.errorCount > errorsBefore ? undefined : roots;
}

/** Keeps the last entry of every key and warns about the others. */
export function withoutDuplicates(entries: readonly YamlEntry[], report: Report): readonly YamlEntry[] {
  const last = new Map<string, YamlEntry>();
  for (const entry of entries) {
    const name = entry.key.text;
    const earlier = last.get(name);
    last.set(name, entry);
    if (earlier === undefined) continue;
    const lines = [earlier, entry].map(({ key }) => lineOf(key.place));
    report.warning(
      'duplicate-key',
      `${quote(name)} stands twice, on line ${lines[0]} and on line ${lines[1]}; the last one counts`,
      entry.key.place,
      { related: { message: 'the one without effect is', place: earlier.key.place } },
    );
  }
  return last.size === entries.length ? entries : [...last.values()];
}

/** The place of a part of a scalar, as near as it can be known, since quoting and folding shift the text in the file. */
export function placeWithin(scalar: YamlScalar, index: number, length: number): Place {
  const { source, start, end } = scalar.place;
  const written = source.text.slice(start, end);
  for (const skipped of [0, 1]) {
    if (written.startsWith(scalar.text, skipped)) {
      const from = start + skipped + index;
      return { source, start: from, end: from + length };
    }
  }
  return scalar.place;
}

function lineOf(place: Place): number {
  return place.source.position(place.start, place.end).line;
}

function sliceOf(place: Place): string {
  return place.source.text.slice(place.start, place.end);
}

export function isOpenQuote(problem: YAMLParseError): boolean {
  return problem.code === 'MISSING_CHAR' && problem.message.includes('quote');
}

/** Text contains no NUL, and a decoder turns bytes that are not UTF-8 into U+FFFD. */
function binaryOffset(text: string): number | undefined {
  const index = text.search(/[\0\ufffd]/);
  return index < 0 ? undefined : index;
}

interface Composed {
  readonly documents: Document.Parsed[];
  readonly marks: Marks;
}

/** Drives the parser directly instead of parseAllDocuments, which would recurse without a bound on nesting. */
function compose(source: Source, report: Report): Composed | undefined {
  const parser = new Parser();
  const tokens = [];
  const openQuotes = new Map<number, number>();
  const brackets: number[] = [];
  for (const lexeme of new Lexer().lex(source.text)) {
    const start = parser.offset;
    for (const token of parser.next(lexeme)) tokens.push(token);
    // The lexer returns quoted text in one piece; if the quote is never closed, that piece reaches the end of the file.
    if (/^["']/.test(lexeme)) openQuotes.set(start + lexeme.length, start);
    // A bracket that is text comes in one piece with the rest of its text.
    if (/^[{}[\]]$/.test(lexeme)) brackets.push(start);
    if (parser.stack.length > deepestNesting) {
      report.error(
        'nested-too-deep',
        `values are nested more than ${deepestNesting} deep`,
        { source, start, end: start + 1 },
        { hint: 'expected sections of directives' },
      );
      return undefined;
    }
  }
  for (const token of parser.end()) tokens.push(token);
  const composer = new Composer({ version: '1.1', merge: true, uniqueKeys: false, logLevel: 'silent' });
  return { documents: [...composer.compose(tokens)], marks: { openQuotes, brackets } };
}

/** Walks one document in the order of its text, because an alias means the last anchor of its name before it. */
class DocumentWalk {
  readonly #source: Source;
  readonly #report: Report;
  /** What an anchor stands for; undefined while the value it names is still being read. */
  readonly #anchors = new Map<string, { readonly node: YamlNode; readonly size: number } | undefined>();
  #aliasedValues = 0;
  #bombReported = false;
  /** Values read so far, each alias counted with all that it stands for. */
  #size = 0;

  constructor(source: Source, report: Report) {
    this.#source = source;
    this.#report = report;
  }

  #placeOf(node: Node | null | undefined, fallback: Place): Place {
    const range = node?.range;
    return range == null ? fallback : { source: this.#source, start: range[0], end: Math.max(range[1], range[0]) };
  }

  convert(node: unknown, fallback: Place): YamlNode {
    this.#size += 1;
    if (isAlias(node)) return this.#resolveAlias(node.source, this.#placeOf(node, fallback));
    if (isScalar(node)) return this.#anchored(node.anchor, () => convertScalar(node, this.#placeOf(node, fallback)));
    if (isSeq(node)) {
      const place = this.#placeOf(node, fallback);
      return this.#anchored(node.anchor, () => ({
        kind: 'list',
        place,
        items: node.items.map((item) => this.convert(item, place)),
      }));
    }
    if (isMap(node)) {
      const place = this.#placeOf(node, fallback);
      return this.#anchored(node.anchor, () => ({
        kind: 'map',
        place,
        entries: this.#convertEntries(node.items, place),
      }));
    }
    return empty(fallback);
  }

  #anchored(anchor: string | undefined, build: () => YamlNode): YamlNode {
    if (anchor === undefined) return build();
    const before = this.#size;
    this.#anchors.set(anchor, undefined);
    const node = build();
    this.#anchors.set(anchor, { node, size: this.#size - before + 1 });
    return node;
  }

  #resolveAlias(name: string, place: Place): YamlNode {
    const target = this.#anchors.get(name);
    if (target === undefined) {
      if (this.#anchors.has(name)) {
        this.#report.error('recursive-alias', `the alias "*${name}" stands inside the value it refers to`, place, {
          hint: 'expected an alias of a value that ends before it',
        });
      } else {
        this.#report.error('unknown-alias', `the alias "*${name}" refers to nothing`, place, {
          hint: didYouMean(name, this.#anchors.keys()) ?? `expected "&${name}" before it`,
        });
      }
      return empty(place);
    }
    this.#size += target.size;
    this.#aliasedValues += target.size;
    if (this.#aliasedValues > mostAliasedValues) {
      if (!this.#bombReported) {
        this.#report.error(
          'too-many-aliases',
          `the aliases up to "*${name}" stand for more than ${mostAliasedValues} values`,
          place,
          { hint: 'expected fewer aliases of aliases' },
        );
      }
      this.#bombReported = true;
      return empty(place);
    }
    return target.node;
  }

  #convertEntries(pairs: readonly Pair<unknown, unknown>[], mapPlace: Place): readonly YamlEntry[] {
    const own: YamlEntry[] = [];
    const merged = new Map<string, YamlEntry>();
    for (const pair of pairs) {
      const key = this.convert(pair.key, mapPlace);
      const isMerge = isScalar(pair.key) && pair.key.type === 'PLAIN' && pair.key.source === '<<';
      const value = this.convert(pair.value, { ...key.place, start: key.place.end });
      if (isMerge) {
        for (const entry of this.#mergedEntries(value)) {
          if (!merged.has(entry.key.text)) merged.set(entry.key.text, entry);
        }
      } else if (key.kind === 'scalar') {
        own.push({ key, value });
      } else {
        this.#report.error('bad-key', 'a key is a list or a map', key.place, { hint: 'expected a name' });
      }
    }
    const unique = withoutDuplicates(own, this.#report);
    if (merged.size === 0) return unique;
    for (const entry of unique) merged.delete(entry.key.text);
    return [...merged.values(), ...unique];
  }

  #mergedEntries(value: YamlNode): readonly YamlEntry[] {
    const maps = value.kind === 'list' ? value.items : [value];
    return maps.flatMap((map) => {
      if (map.kind === 'map') return map.entries;
      this.#report.error('bad-merge', '"<<" merges maps, and this is none', map.place, {
        hint: 'expected an alias of a map, or a list of them',
      });
      return [];
    });
  }
}

function empty(place: Place): YamlScalar {
  return { kind: 'scalar', place, text: '', plain: true, isNull: true };
}

function convertScalar(node: Scalar, place: Place): YamlScalar {
  const plain = node.type === 'PLAIN';
  const text = node.source ?? '';
  const isNull = plain && node.tag === undefined && /^(?:~|null|Null|NULL)?$/.test(text);
  return { kind: 'scalar', place, text: isNull ? '' : text, plain, isNull };
}
