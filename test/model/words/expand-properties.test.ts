import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createExpander, type Expander, ExpansionError, type Level } from '../../../src/model/words/expand.ts';
import { matchesGlob } from '../../../src/model/words/glob.ts';
import { tries } from '../../effort.ts';

/** src/model/words/expand.ts: what one expansion may give. */
const longestResult = 131_072;
const names = ['A', 'B', 'AB', '_X', 'U'] as const;

/** What an expansion gives, or why it gives nothing. Any other error is a bug. */
function outcome(action: () => string | undefined): string {
  try {
    return `= ${action()}`;
  } catch (error) {
    if (error instanceof ExpansionError) return `${error.code}: ${error.message}`;
    throw error;
  }
}

/** Every command prints what it is. */
function expander(levels: readonly Level[], syntax: { prefix?: string; brackets?: string } = {}): Expander {
  return createExpander(levels, { commandOutput: (command) => (command === 'no' ? '' : `<${command}>`), ...syntax });
}

const nameOf = fc.constantFrom(...names);

/** Text that is likely to be a form, whole or broken. */
const anyText: fc.Arbitrary<string> = fc.letrec<{ text: string; form: string; piece: string }>((tie) => ({
  text: fc.array(tie('piece'), { maxLength: 4, depthIdentifier: 'text' }).map((pieces) => pieces.join('')),
  piece: fc.oneof({ maxDepth: 4, depthIdentifier: 'text' }, fc.constantFrom('x', ' ', '(', ')', '{', '}', '[', '"'), {
    arbitrary: tie('form'),
    weight: 3,
  }),
  form: fc.oneof(
    { maxDepth: 4, depthIdentifier: 'text' },
    fc.constantFrom('$(', '$' + '{', '`', '\\$(', '|', '/', '\\', 'ä', '\u{1f600}', '\n', "'", '$(A)'),
    fc
      .tuple(
        fc.constantFrom(['$(', ')'], ['$' + '{', '}']),
        nameOf,
        fc.constantFrom('', ':-', ':+', ':_', ':?', ':|', ':|*|', ':|A|x|', ':/x/', ':/(.)/\\1', ':/.*/', ':x'),
        tie('text'),
        fc.constantFrom('', '/', '/i', '|', '|y'),
      )
      .map(([[open, close], name, operator, operand, end]) => `${open}${name}${operator}${operand}${end}${close}`),
    tie('text').map((text) => `\`${text}\``),
  ),
})).text;

const globs = fc.array(fc.constantFrom('*', 'A', 'A*', '?', '_*', '[!A]', 'B'), { maxLength: 2 });

function levelOf(value: fc.Arbitrary<string>): fc.Arbitrary<Level> {
  return fc.record(
    {
      values: fc.array(fc.tuple(nameOf, value), { maxLength: 4 }).map((entries) => new Map(entries)),
      inherits: globs,
      drops: globs,
      section: fc.constantFrom(0, 1),
    },
    { requiredKeys: ['values'] },
  );
}

const anyLevels = fc.array(levelOf(anyText), { maxLength: 3 });

