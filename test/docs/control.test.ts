import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { optionsOf } from '../../src/cli/command-help.ts';
import { completion, type Shell } from '../../src/cli/completions.ts';
import { configurationManPage } from '../../src/cli/configuration-page.ts';
import { manPage } from '../../src/cli/man-page.ts';
import { programs } from '../../src/cli/programs.ts';
import { referencePage } from '../../src/cli/reference-page.ts';
import { directives } from '../../src/config/directives.ts';
import { openApi } from '../../src/control/openapi.ts';
import { routes } from '../../src/control/routes.ts';

const shells: readonly Shell[] = ['bash', 'zsh', 'fish'];
const root = new URL('../../', import.meta.url);
const nextVersion = '0.1';

const files = [
  ['docs/reference/control.md', referencePage],
  ['docs/man/chaperone.d.5', () => configurationManPage(nextVersion)],
  ['docs/reference/openapi.json', () => `${JSON.stringify(openApi(routes, nextVersion), undefined, 2)}\n`],
  ...programs.flatMap((program) => [
    [`docs/man/${program.name}.1`, () => manPage(program, nextVersion)] as const,
    ...shells.map((shell) => [`completions/${program.name}.${shell}`, () => completion(program, shell)] as const),
  ]),
] as const;

it.each(files)('%s says what the code does (else: npm run docs)', (name, render) => {
  const file = new URL(name, root);
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(file, render());
  expect(readFileSync(file, 'utf8')).toBe(render());
});

const controlPrograms = ['telchap', 'chaperonectl'] as const;

it('every program that is installed has a man page, and completions are delivered', () => {
  const { bin: installed, man, files: delivered } = manifest;
  const inPath = programs.filter(({ apart }) => apart !== true);
  expect(inPath.map(({ name }) => name).sort()).toEqual(Object.keys(installed).sort());
  expect([...man].sort()).toEqual([...inPath.map(({ name }) => `docs/man/${name}.1`), 'docs/man/chaperone.d.5'].sort());
  expect(delivered).toContain('completions');
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
  writeFileSync(
    join(bin, 'chaperonectl'),
    `#!/bin/sh\nprintf 'NAME STATE\\nweb ready\\nworker ready\\n\\nbrain pid 2\\n'\n`,
  );
  for (const program of controlPrograms) chmodSync(join(bin, program), 0o755);
  return `${bin}:${process.env['PATH']}`;
}

describe.each(controlPrograms)('%s', (program) => {
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
    expect(complete(['stop', ''])).toEqual(['web', 'worker']);
    expect(complete(['loglevel', 'w'])).toEqual(['warning']);
    expect(complete(['shutdown', ''])).toEqual(['now']);
    if (program === 'telchap') return;
    expect(complete(['replay', `${bin}/telc`])).toEqual([`${bin}/telchap`]);
    expect(complete(['simulate', '--time', 'wo'])).toEqual(['worker=']);
    // Bash takes "=" for a word of its own.
    expect(complete(['simulate', '--time', '=', 'wo'])).toEqual(['worker=']);
    expect(complete(['wait', 'web', '--for', ''])).toEqual(['ready', 'stopped', 'failed']);
    expect(complete(['wait', '--for', '='])).toEqual(['ready', 'stopped', 'failed']);
    expect(complete(['wait', '--for', '=', 'st'])).toEqual(['stopped']);
    expect(complete(['wait', '--for', '=', 'stopped', 'wo'])).toEqual(['worker']);
    expect(complete(['check', '--config', `${bin}/telc`])).toEqual([`${bin}/telchap`]);
    expect(complete(['check', '--config', '=', `${bin}/telc`])).toEqual([`${bin}/telchap`]);
    expect(complete(['kill', 'w'])).toEqual(['web', 'worker']);
    expect(complete(['kill', 'SIGH'])).toEqual(['']);
    expect(complete(['kill', 'web', 'SIGH'])).toEqual(['SIGHUP']);
    expect(complete(['kill', 'web', 'w'])).toEqual(['web', 'worker']);
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
    expect(complete('loglevel w')).toEqual(['warning']);
    if (program === 'telchap') return;
    expect(complete(`replay ${bin}/telc`)).toEqual([`${bin}/telchap`]);
    expect(complete('simulate --time wo')).toEqual(['worker=']);
    expect(complete('wait --for st')).toEqual(['stopped']);
    expect(complete('wait --for=st')).toEqual(['--for=stopped']);
    expect(complete(`check --config ${bin}/telc`)).toEqual([`${bin}/telchap`]);
    expect(complete('kill w')).toEqual(['web', 'worker']);
    expect(complete('kill SIGH')).toEqual(['']);
    expect(complete('kill web SIGH')).toEqual(['SIGHUP']);
  });

  it.runIf(has('zsh'))('completes in zsh', () => {
    // Without a terminal: what _describe would offer is printed instead.
    const script = `compdef() { : }; compset() { : }; _files() { print files }; _describe() { local name=$2; print -l -- "\${(P@)name}" }; source ${file('zsh')}`;
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
    expect(offer('loglevel', 3, "''")).toContain('warning');
    if (program === 'telchap') return;
    expect(offer('simulate --time', 4, "''")).toEqual(['web', 'worker']);
    expect(offer('wait --for', 4, "''")).toEqual(['ready', 'stopped', 'failed']);
    expect(offer('wait --for=st', 3, '--for=st')).toEqual(['ready', 'stopped', 'failed']);
    expect(offer('check --config', 4, "''")).toEqual(['files']);
    expect(offer('check --config=/e', 3, '--config=/e')).toEqual(['files']);
    expect(offer('kill', 3, "''")).toEqual(['web', 'worker']);
    expect(offer('kill web', 4, "''")).toEqual(expect.arrayContaining(['web', 'worker', 'SIGHUP']));
  });
});

