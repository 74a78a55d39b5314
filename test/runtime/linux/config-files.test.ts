import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { configFiles } from '../../../src/runtime/linux/config-files.ts';

const readings = vi.hoisted(() => ({ after: (_fd: number): void => undefined }));

vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  const readFileSync = (fd: number): Buffer => {
    const bytes = fs.readFileSync(fd);
    readings.after(fd);
    return bytes;
  };
  return { ...fs, readFileSync };
});

function file(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'chaperone-read-'));
  onTestFinished(() => {
    readings.after = () => undefined;
    rmSync(folder, { recursive: true });
  });
  const path = join(folder, 'x.conf');
  writeFileSync(path, text);
  return path;
}

it('reads a file once more that was written meanwhile', () => {
  const path = file('a.service: { comm');
  let written = false;
  readings.after = () => {
    if (!written) writeFileSync(path, 'a.service: { command: x }\n');
    written = true;
  };
  expect(configFiles.read(path)).toBe('a.service: { command: x }\n');
});

it('gives up on a file that is written without end', () => {
  const path = file('');
  let text = '';
  readings.after = () => {
    text += '# more\n';
    writeFileSync(path, text);
  };
  expect(() => configFiles.read(path)).toThrow(expect.objectContaining({ code: 'ECHANGED' }));
  expect(text).toBe('# more\n'.repeat(3));
});
