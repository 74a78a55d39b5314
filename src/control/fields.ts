/** Reads parameters of HTTP requests: fields of a JSON body, parameters of a query. */
import { isObject } from '../model/words/json.ts';
import { fieldName, type Given, type Parameter } from '../model/words/parameter.ts';
import { limits } from './limits.ts';
import type { Schema } from './schema.ts';

export interface Fields {
  readonly parameters: readonly Parameter<unknown>[];
  /** Parameters that must be given. */
  readonly required: readonly Parameter<unknown>[];
}

export type FieldsResult =
  | { readonly kind: 'given'; readonly given: Given }
  | { readonly kind: 'mistake'; readonly message: string };

/** Reads the JSON of a body. An empty body is an empty object. */
export function readBody(bytes: Uint8Array, fields: Fields): FieldsResult {
  let body: unknown = {};
  if (bytes.length > 0) {
    try {
      body = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    } catch {
      return { kind: 'mistake', message: 'the body is not JSON' };
    }
  }
  if (!isObject(body)) return { kind: 'mistake', message: 'the body is not a JSON object' };
  return readFields(Object.entries(body), fields);
}

/** Reads the parameters of a query; a list may stand as several parameters of one name. */
export function readQuery(query: URLSearchParams, fields: Fields): FieldsResult {
  if (query.size > limits.parameters) {
    return { kind: 'mistake', message: `the query has more than ${limits.parameters} parameters` };
  }
  const byName = new Map<string, string[]>();
  for (const [name, text] of query) {
    const texts = byName.get(name);
    if (texts === undefined) byName.set(name, [text]);
    else texts.push(text);
  }
  const entries: [string, unknown][] = [];
  for (const [name, texts] of byName) {
    const text = texts.at(-1) ?? '';
    switch (fields.parameters.find((parameter) => fieldName(parameter) === name)?.json) {
      case 'strings':
        entries.push([name, texts]);
        break;
      case 'number':
        entries.push([name, text === '' ? Number.NaN : Number(text)]);
        break;
      case 'boolean':
        entries.push([name, text === '' || text === 'true' ? true : text === 'false' ? false : text]);
        break;
      case 'string':
      case undefined:
        entries.push([name, text]);
    }
  }
  return readFields(entries, fields);
}

function readFields(entries: readonly (readonly [string, unknown])[], { parameters, required }: Fields): FieldsResult {
  const found = new Map<string, unknown>();
  for (const [name, value] of entries) {
    const parameter = parameters.find((candidate) => fieldName(candidate) === name);
    if (parameter === undefined) {
      return { kind: 'mistake', message: `unknown field ${JSON.stringify(name.slice(0, 100))}` };
    }
    if (value === null || value === undefined) continue;
    // A list has a bound where its words are used; a program's argument may be long.
    if (typeof value === 'string' && value.length > limits.word) {
      return { kind: 'mistake', message: `${fieldName(parameter)} is longer than ${limits.word} characters` };
    }
    if (parameter.readJson(value) === undefined) return { kind: 'mistake', message: wrongField(parameter, value) };
    found.set(name, value);
  }
  const missing = required.find((parameter) => !found.has(fieldName(parameter)));
  if (missing !== undefined) return { kind: 'mistake', message: `${fieldName(missing)} is missing` };
  const given: Given = {
    has: (parameter) => found.has(fieldName(parameter)),
    get: (parameter) => {
      const value = found.get(fieldName(parameter));
      return value === undefined ? parameter.absent : (parameter.readJson(value) ?? parameter.absent);
    },
  };
  return { kind: 'given', given };
}

function wrongField(parameter: Parameter<unknown>, value: unknown): string {
  const { json, choices, expects } = parameter;
  const name = fieldName(parameter);
  if (choices !== undefined) return `${name} is not one of ${choices.join(', ')}`;
  switch (json) {
    case 'boolean':
      return `${name} is not true or false`;
    case 'number':
      return `${name} is not ${expects}, 0 or more`;
    case 'string':
      return typeof value === 'string' ? parameter.wrong(value) : `${name} is not a text`;
    case 'strings':
      return `${name} is not a list of texts`;
  }
}

export function fieldSchema({ json, summary, choices }: Parameter<unknown>): Schema {
  const described = { description: summary };
  if (choices !== undefined) return { type: 'string', enum: choices, ...described };
  switch (json) {
    case 'strings':
      return { type: 'array', items: { type: 'string' }, ...described };
    case 'number':
      return { type: 'number', minimum: 0, ...described };
    case 'boolean':
    case 'string':
      return { type: json, ...described };
  }
}
