/** Guides for users of other inits: what they show is imported, compared, and booted. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { verbsOf } from '../../src/cli/chaperonectl/verbs.ts';
import { boot } from '../boot/namespace.ts';
import { importOf } from '../conventions/import/imported.ts';

const folder = new URL('../../docs/guide/', import.meta.url);
const updates = process.env['UPDATE_DOCS'] !== undefined;

interface Guide {
  readonly name: string;
  /** The path that is imported. */
  readonly path: string;
}

const guides: readonly Guide[] = [
  { name: 'coming-from-supervisord.md', path: '/etc/supervisord.conf' },
  { name: 'coming-from-s6-overlay.md', path: '/etc' },
  { name: 'coming-from-systemd.md', path: '/units' },
];

function read({ name }: Guide) {
  const text = readFileSync(new URL(name, folder), 'utf8');
  const block = (mark: string): string =>
    new RegExp(`<!-- ${mark} -->\\n\\n\`\`\`\\w*\\n(.*?)\`\`\``, 's').exec(text)?.[1] ?? '';
  const files = [...text.matchAll(/<!-- file: (\S+) -->\n(?:\n```\w*\n(.*?)```)?/gs)].map(
    ([, path = '', content = '']) => [path, content] as const,
  );
  return {
    text,
    files: Object.fromEntries(files),
    imported: block('imported'),
    remarks: block('remarks'),
    prints: block('prints'),
  };
}

/** The configuration as the guide shows it: without where each section comes from. */
function shown(text: string): string {
  return `${text
    .split('\n')
    .filter((line) => !line.startsWith('# from '))
    .join('\n')
    .trim()}\n`;
}

describe.each(guides)('docs/guide/$name', (guide) => {
  const { text, files, imported, remarks, prints } = read(guide);

  it('shows what chaperonectl import writes, and what it tells', () => {
    const found = importOf(guide.path, files);
    expect(found.errors).toBe('');
    if (updates) {
      const block = /(<!-- imported -->\n\n```yaml\n).*?(```)/s;
      writeFileSync(
        new URL(guide.name, folder),
        text.replace(block, (_, head, end) => `${head}${shown(found.text)}${end}`),
      );
      return;
    }
    expect(imported).toBe(shown(found.text));
    expect(found.remarks.join('\n')).toBe(remarks.trimEnd());
  });

  it('shows files that boot and print what it says', async () => {
    // Scripts that the configuration names by their paths are those of a folder here.
    const root = mkdtempSync(join(tmpdir(), 'chaperone-guide-'));
    onTestFinished(() => rmSync(root, { recursive: true, force: true }));
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), content.replaceAll('/tmp/', `${root}/`));
      if (content.startsWith('#!')) chmodSync(join(root, path), 0o755);
    }
    const local = imported.replaceAll('/tmp/', `${root}/`).replaceAll('/etc/s6-overlay', `${root}/etc/s6-overlay`);
    const system = boot({ files: { 'imported.conf': local }, merge: true });
    for (const line of prints.trimEnd().split('\n')) await system.waitForLine(new RegExp(`\\]: ${line}$`));
    await system.waitForLine(/chaperone version \S+, ready\.$/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });
});

describe("the guide's table of supervisorctl", () => {
  const { text } = read({ name: 'coming-from-supervisord.md', path: '' });
  const rows = [...text.matchAll(/^\| (`.*?`) \| (.*) \|$/gm)].map(([, theirs = '', ours = '']) => ({ theirs, ours }));
  const firstWords = (cell: string): readonly string[] => [...cell.matchAll(/`(\w+)/g)].map(([, word = '']) => word);

  it('has all that supervisorctl can do', () => {
    const config = join(mkdtempSync(join(tmpdir(), 'chaperone-ctl-')), 'supervisord.conf');
    onTestFinished(() => rmSync(dirname(config), { recursive: true, force: true }));
    writeFileSync(config, '[supervisorctl]\nserverurl=unix:///nowhere\n');
    const help = execFileSync('/usr/bin/supervisorctl', ['-c', config, 'help'], { encoding: 'utf8' });
    const commands = help
      .split('\n')
      .filter((line) => /^[a-z]+\s+[a-z]+/.test(line) && !line.includes('('))
      .join(' ');
    const known = commands.split(/\s+/).filter((word) => word !== '');
    expect(known).toContain('restart');
    expect(new Set(rows.flatMap(({ theirs }) => firstWords(theirs)))).toEqual(new Set([...known, 'help']));
  });

  it('names verbs and options that chaperonectl has', () => {
    const verbs = new Map(verbsOf('chaperonectl').map((verb) => [verb.name, verb]));
    const uses = rows.flatMap(({ ours }) => [...ours.matchAll(/`chaperonectl ([a-z][a-z-]*)([^`]*)`/g)]);
    expect(uses.length).toBeGreaterThan(10);
    for (const [whole, name = '', rest = ''] of uses) {
      const known = verbs.get(name)?.options.map((option) => option.name);
      expect(known, whole).toBeDefined();
      for (const [, option] of rest.matchAll(/--([\w-]+)/g)) expect(known, whole).toContain(option);
    }
  });
});
