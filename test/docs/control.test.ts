import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Program } from '../../src/cli/commands.ts';
import { completion, manPage, referencePage, type Shell } from '../../src/cli/completions.ts';
import { openApi } from '../../src/control/openapi.ts';
import { routes } from '../../src/control/routes.ts';

const programs: readonly Program[] = ['telchap', 'chaperonectl'];
const shells: readonly Shell[] = ['bash', 'zsh', 'fish'];
const root = new URL('../../', import.meta.url);
const nextVersion = '0.1';

const files = [
  ['docs/reference/control.md', referencePage],
  ['docs/reference/openapi.json', () => `${JSON.stringify(openApi(routes, nextVersion), undefined, 2)}\n`],
  ...programs.flatMap((program) => [
    [`docs/man/${program}.1`, () => manPage(program, nextVersion)] as const,
    ...shells.map((shell) => [`completions/${program}.${shell}`, () => completion(program, shell)] as const),
  ]),
] as const;

it.each(files)('%s says what the code does (else: npm run docs)', (name, render) => {
  const file = new URL(name, root);
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(file, render());
  expect(readFileSync(file, 'utf8')).toBe(render());
});

const bin = mkdtempSync(join(tmpdir(), 'completions-'));
afterAll(() => rmSync(bin, { recursive: true }));

function has(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
}

/** What the real tools print, for shells to complete from. */
function fakeTools(): string {
  const listing =
    '\\nServices:\\n\\npid  name  enabled\\n---  ----  -------\\n61   web.service  true\\n-    worker.service  true\\n';
  writeFileSync(join(bin, 'telchap'), `#!/bin/sh\nprintf '${listing}'\n`);
  writeFileSync(join(bin, 'chaperonectl'), `#!/bin/sh\nprintf 'NAME STATE\\nweb ready\\nworker ready\\n'\n`);
  for (const program of programs) chmodSync(join(bin, program), 0o755);
  return `${bin}:${process.env['PATH']}`;
}

describe.each(programs)('%s', (program) => {
  const file = (shell: Shell): string => new URL(`completions/${program}.${shell}`, root).pathname;
  const env = { ...process.env, PATH: fakeTools() };

  it('completes in bash', () => {
    const complete = (words: readonly string[]): readonly string[] =>
      execFileSync(
        'bash',
        [
          '-c',
          `. ${file('bash')}; COMP_WORDS=(${program} ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}; _${program}; printf '%s\\n' "\${COMPREPLY[@]}"`,
        ],
        { env, encoding: 'utf8' },
      )
        .trim()
        .split('\n');
    expect(complete(['sta'])).toEqual(['status', 'start']);
    expect(complete(['stop', 'w'])).toEqual(['web', 'worker']);
    expect(complete(['start', '--e'])).toEqual(['--enable']);
    if (program === 'chaperonectl') expect(complete(['replay', `${bin}/telc`])).toEqual([`${bin}/telchap`]);
    if (program === 'chaperonectl') expect(complete(['simulate', '--time', 'wo'])).toEqual(['worker=']);
  });

  it.runIf(has('fish'))('completes in fish', () => {
    const complete = (line: string): readonly string[] =>
      execFileSync('fish', ['-N', '-c', `source ${file('fish')}; complete -C '${program} ${line}'`], {
        env,
        encoding: 'utf8',
      })
        .trim()
        .split('\n')
        .map((entry) => entry.split('\t')[0] ?? '');
    expect(complete('sta')).toEqual(['start', 'status']);
    expect(complete('stop w')).toEqual(['web', 'worker']);
    expect(complete('start --e')).toEqual(['--enable']);
    if (program === 'chaperonectl') expect(complete(`replay ${bin}/telc`)).toEqual([`${bin}/telchap`]);
    if (program === 'chaperonectl') expect(complete('simulate --time wo')).toEqual(['worker=']);
  });

  it.runIf(has('zsh'))('completes in zsh', () => {
    // Without a terminal: what _describe would offer is printed instead.
    const script = `compdef() { : }; _describe() { local name=$2; print -l -- "\${(P@)name}" }; source ${file('zsh')}`;
    const offer = (words: string, current: number, prefix: string): readonly string[] =>
      execFileSync(
        'zsh',
        ['-f', '-c', `${script}; words=(${program} ${words}); CURRENT=${current}; PREFIX=${prefix}; _${program}`],
        {
          env,
          encoding: 'utf8',
        },
      )
        .trim()
        .split('\n')
        .map((entry) => entry.split(':')[0] ?? '');
    expect(offer('', 2, "''")).toContain('status');
    expect(offer('stop', 3, "''")).toEqual(['web', 'worker']);
    expect(offer('start', 3, '--')).toContain('--enable');
    if (program === 'chaperonectl') expect(offer('simulate --time', 4, "''")).toEqual(['web', 'worker']);
  });

  it.runIf(has('mandoc'))('has a man page without mistakes', () => {
    const page = new URL(`docs/man/${program}.1`, root).pathname;
    const { stdout } = spawnSync('mandoc', ['-T', 'lint', '-W', 'warning', page], { encoding: 'utf8' });
    expect(stdout.split('\n').filter((line) => line !== '' && !/missing date/.test(line))).toEqual([]);
  });
});