describe('any text, with any variables', () => {
  it('expands to something bounded, soon, or says why not', () => {
    fc.assert(
      fc.property(anyLevels, anyText, (levels, text) => {
        const result = outcome(() => expander(levels).expand(text));
        expect(result.length).toBeLessThanOrEqual(Math.max(longestResult, text.length) + text.length + 1_000);
      }),
      { numRuns: tries(500, 3_000) },
    );
  });

  it('gives the same again, whatever was asked in between', () => {
    fc.assert(
      fc.property(anyLevels, anyText, fc.shuffledSubarray([...names]), (levels, text, order) => {
        const fresh = (): Expander => expander(levels);
        const busy = fresh();
        const answers = order.map((name) => outcome(() => busy.variable(name)));
        expect(order.map((name) => outcome(() => fresh().variable(name)))).toEqual(answers);
        expect(outcome(() => busy.expand(text))).toBe(outcome(() => fresh().expand(text)));
      }),
      { numRuns: tries(500, 2_000) },
    );
  });

  it('gives itself where nothing in it begins a form', () => {
    fc.assert(
      fc.property(anyLevels, fc.string({ unit: 'binary' }), (levels, text) => {
        fc.pre(!/[$`]/.test(text));
        expect(expander(levels).expand(text)).toBe(text);
      }),
    );
    fc.assert(
      fc.property(anyLevels, anyText, (levels, text) => {
        const result = outcome(() => expander(levels).expand(text));
        fc.pre(result.startsWith('= ') && !/\$[({]|`/.test(result));
        const plain = result.slice(2);
        expect(expander(levels).expand(plain)).toBe(plain);
      }),
    );
  });

  it('gives itself where every form is escaped', () => {
    fc.assert(
      fc.property(anyLevels, anyText, (levels, text) => {
        fc.pre(!text.includes('`'));
        expect(expander(levels).expand(text.replace(/\$(?=[({])/g, '\\$'))).toBe(text);
      }),
    );
  });
});

describe('values that feed each other', () => {
  it('grow to the bound and no further', () => {
    const shape = fc.record({
      depth: fc.integer({ min: 1, max: 70 }),
      copies: fc.integer({ min: 1, max: 30 }),
      leaf: fc.constantFrom('', 'x', 'x'.repeat(1_000)),
      form: fc.constantFrom(
        '$(V)',
        '$(V:-d)',
        '$(V:|y|n)',
        '$(U:-$(V))',
        '$(V:/(.)/\\1\\1/)',
        '$(V:+$(V)$(V))',
        '`$(V)`',
      ),
      loop: fc.boolean(),
    });
    fc.assert(
      fc.property(shape, ({ depth, copies, leaf, form, loop }) => {
        const values = new Map([['V0', loop ? `${leaf}$(V${depth}:+)` : leaf]]);
        for (let index = 1; index <= depth; index += 1) {
          values.set(`V${index}`, form.replaceAll('V', `V${index - 1}`).repeat(copies));
        }
        const result = outcome(() => expander([{ values }]).expand(`$(V${depth})`));
        expect(result.length).toBeLessThanOrEqual(longestResult + 1_000);
        if (!loop && form === '$(V)' && depth < 100) {
          const length = leaf.length * copies ** depth;
          if (length > longestResult) expect(result).toMatch(/^EXPANSION_TOO_LARGE/);
          else if (depth * copies < 100 && copies === 1) expect(result).toBe(`= ${leaf}`);
        }
      }),
      { numRuns: tries(15, 60) },
    );
  });
});

/** A form by its parts, so that it can be written in any syntax. */
type Node = string | { readonly name: string; readonly operator: string; readonly operand: readonly Node[] };

function write(nodes: readonly Node[], prefix: string, open: string, close: string): string {
  return nodes
    .map((node) =>
      typeof node === 'string'
        ? node
        : `${prefix}${open}${node.name}${node.operator}${write(node.operand, prefix, open, close)}${close}`,
    )
    .join('');
}

const word = fc.stringMatching(/^[a-z ,.=:ä\n]{0,6}$/);
/** Forms that are all closed and of known variables. */
const nodes: fc.Arbitrary<readonly Node[]> = fc.letrec<{ nodes: Node[]; node: Node }>((tie) => ({
  nodes: fc.array(tie('node'), { maxLength: 4, depthIdentifier: 'nodes' }),
  node: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'nodes' },
    word,
    fc.constantFrom('A', 'B', 'E').map((name) => ({ name, operator: '', operand: [] })),
    fc.record({
      name: fc.constantFrom('A', 'B', 'E'),
      operator: fc.constantFrom(':-', ':+', ':_', ':|x|', ':|'),
      operand: tie('nodes'),
    }),
  ),
})).nodes;
const plainLevel = fc.tuple(word, word).map(
  ([a, b]): Level => ({
    values: new Map([
      ['A', a],
      ['B', b],
      ['E', ''],
    ]),
  }),
);

describe('closed forms of variables whose values hold none', () => {
  it('are gone after one expansion, and a second changes nothing', () => {
    fc.assert(
      fc.property(plainLevel, nodes, (level, tree) => {
        const once = expander([level]).expand(write(tree, '$', '(', ')'));
        expect(once).not.toMatch(/[$(){}]/);
        expect(expander([level]).expand(once)).toBe(once);
      }),
    );
  });

  it('stay through any number of expansions where the variables are unknown', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            word,
            nameOf.map((name) => `$(${name})`),
          ),
        ),
        (parts) => {
          const text = parts.join('');
          expect(expander([]).expand(text)).toBe(text);
        },
      ),
    );
  });

  it('give the same in every syntax', () => {
    fc.assert(
      fc.property(plainLevel, nodes, fc.constantFrom('%', '@@', '\\', '.*', '<?', 'ä'), (level, tree, prefix) => {
        const usual = expander([level]).expand(write(tree, '$', '(', ')'));
        expect(expander([level]).expand(write(tree, '$', '{', '}'))).toBe(usual);
        const other = expander([level], { prefix, brackets: '[' });
        expect(other.expand(write(tree, prefix, '[', ']'))).toBe(usual);
      }),
    );
  });
});

describe('what env_inherit and env_unset hide', () => {
  /** The rule of the reference, step by step from the outermost level: keep what is inherited, set, drop. */
  function visible(levels: readonly Level[]): Map<string, string> {
    let seen = new Map<string, string>();
    for (const { values, inherits, drops } of levels) {
      const matches = (name: string, patterns: readonly string[]): boolean =>
        patterns.some((glob) => matchesGlob(name, glob));
      seen = new Map([...seen].filter(([name]) => inherits === undefined || matches(name, inherits)));
      for (const [name, value] of values) seen.set(name, value);
      seen = new Map([...seen].filter(([name]) => drops === undefined || !matches(name, drops)));
    }
    return seen;
  }

  /** Each value says where it stands, so that a hidden one is recognised wherever it turns up. */
  const marked = fc.array(levelOf(fc.constant('')), { maxLength: 4 }).map((levels) =>
    levels.map(
      (level, index): Level => ({
        ...level,
        section: index,
        values: new Map([...level.values.keys()].map((name) => [name, `<${name} of ${index}>`])),
      }),
    ),
  );

  it('is seen by nobody, and everything else is', () => {
    fc.assert(
      fc.property(marked, anyText, (levels, text) => {
        const seen = visible(levels);
        const subject = expander(levels);
        expect(subject.names().sort()).toEqual([...seen.keys()].sort());
        for (const name of names) expect(subject.variable(name)).toBe(seen.get(name));
        const shown = new Set(seen.values());
        const hidden = levels.flatMap(({ values }) => [...values.values()]).filter((value) => !shown.has(value));
        const result = outcome(() => subject.expand(text));
        expect(hidden.filter((value) => result.includes(value))).toEqual([]);
      }),
      { numRuns: tries(500, 2_000) },
    );
  });

  it('is not seen through the values of others either', () => {
    fc.assert(
      fc.property(marked, fc.constantFrom(...names), fc.constantFrom(...names), (levels, from, to) => {
        fc.pre(from !== to);
        const linked = [...levels, { values: new Map([[from, `via $(${to})`]]) }];
        const target = visible(linked).get(to);
        expect(expander(linked).variable(from)).toBe(`via ${target ?? `$(${to})`}`);
      }),
    );
  });
});
