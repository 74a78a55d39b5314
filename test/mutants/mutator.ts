/**
 * Draws mutants: small changes of the source, each of the kind that somebody makes by mistake.
 *
 * All mutants that were drawn stand in one copy of their file at once, each behind a switch: `$mutant(17) ? changed : original`.
 * So what a test needs is built once, and the environment variable MUTANT says which mutant is alive. A chart, which is made when
 * its file is loaded, is changed like everything else, since each mutant gets a process of its own.
 */
import { createHash } from 'node:crypto';
import { parseAst } from 'vitest/node';

export interface Mutant {
  /** From the root of the tree. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** The line on which it begins, without the space around it. */
  readonly text: string;
  /** What the change replaces, on one line. */
  readonly from: string;
  /** What it is replaced by, on one line. */
  readonly to: string;
  readonly change: Change;
}

/** Where in the source a change lies, and how the switch is written there. */
interface Change {
  readonly start: number;
  readonly end: number;
  /** The original of what lies there. */
  readonly original: string;
  readonly changed: string;
  /** A method's name is chosen in brackets, so that it is called upon the same object. */
  readonly isName: boolean;
}

interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

const operators: Readonly<Record<string, string>> = {
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
  '===': '!==',
  '!==': '===',
  '+': '-',
  '-': '+',
  '*': '/',
  '/': '*',
  '%': '*',
  '&&': '||',
  '||': '&&',
  '??': '&&',
  '+=': '-=',
  '-=': '+=',
};

const methods: Readonly<Record<string, string>> = {
  some: 'every',
  every: 'some',
  min: 'max',
  max: 'min',
  startsWith: 'endsWith',
  endsWith: 'startsWith',
  find: 'findLast',
  indexOf: 'lastIndexOf',
  floor: 'ceil',
  ceil: 'floor',
  add: 'delete',
  push: 'unshift',
};

/** Calls that give something of the kind that they were called upon. */
const leftOut: readonly string[] = ['filter', 'slice', 'sort', 'toSorted', 'reverse', 'toReversed', 'trim', 'concat'];

/** @returns every change that can be made of the file, in the order of its lines */
export function mutantsOf(file: string, source: string): readonly Mutant[] {
  const found: Mutant[] = [];
  const lines = source.split('\n');
  const begins = lines.map((_, index) => lines.slice(0, index).join('\n').length + (index === 0 ? 0 : 1));
  const add = (node: SyntaxNode, changed: string, isName = false): void => {
    const original = source.slice(node.start, node.end);
    if (flat(original) === flat(changed)) return;
    const line = begins.findLastIndex((begin) => begin <= node.start) + 1;
    const text = (lines[line - 1] ?? '').trim();
    const change = { start: node.start, end: node.end, original, changed, isName };
    found.push({ file, line, text, from: flat(original), to: flat(changed), change });
  };
  visit(parse(file, source), { source, add, isInChain: false });
  return found;
}

interface Visit {
  readonly source: string;
  readonly add: (node: SyntaxNode, changed: string, isName?: boolean) => void;
  /** True within `a?.b.c()`, which parentheses would cut in two. */
  readonly isInChain: boolean;
}

function visit(node: SyntaxNode, visiting: Visit): void {
  if (/^(?:Import|ExportAll|TS(?!As|Satisfies|NonNull|Export))/.test(node.type)) return;
  change(node, visiting);
  const isInChain = node.type === 'ChainExpression' || (visiting.isInChain && isLink(node));
  for (const [field, value] of Object.entries(node)) {
    if (field === 'key' && node['computed'] !== true) continue;
    // Only the object of a link continues the chain: what stands in its brackets is an expression like any other.
    const continues = isInChain && ['expression', 'object', 'callee'].includes(field);
    const inner = { ...visiting, isInChain: continues };
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) visit(child, inner);
  }
}

function isLink({ type }: SyntaxNode): boolean {
  return type === 'MemberExpression' || type === 'CallExpression' || type === 'TSNonNullExpression';
}

