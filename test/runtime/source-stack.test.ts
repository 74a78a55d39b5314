import { describe, expect, it } from 'vitest';
import { sourceStack } from '../../src/runtime/source-stack.ts';

/** Line 1, column 1 of the bundle is line 3, column 5 of the source; line 2 has no source. */
const map = JSON.stringify({ version: 3, sources: ['../src/x.ts'], names: [], mappings: 'AAEI;' });
const stack = 'Error: no\n    at a (/lib/main.cjs:1:1)\n    at /lib/parts/b.cjs:1:9\n    at node:fs:5:6';

describe('the stack trace of an error', () => {
  it('names the source files', () => {
    const read: string[] = [];
    const named = sourceStack(stack, (path) => {
      read.push(path);
      return map;
    });
    expect(named).toBe('Error: no\n    at a (src/x.ts:3:5)\n    at src/x.ts:3:5\n    at node:fs:5:6');
    expect(read).toEqual(['/lib/main.cjs.map', '/lib/parts/b.cjs.map']);
  });

  it.each([
    '',
    'null',
    '{}',
    '{"version":3,"sources":1,"mappings":2}',
  ])('stays as it is where the map is %j', (text) => {
    expect(sourceStack(stack, () => text)).toBe(stack);
  });

  it('stays as it is where the map cannot be read', () => {
    const missing = (): string => {
      throw new Error('EMFILE');
    };
    expect(sourceStack(stack, missing)).toBe(stack);
  });
});
