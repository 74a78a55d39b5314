import { describe, expect, it } from 'vitest';
import { isReadByShell, shellSyntax } from '../../../src/model/service/shell-syntax.ts';

const said = (command: string): readonly string[] =>
  shellSyntax(command).map(({ kind, text, index, advice }) => `${kind} ${index} ${text}: ${advice}`);

describe('what only a shell understands', () => {
  it.each<[string, readonly string[]]>([
    [
      'cd /srv && ./serve',
      [
        `builtin 0 cd: write "directory: /srv", and the program first; or let a shell read it: write sh -c 'cd /srv && ./serve'`,
        `operator 8 &&: write sh -c 'cd /srv && ./serve'`,
      ],
    ],
    ['/bin/a | /bin/b', [`operator 7 |: write sh -c '/bin/a | /bin/b'`]],
    ['a; b', [`operator 1 ;: write sh -c 'a; b'`]],
    ['a ; b', [`operator 2 ;: write sh -c 'a ; b'`]],
    ['a || b', [`operator 2 ||: write sh -c 'a || b'`]],
    ['serve &', ['background 6 &: leave it out: Chaperone does not wait for a service of type simple']],
    ['serve > /var/log/x', [`redirection 6 >: write sh -c 'serve > /var/log/x'`]],
    [
      'serve >>/var/log/x 2>&1',
      [
        `redirection 6 >>/var/log/x: write sh -c 'serve >>/var/log/x 2>&1'`,
        'join 19 2>&1: leave it out: Chaperone logs both outputs',
      ],
    ],
    ['serve 2>&1', ['join 6 2>&1: leave it out: Chaperone logs both outputs']],
    ['serve < /etc/x', [`redirection 6 <: write sh -c 'serve < /etc/x'`]],
    ['serve --port $PORT', ['variable 13 $PORT: write "$(PORT)"']],
    ['serve "--port=$PORT"', ['variable 14 $PORT: write "$(PORT)"']],
    ['PORT=80 serve', ['assignment 0 PORT=80: write "env_set: { PORT: 80 }", and the program first']],
    ['export A=1', [`builtin 0 export: write sh -c 'export A=1'`]],
    ['serve $A "$B" x $(C) $D', ['variable 6 $A: write "$(A)"']],
    ['serve "a $PORT" x', ['variable 9 $PORT: write "$(PORT)"']],
    ['serve x"y $A $B"', ['variable 10 $A: write "$(A)"']],
    ['serve $(a (b) {c}) | tee', [`operator 19 |: write sh -c 'serve $(a (b) {c}) | tee'`]],
    ['serve $(a `)` b) | tee', ["operator 17 |: write sh -c 'serve $(a `)` b) | tee'"]],
    ['serve $(`a`)$(`b | c`) | tee', ["operator 23 |: write sh -c 'serve $(`a`)$(`b | c`) | tee'"]],
    ['$A sh -c "$B"', ['variable 0 $A: write "$(A)"']],
    ['serve x -c $A', ['variable 11 $A: write "$(A)"']],
    ['sh x $A -c $B', ['variable 5 $A: write "$(A)"']],
    ['cd', [`builtin 0 cd: write sh -c 'cd'`]],
    ['serve & x', [`operator 6 &: write sh -c 'serve & x'`]],
    ['serve &  ', ['background 6 &: leave it out: Chaperone does not wait for a service of type simple']],
    ['serve ; ;', [`operator 6 ;: write sh -c 'serve ; ;'`]],
    [`sh -c 'a' && b`, [`operator 10 &&: put what a shell is to read into quotes: sh -c '…'`]],
    [`serve 'it' | tee`, [`operator 11 |: put what a shell is to read into quotes: sh -c '…'`]],
  ])('in %j is found', (command, found) => {
    expect(said(command)).toEqual(found);
  });

  it.each([
    'serve --port 80',
    `sh -c 'cd /srv && exec serve > x 2>&1 $HOME'`,
    `/bin/bash -ec "cd /srv; exec serve $HOME | tee"`,
    `su app -c "serve $HOME"`,
    `gosu app bash -lc "serve $HOME"`,
    `grep '&&' file`,
    'grep "|" file',
    'find / -exec ls {} \\;',
    'curl http://x/?a=1&b=2',
    `awk '{ print $NF }'`,
    `serve $(PORT) \${HOST}`,
    'serve $(A:|x|a && b|c)',
    'serve $(`cat /x | head`)',
    'serve `cat /x | head`',
    'serve \\$HOME',
    'serve cost=5$',
    'serve $1 $$',
    'env A=1 serve',
    'echo cd /srv',
    'A=1',
    '',
    '   ',
    "'unclosed $A | b",
    '$(unclosed | b',
  ])('%j has nothing of', (command) => {
    expect(said(command)).toEqual([]);
  });

  it.each([
    'sh -c x',
    '/bin/bash -lc x',
    'exec  su app -c x',
    'env A=1 dash -ec x',
  ])('%j is read by a shell', (command) => {
    expect(isReadByShell(command)).toBe(true);
  });

  it.each(['serve -c x', 'push -c x', 'sh script', 'sh -x y', 'sh -c', ''])('%j is not read by a shell', (command) => {
    expect(isReadByShell(command)).toBe(false);
  });

  it('looks for a shell at the beginning of a long command', () => {
    expect(isReadByShell(`${' '.repeat(9_990)}sh -c x`)).toBe(true);
    expect(isReadByShell(`${' '.repeat(10_000)}sh -c x`)).toBe(false);
  });

  it('repeats a command of 120 characters, and none that is longer', () => {
    const command = (length: number): string => `${'x'.repeat(length - 4)} | y`;
    expect(said(command(120))).toEqual([`operator 117 |: write sh -c '${command(120)}'`]);
    expect(said(command(121))).toEqual(["operator 118 |: put what a shell is to read into quotes: sh -c '…'"]);
    expect(said('a  |   b')).toEqual(["operator 3 |: write sh -c 'a | b'"]);
  });

  it.each([
    ...['sh', 'bash', 'dash', 'ash', 'zsh', 'ksh', 'mksh', 'fish', 'su', 'runuser', 'script'],
    '/usr/bin/sh',
  ])('leaves the variables to %s', (shell) => {
    expect(said(`${shell} -c "$A"`)).toEqual([]);
  });

  it.each([
    ...['cd', 'export', 'source', '.', 'set', 'unset', 'ulimit', 'umask', 'exec', 'eval', 'trap', 'alias', 'if', 'for'],
    ...['while', 'until', 'case'],
  ])('knows that %s is no program', (word) => {
    expect(said(`${word} x`)).toHaveLength(1);
    expect(said(`"${word}" x`)).toEqual([]);
  });

  it('takes a long command, and does not repeat it', () => {
    const begun = performance.now();
    expect(said(`serve ${'x '.repeat(200_000)} && y`)).toEqual([
      expect.stringMatching(/^operator 400007 &&: put what a shell is to read into quotes/),
    ]);
    expect(performance.now() - begun).toBeLessThan(5_000);
  });
});