it.runIf(has('mandoc'))('the man page of the configuration is without mistakes, and tells of every directive', () => {
  const page = new URL('docs/man/chaperone.d.5', root).pathname;
  const { stdout } = spawnSync('mandoc', ['-T', 'lint', '-W', 'warning', page], { encoding: 'utf8' });
  expect(stdout.split('\n').filter((line) => line !== '' && !/missing date/.test(line))).toEqual([]);
  const text = execFileSync('mandoc', ['-T', 'utf8', page], { encoding: 'utf8' });
  const plain = text
    .split('\b')
    .map((piece, index, pieces) => (index === pieces.length - 1 ? piece : piece.slice(0, -1)))
    .join('');
  for (const section of Object.values(directives)) {
    for (const key of section.keys()) expect(plain).toMatch(new RegExp(`^ +${key}\\b`, 'm'));
  }
});

describe.each(programs.map((program) => [program.name, program] as const))('%s', (name, program) => {
  it.runIf(has('mandoc'))('has a man page without mistakes, which tells of every option', () => {
    const page = new URL(`docs/man/${name}.1`, root).pathname;
    const { stdout } = spawnSync('mandoc', ['-T', 'lint', '-W', 'warning', page], { encoding: 'utf8' });
    expect(stdout.split('\n').filter((line) => line !== '' && !/missing date/.test(line))).toEqual([]);
    // A terminal's bold: a letter, a step back, and the letter again.
    const text = execFileSync('mandoc', ['-T', 'ascii', page], { encoding: 'utf8' })
      .split('\b')
      .map((piece, index, pieces) => (index === pieces.length - 1 ? piece : piece.slice(0, -1)))
      .join('');
    for (const command of [program, ...program.verbs]) {
      for (const option of optionsOf(command)) {
        if (command === program || option.name !== 'help') expect(text).toContain(`--${option.name}`);
      }
    }
  });

  const file = (shell: Shell): string => new URL(`completions/${name}.${shell}`, root).pathname;

  it.each(shells.filter(has))('has completions that %s can read', (shell) => {
    const { status, stderr } = spawnSync(shell, ['-n', file(shell)], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('completes its options in bash and fish', () => {
    for (const option of optionsOf(program)) {
      const word = `--${option.name}`;
      const script = `. ${file('bash')}; COMP_WORDS=(${name} ${word}); COMP_CWORD=1; _${name.replaceAll('-', '_')}; printf '%s\\n' "\${COMPREPLY[@]}"`;
      expect(execFileSync('bash', ['-c', script], { encoding: 'utf8' }).split('\n')).toContain(word);
    }
    if (!has('fish')) return;
    const offered = execFileSync('fish', ['-N', '-c', `source ${file('fish')}; complete -C '${name} --'`], {
      encoding: 'utf8',
    });
    for (const option of optionsOf(program)) expect(offered).toMatch(new RegExp(`^--${option.name}=?(?:\\s|$)`, 'm'));
  });
});

describe.each([
  ['chaperone', ['--config', 'docs/m'], ['docs/man', 'docs/machines']],
  ['chaperone', ['--user', ''], ['']],
  ['chaperone', ['--task', 'cat', 'docs/m'], ['docs/man', 'docs/machines']],
  ['chaperone', ['--user', 'joe', 'mkfi'], ['mkfifo']],
  ['chaperone', ['--', 'mkfi'], ['mkfifo']],
  ['sdnotify-exec', ['--timeout', '5', 'mkfi'], ['mkfifo']],
  ['sdnotify-exec', ['mkfifo', 'docs/m'], ['docs/man', 'docs/machines']],
  ['envcp', ['--strip', ''], ['']],
  ['envcp', ['-v', 'docs/m'], ['docs/man', 'docs/machines']],
  ['sdnotify', ['docs/m'], ['']],
  ['chaperonectl', ['wait', '--for', 'st'], ['stopped']],
  ['chaperonectl', ['run', 'mkfi'], ['mkfifo']],
  ['telchap', ['--ver'], ['--version']],
] as const)('%s %j', (name, words, expected) => {
  it('is completed in bash', () => {
    const script = `. completions/${name}.bash; COMP_WORDS=(${name} ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}; _${name.replaceAll('-', '_')} 2>&1; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const offered = execFileSync('bash', ['-c', script], { encoding: 'utf8', cwd: root.pathname })
      .slice(0, -1)
      .split('\n');
    expect([...new Set(offered)].sort()).toEqual([...expected].sort());
  });
});
