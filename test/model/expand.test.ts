import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createExpander, ExpansionError, type Level, matchesGlob } from '../../src/config/expand.ts';

function level(values: Readonly<Record<string, string>>): Level {
  return { values: new Map(Object.entries(values)) };
}

const variables = level({ V: 'value', E: '', W: 'two words', P: '/usr/lib:/usr/bin', BAR: 'a|b', N: '$(V)-$(W)' });

function expand(text: string, ...levels: readonly Level[]): string {
  return createExpander(levels.length > 0 ? levels : [variables]).expand(text);
}

function failure(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof ExpansionError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'no error';
}

describe('forms', () => {
  it.each([
    ['plain text', 'plain text'],
    ['$(V)', 'value'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the form under test
    ['${V}', 'value'],
    ['a$(V)b$(V)c', 'avaluebvaluec'],
    ['$V $ $( )', '$V $ $( )'],
    ['$(UNKNOWN)', '$(UNKNOWN)'],
    ['$(UNKNOWN) $(V)', '$(UNKNOWN) value'],
    ['$()', '$()'],
    ['$(E)', ''],
    ['$(N)', 'value-two words'],
    ['$(V:-d)', 'value'],
    ['$(E:-d)', 'd'],
    ['$(U:-d)', 'd'],
    ['$(U:-)', ''],
    ['$(U:-$(V))', 'value'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the form under test
    ['$(U:-${X:-$(V)})', 'value'],
    ['$(V:+x)', 'x'],
    ['$(E:+x)', ''],
    ['$(U:+x)', ''],
    ['$(V:_x)', ''],
    ['$(E:_x)', 'x'],
    ['$(U:_x)', 'x'],
    ['$(V:?needed)', 'value'],
    ['$(V:|yes|no)', 'yes'],
    ['$(E:|yes|no)', 'no'],
    ['$(U:|yes|no)', 'no'],
    ['$(V:|yes)', 'yes'],
    ['$(U:|yes)', ''],
    ['$(V:|VAL*|eq|ne)', 'eq'],
    ['$(V:|x*|eq|ne)', 'ne'],
    ['$(U:||eq|ne)', 'eq'],
    ['$(BAR:|a\\|b|eq\\||ne)', 'eq|'],
    ['$(V:|$(U:|x|y)|b)', 'y'],
    ['$(P:/usr/opt/)', '/opt/lib:/opt/bin'],
    ['$(P:/\\/usr\\//\\/opt\\//)', '/opt/lib:/opt/bin'],
    ['$(V:/VAL/x/i)', 'xue'],
    ['$(V:/VAL/x/)', 'value'],
    ['$(V:/(v)(a)/\\2\\1/)', 'avlue'],
    ['$(V:/.*e$/$(W)/)', 'two words'],
    ['$(V:/u.*//)', 'val'],
    ['$(V:/(?P<first>v)/<\\1>/)', '<v>alue'],
    ['\\$(V)', '$(V)'],
    ['\\$(V) $(V)', '$(V) value'],
    ['$(V', '$(V'],
    ['a $(V) $(V:-( $(V)', 'a value $(V:-( $(V)'],
    ['$(U:-"a)b")', '"a)b"'],
    ["$(U:-it's) $(V)", "it's value"],
    ['$(U:-a(b)[c]{d})', 'a(b)[c]{d}'],
    ['$(U:-a\nb)', 'a\nb'],
    ['one ` backtick', 'one ` backtick'],
  ])('%j gives %j', (text, expected) => {
    expect(expand(text)).toBe(expected);
  });

  it.each([
    ['$(U:?set U, please)', 'EXPANSION_REQUIRED: set U, please'],
    ['$(U:?)', 'EXPANSION_REQUIRED: U is not set'],
    ['$(E:?$(V) missing)', 'EXPANSION_REQUIRED: value missing'],
    ['a `date` b', 'EXPANSION_BACKTICK: commands in backticks are not supported yet'],
    ['$(`date`)', 'EXPANSION_BACKTICK: commands in backticks are not supported yet'],
    ['$(V:/a/b)', 'EXPANSION_BAD_SYNTAX: the form :/REGEX/REPLACEMENT/ is not complete'],
    ['$(V:/a/b/g)', 'EXPANSION_BAD_SYNTAX: the only flag after $(NAME:/REGEX/REPLACEMENT/ is i, not g'],
    ['$(V:/[/b/])', 'EXPANSION_BAD_SYNTAX: the only flag after $(NAME:/REGEX/REPLACEMENT/ is i, not ]'],
    ['$(V:/*/b/)', 'EXPANSION_BAD_REGEX: /*/ is no valid regular expression'],
  ])('%j fails', (text, expected) => {
    expect(failure(() => expand(text))).toBe(expected);
  });
});

describe('levels', () => {
  it('takes the innermost value, and expands an outer one against all levels', () => {
    const levels = [level({ A: 'outer', B: '$(A) $(C)' }), level({ A: 'inner', C: 'late' })];
    expect(expand('$(A)|$(B)', ...levels)).toBe('inner|inner late');
  });

  it('means the outer level by a reference to itself', () => {
    expect(expand('$(PATH)', level({ PATH: '/bin' }), level({ PATH: '/x:$(PATH)' }))).toBe('/x:/bin');
    expect(expand('$(A)', level({ A: '1' }), level({ A: '$(A)2' }), level({ A: '$(A)3' }))).toBe('123');
    expect(expand('$(A)', level({ A: 'x$(A)' }))).toBe('x');
    expect(expand('$(A)', level({ A: '$(A:-none)' }))).toBe('none');
    expect(expand('$(A)', level({ A: 'o' }), level({ A: '$(A:+$(A):)i' }))).toBe('o:i');
  });

  it('cuts a cycle by the raw text where it closes, the same whatever was asked before', () => {
    const cycle = level({ A: 'a$(B)', B: 'b$(A)' });
    const expander = createExpander([cycle]);
    expect(expander.variable('A')).toBe('aba$(B)');
    expect(expander.variable('B')).toBe('bab$(A)');
    expect(createExpander([cycle]).variable('B')).toBe('bab$(A)');
  });

  it('knows unset from empty', () => {
    const expander = createExpander([variables]);
    expect(expander.variable('E')).toBe('');
    expect(expander.variable('U')).toBeUndefined();
  });

  it('says which variable holds a fault', () => {
    const expander = createExpander([level({ A: '$(B)' }), level({ B: '$(U:?no U)' })]);
    expect(() => expander.variable('A')).toThrow(expect.objectContaining({ origin: { name: 'B', level: 1 } }));
    expect(() => expander.expand('$(U:?x)')).toThrow(expect.not.objectContaining({ origin: expect.anything() }));
    expect(expander.expand('still works')).toBe('still works');
  });

  it('leaves backticks alone in a level that says so', () => {
    expect(
      expand('$(A)', {
        values: new Map([
          ['A', '`x` $(B)'],
          ['B', 'b'],
        ]),
        literalBackticks: true,
      }),
    ).toBe('`x` b');
  });
});

describe('bounds', () => {
  it('stops values that double each other', () => {
    const values: Record<string, string> = { V0: 'xxxxxxxxxx' };
    for (let index = 1; index < 60; index += 1) values[`V${index}`] = `$(V${index - 1})$(V${index - 1})`;
    expect(failure(() => expand('$(V59)', level(values)))).toContain('EXPANSION_TOO_LARGE');
  });

  it('stops a cycle of empty values that branches', () => {
    const values: Record<string, string> = { V0: '$(V59:+)' };
    for (let index = 1; index < 60; index += 1) values[`V${index}`] = `$(V${index - 1})$(V${index - 1})`;
    expect(failure(() => expand('$(V59)', level(values)))).toContain('EXPANSION_TOO_LARGE');
  });

  it('stops nesting and long chains', () => {
    expect(failure(() => expand(`${'$(U:-'.repeat(500)}${')'.repeat(500)}`))).toContain('EXPANSION_TOO_LARGE');
    const values: Record<string, string> = { V0: 'x' };
    for (let index = 1; index < 5000; index += 1) values[`V${index}`] = `$(V${index - 1})`;
    expect(failure(() => expand('$(V4999)', level(values)))).toContain('EXPANSION_TOO_LARGE');
  });

  it('lets long text pass that nothing multiplies', () => {
    const long = 'x'.repeat(300_000);
    expect(expand(long)).toBe(long);
    expect(createExpander([level({ A: long })]).variable('A')).toBe(long);
  });

  it('ends for any variables, and changes no plain text', () => {
    const name = fc.constantFrom('A', 'B', 'C');
    const operand = fc.constantFrom('', 'x', '$(A)', '$(B)$(B)', '\\$(C)', '|', '(', ')');
    const form = fc.oneof(
      operand,
      fc
        .tuple(name, fc.constantFrom('', ':-', ':+', ':_', ':|', ':/x/'), operand)
        .map(([n, o, x]) => `$(${n}${o}${x})`),
    );
    const text = fc.array(form, { maxLength: 6 }).map((parts) => parts.join(''));
    const anyLevel = fc.record({ A: text, B: text, C: text }).map(level);
    fc.assert(
      fc.property(fc.array(anyLevel, { maxLength: 3 }), text, (levels, input) => {
        failure(() => createExpander(levels).expand(input));
      }),
    );
    fc.assert(
      fc.property(fc.string(), (plain) => {
        fc.pre(!/`|\$[({]/.test(plain));
        expect(expand(plain)).toBe(plain);
      }),
    );
  });
});

describe('matchesGlob', () => {
  it.each([
    ['', '', true],
    ['abc', 'ABC', true],
    ['abc', 'a*', true],
    ['abc', '*c', true],
    ['abc', 'a?c', true],
    ['abc', 'a[a-c]c', true],
    ['abc', 'a[!b]c', false],
    ['a]c', 'a[]]c', true],
    ['a[c', 'a[c', true],
    ['abc', 'ab', false],
    ['', '*', true],
    ['', '?', false],
    ['aXbXc', '*x*x*', true],
  ])('%j against %j: %j', (value, glob, expected) => {
    expect(matchesGlob(value, glob)).toBe(expected);
  });

  it('is quick for many stars', () => {
    expect(matchesGlob('a'.repeat(5000), '*a*a*a*a*a*a*a*b')).toBe(false);
  });
});
