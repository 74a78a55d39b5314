import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { optionsOf } from '../../src/cli/command-help.ts';
import { completion } from '../../src/cli/completions.ts';
import { type Program, programs } from '../../src/cli/programs.ts';
import { flag, value } from '../../src/model/words/parameter.ts';

const folder = mkdtempSync(join(tmpdir(), 'completions-'));
afterAll(() => rmSync(folder, { recursive: true }));
const environment = { ...process.env, PATH: `${folder}:${process.env['PATH']}` };

writeFileSync(join(folder, 'telchap'), '#!/bin/sh\n');
chmodSync(join(folder, 'telchap'), 0o755);

const has = (program: string): boolean => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

/** Texts with all that a shell may take for something else. */
const odd = 'it\'s: two [of] \\d $(e) `f` "g" %h; end\\';
const oddParts = { usages: [''], operands: 'none', exit: '' } as const;
const oddOptions = [flag('plain', odd), value('some', 'N%|TIME[:UID[:GID]]', `2 ${odd}`)];
const oddProgram: Program = {
  ...{ ...oddParts, name: 'odd', summary: odd, options: oddOptions, verbs: [], seeAlso: [] },
};
const oddVerbs: Program = {
  ...{ ...oddParts, name: 'oddverbs', summary: odd, options: [], seeAlso: [] },
  verbs: [{ ...oddParts, name: 'verb', summary: odd, options: oddOptions }],
};
const all = [...programs, oddProgram, oddVerbs];

/** The lines that are typed, and the descriptions that have to be shown for each. */
const lines = all.flatMap((program): readonly (readonly [string, readonly string[]])[] => [
  ...(program.verbs.length === 0
    ? [[`${program.name} --`, optionsOf(program).map(({ summary }) => summary)] as const]
    : [[`${program.name} `, program.verbs.map(({ summary }) => summary)] as const]),
  ...program.verbs.map((verb) => [`${program.name} ${verb.name} --`, optionsOf(verb).map((o) => o.summary)] as const),
]);

describe('the descriptions', () => {
  it.runIf(has('fish'))('are shown by fish as they are', () => {
    const sources = all.map((program) => {
      const file = join(folder, `${program.name}.fish`);
      writeFileSync(file, completion(program, 'fish'));
      return `source ${file}`;
    });
    const asked = lines.map(([line]) => `complete -C '${line}'; echo end`);
    const script = [...sources, ...asked].join('; ');
    const shown = execFileSync('fish', ['-N', '-c', script], { encoding: 'utf8', env: environment }).split('end\n');
    lines.forEach(([, summaries], index) => {
      const told = (shown[index] ?? '').split('\n').map((line) => line.split('\t')[1] ?? '');
      expect(told).toEqual(expect.arrayContaining([...summaries]));
    });
  });

  it.runIf(has('zsh'))('are shown by zsh, at a terminal, as they are', () => {
    const sources = all.map((program) => {
      const file = join(folder, `${program.name}.zsh`);
      writeFileSync(file, completion(program, 'zsh'));
      return `source ${file}`;
    });
    writeFileSync(
      join(folder, '.zshrc'),
      `PS1='READY> ' RPROMPT= LISTMAX=10000
autoload -Uz compinit; compinit -u -D
${sources.join('\n')}
mark() { zle -I; print -r -- MARKED; zle kill-whole-line }
zle -N mark; bindkey '^G' mark; bindkey '^I' list-choices
`,
    );
    const script = `zmodload zsh/zpty
zpty shell "stty cols 500 rows 200; ZDOTDIR=${folder} TERM=dumb exec zsh -d -i"
zpty -r shell shown '*READY> *'
for line in "$@"; do
  zpty -w -n shell $line$'\\t\\a'
  zpty -r shell shown '*MARKED*READY> *'
  print -r -- $shown
  print -r -- end-of-line
done
zpty -d shell`;
    const words = ['-f', '-c', script, 'zsh', ...lines.map(([line]) => line)];
    const output = execFileSync('zsh', words, { encoding: 'utf8', env: environment, timeout: 60_000 });
    const shown = output.split('end-of-line\n');
    lines.forEach(([line, summaries], index) => {
      const told = (shown[index] ?? '').split(/\r?\n/).map((row) => row.split(/ -- /).slice(1).join(' -- ').trimEnd());
      expect(told, line).toEqual(expect.arrayContaining([...summaries]));
    });
  });
});

describe('names of services that a shell could take for commands', () => {
  const touched = join(folder, 'touched');
  const names = [`$(touch\${IFS}${touched})`, `\`touch\${IFS}${touched}\``, '*', 'a:b\\c', "it's", 'web'];
  const rows = names.map((name) => `${name} ready`);
  writeFileSync(join(folder, 'chaperonectl'), `#!/bin/sh\ncat ${folder}/listing\n`);
  chmodSync(join(folder, 'chaperonectl'), 0o755);
  writeFileSync(join(folder, 'listing'), ['NAME STATE', ...rows, ''].join('\n'));
  const file = join(folder, 'names.bash');

  function offered(words: readonly string[]): readonly string[] {
    const program = programs.find(({ name }) => name === 'chaperonectl');
    if (program === undefined) throw new Error('there is no chaperonectl');
    writeFileSync(file, completion(program, 'bash'));
    const script = `. ${file}; COMP_WORDS=(chaperonectl "$@"); COMP_CWORD=$#; _chaperonectl; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return execFileSync('bash', ['-c', script, 'bash', ...words], { encoding: 'utf8', env: environment, cwd: folder })
      .trimEnd()
      .split('\n');
  }

  it('are not run by bash, and stand on its command line as the words that they are', () => {
    const quoted = offered(['stop', '']);
    const script = `eval "set -- $*"; printf '%s\\n' "$@"`;
    const meant = execFileSync('bash', ['-c', script, 'bash', ...quoted], { encoding: 'utf8', cwd: folder });
    expect(meant.trimEnd().split('\n')).toEqual(names);
    expect(existsSync(touched)).toBe(false);
  });

  it('are found by what is typed of them, with and without backslashes', () => {
    expect(offered(['stop', 'w'])).toEqual(['web']);
    expect(offered(['stop', '*'])).toEqual(['\\*']);
    expect(offered(['stop', '\\*'])).toEqual(['\\*']);
    expect(offered(['stop', '$('])).toHaveLength(1);
    expect(offered(['stop', 'x'])).toEqual(['']);
    expect(offered(['simulate', '--time', "it'"])).toEqual(["it\\'s="]);
    expect(existsSync(touched)).toBe(false);
  });
});
