import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import manifest from '../../../package.json' with { type: 'json' };
import { verbsOf } from '../../../src/cli/chaperonectl/verbs.ts';
import { inDist } from '../../dist.ts';

const program = inDist('chaperonectl.cjs');
const scratch = mkdtempSync(join(tmpdir(), 'chaperonectl-'));

afterAll(() => rmSync(scratch, { recursive: true }));

function ctl(words: readonly string[], env: Readonly<Record<string, string>> = {}, cwd = scratch) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...words], {
    cwd,
    env: { PATH: '/usr/bin:/bin', TZ: 'Europe/Berlin', ...env },
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

let count = 0;

/** A file with that configuration. */
function file(text: string): string {
  count += 1;
  const path = join(scratch, `${count}.conf`);
  writeFileSync(path, text);
  return path;
}

describe('chaperonectl', () => {
  it('lists its verbs', () => {
    for (const word of ['--help', 'help']) {
      const { status, stdout, stderr } = ctl([word]);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toContain('\n  check           check a configuration without starting it\n');
    }
    expect(ctl(['--he']).stdout).toBe(ctl(['--help']).stdout);
    expect(ctl(['--vers']).stdout).toBe(`chaperonectl ${manifest.version}\n`);
    expect(ctl(['--version'])).toEqual({ status: 0, stdout: `chaperonectl ${manifest.version}\n`, stderr: '' });
  });

  it('refuses what is no verb', () => {
    expect(ctl(['chekc'])).toEqual({
      status: 2,
      stdout: '',
      stderr: 'chaperonectl: unknown verb "chekc": did you mean "check"?\ntry "chaperonectl --help"\n',
    });
    expect(ctl(['--chekc']).stderr).toBe('chaperonectl: unknown option "--chekc"\ntry "chaperonectl --help"\n');
    expect(ctl(['a\u001b[1m\nb']).stderr).toContain('unknown verb "a\\x1b[1m b"');
    const { status, stdout, stderr } = ctl([]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^usage: chaperonectl VERB/);
  });

  it('says nothing of a reader that has closed the pipe before the help came', async () => {
    // The shell starts chaperonectl only once the reader has gone.
    const child = spawn('/bin/sh', ['-c', 'read go; exec "$0" "$@"', process.execPath, program, '--help']);
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.stdout.destroy();
    await once(child.stdout, 'close');
    const ended = once(child, 'close');
    child.stdin.end('go\n');
    const [status] = await ended;
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});

describe('the options of a verb', () => {
  it.each([
    [['stop', '--drian', 'web'], 'stop', 'unknown option "--drian": did you mean "--drain"?'],
    [['replay', 'x', '--s', '1'], 'replay', '"--s" may be --service or --speed or --summary'],
    [['stop', 'web', '--timeout=soon'], 'stop', '--timeout needs a number of seconds, not "soon"'],
    [['wait', 'web', '--for', 'good'], 'wait', '--for takes ready, stopped or failed, not "good"'],
    [['logs', '-n', 'many'], 'logs', '--lines needs a number, not "many"'],
    [['logs', '-x'], 'logs', 'unknown option "-x"'],
    [['inspect', '--po', '70000'], 'inspect', '--port needs a port, not "70000"'],
    [['inspect', 'web'], 'inspect', '"inspect" takes no words but options, so not "web"'],
    [['inspect', '--stdio', '--via', 'x'], 'inspect', '--stdio and --via exclude each other'],
    [['run', '--jsn', 'ls'], 'run', 'unknown option "--jsn": did you mean "--json"?'],
    [['run'], 'run', 'no command is given'],
    [['dependencies', 'web'], 'dependencies', '"dependencies" takes no words but options, so not "web"'],
    [['reload', '--nope'], 'reload', 'unknown option "--nope"'],
    [['scale', 'web'], 'scale', '"scale" needs the name of a service and a count'],
    [['scale', 'web', 'x'], 'scale', 'not a number of instances from 0 to 1000: x'],
    [['run-now'], 'run-now', '"run-now" needs the name of a service'],
    [['wait'], 'wait', '"wait" needs the name of a service'],
    [['stop', '--wait'], 'stop', '"stop" needs the name of a service'],
    [['kill', 'web'], 'kill', '"kill" needs the name of a service and a signal'],
    [['kill', 'web', 'NOPE'], 'kill', 'no such signal: NOPE'],
    [['loglevel', 'loud'], 'loglevel', 'Not a valid log level: loud'],
    [['shutdown', 'soon'], 'shutdown', 'Specified delay is not a valid decimal number: soon'],
    [['shutdown', '1', '2'], 'shutdown', '"shutdown" takes no "2"'],
  ])('%j are mistaken, whether chaperone runs or not', (words, verb, message) => {
    expect(ctl(words)).toEqual({
      status: 2,
      stdout: '',
      stderr: `chaperonectl ${verb}: ${message}\ntry "chaperonectl ${verb} --help"\n`,
    });
  });

  it('are mistaken in JSON for whom asks for JSON', () => {
    const { status, stdout, stderr } = ctl(['stop', '--json', '--frob', 'web']);
    expect({ status, stderr }).toEqual({ status: 2, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({ kind: 'mistake', text: 'unknown option "--frob"', exitStatus: 2 });
    const late = ctl(['kill', '--json', 'web', 'NOPE']);
    expect({ ...late, stdout: JSON.parse(late.stdout) }).toEqual({
      status: 2,
      stdout: { kind: 'mistake', text: 'no such signal: NOPE', exitStatus: 2 },
      stderr: '',
    });
  });

  it('end with statuses of which that of is-ready has a meaning of its own', () => {
    const failed = verbsOf('chaperonectl').map(({ name }) => [
      name,
      /^ {2}1 {2}(.*)$/m.exec(ctl([name, '--help']).stdout)?.[1],
    ]);
    const known = failed.filter(([, meaning]) => meaning !== undefined);
    expect(known.length).toBeGreaterThan(12);
    expect(known.filter(([, meaning]) => meaning !== 'the command failed')).toEqual([
      ['is-ready', 'one of them is not ready'],
    ]);
  });

  it('may be shortened for every verb', () => {
    for (const { name } of verbsOf('chaperonectl')) {
      const help = ctl([name, '--he']);
      expect({ ...help, stdout: help.stdout.split('\n', 1) }).toEqual({
        status: 0,
        stdout: [expect.stringMatching(`^usage: chaperonectl ${name}`)],
        stderr: '',
      });
    }
  });
});

describe('chaperonectl check', () => {
  it('says how it is used, as the documentation does', () => {
    const { status, stdout } = ctl(['check', '--help']);
    expect(status).toBe(0);
    expect(readFileSync(new URL('../../../docs/reference/check.md', import.meta.url), 'utf8')).toContain(stdout);
  });

  it.each([
    [['--confg', 'x'], 'unknown option "--confg": did you mean "--config"?'],
    [['--config'], '--config needs a path'],
    [['--config='], '--config needs a path'],
    [['--user='], '--user needs a user'],
    [['x', '--config', 'y'], 'takes --config PATH or FILE..., not both'],
    [['--json=yes'], '--json takes no value'],
  ])('refuses %j', (words, message) => {
    const { status, stdout, stderr } = ctl(['check', ...words]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toBe(`chaperonectl check: ${message}\ntry "chaperonectl check --help"\n`);
  });

  it('finds no mistakes', () => {
    const path = file(
      'a.service: { type: oneshot, command: "true" }\nb.service: { command: sleep 1, after: a.service }\nc.logging: { stdout: true }\n',
    );
    const { status, stdout, stderr } = ctl(['check', '--config', path]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toBe(
      'services in start order (those with one number may start together)\n  1  a  oneshot  –\n  2  b  simple   –\n\n' +
        '2 services, 1 logging entry: no mistakes\n',
    );
  });

  it('finds the mistakes that a start would find, in its words', () => {
    const path = file('web.service:\n  comand: "true"\n');
    const { status, stdout } = ctl(['check', '--config', path]);
    expect(status).toBe(1);
    expect(stdout).toContain('chaperone: 1 mistake in the configuration, nothing was started\n');
    expect(stdout).toContain(`${path}:2:3: unknown key "comand" in web.service [unknown-key]\n`);
    expect(stdout).toContain('^^^^^^ did you mean "command"?\n');
    expect(stdout.endsWith('\n\n1 mistake\n')).toBe(true);
  });

  it('finds more than a start would, with exit status 0 where that is only doubtful', () => {
    const path = file('a.service: { command: ./x }\n');
    const { status, stdout } = ctl(['check', '--config', path]);
    expect(status).toBe(0);
    expect(stdout).toContain(`${path}:1:23: the program "./x" of a.service is a relative path [relative-program]\n`);
    expect(stdout).toContain('1 service, 0 logging entries: no mistakes, 1 warning\n');
    const missing = file('a.service: { command: chaperone-has-no-such-program }\n');
    expect(ctl(['check', '--config', missing]).status).toBe(1);
  });

  it('prints one JSON object', () => {
    const path = file('a.service: { command: chaperone-has-no-such-program }\nb.service: { command: ./x }\n');
    const { status, stdout, stderr } = ctl(['check', '--json', '--config', path]);
    expect({ status, stderr }).toEqual({ status: 1, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      errors: [{ file: path, line: 1, column: 23, length: 29 }],
      warnings: [{ file: path, line: 2, column: 23, length: 3 }],
      services: [{ name: 'a.service' }, { name: 'b.service' }],
      schedules: [],
    });
    expect(JSON.parse(ctl(['check', '--json', '--config', file('x: [')]).stdout)).toMatchObject({
      ok: false,
      errors: [{ line: 1 }],
      services: [],
    });
  });

  it('shows times in the zone of TZ', () => {
    const path = file('a.service: { type: cron, command: "true", interval: "30 4 * * *" }\n');
    const schedule = (TZ: string) => {
      const value: unknown = JSON.parse(ctl(['check', '--json', '--config', path], { TZ }).stdout);
      return value;
    };
    const time = (offset: string) => expect.stringMatching(new RegExp(`^\\d{4}-\\d\\d-\\d\\dT04:30:00\\${offset}$`));
    expect(schedule('Asia/Kolkata')).toMatchObject({
      schedules: [{ service: 'a.service', next: Array(3).fill(time('+05:30')) }],
    });
    expect(schedule('America/Phoenix')).toMatchObject({
      schedules: [{ timeZone: 'America/Phoenix', next: Array(3).fill(time('-07:00')) }],
    });
    expect(ctl(['check', '--config', path]).stdout).toContain(
      'schedules and their next times (Europe/Berlin)\n  a  30 4 * * *  2',
    );
  });

  it('says that nothing is there, and what a relative path means', () => {
    const { status, stdout } = ctl(['check', '--config', '/nonexistent/chaperone.d']);
    expect(status).toBe(1);
    expect(stdout).toContain('the configuration "/nonexistent/chaperone.d" does not exist [no-configuration]\n');
    mkdirSync(join(scratch, 'here.d'));
    const relative = ctl(['check', '--config', 'here.d']);
    expect(relative.status).toBe(1);
    expect(relative.stdout).toContain('the configuration "/here.d" does not exist [no-configuration]\n');
    expect(relative.stdout).toContain(`did you mean "${join(scratch, 'here.d')}"?`);
  });

  it('takes --user as a start does', () => {
    const path = file('a.service: { command: "true" }\n');
    expect(JSON.parse(ctl(['check', '--json', '--user', 'root', '--config', path]).stdout)).toMatchObject({
      ok: true,
      services: [{ account: { name: 'root', uid: 0, gid: 0 } }],
    });
    const relative = ctl(['check', '--user', 'root', '--config', 'chaperone-has-no-such.conf']).stdout;
    expect(relative).toContain('the configuration "/root/chaperone-has-no-such.conf" does not exist');
    const unknown = ctl(['check', '--user', 'nobody-of-that-name', '--config', path]);
    expect(unknown.status).toBe(1);
    expect(unknown.stdout).toContain('--user names "nobody-of-that-name", which is no user of this system');
  });

  it('stops quietly where its reader has seen enough', () => {
    const many = Array.from({ length: 3_000 }, (_, index) => `s${index}.service: { command: "true" }\n`).join('');
    const line = `"${process.execPath}" "${program}" check --config "${file(many)}" | head -n 1`;
    const { stdout, stderr } = spawnSync('/bin/sh', ['-c', line], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(stdout).toBe('services in start order (those with one number may start together)\n');
  });
});
