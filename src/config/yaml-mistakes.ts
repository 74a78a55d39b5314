/** Words the YAML library's errors for somebody who does not know YAML's grammar, and points at what is to be changed. */
import type { YAMLParseError } from 'yaml';
import { isOpenQuote, type Marks, type SyntaxMistake } from './parse-yaml.ts';
import type { Place, Source } from './source.ts';
import { quote } from './wording.ts';

export function describeSyntax(problem: YAMLParseError, source: Source, marks: Marks): SyntaxMistake {
  const [start, end] = problem.pos;
  const place: Place = { source, start, end: Math.max(end, start + 1) };
  const found = quote(source.text.slice(place.start, place.end).split('\n', 1)[0] ?? '');
  switch (problem.code) {
    case 'MISSING_CHAR':
      return missingCharacter(problem, place, marks) ?? keyAlone(problem, place, found);
    case 'MULTILINE_IMPLICIT_KEY':
      return (
        (openBracketAt(start, source, marks) === undefined ? indentedTooFar(place) : commaWithin(place)) ?? {
          message: 'a key goes on over several lines',
          place,
          hint: 'expected "KEY: VALUE" on this line',
        }
      );
    case 'BAD_INDENT':
      return problem.message.startsWith('Flow') ? unclosedBracket(problem, place, marks) : wrongIndentation(place);
    case 'BLOCK_AS_IMPLICIT_KEY':
      return indentedTooFar(place) ?? secondColon(place);
    case 'BLOCK_IN_FLOW':
      return (
        commaWithin(place) ?? {
          message: 'a "," is missing inside { } or [ ]',
          place,
          hint: 'expected a comma between two entries',
        }
      );
    case 'BAD_SCALAR_START':
      return { message: `a value cannot begin with ${found}`, place, hint: 'expected quotes around the value' };
    case 'BAD_DQ_ESCAPE':
      return {
        message: `unknown escape ${quote(source.text.slice(start, start + 2))} in double quotes`,
        place,
        hint: 'expected "\\\\" for a backslash, or single quotes',
      };
    case 'UNEXPECTED_TOKEN':
      return {
        message: `unexpected ${found}`,
        place,
        hint: 'expected the end of the value; quotes go around all of it, or around none of it',
      };
    default:
      return { message: lowered(problem.message), place, hint: 'expected valid YAML' };
  }
}

