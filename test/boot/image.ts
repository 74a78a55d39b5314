/** Containers made of files that lie over this machine's own, in layers as a container engine has them. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { inDist } from '../dist.ts';
import { type Booted, type BootOptions, boot, fixtures } from './namespace.ts';

/** A file of an image: a text that begins with `#!` can be executed; a path that ends with `/` is an empty folder. */
export type ImageFile =
  | string
  | { readonly text: string | Uint8Array; readonly mode?: number; readonly modified?: number };

export interface Container {
  /** Starts it, with what earlier runs have left in its layer. */
  run(options?: BootOptions & { readonly workdir?: string }): Booted;
  /** Makes it anew of its image: the volume stays. */
  renew(): void;
  /** The path of what a run has written, or of what the image has, in this machine's root. */
  path(inside: string): string;
  /** The path of a file on the volume. */
  onVolume(name: string): string;
}

export function container(files: Readonly<Record<string, ImageFile>>, { volume = false } = {}): Container {
  const box = mkdtempSync(join(tmpdir(), 'chaperone-image-'));
  // No layer may lie in another one: they need a file system of their own.
  run('mount', '-t', 'tmpfs', 'tmpfs', box);
  onTestFinished(() => {
    run('umount', box);
    rmSync(box, { recursive: true });
  });
  for (const [name, file] of Object.entries(files)) write(join(box, 'image', name), file);
  if (volume) mkdirSync(join(box, 'volume'));
  return {
    run: ({ workdir = '/', env = {}, ...options } = {}) =>
      boot({
        program: join(fixtures, 'in-image'),
        env: { IMAGE_BOX: box, IMAGE_PROGRAM: inDist('chaperone'), IMAGE_WORKDIR: workdir, ...env },
        ...options,
      }),
    renew: () => {
      for (const layer of ['up', 'work']) rmSync(join(box, layer), { recursive: true, force: true });
    },
    path: (inside) => {
      const [written, given] = [join(box, 'up', inside), join(box, 'image', inside)];
      return existsSync(written) ? written : given;
    },
    onVolume: (name) => join(box, 'volume', name),
  };
}

function run(command: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args);
  if (status !== 0) throw new Error(String(stderr));
}

function write(path: string, file: ImageFile): void {
  if (path.endsWith('/')) {
    mkdirSync(path, { recursive: true });
    return;
  }
  mkdirSync(dirname(path), { recursive: true });
  const { text, mode, modified } =
    typeof file === 'object' ? file : { text: file, mode: undefined, modified: undefined };
  writeFileSync(path, text);
  chmodSync(path, mode ?? (typeof text === 'string' && text.startsWith('#!') ? 0o755 : 0o644));
  if (modified !== undefined) utimesSync(path, modified, modified);
}
