import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { requirePrograms } from './dockerops.ts';
import { clientEnvironment, docker, tryDocker } from './engine.ts';

const root = join(import.meta.dirname, '../..');
const guide = readFileSync(join(root, 'docs/guide/platform.md'), 'utf8');

type Part =
  | {
      readonly kind: 'run';
      readonly folder: string;
      readonly command: string;
      readonly fails: boolean;
      readonly network: boolean;
    }
  | { readonly kind: 'prints'; readonly text: string }
  | { readonly kind: 'edit'; readonly file: string; readonly text: string };

/** The blocks of the guide that say what they are, in their order. */
const parts: readonly Part[] = [
  ...guide.matchAll(/<!-- (run|fails|prints|edit)(?:: ([^;\n]*?))?(; network)? -->\n```\n([\s\S]*?)```/g),
].map(([, kind = '', where = '', network, text = '']): Part => {
  if (kind === 'prints') return { kind, text };
  if (kind === 'edit') return { kind, file: where, text: text.trim() };
  return { kind: 'run', folder: where, command: text.trim(), fails: kind === 'fails', network: network !== undefined };
});

beforeAll(requirePrograms, 300_000);

it('docs/guide/platform.md does what it says, from top to bottom', async () => {
  const parent = mkdtempSync(join(tmpdir(), 'platform-guide-'));
  onTestFinished(async () => {
    const ids = await docker('ps', '--all', '--quiet', '--filter', 'label=org.dockerops.project=shop');
    if (ids !== '') await tryDocker('rm', '--force', ...ids.split('\n'));
    await tryDocker('network', 'rm', 'shop-network');
    rmSync(parent, { recursive: true, force: true });
  });
  expect(parts.filter(({ kind }) => kind === 'run').length).toBeGreaterThan(8);
  let last = '';
  for (const part of parts) {
    switch (part.kind) {
      case 'prints':
        expect(last).toBe(part.text);
        break;
      case 'edit':
        edit(join(parent, part.file), part.text);
        break;
      case 'run': {
        // Builds reach Debian's packages through the network of this machine.
        const command = part.network ? `${part.command} --network host` : part.command;
        const { status, stdout, stderr } = await run(command, join(parent, part.folder));
        expect(status === 0, `${command}\n${stdout}${stderr}`).toBe(!part.fails);
        last = part.fails ? stderr : stdout;
        break;
      }
    }
  }
  expect(await docker('ps', '--all', '--quiet', '--filter', 'label=org.dockerops.project=shop')).toBe('');
  expect(readFileSync(join(parent, 'shop/data_shop/db/persistent/data/count'), 'utf8')).toBe('1');
}, 400_000);

/** Puts a line in the place of the one about the same instance. */
function edit(file: string, line: string): void {
  const instance = /"instance": "\w+"/.exec(line)?.[0] ?? '';
  const before = readFileSync(file, 'utf8');
  const old = before.split('\n').filter((text) => text.startsWith('  {') && text.includes(instance));
  expect(old).toHaveLength(1);
  writeFileSync(file, before.replace(old[0] ?? '', `  ${line}`));
}

function run(
  command: string,
  folder: string,
): Promise<{ readonly status: number; readonly stdout: string; readonly stderr: string }> {
  const env = { ...clientEnvironment, PATH: `${root}/dist:${process.env['PATH']}` };
  return new Promise((resolve) => {
    const child = execFile(
      'sh',
      ['-ec', command],
      { cwd: folder, env, maxBuffer: 1 << 26 },
      (error, stdout, stderr) => {
        resolve({ status: error === null ? 0 : typeof error.code === 'number' ? error.code : 255, stdout, stderr });
      },
    );
    child.stdin?.end();
  });
}
