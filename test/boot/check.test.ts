import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { boot, config, isRoot } from './namespace.ts';

const program = join(import.meta.dirname, '../../dist/chaperonectl.cjs');

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'chaperone-check-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

interface Finding {
  readonly line?: number;
  readonly message: string;
  readonly hint?: string;
}

interface Result {
  readonly status: number | null;
  readonly errors: readonly Finding[];
  readonly warnings: readonly Finding[];
  readonly services: readonly { readonly name: string; readonly command: string; readonly starts: boolean }[];
}

function check(directory: string, text: string, env: Readonly<Record<string, string>> = {}): Result {
  const path = join(directory, 'x.conf');
  writeFileSync(path, text);
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'check', '--json', '--config', path], {
    env: { PATH: '/usr/bin:/bin', ...env },
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  return { ...JSON.parse(stdout), status };
}

function messages(findings: readonly Finding[], directory: string): readonly string[] {
  return findings.map(({ message }) => message.replaceAll(directory, 'DIR'));
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return 'State: Z (gone)';
  }
}

describe('chaperonectl check, on a real file system', () => {
  it('looks at programs as execve would', () => {
    const directory = folder();
    const script = (name: string, text: string, mode = 0o755): string => {
      const path = join(directory, name);
      writeFileSync(path, text);
      chmodSync(path, mode);
      return path;
    };
    const good = script('good', '#!/bin/sh\nexit 0\n');
    const plain = script('plain', '#!/bin/sh\n', 0o644);
    const lost = script('lost', '#!/nonexistent/python3\n');
    const windows = script('windows', '#!/bin/sh\r\ntrue\r\n');
    const viaEnv = script('env', '#!/usr/bin/env chaperone-has-no-such-program\n');
    const text = script('text', 'just text\n');
    const programs = { good, plain, lost, windows, env: viaEnv, text, directory };
    const lines = Object.entries(programs).map(([name, path]) => `${name}.service: { command: "${path}" }\n`);
    const { status, errors, warnings } = check(directory, lines.join(''));
    expect(status).toBe(1);
    expect(messages(errors, directory)).toEqual([
      'the program "DIR/plain" of plain.service may not be executed: DIR/plain has mode 0644',
      'the interpreter "/nonexistent/python3" of the program "DIR/lost" of lost.service is not found',
      'the interpreter "/bin/sh␍" of the program "DIR/windows" of windows.service is not found',
      'the interpreter "chaperone-has-no-such-program" of the program "DIR/env" of env.service is not found',
      'the program "DIR" of directory.service is a directory',
    ]);
    expect(messages(warnings, directory)).toEqual([
      'the program "DIR/text" of text.service is no binary and has no "#!" line',
    ]);
  });

  it('sees directories, accounts and what an account may execute', () => {
    const directory = folder();
    chmodSync(directory, 0o755);
    const tool = join(directory, 'tool');
    writeFileSync(tool, '#!/bin/sh\n');
    chmodSync(tool, 0o700);
    const text =
      `a.service: { command: "true", directory: "${directory}/none" }\n` +
      `b.service: { command: "true", directory: "${tool}" }\n` +
      (isRoot ? `c.service: { command: "${tool}", uid: 54321 }\n` : '');
    const { status, warnings } = check(directory, text);
    expect(status).toBe(0);
    expect(messages(warnings, directory)).toEqual([
      'the directory "DIR/none" of a.service does not exist',
      'the directory "DIR/tool" of b.service is no directory',
      ...(isRoot
        ? ['uid 54321 may not execute the program "DIR/tool" of c.service: DIR/tool has mode 0700, owner 0:0']
        : []),
    ]);
    const unknown = check(directory, 'a.service: { command: "true", uid: nobody-of-that-name }\n');
    expect(unknown.status).toBe(1);
    expect(messages(unknown.errors, directory)).toEqual([
      'uid of a.service is no user of this system: "nobody-of-that-name"',
    ]);
  });

  it('runs commands in backticks, and nothing else', () => {
    const directory = folder();
    const text =
      `a.service: { command: "touch ${directory}/started \`echo one two; echo $WORD\`" }\n` +
      'b.service: { command: "true", env_set: { X: "`echo why >&2; exit 3`" } }\n';
    const { status, services, warnings } = check(directory, text, { WORD: 'three', NODE_OPTIONS: '' });
    expect(status).toBe(0);
    expect(services[0]?.command).toBe(`touch ${directory}/started one two three`);
    expect(messages(warnings, directory)).toEqual([
      'the command `echo why >&2; exit 3` in the configuration failed and stands for no text: <ProcStatus exit_status=3>: why',
    ]);
    expect(existsSync(join(directory, 'started'))).toBe(false);
  });

  it('ends at once where a command left something behind', () => {
    const { services } = check(folder(), 'a.service: { command: "echo `sleep 5 & echo done`" }\n');
    expect(services[0]?.command).toBe('echo done');
  });

  it('can be interrupted while a command runs', async () => {
    const directory = folder();
    const path = join(directory, 'x.conf');
    const pidPath = join(directory, 'pid');
    const command = `echo $$ > ${pidPath}.new; mv ${pidPath}.new ${pidPath}; exec sleep 1000`;
    writeFileSync(path, `a.service: { command: "echo \`${command}\`" }\n`);
    const child = spawn(process.execPath, [program, 'check', '--config', path], { stdio: 'ignore' });
    const ended = once(child, 'exit');
    const look = () => new Promise((resolve) => setTimeout(resolve, 20));
    while (!existsSync(pidPath)) await look();
    child.kill('SIGINT');
    expect(await ended).toEqual([130, null]);
    // The command has ended: its process is gone, or waits for its new parent to reap it.
    const status = `/proc/${readFileSync(pidPath, 'utf8').trim()}/status`;
    while (existsSync(status) && !/^State:\s+Z/m.test(readIfThere(status))) await look();
  });

  it('calls a mistake what a start calls a failure', async () => {
    const text = config({
      'a.service': { command: 'chaperone-has-no-such-program' },
      'b.service': { command: 'sleep 60', after: 'a.service' },
    });
    const system = boot({ files: { 'x.conf': text } });
    const { status, errors, warnings } = check(folder(), text);
    expect(status).toBe(1);
    expect(messages(errors, 'no directory')).toEqual([
      'the program "chaperone-has-no-such-program" of a.service is not found',
    ]);
    expect(messages(warnings, 'no directory')).toEqual([
      'b.service can never start: it waits for a.service, whose program is not found',
    ]);
    expect(await system.exit).toBe(1);
    expect(system.lines().join('\n')).toContain("executable 'chaperone-has-no-such-program' not found");
  });

  it('finds nothing in the sample', () => {
    const path = join(import.meta.dirname, '../../config');
    const { status, stdout } = spawnSync(process.execPath, [program, 'check', '--config', path], { encoding: 'utf8' });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^services in start order/);
    expect(stdout).toMatch(/: no mistakes\n$/);
  });
});
