import { expect, it } from 'vitest';
import { contextLabel, contextText } from '../../../src/inspect/page/words.ts';

it('names the fields of a context in words', () => {
  expect(['pid', 'restartLimit', 'waitedFor', 'lastExit'].map(contextLabel)).toEqual([
    'pid',
    'restart limit',
    'waited for',
    'last exit',
  ]);
});

it.each([
  ['pause', 1500, '1.5 s'],
  ['pause', 300, '300 ms'],
  ['deadline', 12_000, 'in 2 s'],
  ['deadline', 9_600, '400 ms ago'],
  ['restarts', 2, '2'],
  ['cause', 'exit 1', 'exit 1'],
  ['followed', true, 'true'],
])('shows the field %s with the value %j as %s', (field, value, text) => {
  expect(contextText(field, value, 10_000)).toBe(text);
});
