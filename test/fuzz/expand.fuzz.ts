/**
 * Expansion. An input is a text, with levels of variables before it, outermost first, each ended by a line `%%`. A level's
 * lines are `NAME=value`, `+GLOB` (inherits), `-GLOB` (drops); any other line continues the value above it.
 */
import { createExpander, type Expander, ExpansionError, type Level } from '../../src/model/words/expand.ts';
import { check } from './target.ts';

export const dictionary = [
  ...['$(', '${', '$[', ')', '}', ']', '`', '"', "'", '\\', '\\$(', '|', '/', '\\1', '(?P<x>', '(.*)', '[a-z]+', '\n'],
  ...[':-', ':+', ':_', ':?', ':|', ':/', '//', '/i)', '$(A)', '$(B:-', '$(C:|x|', '$(A:/', '`$(B)`', 'ä', '\u{1f600}'],
  ...['\n%%\n', 'A=', 'B=', '\nC=', '\n+', '\n-', '*', '?', '[!', '+A*\n', '-B\n', 'late', 'A', 'B', 'C'],
];

/** src/model/words/expand.ts: what one expansion may give. */
const longestResult = 131_072;

/** ms: where one expansion takes long already, it is not compared with others too. */
const longEnough = 200;

export function fuzz(data: Buffer): void {
  const start = performance.now();
  const sections = data.toString().split(/\n?%%\n/);
  const text = sections.pop() ?? '';
  // More levels than there are in any configuration cost only time.
  const levels = sections.slice(-5).map(readLevel);
  const names = [...new Set(levels.flatMap(({ values }) => [...values.keys()]))].slice(0, 3);

  const first = expander(levels);
  const whole = outcome(() => first.expand(text));
  check(whole.length <= Math.max(longestResult, text.length) + text.length + 10_000, 'the result is bounded');
  if (performance.now() - start > longEnough) return;
  outcome(() => first.expand(text, { literalBackticks: true }));
  const forward = names.map((name) => outcome(() => first.variable(name)));
  if (performance.now() - start > longEnough) return;
  const second = expander(levels);
  const backward = names.map((name) => outcome(() => second.variable(name))).reverse();
  const again = [...names].reverse().map((name) => outcome(() => expander(levels).variable(name)));
  check(String(backward) === String(again), 'a value does not depend on what was asked before');
  check(String(forward) === String(backward.reverse()), 'a value does not depend on what was expanded before');
  check(outcome(() => second.expand(text)) === whole, 'a text does not depend on what was asked before');

  const seen = new Set(first.names());
  for (const name of names) {
    if (!seen.has(name)) check(outcome(() => first.variable(name)) === '= undefined', `${name} is hidden`);
  }
  if (!/[$`]/.test(text)) check(whole === `= ${text}`, 'plain text is unchanged');
  if (!text.includes('`')) {
    const escaped = text.replace(/\$(?=[({])/g, '\\$');
    check(expander(levels).expand(escaped) === text, 'escaped text is unchanged');
  }
  outcome(() => createExpander(levels, { prefix: '%', brackets: '[({' }).expand(text));
}

function readLevel(section: string): Level {
  const values = new Map<string, string>();
  const inherits: string[] = [];
  const drops: string[] = [];
  let last = '';
  for (const line of section.split('\n')) {
    const [, name, value = ''] = /^([A-Za-z_]+)=(.*)$/s.exec(line) ?? [];
    if (name !== undefined) {
      values.set(name, value);
      last = name;
    } else if (line.startsWith('+')) inherits.push(line.slice(1));
    else if (line.startsWith('-')) drops.push(line.slice(1));
    else if (last !== '') values.set(last, `${values.get(last)}\n${line}`);
  }
  return { values, section: values.size % 2, drops, ...(inherits.length > 0 ? { inherits } : {}) };
}

function expander(levels: readonly Level[]): Expander {
  return createExpander(levels, {
    commandOutput: (command) => (command.length % 5 === 4 ? undefined : `<${command}>`),
    late: new Set(['late']),
  });
}

function outcome(action: () => string | undefined): string {
  try {
    return `= ${action()}`;
  } catch (error) {
    if (error instanceof ExpansionError) return `${error.code} ${error.message} ${JSON.stringify(error.origin)}`;
    throw error;
  }
}
