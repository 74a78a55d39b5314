import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseEnvFile } from '../../../src/model/words/env-file.ts';

/** The variables as a shell would have them: the last of a name counts. */
const variables = (text: string) => Object.fromEntries(parseEnvFile(text).variables);

describe('a file of variables', () => {
  /** Made by hand from systemd.exec(5) and systemd's own tests of load_env_file(). */
  it.each<[string, string, Record<string, string>]>([
    ['plain values', 'A=1\nB=two words\n', { A: '1', B: 'two words' }],
    ['space around them', '  A = 1 \t\n\tB=\t2\t\n', { A: '1', B: '2' }],
    ['nothing at all', 'A=\nB=""\nC=\'\'\n', { A: '', B: '', C: '' }],
    ['no newline at the end', 'A=1\nB=2', { A: '1', B: '2' }],
    ['carriage returns', 'A=1\r\nB="2"\r\n', { A: '1', B: '2' }],
    ['comments and empty lines', '# A=1\n\n;B=2\n  # C=3\nD=4\n', { D: '4' }],
    ['signs of comments in a value', 'A=1#2\nB=1 # 2\nC=a;b\n', { A: '1#2', B: '1 # 2', C: 'a;b' }],
    ['single quotes', "A='a  b'\nB='$X `y` \\n \"'\n", { A: 'a  b', B: '$X `y` \\n "' }],
    ['double quotes', 'A="a  b"\nB="it\'s"\n', { A: 'a  b', B: "it's" }],
    ['escapes in double quotes', 'A="\\"\\\\\\`\\$"\nB="\\n\\t\\a"\n', { A: '"\\`$', B: '\\n\\t\\a' }],
    ['newlines in quotes', 'A="one\ntwo"\nB=\'x\ny\'\nC=z\n', { A: 'one\ntwo', B: 'x\ny', C: 'z' }],
    ['continued lines', 'A=one\\\ntwo\nB="x\\\ny"\nC=\\\n1\n', { A: 'onetwo', B: 'xy', C: '1' }],
    ['escapes without quotes', 'A=a\\ b\\\\c\\d\nB=\\"x\\"\nC=x\\ \n', { A: 'a b\\cd', B: '"x"', C: 'x ' }],
    ['several quotes', 'A="a" \'b\'c\nB="x" y\nC="x"  \n', { A: 'abc', B: 'xy', C: 'x' }],
    ['quotes within a value', 'A=a"b"\nB=it\'s\n', { A: 'a"b"', B: "it's" }],
    ['signs of expansion as they are', 'A=$(X)\nC=`z`\nD=$Q\n', { A: '$(X)', C: '`z`', D: '$Q' }],
    ['an equals sign in a value', 'A=b=c\nURL=http://h/?a=1&b=2\n', { A: 'b=c', URL: 'http://h/?a=1&b=2' }],
    ['a name that comes twice', 'A=1\nA=2\n', { A: '2' }],
    ['an unclosed quote', 'A="one\nB=2\n', { A: 'one\nB=2\n' }],
    ['a comment that ends in a backslash', '# x \\\nA=1\n', { A: '1' }],
    ['a mark of the byte order', '\uFEFFA=1\n', { A: '1' }],
    ['letters of any script', 'A=größe 🐘\n', { A: 'größe 🐘' }],
  ])('has %s', (_, text, expected) => {
    expect(variables(text)).toEqual(expected);
  });

  it('may name variables alone, as Docker has it', () => {
    expect(parseEnvFile('TZ\nA=1\n LANG \nHOME')).toEqual({
      variables: [['A', '1']],
      named: ['TZ', 'LANG', 'HOME'],
      ignored: [],
    });
  });

  it('has other lines ignored, and tells which ones', () => {
    const text = '=x\n==y\n1A=2\nexport B=3\nC D\nE-F=4\nG=5\n"\n';
    expect(parseEnvFile(text)).toEqual({ variables: [['G', '5']], named: [], ignored: [1, 2, 3, 4, 5, 6, 8] });
    expect(parseEnvFile('A="x\ny\nz"\nB!=1\n').ignored).toEqual([4]);
  });

  const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,8}$/);

  it('gives back what was written in quotes, whatever it is', () => {
    const pairs = fc.array(
      fc.tuple(
        name,
        fc.string({ unit: 'binary' }).filter((text) => !text.includes('\r')),
      ),
    );
    fc.assert(
      fc.property(pairs, fc.boolean(), (values, single) => {
        const quote = (text: string): string =>
          single && !text.includes("'") ? `'${text}'` : `"${text.replace(/["\\`$]/g, '\\$&')}"`;
        const text = values.map(([key, value]) => `${key}=${quote(value)}\n`).join('');
        expect(parseEnvFile(text)).toEqual({ variables: values, named: [], ignored: [] });
      }),
    );
  });

  it('means what Docker means by plain lines without quotes and backslashes', () => {
    const plain = fc.string({ unit: fc.constantFrom(...'aZ09 =#;$(){}`:/.-é') }).map((text) => text.trim());
    fc.assert(
      fc.property(fc.array(fc.tuple(name, plain)), (values) => {
        const text = values.map(([key, value]) => `${key}=${value}`).join('\n');
        expect(parseEnvFile(text).variables).toEqual(values);
      }),
    );
  });

  const generator = '/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator';

  it.runIf(existsSync(generator))('is read as systemd itself reads it', () => {
    const home = mkdtempSync(join(tmpdir(), 'chaperone-env-'));
    onTestFinished(() => rmSync(home, { recursive: true }));
    mkdirSync(join(home, 'environment.d'));
    const file = join(home, 'environment.d', 'x.conf');
    // What it writes is quoted in the same way.
    const bySystemd = (text: string) => {
      writeFileSync(file, text);
      const env = { HOME: home, XDG_CONFIG_HOME: home };
      return variables(execFileSync(generator, { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'ignore'] }));
    };
    const others = Object.keys(bySystemd(''));
    fc.assert(
      // Without a dollar sign, which environment.d(5) expands, and without a comment that ends in a backslash, which older ones go on with.
      fc.property(
        fc.array(fc.constantFrom('A=', 'B=', 'C', ' ', '\n', '"', "'", '\\', '# x\n', 'x', '; ')),
        (parts) => {
          const text = parts.join('').replace(/(^|\n)[ \t]*[#;].*/g, '$1');
          const read = variables(text);
          // It passes over empty values, and writes control characters in another way.
          fc.pre(parseEnvFile(text).variables.every(([, value]) => value !== '' && !/[\n\r\t]/.test(value)));
          const theirs = Object.entries(bySystemd(text)).filter(([key]) => !others.includes(key));
          expect(Object.fromEntries(theirs), JSON.stringify(text)).toEqual(read);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('is read whatever it holds, and every line belongs to something', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'A=\n\r"\'\\#; \t$`x1') }), (text) => {
        const { variables: read, named, ignored } = parseEnvFile(text);
        const lines = text.split('\n').length;
        expect(read.length + named.length + ignored.length).toBeLessThanOrEqual(text.split(/[\n\r]/).length);
        for (const line of ignored) expect(line).toBeLessThanOrEqual(lines);
      }),
      { numRuns: 2000 },
    );
  });
});
