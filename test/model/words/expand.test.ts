import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createExpander, ExpansionError, type Level } from '../../../src/model/words/expand.ts';

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
    ['$(V:/l/[\\n\\t\\\\]/)', 'va[\n\t\\]ue'],
    ['$(V:/(x)?v/<\\1\\9>/)', '<>alue'],
    ['$(V:/\\_|e/x/)', 'valux'],
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
    ['a `date` b', 'EXPANSION_PENDING: the output of `date` is not known yet'],
    ['$(`date`)', 'EXPANSION_PENDING: the output of `date` is not known yet'],
    ['$(V:/a/b)', 'EXPANSION_BAD_SYNTAX: the form :/REGEX/REPLACEMENT/ is not complete'],
    ['$(V:/a/b/g)', 'EXPANSION_BAD_SYNTAX: the only flag after $(NAME:/REGEX/REPLACEMENT/ is i, not g'],
    ['$(V:/[/b/])', 'EXPANSION_BAD_SYNTAX: the only flag after $(NAME:/REGEX/REPLACEMENT/ is i, not ]'],
    ['$(V:/*/b/)', 'EXPANSION_BAD_REGEX: /*/ cannot be used: missing argument to repetition operator: *'],
  ])('%j fails', (text, expected) => {
    expect(failure(() => expand(text))).toContain(expected);
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
});

describe('what env_inherit and env_unset leave', () => {
  const outer: Level = {
    values: new Map([
      ['A', 'a'],
      ['B', 'b'],
      ['PATH', '/bin'],
    ]),
  };

  it('hides what is not inherited', () => {
    const inner: Level = { values: new Map([['C', '$(A)$(B)']]), inherits: ['B', 'X*'] };
    const expander = createExpander([outer, inner]);
    expect(expander.variable('C')).toBe('$(A)b');
    expect(expander.names().sort()).toEqual(['B', 'C']);
  });

  it('hides what is dropped, wherever it was set', () => {
    const inner: Level = {
      values: new Map([
        ['C', '$(A)$(B)$(C1)'],
        ['C1', 'x'],
      ]),
      drops: ['B', 'C?'],
    };
    const expander = createExpander([outer, inner]);
    expect(expander.variable('C')).toBe('a$(B)$(C1)');
    expect(expander.names().sort()).toEqual(['A', 'C', 'PATH']);
  });

  it('gives a reference to itself the outer value also where that is not inherited', () => {
    const account: Level = { values: new Map([['HOME', '/h']]), inherits: ['A'], section: 1 };
    const written: Level = {
      values: new Map([
        ['PATH', '/x:$(PATH)'],
        ['B', '$(PATH)'],
      ]),
      section: 1,
    };
    const expander = createExpander([outer, account, written]);
    expect(expander.variable('PATH')).toBe('/x:/bin');
    expect(expander.variable('B')).toBe('/x:/bin');
    expect(createExpander([outer, { ...account, section: 0 }, written]).variable('PATH')).toBe('/x:');
  });

  it('matches names by case', () => {
    expect(createExpander([outer, { values: new Map(), inherits: ['a', 'p*'] }]).names()).toEqual([]);
  });
});

describe('commands in backticks', () => {
  const outputs: Readonly<Record<string, string>> = { 'id -u': '33', 'echo value': 'v', x: '$(V)', 'a | b': 'piped' };
  const run = (text: string): string => createExpander([variables], { commandOutput: (c) => outputs[c] }).expand(text);

  it.each([
    ['uid=`id -u`.', 'uid=33.'],
    ['$(`id -u`)', '33'],
    ['$( `id -u` )', '33'],
    ['`echo $(V)`', 'v'],
    ['$(E:-`id -u`)', '33'],
    ['$(V:-`never run`)', 'value'],
    ['$(V:|`a | b`|no)', 'piped'],
    // What a command prints is text.
    ['`x`', '$(V)'],
    ['``', '``'],
    ['` ` $(V)', '` ` value'],
    ['one ` and $(V)', 'one ` and value'],
  ])('%j gives %j', (text, expected) => {
    expect(run(text)).toBe(expected);
  });

  it('asks for every command that is needed, with the level that holds it', () => {
    const asked: [string, number | undefined][] = [];
    const commandOutput = (command: string, at: number | undefined): string | undefined => {
      asked.push([command, at]);
      return command === 'two' ? '2' : undefined;
    };
    const expander = createExpander([level({ A: '`inner $(V)`' }), level({ V: 'v' })], { commandOutput });
    expect(failure(() => expander.expand('`one` `two` $(A) `three`'))).toContain('EXPANSION_PENDING');
    expect(asked).toEqual([
      ['one', undefined],
      ['two', undefined],
      ['inner v', 0],
      ['three', undefined],
    ]);
  });

  it('asks for the same commands of a cycle, whatever was asked before', () => {
    const asked = (...names: readonly string[]): string[] => {
      const commands = new Set<string>();
      const commandOutput = (command: string): string | undefined => {
        commands.add(command);
        return undefined;
      };
      const expander = createExpander([level({ A: '$(V)x', V: '`run $(A)`' })], { commandOutput });
      for (const name of names) failure(() => expander.variable(name));
      return [...commands].sort();
    };
    expect(asked('A', 'V')).toEqual(asked('V', 'A'));
  });

  it('does not ask for a command whose text is not known yet', () => {
    const asked: string[] = [];
    const commandOutput = (command: string): string | undefined => {
      asked.push(command);
      return undefined;
    };
    const expander = createExpander([level({ A: '`first`', B: '`second $(A)`' })], { commandOutput });
    expect(failure(() => expander.variable('B'))).toContain('EXPANSION_PENDING');
    expect(asked).toEqual(['first']);
  });

  it('leaves them alone in text that says so, but not in the values of its variables', () => {
    const expander = createExpander([level({ A: '`id -u`' })], { commandOutput: (c) => outputs[c] });
    expect(expander.expand('`id -u` $(A)', { literalBackticks: true })).toBe('`id -u` 33');
  });
});

