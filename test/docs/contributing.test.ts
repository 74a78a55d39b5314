/** CONTRIBUTING.md names files, folders and commands: they are there, and the examples run. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };

const root = fileURLToPath(new URL('../../', import.meta.url));
const page = readFileSync(`${root}CONTRIBUTING.md`, 'utf8');
const license = readFileSync(`${root}LICENSE`, 'utf8');

/** What stands in backticks and in blocks. */
const code = [...page.matchAll(/```\n([\s\S]*?)```|`([^`\n]+)`/g)].map(([, block, inline]) => block ?? inline ?? '');
const words = code.flatMap((text) => text.split(/\s+/));
const links = [...page.matchAll(/\]\(([^)#]+)\)/g)].flatMap(([, target]) => target ?? []);

function isPath(word: string): boolean {
  return /^(?:\.ci|bench|completions|config|docs|native|scripts|src|test)(?:\/|$)|^[\w.-]+\.(?:json|md)$/.test(word);
}

describe('CONTRIBUTING.md', () => {
  it.each([...new Set([...links, ...words.filter(isPath)])])('names what is there: %s', (path) => {
    expect(existsSync(`${root}${path}`)).toBe(true);
  });

  it('names scripts that package.json has', () => {
    const named = code
      .flatMap((text) => [...text.matchAll(/npm (?:run ([\w:]+)|(test))/g)])
      .map((match) => match[1] ?? 'test');
    expect(named.length).toBeGreaterThan(5);
    expect(Object.keys(packageJson.scripts)).toEqual(expect.arrayContaining(named));
  });

  it('has every folder of tests on its map, and no other', () => {
    const map = page.split('## The map of tests')[1]?.split('\n\n')[1] ?? '';
    const mapped = [...map.matchAll(/`test\/(\w+)`/g)].map(([, name]) => name);
    const folders = readdirSync(`${root}test`, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(mapped.toSorted()).toEqual(folders.map(({ name }) => name).toSorted());
  });

  it.each(page.match(/^npm run simulate -- .*$/gm) ?? [])('%s', (command) => {
    const { status, stdout, stderr } = spawnSync('sh', ['-c', command], { cwd: root, encoding: 'utf8' });
    expect(stderr).toBe('');
    expect([status, stdout]).toEqual([0, expect.stringMatching(/all invariants hold|1 worlds/)]);
  });
});

describe('LICENSE', () => {
  it('is the one that package.json names', () => {
    expect(license).toMatch(
      new RegExp(`^${packageJson.license} License\n\nCopyright \\(c\\) \\d{4} The Chaperone authors\n`),
    );
  });
});
