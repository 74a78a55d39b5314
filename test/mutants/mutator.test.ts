import { readFileSync } from 'node:fs';
import { runInNewContext } from 'node:vm';
import { transform } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { applied, draw, type Mutant, mutantsOf, switched } from './mutator.ts';

/** What a mutant does to its line. */
const changes = (source: string): readonly string[] =>
  mutantsOf('a.ts', source).map(({ from, to }) => `${from} → ${to}`);

describe('mutants of a file', () => {
  it.each([
    ['a comparison at its bound', 'f = a < 1;', ['f = a < 1 → undefined', 'a < 1 → a <= 1', '1 → 2']],
    ['a sum, but no text that is put together', 'const a = b + c, d = `e` + e;', ['b + c → b - c']],
    ['a condition', 'if (a) b();', ['a → true', 'a → false', 'b() → undefined']],
    ['what would need parentheses', 'const a = b ?? c ?? d;', ['b ?? c ?? d → (b ?? c) && d', 'b ?? c → b && c']],
    [
      'a part that is left out',
      'const a = { b, c: [d] };',
      ['{ b, c: [d] } → { c: [d] }', '{ b, c: [d] } → { b }', '[d] → []'],
    ],
    [
      'the order of guarded transitions',
      'const a = [{ b }, { c }];',
      expect.arrayContaining(['[{ b }, { c }] → [{ c }, { b }]']),
    ],
    ['the method that is called', 'const a = b?.c.some(d);', ['b?.c.some(d) → b.c.some(d)', 'some → every']],
    ['the first link of a chain that a bracket follows', 'const a = b?.c?.[d];', ['b?.c?.[d] → b.c?.[d]']],
    ['a chain that begins with a bracket', 'const a = b?.[c]?.d;', ['b?.[c]?.d → b[c]?.d']],
    ['a call that is left out', 'const a = b.filter(c);', ['b.filter(c) → b']],
    [
      'nothing of a method that each object has',
      'const a = b.toString().trim();',
      ['b.toString().trim() → b.toString()'],
    ],
    [
      'nothing of a type, a key or an import',
      "import a from '1'; type B = 1 | true; const c = { 1: d }.e as 2;",
      ['{ 1: d } → { }'],
    ],
    ['nothing of what a chart tells the compiler', 'const a = { types: {} as B };', []],
  ])('change %s', (_, source, expected) => {
    expect(changes(source)).toEqual(expected);
  });

  it('say on which line they begin', () => {
    const [mutant] = mutantsOf('a.ts', 'f();\n\n  const a = b && c;\n').slice(1);
    expect(mutant).toMatchObject({ file: 'a.ts', line: 3, text: 'const a = b && c;', from: 'b && c', to: 'b || c' });
  });
});

const sample = `
export function judge(list: readonly number[], limit?: { most: number; names?: readonly string[] }): unknown {
  let sum = 0;
  for (const [index, one] of list.filter((item) => item > 1).entries()) {
    if (one < 3 && index !== 2) sum += one;
    else if (!(one === 5)) sum -= 1;
  }
  const names = limit?.names?.some((name) => name.startsWith('a')) ?? false;
  return { sum: Math.min(sum, limit?.most ?? 10), names, list: [sum, -sum, sum > 0 ? 'more' : 'less'] };
}
`;

const inputs = [
  [[1, 2, 3, 4, 5], { most: 4, names: ['ab', 'ba'] }],
  [[2, 2, 2, 2], undefined],
  [[], { most: -1 }],
];

/** What the source makes of all inputs. */
async function outcomes(source: string, on: number): Promise<string> {
  const { code } = await transform(source, { loader: 'ts', format: 'cjs' });
  const module = { exports: { judge: (..._: readonly unknown[]): unknown => 'nothing' } };
  runInNewContext(code, { module, exports: module.exports, process: { env: { MUTANT: String(on) } } });
  const outcome = (input: readonly unknown[]): unknown => {
    try {
      return module.exports.judge(...input);
    } catch (error) {
      return String(error);
    }
  };
  return JSON.stringify(inputs.map(outcome));
}

const numbered = (mutants: readonly Mutant[]): ReadonlyMap<number, Mutant> => new Map(mutants.entries());

describe('a source with all mutants behind their switches', () => {
  it('does what the original does as long as none is on', async () => {
    expect(await outcomes(switched(sample, numbered(mutantsOf('a.ts', sample))), -1)).toBe(await outcomes(sample, -1));
  });

  it('does with each of them what a source does that has it alone', async () => {
    const all = mutantsOf('a.ts', sample);
    const together = switched(sample, numbered(all));
    const original = await outcomes(sample, -1);
    let differing = 0;
    for (const [number, mutant] of all.entries()) {
      const alone = await outcomes(applied(sample, mutant), -1);
      expect(await outcomes(together, number), `${mutant.from} → ${mutant.to}`).toBe(alone);
      if (alone !== original) differing += 1;
    }
    expect(differing).toBeGreaterThan(all.length / 2);
  });

  it.each([
    'src/machines/unit.ts',
    'src/machines/service-stages.ts',
    'src/model/ledger/stops.ts',
    'src/runtime/units/units.ts',
    'src/streams/ticks.ts',
    'src/config/load.ts',
  ])('can be read by the compiler: %s', async (file) => {
    const source = readFileSync(file, 'utf8');
    const all = mutantsOf(file, source);
    expect(all.length).toBeGreaterThan(20);
    await transform(switched(source, numbered(all)), { loader: 'ts' });
    for (const mutant of draw(all, 20, 0)) await transform(applied(source, mutant), { loader: 'ts' });
  });
});

describe('a draw', () => {
  const all = mutantsOf('a.ts', sample);

  it('is the same for the same seed, and another for another', () => {
    expect(draw(all, 5, 1)).toEqual(draw(all, 5, 1));
    expect(draw(all, 5, 1)).not.toEqual(draw(all, 5, 2));
  });

  it('hangs on the mutants, not on where they stand', () => {
    const moved = mutantsOf('a.ts', `// A line before all others.\n${sample}`);
    const textsOf = (mutants: readonly Mutant[]): readonly string[] =>
      mutants.map(({ text, from, to }) => `${text} ${from} ${to}`);
    expect(textsOf(draw(moved, 5, 1))).toEqual(textsOf(draw(all, 5, 1)));
  });

  it('takes each of several alike', () => {
    expect(draw(mutantsOf('a.ts', 'f();\nf();\n'), 5, 1)).toHaveLength(2);
  });
});
