/**
 * Files of variables, as EnvironmentFile= of systemd.exec(5) reads them. Nothing in them is expanded.
 *
 * What `docker run --env-file` writes, `NAME=VALUE` without quotes and backslashes, means the same; so does a line that only
 * names a variable, which takes the value that chaperone was started with.
 */

export interface EnvFile {
  /** In the order of the file; a later one of the same name counts. */
  readonly variables: readonly (readonly [string, string])[];
  /** Variables that are only named. */
  readonly named: readonly string[];
  /** The lines that are neither, counted from 1. */
  readonly ignored: readonly number[];
}

type State =
  | 'preKey'
  | 'key'
  | 'preValue'
  | 'value'
  | 'valueEscape'
  | 'single'
  | 'double'
  | 'doubleEscape'
  | 'comment'
  | 'commentEscape';

const variableName = /^[A-Za-z_][A-Za-z0-9_]*$/;
const isNewline = (character: string): boolean => character === '\n' || character === '\r';
const isSpace = (character: string): boolean => character === ' ' || character === '\t' || isNewline(character);
/** In double quotes a backslash protects only these (SHELL_NEED_ESCAPE). */
const escaped = '"\\`$';

/** Reads the text of such a file. The states are those of parse_env_file_internal() in systemd. */
export function parseEnvFile(text: string): EnvFile {
  const reader = new EnvFileReader();
  // Windows editors put a mark at the beginning.
  for (const character of text.replace(/^\uFEFF/, '')) reader.take(character);
  return reader.finish();
}

class EnvFileReader {
  readonly #variables: (readonly [string, string])[] = [];
  readonly #named: string[] = [];
  readonly #ignored: number[] = [];
  #state: State = 'preKey';
  #key = '';
  #value = '';
  /** The length of the value without unquoted space at its end. */
  #kept = 0;
  #line = 1;
  #keyLine = 1;

  take(character: string): void {
    this.#state = this.#next(character);
    if (character === '\n') this.#line += 1;
  }

  finish(): EnvFile {
    if (this.#state === 'key') this.#name();
    else if (!['preKey', 'comment', 'commentEscape'].includes(this.#state)) this.#push();
    return { variables: this.#variables, named: this.#named, ignored: this.#ignored };
  }

  #next(character: string): State {
    switch (this.#state) {
      case 'preKey':
        return this.#begin(character);
      case 'key':
        return this.#inKey(character);
      case 'preValue':
      case 'value':
        return this.#inValue(character, this.#state);
      case 'valueEscape':
        // An escaped newline joins two lines.
        return isNewline(character) ? 'value' : this.#add(character, 'value');
      case 'single':
        return character === "'" ? 'preValue' : this.#add(character, 'single');
      case 'double':
        if (character === '"') return 'preValue';
        return character === '\\' ? 'doubleEscape' : this.#add(character, 'double');
      case 'doubleEscape':
        if (escaped.includes(character)) return this.#add(character, 'double');
        return character === '\n' ? 'double' : this.#add(`\\${character}`, 'double');
      case 'comment':
        if (character === '\\') return 'commentEscape';
        return isNewline(character) ? 'preKey' : 'comment';
      case 'commentEscape':
        return isNewline(character) ? 'preKey' : 'comment';
    }
  }

  #begin(character: string): State {
    if (character === '#' || character === ';') return 'comment';
    if (isSpace(character)) return 'preKey';
    this.#key = character;
    this.#value = '';
    this.#kept = 0;
    this.#keyLine = this.#line;
    return 'key';
  }

  #inKey(character: string): State {
    if (isNewline(character)) {
      this.#name();
      return 'preKey';
    }
    if (character === '=') return 'preValue';
    this.#key += character;
    return 'key';
  }

  #inValue(character: string, state: 'preValue' | 'value'): State {
    if (isNewline(character)) {
      this.#push();
      return 'preKey';
    }
    if (character === '\\') {
      if (state === 'value') this.#kept = this.#value.length;
      return 'valueEscape';
    }
    if (state === 'preValue') {
      if (character === "'") return 'single';
      if (character === '"') return 'double';
      return isSpace(character) ? 'preValue' : this.#add(character, 'value');
    }
    if (!isSpace(character)) return this.#add(character, 'value');
    this.#value += character;
    return 'value';
  }

  #add(characters: string, next: State): State {
    this.#value += characters;
    this.#kept = this.#value.length;
    return next;
  }

  #name(): void {
    const key = this.#key.trimEnd();
    if (variableName.test(key)) this.#named.push(key);
    else this.#ignored.push(this.#keyLine);
  }

  #push(): void {
    const key = this.#key.trimEnd();
    if (variableName.test(key)) this.#variables.push([key, this.#value.slice(0, this.#kept)]);
    else this.#ignored.push(this.#keyLine);
  }
}
