/** Requests to the inspector page: an input is a target, a Host and an Origin, a line each. */
import { admitsWith, type Door } from '../../src/runtime/inspection/inspect-door.ts';
import { assetType, partsOf } from '../../src/runtime/inspection/page-server.ts';
import { check } from './target.ts';

const token = '0123456789abcdef0123456789abcdef';
const port = 8080;
const door: Door = { address: '127.0.0.1', token };

export const dictionary = [
  ...[
    `/${token}/`,
    `/${token}/page.js`,
    `/${token}/entries?from=1`,
    '//',
    '/%',
    '/..',
    'http://',
    'http://[',
    '*',
    '?',
    '#',
    '\\',
  ],
  ...['constructor', '__proto__', 'toString', 'index.html', '\0', 'ä', '%2f', '%00'],
  ...[
    '127.0.0.1:8080',
    'localhost:8080',
    '[::1]:8080',
    'evil.example:8080',
    'http://127.0.0.1',
    'null',
    '@',
    ':',
    '\n',
  ],
];

/** Names of this host that a client may use. */
const own = /^(?:localhost|127\.0\.0\.1|\[::1\])$/;

export function fuzz(data: Buffer): void {
  const [target = '', host = '', ...rest] = data.toString('latin1').split('\n');
  const origin = rest[0];
  const parts = partsOf(target);
  const headers = { host, ...(origin === undefined ? {} : { origin }) };
  const refused = admitsWith(door, port, { headers }, parts.token);
  if (refused === undefined) {
    check(target.includes(token), 'nobody is admitted without the token');
    check(own.test(new URL(`http://${host}`).hostname), 'nor under the name of another host');
    check(origin === undefined || own.test(new URL(origin).hostname), 'nor from the page of another one');
  } else check(/^4\d\d /.test(refused), 'a refusal is a status line');
  const type = assetType(parts.path === '' ? 'index.html' : parts.path);
  check(type === undefined || typeof type === 'string', 'only what is served has a type');
  check(
    type === undefined || /^(?:index\.html|page\.css|page\.js|layout\.js|)$/.test(parts.path),
    'and only by its name',
  );
  for (const name of parts.query.keys()) parts.query.get(name);
}
