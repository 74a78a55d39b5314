/** The examples of docs/guide/resources-and-secrets.md are run as they stand. */
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { directives } from '../../src/config/directives.ts';
import { boot, isRoot } from '../boot/namespace.ts';
import { loadText } from '../config/loading.ts';

const guide = readFileSync(new URL('../../docs/guide/resources-and-secrets.md', import.meta.url), 'utf8');

interface Example {
  readonly name: string;
  readonly configuration: string;
  readonly files: ReadonlyMap<string, string>;
  readonly lines: readonly string[];
}

/** Each example with the files and the lines behind it. */
const examples = guide
  .split(/<!-- example: /)
  .slice(1)
  .map((part): Example => {
    const block = (language: string): string =>
      part.match(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``))?.[1] ?? '';
    const files = [...part.matchAll(/<!-- file: (\S+) -->\n+```sh\n([\s\S]*?)```/g)];
    return {
      name: part.slice(0, part.indexOf(' ')),
      configuration: block('yaml'),
      files: new Map(files.map(([, path = '', text = '']) => [path, text])),
      lines: block('text')
        .split('\n')
        .filter((line) => line !== ''),
    };
  });

const described: readonly string[] = [
  ...['limits', 'nice', 'umask', 'oom_score_adjust', 'cpu_affinity', 'no_new_privileges', 'capabilities'],
  ...['supplementary_groups', 'env_file', 'env_dir', 'secrets'],
];

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&').replaceAll('\t', '\\s');
const log = 'all.logging: { selector: "*.debug", stdout: true, format: plain }\n';

describe.runIf(isRoot)('docs/guide/resources-and-secrets.md', () => {
  it.each(examples.map((example) => [example.name, example] as const))('is right about %s', async (_, example) => {
    const { configuration, files, lines } = example;
    expect(lines.length).toBeGreaterThan(0);
    const made = [...files].map(([path, text]) => {
      const content = Buffer.from(text).toString('base64');
      return `mkdir -p ${dirname(path)} && echo ${content} | base64 -d > ${path}`;
    });
    const system = boot({
      before: ['mount -t tmpfs tmpfs /run', ...made].join(' && '),
      files: { 'x.conf': configuration, 'log.conf': log },
    });
    for (const line of lines) await system.waitForLine(new RegExp(`^${escaped(line)}$`));
    expect(await system.exit).toBe(0);
  });

  it('has an example of every directive', () => {
    const shown = new Set(
      examples.flatMap(({ configuration }) => [...configuration.matchAll(/^ {2}(\w+):/gm)].map(([, key]) => key)),
    );
    const own = [...directives.service.keys()].filter((key) => described.includes(key));
    expect(own).toHaveLength(described.length);
    expect(described.filter((key) => !shown.has(key))).toEqual([]);
  });

  it('names the mistakes as they are', () => {
    const { diagnostics } = loadText('web.service: { command: "x $(K)", secrets: [K] }');
    expect(diagnostics.map(({ code }) => code)).toEqual(['secret-exposed']);
    expect(guide).toContain('`secret-exposed`');
  });
});
