import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { directives } from '../../src/config/directives.ts';
import { loadConfiguration } from '../../src/config/load.ts';
import { parseAccounts } from '../../src/model/service/accounts.ts';
import { memoryReader } from '../config/memory-reader.ts';
import { createWorld } from '../simulation/world.ts';
import { type RestartExample, restartExamples } from './restarts-guide.ts';

const guide = new URL('../../docs/guide/restarts.md', import.meta.url);
const path = '/etc/chaperone.d/example.conf';

const introduction = `# Restarts, and what ends the system

Generated from [\`test/docs/restarts-guide.ts\`](../../test/docs/restarts-guide.ts), whose examples are run in virtual time, by
\`npm run docs\`; do not edit.

Every end of a service has one answer, which its directives decide. [The reference](../reference/configuration.md) has them all in a
table; here each has an example, with the changes of state as \`--inspect\` prints them.

| event | default | \`ignore_failures: true\` | \`on_failure: shutdown\` |
|---|---|---|---|
| a start at boot fails, and no try is left | the system ends with 1 | logged; dependents go on | the system ends with the service's status |
| a later failure, and no try is left | the system goes on | the same | the system ends with the service's status |
| a start by hand fails | whoever asked is told | the same | the same |

\`chaperonectl status NAME\` and \`chaperonectl why NAME\` say which try it is, when the next one comes, and why none comes.
`;

/** Runs the example. Returns what the page shows of it. */
function run({ config, programs, until, log }: RestartExample): {
  readonly lines: readonly string[];
  readonly exit: number;
} {
  const { spec, diagnostics } = loadConfiguration(path, {
    reader: memoryReader({ [path]: `${config}all.logging: { selector: "*.info", stdout: true }\n` }),
    environment: { PATH: '/bin' },
    accounts: parseAccounts('', ''),
    interactive: false,
  });
  expect(diagnostics).toEqual([]);
  if (spec === undefined) throw new Error('the example does not load');
  const starts = new Map<string, number>();
  const world = createWorld(spec, {
    has: () => true,
    seed: 1,
    script: ([name = '']) => {
      const nth = starts.get(name) ?? 0;
      starts.set(name, nth + 1);
      const scripts = programs[name] ?? [];
      return scripts[Math.min(nth, scripts.length - 1)];
    },
  });
  world.assembly.start();
  world.clock.setTimeout(() => world.kernel.deliver('SIGTERM'), until * 1_000);
  world.clock.run(until * 1_000 + 20_000);
  const output = world.output();
  if (output === undefined) throw new Error('the example does not end');
  const text = world.kernel.written.stdout.split('\n').map((line) => line.replace(/^.*? chaperone\[1\]: /, ''));
  const isLast = (line: string): boolean =>
    /draining\.|→ halted|→ stopped/.test(line) && !/ends|SIGTERM;|\(on_/.test(line);
  return {
    lines:
      log === undefined ? world.transitions.filter((line) => !isLast(line)) : text.filter((line) => log.test(line)),
    exit: output.exitStatus,
  };
}

function section(example: RestartExample): string {
  const { title, text, config, result } = example;
  const { lines, exit } = run(example);
  return `## ${title}

${text}

\`\`\`yaml
${config}\`\`\`

\`\`\`text
${lines.map((line) => line.trimEnd()).join('\n')}
\`\`\`

${result}${exit === 0 || result.includes(`with ${exit}`) ? '' : ` The container ends with ${exit}.`}
`;
}

describe('docs/guide/restarts.md', () => {
  it('shows what the examples really do (else: npm run docs)', () => {
    const page = [introduction, ...restartExamples.map(section)].join('\n');
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(guide, page);
    expect(readFileSync(guide, 'utf8')).toBe(page);
  });

  it('has an example for each directive about restarts', () => {
    const about = [...directives.service.keys()].filter(
      (key) =>
        /^restart(?:_|$)|^on_(?:failure|success)$/.test(key) || ['success_exit', 'remain_after_exit'].includes(key),
    );
    expect(about.length).toBeGreaterThan(11);
    for (const key of about)
      expect(
        restartExamples.filter(({ config }) => config.includes(`${key}:`)),
        key,
      ).not.toEqual([]);
  });
});