function change(node: SyntaxNode, { source, add, isInChain }: Visit): void {
  const textOf = (part: SyntaxNode): string => source.slice(part.start, part.end);
  switch (node.type) {
    case 'BinaryExpression':
    case 'LogicalExpression':
    case 'AssignmentExpression': {
      const to = operators[String(node['operator'])];
      const [left, right] = [child(node, 'left'), child(node, 'right')];
      const isText = isTextual(left) || isTextual(right);
      if (to === undefined || (isText && node['operator'] === '+')) return;
      if (node.type === 'LogicalExpression') {
        // `a ?? b && c` is no expression.
        const within = (part: SyntaxNode): string => (isLoose(part) ? `(${textOf(part)})` : textOf(part));
        add(node, `${within(left)} ${to} ${within(right)}`);
        return;
      }
      const between = source.slice(left.end, right.start).replace(String(node['operator']), to);
      add(node, textOf(node).slice(0, left.end - node.start) + between + textOf(node).slice(right.start - node.start));
      return;
    }
    case 'UpdateExpression': {
      const to = node['operator'] === '++' ? '--' : '++';
      add(
        node,
        node['prefix'] === true ? `${to}${textOf(child(node, 'argument'))}` : `${textOf(child(node, 'argument'))}${to}`,
      );
      return;
    }
    case 'UnaryExpression':
      if (node['operator'] === '!' || node['operator'] === '-') add(node, textOf(child(node, 'argument')));
      return;
    case 'IfStatement':
    case 'ConditionalExpression':
      add(child(node, 'test'), 'true');
      add(child(node, 'test'), 'false');
      return;
    case 'WhileStatement':
      add(child(node, 'test'), 'false');
      return;
    case 'Literal':
      if (typeof node['value'] === 'boolean') add(node, String(!node['value']));
      if (node['value'] === 0 || node['value'] === 1 || node['value'] === 2) add(node, String(node['value'] + 1));
      return;
    case 'ExpressionStatement':
      if (typeof node['directive'] !== 'string' && !isSuper(child(node, 'expression')))
        add(child(node, 'expression'), 'undefined');
      return;
    case 'ObjectExpression':
      // The property `types` of a chart is there for the compiler alone.
      for (const [index, part] of children(node, 'properties').entries())
        if (part.type === 'Property' && textOf(child(part, 'key')) !== 'types')
          add(node, without(source, node, children(node, 'properties'), index));
      return;
    case 'ArrayExpression': {
      const parts = children(node, 'elements');
      for (const index of parts.keys()) add(node, without(source, node, parts, index));
      const [first, second] = parts;
      if (first?.type === 'ObjectExpression' && second?.type === 'ObjectExpression')
        add(node, `[${[second, first, ...parts.slice(2)].map(textOf).join(', ')}]`);
      return;
    }
    case 'CallExpression': {
      const callee = child(node, 'callee');
      if (callee.type !== 'MemberExpression' || callee['computed'] === true) return;
      const name = child(callee, 'property');
      const to = Object.hasOwn(methods, textOf(name)) ? methods[textOf(name)] : undefined;
      if (to !== undefined) add(name, to, true);
      if (leftOut.includes(textOf(name)) && !isInChain && callee['optional'] !== true)
        add(node, textOf(child(callee, 'object')));
      return;
    }
    case 'ChainExpression':
      add(
        node,
        textOf(node).replace(/\?\.(?=([[(])?)/, (_, bracket) => (bracket === undefined ? '.' : '')),
      );
      return;
    default:
  }
}

/** The object or the array without one of its parts. */
function without(source: string, node: SyntaxNode, parts: readonly SyntaxNode[], index: number): string {
  const left = parts.filter((_, other) => other !== index).map((part) => source.slice(part.start, part.end));
  return node.type === 'ObjectExpression' ? `{ ${left.join(', ')} }` : `[${left.join(', ')}]`;
}

function isTextual({ type, value }: SyntaxNode): boolean {
  return type === 'TemplateLiteral' || (type === 'Literal' && typeof value === 'string');
}

/** True for what may need parentheses within a logical expression. */
function isLoose({ type }: SyntaxNode): boolean {
  return /^(?:Logical|Conditional|Assignment|ArrowFunction|Yield|Sequence)Expression$/.test(type);
}

function isSuper(node: SyntaxNode): boolean {
  return node.type === 'CallExpression' && child(node, 'callee').type === 'Super';
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value && 'end' in value;
}

function child(node: SyntaxNode, field: string): SyntaxNode {
  const value = node[field];
  if (!isNode(value)) throw new Error(`internal error: a ${node.type} has no ${field}`);
  return value;
}

function children(node: SyntaxNode, field: string): readonly SyntaxNode[] {
  const value = node[field];
  return Array.isArray(value) ? value.filter(isNode) : [];
}

function parse(file: string, source: string): SyntaxNode {
  const program: unknown = parseAst(source, { lang: 'ts' }, file);
  if (!isNode(program)) throw new Error(`internal error: ${file} has no syntax tree`);
  return program;
}

function flat(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

/**
 * @returns `count` of the mutants, drawn by the seed. A mutant's turn hangs on itself alone, so that a change of the source draws few
 *   others.
 */
export function draw(mutants: readonly Mutant[], count: number, seed: number): readonly Mutant[] {
  const times = new Map<string, number>();
  return mutants
    .map((mutant) => {
      const key = [mutant.file, mutant.text, mutant.from, mutant.to].join('\n');
      const time = (times.get(key) ?? 0) + 1;
      times.set(key, time);
      return { mutant, turn: createHash('sha256').update(`${seed}\n${key}\n${time}`).digest('hex') };
    })
    .sort((a, b) => (a.turn < b.turn ? -1 : 1))
    .slice(0, count)
    .map(({ mutant }) => mutant);
}

/** @returns the source with one mutant in it, as somebody would have written it */
export function applied(source: string, { change: { start, end, changed } }: Mutant): string {
  return source.slice(0, start) + changed + source.slice(end);
}

/** @returns the source with all these mutants of one file in it, each behind its switch. @param numbered by the number of each */
export function switched(source: string, numbered: ReadonlyMap<number, Mutant>): string {
  const all = [...numbered].map(([number, { change: place }]) => ({ number, ...place }));
  return `${source.startsWith('#!') ? '//' : ''}${between(0, source.length)}\n${switchText}`;

  function between(start: number, end: number, done: ReadonlySet<number> = new Set()): string {
    const [outermost] = all
      .filter((place) => place.start >= start && place.end <= end && !done.has(place.number))
      .sort((a, b) => a.start - b.start || b.end - a.end);
    if (outermost === undefined) return source.slice(start, end);
    const inner = between(outermost.start, outermost.end, new Set([...done, outermost.number]));
    const chosen = outermost.isName
      ? `[$mutant(${outermost.number}) ? '${outermost.changed}' : ${inner.startsWith('[') ? inner.slice(1, -1) : `'${inner}'`}]`
      : `($mutant(${outermost.number}) ? (${outermost.changed}) : (${inner}))`;
    const before = source.slice(start, outermost.start);
    return (
      (outermost.isName ? before.replace(/\.$/, optional(before)) : before) + chosen + between(outermost.end, end, done)
    );
  }
}

/** `a?.b` becomes `a?.['b']`, and `a.b` becomes `a['b']`. */
function optional(before: string): string {
  return before.endsWith('?.') ? '.' : '';
}

/** A function declaration is there before the file's first line runs. */
const switchText = `function $mutant(number) {
  const state = (globalThis.$mutants ??= { on: Number(process.env.MUTANT ?? -1), seen: new Set() });
  state.seen.add(number);
  return number === state.on;
}
`;
