/** The key that the project's `ssh` uses: keys/id_ed25519, which only its owner may read. */
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { runToEnd } from './run-program.ts';

export function keyFile(folder: string): string {
  return join(folder, 'keys/id_ed25519');
}

/** The public half, as sshd takes it; undefined where no key was made yet. */
export function publicKey(folder: string): string | undefined {
  const file = `${keyFile(folder)}.pub`;
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined;
}

/** Makes the key where there is none, and takes rights away that others have to it. */
export async function ensureKey(folder: string, project: string): Promise<void> {
  const file = keyFile(folder);
  if (!existsSync(file)) {
    mkdirSync(join(folder, 'keys'), { recursive: true, mode: 0o700 });
    const words = ['-q', '-t', 'ed25519', '-N', '', '-C', `dockerops ${project}`, '-f', file];
    const { exitCode, stderr } = await runToEnd('ssh-keygen', words);
    if (exitCode !== 0) throw new Error(`ssh-keygen has failed: ${stderr.trim()}`);
  }
  if ((statSync(file).mode & 0o777) !== 0o600) chmodSync(file, 0o600);
}
