/** Reads `start_if`: conditions as a map, or a list of them, which stands for all of them together. */
import type { Question } from '../model/service/condition.ts';
import { didYouMean } from '../model/words/nearest.ts';
import type { YamlEntry, YamlNode, YamlScalar } from './parse-yaml.ts';
import { describeNode, type ValueContext } from './read-names.ts';
import type { Place } from './source.ts';
import { quote } from './wording.ts';

const kinds = ['file', 'env', 'command', 'not'] as const;
const expectation =
  'expected {file: PATH}, {env: NAME} or {env: NAME=VALUE}, {command: "…"}, {not: …}, or a list of these';
/** How deep conditions may be nested, and how many a service may have: each is asked at each start. */
const deepest = 16;
const mostQuestions = 100;

/** A condition whose texts still hold variables. */
export type ConditionNode =
  | { readonly kind: Question['kind']; readonly scalar: YamlScalar }
  | { readonly kind: 'not'; readonly of: ConditionNode }
  | { readonly kind: 'all'; readonly of: readonly ConditionNode[] };

/** Understood as far as that is possible before variables are expanded; undefined where there is a mistake. */
export function readConditionNode(node: YamlNode, context: ValueContext): ConditionNode | undefined {
  const found = readNode(node, context, 1);
  if (found !== undefined && count(found) > mostQuestions) {
    complain(context, 'out-of-range', `has more than ${mostQuestions} conditions`, node.place);
    return undefined;
  }
  return found;
}

function readNode(node: YamlNode, context: ValueContext, depth: number): ConditionNode | undefined {
  if (depth > deepest) {
    complain(context, 'out-of-range', `is nested more than ${deepest} deep`, node.place);
    return undefined;
  }
  if (node.kind === 'list') return readList(node.items, node.place, context, depth);
  if (node.kind === 'scalar') {
    complain(context, 'wrong-shape', `is ${describeNode(node)} and no condition`, node.place);
    return undefined;
  }
  const [entry, second] = node.entries;
  if (entry === undefined || second !== undefined) {
    const what = entry === undefined ? 'is an empty map' : `has ${node.entries.length} conditions in one map`;
    complain(context, 'wrong-shape', what, second?.key.place ?? node.place);
    return undefined;
  }
  return readEntry(entry, context, depth);
}

function readList(
  items: readonly YamlNode[],
  place: Place,
  context: ValueContext,
  depth: number,
): ConditionNode | undefined {
  if (items.length === 0) complain(context, 'empty-value', 'is an empty list', place);
  const of = items.flatMap((item) => readNode(item, context, depth + 1) ?? []);
  return of.length === items.length && of.length > 0 ? { kind: 'all', of } : undefined;
}

function readEntry({ key, value }: YamlEntry, context: ValueContext, depth: number): ConditionNode | undefined {
  const kind = kinds.find((each) => each === key.text);
  if (kind === undefined) {
    context.report.error('unknown-key', `unknown condition ${quote(key.text)} in ${context.label}`, key.place, {
      hint: didYouMean(key.text, kinds) ?? expectation,
    });
    return undefined;
  }
  if (kind === 'not') {
    const of = readNode(value, context, depth + 1);
    return of === undefined ? undefined : { kind, of };
  }
  if (value.kind !== 'scalar') {
    complain(context, 'wrong-shape', `has ${describeNode(value)} as its ${kind}`, value.place);
    return undefined;
  }
  if (value.text.includes('\0')) {
    context.report.error('nul-character', `${context.label} holds a NUL character`, value.place, {
      hint: 'expected text without "\\0"',
    });
    return undefined;
  }
  return { kind, scalar: value };
}

function count(node: ConditionNode): number {
  switch (node.kind) {
    case 'not':
      return count(node.of);
    case 'all':
      return node.of.reduce((sum, each) => sum + count(each), 0);
    default:
      return 1;
  }
}

function complain(
  { report, label }: ValueContext,
  code: 'wrong-shape' | 'empty-value' | 'out-of-range',
  what: string,
  place: Place,
): void {
  report.error(code, `${label} ${what}`, place, { hint: expectation });
}
