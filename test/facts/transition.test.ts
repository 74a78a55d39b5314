import { expect, it } from 'vitest';
import { hasStarted } from '../../src/facts/fact.ts';
import { statePath } from '../../src/facts/transition.ts';

it('a state path is the state value in dots', () => {
  expect(statePath('up')).toBe('up');
  expect(statePath({ starting: 'settling' })).toBe('starting.settling');
  expect(statePath({ a: { b: 'c' } })).toBe('a.b.c');
  expect(statePath({ a: 'x', b: 'y' })).toBe('a.x|b.y');
  expect(statePath(undefined)).toBe('');
  expect(statePath(null)).toBe('');
});

it('a service has started where it is ready, or has ended normally', () => {
  expect(['ready.running', 'ready.exited', 'ready.scheduled', 'exited'].every(hasStarted)).toBe(true);
  expect(['', 'pending', 'starting.awaitingExit', 'stopping.clearing', 'backoff', 'failed'].some(hasStarted)).toBe(
    false,
  );
});
