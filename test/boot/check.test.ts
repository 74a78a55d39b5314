import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { inDist } from '../dist.ts';
import { boot, config, isRoot } from './namespace.ts';

const program = inDist('chaperonectl.cjs');

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

  describe('with FILE...', () => {
    function checkFiles(directory: string, ...words: readonly string[]) {
      const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'check', '--json', ...words], {
        cwd: directory,
        env: { PATH: '/usr/bin:/bin' },
        encoding: 'utf8',
      });
      return { status, stderr, ...(stdout === '' ? {} : JSON.parse(stdout)) };
    }

    it('reads these files, from where it is called, in their order', () => {
      const directory = folder();
      writeFileSync(join(directory, 'b.conf'), 'a.service: { command: "true" }\nsettings: { env_set: { X: b } }\n');
      writeFileSync(join(directory, 'a.txt'), 'a.service: { command: "echo $(X) $(_CHAP_CONFIG_DIR)" }\n');
      const found = checkFiles(directory, 'b.conf', 'a.txt');
      expect(found).toMatchObject({ status: 0, errors: [], warnings: [] });
      expect(found.services).toMatchObject([{ name: 'a.service', command: `echo b ${directory}` }]);
      expect(checkFiles(directory, 'a.txt', './b.conf', 'a.txt', '.').services).toMatchObject([{ command: 'true' }]);
    });

    it('reads folders, too, and tells which of several has a mistake or is missing', () => {
      const directory = folder();
      mkdirSync(join(directory, 'x.d'));
      writeFileSync(join(directory, 'x.d/one.conf'), 'a.service: { command: "true" }\n');
      writeFileSync(join(directory, 'two.conf'), 'b.service: { command: "true", typo: 1 }\n');
      const found = checkFiles(directory, 'x.d', 'two.conf', 'none.conf');
      expect(found.status).toBe(1);
      expect(found.errors).toMatchObject([
        { code: 'no-configuration', message: `the configuration "${directory}/none.conf" does not exist` },
        { code: 'unknown-key', file: join(directory, 'two.conf'), line: 1 },
      ]);
      expect(checkFiles(directory, '--config', 'x.d', 'two.conf')).toEqual({
        status: 2,
        stderr: 'chaperonectl check: takes --config PATH or FILE..., not both\ntry "chaperonectl check --help"\n',
      });
    });

    it('with --portable says the same on every machine, and runs nothing', () => {
      const directory = folder();
      const text = `web.service:
  command: /opt/nowhere/serve --port $(PORT) \`touch ${directory}/ran\` > x
  uid: nobody-of-that-name
  gid: nogroup-of-that-name
  directory: /nowhere
  after: db
db.service: { command: no-such-program $(HOST:?which), restart: true, exit_kills: true }
`;
      writeFileSync(join(directory, 'x.conf'), text);
      const here = checkFiles(directory, 'x.conf');
      expect(here.errors.map(({ code }: { readonly code: string }) => code)).toEqual([
        'unknown-user',
        'required-variable',
      ]);
      rmSync(join(directory, 'ran'), { force: true });
      const portable = checkFiles(directory, '--portable', 'x.conf');
      expect(portable).toMatchObject({ status: 0, errors: [] });
      expect(portable.warnings.map(({ code }: { readonly code: string }) => code)).toEqual([
        'no-shell',
        'empty-group',
        'no-effect',
      ]);
      expect(portable.services).toMatchObject([
        { name: 'web.service', account: { name: 'nobody-of-that-name' }, starts: true },
        { name: 'db.service', starts: true },
      ]);
      expect(existsSync(join(directory, 'ran'))).toBe(false);
    });
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
