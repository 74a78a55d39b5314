/** Bad input that needs a real file system; input that memory can show is in test/config/bad-input.test.ts. */

import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { loadConfiguration } from '../../src/config/load.ts';
import { parseAccounts } from '../../src/model/service/accounts.ts';
import { configFiles } from '../../src/runtime/linux/config-files.ts';
import { inDist } from '../dist.ts';
import { boot, isRoot } from './namespace.ts';

const program = inDist('chaperonectl.cjs');
const accounts = parseAccounts('root:x:0:0::/root:/bin/sh\n', 'root:x:0:\n');

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'chaperone-bad-'));
  chmodSync(path, 0o755);
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

function load(path: string) {
  return loadConfiguration(path, { reader: configFiles, environment: {}, accounts, interactive: false });
}

function messages(path: string): readonly string[] {
  return load(path).diagnostics.map(({ message }) => message.replaceAll(path, 'DIR'));
}

/** The uid of an unused account, if this test may change to it and can run Node with it. */
const other = 65_534;

function othersMayRun(file: string): boolean {
  for (let path = realpathSync(file); ; path = dirname(path)) {
    const { status } = spawnSync('/bin/sh', ['-c', 'test -x "$0"', path], {
      uid: other,
      gid: other,
    });
    if (status !== 0) return false;
    if (path === '/') return true;
  }
}

const asOther = isRoot && othersMayRun(process.execPath) && othersMayRun(program);

describe('a configuration on a disk', () => {
  it.runIf(asOther)('is a directory, or a file, that may not be read', () => {
    const directory = folder();
    const closed = join(directory, 'closed.d');
    mkdirSync(closed, { mode: 0o700 });
    const half = join(directory, 'half.d');
    mkdirSync(half);
    writeFileSync(join(half, 'secret.conf'), 'a.service: { command: "true" }\n', { mode: 0o600 });
    writeFileSync(join(half, 'web.conf'), 'web.service: { comand: "true" }\n');
    const check = (path: string) => {
      const { status, stdout } = spawnSync(process.execPath, [program, 'check', '--config', path], {
        uid: other,
        gid: other,
        cwd: '/',
        encoding: 'utf8',
      });
      expect(status).toBe(1);
      return stdout;
    };
    expect(check(closed)).toBe(
      `chaperone: 1 mistake in the configuration, nothing was started\n\ncannot read the directory "${closed}": permission denied (EACCES) [unreadable]\n\n1 mistake\n`,
    );
    expect(check(join(closed, 'inside'))).toContain(`"${join(closed, 'inside')}": permission denied (EACCES)`);
    // The second file is read although the first one has mistakes.
    const report = check(half);
    expect(report).toContain(`cannot read the file "${join(half, 'secret.conf')}": permission denied (EACCES)`);
    expect(report).toContain('unknown key "comand" in web.service');
  });

  it('holds what is no file', () => {
    const directory = folder();
    mkdirSync(join(directory, 'folder.conf'));
    const named = 'the folder "DIR/folder.conf" is not read: a configuration is one folder of files';
    expect(messages(directory)).toEqual([named]);
    expect(spawnSync('mkfifo', [join(directory, 'fifo.conf')]).status).toBe(0);
    symlinkSync('loop.conf', join(directory, 'loop.conf'));
    symlinkSync('/nonexistent', join(directory, 'nowhere.conf'));
    symlinkSync('/dev/zero', join(directory, 'zero.conf'));
    expect(messages(directory)).toEqual([
      'cannot read the configuration "DIR/fifo.conf": it is not a regular file',
      named,
      'cannot read the file "DIR/loop.conf": too many symbolic links (ELOOP)',
      'cannot read the configuration "DIR/zero.conf": it is not a regular file',
      'cannot read the file "DIR/nowhere.conf": it does not exist (ENOENT)',
    ]);
    expect(messages('/dev/null')).toEqual(['cannot read the configuration "DIR": it is not a regular file']);
  });

  it('is a program, a huge file, nothing at all', () => {
    const directory = folder();
    copyFileSync('/bin/true', join(directory, '1.conf'));
    writeFileSync(join(directory, '2.conf'), '');
    // The file is sparse, so that it takes no room on the disk.
    writeFileSync(join(directory, '3.conf'), '');
    truncateSync(join(directory, '3.conf'), 3 * 1024 ** 3);
    writeFileSync(join(directory, '4.conf'), Buffer.from([0x61, 0x3a, 0x20, 0xe9, 0x0a]));
    expect(messages(directory)).toEqual([
      'cannot read the file "DIR/3.conf": it is larger than 16 MiB (EFBIG)',
      'this is not a text file: it holds a NUL byte',
      'this is not a text file: it holds bytes that are not UTF-8',
    ]);
  });

  it('is replaced while it is read: always one version or the other', async () => {
    const path = join(folder(), 'x.conf');
    const version = (name: string, size: number) => `${name}.service: { command: "${name} ${name.repeat(size)}" }\n`;
    writeFileSync(path, version('a', 10));
    const script = `
      const fs = require('node:fs');
      const [, path, ...versions] = process.argv;
      for (let turn = 0; ; turn++) {
        fs.writeFileSync(path + '.new', versions[turn % versions.length]);
        fs.renameSync(path + '.new', path);
      }`;
    const writer = spawn(process.execPath, ['-e', script, path, version('a', 50_000), version('b', 10)]);
    onTestFinished(() => {
      writer.kill('SIGKILL');
    });
    const versions = ['a.service 50002', 'b.service 12'];
    const seen = new Set<string>();
    for (let turn = 0; turn < 200 || !versions.every((version) => seen.has(version)); turn += 1) {
      const { spec, diagnostics } = load(path);
      expect(diagnostics).toEqual([]);
      seen.add(spec?.services.map(({ name, command }) => `${name} ${command.length}`).join() ?? '');
      await new Promise((resolve) => setImmediate(resolve));
    }
    seen.delete('a.service 12');
    expect([...seen].sort()).toEqual(versions);
  });

  it('is rewritten in place while it is read: a mistake or a configuration, and never an exception', async () => {
    const path = join(folder(), 'x.conf');
    const script = `
      const fs = require('node:fs');
      const text = 'a.service: {\\n' + '  # filling\\n'.repeat(40_000) + '  command: "true" }\\n';
      for (;;) fs.writeFileSync(process.argv[1], text);`;
    writeFileSync(path, '');
    const writer = spawn(process.execPath, ['-e', script, path]);
    onTestFinished(() => {
      writer.kill('SIGKILL');
    });
    for (let turn = 0; turn < 60; turn += 1) {
      const { spec, diagnostics } = load(path);
      if (diagnostics.length > 0) expect(spec).toBeUndefined();
      else expect(spec?.services.length).toBeLessThanOrEqual(1);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  });

  it('starts nothing', async () => {
    const level = (name: string, of: string) =>
      `${name}: &${name} [${Array.from({ length: 10 }, () => of).join(', ')}]\n`;
    const bomb = [...'abcdefgh']
      .map((name, index) => level(name, index === 0 ? 'x' : `*${'abcdefgh'[index - 1]}`))
      .join('');
    const marker = '0.service: { command: "touch $(_CHAP_CONFIG_DIR)/marker", service_groups: INIT }\n';
    const system = boot({ files: { '1.conf': marker, '2.conf': bomb } });
    expect(await system.exit).toBe(1);
    expect(system.lines('stderr').join('\n')).toContain('stand for more than 1000000 values');
    expect(existsSync(system.path('marker'))).toBe(false);
  });
});
