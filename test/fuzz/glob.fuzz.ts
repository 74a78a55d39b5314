/** Globs for names: an input is a glob, and behind a newline a text. */
import { compileGlob } from '../../src/model/words/glob.ts';
import { check } from './target.ts';

export const dictionary = [
  '*',
  '?',
  '[',
  ']',
  '[!',
  '[]',
  '[a-c]',
  '[!a-z]',
  '-',
  '!',
  'a',
  'b',
  'web',
  '**',
  'ä',
  '😀',
  '\n',
  '\0',
];

const most = 100_000;

export function fuzz(data: Buffer): void {
  const [glob = '', ...rest] = data.toString().split('\n');
  const text = rest.join('\n');
  const compiled = compileGlob(glob);
  const work = { left: most };
  const found = compiled.matches(text, work);
  check(work.left >= -1 - [...glob].length, 'no step is begun that was not to spend');
  const steps = most - work.left;
  check(
    steps <= 1 + [...text].length * (2 + [...glob].length) * (1 + [...glob].length),
    'the work is bounded by both lengths',
  );
  if (work.left < 0) {
    check(!found, 'what was given up does not match');
    return;
  }
  check(compiled.matches(text) === found, 'the answer is the same without a bound');
  check(compileGlob(`${glob}*`).matches(text) || !found, 'a star at the end matches nothing, too');
  check(compileGlob(`*${glob}`).matches(text) || !found, 'and at the beginning');
  if (/[*?[]/.test(glob)) return;
  check(found === (glob === text), 'a text without special characters matches itself alone');
}
