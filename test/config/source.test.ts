import { describe, expect, it } from 'vitest';
import { renderErrors } from '../../src/config/render-diagnostics.ts';
import { createSource } from '../../src/config/source.ts';

describe('createSource', () => {
  it('expands tabs to 8 columns and finds the way back', () => {
    const source = createSource('x', 'ab\tc\n\td\te');
    expect(source.text).toBe('ab      c\n        d       e');
    const start = source.text.indexOf('e');
    expect(source.position(start, start + 1)).toEqual({ file: 'x', line: 2, column: 4, length: 1, text: '\td\te' });
    const tab = source.text.indexOf('c') - 3;
    expect(source.position(tab, tab + 4)).toMatchObject({ line: 1, column: 3, length: 2 });
  });

  it('counts characters and not UTF-16 units, and drops a byte order mark and CR', () => {
    const source = createSource('x', '\ufeff😀😀x\r\ny');
    const x = source.text.indexOf('x');
    expect(source.position(x, x + 1)).toMatchObject({ line: 1, column: 3, length: 1, text: '😀😀x' });
  });

  it('ends a range with its line, and answers for the end of the text', () => {
    const source = createSource('x', 'abc\ndef');
    expect(source.position(1, 6)).toMatchObject({ line: 1, column: 2, length: 2 });
    expect(source.position(7, 7)).toMatchObject({ line: 2, column: 4, length: 1 });
    expect(createSource('x', '').position(0, 1)).toMatchObject({ line: 1, column: 1, length: 1, text: '' });
  });
});

describe('renderErrors', () => {
  it('puts the caret under wide characters, marks and emoji', () => {
    const position = { file: 'x', line: 1, column: 5, length: 2, text: '日e\u0301😀ab' };
    expect(renderErrors([{ severity: 'error', code: 'bad-key', message: 'm', position }])).toBe(
      'chaperone: 1 mistake in the configuration, nothing was started\n\nx:1:5: m [bad-key]\n    1 | 日e\u0301😀ab\n      |      ^^\n',
    );
  });

  it('shows control characters instead of obeying them', () => {
    const position = { file: 'x\u001b', line: 1, column: 2, length: 1, text: 'a\u001b[2Jb' };
    const text = renderErrors([{ severity: 'error', code: 'bad-key', message: 'm', position }]);
    expect(text).not.toContain('\u001b');
    expect(text).toContain('a␛[2Jb');
  });

  it('shows the part of a long line around the caret', () => {
    const position = {
      file: 'x',
      line: 123456,
      column: 301,
      length: 3,
      text: `${'a'.repeat(300)}BAD${'c'.repeat(300)}`,
    };
    const [, , , line = '', caret = ''] = renderErrors([
      { severity: 'error', code: 'bad-key', message: 'm', position, hint: 'h' },
    ]).split('\n');
    expect(line).toBe(`123456 | …${'a'.repeat(30)}BAD${'c'.repeat(65)}…`);
    expect(caret).toBe(`       | ${' '.repeat(31)}^^^ h`);
  });

  it('renders nothing where there is nothing', () => {
    expect(renderErrors([])).toBe('');
  });
});
