/** Requests that a guest could make to hold the loop up: for the tests of bounds, and for bench/requests.mjs. */

export interface BadRequest {
  readonly what: string;
  readonly method: 'GET' | 'POST';
  readonly target: string;
  readonly body?: string;
  /** The body is sent in chunks of one byte, each with a head of its own. */
  readonly bytewise?: true;
}

const body = 65_000;
const head = 15_000;

function command(what: string, ...words: readonly string[]): BadRequest {
  return { what, method: 'POST', target: '/v1/commands', body: JSON.stringify({ words }) };
}

function get(what: string, target: string): BadRequest {
  return { what, method: 'GET', target };
}

/** As many copies of a word as there is room for in a body. */
function filled(word: string, room = body): readonly string[] {
  return new Array<string>(Math.floor(room / (word.length + 3))).fill(word);
}

/** As many different words as there is room for. */
function different(make: (index: number) => string, room = body): readonly string[] {
  const words: string[] = [];
  for (let used = 0, index = 0; used < room; index += 1) {
    const word = make(index);
    words.push(word);
    used += word.length + 3;
  }
  return words.slice(0, -1);
}

export const badRequests: readonly BadRequest[] = [
  command('a glob of open brackets', 'status', '['.repeat(60_000)),
  command('a glob of open brackets within the bound', 'status', '['.repeat(1_000)),
  command('a glob of stars', 'status', '*'.repeat(60_000)),
  command('a glob of stars and letters', 'status', `${'*e'.repeat(400)}*[!e]`),
  command('a glob of stars and sets', 'status', `*${'[a-z]*'.repeat(10)}0`),
  command('a glob with a large set', 'status', `*[${'b-c'.repeat(300)}]`),
  command('globs that go back often', 'status', ...different((index) => `*e*e*e*r*${index}[!x]*e?x*`).slice(0, 90)),
  command('many globs', 'status', ...different((index) => `*${index}*e*v*x`)),
  command('many globs within the bound', 'status', ...different((index) => `*${index}*e*v*x`).slice(0, 90)),
  command('one glob many times', 'status', ...filled('*e*e*x')),
  command('many unknown names', 'status', ...different((index) => `n${index}`)),
  command('an option many times', 'start', ...filled('--wait')),
  command('the letters of an option many times', 'start', `-${'f'.repeat(60_000)}`),
  command('letters of an option in many words', 'start', ...filled(`-${'f'.repeat(4_000)}`)),
  command('an option that nobody knows', 'start', `--${'wait'.repeat(900)}`),
  command('a number that ends badly', 'shutdown', `${'1'.repeat(60_000)}x`),
  command('a number within the bound that ends badly', 'shutdown', `${'1'.repeat(4_000)}x`),
  command('blanks in an unknown command', `a${' '.repeat(60_000)}b`),
  command('blanks within the bound in an unknown command', `a${' '.repeat(4_000)}b`),
  command('blanks and newlines', ...filled(`a${' \n'.repeat(2_000)}b`)),
  command('control characters', '\u0001'.repeat(4_000)),
  { what: 'a body of bytes', method: 'POST', target: '/v1/commands', body: ' '.repeat(body), bytewise: true },
  { what: 'deep arrays', method: 'POST', target: '/v1/commands', body: `{"words":${'['.repeat(body)}` },
  {
    what: 'many fields',
    method: 'POST',
    target: '/v1/commands',
    body: `{${different((index) => `"f${index}":1`).join(',')}}`,
  },
  {
    what: 'fields by inherited names',
    method: 'POST',
    target: '/v1/commands',
    body: '{"__proto__":1,"constructor":2}',
  },
  get('many different parameters', `/v1/services?${different((index) => `n${index}`, head / 2).join('&')}`),
  get('one parameter many times', `/v1/services?${filled('name=x', head / 2).join('&')}`),
  get('many globs in a query', `/v1/services?${different((index) => `name=*${index}*e*x`, head).join('&')}`),
  get('many percent signs', `/v1/services/${'%41'.repeat(head / 3)}`),
  get('a glob of open brackets in a path', `/v1/services/${'%5B'.repeat(head / 3)}`),
  get('many slashes', '/'.repeat(head)),
  get('metrics', '/metrics'),
  get('the description', '/openapi.json'),
  get('all services', '/v1/services'),
];