/** The first line of a file in the format of systemd or supervisord. */
export function foreignFile(source: Source): SyntaxMistake | undefined {
  const match =
    /^(?:[ \t]*(?:[#;][^\n]*)?\r?\n)*(\[[\w:.-]+\])[ \t]*\r?\n(?:[ \t]*(?:[#;][^\n]*)?\r?\n)*\w+[ \t]*=/.exec(
      source.text,
    );
  const header = match?.[1];
  if (header === undefined) return undefined;
  const start = source.text.indexOf(header);
  return {
    message: `${quote(header)} begins a section as systemd and supervisord write it, and this is no YAML`,
    place: { source, start, end: start + header.length },
    hint: 'expected "NAME.service:", and lines such as "KEY: VALUE" below it, indented',
  };
}

function missingCharacter(problem: YAMLParseError, place: Place, marks: Marks): SyntaxMistake | undefined {
  const { source, start } = place;
  const opening = marks.openQuotes.get(start);
  if (isOpenQuote(problem) && opening !== undefined) {
    const mark = source.text.charAt(opening);
    return {
      message: 'this quoted text is never closed',
      place: { source, start: opening, end: opening + 1 },
      hint: `expected a closing ${mark}`,
    };
  }
  if (!problem.message.includes('between flow')) return undefined;
  const before = contentEnd(source.text, start);
  return before === undefined ? undefined : missingComma(source, before, firstWord(source.text.slice(start)));
}

function keyAlone(problem: YAMLParseError, place: Place, found: string): SyntaxMistake {
  const message = problem.message.startsWith('Implicit') ? `no value after ${found}` : lowered(problem.message);
  return { message, place, hint: 'expected "KEY: VALUE"' };
}

/** A comma is missing where the value before ends, and not where the next one begins, perhaps lines below. */
function missingComma(source: Source, at: number, next: string): SyntaxMistake {
  return {
    message: `a "," is missing here, before ${quote(next.replace(/^["']|["']$/g, ''))}`,
    place: { source, start: at, end: at + 1 },
    hint: 'expected "," between two entries of { } or [ ]',
  };
}

/** A value without quotes has swallowed the key behind it: the comma is missing before that key. */
function commaWithin({ source, start }: Place): SyntaxMistake | undefined {
  const match = /^([^{}[\],]*?)\s+([^\s:{}[\],]+)[ \t]*:(?=\s|$)/.exec(source.text.slice(start));
  if (match === null) return undefined;
  const [, value = '', key = ''] = match;
  return missingComma(source, start + value.length, key);
}

/** The value of the line before has swallowed this line, which stands further to the right than the key of that value. */
function indentedTooFar({ source, start }: Place): SyntaxMistake | undefined {
  const { text } = source;
  const match = /^[^\n]*\n(?:[^\n]*\n)*?( *)([^\s:][^\n:]*):(?= |\n|\r|$)/.exec(text.slice(start));
  if (match === null) return undefined;
  const [whole, indent = '', key = ''] = match;
  const lineStart = text.lastIndexOf('\n', start - 1) + 1;
  const keyColumn = (/^[ ]*(?:- +)*/.exec(text.slice(lineStart, start))?.[0].length ?? 0) + 1;
  if (indent.length + 1 <= keyColumn) return undefined;
  const keyStart = start + whole.length - key.length - 1;
  const before = firstWord(text.slice(lineStart + keyColumn - 1)).replace(/:$/, '');
  return {
    message: `the line of ${quote(key)} is indented too far: it counts as a part of the value before it`,
    place: { source, start: keyStart, end: keyStart + key.length },
    hint: `expected it in column ${keyColumn}, as ${quote(before)} above`,
  };
}

/** A line that is in no column of the blocks it may belong to: the nearest of those columns is what was meant. */
function wrongIndentation(place: Place): SyntaxMistake {
  const { source, start } = place;
  const { text } = source;
  const lineStart = text.lastIndexOf('\n', Math.max(0, start - 1)) + 1;
  const from = text.charAt(start) === '\n' ? start + 1 : lineStart;
  const line = text.slice(from).split('\n', 1)[0] ?? '';
  const indent = line.length - line.trimStart().length;
  const key = firstWord(line);
  const message = 'wrong indentation';
  if (key === '') return { message, place, hint: 'expected the same column as the lines it belongs to' };
  const at: Place = { source, start: from + indent, end: from + indent + key.length };
  let least = Number.POSITIVE_INFINITY;
  let best: { readonly column: number; readonly word: string } | undefined;
  const above = text
    .slice(Math.max(0, from - longestBlock), from)
    .split('\n')
    .reverse();
  for (const other of above) {
    const column = other.length - other.trimStart().length;
    if (other.trim() === '' || other.trimStart().startsWith('#') || column >= least) continue;
    least = column;
    if (best === undefined || Math.abs(column - indent) < Math.abs(best.column - indent))
      best = { column, word: firstWord(other) };
  }
  if (best === undefined) return { message, place: at, hint: 'expected the same column as the lines it belongs to' };
  return { message, place: at, hint: `expected it in column ${best.column + 1}, as ${quote(best.word)} above` };
}

/** Characters before a line in which the lines are looked for that it may belong to. */
const longestBlock = 10_000;

function secondColon({ source, start }: Place): SyntaxMistake {
  const line = source.text.slice(start).split('\n', 1)[0] ?? '';
  return {
    message: 'a second ":" in one line',
    place: { source, start, end: start + Math.max(1, line.trimEnd().length) },
    hint: 'expected quotes around a value that holds ": "',
  };
}

function unclosedBracket(problem: YAMLParseError, place: Place, marks: Marks): SyntaxMistake {
  const { source, start } = place;
  const opening = openBracketAt(start, source, marks);
  const wanted = problem.message.includes('map') ? '}' : ']';
  if (opening === undefined)
    return {
      message: `a "${wanted === '}' ? '{' : '['}" before this place is not closed, or its content is not indented`,
      place,
      hint: `expected a closing "${wanted}"`,
    };
  const bracket = source.text.charAt(opening);
  const { line } = source.position(start, start + 1);
  return {
    message: `this "${bracket}" is not closed before line ${line}, or what stands in it is not indented there`,
    place: { source, start: opening, end: opening + 1 },
    hint: `expected a closing "${bracket === '{' ? '}' : ']'}"`,
  };
}

/** The innermost bracket that is open at an offset. */
function openBracketAt(offset: number, { text }: Source, { brackets }: Marks): number | undefined {
  const open: number[] = [];
  for (const bracket of brackets) {
    if (bracket >= offset) break;
    if (/[{[]/.test(text.charAt(bracket))) open.push(bracket);
    else open.pop();
  }
  return open.at(-1);
}

/** Where the content before an offset ends: white space and comments are skipped. */
function contentEnd(text: string, offset: number): number | undefined {
  let end = offset;
  for (;;) {
    const trimmed = text.slice(0, end).trimEnd();
    const lineStart = trimmed.lastIndexOf('\n') + 1;
    const comment = /(?:^|[ \t])#[^"']*$/.exec(trimmed.slice(lineStart));
    if (comment === null) return trimmed.length === 0 ? undefined : trimmed.length;
    end = lineStart + comment.index;
  }
}

function firstWord(text: string): string {
  return /^\s*("[^"\n]*"|'[^'\n]*'|[^\s,{}[\]]*)/.exec(text)?.[1]?.replace(/:$/, '') ?? '';
}

function lowered(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1);
}
