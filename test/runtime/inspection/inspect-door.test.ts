import { describe, expect, it } from 'vitest';
import { admits, newToken, urlHost } from '../../../src/runtime/inspection/inspect-door.ts';

const token = newToken();
const port = 8_123;

function knock(
  headers: { readonly host?: string; readonly origin?: string },
  { address = '127.0.0.1', url = `/?token=${token}` } = {},
): string | undefined {
  return admits({ address, token }, port, { headers, url });
}

const host = `127.0.0.1:${port}`;

describe('the door of the inspection', () => {
  it('is open for who knows the token', () => {
    expect(knock({ host })).toBeUndefined();
    expect(knock({ host: `localhost:${port}` })).toBeUndefined();
    expect(knock({ host: `[::1]:${port}` }, { address: '::1' })).toBeUndefined();
    expect(knock({ host, origin: 'http://localhost:5173' })).toBeUndefined();
  });

  it.each([
    ['/'],
    ['/?token='],
    ['/?token=0'],
    [`/?token=${'0'.repeat(32)}`],
    [`/?token=${token}0`],
    ['//'],
    ['/?token=%ff%ff'],
  ])('is shut for %s', (url) => {
    expect(knock({ host }, { url })).toBe('401 Unauthorized');
  });

  it.each([
    'evil.example',
    `evil.example:${port}`,
    `127.0.0.1.evil.example:${port}`,
    '127.0.0.1',
    '127.0.0.1:80',
    '',
    'not a host',
  ])('is shut where Host is %s', (name) => {
    expect(knock({ host: name })).toBe('421 Misdirected Request');
  });

  it('is shut, and does not throw, where Host holds bytes that are no name, also after many requests', () => {
    // The compiled form of URL.canParse took such names for valid ones (Node 20), so that the constructor threw.
    for (let request = 0; request < 20_000; request += 1) URL.canParse(`http://${host}`);
    for (const name of ['\u00c2\u00aa', '\u00c3\u00b6', '\u00df\u00bf:8123', '\u00c2\u0080'])
      expect(knock({ host: name })).toBe('421 Misdirected Request');
    expect(knock({ host, origin: 'http://\u00c2\u0080' })).toBe('403 Forbidden');
  });

  it.each([
    'http://evil.example',
    'https://evil.example:8123',
    'null',
    'file://',
    'nonsense',
  ])('is shut for pages of %s', (origin) => {
    expect(knock({ host, origin })).toBe('403 Forbidden');
  });

  it('lets in by an address that it was told to listen on', () => {
    expect(knock({ host: `10.0.0.7:${port}` })).toBe('421 Misdirected Request');
    expect(knock({ host: `10.0.0.7:${port}` }, { address: '10.0.0.7' })).toBeUndefined();
    expect(knock({ host: `10.0.0.7:${port}`, origin: 'http://10.0.0.7' }, { address: '0.0.0.0' })).toBeUndefined();
    expect(knock({ host: `[fd00::7]:${port}` }, { address: '::' })).toBeUndefined();
    expect(knock({ host: `evil.example:${port}` }, { address: '0.0.0.0' })).toBe('421 Misdirected Request');
  });

  it('has another token each time', () => {
    expect(token).toMatch(/^[0-9a-f]{32}$/);
    expect(newToken()).not.toBe(token);
  });

  it('writes an address as a URL has it', () => {
    expect(urlHost('127.0.0.1')).toBe('127.0.0.1');
    expect(urlHost('::1')).toBe('[::1]');
  });
});
