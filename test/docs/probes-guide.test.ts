import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { directives } from '../../src/config/directives.ts';
import { checkKeys } from '../../src/config/read-checks.ts';
import { boot } from '../boot/namespace.ts';
import { freePort } from '../boot/ports.ts';

const guide = readFileSync(new URL('../../docs/guide/probes.md', import.meta.url), 'utf8');
const examples = [...guide.matchAll(/<!-- until: (.*?)(?:; exit: (\d+))? -->\n```yaml\n([\s\S]*?)```/g)].map(
  ([, until = '', exit = '0', text = '']) => ({ until, exit: Number(exit), text }),
);
const tools = join(import.meta.dirname, '../../dist');
const logged = 'all.logging: { selector: "*.debug", stdout: true }\n';

describe('docs/guide/probes.md', () => {
  it('has an example of each probe and of each directive', () => {
    const all = examples.map(({ text }) => text).join('');
    expect(checkKeys.filter((key) => !new RegExp(`\\b${key}\\b`).test(all))).toEqual([]);
    const own = [...directives.service.values()].filter(({ kind }) => kind === 'probes' || kind === 'healthcheck');
    expect(own.length).toBe(3);
    for (const key of [...own.map(({ key: name }) => name), 'on_unhealthy']) expect(all).toContain(`  ${key}:`);
    expect(guide.match(/```yaml/g)).toHaveLength(examples.length);
  });

  it.each(examples)('does what it says: $until', async ({ until, exit, text }) => {
    const port = await freePort();
    const system = boot({
      files: { 'x.conf': configured(text, port) },
      env: { PATH: `${tools}:/usr/bin:/bin` },
      merge: true,
    });
    await system.waitForLine(new RegExp(until));
    if (exit === 0) system.signal('SIGTERM');
    expect(await system.exit).toBe(exit);
  });
});

/** The example with a port of the test's choice, and with files in the folder of the test. */
function configured(text: string, port: number): string {
  return text.replaceAll('8080', String(port)).replaceAll('/run/', '$(_CHAP_CONFIG_DIR)/') + logged;
}
