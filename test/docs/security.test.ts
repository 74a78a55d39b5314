import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { limits } from '../../src/control/limits.ts';
import { isSecretName } from '../../src/model/words/secrets.ts';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/security.md'), 'utf8');

describe('docs/security.md', () => {
  it('is linked from the README', () => {
    expect(readFileSync(join(root, 'README.md'), 'utf8')).toContain('](docs/security.md)');
  });

  it('tells the names of secrets that are masked', () => {
    const [table = ''] = /\| names \| such as \|[\s\S]*?\n\n/.exec(page) ?? [];
    const words = [...table.matchAll(/`([^`]+)`/g)].flatMap(([, word]) => word ?? []);
    expect(words.length).toBeGreaterThan(15);
    for (const word of words) expect([word, isSecretName(word.replaceAll('*', 'X'))]).toEqual([word, true]);
  });

  it('tells the bounds of requests', () => {
    const count = (number: number): string => number.toLocaleString('en-US');
    for (const text of [
      `head of ${limits.head / 1_024} KiB`,
      `body of ${limits.body / 1_024} KiB`,
      `${count(limits.word)} characters`,
      `${count(limits.parameters)} parameters`,
      `${limits.globs} globs of ${count(limits.glob)} characters`,
      `${count(limits.globSteps)} steps`,
      `${limits.requestBurst} requests at once and ${limits.requestsPerSecond} a second`,
      `${limits.connections.guest} connections together, at most ${limits.accountConnections} an account`,
      `have ${limits.connections.host} of their own`,
    ]) {
      expect(page.replace(/\n\s*/g, ' ')).toContain(text);
    }
  });

  it('names the fuzzers and the tests that there are', () => {
    const fuzzers = readdirSync(join(root, 'test/fuzz')).filter((name) => name.endsWith('.fuzz.ts'));
    for (const name of ['fifo', 'control-command', 'glob', 'control-http', 'page-server', 'notify']) {
      expect(page).toContain(`\`${name}\``);
      expect(fuzzers).toContain(`${name}.fuzz.ts`);
    }
    for (const [, file = ''] of page.matchAll(/`(test\/[^`]+\.ts)`/g))
      expect([file, existsSync(join(root, file))]).toEqual([file, true]);
  });
});
