/** Requests to the HTTP API: an input is a method, a target and a body, a line each. */
import { parseWords } from '../../src/control/command-words.ts';
import { readBody, readQuery } from '../../src/control/fields.ts';
import { findRoute } from '../../src/control/http.ts';
import { limits } from '../../src/control/limits.ts';
import { Meter } from '../../src/control/meter.ts';
import { routes } from '../../src/control/routes.ts';
import { selectServices } from '../../src/control/select-services.ts';
import { check } from './target.ts';

export const dictionary = [
  ...[
    'GET',
    'POST',
    '/v1/services',
    '/v1/services/web/start',
    '/v1/commands',
    '/v1/run',
    '/v1/logs?follow',
    '\n',
    '%2F',
    '%',
  ],
  ...[
    '{"force":true}',
    '{"words":["stop","web"]}',
    '{"timeout":1e999}',
    '"__proto__"',
    'null',
    '[',
    ']',
    '{',
    '}',
    '\\u0000',
  ],
  ...['name=', '&', 'lines=', '*', '[!a]', '?', 'ä', '\0', '{name}'],
];

const services = ['a.service', 'b.service', 'web.service', '[odd].service'].map((name) => ({ name }));

export function fuzz(data: Buffer): void {
  const text = data.toString();
  const [method = '', target = '', ...rest] = text.split('\n');
  const found = findRoute(method, target);
  if (found.kind === 'route') {
    check(!found.name.includes('\n') || found.route.path.includes('{name}'), 'only a path with a name has one');
    readQuery(found.query, found.route.fields);
    const selected = selectServices(services, [found.name], new Meter());
    check(selected.kind === 'answer' || selected.services.length > 0, 'names mean services, or there is an answer');
  }
  const body = Buffer.from(rest.join('\n'));
  for (const { fields, id } of routes) {
    const read = readBody(body, fields);
    if (read.kind !== 'given') continue;
    if (id === 'command') parseAll(fields.parameters.map((parameter) => read.given.get(parameter)));
    for (const parameter of fields.parameters) {
      const value = read.given.get(parameter);
      check(read.given.has(parameter) || value === parameter.absent, 'only what was given has a value');
      if (typeof value === 'number')
        check(Number.isSafeInteger(value) && value >= 0, 'a number is one that can be used');
    }
    check(Object.getPrototypeOf({}) === Object.prototype && !('force' in {}), 'and nothing else is changed');
  }
}

/** Reads the words of a command, and finds the services that they name. */
function parseAll(values: readonly unknown[]): void {
  const words = values.flat().filter((word) => typeof word === 'string');
  const parsed = parseWords(words);
  if (parsed.kind !== 'command' || !('names' in parsed.command)) return;
  const meter = new Meter();
  selectServices(services, parsed.command.names, meter);
  check(meter.steps <= limits.globSteps + limits.glob, 'the work of names is bounded');
}
