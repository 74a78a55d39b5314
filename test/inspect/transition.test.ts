import { expect, it } from 'vitest';
import { statePath } from '../../src/inspect/transition.ts';

it('a state path is the state value in dots', () => {
  expect(statePath('up')).toBe('up');
  expect(statePath({ starting: 'settling' })).toBe('starting.settling');
  expect(statePath({ a: { b: 'c' } })).toBe('a.b.c');
  expect(statePath({ a: 'x', b: 'y' })).toBe('a.x|b.y');
  expect(statePath(undefined)).toBe('');
  expect(statePath(null)).toBe('');
});
