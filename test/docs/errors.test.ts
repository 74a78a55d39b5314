import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { describeSpawnError, errnoReasons, type SpawnErrorStage } from '../../src/model/service/spawn-error.ts';
import { type DiagnosticEntry, diagnosticEntries } from './diagnostics.ts';

const file = new URL('../../docs/errors.md', import.meta.url);

const stages: readonly SpawnErrorStage[] = [
  'lookup',
  'exec',
  'directory',
  'groups',
  'gid',
  'uid',
  'clone',
  'notify',
  'values',
  'pipe',
  'group',
  'terminal',
  'stdio',
  'limit',
  'setting',
];

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

const introduction = `# Errors

Generated from [\`src/model\`](../src/model) and [\`test/docs/diagnostics.ts\`](../test/docs/diagnostics.ts) by \`npm run docs\`; do not edit.

A mistake in the configuration is told as \`FILE:LINE:COLUMN: what [code]\`, with the line, and starts nothing (exit status 1); each
[code](#mistakes-and-warnings-about-the-configuration) has an entry below. A service that does not become ready ends the system,
unless it has \`ignore_failures\`: the last lines say which, why, with which command, its last words, who waited for it, and the
exit status.

## A program that cannot be started

A failed start is an errno and the stage that met it:
`;

const catalogueHead = `## Mistakes and warnings about the configuration

The word in square brackets at the end of a line, and \`code\` in \`chaperonectl check --json\`, says what kind of mistake it is. A code
keeps its meaning; the wording of a message may change. The same code may be an error in one place and a warning in another.
`;

function runtimeErrors(): readonly string[] {
  const sample = { code: 'ERRNO', program: 'PROGRAM', directory: 'DIRECTORY' };
  return [
    introduction,
    '| stage | message |',
    '|---|---|',
    ...stages.map((stage) => `| ${stage} | ${cell(describeSpawnError({ ...sample, stage }))} |`),
    '',
    '| errno | meaning |',
    '|---|---|',
    ...Object.entries(errnoReasons).map(([code, reason]) => `| ${code} | ${cell(reason)} |`),
    '',
    '## Exit statuses',
    '',
    '| status | when |',
    '|---|---|',
    '| 0 | an orderly end: by a signal, or because nothing was left to run |',
    '| 1 | a mistake in the configuration, a service that did not start, an error in chaperone itself, a brain that was killed or did not answer |',
    '| 2 | a mistake on the command line |',
    '| 130 | Ctrl-C (SIGINT) |',
    '| N, 128+N | the status of the `exit_kills` service that ended the system, or the signal that ended it |',
    '| 126, 127 | node may not be executed, or is not found |',
    '',
  ];
}

/** The first of the told mistakes and warnings that has the code. */
function blockOf(code: string, told: string): string | undefined {
  return told
    .split(/\n{2,}/)
    .find((block) => (block.split('\n', 1)[0] ?? '').endsWith(` [${code}]`))
    ?.trimEnd();
}

function sectionOf(code: string, { meaning, text, advice }: DiagnosticEntry, block: string): string {
  const config = text === undefined ? [] : ['```yaml', text.trimEnd(), '```', ''];
  return [`### ${code}`, '', meaning, '', ...config, '```', block, '```', '', advice, ''].join('\n');
}

describe('docs/errors.md', () => {
  const sections: string[] = [];

  it.each(Object.entries(diagnosticEntries))('%s: the example yields the code', async (code, entry) => {
    const told = await entry.run();
    const block = blockOf(code, told);
    expect(block, told).toBeDefined();
    sections.push(sectionOf(code, entry, block ?? ''));
  });

  it('says what the code does (else: npm run docs)', () => {
    const page = [...runtimeErrors(), catalogueHead, ...sections].join('\n');
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(file, page);
    expect(readFileSync(file, 'utf8')).toBe(page);
  });
});
