/** How the diagnostics come about that need a running program. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Reloader } from '../../src/runtime/boot/reloader.ts';
import { inDist } from '../dist.ts';
import { createWorld, simpleService, systemOf } from '../simulation/world.ts';

const program = inDist('chaperonectl.cjs');

/** What the built `chaperonectl check` prints about a path, or about a file with that text. */
export function chaperonectlCheck({
  config,
  text = '',
  env = {},
}: {
  readonly config?: string;
  readonly text?: string;
  readonly env?: Readonly<Record<string, string>>;
}): string {
  const directory = mkdtempSync(join(tmpdir(), 'chaperone-errors-'));
  try {
    const file = join(directory, 'web.conf');
    writeFileSync(file, text);
    const { stdout } = spawnSync(process.execPath, [program, 'check', '--config', config ?? file], {
      env: { PATH: '/usr/bin:/bin', ...env },
      encoding: 'utf8',
    });
    return stdout.replaceAll(directory, '/etc/chaperone.d');
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The answer of a reload that fails because its `prepare` step returns this reason. */
export async function reloadWith(reason: string): Promise<string> {
  const spec = systemOf([simpleService('web')]);
  const { assembly, kernel, clock } = createWorld(spec, {
    has: () => true,
    script: () => ({ steps: [{ do: 'hang' }] }),
  });
  const reloader = new Reloader({
    kernel,
    clock,
    assembly,
    configure: async () => ({ spec, diagnostics: [], messages: [], path: '/etc/chaperone.d' }),
    prepare: async () => reason,
  });
  const result = await reloader.reload({ dryRun: false, force: false });
  return result.kind === 'mistakes' ? result.report : result.kind;
}
