/** Runs dockerops as a person does, against the engine of the container tests. */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { clientEnvironment, docker, tryDocker } from './engine.ts';

const root = join(import.meta.dirname, '../..');

export interface Told {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The programs have to be there: dockerops is one of them, and the base image holds them. */
export function requirePrograms(): void {
  if (existsSync(join(root, 'dist/dockerops'))) return;
  execFileSync(process.execPath, [join(root, 'scripts/build.mjs')], { stdio: 'inherit' });
}

export class ProjectOnDisk {
  readonly folder: string;
  readonly name: string;
  readonly #env: Record<string, string | undefined>;

  constructor(name: string, env: Readonly<Record<string, string>> = {}) {
    const parent = mkdtempSync(join(tmpdir(), 'dockerops-test-'));
    this.folder = join(parent, name);
    this.name = name;
    mkdirSync(this.folder);
    this.#env = { ...clientEnvironment, PATH: `${root}/dist:${process.env['PATH']}`, ...env };
    onTestFinished(async () => {
      await this.removeAll();
      rmSync(parent, { recursive: true, force: true });
    });
  }

  write(files: Readonly<Record<string, string>>): void {
    for (const [path, text] of Object.entries(files)) {
      const file = join(this.folder, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
  }

  /** Without a terminal, so that nobody can be asked. */
  run(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Told> {
    return new Promise((resolve) => {
      const child = execFile(
        'dockerops',
        words,
        { cwd: this.folder, env: { ...this.#env, ...env }, maxBuffer: 1 << 26 },
        (error, stdout, stderr) => {
          const status = error === null ? 0 : typeof error.code === 'number' ? error.code : 255;
          resolve({ status, stdout, stderr });
        },
      );
      child.stdin?.end();
    });
  }

  /** What it prints on stdout; an exit status other than 0 is an error. */
  async must(...words: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await this.run(words);
    if (status !== 0) throw new Error(`dockerops ${words.join(' ')} ended with ${status}\n${stdout}${stderr}`);
    return stdout;
  }

  /** The states of the project's containers at the engine, by name. */
  async containers(): Promise<Readonly<Record<string, string>>> {
    const format = '{{.Names}} {{.State}}';
    const filter = `label=org.dockerops.project=${this.name}`;
    const rows = await docker('ps', '--all', '--filter', filter, '--format', format);
    return Object.fromEntries(
      rows
        .split('\n')
        .filter((row) => row !== '')
        .map((row) => row.split(' ')),
    );
  }

  async id(container: string): Promise<string> {
    return docker('inspect', '--format', '{{.Id}}', container);
  }

  async removeAll(): Promise<void> {
    const ids = await docker('ps', '--all', '--quiet', '--filter', `label=org.dockerops.project=${this.name}`);
    if (ids !== '') await tryDocker('rm', '--force', '--volumes', ...ids.split('\n'));
    await tryDocker('network', 'rm', `${this.name}-network`);
  }
}