describe('values that are known only when a service starts', () => {
  const late = new Set(['SERIAL']);
  const levels = [
    level({ A: 'x$(SERIAL)', B: '$(A:+yes)', C: '$(V)', V: 'v', D: '`echo $(A)`' }),
    level({ SERIAL: '1' }),
  ];

  it('are known to have been used', () => {
    const expander = createExpander(levels, { late });
    const used = (name: string): boolean => {
      expander.variable(name);
      return expander.wasLate;
    };
    expect(['A', 'B', 'C', 'V', 'SERIAL', 'A', 'C'].map(used)).toEqual([true, true, false, false, true, true, false]);
  });

  it('cannot stand in a command in backticks', () => {
    expect(failure(() => createExpander(levels, { late }).variable('D'))).toContain('EXPANSION_LATE_COMMAND');
  });
});

describe('another syntax', () => {
  it.each([
    ['%(V) $(V) %{V}', { prefix: '%' }, 'value $(V) value'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the form under test
    ['$(V) ${V} $[V]', { brackets: '[' }, '$(V) ${V} value'],
    ['@@{V} \\@@{V} $(V)', { prefix: '@@', brackets: '{' }, 'value @@{V} $(V)'],
    ['.*(V) $(V)', { prefix: '.*' }, 'value $(V)'],
    ['%(V:|%(U:|a|b)|c)', { prefix: '%' }, 'b'],
  ])('%j with %j gives %j', (text, syntax, expected) => {
    expect(createExpander([variables], syntax).expand(text)).toBe(expected);
  });
});

describe('bounds', () => {
  it('stops values that double each other', () => {
    const values: Record<string, string> = { V0: 'xxxxxxxxxx' };
    for (let index = 1; index < 60; index += 1) values[`V${index}`] = `$(V${index - 1})$(V${index - 1})`;
    expect(failure(() => expand('$(V59)', level(values)))).toContain('EXPANSION_TOO_LARGE');
  });

  it('takes a regular expression on which a backtracking engine would never end', () => {
    const values = level({ A: 'a'.repeat(10_000), B: 'aab' });
    expect(expand('$(A:/(a+)+b/x/)', values)).toBe('a'.repeat(10_000));
    expect(expand('$(B:/(a+)+b/x/)', values)).toBe('x');
  });

  it('stops a large regular expression on a long value, and takes it on a shorter one', () => {
    const values = level({ LONG: 'a'.repeat(20_000), SHORT: 'a'.repeat(2_000) });
    const regex = '(a?b?){200}x';
    expect(failure(() => expand(`$(LONG:/${regex}/y/)`, values))).toBe(
      'EXPANSION_TOO_LARGE: a value of 20000 characters is too long for such a regex',
    );
    expect(expand(`$(SHORT:/${regex}/y/)`, values)).toBe('a'.repeat(2_000));
  });

  it('stops a glob with many stars on a long value', () => {
    const values = level({ LONG: 'a'.repeat(100_000), GLOB: `*${'a'.repeat(1_000)}b*` });
    expect(failure(() => expand('$(LONG:|$(GLOB)|yes|no)', values))).toBe(
      'EXPANSION_TOO_LARGE: the glob has too many * for such a long value',
    );
  });

  it('stops a regular expression that is too long', () => {
    const failed = failure(() => expand(`$(U:/${'/'.repeat(100_000)})`));
    expect(failed).toMatch(/^EXPANSION_BAD_REGEX: .* characters, and 2000 are allowed$/);
    expect(failed.length).toBeLessThan(200);
  });

  it('says what to write in the place of what a linear-time engine cannot have', () => {
    expect(failure(() => expand('$(V:/v(?=a)/x/)'))).toBe(
      'EXPANSION_BAD_REGEX: /v(?=a)/ cannot be used: it has a look-around, (?=…); match what stands around in a group, and ' +
        'put the group back with \\1 in the replacement',
    );
    expect(failure(() => expand('$(V:/(v)\\1/x/)'))).toContain('it has a back-reference, \\1; write out');
  });

  it('takes one look at values that wait for a command', () => {
    const values: Record<string, string> = { V0: '`x`' };
    for (let index = 1; index < 60; index += 1) values[`V${index}`] = `$(V${index - 1})$(V${index - 1})`;
    expect(failure(() => createExpander([level(values)]).variable('V59'))).toContain('EXPANSION_PENDING');
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
